"""The landscape tab: its handlers without a page, its figures and captions."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import windows
from stripes import elsewhere
from tabs import first_view, page, wired
from windows import ask, panels, save

from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.fields import fields_of
from cemviz.backend.kinds import KINDS
from cemviz.backend.look.landscape import ENERGIES
from cemviz.backend.presets import LANDSCAPE
from cemviz.backend.requests import LandscapeRequest
from cemviz.backend.sample.chains import to_pixels
from cemviz.backend.studio import Studio
from cemviz.data.datasets import DATASETS
from cemviz.ui.controls import STOPPED, Session
from cemviz.ui.landscape import handlers as do
from cemviz.ui.landscape import picture, words
from cemviz.ui.landscape import tab as tab_landscape
from cemviz.ui.landscape.plots import legend, relief, shared, surface
from cemviz.ui.selection import NONE
from cemviz.ui.wiring import claim

LOOK = {"energy": "joint", "levels": "relative", "seen": "map", "chains": False, "a": 0, "b": 0, "plane": None}
ASKED = {
    "story": None, "image": "grid:0", "index": 0, "y": "none", "anchor": "self", "other": 0,
    "directions": "random", "radius": windows.SMALL["radius"], "seed": 0, **LOOK,
}  # fmt: skip


@pytest.fixture
def studio(places, monkeypatch):
    return windows.equipped(monkeypatch)


@pytest.fixture
def alone(studio, monkeypatch):
    return elsewhere(monkeypatch)


@pytest.fixture
def pairs(places, monkeypatch):
    return windows.with_encoders(windows.equipped(monkeypatch))


def nets(models) -> dict:
    """Controls that choose these models."""
    a, b, *more = [*models, *[None, NONE][len(models) :]]
    return {"net_a": a, "net_b": b, "more": more}


def drawing(studio, held=None, models=("stripes-standard", "stripes-at"), **changes):
    """The steps of a picture, each checked to change what the tab expects."""
    for step in do.go(studio, held or Session(), **{**ASKED, **nets(models), **changes}):
        assert set(step) <= set(do.SHOWN)
        yield step


def draw(studio, held=None, **changes) -> list[dict]:
    return list(drawing(studio, held, **changes))


def test_the_first_view_is_precomputed(alone):
    _, tab = page(tab_landscape, alone)
    held = Session()
    steps = first_view(tab, held)
    view = next(step for step in steps if "land-plot-0" in step)
    assert json.loads(view["land-plot-1"])["data"][0]["type"] == "contour"
    assert "precomputed" in view["land-caption-0"] and "Mean over all 3" in view["land-status"]
    assert "0 is the image" in view["land-scale"]
    assert "not on this machine" in steps[-1]["land-table"]
    assert len(held.state["landscape"].panels) == 2 and len(alone.jobs._line) == 0


def test_every_control_is_interactive_and_every_endpoint_private(studio):
    blocks, tab = page(tab_landscape, studio)
    assert tab.params.keys() == tab_landscape.NAMES.keys()
    assert all(component.interactive for component in tab.params.values())
    assert all(name.startswith("l.") for name in tab.params)
    assert all(component.elem_id.startswith("land-") for component in tab.params.values())
    assert not [fn.name for fn in blocks.fns.values() if fn.api_visibility != "private"]
    save("late", 7)
    for name in ("l.more", "l.plane"):
        assert "late" in [key for _, key in tab.menus[tab.params[name]](Session())]


def test_every_event_calls_its_handler(studio):
    asked = ["run.click", "more.input", "dirs.input", "anchor.select", "radius.release", "index.submit"]
    looked = ["look.click", "a.submit", "b.submit", "plane.select", "energy.input"]
    assert wired(tab_landscape, studio) == {
        f"land-{event}": handler
        for handler, events in {
            "go": [*asked, "other.submit"], "play": ["preset.select"], "looked": looked,
            "figures": ["levels.input", "seen.input", "chains.input"],
            "send": [f"plot-{k}.select" for k in range(4)],
            "halt": ["stop.click"],
        }.items()
        for event in events
    }  # fmt: skip


def test_controls_say_what_the_request_says_within_the_pages_own_ends(studio):
    _, tab = page(tab_landscape, studio)
    fields = fields_of(LandscapeRequest)
    for name in ("anchor", "energy", "dirs", "radius"):
        assert tab.params[f"l.{name}"].label == fields["directions" if name == "dirs" else name].label
    radius = tab.params["l.radius"]
    assert (radius.minimum, radius.maximum, radius.step) == (0.5, 12, 0.5)
    assert [key for _, key in tab.params["l.dirs"].choices] == fields["directions"].names()
    assert "JEAT" in tab.params["l.dirs"].choices[0][0]


def test_a_live_picture_shows_each_panel_as_it_comes(studio):
    steps = draw(studio, image="gallery:1")
    shown = [sum(step.get(f"plot{k}") is not None for k in range(4)) for step in steps]
    assert [n for n in shown if n] == [1, 2, 2, 2]
    planes = [json.loads(step["plot0"])["layout"].get("meta") for step in steps if step.get("plot0")]
    assert [bool(plane) for plane in planes] == [False, False, False, True], "images are looked up after the figures"
    assert any("points" in step.get("status", "") for step in steps)
    assert "by construction" in steps[-2]["status"] and steps[-1]["picture"]["visible"]
    assert [steps[-2][f"column{k}"]["visible"] for k in range(4)] == [True, True, False, False]


def test_precomputed_windows_wait_for_nobody_and_the_others_for_their_turn(studio):
    before = studio.jobs.run((part for part in (1, 2)), title="somebody else's")
    next(before)
    assert "precomputed" in draw(studio)[-2]["caption1"]
    waiting = drawing(studio, seed=1)
    assert [next(waiting), next(waiting)][-1] == {"status": "waiting: 1 before you"}
    before.close()
    assert "precomputed" not in list(waiting)[-2]["caption1"]


@pytest.mark.parametrize(("plane", "kept"), [(None, "stripes-standard"), ("gone", "stripes-standard"), ("stripes-at",) * 2])
def test_the_plane_looked_at_is_that_of_a_model_on_screen(studio, plane, kept):
    first, *_ = draw(studio, directions="adversarial", plane=plane, a=1.0)
    assert first["plane"]["value"] == kept and first["plane"]["visible"] is True
    assert draw(studio, plane=plane)[0]["plane"]["visible"] is False


def test_the_script_makes_the_picture_on_screen(studio):
    held = Session()
    asked = {"image": "test", "index": 3, "directions": "adversarial", "seed": 4, "energy": "marginal"}
    script = next(step["script"] for step in draw(studio, held, **asked) if "script" in step)
    assert "follow(landscape(studio, LandscapeRequest(models=('stripes-standard', 'stripes-at'), image='test:3'" in script
    assert "energy='marginal', directions='adversarial', radius=2.0, side=7, seed=4" in script
    assert "energy" not in picture.figures(studio, held, **LOOK)["script"]  # joint, as on the screen then


def test_stop_keeps_what_is_there(studio):
    held = Session()
    items = picture.draw(studio, held, ask("gallery:0"), claim(held, "landscape"))
    assert "points" in next(items)
    assert next(items).model == "stripes-standard"
    held.stops["landscape"].set()
    assert list(items) == [] and not studio.jobs._line  # the device is free again
    kept = held.state["landscape"]
    assert [panel.model for panel in kept.panels] == ["stripes-standard"] and kept.notes == [STOPPED]


def test_a_picture_stopped_before_its_first_panel_leaves_the_one_before(studio):
    held = Session()
    draw(studio, held)
    before = held.state["landscape"]
    steps = drawing(studio, held, image="gallery:1")
    assert "points" in [next(steps), next(steps)][-1]["status"]
    held.stops["landscape"].set()
    assert list(steps) == [{"status": STOPPED}] and held.state["landscape"] is before


def test_the_stop_button_puts_the_places_of_what_never_came_away(studio):
    held = Session()
    running = drawing(studio, held, image="gallery:1")
    step = next(step for step in running if step.get("title1") == "computing ...")
    assert step["column1"]["visible"] and step["plot1"] is None and "title2" not in step
    after = do.halt(studio, held, **LOOK)
    assert after["status"] == STOPPED and after["column1"]["visible"] is False
    assert "title1" not in after and "STRIPES" in after["title0"]
    running.close()
    assert not studio.jobs._line
    idle = do.halt(studio, held, **LOOK)
    assert list(idle) == ["status"] and isinstance(idle["status"], dict)  # nothing was at work: what is said stays


def test_a_click_looks_at_the_point(studio):
    held = Session()
    draw(studio, held, directions="adversarial")
    changed = do.picked(studio, held, energy="joint", levels="raw", seen="map", chains=False, k=1, a=0.6667, b=-1.3333)
    assert (changed["a"], changed["b"], changed["plane"]) == (0.667, -1.33, "stripes-at") and set(changed) <= set(do.SHOWN)
    assert "0.67" in changed["table"] and changed["picture"]["visible"]
    rings = [len(json.loads(changed[f"plot{k}"])["data"]) for k in (0, 1)]
    assert rings == [4, 6]  # the ring is in the plane that was clicked


def test_each_panel_hears_its_own_clicks(studio):
    blocks, tab = page(tab_landscape, studio)
    held = Session()
    first_view(tab, held, **{"l.dirs": "adversarial"})
    clicks = [fn.fn for fn in blocks.fns.values() if fn.name == "send"]
    event = type("Event", (), {"x": 0.5, "y": -1.0})()
    for k, model in enumerate(("stripes-at", "stripes-standard")):  # as the page begins
        changes = clicks[k](event, held, "joint", "raw", "map", False)
        changed = {component.elem_id: value for component, value in changes.items()}
        assert (changed["land-a"], changed["land-b"], changed["land-plane"]) == (0.5, -1.0, model)
    assert len(clicks) == 4


def test_errors_name_what_to_change(studio):
    with pytest.raises(BadInput, match="give a whole number from 0 to 29"):
        draw(studio, image="test", index=99)
    with pytest.raises(BadInput, match="seed is None"):
        draw(studio, seed=None)
    with pytest.raises(BadInput, match="press Draw first"):
        do.looked(studio, Session(), **LOOK)
    assert draw(studio, models=[]) == [{"status": words.NO_MODELS}]


def test_a_test_image_that_is_not_there_can_still_be_chosen_by_its_number(alone):
    steps = drawing(alone, image="test", index=5)
    assert next(steps)["index"]["visible"] is True
    with pytest.raises(BadInput, match="not on this machine"):
        next(steps)


def test_a_page_without_models_says_so(places):
    _, tab = page(tab_landscape, Studio(choose("cpu")))
    assert "Train one" in first_view(tab, Session())[0]["land-status"]


def test_nets_that_share_no_scale_are_not_shown_beside_a_and_it_is_said(studio):
    save("mnist-at", 3, data="mnist")
    save("stripes-uat", 4, kind="encoder")
    steps = draw(studio, models=["stripes-at", "mnist-at", "stripes-uat", "stripes-standard"])
    assert steps[0]["waiting"].count("is not shown") == 2 and "**mnist-at**" in steps[0]["waiting"]
    assert steps[0]["more"] == ["stripes-standard"] and steps[-2]["column1"]["visible"] and not steps[-2]["column2"]["visible"]
    assert do.together(studio, "gone", "stripes-at", []) == []
    assert do.together(studio, "stripes-at", "stripes-at", ["stripes-standard"]) == ["stripes-at", "stripes-standard"]


@pytest.mark.parametrize(("radius", "kept"), [(6.0, 2.0), (2.5, 2.5), (2.0, 2.0)])
def test_a_radius_that_is_another_data_sets_own_gives_way(monkeypatch, radius, kept):
    monkeypatch.setitem(DATASETS, "stripes", replace(DATASETS["mnist"], radius=2.0))
    assert do.suited(radius, "stripes") == kept


def test_a_kind_without_a_landscape_is_not_offered(studio, monkeypatch):
    monkeypatch.setitem(KINDS, "flat", replace(KINDS["classifier"], title="flat net", view=None))
    save("odd", 5, kind="flat"), save("unknown", 6, kind="nobody-knows")
    assert [name for _, name in do.drawable(studio)] == ["stripes-at", "stripes-standard"]
    with pytest.raises(BadInput, match="'odd' is a flat net; a landscape wants a classifier or an encoder"):
        draw(studio, models=["odd"])


def test_a_story_sets_all_that_it_shows(studio):
    for name in ("mnist-simclr", "mnist-uat"):
        save(name, 1, data="mnist", kind="encoder")
    told, changes = LANDSCAPE["pairs"].request, do.controls_of(studio, None, story="pairs")
    assert set(changes) == set(do.SET_BY_STORY) and "flatter" in changes["waiting"]
    assert [changes[name] for name in ("net_a", "net_b", "more")] == [*told.models, []]
    for name in LANDSCAPE["jeat-fig-2"].request.models:
        save(name, 1, data="mnist")
    four = do.controls_of(studio, None, story="jeat-fig-2")
    assert [four["net_a"], four["net_b"], *four["more"]] == list(LANDSCAPE["jeat-fig-2"].request.models)
    for name, value in (("image", "test"), ("anchor", told.anchor)):  # there is no gallery to take the story's image from
        assert changes[name]["value"] == value and ("a test image, by its number", "test") in changes[name]["choices"]
    assert [changes[name] for name in ("directions", "radius", "seed")] == [told.directions, told.radius, told.seed]


def test_a_storys_words_stand_above_its_own_models_only(studio):
    told = LANDSCAPE["pairs"]
    assert do.prose(studio, "pairs", list(told.request.models)).startswith(told.story)
    others = do.prose(studio, "pairs", ["stripes-at"])
    assert told.story not in others and others == do.prose(studio, None, [])
    assert do.matches("pairs", list(told.request.models)) and not do.matches("pairs", ["stripes-at"])
    assert "waits for mnist-at, mnist-standard" in others


def test_the_page_offers_an_anchor_for_encoders_and_names_their_energies(pairs):
    view = {"models": ["stripes-simclr", "stripes-uat"], "image": "gallery:1"}
    first, *_, last = draw(pairs, **view)
    assert first["anchor"]["visible"] is True and first["other"]["visible"] is False
    assert [title for title, _ in first["energy"]["choices"]] == ["E(x, x′)", "E(x)"]
    assert "energy of pairs" in first["intro"] and "E(x, x′)" in last["table"]
    scales = [draw(pairs, **view, levels=levels)[-2]["scale"] for levels in ("relative", "raw")]
    assert "E(x, x′) − E(image, x′)" in scales[0] and "cosine over τ" in scales[1]
    steps = draw(pairs, **view, anchor="test", other=3)
    assert steps[0]["other"]["visible"] is True and "another image" in steps[-2]["status"]
    assert "by construction" in draw(pairs, **view)[-2]["status"]
    classifiers = draw(pairs, anchor="test")[0]
    assert "SimCLR" not in classifiers["intro"] and classifiers["other"]["visible"] is False
    assert classifiers["anchor"]["visible"] is False and dict(classifiers["energy"]["choices"])["E(x, y)"] == "joint"


# ---------------------------------------------------------------------------------------------------------- figures


@pytest.mark.parametrize("kind", ["relative", "raw"])
def test_all_panels_share_one_scale(studio, kind):
    graph_objects = pytest.importorskip("plotly.graph_objects")
    both = panels(studio, ask())
    levels = shared(both, "joint", kind)
    for panel in both:
        figure = json.loads(surface(panel, levels, "random", (0.5, 0.5)))
        graph_objects.Figure(figure)  # raises on a wrong property
        fill, line = figure["data"][:2]
        assert (fill["zmin"], fill["zmax"], fill["contours"]["size"]) == (levels.low, levels.high, levels.step)
        here = 0.0 if kind == "relative" else panel.centre_energy("joint")
        assert line["contours"]["start"] == pytest.approx(here, abs=1e-6)
        assert levels.low <= here <= levels.high and 5 <= (levels.high - levels.low) / levels.step <= 21
    assert levels.low == pytest.approx(min((p.grids["joint"] - levels.zero(p)).min() for p in both))
    assert levels.name.split(" [")[0] in legend(levels)


def test_a_constant_energy_can_be_drawn(studio):
    flat = replace(panels(studio, ask())[0], grids={k: np.ones((7, 7), np.float32) for k in ENERGIES})
    assert "contour" in surface(flat, shared([flat], "joint", "relative"), "random")


def test_captions_tell_an_edge_from_a_minimum(studio):
    panel = panels(studio, ask())[0]
    shape = panel.shapes["joint"]
    for a, told in ((2.0, "may lie farther"), (0.67, "0.7 away")):
        moved = replace(panel, shapes={"joint": replace(shape, a=a, b=0.0, offset=a, depth=1.25)})
        assert told in words.caption(moved, "joint")
    assert "image is the lowest" in words.caption(replace(panel, shapes={"joint": replace(shape, offset=0.0)}), "joint")


def numbers(typed: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(typed["bdata"]), "<f4")


def test_a_relief_is_the_same_energies_as_heights_and_ends_where_the_window_does(studio):
    both = panels(studio, ask("test:1", "stripes-standard", "stripes-at"))
    panel, levels = both[0], shared(both, "joint", "raw")
    path = np.array([[0.0, 0.0], [0.5, 0.2], [99.0, 0.0]])
    held = json.loads(relief(panel, levels, (0.5, 0.5), path))
    pytest.importorskip("plotly.graph_objects").Figure(held)  # raises on a wrong property
    ground, image, ring, track, ball = held["data"]
    assert ground["type"] == "surface" and (ground["cmin"], ground["cmax"]) == (levels.low, levels.high)
    assert held["layout"]["scene"]["zaxis"]["range"] == [levels.low, levels.high]
    n, lift = len(panel.axis) // 2, 0.01 * (levels.high - levels.low)
    assert numbers(image["z"])[0] == pytest.approx(panel.grids["joint"][n, n] + lift, abs=1e-3)
    assert len(numbers(track["x"])) == 2 and numbers(ball["x"])[0] == pytest.approx(0.5)
    assert ring["marker"]["symbol"] == "circle-open"
    assert len(json.loads(relief(panel, levels))["data"]) == 2


def test_paths_of_chains_are_drawn_in_the_planes_of_their_own_nets(studio):
    held = Session()
    draw(studio, held, image="gallery:1", directions="adversarial", chains=True)
    plane = held.state["landscape"].planes["stripes-at"]
    corners = torch.tensor([[0.0, 0.0], [0.2, 0.1], [-0.1, 0.3]])  # two chains of one step begin in the middle and end here
    shots = [plane.at(*corners[[k]].T)[0].clamp(0, 1) for k in (0, 0, 1, 2)]
    frames = to_pixels(torch.stack(shots)).reshape(2, 2, *to_pixels(shots[0][None]).shape[1:])
    held.state["frames"] = {"stripes-at": frames}
    paths = picture.shadows(held)
    assert set(paths) == {"stripes-at"} and paths["stripes-at"].shape == (2, 2, 2)
    for k, corner in enumerate(corners[1:]):
        assert paths["stripes-at"][k, 1] == pytest.approx(corner.numpy(), abs=0.08)  # clamped, 8 bits
    shown, hidden = (
        [len(json.loads(picture.figures(studio, held, **LOOK | {"chains": chains})[f"plot{k}"])["data"]) for k in (0, 1)]
        for chains in (True, False)
    )
    assert (np.array(shown) - hidden).tolist() == [0, 3], "of a net that drew no chains there are none"


def test_the_panels_become_reliefs_and_maps_again(studio):
    steps = draw(studio, image="gallery:1", seen="relief")
    assert '"surface"' in steps[-1]["plot0"] and '"surface"' not in draw(studio, image="gallery:1")[-1]["plot0"]
