"""The sampling tab: controls, the player and downloads, and which event calls which handler."""

from functools import partial
from typing import Any

import gradio as gr

from ...backend.presets import SAMPLE
from ...backend.requests import SampleRequest
from ...backend.studio import Studio
from ...samplers import SAMPLERS, SETTINGS, suited
from ..controls import HEAVY, LIGHT, NEWEST, Stories, Tab, by_hand
from ..fields import control, radio, slider
from ..selection import Selection
from ..views import chain_player
from ..wiring import Wiring, values_of
from . import handlers as do
from .words import HOW, NOTHING

NAMES = {
    "s.story": "story", "s.as": "by_a", "s.bs": "by_b", "s.start": "start", "s.classes": "classes", "s.count": "count",
    "s.alpha": "alpha", "s.eta": "eta", "s.beta": "beta", "s.K": "steps", "s.features": "features", "s.numbers": "setting",
}  # fmt: skip
"""Name in the address -> control."""


FILES = {"png": "PNG of the last step", "gif": "GIF of all steps", "npz": "npz of all numbers"}
"""Ending of a file that can be taken away -> its button's words."""


def build(session: gr.State, studio: Studio, selection: Selection) -> Tab:
    """Lay the tab out and wire it."""
    stories = [key for _, key in do.stories(studio)]
    first = values_of(do.controls_of(studio, None, story=do.FIRST)) if do.FIRST in stories else {}
    looks = {name: selection.parts[name] for name in ("a", "b", "x", "y", "seed")}
    parts: dict[str, Any] = dict(looks)
    with gr.Row():
        with gr.Column(scale=1, min_width=280, elem_id="samp-controls"):
            with gr.Row():
                go = gr.Button("Sample", variant="primary", elem_id="samp-run", min_width=110)
                halt = gr.Button("Stop", elem_id="samp-stop", min_width=110)
            parts["story"] = gr.Dropdown(
                do.stories(studio), value=do.FIRST if do.FIRST in stories else None, label="story", elem_id="samp-preset",
                interactive=True,
            )  # fmt: skip
            parts["prose"] = gr.Markdown(_first_words(studio, stories), elem_id="samp-story")
            parts |= _controls(first)
        with gr.Column(scale=4, min_width=320, elem_id="samp-stage"):
            parts |= _stage()
    gr.Markdown(HOW, latex_delimiters=[])
    wire = Wiring(session, studio, parts)
    sampling = wire(go.click, do.go, do.RUN, do.SHOWN, **NEWEST, **HEAVY)
    setting = ["prose", "setting", *do.RUN[1:]]
    outputs = [*dict.fromkeys([*setting, *do.SHOWN])]
    played = wire(by_hand(parts["story"]), do.play, do.RUN, outputs, **NEWEST, **HEAVY)
    wire([by_hand(parts[name]) for name in ("setting", "by_a")], do.numbers, ["setting", "by_a", "a"], do.LENGTHS, **LIGHT)
    for suffix in FILES:  # a file is made when it is asked for: packing one takes longer than drawing
        wire.file(parts[suffix], partial(do.as_file, suffix=suffix), "file", "samp-file")
    wire(halt.click, do.halt, [], ["status"], cancels=[sampling, played], **LIGHT)

    def controls_of(story: str) -> dict[Any, Any]:
        return {parts[name]: value for name, value in do.controls_of(studio, None, story=story).items()}

    return Tab(
        {name: parts[part] for name, part in NAMES.items()},
        wire.first(do.opened, [*do.RUN, "setting"], [*do.SHOWN, *do.FITTED]),
        menus={parts["story"]: lambda _: do.stories(studio)},
        stories=Stories(parts["story"], controls_of, wire[setting]),
        looks=looks,
        follow=wire.first(do.followed, ["setting", "a", "by_a", "b", "by_b"], do.FITTED),
        alike=True,
    )


def _first_words(studio: Studio, stories: list[str]) -> str:
    """Words above the first picture: its story, or how to get a model."""
    if do.FIRST in stories:
        return SAMPLE[do.FIRST].story
    return "" if do.sampled(studio) else NOTHING


def _controls(first: dict[str, Any]) -> dict[str, Any]:
    """Samplers and numbers, which begin as the first story has them."""
    names = do.menu(list(SAMPLERS))  # all of them, so that an address may ask for any
    on: dict[str, Any] = {"interactive": True}
    narrow = {"min_width": 110}
    base = suited("rcs", (1, 28, 28))
    rcs = {"alpha": base.step, "eta": base.noise, "beta": f"{base.radius:g}", "steps": base.steps}
    begin = {"by_a": "rcs", "by_b": "rcs", "start": None, "classes": "", "count": None} | rcs | first
    make = partial(control, SampleRequest)
    parts = {
        "by_a": gr.Dropdown(names, value=begin["by_a"], label="sampler A", elem_id="samp-sampler-a", **on),
        "by_b": gr.Dropdown(names, value=begin["by_b"], label="sampler B", elem_id="samp-sampler-b", **on),
        "start": make("start", begin["start"], label="start x₀", elem_id="samp-start"),
        "classes": make(
            "classes", begin["classes"], placeholder="all in turn; or 3, 7", info="names or numbers, commas between",
            elem_id="samp-classes",
        ),
        "count": slider(SampleRequest, "count", begin["count"], elem_id="samp-count"),
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
        parts["alpha"] = make("step", begin["alpha"], elem_id="samp-alpha", **narrow)
        parts["eta"] = make("noise", begin["eta"], elem_id="samp-eta", **narrow)
    with gr.Row():
        beta = {"label": "β radius", "info": "of the ball, or inf", "elem_id": "samp-beta", **on, **narrow}
        parts["beta"] = gr.Textbox(begin["beta"], **beta)  # a number field knows no infinity
        parts["steps"] = make("steps", begin["steps"], precision=None, elem_id="samp-steps", **narrow)
    return parts


def _stage() -> dict[str, Any]:
    """The player, what is said of it, and what can be taken away."""
    parts = {
        "player": chain_player(
            label="Chains step by step", empty="Chains appear here.", poster="cem-opening", elem_id="samp-player"
        ),
        "status": gr.Markdown("", elem_id="samp-status"),
    }
    with gr.Row():
        for name, title in FILES.items():
            parts[name] = gr.Button(title, elem_id=f"samp-{name}", min_width=150)
    parts["file"] = gr.DownloadButton("the file", elem_id="samp-file", visible="hidden")
    with gr.Accordion("The Python of this picture", open=False):
        parts["script"] = gr.Code(
            language="python", interactive=False, wrap_lines=True, show_label=False, elem_id="samp-script"
        )
    return parts
