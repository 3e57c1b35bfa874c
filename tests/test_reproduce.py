"""Tables of the papers: what is trained and measured once, how orders are judged, and what a table tells."""

import json
from dataclasses import replace

import pytest
import tables
import torch
from tables import ROW, revised, run

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.requests import ReproduceRequest, TrainRequest
from cemviz.backend.stored import files
from cemviz.backend.studio import Studio
from cemviz.backend.tables import EXPERIMENTS, Cell
from cemviz.backend.tables import reproduce as engine
from cemviz.backend.tables.measures import Measure
from cemviz.backend.tables.reproduce import as_text, reproduce, results
from cemviz.backend.train import states
from cemviz.backend.train.run import train
from cemviz.training.recipes import RECIPES
from cemviz.ui.results.words import figure, table_html


@pytest.fixture
def toy(places, monkeypatch):
    return tables.toy(monkeypatch)


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
    steps, table = run(seeds=2)
    assert [(step.done, step.total) for step in steps] == [(i, 4) for i in range(4)]
    assert str(steps[0]) == "A, natural, seed 0: 0 of 4"
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
    asked = TrainRequest("a", "evidence", "evidence/a-1", 1)
    assert [item for item in train(Studio(choose("cpu")), asked)]
    _, table = run(seeds=3, present=True)
    assert [row["seeds"] for row in table["rows"]] == [2, 1] and table["rows"][1]["deviation"] is None
    assert table["command"].endswith("--seeds 3 --scale evidence --present")


def test_a_table_that_is_made_again_is_read_again(toy, monkeypatch):
    monkeypatch.setattr(files, "SETTLED", 0)
    path = engine.results_path("toy")
    path.parent.mkdir(parents=True, exist_ok=True)
    for words in ({"about": "one"}, {"about": "another"}):
        path.write_text(json.dumps(words), encoding="utf-8")
        assert results()["toy"] == words and results()["toy"] is results()["toy"]
    path.unlink()
    assert "toy" not in results()


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


def test_a_stored_model_that_is_trained_again_draws_with_every_seed_each_time(toy, monkeypatch):
    assert [item for item in train(Studio(choose("cpu")), TrainRequest("a", "evidence", "a", 0))]
    monkeypatch.setitem(RECIPES, "a", RECIPES["a"] | {"shipped": RECIPES["a"]["evidence"]})
    cell = EXPERIMENTS["toy"].cells["A", "natural"]
    value = {"a": 0.5, "evidence/a-shipped-1": 0.6}

    def counted(model, device, data, seed):
        toy.append((model, seed))
        return {"value": value[model] + seed / 100, "count": 7, "split": "test", "extractor": None}

    cells = {("A", "natural"): replace(cell, measure=Measure("counted", counted), scale="shipped", again=True)}
    monkeypatch.setitem(EXPERIMENTS, "toy", replace(EXPERIMENTS["toy"], cells=cells, orders=()))
    _, table = run(seeds=2)
    (row,) = table["rows"]
    assert toy == [("a", 0), ("a", 1), ("evidence/a-shipped-1", 0), ("evidence/a-shipped-1", 1)]
    assert row["values"] == [0.505, 0.605] and (row["seeds"], row["draws"]) == (2, 2) and row["ours"] == 0.555
    assert row["deviation"] == pytest.approx(0.0707, abs=1e-4) and "each training drew with 2 seeds" in row["note"]
    assert revised("toy", table) == table
    toy.clear()
    assert run(seeds=2, shipped=True)[1]["rows"][0]["values"] == [0.505] and toy == [("a", 0), ("a", 1)]


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
    assert revised("toy", table) == table
    monkeypatch.setitem(EXPERIMENTS, "toy", replace(EXPERIMENTS["toy"], cells=blind, orders=()))
    with pytest.raises(BadInput, match="no row of toy could be measured: there is no judge"):
        run(seeds=1)


def test_bad_requests_name_the_value():
    with pytest.raises(BadInput, match=r"nonsense.*cem-3"):
        list(reproduce(Studio(choose("cpu")), ReproduceRequest("nonsense")))
    with pytest.raises(BadInput, match=r"0.*1 to 20"):
        list(reproduce(Studio(choose("cpu")), ReproduceRequest("cem-3", seeds=0)))


@pytest.mark.parametrize("target", EXPERIMENTS)
def test_a_row_of_the_table_is_whole(target):
    experiment = EXPERIMENTS[target]
    assert experiment.title and experiment.source and experiment.about and experiment.cells
    assert set(experiment.paper) <= set(experiment.cells)
    for order in experiment.orders:
        assert {side for side in (order.over, order.under) if not isinstance(side, float)} <= set(experiment.cells)
        assert not {"not", "least", "most", "far"} & set(order.claim.split()), "a claim has the paper's own relation"
    for cell in experiment.cells.values():
        assert cell.recipe in RECIPES and isinstance(cell, Cell)


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
