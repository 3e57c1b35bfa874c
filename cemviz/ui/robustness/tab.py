"""The robustness tab: its two halves, each with controls beside a stage, and which event calls which handler."""

from functools import partial
from typing import Any

import gradio as gr

from ...backend.attack.examples import FACTORS
from ...backend.attack.rates import MOST_MODELS
from ...backend.requests import AttackedRequest, RobustnessRequest
from ...backend.studio import Studio
from ..controls import HEAVY, LIGHT, NEWEST, PLAIN, Tab, by_hand
from ..fields import control, ends, radio
from ..selection import Selection
from ..views import live_plot
from ..wiring import Wiring
from . import handlers as do
from . import words

NAMES = {
    "r.from": "origin", "r.models": "models", "r.attacks": "attacks", "r.norm": "norm", "r.radius": "radius",
    "r.count": "count", "r.seed": "seed", "r.curve": "curve", "r.attack": "attack", "r.images": "source",
    "r.first": "first", "r.shown": "shown", "r.ball": "ball", "r.eps": "eps", "r.times": "factor",
}  # fmt: skip
"""Name in the address -> control."""

ON: dict[str, Any] = {"interactive": True}


def build(session: gr.State, studio: Studio, selection: Selection) -> Tab:
    """Lay the tab out and wire it."""
    cards = do.classifying(studio)
    models = (words.pair(cards, "mnist") or words.pair(cards, next(iter(cards.values())).data if cards else ""))[:MOST_MODELS]
    model = cards.get(selection.a.value)
    radius = model.radius if model else 0.1
    with gr.Row():
        with gr.Column(scale=1, min_width=280, elem_id="rob-controls"):
            with gr.Row():
                go = gr.Button("Measure", variant="primary", elem_id="rob-run", min_width=100)
                halt = gr.Button("Stop", elem_id="rob-stop", min_width=100)
            gr.Markdown(words.STORY, elem_id="rob-story")
            parts = _rates_controls(do.offered(studio), models, radius)
        with gr.Column(scale=4, min_width=320, elem_id="rob-stage"):
            parts |= _rates_stage()
    gr.Markdown(words.HOW, latex_delimiters=[])
    gr.Markdown(words.EFFECT, latex_delimiters=[], elem_id="rob-effect-story")
    with gr.Row():
        with gr.Column(scale=1, min_width=280, elem_id="rob-look-controls"):
            look = gr.Button("Attack", variant="primary", elem_id="rob-look-run")
            parts |= _images_controls(radius) | {"model": selection.a, "starts": selection.seed}
            parts |= {"x": selection.picture, "y": selection.label}
        with gr.Column(scale=4, min_width=320, elem_id="rob-look"):
            parts |= _images_stage()
    wire = Wiring(session, studio, parts)
    measuring = wire(go.click, do.measure, do.RATES, do.MEASURED, **NEWEST, **HEAVY)
    wire(halt.click, do.halt, [], ["status"], cancels=[measuring], **LIGHT)
    both = [by_hand(parts[name]) for name in ("origin", "models")]
    wire(both, do.choose, ["origin", "models"], [*do.MEASURED, "models"], **LIGHT)
    again = [by_hand(parts[name]) for name in ("source", "ball")]
    again += [parts[name].submit for name in ("first", "shown", "eps")]
    wire([look.click, *again], do.look, do.IMAGES, do.LOOKED, **HEAVY)
    controls = ["attack", "factor"]
    wire([by_hand(parts[name]) for name in controls], do.redraw, controls, do.LOOKED, **LIGHT)
    for norm, size in do.RADIUS.items():
        wire(parts[norm].change, do.radii, [norm], [size], **LIGHT)

    return Tab(
        {name: parts[part] for name, part in NAMES.items()},
        wire.first(do.first, ["origin", *do.RATES, *do.IMAGES], [*do.MEASURED, *do.LOOKED, "models"]),
        menus={parts["models"]: lambda visitor: do.offered(studio, visitor.nets)},
        looks={name: selection.parts[name] for name in ("a", "x", "y", "seed")},
        alike=True,
    )


def _rates_controls(choices: list[tuple[str, str]], models: list[str], radius: float) -> dict[str, Any]:
    """Models, and how they are measured."""
    make = partial(control, RobustnessRequest)
    parts: dict[str, Any] = {
        "origin": gr.Radio(_named(words.ORIGINS), value="shipped", label="numbers", elem_id="rob-from", **ON),
        "models": gr.Dropdown(
            choices, value=models, multiselect=True, max_choices=MOST_MODELS, label="models",
            info=f"up to {MOST_MODELS} of one data set", elem_id="rob-models", **ON,
        ),
    }  # fmt: skip
    with gr.Group(visible=False) as parts["numbers"]:
        attacks = _named(words.attacks())
        parts["attacks"] = gr.CheckboxGroup(attacks, value=list(words.attacks()), label="attacks", elem_id="rob-attacks", **ON)
        parts["norm"], parts["radius"] = _threat(RobustnessRequest, "rob", radius)
        parts["count"] = make("count", info=ends(RobustnessRequest, "count"), elem_id="rob-count")
        parts["seed"] = make("seed", info="of the random starts", elem_id="rob-seed")
        parts["curve"] = make("curve", elem_id="rob-over")
    return parts


def _rates_stage() -> dict[str, Any]:
    """The table, a curve a norm, and the script of both."""
    parts: dict[str, Any] = {
        "status": gr.Markdown("", elem_id="rob-status"),
        "rates": gr.HTML("", elem_id="rob-rates", **PLAIN),
        "caption": gr.Markdown("", elem_id="rob-caption"),
    }
    with gr.Row():
        for norm, (column, plot) in do.PLOTS.items():
            title = words.NORMS[norm]
            with gr.Column(min_width=300, visible=norm == "l2") as parts[column]:
                gr.Markdown(f"**PGD-20 over ε, {title}.** Lines as in the table; bars are one standard error.")
                label = f"Accuracy under PGD-20 over ε, {title}"
                parts[plot] = live_plot(height=380, label=label, elem_id=f"rob-plot-{norm}")
    return parts | {"script": _script("rob-script")}


def _images_controls(radius: float) -> dict[str, Any]:
    """Images, threat model, and what of it is shown."""
    make, narrow = partial(control, AttackedRequest), {"min_width": 110}
    factors = [("as fits", 0), *((f"× {f}", f) for f in FACTORS)]
    parts: dict[str, Any] = {
        "attack": gr.Radio(_named(words.attacks()), value="pgd", label="attack shown", elem_id="rob-attack", **ON),
        "source": radio(AttackedRequest, "source", elem_id="rob-source"),
    }
    with gr.Row():
        parts["first"] = make("first", elem_id="rob-first", **narrow)
        parts["shown"] = make("count", info=ends(AttackedRequest, "count"), elem_id="rob-shown", **narrow)
    parts["ball"], parts["eps"] = _threat(AttackedRequest, "rob-look", radius)
    parts["factor"] = gr.Dropdown(factors, value=0, label="differences", elem_id="rob-factor", **ON)
    return parts


def _images_stage() -> dict[str, Any]:
    """Elements that show the changes by every attack, the images of one of them, and the script."""
    return {
        "effects": gr.HTML("", elem_id="rob-effects", **PLAIN),
        "reading": gr.Markdown("", elem_id="rob-reading"),
        "grid": gr.HTML("", elem_id="rob-grid", **PLAIN),
        "look-script": _script("rob-look-script"),
    }


def _script(elem_id: str) -> gr.Code:
    with gr.Accordion("The Python of this picture", open=False):
        return gr.Code(language="python", interactive=False, wrap_lines=True, show_label=False, elem_id=elem_id)


def _threat(kind: type, prefix: str, radius: float) -> tuple[gr.Radio, gr.components.Component]:
    """Controls of the ball: the card's, or a norm with a radius."""
    info = f"pixel units, {ends(kind, 'radius')}"
    norm = radio(kind, "norm", words.CARD, label="threat model", choices=_named(words.THREATS), elem_id=f"{prefix}-norm")
    return norm, control(kind, "radius", radius, info=info, visible=False, elem_id=f"{prefix}-radius")


def _named(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(title, key) for key, title in table.items()]
