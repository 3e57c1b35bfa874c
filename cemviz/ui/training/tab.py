"""The training tab: a recipe and its buttons, numbers and figures, and which event calls which handler."""

from pathlib import Path
from typing import Any

import gradio as gr

from ...backend.checks import MAX_SEED
from ...backend.requests import MAX_UPDATES, RunRequest
from ...backend.studio import Studio
from ...backend.train import checks, runs
from ...backend.train import live as training
from ...training.recipes import RECIPES
from ..controls import HEAVY, LIGHT, Tab, by_hand
from ..fields import control, radio
from ..modules import module_view, served
from ..selection import Selection
from ..views import live_plot
from ..wiring import Wiring
from . import handlers as do
from . import words
from .plots import FIGURES

NAMES = {
    "t.recipe": "recipe", "t.scale": "scale", "t.steps": "steps", "t.seed": "seed", "t.a": "a", "t.b": "b", "t.at": "chosen",
}  # fmt: skip
"""Name in the address -> control."""

TRAINING: dict[str, Any] = {**HEAVY, "concurrency_id": "training", "concurrency_limit": 2}
"""Arguments of events that train: runs are long and do not take the places of short events; the device is shared in turns."""


def build(session: gr.State, studio: Studio, selection: Selection) -> Tab:
    """Lay the tab out and wire it."""
    with gr.Row():
        with gr.Column(scale=1, min_width=280, visible=training.OPEN, elem_id="train-controls"):
            parts = _buttons() | _recipe()
            parts["row"] = gr.HTML("", css_template=words.TABLE_CSS, padding=False, elem_id="train-row")
        with gr.Column(scale=4, min_width=320, elem_id="train-stage"):
            parts |= _runs() | _figures()
            parts["numbers"] = gr.HTML("", css_template=words.TABLE_CSS, padding=False, elem_id="train-numbers")
    gr.Markdown(words.STORY, elem_id="train-story")
    gr.Markdown(words.HOW, latex_delimiters=[])
    wire, row = Wiring(session, studio, parts), ["recipe", "scale", "steps"]
    for name in ("recipe", "scale"):
        wire(by_hand(parts[name]), do.choose, ["recipe", "scale"], [*row[1:], "name", "row", "download"], **LIGHT)
    wire(parts["steps"].change, do.explain, row, ["row", "download"], **LIGHT)
    wire(parts["start"].click, do.begin, [*row, "seed", "name", "download"], do.RAN, **TRAINING)
    wire(parts["resume"].click, do.resume, ["pending", "download"], do.RAN, **TRAINING)
    wire(parts["pause"].click, do.halt, [], ["status"], **LIGHT)
    wire(parts["discard"].click, do.discard, ["pending"], do.RAN, **LIGHT)
    wire(by_hand(parts["pending"]), do.offer, ["pending"], ["resume"], **LIGHT)
    wire([by_hand(parts["a"]), by_hand(parts["b"])], do.others, ["a", "b"], do.DRAWN, **LIGHT)
    wire(parts["at"].input, do.view, ["a", "b", "at"], do.DRAWN, **LIGHT)
    parts["at"].input(None, parts["at"], None, js=AT)
    wire.click(parts["frames"], do.view, ["a", "b"], do.DRAWN, {"at": "step"}, **LIGHT)
    for key, figure in FIGURES.items():
        if figure.rows:  # curves over updates
            wire.click(parts[key], do.view, ["a", "b"], do.DRAWN, {"at": "x"}, **LIGHT)
    return Tab(
        {name: parts[part] for name, part in NAMES.items()},
        wire.first(do.opening, do.VIEW, [*do.RAN, "row", "scale", "download"]),
        menus={
            parts["a"]: lambda _: do.run_choices(),
            parts["b"]: lambda _: do.compared(),
            parts["pending"]: lambda _: list(runs.unfinished()),
        },
    )


FRAMES = served(Path(__file__).parent / "frames.js")

AT = "(at) => { document.dispatchEvent(new CustomEvent('cemviz-update', { detail: at })); return []; }"
"""Another update to look at, in JavaScript: the view of the frames has them all."""


def _recipe() -> dict[str, Any]:
    """Controls for what is to be trained."""
    request, narrow = RunRequest, {"min_width": 110, "info": None}
    recipes = [(row["evidence"].title, key) for key, row in RECIPES.items()]
    parts = {
        "recipe": control(request, "recipe", do.RECIPE, choices=recipes, elem_id="train-recipe"),
        "scale": radio(
            request, "scale", elem_id="train-scale",
            info="on two CPU cores: evidence about 3 minutes, laptop 15, shipped up to 2 hours",
        ),
    }  # fmt: skip
    with gr.Row():
        first = RECIPES[do.RECIPE]["evidence"].steps
        parts["steps"] = control(request, "steps", first, minimum=1, maximum=MAX_UPDATES, elem_id="train-steps", **narrow)
        parts["seed"] = control(request, "seed", minimum=0, maximum=MAX_SEED, elem_id="train-seed", **narrow)
    parts["name"] = control(request, "name", checks.proposed(do.RECIPE), max_length=64, elem_id="train-name")
    parts["download"] = control(request, "download", visible=False, elem_id="train-download")
    return parts


def _buttons() -> dict[str, Any]:
    """Start and pause, and what can be done with a run that is unfinished."""
    parts: dict[str, Any] = {}
    with gr.Row():
        parts["start"] = gr.Button("Start", variant="primary", min_width=110, elem_id="train-start")
        parts["pause"] = gr.Button("Pause", min_width=110, elem_id="train-pause")
    with gr.Column(visible=False) as parts["kept"]:
        parts["pending"] = gr.Dropdown([], label="unfinished run", interactive=True, elem_id="train-pending")
        with gr.Row():
            parts["resume"] = gr.Button("Resume", min_width=110, elem_id="train-resume")
            parts["discard"] = gr.Button("Discard", min_width=110, elem_id="train-discard")
    return parts


def _runs() -> dict[str, Any]:
    """How a run stands, and which runs are shown at which update."""
    parts: dict[str, Any] = {"status": gr.Markdown("", elem_id="train-status")}
    on: dict[str, Any] = {"interactive": True}
    with gr.Row():
        first = do.opened()
        parts["a"] = gr.Dropdown(do.run_choices(), value=first, label="show the run of", elem_id="train-a", **on)
        parts["b"] = gr.Dropdown(do.compared(), value=do.partner(first), label="beside it", elem_id="train-b", **on)
        most = MAX_UPDATES
        parts["at"] = gr.Slider(0, most, most, step=1, label="update looked at", elem_id="train-look", **on)
        # the slider stands at the last update too where none is chosen
        parts["chosen"] = gr.Number(do.LAST, visible="hidden", elem_id="train-chosen", **on)
    template = '<div id="cem-frames" class="cem-frames" hidden></div>'
    parts["frames"] = module_view(FRAMES, template, "(element, props, watch, trigger)", None, elem_id="train-frames")
    gr.Markdown(words.learned(), elem_id="train-learned")
    return parts


def _figures() -> dict[str, Any]:
    """The figures, two a row."""
    keys, parts = list(FIGURES), {}
    for i in range(0, len(keys), 2):
        with gr.Row():
            for key in keys[i : i + 2]:
                figure = FIGURES[key]
                with gr.Column(min_width=310, visible=key != "game") as parts[f"{key}_column"]:
                    gr.Markdown(f"**{words.subscripts(figure.title)}**  \n{figure.how}")
                    parts[key] = live_plot(height=figure.height, label=figure.title, elem_id=f"train-{key}")
    return parts
