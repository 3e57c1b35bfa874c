"""The playground: controls, the plane with its transport bar, numbers and history, and which event calls which handler."""

from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from ...backend import snapshots
from ...backend.beside import DIFFERENCES, NONE
from ...backend.checks import MAX_SEED
from ...backend.fields import fields_of
from ...backend.presets import PLAY
from ...backend.requests import PlayRequest, RulesRequest
from ...backend.studio import Studio
from ...data.named import p0, p_data
from ..controls import LIGHT, NEWEST, Stories, Tab, by_hand
from ..fields import control, radio, slider
from ..modules import module_view, served, shipped
from ..selection import Selection
from ..wiring import Wiring
from . import handlers as do
from . import own, playing
from .plots import FIELDS, LAYERS
from .words import FIGURES_CSS, HOW

HERE = Path(__file__).parent

PLAYING: dict[str, Any] = {
    "concurrency_id": "play",
    "concurrency_limit": 24,
    "show_progress": "hidden",
    "api_visibility": "private",
}
"""A game is light and keeps out of the device's queue; many share half of a core, see `playing.Court`."""

MOVES = {**PLAYING, "concurrency_id": "play-moves"}
"""Single moves do not wait for those who play."""

SPEEDS: list[tuple[str, int]] = [
    ("slow motion: one move at a time", 0), ("1 turn a frame", 1), ("2 turns a frame", 2), ("5 turns a frame", 5),
    ("20 turns a frame", 20),
]  # fmt: skip

NAMES = {
    "p.preset": "preset", "p.data": "data", "p.p0": "p0", "p.rule": "rule", "p.K": "steps", "p.lambda": "step",
    "p.inner": "inner", "p.lr": "lr", "p.seed": "seed", "p.show": "layers",
    "p.field": "field", "p.beside": "beside",
}  # fmt: skip
"""Name in the address -> control."""

FIRST = "maximin"

PLANE = f'<div class="cem-plane" data-layers="{",".join(LAYERS)}" data-field="D"></div>'

SHOW = """(layers, field) => {
  for (const id of ['play-plane', 'play-second']) Object.assign(document.getElementById(id)?.dataset ?? {}, { layers, field });
  return [];
}"""
"""Choice of what the planes show, in JavaScript: it has all layers already."""


def build(session: gr.State, studio: Studio, selection: Selection) -> Tab:
    """Lay the tab out and wire it."""
    for name in PLAY:
        shipped(snapshots.file(name))
    with gr.Row():
        with gr.Column(scale=3, min_width=280, elem_id="play-controls"):
            parts = _controls()
        with gr.Column(scale=6, min_width=320, elem_id="play-stage"):
            parts |= _stage()
        with gr.Column(scale=4, min_width=290, elem_id="play-standing"):
            parts |= _standing()
    gr.Markdown(HOW, latex_delimiters=[])
    wire = Wiring(session, studio, parts)
    running = wire(parts["play"].click, playing.play, ["speed"], do.FRAME, **PLAYING)
    still: dict[str, Any] = {**MOVES, "cancels": [running]}
    wire(parts["pause"].click, playing.pause, [], do.FRAME, cancels=[running], **LIGHT)
    for which in ("attack", "learn", "turn"):
        wire(parts[which].click, partial(do.move, which=which), [], do.FRAME, **still)
    wire(parts["reset"].click, do.restart, do.GAME, do.BEGUN, **still)
    # .input and not .change: a value restored from the address or set by a preset must not start another game
    for name in ("data", "p0", "beside"):
        wire(by_hand(parts[name]), do.restart, do.GAME, do.BEGUN, **still)
    wire(parts["seed"].input, do.reseed, do.GAME, do.BEGUN, **still)
    wire(by_hand(parts["preset"]), do.choose, ["preset", "beside"], [*do.PRESET, "story", "script", *do.FRAME], **still)
    suited = [*do.NUMBERS, "story", "script", *do.FRAME]
    wire(by_hand(parts["rule"]), do.change_rule, ["preset", "data", "p0", "rule", "seed", "beside"], suited, **still)
    for name in do.NUMBERS:
        wire(parts[name].input, do.change, ["preset", *do.NUMBERS], ["story", "script", "status"], **LIGHT)
    wire.click(parts["plane"], do.look, [], ["numbers", "status"], {"k": "k"}, **LIGHT, cancels=[running])
    painted, dragged = {"painting": "painting"}, {name: name for name in ("x", "y", "size")}
    others = [name for name in do.GAME if name != "data"]
    wire.sent(parts["plane"].apply, own.paint, others, ["data", *do.BEGUN], painted, **still)
    wire.sent(parts["plane"].release, own.place, do.GAME, ["p0", *do.BEGUN], dragged, **still)
    wire(parts["plane"].play, playing.acknowledge, [], [], **NEWEST, **LIGHT)
    wire(by_hand(parts["speed"]), playing.set_speed, ["speed"], [], **LIGHT)
    toggles = wire[["layers", "field"]]
    gr.on([part.change for part in toggles], None, toggles, None, js=SHOW)

    def controls_of(preset: str) -> dict[Any, Any]:
        return {parts[name]: value for name, value in do.controls_of(studio, None, preset=preset).items()}

    return Tab(
        {name: parts[part] for name, part in NAMES.items()},
        wire.first(do.first, ["layers", "field", *do.GAME], do.BEGUN),
        [running],
        stories=Stories(parts["preset"], controls_of, wire[do.PRESET]),
        readers={parts["data"]: partial(own.choice, p_data), parts["p0"]: partial(own.choice, p0)},
    )


def _controls() -> dict[str, Any]:
    """The story, and the rules of the game."""
    chosen = PLAY[FIRST]
    titles = [(preset.title, key) for key, preset in PLAY.items()]

    def number(name: str, step: float, elem_id: str) -> gr.Slider:
        about, value = fields_of(RulesRequest)[name], getattr(chosen.rules, name)
        label = f"{about.symbol}: {about.title}" if about.symbol else about.title
        return slider(RulesRequest, name, value, step=step, label=label, info=about.help, elem_id=elem_id)

    def menu(name: str, title: str) -> gr.components.Component:
        return control(RulesRequest, name, getattr(chosen.rules, name), label=title, elem_id=f"play-{name}")

    return {
        "preset": gr.Dropdown(titles, value=FIRST, label="story", interactive=True, elem_id="play-preset"),
        "story": gr.Markdown(chosen.story, elem_id="play-story"),
        "beside": gr.Dropdown(
            [("no other game", NONE), *((title, key) for key, title in DIFFERENCES.items())], value=NONE, interactive=True,
            label="beside it, the same game but", elem_id="play-beside",
        ),
        "rule": radio(RulesRequest, "rule", chosen.rules.rule, elem_id="play-rule"),
        "data": menu("data", "p_data: dots"),
        "p0": menu("p0", "p₀: crosses"),
        "steps": number("steps", 1, "play-K"),
        "step": number("step", 0.01, "play-lambda"),
        "inner": number("inner", 1, "play-inner"),
        "lr": number("lr", 0.0002, "play-lr"),
        "seed": control(
            PlayRequest, "seed", chosen.seed, label="seed", info="of net and draws; a new one starts a new game", minimum=0,
            maximum=MAX_SEED, elem_id="play-seed",
        ),
    }  # fmt: skip


def _stage() -> dict[str, Any]:
    """The transport bar, the plane, and what of it to show."""
    parts: dict[str, Any] = {}
    with gr.Row():
        parts["play"] = gr.Button("Play", variant="primary", size="md", min_width=80, elem_id="play-run")
        parts["pause"] = gr.Button("Pause", size="md", min_width=80, elem_id="play-pause", elem_classes="pause-when-hidden")
        parts["reset"] = gr.Button("Reset", size="md", min_width=80, elem_id="play-reset")
    with gr.Row():
        for name, title in (("attack", "Points climb f"), ("learn", "Net answers"), ("turn", "Both")):
            parts[name] = gr.Button(title, size="md", min_width=80, elem_id=f"play-{name}")
    parts["status"] = gr.Markdown("", elem_id="play-status")
    fields = [(title, key) for key, title in FIELDS.items()]
    parts["field"] = gr.Radio(
        fields, value="D", label="colours", show_label=False, container=False, interactive=True, elem_id="play-field"
    )
    label = "The plane: D or E as colours, its normalised gradient field, points of p_data, p0 and p_T, with paths"
    with gr.Row(elem_id="play-planes"):
        for name, elem_id in (("plane", "play-plane"), ("second", "play-second")):
            parts[name] = module_view(
                served(HERE / "stage.js"), PLANE, "(element, props, watch, trigger)", None, label=label, elem_id=elem_id,
                visible=name == "plane", min_width=160,
            )  # fmt: skip
    layers = [(title, key) for key, title in LAYERS.items()]
    parts["layers"] = gr.CheckboxGroup(layers, value=list(LAYERS), label="show", interactive=True, elem_id="play-layers")
    with gr.Accordion("The Python of this game", open=False):
        parts["script"] = gr.Code(
            language="python", interactive=False, wrap_lines=True, show_label=False, elem_id="play-script"
        )
    return parts


def _standing() -> dict[str, Any]:
    """How the game stands, now and over turns."""
    return {
        "speed": gr.Dropdown(SPEEDS, value=2, label="speed", interactive=True, elem_id="play-speed"),
        "numbers": gr.HTML("", css_template=FIGURES_CSS, elem_id="play-numbers"),
        "history": module_view(
            served(HERE / "curves.js"),
            '<div class="cem-curves-live"></div>',
            "(element, props, watch)",
            None,
            label="Payoff, D on the support and spurious share over turns",
            elem_id="play-history",
        ),
    }
