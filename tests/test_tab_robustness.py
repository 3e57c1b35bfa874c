"""The robustness tab: rows to tables and curves, the handlers without a browser, and the stories that wait for their models."""

import html
import json
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
import rates
from rates import save
from stripes import card, elsewhere
from tabs import first_view, page

from cemviz.attacks import ATTACKS
from cemviz.backend import script, store
from cemviz.backend.attack.examples import Answer, Attacked, Example
from cemviz.backend.attack.rates import COLUMNS, Rates
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.presets import LANDSCAPE, SAMPLE, lacking, models, playable
from cemviz.backend.requests import AttackedRequest, RobustnessRequest
from cemviz.backend.stored import assets
from cemviz.backend.studio import Studio
from cemviz.data.datasets import DATASETS
from cemviz.ui import selection
from cemviz.ui.controls import Session
from cemviz.ui.landscape import tab as tab_landscape
from cemviz.ui.nets import about
from cemviz.ui.robustness import handlers as do
from cemviz.ui.robustness import tab as tab_robustness
from cemviz.ui.robustness import words
from cemviz.ui.robustness.plots import curves, styles
from cemviz.ui.sampling import tab as tab_sampling
from cemviz.ui.wiring import Replaced

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
    before, after = Answer(-9.0, -10.0, "7", 0.37), Answer(-4.0, -11.0, "2" if fooled else "7", 0.01)
    return Example("7", np.zeros((2, 2, 1), np.uint8), np.ones((2, 2, 1), np.uint8), np.full((2, 2, 1), change, np.float32),
                   before, after)  # fmt: skip


ATTACKED = Attacked("pgd", "l2", 1.0, "test images", (example(), example(False)))


# ------------------------------------------------------------------------------------------------- words and figures


def test_the_table_groups_rows_by_threat_model_and_gives_standard_errors():
    told = words.table([ROW, OTHER], styles(["net-a", "net-b"]))
    assert told.count("cem-group") == 2 and told.index("L2, ε = 2") < told.index("net-a") < told.index("L∞, ε = 0.2")
    assert "50.0 <small>± 5.0" in told and "99.0 <small>± 1.0" in told
    assert "No attack" in told and "PGD-20" in told and "Auto-PGD" not in told  # columns that nobody measured are left out


def test_the_caption_says_what_does_not_compare():
    one = words.caption([ROW], "mnist", "CPU")
    two = words.caption([ROW, OTHER], "mnist", "CPU")
    assert "2 threat models" in two and "within one" in two and "threat models stand here" not in one
    assert "First 100 images of the test split of mnist, seed 3" in one and "shipped numbers" in one and "PGD-20 20" in one
    assert "measured here on CPU" in words.caption([replace(ROW, ready=False)], "mnist", "CPU")
    assert "**net-a**: odd." in words.caption([replace(ROW, faults=("odd",))], "mnist", "CPU")


def test_a_net_outside_its_own_threat_model_is_marked():
    moved = replace(ROW, own=("linf", 0.2))
    assert "its own: L∞, ε = 0.2" in words.table([moved], styles(["net-a"]))
    assert "outside the threat model" in words.caption([moved], "mnist", "CPU")


def test_names_of_models_are_escaped():
    bad = replace(ROW, model="<img>")
    assert "<img>" not in words.table([bad], styles(["<img>"]))


def test_what_is_known_of_a_net_stands_behind_its_name():
    measured = {"accuracy": {"value": 0.9912}, "robust": {"value": 0.5, "attack": "apgd", "norm": "linf", "radius": 0.2}}
    net = replace(card("net-a"), title="Stripes, a <b>trained</b> net", metrics=measured)
    line = "net-a, stripes, a <b>trained</b> net, 99.1 % of test images right, 50.0 % under apgd within L∞, ε = 0.2"
    assert about(net) == line and about(replace(net, metrics={})) == line[: line.index(", 99.1")]
    told = words.table([ROW, OTHER], styles(["net-a", "net-b"]), {"net-a": net})
    assert f'<span title="{html.escape(line)}">A &lt;b&gt;trained&lt;/b&gt; net</span>' in told
    assert '<span title="">net-b</span>' in told, "of one that is not stored no words are known"


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
    told = words.effects([ATTACKED, replace(ATTACKED, attack="energy")], "energy")
    assert told.count("cem-chosen") == 1 and told.index("cem-chosen") < told.index("Energy attack")
    assert "<td>+5.0</td><td>−1.0</td><td>+6.0</td><td>1 of 2</td>" in told
    assert "climbs E(x, y) − E(x)<" in told and "climbs E(x, y)<" in told


def test_a_card_tells_both_energies_and_the_verdict():
    told = words.grid(Attacked("pgd", "l2", 1.0, "", (example(),)), 5)
    assert told.count("<img") == 3 and "7 before the attack" in told and "change × 5" in told
    assert "<td>−9.0</td><td>−4.0</td><td>+5.0</td>" in told and "<td>−10.0</td><td>−11.0</td><td>−1.0</td>" in told
    assert "seen as 7, then as <b>2</b>" in told and "cem-fooled" in told


# --------------------------------------------------------------------------------------------------------- handlers


MEASURE = {
    "models": ["stripes-at"], "attacks": ["fgsm"], "norm": "card", "radius": 0.1, "count": 10, "seed": 0, "curve": False,
}  # fmt: skip
LOOK = {
    "attack": "pgd", "factor": 0, "model": "stripes-standard", "source": "gallery", "x": "gallery:0", "y": "none", "first": 0,
    "shown": 6, "ball": "card", "eps": 0.1, "starts": 0,
}  # fmt: skip


def measured(studio: Studio, held: Session | None = None, **changes) -> list[dict]:
    return list(do.measure(studio, held or Session(), **MEASURE | changes))


def looked(studio: Studio, held: Session | None = None, **changes) -> list[dict]:
    return list(do.look(studio, held or Session(), **LOOK | changes))


def opened(studio: Studio, origin: str = "shipped", **changes) -> list[dict]:
    return list(do.first(studio, Session(), origin=origin, **MEASURE | LOOK | changes))


@pytest.mark.slow
def test_the_first_view_needs_no_images(studio, alone):
    rates.measured(studio)
    steps = opened(alone, models=["stripes-standard", "stripes-at"])
    assert "stripes-at" in steps[0]["rates"] and "shipped numbers" in steps[0]["caption"]
    for column, plot in do.PLOTS.values():
        assert json.loads(steps[0][plot])["data"][0]["type"] == "scatter" and steps[0][column]["visible"] is True
    assert steps[-1]["grid"].count("<article") == 6 and "not real ones" in steps[-1]["reading"]
    assert all(title in steps[-1]["effects"] for name, title in COLUMNS.items() if name != "none")


def test_a_net_from_elsewhere_is_measured_beside_a_pair_of_its_data_set(studio):
    store.save(studio.model("stripes-at")[0].state_dict(), replace(card("own~0123456789ab"), origin="foreign"))
    session = Session()
    session.nets = {"own~0123456789ab": True}
    steps = list(do.first(studio, session, origin="shipped", **MEASURE | LOOK | {"model": "own~0123456789ab"}))
    assert steps[0]["models"]["value"] == ["own~0123456789ab", "stripes-standard", "stripes-at"]
    assert "own~0123456789ab" in [name for _, name in steps[0]["models"]["choices"]]
    assert steps[1]["status"].startswith("Not measured yet: own,"), "the net is called by its name alone"
    again = {"model": "own~0123456789ab", "models": ["stripes-at"]}
    steps = list(do.first(studio, session, origin="shipped", **MEASURE | LOOK | again))
    assert not any("models" in step for step in steps), "what was chosen by hand since then stands"
    store.save(studio.model("stripes-at")[0].state_dict(), replace(card("kept"), origin="foreign", data="unknown"))
    assert do.beside(studio, ["stripes-at"], "kept") == ["kept"], "of its data there is no other"
    kept = ["stripes-standard"]
    assert do.beside(studio, kept, "stripes-at") == kept and do.beside(studio, kept, "absent") == kept


@pytest.mark.slow
def test_a_norm_that_nobody_was_measured_in_has_no_plot(studio):
    rates.measured(studio)
    told = do.choose(studio, Session(), origin="shipped", models=["stripes-at"])
    assert told["column-linf"]["visible"] is True and told["column-l2"]["visible"] is False and "plot-l2" not in told


def test_without_shipped_rates_it_says_how_to_get_them(studio):
    steps = opened(studio)
    assert "Not measured yet" in steps[0]["status"] and "--only robustness" in steps[0]["status"]
    assert steps[0]["rates"] == "" and "<article" in steps[-1]["grid"]  # the images are there all the same


def test_an_address_that_asks_for_measured_numbers_measures_them(studio):
    steps = opened(studio, "here")
    shown = [step for step in steps if step.get("rates")]
    assert len(shown) == 1 and "measured here" in shown[0]["caption"] and "First 10 images" in shown[0]["caption"]
    assert any("FGSM: 1 of 1 parts" in step.get("status", "") for step in steps) and steps[-1]["status"] == ""


def test_a_measurement_asks_for_what_the_controls_say(studio, monkeypatch):
    asked = []
    monkeypatch.setattr(do, "robustness", lambda _, request: (asked.append(request) or one for one in [ROW]))
    monkeypatch.setattr(do, "rates_view", lambda *_: {})
    begun = measured(studio, models=["a", "b"], norm="l2", radius=0.7, count=33, seed=5, curve=True)[0]
    assert asked == [RobustnessRequest(("a", "b"), ("fgsm",), "l2", 0.7, 33, 5, True)]
    assert begun["script"] == script.listing(asked[0]) and begun["origin"] == "here" and begun["numbers"]["visible"] is True
    measured(studio, radius=None)
    assert (asked[1].norm, asked[1].radius) == (None, None)  # the card's, whatever the hidden field holds


def test_images_are_those_that_the_controls_ask_for(studio, monkeypatch):
    asked = []
    monkeypatch.setattr(do, "attacked", lambda _, request: (asked.append(request) or one for one in [ATTACKED]))
    looked(studio, y="left", first=2, shown=3, ball="linf", eps=0.03, starts=4, source="test")
    looked(studio, eps=None, y="no class of this net")
    looked(studio, source="picture", x="gallery:2", y="left")
    assert asked[2] == AttackedRequest("stripes-standard", "picture", picture="gallery:2"), "whatever it is of"
    assert asked[0] == AttackedRequest("stripes-standard", "test", "left", 2, 3, "linf", 0.03, 4)
    assert asked[1] == AttackedRequest("stripes-standard")


def test_the_python_of_both_halves_makes_them_again(studio):
    for told in (measured(studio)[0]["script"], looked(studio, shown=2)[-1]["look-script"]):
        names: dict = {}
        exec(told, names)
        assert names["results"][0]
    (told,) = (do.choose(studio, Session(), origin="shipped", models=["stripes-at"]),)
    assert told["script"] == script.listing(RobustnessRequest(("stripes-at",)))


def test_stop_keeps_the_models_that_are_done(studio):
    held = Session()
    items = do.measure(studio, held, **MEASURE | {"models": ["stripes-standard", "stripes-at"], "count": 30})
    shown = [next(items) for _ in range(5)]  # the start, three parts of the first model, and its row
    assert "stripes-standard" in shown[-1]["rates"] and "stripes-at" not in shown[-1]["rates"]
    assert do.halt(studio, held)["status"].startswith("Stopped.")
    rest = list(items)
    assert len(rest) == 1 and rest[0]["status"].startswith("Stopped after 3 of 6 parts.") and not studio.jobs._line
    assert do.halt(studio, held)["status"] == gr.skip()  # nothing is at work


def test_another_attack_or_factor_is_drawn_without_computing(studio, monkeypatch):
    held = Session()
    with pytest.raises(BadInput, match="press Attack first"):
        do.redraw(studio, held, attack="energy", factor=50)
    steps = looked(studio, held)
    monkeypatch.setattr(Studio, "model", lambda *a: pytest.fail("a model was asked"))
    changed = do.redraw(studio, held, attack="energy", factor=50)
    assert "Energy attack" in changed["reading"] and "Difference × 50" in changed["reading"]
    assert changed["grid"] != steps[-1]["grid"]


def test_an_attack_chosen_while_the_first_ones_run_is_the_one_that_stays(studio):
    held = Session()
    running = do.look(studio, held, **LOOK | {"attack": "fgsm"})
    early = next(step for step in running if "grid" in step)  # FGSM is done
    do.redraw(studio, held, attack="energy", factor=0)
    *_, last = running
    assert early["reading"].startswith("FGSM") and last["reading"].startswith("Energy attack")


def test_newer_images_end_the_older_ones_and_are_not_ended_by_them(studio):
    held = Session()
    older = do.look(studio, held, **LOOK)
    next(step for step in older if "grid" in step)
    newer = do.look(studio, held, **LOOK | {"model": "stripes-at"})
    assert "1 before you" in next(step["reading"] for step in newer if "reading" in step)
    with pytest.raises(Replaced):
        next(older)
    assert [step for step in newer if "grid" in step][-1]["reading"].startswith("PGD-20 within L∞") and not studio.jobs._line


def test_a_new_row_of_attacks_reaches_table_and_menu(monkeypatch):
    monkeypatch.setitem(ATTACKS, "mine", ATTACKS["pgd"])
    monkeypatch.setitem(COLUMNS, "mine", "My attack")
    assert words.attacks()["mine"] == "My attack" and "none" not in words.attacks()
    told = words.effects([replace(ATTACKED, attack="mine")], "mine")
    assert "My attack" in told and "cem-chosen" in told


def test_models_follow_the_last_chosen_data_set(studio):
    save("mnist-a", 1, data="mnist")
    save("mnist-b", 2, data="mnist")
    assert do.follow(studio, ["stripes-at", "mnist-a"]) == ["mnist-a", "mnist-b"]
    assert do.follow(studio, ["stripes-at", "stripes-standard"]) == ["stripes-at", "stripes-standard"]
    assert do.follow(studio, []) == []
    told = do.choose(studio, Session(), origin="here", models=["stripes-at", "mnist-a"])
    assert told["models"] == ["mnist-a", "mnist-b"] and told["numbers"]["visible"] is True and "Press Measure" in told["status"]


def test_it_begins_with_the_threat_model_that_most_nets_share(studio):
    save("stripes-more", 3, norm="linf", radius=0.05)
    assert words.pair(studio.cards(), "stripes") == ["stripes-at", "stripes-more"]
    assert words.pair(studio.cards(), "moons") == []


def test_a_radius_of_ones_own_stands_beside_a_norm_of_ones_own(studio):
    assert do.radii(studio, Session(), norm="l2") == {"radius": gr.update(visible=True)}
    assert do.radii(studio, Session(), ball="card") == {"eps": gr.update(visible=False)}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"count": 5}, "count is 5; give a whole number from 10 to 2000"), ({"count": None}, "test images is empty"),
        ({"seed": None}, "seed is empty"), ({"norm": "l2", "radius": None}, "ε is empty; give a number"),
        ({"norm": "l2", "radius": 1e9}, "from 0.001 to 100"), ({"models": []}, "Choose at least one model"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_named(studio, changes, said):
    with pytest.raises(BadInput, match=said):
        measured(studio, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"first": 99}, "first is 99"), ({"first": None}, "first is empty"), ({"shown": None}, "images is empty"),
        ({"starts": None}, "seed is empty"), ({"ball": "linf", "eps": None}, "ε is empty"), ({"shown": 13}, "from 1 to 12"),
        ({"model": None}, "Train one"), ({"source": "picture", "x": "test"}, "which test image"),
    ],
)  # fmt: skip
def test_images_that_cannot_be_shown_are_named_and_the_rates_stand(studio, changes, said):
    assert said in opened(studio, **changes)[-1]["reading"]


def test_errors_reach_the_visitor(studio):
    _, tab = page(tab_robustness, studio)
    with pytest.raises(gr.Error, match="count is 5; give a whole number from 10 to 2000"):
        first_view(tab, Session(), **{"r.from": "here", "r.count": 5})


def test_a_page_without_models_says_so(places):
    _, tab = page(tab_robustness, Studio(choose("cpu")))
    steps = first_view(tab, Session())
    assert "Train one" in steps[0]["rob-status"] and "Train one" in steps[-1]["rob-reading"]


def test_every_control_is_interactive_and_every_endpoint_private(studio):
    blocks, tab = page(tab_robustness, studio)
    assert tab.params.keys() == tab_robustness.NAMES.keys()
    assert all(component.interactive for component in tab.params.values())
    assert all(name.startswith("r.") for name in tab.params)
    assert all(component.elem_id.startswith("rob-") for component in tab.params.values())
    assert not [fn.name for fn in blocks.fns.values() if fn.api_visibility != "private"]
    save("late", 7)
    assert all("late" in [name for _, name in choices(Session())] for choices in tab.menus.values())


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
        studio = Studio(choose("cpu"))
        tab = module.build(gr.State(Session()), studio, selection.build(studio))
    assert tab.params[name].choices == [] and tab.params[name].value is None
    key, needed = next(iter(tables.items()))
    for seed, model in enumerate(needed):
        save(model, seed, data="mnist")
    offered = [value for _, value in tab.menus[tab.params[name]](Session())]
    assert offered == [k for k, of in tables.items() if set(of) <= set(needed)] and key in offered


def test_jeat_fig_2_is_four_ways_to_train_one_net():
    preset = LANDSCAPE["jeat-fig-2"]
    assert preset.request.models == ("mnist-standard-linf", "mnist-at-linf", "mnist-prejeat", "mnist-jeat")
    assert preset.request.radius == DATASETS["mnist"].radius and preset.request.side == assets.SIDE  # precomputed: no images
