"""The first tab: a place for the tour, whose script and data come with the head of the page."""

import json
from pathlib import Path
from typing import Any

import gradio as gr

from ...backend import tour
from ...backend.stored import artefacts
from ...backend.studio import Studio
from ..controls import Tab
from ..modules import served, shipped
from ..selection import Selection
from .words import rows

HERE = Path(__file__).parent

WITHOUT = """## A classifier that withstands attacks can draw

Read as an energy-based model, its logits are a landscape: attacks climb it, adversarial training flattens it, and samplers roll
down it. **The tour is not here:** its pictures are made from the models that ship. Bring those back, then run
`python -m cemviz assets mnist --only tour`. All other tabs work without it."""


def build(session: gr.State, studio: Studio, selection: Selection) -> Tab:
    """Make the tab inside `with gr.Tab(...)`."""
    if tour.opening() is None or tour.stations() is None:
        gr.Markdown(WITHOUT)
    else:
        gr.HTML('<div id="start-place"></div>', apply_default_css=False, elem_id="start-tab")
    return Tab()


def head() -> str:
    """Data and script of the tour for the page's head; empty where its pictures are not stored.

    The opening is in the page itself, so that it moves before anything else is there; the stations are a file beside it.
    """
    opening, stations = tour.opening(), tour.stations()
    if opening is None or stations is None:
        return ""
    file = artefacts.path("tour", "stations")
    words = rows(stations.head | opening.head)
    return "\n".join((
        _data("cem-opening", opening.head),
        _data("cem-tour", words, f' data-src="{shipped(file)}"'),
        f'<script type="module" async fetchpriority="high" src="{served(HERE / "start.js")}"></script>',
    ))  # fmt: skip


def _data(name: str, value: Any, more: str = "") -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return f'<script type="application/json" id="{name}"{more}>{text}</script>'
