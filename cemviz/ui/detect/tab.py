"""The detect tab: a picture's versions, the scores of many, and which event calls which handler."""

from pathlib import Path
from typing import Any

import gradio as gr

from ...backend.studio import Studio
from ..controls import HEAVY, PLAIN, Tab, by_hand
from ..modules import module_view, served
from ..selection import Selection
from ..wiring import Wiring
from . import handlers as do
from . import words

HERE = Path(__file__).parent

NAMES = {"de.front": "front", "de.times": "times", "de.class": "label", "de.index": "index", "de.why": "why"}
"""Name in the address -> control; `scores.js` keeps de.plot and de.T, which ask for nothing."""

MOST = 2.0
"""Radius of the attacks over that of training, at most."""


def build(session: gr.State, studio: Studio, selection: Selection) -> Tab:
    """Lay the tab out and wire it."""
    looks = {"a": selection.a, "x": selection.picture, "seed": selection.seed}
    parts: dict[str, Any] = dict(looks)
    gr.Markdown(words.INTRO, elem_id="detect-intro")
    with gr.Row():
        with gr.Column(scale=1, min_width=240, elem_id="detect-controls"):
            parts |= _controls(studio, selection)
        with gr.Column(scale=5, min_width=320, elem_id="detect-stage"):
            parts["view"] = _view("detect")
            parts["status"] = gr.Markdown("", elem_id="detect-status")
            parts["masks"] = gr.HTML("", elem_id="detect-masks", **PLAIN)
            parts["reading"] = gr.Markdown("", elem_id="detect-reading")
            parts["scores"] = _view("scores")
            parts["link"] = _view("become")
            with gr.Accordion("The Python of this picture", open=False):
                parts["script"] = gr.Code(
                    language="python", interactive=False, wrap_lines=True, show_label=False, elem_id="detect-script"
                )
    gr.Markdown(words.HOW, latex_delimiters=[])
    wire = Wiring(session, studio, parts)
    changed = [by_hand(parts[name]) for name in ("front", "label")] + [parts["times"].release, parts["index"].submit]
    wire(changed, do.go, do.RUN, do.SHOWN, tab="detect", **HEAVY)
    wire(by_hand(parts["why"]), do.explain, ["why"], do.EXPLAINED, **HEAVY)
    return Tab(
        {name: parts[part] for name, part in NAMES.items()}, wire.first(do.go, do.RUN, do.SHOWN), looks=looks, alike=True
    )


def _view(name: str) -> gr.HTML:
    """The view of the script of this name."""
    place, arguments = f'<div id="cem-{name}"></div>', "(element, props, watch)"
    return module_view(served(HERE / f"{name}.js"), place, arguments, None, padding=False, elem_id=f"{name}-view")


def _controls(studio: Studio, selection: Selection) -> dict[str, Any]:
    """The classifier that answers, the attacks, and what else is asked."""
    on: dict[str, Any] = {"interactive": True}
    model = do.model_of(studio, selection.a.value)
    choices = do.fronts(studio, model) if model else []
    classes = studio.cards()[model].classes if model else ()
    return {
        "front": gr.Radio(
            choices, value=next(iter(choices), None), label="classifier f that answers",
            info="thresholds behind it ship; of others none are known", elem_id="detect-front", **on
        ),
        "times": gr.Slider(
            0.1, MOST, value=1, step=0.1, label="ε of the attacks", info="times the radius of training", elem_id="detect-times",
            **on,
        ),
        "label": gr.Dropdown(
            do.labels(classes), value=words.OWN, label="class of the picture", info="attacks leave it", elem_id="detect-class",
            **on,
        ),
        "index": gr.Number(
            0, label="number of the test image", minimum=0, precision=0, visible=selection.picture.value == "test",
            elem_id="detect-index", **on,
        ),
        "why": gr.Checkbox(False, label="which pixels speak for it", elem_id="detect-why", **on),
    }  # fmt: skip
