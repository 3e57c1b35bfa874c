"""The landscape tab: controls, panels and the point looked at, and which event calls which handler."""

from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from ...backend.kinds import KINDS
from ...backend.look.landscape import MOST_MODELS
from ...backend.presets import LANDSCAPE, lacking
from ...backend.requests import LandscapeRequest
from ...backend.studio import Studio
from ...data.datasets import dataset
from ..controls import HEAVY, LIGHT, NEWEST, PLAIN, Stories, Tab, by_hand
from ..fields import control, radio, slider
from ..modules import module_view, served
from ..selection import Selection
from ..views import live_plot
from ..wiring import Wiring
from . import ball, picture, words
from . import handlers as do
from .plots import LEVELS, SEEN

NAMES = {
    "l.more": "more", "l.index": "index", "l.anchor": "anchor", "l.other": "other", "l.energy": "energy",
    "l.dirs": "directions", "l.levels": "levels", "l.seen": "seen", "l.chains": "chains", "l.radius": "radius",
    "l.a": "a", "l.b": "b", "l.plane": "plane", "l.story": "story",
}  # fmt: skip
"""Name in the address -> control."""

ROLL = served(Path(__file__).parent / "roll.js")


def build(session: gr.State, studio: Studio, selection: Selection) -> Tab:
    """Lay the tab out and wire it."""
    cards = studio.cards()
    models = do.together(studio, selection.a.value, selection.b.value, [])
    data, kind = (cards[models[0]].data, cards[models[0]].kind) if models else ("mnist", "classifier")
    parts: dict[str, Any] = {"net_a": selection.a, "net_b": selection.b, "image": selection.picture}
    parts |= {"y": selection.label, "seed": selection.seed}
    with gr.Row():
        with gr.Column(scale=1, min_width=280, elem_id="land-controls"):
            with gr.Row():
                draw = gr.Button("Draw", variant="primary", elem_id="land-run", min_width=100)
                halt = gr.Button("Stop", elem_id="land-stop", min_width=100)
            parts |= _controls(studio, selection, data, kind)
        with gr.Column(scale=4, min_width=320, elem_id="land-stage"):
            parts |= _panels(len(models))
            parts["intro"] = gr.Markdown(words.STORY.get(kind, ""), elem_id="land-story")
            look, spot = _spot(studio, models)
            parts |= spot
    gr.Markdown(words.HOW, latex_delimiters=[])
    wire = Wiring(session, studio, parts)
    run, inputs, outputs = wire.first(do.go, do.RUN, do.SHOWN)
    triggers = [draw.click, parts["radius"].release]
    triggers += [by_hand(parts[name]) for name in ("more", "directions", "anchor")]
    triggers += [parts[name].submit for name in ("index", "other")]
    running = [
        wire(
            by_hand(parts["story"]),
            do.play,
            do.RUN,
            [*dict.fromkeys(do.SET_BY_STORY + do.SHOWN)],
            tab="landscape",
            **NEWEST,
            **HEAVY,
        ),
        wire(triggers, do.go, do.RUN, do.SHOWN, tab="landscape", **HEAVY),
    ]
    drawing = ["energy", "levels", "seen", "chains"]
    wire([by_hand(parts[name]) for name in drawing[1:]], picture.figures, do.LOOK, do.SHOWN, **LIGHT)
    wire([by_hand(parts[name]) for name in ("energy", "plane")], do.looked, do.LOOK, do.SHOWN, **LIGHT)
    moved = [look.click, parts["a"].submit, parts["b"].submit]
    gone = [wire(moved, do.looked, do.LOOK, do.SHOWN, **LIGHT)]
    for k in range(MOST_MODELS):
        gone.append(wire.click(parts[f"plot{k}"], partial(do.picked, k=k), drawing, do.SHOWN, {"a": "x", "b": "y"}, **LIGHT))
    running += [event.then(*wire.first(ball.rolled, do.LOOK, do.SHOWN), **NEWEST, **HEAVY) for event in gone]
    wire(halt.click, do.halt, do.LOOK, do.SHOWN, cancels=running, **LIGHT)

    def controls_of(story: str) -> dict[Any, Any]:
        return {parts[name]: value for name, value in do.controls_of(studio, None, story=story).items()}

    return Tab(
        {name: parts[part] for name, part in NAMES.items()},
        (run, inputs, outputs),
        menus={parts["story"]: lambda _: do.stories(studio)}
        | dict.fromkeys(wire[("more", "plane")], lambda visitor: do.drawable(studio, visitor.nets)),
        stories=Stories(parts["story"], controls_of, wire[do.SET_BY_STORY]),
        looks={name: selection.parts[name] for name in ("a", "b", "x", "y", "seed")},
        alike=True,
    )


def _controls(studio: Studio, selection: Selection, data: str, kind: str) -> dict[str, Any]:
    """Story, further nets, and the plane."""
    stories, shot = do.stories(studio), selection.picture.value
    on: dict[str, Any] = {"interactive": True}
    whole: dict[str, Any] = {"minimum": 0, "precision": 0}
    make = partial(control, LandscapeRequest)
    return {
        "story": gr.Dropdown(stories, value=stories[0][1] if stories else None, label="story", elem_id="land-preset", **on),
        "waiting": gr.Markdown("  \n".join(lacking(LANDSCAPE, studio.cards())), elem_id="land-lacking"),
        "more": make(
            "models", [], choices=do.drawable(studio), multiselect=True, max_choices=MOST_MODELS - 2, label="beside A and B",
            info="up to 2 more nets of the same data set and kind", elem_id="land-more",
        ),
        "index": gr.Number(
            0, label="number of the test image", visible=shot == "test", elem_id="land-index", **whole, **on
        ),
        "anchor": make(
            "anchor", choices=words.anchors(data), info="of encoders: what x is paired with", visible=False,
            elem_id="land-anchor",
        ),
        "other": gr.Number(
            0, label="number of the anchor, a test image", visible=False, elem_id="land-other", **whole, **on
        ),
        "energy": radio(
            LandscapeRequest, "energy", choices=words.titled(KINDS[kind].view.energies), elem_id="land-energy"
        ),
        "directions": radio(LandscapeRequest, "directions", "adversarial", elem_id="land-dirs"),
        "levels": gr.Radio(words.titled(LEVELS), value="relative", label="levels", elem_id="land-levels", **on),
        "seen": gr.Radio(words.titled(SEEN), value="map", label="seen", elem_id="land-seen", **on),
        "chains": gr.Checkbox(
            False, label="paths of the last chains under Sampling", elem_id="land-chains", **on,
        ),
        "radius": slider(
            LandscapeRequest, "radius", dataset(data).radius, minimum=0.5, maximum=12, step=0.5,
            info="L2, pixel units", elem_id="land-radius",
        ),
    }  # fmt: skip


def _panels(count: int) -> dict[str, Any]:
    """The scale, and a place for every model."""
    parts: dict[str, Any] = {"scale": gr.HTML("", elem_id="land-scale", **PLAIN)}
    with gr.Row():
        for k in range(MOST_MODELS):
            with gr.Column(min_width=150, visible=k < max(count, 1)) as parts[f"column{k}"]:
                label = f"Energy around the image, panel {k + 1}"
                parts[f"title{k}"] = gr.Markdown(elem_id=f"land-title-{k}")
                parts[f"plot{k}"] = live_plot(height=400, label=label, square=True, elem_id=f"land-plot-{k}")
                parts[f"spot{k}"] = gr.Markdown(elem_id=f"land-spot-{k}")
                parts[f"caption{k}"] = gr.Markdown(elem_id=f"land-caption-{k}")
    parts["roll"] = module_view(ROLL, '<div id="cem-roll"></div>', "(element, props, watch)", None, elem_id="land-roll")
    return parts | {"status": gr.Markdown("", elem_id="land-status")}


def _spot(studio: Studio, models: list[str]) -> tuple[gr.Button, dict[str, Any]]:
    """The point looked at, and the Python of the whole picture."""
    gr.Markdown("### The point looked at\nClick into a panel, or give its coordinates; a click lets a ball roll from there.")
    parts: dict[str, Any] = {}
    with gr.Row(equal_height=True):
        for name in ("a", "b"):
            parts[name] = gr.Number(0, label=name, step=0.1, interactive=True, elem_id=f"land-{name}", min_width=90)
        parts["plane"] = gr.Dropdown(
            do.drawable(studio), value=models[0] if models else None, label="in the plane of", interactive=True,
            visible=False, elem_id="land-plane", min_width=180,
        )  # fmt: skip
        look = gr.Button("Look", elem_id="land-look", min_width=90, scale=0)
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            parts["picture"] = gr.Image(
                format="png", label="the image (left), the point (right)", interactive=False, visible=False, height=250,
                buttons=["download"], elem_id="land-picture", alt_text="the image, and the point beside it",
            )  # fmt: skip
        with gr.Column(scale=3, min_width=320):
            parts["table"] = gr.HTML("", elem_id="land-table", **PLAIN)
    with gr.Accordion("The Python of this picture", open=False):
        code = {"language": "python", "interactive": False, "wrap_lines": True, "show_label": False}
        parts["script"] = gr.Code(**code, elem_id="land-script")
    return look, parts
