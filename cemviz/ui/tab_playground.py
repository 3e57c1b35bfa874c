"""Playground: binary adversarial training as a game in the plane, played live, move by move."""

from typing import Any

import gradio as gr

from ..backend.presets import PLAY
from ..backend.studio import Studio
from ..data.toys import P0S, TOYS
from . import playing
from .controls import LIGHT, Stories, Tab, guarded, guarded_stream
from .plots_playground import LAYERS
from .views import live_plot

PLAYING: dict[str, Any] = {
    "concurrency_id": "play",
    "concurrency_limit": 4,
    "show_progress": "hidden",
    "api_visibility": "private",
}
"""A game is light and keeps out of the device's queue; four at a time leave the server responsive."""

MOVES = {**PLAYING, "concurrency_id": "play-moves"}
"""Single moves do not wait for those who play."""

SPEEDS: list[tuple[str, int]] = [
    ("slow motion: one move at a time", 0), ("1 turn a frame", 1), ("2 turns a frame", 2), ("5 turns a frame", 5),
    ("20 turns a frame", 20),
]  # fmt: skip

FIGURES_CSS = """
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: 8px; margin: 0 }
div { padding: 8px 10px; border: 1px solid var(--cem-border); border-radius: 8px; background: var(--cem-surface) }
dt { color: var(--cem-muted); font-size: 12px; line-height: 1.3 }
dd { margin: 2px 0 0; color: var(--cem-ink); font-size: 12px; line-height: 1.3 }
dd b { display: block; font-size: 18px; font-weight: 700; font-variant-numeric: tabular-nums }
"""

HOW = """**How to read it.** Two players share one payoff, U = E log D(x) over p_data + E log(1 − D(x)) over p_T. The points of
p₀ (crosses) climb f, the logit of D = sigmoid(f), and become p_T (diamonds): that lowers U. The net then raises U: D up on
p_data (dots), down on p_T. *Max* and *min* are the words of adversarial training: the attack maximises the net's loss.

* **Algorithm 1, maximin** (thesis 2.4.2). Each turn: fresh draws of p₀, K steps of length λ, one update of D. A false maximum
that an attack finds is pushed down; one that no p₀ point reaches survives: it is *spurious*. At the solution D is ½ on the
support of p_data and at most ½ outside, and U = −log 4.
* **Algorithm 2, minimax** (thesis 2.4.4; a GAN without a generator net). D converges first, then every kept point takes one
step: p_T ends at p_data. With D optimal, (U + log 4)/2 is the Jensen-Shannon divergence of p_T and p_data, from 0 to
log 2 = .693. Where neither of the two is, D means nothing.

Points move along ∇f: the thesis writes ∇D, which has the same direction but underflows where D is near 0 or 1. **All numbers
are our choice** (net, K, λ, updates, learning rate, points, scales): the thesis gives none for its figures 2.1 and 2.2. The
support is the level set that holds 99 % of p_data; U is measured on the points in play, the energy distance against fresh
draws. At most 300 points of a kind and 64 paths are drawn."""


def build(session: gr.State, studio: Studio) -> Tab:
    """Controls, the plane with its transport bar, numbers and history."""
    start = PLAY["maximin"]
    rules = start.rules
    with gr.Row():
        with gr.Column(scale=3, min_width=280, elem_id="play-controls"):
            preset = gr.Dropdown(
                [(p.title, key) for key, p in PLAY.items()],
                value="maximin",
                label="story",
                interactive=True,
                elem_id="play-preset",
            )
            story = gr.Markdown(start.story, elem_id="play-story")
            rule = gr.Radio(playing.RULES, value=rules.rule, label="who moves first", interactive=True, elem_id="play-rule")
            data = gr.Dropdown(
                [(toy.title, key) for key, toy in TOYS.items()], value=rules.data, label="p_data: blue dots", interactive=True,
                elem_id="play-data",
            )  # fmt: skip
            p0 = gr.Dropdown(
                [(toy.title, key) for key, toy in P0S.items()], value=rules.p0, label="p₀: red crosses", interactive=True,
                elem_id="play-p0",
            )  # fmt: skip
            steps = gr.Slider(
                1, 60, rules.steps, step=1, label="K: steps of an attack", info="Algorithm 2 takes one", interactive=True,
                elem_id="play-K",
            )  # fmt: skip
            step = gr.Slider(
                0, 0.6, rules.step, step=0.01, label="λ: length of a step", info="the box is 6 wide", interactive=True,
                elem_id="play-lambda",
            )  # fmt: skip
            inner = gr.Slider(
                1, 300, rules.inner, step=1, label="inner: updates of D per turn", info="Algorithm 1 makes one",
                interactive=True, elem_id="play-inner",
            )  # fmt: skip
            lr = gr.Slider(
                0.0002,
                0.02,
                rules.lr,
                step=0.0002,
                label="learning rate of D",
                info="Adam",
                interactive=True,
                elem_id="play-lr",
            )
            seed = gr.Number(
                start.seed, label="seed", info="of net and draws; a new one starts a new game", precision=0, minimum=0,
                maximum=2**31 - 1,
                interactive=True, elem_id="play-seed",
            )  # fmt: skip
        with gr.Column(scale=6, min_width=320, elem_id="play-stage"):
            with gr.Row():
                run = gr.Button("Play", variant="primary", size="md", min_width=80, elem_id="play-run")
                halt = gr.Button("Pause", size="md", min_width=80, elem_id="play-pause", elem_classes="pause-when-hidden")
                reset = gr.Button("Reset", size="md", min_width=80, elem_id="play-reset")
            with gr.Row():
                attack = gr.Button("Attack (max)", size="md", min_width=80, elem_id="play-attack")
                learn = gr.Button("Model (min)", size="md", min_width=80, elem_id="play-learn")
                turn = gr.Button("Turn (both)", size="md", min_width=80, elem_id="play-turn")
            status = gr.Markdown("", elem_id="play-status")
            plane = live_plot(
                height=600, square=True, elem_id="play-plane",
                label="The plane: contour of D, its normalised gradient field, points of p_data, p0 and p_T, with paths",
            )  # fmt: skip
            layers = gr.CheckboxGroup(
                [(title, key) for key, title in LAYERS.items()], value=list(LAYERS), label="show", interactive=True,
                elem_id="play-layers",
            )  # fmt: skip
        with gr.Column(scale=4, min_width=290, elem_id="play-standing"):
            speed = gr.Dropdown(SPEEDS, value=2, label="speed", interactive=True, elem_id="play-speed")
            numbers = gr.HTML("", css_template=FIGURES_CSS, elem_id="play-numbers")
            history = live_plot(
                height=400, label="Payoff, D on the support and spurious share over turns", elem_id="play-history"
            )
    gr.Markdown(HOW, latex_delimiters=[])

    frame = [plane, numbers, history, status]
    controls = [preset, data, p0, rule, steps, step, inner, lr, seed]
    playing_now = run.click(guarded_stream(playing.play), [session, preset, speed], frame, trigger_mode="once", **PLAYING)
    still: dict[str, Any] = {**MOVES, "cancels": [playing_now]}
    halt.click(playing.pause, [session, preset], frame, cancels=[playing_now], **LIGHT)
    for button, which in ((attack, "attack"), (learn, "learn"), (turn, "turn")):
        button.click(guarded(lambda held, key, w=which: playing.move(held, key, w)), [session, preset], frame, **still)
    begun = [story, steps, *frame]
    reset.click(guarded(playing.restart), [session, *controls], begun, **still)
    # .input and not .change: a value restored from the address or set by a preset must not start another game
    for control in (data, p0):
        control.input(guarded(playing.restart), [session, *controls], begun, trigger_mode="always_last", **still)
    seed.input(guarded(playing.reseed), [session, *controls], begun, trigger_mode="always_last", **still)
    preset.input(guarded(playing.choose), [session, preset], [*controls[1:], story, *frame], **still)
    rule.input(
        guarded(playing.change_rule), [session, preset, data, p0, rule, seed], [steps, step, inner, lr, story, *frame], **still
    )
    for control in (steps, step, inner, lr):
        control.input(
            guarded(playing.change),
            [session, preset, steps, step, inner, lr],
            [story, status],
            trigger_mode="always_last",
            **LIGHT,
        )
    plane.change(playing.taken, session, None, trigger_mode="multiple", **LIGHT)
    speed.input(playing.set_speed, [session, speed], None, **LIGHT)
    layers.input(playing.show, [session, preset, layers], plane, trigger_mode="always_last", **LIGHT)

    params = {
        "p.preset": preset, "p.data": data, "p.p0": p0, "p.rule": rule, "p.K": steps, "p.lambda": step, "p.inner": inner,
        "p.lr": lr, "p.seed": seed, "p.show": layers,
    }  # fmt: skip
    stories = Stories(preset, lambda key: dict(zip(controls[1:], playing.values_of(key), strict=True)), controls[1:])
    return Tab(params, (guarded(playing.first), [session, layers, *controls], begun), [playing_now], stories=stories)
