"""Tables of the papers: what is trained and measured once, how orders are judged, and what a table tells."""

from dataclasses import replace

import pytest
import torch

from cemviz.backend import experiments, measures, states, store
from cemviz.backend import reproduce as engine
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.experiments import EXPERIMENTS, Cell, Experiment, Order
from cemviz.backend.experiments.table import grid
from cemviz.backend.measures import Measure
from cemviz.backend.provenance import TrainRequest
from cemviz.backend.reproduce import ReproduceRequest, as_text, reproduce, results
from cemviz.backend.train import train
from cemviz.training.recipes import RECIPES, recipe
from cemviz.ui.words_results import figure, table_html

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
    *told, table = reproduce(ReproduceRequest("toy", **changes), choose("cpu"))
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


def test_a_linear_probe_gets_the_encoder_of_its_own_seed_and_changes_trained_first(probed):
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
    running = train(long, choose("cpu"))
    next(running), running.close()
    assert states.path("evidence/a-0").is_file()
    _, table = run(seeds=1)
    assert table["rows"][0]["ours"] == 0.5 and not states.path("evidence/a-0").is_file()
    assert store.read_card("evidence/a-0").steps == 3


def test_a_table_trains_what_is_missing_tells_both_numbers_and_is_written(toy):
    _, table = run(seeds=2)
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


def test_with_present_only_the_first_seed_is_trained_and_more_are_taken_where_they_are(toy):
    run(seeds=1)
    told = TrainRequest("a", "evidence", "evidence/a-1", 1)
    assert [item for item in train(told, choose("cpu"))]
    _, table = run(seeds=3, present=True)
    assert [row["seeds"] for row in table["rows"]] == [2, 1] and table["rows"][1]["deviation"] is None
    assert table["command"].endswith("--seeds 3 --scale evidence --present")


def test_an_interrupted_table_keeps_what_it_has(toy):
    stream = reproduce(ReproduceRequest("toy", seeds=2), choose("cpu"))
    while not toy:
        next(stream)
    stream.close()
    assert toy == ["evidence/a-0"] and "toy" not in results()
    run(seeds=2)
    assert toy.count("evidence/a-0") == 1


def test_bad_requests_name_the_value():
    with pytest.raises(BadInput, match=r"nonsense.*cem-3"):
        list(reproduce(ReproduceRequest("nonsense"), choose("cpu")))
    with pytest.raises(BadInput, match=r"0.*1 to 20"):
        list(reproduce(ReproduceRequest("cem-3", seeds=0), choose("cpu")))


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
