"""Playground: binary adversarial training as a game in the plane, played live, move by move."""

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from ..backend.play import View, changed_rules
from ..backend.presets import PLAY
from ..backend.studio import Studio
from ..data.toys import P0S, TOYS
from ..metrics.game import LOG4
from ..training.binary import Rules
from . import plots_playground as plots
from .controls import LIGHT, Session, Tab, guarded, guarded_stream
from .views import live_plot

PLAYING: dict[str, Any] = {"concurrency_id": "play", "concurrency_limit": 4, "show_progress": "hidden", "api_visibility": "private"}
"""A game is light and keeps out of the device's queue; four at a time leave the server responsive."""

MOVES = {**PLAYING, "concurrency_id": "play-moves"}
"""Single moves do not wait for those who play."""

RATE = 30  # frames a second at most
SLOW = 1.2  # seconds between two moves of the slow motion, time to read what was done
LIMIT = 2000  # turns of one press on Play: a forgotten page must not compute for ever
OPENING = 60  # turns played before the first view

SPEEDS: list[tuple[str, int]] = [
    ("slow motion: one move at a time", 0), ("1 turn a frame", 1), ("2 turns a frame", 2), ("5 turns a frame", 5),
    ("20 turns a frame", 20),
]  # fmt: skip
RULES: list[tuple[str, str]] = [("Algorithm 1: maximin", "maximin"), ("Algorithm 2: minimax", "minimax")]
NAMES: dict[str, str] = {
    "data": "p_data", "p0": "p₀", "rule": "rule", "steps": "K", "step": "λ", "inner": "inner updates", "lr": "learning rate",
}  # fmt: skip

FIGURES_CSS = """
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: 8px; margin: 0 }
div { padding: 8px 10px; border: 1px solid var(--cem-border); border-radius: 8px; background: var(--cem-surface) }
dt { color: var(--cem-muted); font-size: 12px; line-height: 1.3 }
dd { margin: 2px 0 0; color: var(--cem-ink); font-size: 12px; line-height: 1.3 }
dd b { display: block; font-size: 18px; font-weight: 700; font-variant-numeric: tabular-nums }
"""

HOW = """**How to read it.** Two players share one payoff, U = E log D(x) over p_data + E log(1 − D(x)) over p_T. The points of
p₀ (crosses) climb f, the logit of D = sigmoid(f), and become p_T (diamonds): that lowers U. The net then raises U: up on p_data
(dots), down on p_T. *Max* and *min* are the words of adversarial training, where the attack maximises the net's loss.

* **Algorithm 1, maximin** (thesis 2.4.2). Each turn: fresh draws of p₀, K steps of length λ, one update of D. A false maximum that an attack
finds is pushed down; one that no p₀ point reaches survives: *spurious*. D ends at ½ on the support of p_data, at most ½ outside, U at −log 4.
* **Algorithm 2, minimax** (thesis 2.4.4, a GAN without a generator net). D converges first, then every kept point takes a single step: p_T ends at
p_data. With D optimal, (U + log 4)/2 is the Jensen-Shannon divergence of p_T and p_data, from 0 to log 2 = .69. D means nothing where
neither of them is.

Points move along ∇f. The thesis writes ∇D, which has the same direction but underflows where D is near 0 or 1. **All numbers are our choice**: the thesis
gives none for these figures (net, K, λ, updates, learning rate, points, scales). The support is the level set that holds 99 % of
p_data. U is measured on the points in play, the energy distance against fresh draws. Drawn are at most 400 points of a kind and 64 paths."""


def read(preset: str, data: str, p0: str, rule: str, steps: float, step: float, inner: float, lr: float) -> Rules:
    """The controls as rules; what has no control (points, width, gain, λ's decay) comes from the preset, or from the rule's own
    preset where they differ in rule.

    Raises:
        BadInput
    """
    known = PLAY.get(preset, PLAY["maximin"]).rules
    base = known if known.rule == rule else PLAY.get(rule, PLAY["maximin"]).rules
    return changed_rules(base, data=data, p0=p0, rule=rule, steps=steps, step=step, inner=inner, lr=lr)


def story(preset: str, rules: Rules) -> str:
    """What to look for, and what the visitor has changed since the preset was chosen."""
    chosen = PLAY[preset]
    changed = [f"{NAMES[key]} {_plain(rules, key)}" for key in NAMES if getattr(rules, key) != getattr(chosen.rules, key)]
    return chosen.story + (f"\n\n*Changed since:* {', '.join(changed)}." if changed else "")


def _plain(rules: Rules, key: str) -> str:
    value = getattr(rules, key)
    if key in ("data", "p0"):
        return (TOYS if key == "data" else P0S)[value].title
    return f"{value:g}" if isinstance(value, int | float) else {v: k for k, v in RULES}[value]


def opening(rules: Rules) -> int:
    """Turns to play before the first view, about a second's worth: the same for a link wherever it is opened."""
    return max(1, min(OPENING, 1320 // (rules.steps + 2 * rules.inner)))


def minus(value: float, digits: int = 3) -> str:
    """A number with a true minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def figures(view: View, rule: str) -> str:
    """The numbers beside the contour, with units."""
    js = view.jensen_shannon
    if rule == "minimax":
        payoff = ("Jensen-Shannon, (U + log 4)/2", minus(js), "nats; 0 to .693, if D is optimal")
    else:
        payoff = ("(U + log 4)/2", minus(js), "nats; 0 at the solution")
    tiles = [
        ("turn", f"{view.turn}", f"{view.updates} updates of D"),
        ("payoff U(D, p_T)", minus(view.U), f"nats; −log 4 = {minus(-LOG4)}"),
        payoff,
        ("mean D on the support", f"{view.D_support:.3f}", "½ at the solution"),
        ("spurious maxima", f"{view.spurious:.1%}", "of the outside area, D > .51"),
        ("energy distance, p_T to p_data", f"{view.distance:.3f}", "0 for equal laws"),
    ]
    return f"<dl>{''.join(f'<div><dt>{name}</dt><dd><b>{value}</b>{unit}</dd></div>' for name, value, unit in tiles)}</dl>"


def attacked(rules: Rules, turn: int) -> str:
    """What p_T's move just was."""
    if rules.rule == "minimax":
        return f"**p_T attacked:** {rules.count} kept points climbed f by one step of {rules.dynamics(turn - 1).step:.3g}."
    return f"**p_T attacked:** {rules.count} fresh points of p₀ climbed f for {rules.steps} steps of {rules.step:g}."


def answered(rules: Rules, view: View) -> str:
    """What D's move just was."""
    updates = "1 update" if rules.inner == 1 else f"{rules.inner} updates"
    return f"**D answered:** {updates}, U = {minus(view.U)}."


Frame = tuple[str, str, str, str]
"""Contour, numbers, history, status: the outputs of every event that draws."""


def draw(held: Session, preset: str, status: str | None = None) -> Frame:
    """The game as it stands; the status may follow from the view (None: D just answered)."""
    ground = held.playground
    view = ground.view()
    layers = held.held.get("play.layers", list(plots.LAYERS))
    rules = ground.game.rules
    return (
        plots.game(view, layers, preset),
        figures(view, rules.rule),
        plots.history(view, preset),
        answered(rules, view) if status is None else status,
    )


def restart(held: Session, preset: str, *values: Any) -> tuple[Any, ...]:
    """Begin anew with the controls' values: (story, K, frame).

    Raises:
        BadInput: the game in progress stays.
    """
    *numbers, seed = values
    rules = read(preset, *numbers)
    held.stop.set()
    held.playground.reset(rules, seed)
    return story(preset, rules), _k(rules), *draw(held, preset, "**A fresh net:** no move yet. Play, or make the first attack.")


def first(held: Session, layers: list[str], preset: str, *values: Any) -> tuple[Any, ...]:
    """The first view of a page: a game that has begun already."""
    held.held["play.layers"] = layers
    told, k, *_ = restart(held, preset, *values)
    rules = held.playground.game.rules
    turns = opening(rules)
    held.playground.both(turns)
    status = f"**{turns} turns were played to start with.** Play goes on from here; Reset shows the fresh net."
    return told, k, *draw(held, preset, status)


def choose(held: Session, preset: str) -> tuple[Any, ...]:
    """A preset: (its numbers and seed, story, K, frame)."""
    rules = PLAY[preset].rules
    values = [getattr(rules, key) for key in NAMES]
    told, _, *frame = restart(held, preset, *values, PLAY[preset].seed)
    values[list(NAMES).index("steps")] = gr.update(value=rules.steps, interactive=rules.rule == "maximin")
    return *values, PLAY[preset].seed, told, *frame


def change_rule(held: Session, preset: str, data: str, p0: str, rule: str, seed: float) -> tuple[Any, ...]:
    """The other algorithm, with numbers that suit it: (K, λ, inner, lr, story, frame)."""
    base = PLAY[preset].rules if PLAY[preset].rules.rule == rule else PLAY[rule].rules
    told, _, *frame = restart(held, preset, data, p0, rule, base.steps, base.step, base.inner, base.lr, seed)
    return gr.update(value=base.steps, interactive=rule == "maximin"), base.step, base.inner, base.lr, told, *frame


def change(held: Session, preset: str, steps: float, step: float, inner: float, lr: float) -> tuple[str, str]:
    """Other numbers from the next move on: (story, status)."""
    held.playground.change(steps=steps, step=step, inner=inner, lr=lr)
    rules = held.playground.game.rules
    attack = f"one step of λ = {step:g}" if rules.rule == "minimax" else f"K = {steps:g}, λ = {step:g}"
    return story(preset, rules), f"**From the next move on:** {attack}, {inner:g} updates of D, learning rate {lr:g}. The game goes on."


def _k(rules: Rules) -> Any:
    """K is a number of Algorithm 1 alone."""
    return gr.update(interactive=rules.rule == "maximin")


def move(held: Session, preset: str, which: str) -> Frame:
    """One move of one player, or a turn of both."""
    held.stop.set()
    ground = held.playground
    if which != "learn":
        ground.attack()
    if which != "attack":
        ground.learn()
    said = attacked(ground.game.rules, ground.game.turn)
    if which == "attack":
        return draw(held, preset, said)
    frame = draw(held, preset)
    return frame if which == "learn" else (*frame[:3], f"{said} {frame[3]}")


def play(held: Session, preset: str, speed: int) -> Iterator[Frame]:
    """Play until paused, at most LIMIT turns."""
    run = held.held["play.run"] = object()
    held.held["play.speed"] = speed
    held.stop.clear()
    ground = held.playground
    began = ground.game.turn
    going = lambda: not held.stop.is_set() and held.held["play.run"] is run  # noqa: E731
    try:
        while going() and ground.game.turn - began < LIMIT:
            at = time.perf_counter()
            turns = held.held["play.speed"]
            if turns == 0:
                for which in ("attack", "learn"):
                    yield _keep_going(held, preset, which)
                    if held.stop.wait(SLOW) or not going():
                        return
                continue
            for _ in range(turns):
                if not going():
                    return
                ground.both()
            yield draw(held, preset, f"**Playing:** {attacked(ground.game.rules, ground.game.turn)} D answers each time.")
            held.stop.wait(max(0.0, 1 / RATE - (time.perf_counter() - at)))
        if going():
            yield draw(held, preset, f"**Paused after {LIMIT} turns.** Press Play to go on.")
    finally:
        if held.held.get("play.run") is run:  # a newer run has a flag to itself
            held.stop.set()
