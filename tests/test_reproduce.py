"""Tables of the papers: what is trained and measured once, how orders are judged, and what a table tells."""

from dataclasses import replace

import pytest
import torch

from cemviz.backend import store
from cemviz.backend import tables as experiments
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.requests import ReproduceRequest, TrainRequest
from cemviz.backend.studio import Studio
from cemviz.backend.tables import EXPERIMENTS, Cell, Experiment, Order, measures, rows
from cemviz.backend.tables import reproduce as engine
from cemviz.backend.tables.measures import Measure
from cemviz.backend.tables.reproduce import as_text, reproduce, results
from cemviz.backend.tables.table import grid
from cemviz.backend.train import states
from cemviz.backend.train.run import train
from cemviz.data import images
from cemviz.training.recipes import RECIPES, recipe
from cemviz.ui.results.words import figure, table_html

ROW = replace(
    recipe("mnist-at-linf", "evidence"), data="stripes", net="small-resnet", net_args={"width": 4}, steps=3, batch=12,
    images=None, attack_steps=1,
)  # fmt: skip


@pytest.fixture
def toy(places, monkeypatch):
    """A table of two systems on a tiny set, and a list of what was measured."""
    seen = []

    def counted(model, device, data, seed):
        seen.append(model)
        assert f"-{seed}" in model or "/" not in model, "a table's seed is that of the draws"
        value = {"a": 0.5, "b": 0.25}[model.split("/")[-1][0]] + seed / 100
        return {"value": value, "error": 0.02, "resampled": "images", "count": 7, "split": "test", "extractor": None}

    table = Experiment(
        "A table", "Paper 1", grid({"A": "a", "B": "b"}, {"natural": Measure("counted", counted)}),
        {("A", "natural"): 0.9},
        (
            Order("A above B", ("A", "natural"), ("B", "natural")),
            Order("B above A", ("B", "natural"), ("A", "natural")),
            Order("A above A", ("A", "natural"), ("A", "natural")),
        ),
        "toy",
    )  # fmt: skip
    monkeypatch.setitem(EXPERIMENTS, "toy", table)
    for name in "ab":
        monkeypatch.setitem(RECIPES, name, {"evidence": ROW})
    return seen


def run(**changes):
    *told, table = reproduce(Studio(choose("cpu")), ReproduceRequest("toy", **changes))
    return told, table


@pytest.fixture
def probed(toy, monkeypatch):
    """The same table, of a linear probe that reads an encoder `e`, whose cell changes the encoder's rate."""
    encoder = replace(
        ROW, kind="encoder", net="encoder", net_args={"width": 4, "projection": (8, 4)}, objective="contrastive",
        objective_args={"views": "colour"}, attack_steps=0,
    )  # fmt: skip
    monkeypatch.setitem(RECIPES, "e", {"evidence": encoder})
    monkeypatch.setitem(RECIPES, "a", {"evidence": replace(ROW, objective="standard", attack_steps=0, encoder="e")})
    cell = Cell("a", next(iter(EXPERIMENTS["toy"].cells.values())).measure, encoder=(("lr", "0.5"),))
    monkeypatch.setitem(EXPERIMENTS, "toy", replace(EXPERIMENTS["toy"], cells={("A", "natural"): cell}, orders=()))
    return toy


def test_a_linear_probe_gets_the_changed_encoder_of_its_own_seed_first(probed):
    _, table = run(seeds=2)
    assert table["rows"][0]["seeds"] == 2 and probed == ["evidence/a-0-0.5", "evidence/a-1-0.5"]
    for seed in "01":
        below, card = store.read_card(f"evidence/e-{seed}-0.5"), store.read_card(f"evidence/a-{seed}-0.5")
        assert (below.kind, below.recipe_args["lr"], below.seed) == ("encoder", 0.5, int(seed))
        assert card.kind == "classifier" and card.recipe_args["encoder"] == below.name and below.sha256[:12] in card.notes
        net, trained = store.load(card.name)[0], store.load(below.name)[0]
        assert all(torch.equal(a, b) for a, b in zip(net[:-1].parameters(), trained.trunk.parameters(), strict=True))


def test_an_interrupted_run_that_the_recipe_has_left_behind_begins_anew(toy, monkeypatch):
    long = TrainRequest("a", "evidence", "evidence/a-0", 0, {"steps": 50})
    running = train(Studio(choose("cpu")), long)
    next(running), running.close()
    assert states.path("evidence/a-0").is_file()
    _, table = run(seeds=1)
    assert table["rows"][0]["ours"] == 0.5 and not states.path("evidence/a-0").is_file()
    assert store.read_card("evidence/a-0").steps == 3


def test_a_table_trains_what_is_missing_tells_both_numbers_and_is_written(toy):
    told, table = run(seeds=2)
    assert [(step.done, step.of) for step in told] == [(i, 4) for i in range(4)]
    assert str(told[0]) == "A, natural, seed 0: 0 of 4"
    a, b = table["rows"]
    assert (a["name"], a["column"], a["paper"], a["ours"], a["seeds"], a["count"]) == ("A", "natural", 0.9, 0.505, 2, 7)
    assert a["deviation"] == pytest.approx(0.0071, abs=1e-4) and a["scale"] == "evidence" and a["error"] == 0.02
    assert a["spread"] == pytest.approx((0.0071**2 + 0.02**2) ** 0.5, rel=1e-2) and a["values"] == [0.5, 0.51]
    assert b["paper"] is None and "no number" in b["note"] and "no number" not in a["note"]
    assert [o["holds"] for o in table["orders"]] == [True, False, None] and table["orders"][0]["by"] == pytest.approx(0.25)
    assert {o["seeds"] for o in table["orders"]} == {min(row["seeds"] for row in table["rows"])}
    assert table["command"] == "python -m cemviz reproduce toy --seeds 2 --scale evidence" and results()["toy"] == table
    assert sorted(p.stem for p in (store.folder() / "evidence").glob("*.json")) == ["a-0", "a-1", "b-0", "b-1"]
    assert "a-0" not in store.cards(), "models of the tables stay out of the menus"


def test_what_is_measured_is_not_measured_again_and_more_seeds_go_on(toy):
    run(seeds=1)
    assert sorted(toy) == ["evidence/a-0", "evidence/b-0"]
    run(seeds=2)
    assert sorted(toy) == ["evidence/a-0", "evidence/a-1", "evidence/b-0", "evidence/b-1"]


def test_a_model_that_was_trained_anew_is_measured_anew(toy):
    run(seeds=1)
    card = store.read_card("evidence/a-0")
    store.write_card(replace(card, metrics={}))
    run(seeds=1)
    assert sorted(toy) == ["evidence/a-0", "evidence/a-0", "evidence/b-0"]


def test_a_number_rests_on_its_judge_and_is_measured_anew_with_another(toy, monkeypatch):
    run(seeds=1)
    now = "first"
    monkeypatch.setattr(engine, "_judge", lambda value: now)
    run(seeds=1), run(seeds=1)
    assert toy.count("evidence/a-0") == 2, "once without a judge, once with the first"
    now = "second"
    run(seeds=1)
    assert toy.count("evidence/a-0") == 3


def test_present_trains_the_first_seed_only_and_takes_others_that_exist(toy):
    run(seeds=1)
    told = TrainRequest("a", "evidence", "evidence/a-1", 1)
    assert [item for item in train(Studio(choose("cpu")), told)]
    _, table = run(seeds=3, present=True)
    assert [row["seeds"] for row in table["rows"]] == [2, 1] and table["rows"][1]["deviation"] is None
    assert table["command"].endswith("--seeds 3 --scale evidence --present")


def test_an_interrupted_table_keeps_what_it_has(toy):
    stream = reproduce(Studio(choose("cpu")), ReproduceRequest("toy", seeds=2))
    while not toy:
        next(stream)
    stream.close()
    assert toy == ["evidence/a-0"] and "toy" not in results()
    run(seeds=2)
    assert toy.count("evidence/a-0") == 1


def test_a_stored_model_is_one_training_that_draws_with_every_seed(toy):
    for name in "ab":
        assert [item for item in train(Studio(choose("cpu")), TrainRequest(name, "evidence", name, 0))]
    _, table = run(seeds=3, shipped=True)
    a, b = table["rows"]
    assert (a["seeds"], a["draws"], a["values"]) == (1, 3, [0.5, 0.51, 0.52]) and a["scale"] == b["scale"] == "shipped"
    assert a["spread"] == pytest.approx((0.01**2 + 0.02**2) ** 0.5, rel=1e-3)
    assert table["orders"][0]["holds"] and (table["orders"][0]["seeds"], table["orders"][0]["draws"]) == (1, 3)
    assert toy == ["a", "b"] * 3 and table["command"].endswith("reproduce toy --shipped --seeds 3")
    assert not store.read_card("a").metrics, "the card of a stored model tells nothing of tables"


def test_what_no_seed_changes_is_measured_once_on_a_stored_model(toy, monkeypatch):
    assert [item for item in train(Studio(choose("cpu")), TrainRequest("a", "evidence", "a", 0))]
    once = replace(EXPERIMENTS["toy"].cells[("A", "natural")].measure, seeded=False)
    cells = {("A", "natural"): Cell("a", once)}
    monkeypatch.setitem(EXPERIMENTS, "toy", replace(EXPERIMENTS["toy"], cells=cells, orders=()))
    _, table = run(seeds=3, shipped=True)
    assert toy == ["a"] and (table["rows"][0]["seeds"], table["rows"][0]["draws"]) == (1, 1)


def test_a_number_is_kept_under_its_seed(toy):
    measure = EXPERIMENTS["toy"].cells[("A", "natural")].measure
    assert measure.kept_under(0) != measure.kept_under(1) and replace(measure, seeded=False).kept_under(1) == measure.key
    run(seeds=2)
    for seed in (0, 1):
        assert list(store.read_card(f"evidence/a-{seed}").metrics) == [measure.kept_under(seed)]


@pytest.mark.parametrize("seed", [0, 4])
@pytest.mark.parametrize(
    ("metric", "last", "error"),
    [
        ("is", {"spread": 0.3, "splits": 9}, 0.1),
        ("is", {"spread": 0.0, "splits": 1}, None),
        ("fid", {"spread": 0.2}, 0.2),
        ("jfs", {"spread": 0.5}, 0.5),
        ("robust", {"spread": 0.01}, 0.01),
    ],
)
def test_the_seed_goes_into_draws_and_attacks_the_error_into_the_number(monkeypatch, metric, last, error, seed):
    asked = []

    def evaluated(studio, request):
        asked.append(request)
        yield {"value": 0.5, "count": 9, "split": "test", "extractor": None, "seed": request.seed, "warnings": ["w"]} | last

    monkeypatch.setattr(measures, "evaluate", evaluated)
    found = measures.evaluated(metric, count=9).run("m", choose("cpu"), None, seed)
    assert (asked[0].seed, asked[0].count, asked[0].metric) == (seed, 9, metric)
    assert found["error"] == (error and pytest.approx(error)) and found["seed"] == seed and found["note"] == "w"


def test_the_error_of_a_score_at_equal_norm_is_its_own(monkeypatch):
    last = {"value": 8.0, "spread": 1.0, "equal_norm": 0.25, "equal_norm_spread": 0.01, "warnings": []}
    monkeypatch.setattr(measures, "evaluate", lambda studio, request: iter([last]))
    found = measures.evaluated("jfs", equal_norm=True).run("m", choose("cpu"), None, 0)
    assert (found["value"], found["error"]) == (0.25, 0.01)


def test_real_images_differ_from_those_compared_with_and_follow_the_seed(monkeypatch):
    pixels = torch.arange(60).view(60, 1, 1, 1).expand(60, 3, 1, 1).byte()
    test = images.Images("toy", "test", pixels, torch.zeros(60).long(), ("a",))
    seen = []

    class Eye:
        name = "judge-x"
        logits = torch.nn.Linear(3, 3)

        def __call__(self, x):
            seen.append((x[:, 0, 0, 0] * 255).round().int().tolist())
            return x.flatten(1).double() * 255

    monkeypatch.setattr(store, "read_card", lambda name: type("Card", (), {"data": "toy"}))
    monkeypatch.setattr(images, "load", lambda *given, **more: test)
    monkeypatch.setattr(measures, "_eye", lambda *given: Eye())
    fid = measures.real_images("fid", 25)
    first, again, other = (fid.run("m", choose("cpu"), None, seed) for seed in (0, 0, 1))
    assert first == again and first["value"] != other["value"] and first["error"] > 0 and first["count"] == 25
    assert min(seen[0]) >= 25 > max(seen[1]) and len(set(seen[0])) == 25, "no image is compared with itself"
    seen.clear()
    elsewhere = measures.real_images("fid", 25, split="validation")
    assert elsewhere.run("m", choose("cpu"), None, 1)["split"] == "validation" and elsewhere.key != fid.key
    assert set(seen[0]).isdisjoint(seen[1]) and set(seen[1]) != set(range(25)), "its first images may be of one class"
    assert measures.real_images("is", 25).run("m", choose("cpu"), None, 0)["resampled"] == "splits"
    with pytest.raises(BadInput, match="count is 59, and toy has 60 test images"):
        measures.real_images("fid", 59).run("m", choose("cpu"), None, 0)


@pytest.fixture
def half_stored(toy, monkeypatch):
    """The table with a row that rests on a stored model beside one that wants training."""
    measure = next(iter(EXPERIMENTS["toy"].cells.values())).measure
    assert [item for item in train(Studio(choose("cpu")), TrainRequest("b", "evidence", "b", 0))]
    cells = {("A", "natural"): Cell("a", measure), ("B", "natural"): Cell("b", measure, "shipped")}
    monkeypatch.setitem(EXPERIMENTS, "toy", replace(EXPERIMENTS["toy"], cells=cells))
    return toy


def test_keep_measures_stored_models_alone_and_keeps_the_other_rows(half_stored):
    _, before = run(seeds=1)
    half_stored.clear()
    _, after = run(seeds=3, keep=True)
    assert half_stored == ["b"] * 3 and after["rows"][0] == before["rows"][0] and after["rows"][1]["draws"] == 3
    assert after["command"].split(" && ")[0] == before["command"] and after["command"].endswith(" --keep")
    _, again = run(seeds=3, keep=True)
    assert again["command"] == after["command"]


def test_keep_without_a_table_trains_nothing_and_says_what_is_not_measured(half_stored):
    _, table = run(seeds=1, keep=True)
    row, orders = table["rows"][0], table["orders"]
    assert row["ours"] is None and "not measured yet" in row["note"] and half_stored == ["b"]
    assert [order["holds"] for order in orders] == [None] * 3 and orders[0]["by"] is None
    text = "\n".join(as_text(table))
    assert "undecided: A above B (not measured, no spread)" in text and "ours -" in text


def test_a_judge_that_is_not_here_leaves_its_row_empty_and_says_so(half_stored, monkeypatch):
    def unseen(model, device, data, seed):
        raise BadInput("extractor", "there is no judge 'x'; train it with: y")

    cells = EXPERIMENTS["toy"].cells
    blind = {("A", "natural"): replace(cells["A", "natural"], measure=Measure("blind", unseen))}
    monkeypatch.setitem(EXPERIMENTS, "toy", replace(EXPERIMENTS["toy"], cells=cells | blind))
    _, table = run(seeds=1)
    assert table["rows"][0]["ours"] is None and "there is no judge 'x'; train it with: y" in table["rows"][0]["note"]
    assert engine.revised("toy", table) == table
    monkeypatch.setitem(EXPERIMENTS, "toy", replace(EXPERIMENTS["toy"], cells=blind, orders=()))
    with pytest.raises(BadInput, match="no row of toy could be measured: there is no judge"):
        run(seeds=1)


def test_a_table_that_is_read_again_is_the_one_that_was_written(toy):
    """The spread is that of the parts as they are written: of whole ones it is 0.54474 here, of rounded ones 0.54475."""
    values = [{"value": value, "error": 0.388616, "resampled": "images", "count": 7} for value in (1.762, 1.002, 1.445)]
    row = rows.measured(("A", "natural"), EXPERIMENTS["toy"], values, "evidence")
    assert rows.kept(("A", "natural"), EXPERIMENTS["toy"], row) == row


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_none(toy, bad):
    values = [{"value": 0.5, "count": 7}, {"value": bad, "count": 7}]
    row = rows.measured(("A", "natural"), EXPERIMENTS["toy"], values, "evidence")
    assert row["ours"] is None and "no finite number" in row["note"]


def earlier(ours, spread, seeds, **more):
    """A row as tables had it before seeds went into draws."""
    told = {"name": "A", "column": "natural", "paper": None, "ours": ours, "spread": spread, "seeds": seeds, "count": 100}
    return told | {"split": "test", "extractor": None, "scale": "evidence", "note": "the paper gives no number here"} | more


def revised(*table, **changes):
    cells = {place: replace(cell, **changes) for place, cell in EXPERIMENTS["toy"].cells.items()}
    EXPERIMENTS["toy"] = replace(EXPERIMENTS["toy"], cells=cells)
    first = engine.revised("toy", {"rows": list(table)})
    assert engine.revised("toy", first) == first
    return first


def test_a_table_of_earlier_is_judged_anew_and_says_what_it_rests_on(toy):
    table = revised(earlier(0.9, None, 1), earlier(0.5, 0.01, 3, name="B"))
    a, b = table["rows"]
    assert (a["ours"], a["spread"], b["spread"], a["paper"]) == (0.9, None, 0.01, 0.9) and rows.EARLIER in a["note"]
    assert table["orders"][0]["holds"] is None and table["title"] == "A table"


def test_a_share_of_earlier_gets_the_error_of_its_images(toy):
    rate = Measure("share", None, rate=True, seeded=False)
    table = revised(earlier(0.9, None, 1), earlier(0.5, 0.3, 3, name="B"), measure=rate)
    a, b = table["rows"]
    assert a["spread"] == pytest.approx(0.03, rel=0.1) and b["spread"] == pytest.approx(0.3041, rel=1e-2)
    assert rows.EARLIER not in a["note"] and table["orders"][0]["holds"] is None


def test_a_place_that_is_measured_otherwise_now_keeps_no_number(toy):
    table = revised(earlier(0.9, None, 1), earlier(0.5, 0.1, 3, name="B"))
    EXPERIMENTS["toy"] = replace(EXPERIMENTS["toy"], cells=grid({"A": "a"}, {"natural": Measure("another", None)}), orders=())
    again = engine.revised("toy", table)["rows"]
    assert [row["ours"] for row in again] == [None] and "not measured yet" in again[0]["note"]


def test_seeds_of_draws_that_have_no_common_number_are_told(toy):
    wild = revised(earlier(81.0, 134.0, 3, extractor="judge-x"))["rows"][0]
    assert "one seed or more has failed" in wild["note"]
    for calm in (earlier(81.0, 13.0, 3, extractor="judge-x"), earlier(0.003, 0.005, 3), earlier(-40.0, 27.0, 3)):
        assert "failed" not in revised(calm)["rows"][0]["note"]
    values = [{"value": value, "count": 9, "extractor": "judge-x"} for value in (3.5, 4.0, 236.0)]
    assert "(3.5, 4, 236)" in rows.measured(("A", "natural"), EXPERIMENTS["toy"], values, "evidence")["note"]


def test_one_seed_of_draws_for_all_scatters_at_least_as_real_images_do():
    real = {"name": "real images", "column": "FID", "error": 0.4, "extractor": "j", "count": 500, "resampled": "jackknife"}
    real |= {"deviation": None}

    def complete(**changes):
        row = {"name": "A", "column": "FID", "deviation": 0.3, "error": None, "resampled": None, "spread": 0.3}
        row |= {"extractor": "j", "count": 500} | changes
        return rows.completed([row, real])[0]

    assert complete()["spread"] == 0.5 and complete()["resampled"] == "real images"
    assert complete(**{k: v for k, v in complete().items() if k != "name"})["spread"] == 0.5
    for other in ({"extractor": "i"}, {"count": 100}, {"column": "IS"}, {"deviation": None}, {"resampled": "jackknife"}):
        assert complete(**other)["spread"] == 0.3


def test_bad_requests_name_the_value():
    with pytest.raises(BadInput, match=r"nonsense.*cem-3"):
        list(reproduce(Studio(choose("cpu")), ReproduceRequest("nonsense")))
    with pytest.raises(BadInput, match=r"0.*1 to 20"):
        list(reproduce(Studio(choose("cpu")), ReproduceRequest("cem-3", seeds=0)))


def test_equal_measures_share_a_key_and_different_ones_do_not():
    keys = [cell.measure.key for it in EXPERIMENTS.values() for cell in it.cells.values()]
    same = experiments.cem.CEM_3.cells[("AT", "robust")].measure.key
    assert same == experiments.jeat.JEAT_3.cells[("AT", "robust")].measure.key and keys.count(same) > 2
    assert measures.evaluated("jfs").key != measures.evaluated("jfs", equal_norm=True).key
    assert len({experiments.jeat.attacked(a, r).key for a in ("pgd", "energy") for r in (0.1, 0.2)}) == 4


@pytest.mark.parametrize("target", EXPERIMENTS)
def test_a_row_of_the_table_is_whole(target):
    it = EXPERIMENTS[target]
    assert it.title and it.source and it.about and it.cells
    assert set(it.paper) <= set(it.cells)
    for order in it.orders:
        assert {side for side in (order.over, order.under) if not isinstance(side, float)} <= set(it.cells)
        assert not {"not", "least", "most", "far"} & set(order.claim.split()), "a claim has the paper's own relation"
    for cell in it.cells.values():
        assert cell.recipe in RECIPES and isinstance(cell, Cell)


def test_curves_of_training_are_read_from_the_run(places):
    probes = [{"step": k, "delta_theta": {"marginal": [v, 0.1]}} for k, v in ((1, -0.5), (2, 0.25), (3, 0.5))]
    store.write_json(store.folder() / "history" / "m.json", {"probes": probes})
    found = {
        what: measures.over_training("delta_theta", "marginal", what).run("m", None, None, 0)["value"]
        for what in ("lowest", "highest", "mean", "positive")
    }
    assert found == {"lowest": -0.5, "highest": 0.5, "mean": pytest.approx(0.0833, abs=1e-3), "positive": pytest.approx(2 / 3)}


def test_a_table_on_screen_shows_both_numbers_the_spread_and_the_failures(toy):
    _, table = run(seeds=2)
    html = table_html(table)
    assert "90.0 %" in html and "50.5 %" in html and "± 2.1 %" in html and html.count("does not hold") == 1
    assert "<td>2</td>" in html and "7 images" in html and "<span>reproduce</span> <span>toy</span>" in html
    table["rows"][0]["name"] = "<script>"
    assert "<script>" not in table_html(table)
    assert figure(None, "FID") == "–" and figure(12.3456, "FID") == "12.35"


def test_a_table_in_the_terminal_tells_what_does_not_hold(toy):
    text = "\n".join(as_text(run(seeds=1)[1]))
    assert "DOES NOT HOLD: B above A" in text and "holds: A above B" in text and "1 training" in text
    assert text.index("DOES NOT HOLD") < text.index("undecided: A above A (by 0, ± 0.028)"), "decided claims come first"
