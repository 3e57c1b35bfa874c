"""The restore tab: what is done to a picture, the climb that mends it, and which event calls which handler."""

from pathlib import Path
from typing import Any

import gradio as gr

from ...backend.requests import RestoreRequest
from ...backend.studio import Studio
from ...data.datasets import DATASETS
from ..controls import HEAVY, LIGHT, NEWEST, Tab, by_hand
from ..fields import slider
from ..modules import module_view, served
from ..selection import Selection
from ..wiring import Wiring
from . import handlers as do
from . import words

VIEW = served(Path(__file__).parent / "restore.js")

NAMES = {
    "re.task": "task", "re.sigma": "sigma", "re.known": "variant", "re.hole": "mask", "re.from": "source",
    "re.number": "number", "re.blur": "blur", "re.index": "index",
}  # fmt: skip
"""Name in the address -> control."""

FIRST = "fashionmnist"
"""Data set to translate from, where it is here."""


def build(session: gr.State, studio: Studio, selection: Selection) -> Tab:
    """Lay the tab out and wire it."""
    looks = {"a": selection.a, "x": selection.picture, "seed": selection.seed}
    parts: dict[str, Any] = dict(looks)
    gr.Markdown(words.INTRO, elem_id="restore-intro")
    with gr.Row():
        with gr.Column(scale=1, min_width=280, elem_id="restore-controls"):
            parts |= _controls(studio, selection)
        with gr.Column(scale=4, min_width=320, elem_id="restore-stage"):
            parts["view"] = module_view(
                VIEW, '<div id="cem-restore"></div>', "(element, props, trigger, watch)", None, elem_id="restore-view"
            )
            parts["status"] = gr.Markdown("", elem_id="restore-status")
            parts["fails"] = gr.Markdown("", elem_id="restore-fails")
            with gr.Accordion("The Python of this picture", open=False):
                parts["script"] = gr.Code(
                    language="python", interactive=False, wrap_lines=True, show_label=False, elem_id="restore-script"
                )
    gr.Markdown(words.HOW, latex_delimiters=[])
    wire = Wiring(session, studio, parts)
    view = wire.first(do.go, do.RUN, do.SHOWN)
    changed = [by_hand(parts[name]) for name in ("task", "variant", "source")]
    changed += [parts[name].release for name in ("sigma", "blur")]
    changed += [parts[name].submit for name in ("number", "index")]
    wire(changed, do.go, do.RUN, do.SHOWN, tab="restore", **HEAVY)
    wire.click(parts["view"], do.painted, [], ["mask"], {"hole": "hole"}, **LIGHT).success(*view, **NEWEST, **HEAVY)
    return Tab({name: parts[part] for name, part in NAMES.items()}, view, looks=looks, alike=True)


def _controls(studio: Studio, selection: Selection) -> dict[str, Any]:
    """The task, and what belongs to each; a task shows its own."""
    on: dict[str, Any] = {"interactive": True}
    whole: dict[str, Any] = {"minimum": 0, "precision": 0}
    present = do.others(studio)
    sources = [("the picture above", words.OWN), *((row.title, name) for name, row in DATASETS.items() if name in present)]
    return {
        "task": gr.Radio(list(words.TASKS.items()), value="denoise", label="what to do", elem_id="restore-task", **on),
        "sigma": slider(
            RestoreRequest, "sigma", step=0.05, maximum=0.6, info="standard deviation per pixel", elem_id="restore-sigma"
        ),
        "variant": gr.Radio(
            list(words.VARIANTS.items()), value=words.FREE, label="known pixels", visible=False, elem_id="restore-known", **on
        ),
        "mask": gr.Textbox("", visible="hidden", elem_id="restore-mask"),
        "source": gr.Dropdown(
            sources, value=FIRST if FIRST in present else words.OWN, label="from", visible=False, elem_id="restore-from", **on
        ),
        "number": gr.Number(17, label="number of its test image", visible=False, elem_id="restore-number", **whole, **on),
        "blur": slider(
            RestoreRequest, "blur", step=0.5, maximum=3, label="blur the start first", info="pixels (thesis Fig. 2.9)",
            visible=False, elem_id="restore-blur",
        ),
        "index": gr.Number(
            0, label="number of the test image", visible=selection.picture.value == "test", elem_id="restore-index",
            **whole, **on,
        ),
    }  # fmt: skip
