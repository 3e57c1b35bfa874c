"""The robustness tab: rows to tables and curves, the handlers without a browser, and the stories that wait for their models."""

import json
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
import rates
from rates import save
from stripes import elsewhere
from tabs import first_view, page

from cemviz.backend import assets
from cemviz.backend.attacked import Attacked, Example, Seen
from cemviz.backend.device import choose
from cemviz.backend.presets import LANDSCAPE, SAMPLE, lacking, models, playable
from cemviz.backend.requests import NORMS, RobustnessRequest
from cemviz.backend.robustness import COLUMNS, Rates
from cemviz.backend.studio import Studio
from cemviz.ui import tab_robustness, words_robustness
from cemviz.ui.controls import Session
from cemviz.ui.landscape import tab as tab_landscape
from cemviz.ui.plots_robustness import curves, styles
from cemviz.ui.sampling import tab as tab_sampling

SHARES = {"none": 0.99, "pgd": 0.5}
ROW = Rates("net-a", "abc", "l2", 2.0, ("l2", 2.0), 10, SHARES, ((0.0, 0.99), (2.0, 0.5), (4.0, 0.1)), (), 100, 3, True)
OTHER = replace(ROW, model="net-b", norm="linf", radius=0.2, own=("linf", 0.2), curve=((0.0, 0.9), (0.2, 0.4)))


@pytest.fixture
def studio(places, monkeypatch):
    return rates.equipped(monkeypatch)


@pytest.fixture
def alone(studio, monkeypatch):
    studio.test_images("stripes")  # read before the set is gone: a test may want both machines
    return elsewhere(monkeypatch)


def example(fooled: bool = True, change: float = 0.1) -> Example:
    before, after = Seen(-9.0, -10.0, "7", 0.37), Seen(-4.0, -11.0, "2" if fooled else "7", 0.01)
    return Example("7", np.zeros((2, 2, 1), np.uint8), np.ones((2, 2, 1), np.uint8), np.full((2, 2, 1), change, np.float32),
                   before, after)  # fmt: skip


# ------------------------------------------------------------------------------------------------- words and figures


def test_the_table_groups_rows_by_threat_model_and_gives_standard_errors():
    told = words_robustness.table([ROW, OTHER], styles(["net-a", "net-b"]))
    assert told.count("cem-group") == 2 and told.index("L2, ε = 2") < told.index("net-a") < told.index("L∞, ε = 0.2")
    assert "50.0 <small>± 5.0" in told and "99.0 <small>± 1.0" in told
    assert "No attack" in told and "PGD-20" in told and "Auto-PGD" not in told  # columns that nobody measured are left out


def test_the_caption_says_what_does_not_compare():
    one = words_robustness.caption([ROW], "mnist", "CPU")
    two = words_robustness.caption([ROW, OTHER], "mnist", "CPU")
    assert "2 threat models" in two and "within one" in two and "threat models stand here" not in one
    assert "First 100 images of the test split of mnist, seed 3" in one and "shipped numbers" in one and "PGD-20 20" in one
    assert "measured here on CPU" in words_robustness.caption([replace(ROW, ready=False)], "mnist", "CPU")
    assert "**net-a**: odd." in words_robustness.caption([replace(ROW, faults=("odd",))], "mnist", "CPU")


def test_a_net_outside_its_own_threat_model_is_marked():
    moved = replace(ROW, own=("linf", 0.2))
    assert "its own: L∞, ε = 0.2" in words_robustness.table([moved], styles(["net-a"]))
    assert "outside the threat model" in words_robustness.caption([moved], "mnist", "CPU")


def test_names_of_models_are_escaped():
    bad = replace(ROW, model="<img>")
    assert "<img>" not in words_robustness.table([bad], styles(["<img>"]))


def test_the_curve_shows_chance_the_threat_model_and_errors():
    graph_objects = pytest.importorskip("plotly.graph_objects")
    figure = json.loads(curves([ROW, replace(ROW, model="net-b")], styles(["net-a", "net-b"])))
    graph_objects.Figure(figure)  # raises on a wrong property
    first, second = figure["data"]
    assert first["x"] == [0.0, 2.0, 4.0] and first["y"] == pytest.approx([99, 50, 10])
    assert first["error_y"]["array"][1] == pytest.approx(5.0)
    assert (first["line"]["color"], first["marker"]["symbol"]) != (second["line"]["color"], second["marker"]["symbol"])
    chance, edge = figure["layout"]["shapes"]
    assert chance["y0"] == chance["y1"] == 10 and edge["x0"] == edge["x1"] == 2.0
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["chance 10 %", "threat model ε = 2"]


def test_twelve_models_look_different():
    looks = styles(f"m{k}" for k in range(12))
    assert len({(look.colour, look.dash) for look in looks.values()}) == 12


def test_effects_are_means_and_tell_the_climbs_apart():
    pgd = Attacked("pgd", "l2", 1.0, "test images", (example(), example(False)))
    told = words_robustness.effects([pgd, replace(pgd, attack="energy")], "energy")
    assert told.count("cem-chosen") == 1 and told.index("cem-chosen") < told.index("Energy attack")
    assert "<td>+5.0</td><td>−1.0</td><td>+6.0</td><td>1 of 2</td>" in told
    assert "climbs E(x, y) − E(x)<" in told and "climbs E(x, y)<" in told


def test_a_card_tells_both_energies_and_the_verdict():
    told = words_robustness.grid(Attacked("pgd", "l2", 1.0, "", (example(),)), 5)
    assert told.count("<img") == 3 and "7 before the attack" in told and "change × 5" in told
    assert "<td>−9.0</td><td>−4.0</td><td>+5.0</td>" in told and "<td>−10.0</td><td>−11.0</td><td>−1.0</td>" in told
    assert "seen as 7, then as <b>2</b>" in told and "cem-fooled" in told


# --------------------------------------------------------------------------------------------------------- handlers


def test_the_first_view_needs_no_images(studio, alone):
    rates.measured(studio)
    _, tab = page(tab_robustness, alone)
    steps = first_view(tab, Session(), **{"r.models": ["stripes-standard", "stripes-at"]})
    assert "stripes-at" in steps[0]["rob-rates"] and "shipped numbers" in steps[0]["rob-caption"]
    for name in NORMS:
        assert json.loads(steps[0][f"rob-plot-{name}"])["data"][0]["type"] == "scatter"
    assert steps[-1]["rob-grid"].count("<article") == 6 and "not real ones" in steps[-1]["rob-reading"]
    assert all(title in steps[-1]["rob-effects"] for name, title in COLUMNS.items() if name != "none")


def test_without_shipped_rates_it_says_how_to_get_them(studio):
    _, tab = page(tab_robustness, studio)
    steps = first_view(tab, Session())
    assert "Not measured yet" in steps[0]["rob-status"] and "--only robustness" in steps[0]["rob-status"]
    assert steps[0]["rob-rates"] == "" and "<article" in steps[-1]["rob-grid"]  # the images are there all the same


def test_an_address_that_asks_for_measured_numbers_measures_them(studio):
    _, tab = page(tab_robustness, studio)
    asked = {"r.from": "here", "r.models": ["stripes-at"], "r.count": 10, "r.attacks": ["fgsm"], "r.curve": False}
    steps = first_view(tab, Session(), **asked)
    shown = [step for step in steps if step.get("rob-rates")]
    assert len(shown) == 1 and "measured here" in shown[0]["rob-caption"] and "First 10 images" in shown[0]["rob-caption"]
    assert any("FGSM: 1 of 1 parts" in step.get("rob-status", "") for step in steps) and steps[-1]["rob-status"] == ""


def test_stop_keeps_the_models_that_are_done(studio):
    held = Session()
    request = RobustnessRequest(("stripes-standard", "stripes-at"), ("fgsm",), count=30, curve=False)
    items = tab_robustness.measure(studio, held, request)
    shown = [next(items) for _ in range(4)]  # three parts of the first model, and its row
    assert [row.model for row in shown[-1]] == ["stripes-standard"]
    held.stops["robustness"].set()
    rest = list(items)
    assert len(rest) == 1 and rest[0].startswith("Stopped after 3 of 6") and not studio.jobs._line


def test_another_attack_or_factor_is_drawn_without_computing(studio, monkeypatch):
    blocks, tab = page(tab_robustness, studio)
    held = Session()
    steps = first_view(tab, held)
    monkeypatch.setattr(Studio, "model", lambda *a: pytest.fail("a model was asked"))
    (redraw,) = {fn.fn for fn in blocks.fns.values() if fn.inputs[1:] == [tab.params["r.attack"], tab.params["r.times"]]}
    changed = {k.elem_id: v for k, v in redraw(held, "energy", 50).items()}
    assert "Energy attack" in changed["rob-reading"] and "Difference × 50" in changed["rob-reading"]
    assert changed["rob-grid"] != steps[-1]["rob-grid"]


def test_an_attack_chosen_while_the_first_ones_run_is_the_one_that_stays(studio):
    blocks, tab = page(tab_robustness, studio)
    held = Session()
    function, inputs, _ = tab.draw
    names = {id(component): name for name, component in tab.params.items()}
    running = function(held, *({"r.attack": "fgsm"}.get(names[id(c)], c.value) for c in inputs[1:]))
    early = next(step for step in running if any(getattr(k, "elem_id", "") == "rob-grid" for k in step))  # FGSM is done
    (redraw,) = {fn.fn for fn in blocks.fns.values() if fn.inputs[1:] == [tab.params["r.attack"], tab.params["r.times"]]}
    redraw(held, "energy", 0)
    *_, last = running
    told = [{k.elem_id: v for k, v in step.items()}["rob-reading"] for step in (early, last)]
    assert told[0].startswith("FGSM") and told[1].startswith("Energy attack")


def test_models_follow_the_last_chosen_data_set(studio):
    save("mnist-a", 1, data="mnist")
    save("mnist-b", 2, data="mnist")
    assert tab_robustness.follow(studio, ["stripes-at", "mnist-a"]) == ["mnist-a", "mnist-b"]
    assert tab_robustness.follow(studio, ["stripes-at", "stripes-standard"]) == ["stripes-at", "stripes-standard"]
    assert tab_robustness.follow(studio, []) == []


def test_it_begins_with_the_threat_model_that_most_nets_share(studio):
    save("stripes-more", 3, norm="linf", radius=0.05)
    assert words_robustness.pair(studio.cards(), "stripes") == ["stripes-at", "stripes-more"]
    assert words_robustness.pair(studio.cards(), "moons") == []


def test_errors_reach_the_visitor(studio):
    _, tab = page(tab_robustness, studio)
    with pytest.raises(gr.Error, match="count is 5; give a whole number from 10 to 2000"):
        first_view(tab, Session(), **{"r.from": "here", "r.count": 5})
    with pytest.raises(gr.Error, match="test images is empty"):
        first_view(tab, Session(), **{"r.from": "here", "r.count": None})
    assert "first is 99" in first_view(tab, Session(), **{"r.first": 99})[-1]["rob-reading"]


def test_a_page_without_models_says_so(places):
    _, tab = page(tab_robustness, Studio(choose("cpu")))
    assert "Train one" in first_view(tab, Session())[0]["rob-status"]


def test_every_control_is_interactive_and_every_endpoint_private(studio):
    blocks, tab = page(tab_robustness, studio)
    assert all(component.interactive for component in tab.params.values())
    assert all(name.startswith("r.") for name in tab.params)
    assert all(component.elem_id.startswith("rob-") for component in tab.params.values())
    assert not [fn.name for fn in blocks.fns.values() if fn.api_visibility != "private"]
    save("late", 7)
    assert all("late" in choices() for choices in tab.menus.values())


# ---------------------------------------------------------------------------------------------------------- stories


@pytest.mark.parametrize("table", [SAMPLE, LANDSCAPE], ids=["sample", "landscape"])
def test_a_story_is_offered_when_all_its_models_are_there(table):
    assert playable(table, []) == {}
    for key, preset in table.items():
        needed = models(preset)
        assert key in playable(table, needed) and not lacking({key: preset}, needed)
        fewer = set(needed) - {needed[-1]}
        assert key not in playable(table, fewer)
        (told,) = lacking({key: preset}, fewer)
        assert f"waits for {needed[-1]}: train with `python -m cemviz train {needed[-1]}`" in told


@pytest.mark.parametrize(
    ("module", "name", "table"), [(tab_sampling, "s.story", SAMPLE), (tab_landscape, "l.story", LANDSCAPE)]
)
def test_menus_leave_out_stories_whose_models_are_not_stored(places, module, name, table):
    tables = {key: models(preset) for key, preset in table.items()}
    with gr.Blocks():
        tab = module.build(gr.State(Session()), Studio(choose("cpu")))
    assert tab.params[name].choices == [] and tab.params[name].value is None
    key, needed = next(iter(tables.items()))
    for seed, model in enumerate(needed):
        save(model, seed, data="mnist")
    offered = [value for _, value in tab.menus[tab.params[name]]()]
    assert offered == [k for k, of in tables.items() if set(of) <= set(needed)] and key in offered


def test_jeat_fig_2_is_four_ways_to_train_one_net():
    preset = LANDSCAPE["jeat-fig-2"]
    assert preset.request.models == ("mnist-standard-linf", "mnist-at-linf", "mnist-prejeat", "mnist-jeat")
    assert preset.request.radius == assets.RADIUS["mnist"] and preset.request.side == assets.SIDE  # precomputed: no images
