"""The landscape tab: its handlers without a browser, its figures and captions."""

import json
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
import windows
from stripes import elsewhere
from tabs import first_view, page
from windows import ask, panels, save

from cemviz.backend.device import choose
from cemviz.backend.landscape import ENERGIES
from cemviz.backend.studio import Studio
from cemviz.ui import drawing, tab_landscape, words_landscape
from cemviz.ui.controls import STOPPED, Session
from cemviz.ui.plots_landscape import legend, shared, surface


@pytest.fixture
def studio(places, monkeypatch):
    return windows.equipped(monkeypatch)


@pytest.fixture
def alone(studio, monkeypatch):
    return elsewhere(monkeypatch)


@pytest.fixture
def pairs(places, monkeypatch):
    return windows.with_encoders(windows.equipped(monkeypatch))


def test_the_first_view_is_precomputed(alone):
    _, tab = page(tab_landscape, alone)
    held = Session()
    steps = first_view(tab, held)
    view = next(step for step in steps if "land-plot-0" in step)
    assert json.loads(view["land-plot-1"])["data"][0]["type"] == "contour"
    assert "precomputed" in view["land-caption-0"] and "Mean over all 3" in view["land-status"]
    assert "0 is the image" in view["land-scale"]
    assert "not on this machine" in steps[-1]["land-table"]
    assert len(held.held["landscape"][1]) == 2 and len(alone.jobs._line) == 0


def test_every_control_is_interactive_and_every_endpoint_private(studio):
    blocks, tab = page(tab_landscape, studio)
    assert all(component.interactive for component in tab.params.values())
    assert all(name.startswith("l.") for name in tab.params)
    assert all(component.elem_id.startswith("land-") for component in tab.params.values())
    public = [fn.name for fn in blocks.fns.values() if fn.api_visibility != "private"]
    assert not public


def test_a_live_picture_shows_each_panel_as_it_comes(studio):
    _, tab = page(tab_landscape, studio)
    steps = first_view(tab, Session(), **{"l.image": "gallery:1"})
    shown = [sum(step.get(f"land-plot-{k}") is not None for k in range(4)) for step in steps]
    assert [n for n in shown if n] == [1, 2, 2]
    assert any("points" in step.get("land-status", "") for step in steps)
    assert "by construction" in steps[-2]["land-status"] and steps[-1]["land-picture"].visible


def test_stop_keeps_what_is_there(studio):
    held = Session()
    items = drawing.draw(studio, held, ask("gallery:0"))
    assert "points" in next(items)
    assert next(items).model == "stripes-standard"
    held.stops["landscape"].set()
    assert list(items) == [] and not studio.jobs._line  # the device is free again
    assert [p.model for p in held.held["landscape"][1]] == ["stripes-standard"] and held.held["landscape"][2] == [STOPPED]


def test_the_stop_button_puts_the_places_of_what_never_came_away(studio):
    blocks, tab = page(tab_landscape, studio)
    held = Session()
    function, inputs, _ = tab.draw
    names = {id(component): name for name, component in tab.params.items()}
    running = function(held, *({"l.image": "gallery:1"}.get(names[id(c)], c.value) for c in inputs[1:]))
    told = lambda step: {k.elem_id: v for k, v in step.items()}  # noqa: E731
    assert any(told(step).get("land-title-1") == "computing ..." for step in iter(lambda: next(running), None) if told(step))
    (stop,) = {fn.fn for fn in blocks.fns.values() if fn.name == "stop"}
    after = {k.elem_id: v for k, v in stop(held, "joint", "relative", 0, 0, None).items()}
    assert after["land-status"] == STOPPED and "land-title-1" not in after and "STRIPES" in after["land-title-0"]
    running.close()
    assert not studio.jobs._line
    idle = {k.elem_id: v for k, v in stop(held, "joint", "relative", 0, 0, None).items()}
    assert isinstance(idle["land-status"], dict)  # nothing was at work: what is said stays


def test_a_click_looks_at_the_point(studio):
    blocks, tab = page(tab_landscape, studio)
    held = Session()
    first_view(tab, held, **{"l.dirs": "adversarial"})
    click = [fn.fn for fn in blocks.fns.values() if fn.name == "handler" and "event" in fn.fn.__code__.co_varnames]
    event = type("Event", (), {"x": 0.6667, "y": -1.3333})()
    changed = {getattr(k, "elem_id", None): v for k, v in click[1](held, "joint", "raw", event).items()}
    assert (changed["land-a"], changed["land-b"], changed["land-plane"]) == (0.667, -1.33, "stripes-at")
    assert "0.67" in changed["land-table"] and changed["land-picture"].visible
    rings = [len(json.loads(changed[f"land-plot-{k}"])["data"]) for k in (0, 1)]
    assert rings == [4, 6]  # the ring is in the plane that was clicked


def test_errors_reach_the_visitor(studio):
    _, tab = page(tab_landscape, studio)
    with pytest.raises(gr.Error, match="give a whole number from 0 to 29"):
        first_view(tab, Session(), **{"l.image": "test", "l.index": 99})
    assert first_view(tab, Session(), **{"l.models": []}) == [{"land-status": "Choose at least one model."}]


def test_a_page_without_models_says_so(places):
    _, tab = page(tab_landscape, Studio(choose("cpu")))
    assert "Train one" in first_view(tab, Session())[0]["land-status"]


def test_models_follow_the_last_chosen_data_set(studio):
    for seed, name in enumerate(("mnist-standard", "mnist-at")):
        save(name, seed, data="mnist")
    assert drawing.follow(studio, ["stripes-at", "stripes-standard"]) == (["stripes-at", "stripes-standard"], None)
    assert drawing.follow(studio, ["stripes-at", "mnist-at"]) == (["mnist-at", "mnist-standard"], "mnist")
    assert drawing.follow(studio, []) == ([], None)


def test_the_page_offers_an_anchor_for_encoders_and_names_their_energies(pairs):
    _, tab = page(tab_landscape, pairs)
    view = {"l.models": ["stripes-simclr", "stripes-uat"], "l.image": "gallery:1"}
    first, *_, last = first_view(tab, Session(), **view)
    assert first["land-anchor"]["visible"] is True and first["land-other"]["visible"] is False
    assert [title for title, _ in first["land-energy"]["choices"]] == ["E(x, x′)", "E(x)"]
    assert "energy of pairs" in first["land-story"] and "E(x, x′)" in last["land-table"]
    scales = [first_view(tab, Session(), **view, **{"l.levels": kind})[-2]["land-scale"] for kind in ("relative", "raw")]
    assert "E(x, x′) − E(image, x′)" in scales[0] and "cosine over τ" in scales[1]
    steps = first_view(tab, Session(), **view, **{"l.anchor": "test", "l.other": 3})
    assert steps[0]["land-other"]["visible"] is True and "another image" in steps[-2]["land-status"]
    told = first_view(tab, Session(), **view)[-2]["land-status"]
    assert "by construction" in told
    classifiers = first_view(tab, Session())[0]
    assert "SimCLR" not in classifiers["land-story"]
    assert classifiers["land-anchor"]["visible"] is False and dict(classifiers["land-energy"]["choices"])["E(x, y)"] == "joint"


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
        here = 0.0 if kind == "relative" else panel.here("joint")
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
        assert told in words_landscape.caption(moved, "joint")
    assert "image is the lowest" in words_landscape.caption(
        replace(panel, shapes={"joint": replace(shape, offset=0.0)}), "joint"
    )
