"""The lab: numbers to sweep beside the board, and which event calls which handler."""

from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from ...backend.requests import SweepRequest
from ...backend.sample.columns import COLUMNS
from ...backend.studio import Studio
from ...samplers import SAMPLERS
from ..controls import HEAVY, LIGHT, NEWEST, Tab, by_hand
from ..fields import control
from ..modules import module_view, served
from ..selection import Selection
from ..wiring import Wiring
from . import handlers as do
from . import words

BOARD = served(Path(__file__).parent / "board.js")

NAMES = {
    "k.sampler": "sampler", "k.over": "over", "k.by": "by", "k.first": "first", "k.second": "second", "k.count": "count",
    "k.seeds": "seeds",
}  # fmt: skip
"""Name in the address -> control."""


def build(session: gr.State, studio: Studio, selection: Selection) -> Tab:
    """Lay the tab out and wire it."""
    looks = {"a": selection.a, "seed": selection.seed}
    parts: dict[str, Any] = dict(looks)
    gr.Markdown(words.INTRO, elem_id="lab-intro")
    with gr.Row():
        with gr.Column(scale=1, min_width=280, elem_id="lab-controls"):
            with gr.Row():
                go = gr.Button("Run this sweep", variant="primary", elem_id="lab-run", min_width=150)
                halt = gr.Button("Stop", elem_id="lab-stop", min_width=80)
            model = selection.a.value
            parts |= _controls(do.samplers(studio, model)[0] if model else "rcs")
        with gr.Column(scale=4, min_width=320, elem_id="lab-stage"):
            parts["board"] = module_view(
                BOARD, '<div id="cem-board"></div>', "(element, props, watch)", None, elem_id="lab-board"
            )
            parts |= _below()
    gr.Markdown(words.HOW, latex_delimiters=[])
    wire = Wiring(session, studio, parts)
    inputs = ["by", *do.RUN]
    measuring = wire(go.click, do.measure, inputs, do.SHOWN, **NEWEST, **HEAVY)
    wire(halt.click, do.halt, [], ["status"], cancels=[measuring], **LIGHT)
    wire([by_hand(parts[name]) for name in ("sampler", "over")], do.show, inputs, do.SHOWN, **LIGHT)
    parts["by"].change(None, parts["by"], None, js=BY)
    parts["png"].click(None, None, None, js=PNG)
    for suffix in do.WRITERS:
        wire.file(parts[suffix], partial(do.as_file, suffix=suffix), "file", "lab-file")
    return Tab(
        {name: parts[part] for name, part in NAMES.items()},
        wire.first(do.opened, inputs, do.SHOWN) if do.has_nets(studio) else None,
        looks=looks,
        alike=True,
    )


BY = "(by) => { document.dispatchEvent(new CustomEvent('cemviz-column', { detail: by })); return []; }"
"""Another number to colour by, in JavaScript: the board has them all."""


PNG = "() => { document.dispatchEvent(new CustomEvent('cemviz-board-png')); return []; }"
"""The board as a picture, in JavaScript: the browser has all of it."""


def _controls(sampler: str) -> dict[str, Any]:
    """Sampler, numbers, and how many chains."""
    on: dict[str, Any] = {"interactive": True}
    make, narrow = partial(control, SweepRequest), {"min_width": 110}
    columns = [(row.title, name) for name, row in COLUMNS.items()]
    parts = {
        "sampler": gr.Dropdown(do.menu(list(SAMPLERS)), value=sampler, label="sampler", elem_id="lab-sampler", **on),
        "over": gr.Dropdown(
            [(title, key) for key, title in do.OVER.items()],
            value=next(iter(do.OVER)),
            label="numbers",
            elem_id="lab-over",
            **on,
        ),
        "by": gr.Dropdown(columns, value="confidence", label="coloured by", elem_id="lab-by", **on),
    }  # fmt: skip
    with gr.Accordion("Values of your own", open=False):
        for name, words_of in (("first", "of the first number"), ("second", "of the second number")):
            parts[name] = gr.Textbox(
                "", label=f"values {words_of}", placeholder="as the board has them; or 0, .01, .02", elem_id=f"lab-{name}", **on
            )
        with gr.Row():
            count = {"label": "chains", "placeholder": "as usual", "elem_id": "lab-count", **narrow, **on}
            parts["count"] = gr.Textbox("", **count)  # an empty number field shows 0
            parts["seeds"] = make("seeds", value=1, elem_id="lab-seeds", **narrow)
    return parts


def _below() -> dict[str, Any]:
    """The line that says how it stands, what can be taken away, and what was tried."""
    parts: dict[str, Any] = {"status": gr.Markdown("", elem_id="lab-status")}
    with gr.Row():
        for name, title in (("csv", "CSV of the numbers"), ("json", "JSON of the board")):
            parts[name] = gr.Button(title, interactive=False, elem_id=f"lab-{name}", min_width=110)
        parts["png"] = gr.Button("PNG of the board", interactive=False, elem_id="lab-png", min_width=110)
    parts["file"] = gr.DownloadButton("the file", elem_id="lab-file", visible="hidden")
    parts["tried"] = gr.HTML("", padding=False, elem_id="lab-tried")
    with gr.Accordion("The Python of this board", open=False):
        parts["script"] = gr.Code(language="python", interactive=False, wrap_lines=True, show_label=False, elem_id="lab-script")
    return parts
