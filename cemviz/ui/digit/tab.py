"""The digit tab: a pad, two nets, and four answers to what is drawn."""

from pathlib import Path

import gradio as gr

from ...backend.studio import Studio
from ..controls import HEAVY, NEWEST, TAKING, Tab
from ..modules import module_view, served
from ..selection import Selection
from ..wiring import Wiring
from . import handlers as do
from . import words

HERE = Path(__file__).parent
PAD, SEEN = served(HERE / "pad.js"), served(HERE / "digit.js")
NAMES = {"d.x": "pad"}
"""Name in the address -> control."""


def build(session: gr.State, studio: Studio, selection: Selection) -> Tab:
    """Lay the tab out and wire it."""
    gr.Markdown(words.INTRO, elem_id="digit-intro")
    with gr.Row():
        with gr.Column(scale=1, min_width=300, elem_id="digit-controls"):
            with gr.Column() as drawing:
                pad = module_view(
                    PAD, '<div id="cem-pad"></div>', "(element, props, trigger, watch)", do.example(), elem_id="digit-pad"
                )
            instead = gr.Markdown(words.INSTEAD, visible=False, elem_id="digit-instead")
            status = gr.Markdown("", elem_id="digit-status")
        with gr.Column(scale=3, min_width=320, elem_id="digit-stage"):
            results = module_view(SEEN, '<div id="cem-digit"></div>', "(element, props, watch)", None, elem_id="digit-results")
    looks = {"a": selection.a, "b": selection.b, "x": selection.picture, "y": selection.label}
    parts = {"pad": pad, "picture": selection.picture, "status": status, "results": results, **looks}
    parts |= {"drawing": drawing, "instead": instead}
    wire = Wiring(session, studio, parts)
    view = wire.first(do.go, do.RUN, do.SHOWN)
    wire.click(pad, do.take, [], ["pad", "picture"], {"kind": "kind", "data": "data", "number": "number"}, **TAKING).success(
        *view, **NEWEST, **HEAVY
    )
    return Tab({name: parts[part] for name, part in NAMES.items()}, view, looks=looks, alike=True)
