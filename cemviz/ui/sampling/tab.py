"""The sampling tab: controls, the player and downloads, and which event calls which handler."""

from functools import partial
from typing import Any

import gradio as gr

from ...backend.presets import SAMPLE
from ...backend.requests import SampleRequest
from ...backend.studio import Studio
from ...samplers import SAMPLERS, SETTINGS, suited
from ..controls import HEAVY, LIGHT, Stories, Tab
from ..fields import control, radio, slider
from ..views import chain_player
from ..wiring import Wiring
from . import handlers as do
from .words import HOW, NOTHING

NAMES = {
    "s.story": "story", "s.a": "a", "s.as": "by_a", "s.b": "b", "s.bs": "by_b", "s.start": "start", "s.classes": "classes",
    "s.count": "count", "s.alpha": "alpha", "s.eta": "eta", "s.beta": "beta", "s.K": "steps", "s.seed": "seed",
    "s.features": "features", "s.numbers": "setting",
}  # fmt: skip
"""Name in the address -> control."""


def build(session: gr.State, studio: Studio) -> Tab:
    """Lay the tab out and wire it."""
    told = [key for _, key in do.stories(studio)]
    parts: dict[str, Any] = {}
    with gr.Row():
        with gr.Column(scale=1, min_width=280, elem_id="samp-controls"):
            with gr.Row():
                go = gr.Button("Sample", variant="primary", elem_id="samp-run", min_width=110)
                halt = gr.Button("Stop", elem_id="samp-stop", min_width=110)
            parts["story"] = gr.Dropdown(
                do.stories(studio), value=do.FIRST if do.FIRST in told else None, label="story", elem_id="samp-preset",
                interactive=True,
            )  # fmt: skip
            parts["prose"] = gr.Markdown(_first_words(studio, told), elem_id="samp-story")
            parts |= _controls(studio)  # they begin with the first story's numbers
        with gr.Column(scale=4, min_width=320, elem_id="samp-stage"):
            parts |= _stage()
    gr.Markdown(HOW, latex_delimiters=[])
    wire = Wiring(session, studio, parts)
    drawn = wire(go.click, do.go, do.RUN, do.SHOWN, trigger_mode="once", **HEAVY)
    setting = ["prose", "setting", *do.RUN[1:]]
    chosen = wire(parts["story"].input, do.tell, ["story"], setting, **LIGHT)
    run, inputs, outputs = wire.first(do.go, do.RUN, do.SHOWN)
    played = chosen.then(run, inputs, outputs, **HEAVY)
    wire([parts[name].input for name in ("setting", "by_a")], do.numbers, ["setting", "by_a", "a"], do.LENGTHS, **LIGHT)
    models = ["setting", "a", "by_a", "b", "by_b"]
    fitted = ["setting", "by_a", "by_b", "start", "count", "features", *do.LENGTHS]
    wire([parts[name].input for name in ("a", "b")], do.followed, models, fitted, **LIGHT)
    wire(halt.click, do.halt, [], ["status"], cancels=[drawn, played], **LIGHT)

    def tell(story: str) -> dict[Any, Any]:
        return {parts[name]: value for name, value in do.tell(studio, None, story=story).items()}

    listed = {"story": do.stories, "a": do.models, "b": do.beside}
    return Tab(
        {name: parts[part] for name, part in NAMES.items()},
        (run, inputs, outputs),
        menus={parts[name]: partial(choices, studio) for name, choices in listed.items()},
        stories=Stories(parts["story"], tell, wire[setting]),
    )


def _first_words(studio: Studio, told: list[str]) -> str:
    """Words above the first picture: its story, or how to get a model."""
    if do.FIRST in told:
        return SAMPLE[do.FIRST].story
    return "" if do.sampled(studio) else NOTHING


def _controls(studio: Studio) -> dict[str, Any]:
    """Models, samplers and numbers."""
    models, names = do.sampled(studio), do.menu(list(SAMPLERS))  # all of them, so that an address may ask for any
    on: dict[str, Any] = {"interactive": True}
    base, narrow = suited("rcs", (1, 28, 28)), {"min_width": 110}
    make = partial(control, SampleRequest)
    parts = {
        "a": gr.Dropdown(do.models(studio), value=_first(models, "mnist-at"), label="model A", elem_id="samp-model-a", **on),
        "by_a": gr.Dropdown(names, value="rcs", label="sampler A", elem_id="samp-sampler-a", **on),
        "b": gr.Dropdown(
            do.beside(studio), value="mnist-standard" if "mnist-standard" in models else do.NONE, label="model B",
            elem_id="samp-model-b", **on,
        ),
        "by_b": gr.Dropdown(names, value="rcs", label="sampler B", elem_id="samp-sampler-b", **on),
        "start": make("start", label="start x₀", elem_id="samp-start"),
        "classes": make(
            "classes", "", placeholder="all in turn; or 3, 7", info="names or numbers, commas between", elem_id="samp-classes"
        ),
        "count": slider(SampleRequest, "count", elem_id="samp-count"),
        "features": radio(
            SampleRequest, "features", label="features g(x)", info="of encoders; CEM does not say which", visible=False,
            elem_id="samp-features",
        ),
        "setting": gr.Dropdown(
            [("as suits sampler and data", "suited"), *[(row.title, key) for key, row in SETTINGS.items()]],
            value="suited", label="numbers of", elem_id="samp-setting", **on,
        ),
    }  # fmt: skip
    with gr.Row():
        parts["alpha"] = make("step", base.step, elem_id="samp-alpha", **narrow)
        parts["eta"] = make("noise", base.noise, elem_id="samp-eta", **narrow)
    with gr.Row():
        beta = {"label": "β radius", "info": "of the ball, or inf", "elem_id": "samp-beta", **on, **narrow}
        parts["beta"] = gr.Textbox(f"{base.radius:g}", **beta)  # a number field knows no infinity
        parts["steps"] = make("steps", base.steps, precision=None, elem_id="samp-steps", **narrow)
    parts["seed"] = make("seed", elem_id="samp-seed")
    return parts


def _stage() -> dict[str, Any]:
    """The player, what is said of it, and what can be taken away."""
    parts = {
        "player": chain_player(label="Chains step by step", empty="Chains appear here.", elem_id="samp-player"),
        "status": gr.Markdown("", elem_id="samp-status"),
    }
    with gr.Row():
        for name, title in (("png", "PNG of the last step"), ("gif", "GIF of all steps"), ("npz", "npz of all numbers")):
            parts[name] = gr.DownloadButton(title, elem_id=f"samp-{name}", min_width=150)
    with gr.Accordion("The Python of this picture", open=False):
        parts["script"] = gr.Code(
            language="python", interactive=False, wrap_lines=True, show_label=False, elem_id="samp-script"
        )
    return parts


def _first(models: list[str], wanted: str) -> str | None:
    return wanted if wanted in models else next(iter(models), None)
