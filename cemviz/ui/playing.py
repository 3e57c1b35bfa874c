"""What the playground's controls do: plain functions of the visitor's session and the controls' values.

Contour, numbers, history and status change together: they are the frame that every function here ends in.
"""

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from ..backend.play import View, changed_rules
from ..backend.presets import PLAY
from ..data.toys import P0S, TOYS
from ..metrics.game import LOG4
from ..training.binary import Rules
from . import plots_playground as plots
from .controls import Session
from .numbers import minus

RATE = 20  # frames a second at most
CALM = 3  # the history is redrawn in one frame of so many
AHEAD = 1  # frames on their way that the browser has not taken up yet: more would pile up and outlast a press on Pause
PATIENCE = 5.0  # seconds to wait for it
SLOW = 1.2  # seconds between two moves of the slow motion, time to read what was done
LIMIT = 2000  # turns of one press on Play: a forgotten page must not compute for ever
OPENING = 60  # turns played before the first view

RULES: list[tuple[str, str]] = [("Algorithm 1: maximin", "maximin"), ("Algorithm 2: minimax", "minimax")]
NAMES: dict[str, str] = {
    "data": "p_data", "p0": "p₀", "rule": "rule", "steps": "K", "step": "λ", "inner": "inner updates", "lr": "learning rate",
}  # fmt: skip


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


def figures(view: View, rule: str) -> str:
    """The numbers beside the contour, with units."""
    js = view.jensen_shannon
    if rule == "minimax":
        payoff = ("Jensen-Shannon, (U + log 4)/2", minus(f"{js:.3f}"), "nats; 0 to .693, if D is optimal")
    else:
        payoff = ("(U + log 4)/2", minus(f"{js:.3f}"), "nats; 0 at the solution")
    tiles = [
        ("turn", f"{view.turn}", f"{view.updates} updates of D"),
        ("payoff U(D, p_T)", minus(f"{view.U:.3f}"), f"nats; −log 4 = {minus(f'{-LOG4:.3f}')}"),
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
    return f"**p_T attacked:** {rules.count} fresh points of p₀ climbed f by {rules.steps} steps of {rules.step:g}."


def answered(rules: Rules, view: View) -> str:
    """What D's move just was."""
    return f"**D answered:** {_updates(rules)}, U = {minus(f'{view.U:.3f}')}."


def each_turn(rules: Rules) -> str:
    """What both players do again and again."""
    climb = "one step" if rules.rule == "minimax" else f"{rules.steps} steps of {rules.step:g}"
    who = "kept points" if rules.rule == "minimax" else "fresh points of p₀"
    return f"**Each turn:** {rules.count} {who} climb f by {climb}, then D answers with {_updates(rules)}."


def _updates(rules: Rules) -> str:
    return "1 update" if rules.inner == 1 else f"{rules.inner} updates"


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
    held.stops["playground"].set()
    held.playground.reset(rules, seed)
    return story(preset, rules), _k(rules), *draw(held, preset, "**A fresh net:** no move yet. Play, or make the first attack.")


def reseed(held: Session, preset: str, *values: Any) -> tuple[Any, ...]:
    """The same for another seed; a field just emptied, to type the next one, is no seed yet."""
    return (gr.skip(),) * 6 if values[-1] is None else restart(held, preset, *values)


def first(held: Session, layers: list[str], preset: str, *values: Any) -> tuple[Any, ...]:
    """The first view of a page: a game that has begun already."""
    held.held["play.layers"] = layers
    told, k, *_ = restart(held, preset, *values)
    rules = held.playground.game.rules
    turns = opening(rules)
    for _ in range(turns):
        held.playground.both()
        if held.playground.game.turn % 4 == 0:
            held.playground.record()
    status = f"**{turns} turns were played to start with.** Play goes on from here; Reset shows the fresh net."
    return told, k, *draw(held, preset, status)


def values_of(preset: str) -> list[Any]:
    """The controls' values of a preset: its rules, and the seed."""
    return [*(getattr(PLAY[preset].rules, key) for key in NAMES), PLAY[preset].seed]


def choose(held: Session, preset: str) -> tuple[Any, ...]:
    """A preset: (its numbers and seed, story, K, frame)."""
    values, rules = values_of(preset), PLAY[preset].rules
    told, _, *frame = restart(held, preset, *values)
    values[list(NAMES).index("steps")] = gr.update(value=rules.steps, interactive=rules.rule == "maximin")
    return *values, told, *frame


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
    return story(
        preset, rules
    ), f"**From the next move on:** {attack}, {inner:g} updates of D, learning rate {lr:g}. The game goes on."


def _k(rules: Rules) -> Any:
    """K is a number of Algorithm 1 alone."""
    return gr.update(interactive=rules.rule == "maximin")


def move(held: Session, preset: str, which: str) -> Frame:
    """One move of one player, or a turn of both."""
    held.stops["playground"].set()
    return _move(held, preset, which)


def _move(held: Session, preset: str, which: str) -> Frame:
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
    held.stops["playground"].clear()
    ground = held.playground
    began, frames = ground.game.turn, 0
    ahead = held.held.get("play.taken")
    going = lambda: not held.stops["playground"].is_set() and held.held["play.run"] is run  # noqa: E731
    try:
        while going() and ground.game.turn - began < LIMIT:
            at = time.perf_counter()
            turns = held.held["play.speed"]
            if turns == 0:
                for which in ("attack", "learn"):
                    yield _move(held, preset, which)
                    if held.stops["playground"].wait(SLOW) or not going():
                        return
                continue
            for _ in range(turns):
                if not going():
                    return
                ground.both()
            plane, numbers, past, status = draw(held, preset, each_turn(ground.game.rules))
            yield plane, numbers, past if frames % CALM == 0 else gr.skip(), status
            frames += 1
            ahead = _wait(held, ahead)
            held.stops["playground"].wait(max(0.0, 1 / RATE - (time.perf_counter() - at)))
        if going():
            yield draw(held, preset, f"**Stopped after {LIMIT} turns.** Press Play to go on.")
    finally:
        if held.held.get("play.run") is run:  # a newer run has a flag to itself
            held.stops["playground"].set()


def taken(held: Session) -> None:
    """The browser took up a frame."""
    held.held["play.taken"] = held.held.get("play.taken", 0) + 1


def _wait(held: Session, sent: int | None) -> int | None:
    """After a frame, until the browser keeps pace; a visitor without a browser (None) is never waited for."""
    if sent is None:
        return None
    sent += 1
    began = time.perf_counter()
    stop = held.stops["playground"]
    while sent - held.held["play.taken"] > AHEAD and time.perf_counter() - began < PATIENCE and not stop.wait(0.01):
        pass
    stop.wait(min(1.0, time.perf_counter() - began))  # as long again: it has clicks to attend to as well
    return min(sent, held.held["play.taken"] + AHEAD)


def pause(held: Session, preset: str) -> Frame:
    """Stop before the next turn, and show where."""
    held.stops["playground"].set()
    frame = draw(held, preset, "")  # waits for the turn that is being played
    return *frame[:3], f"**Paused** at turn {held.playground.game.turn}."


def set_speed(held: Session, speed: int) -> None:
    """Turns a frame, from the next frame on; 0 is the slow motion."""
    held.held["play.speed"] = speed


def show(held: Session, preset: str, layers: list[str]) -> str:
    """Other layers, from now on; the game is not touched."""
    held.held["play.layers"] = layers
    return plots.game(held.playground.view(), layers, preset)
