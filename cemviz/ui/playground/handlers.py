"""Handlers of the playground: plain functions of the controls' values, by name.

Plane, numbers, history and status change together: they are the frame that every move ends in.
"""

from typing import Any

import gradio as gr
import numpy as np

from ...backend import snapshots
from ...backend.beside import NONE, field_of
from ...backend.beside import beside as differing
from ...backend.checks import number
from ...backend.device import one_core
from ...backend.play import Playground, changed_rules
from ...backend.presets import PLAY
from ...backend.stored.artefacts import Artefact
from ...backend.studio import Studio
from ...dynamics import Diverged
from ...metrics.game import Standing
from ...training.game import Rules
from ..controls import Session
from ..modules import served
from ..wiring import Changes
from . import plots, words

OPENING = 60  # turns played before the first view

NUMBERS = ("steps", "step", "inner", "lr")
"""Controls whose change leaves the game as it stands."""

GAME = ("preset", "data", "p0", "rule", *NUMBERS, "seed", "beside")
"""Controls that a game is begun with, and the one beside it."""

PRESET = GAME[1:-1]
"""Controls that a preset sets."""

MOVES = {"attack": ("attack",), "learn": ("learn",), "turn": ("attack", "learn")}
"""Button -> moves of the game."""

FRAME = ("plane", "second", "numbers", "history", "status")

BEGUN = ("story", "script", "steps", *FRAME)
"""Elements that the beginning of a game changes."""


def read(preset: str, rule: str, **values: Any) -> Rules:
    """The controls as rules; what has no control (points, net, objective, negatives, λ's decay) comes from the preset, or from
    the rule's own preset where they differ in rule.

    Raises:
        BadInput
    """
    return changed_rules(_suited(preset, rule), rule=rule, **values)


def _suited(preset: str, rule: str) -> Rules:
    rules = PLAY[preset].rules
    return rules if rules.rule == rule else PLAY[rule].rules


def opening(rules: Rules) -> int:
    """Turns to play before the first view, about a second's worth: the same for a link wherever it is opened."""
    return max(1, min(OPENING, 1320 // (rules.steps + 2 * rules.inner)))


def grounds(session: Session) -> list[Playground]:
    """The game, and the one beside it where there is one."""
    second = session.state.get("play.second")
    return [session.playground] if second is None else [session.playground, second]


def planes(*pictures: str) -> Changes:
    """The planes of one game or two."""
    return dict(zip(("plane", "second"), pictures, strict=False))


def draw(session: Session, status: str | None = None) -> Changes:
    """The games as they stand; the status may follow from the view (None: D just answered)."""
    views, rules = [ground.view() for ground in grounds(session)], [ground.game.rules for ground in grounds(session)]
    return {
        **planes(*map(plots.plane, views)),
        "numbers": words.figures(*((v.turn, v.updates, v.stands, r) for v, r in zip(views, rules, strict=True))),
        "history": plots.history([view.history for view in views], rules[0].objective),
        "status": words.answered(rules[0], *views) if status is None else status,
    }


def prose(session: Session, preset: str) -> Changes:
    """The words of a preset, as its numbers are by now."""
    rules, seed = session.playground.rules, session.playground.seed
    second = words.second(rules, session.state.get("play.difference", NONE))
    return {"story": words.story(preset, rules) + second, "script": words.listing(preset, rules, seed)}


def begin(session: Session, preset: str, seed: float, beside: str = NONE, **rules: Any) -> Changes:
    """Begin anew with the controls' values, and tell.

    Raises:
        BadInput: the game in progress stays.
    """
    chosen = read(preset, **rules)
    other = None if beside == NONE else differing(chosen, beside)
    session.stops["playground"].set()
    session.playground.reset(chosen, seed)
    session.state["play.second"], session.state["play.difference"] = (
        other and Playground(other, session.playground.seed),
        beside,
    )
    as_it_stands = (chosen, seed, other) == (PLAY[preset].rules, PLAY[preset].seed, None)
    session.state["play.story"] = preset if as_it_stands and snapshots.stored(preset) else None
    steps = gr.update(interactive=chosen.rule == "maximin")  # K is a number of Algorithm 1 alone
    return prose(session, preset) | {"steps": steps, "second": gr.update(visible=other is not None)}


def restart(studio: Studio, session: Session, *, preset: str, status: str = words.FRESH, **values: Any) -> Changes:
    """Begin anew, and show the fresh net."""
    begun = begin(session, preset, **values)
    frame = draw(session, status)
    first, *others = (ground.picture() for ground in grounds(session))
    plane = plots.plane(first, story=_frames(session), at=0, laid=_laid(session))
    return opened(begun, frame | planes(plane, *map(plots.plane, others)))


def opened(begun: Changes, frame: Changes) -> Changes:
    """Changes of a game that began, and its picture; the second plane comes and goes with its game."""
    second = begun["second"] | ({"value": frame["second"]} if "second" in frame else {})
    return {**begun, **frame, "second": second}


def reseed(studio: Studio, session: Session, *, seed: float | None, **values: Any) -> Changes | None:
    """The same for another seed; a field just emptied, to type the next one, is no seed yet."""
    return {"status": gr.skip()} if seed is None else restart(studio, session, seed=seed, **values)


def first(studio: Studio, session: Session, *, layers: list[str], field: str, preset: str, **values: Any) -> Changes:
    """The first view of a page: a story that has settled, or another game that has begun."""
    begun, look = begin(session, preset, **values), {"layers": layers, "field": field}
    session.state.setdefault("play.taken", 0)  # there is a browser, which a game that plays waits for
    if session.state["play.story"]:
        return begun | settled(session, shown=look)
    ground = session.playground
    turns = opening(ground.game.rules)
    try:
        with one_core():
            for game in grounds(session):
                game.record()
                for _ in range(turns):
                    game.both()
                    if game.game.turn % 4 == 0:
                        game.record()
        frame = draw(session, words.OPENED.format(turns))
    except Diverged as fault:
        frame = ended(session, fault)
    pictures = [plots.plane(game.picture(), shown=look, story=None, laid=_laid(session)) for game in grounds(session)]
    return opened(begun, frame | planes(*pictures))


def settled(session: Session, **more: Any) -> Changes:
    """The story of the game in progress, played beforehand, at its last snapshot: nothing is computed."""
    story = snapshots.stored(session.state["play.story"])
    last = len(story.head["shots"]) - 1
    plane = {"plane": plots.plane(story=_frames(session), at=last, laid=_laid(session), **more)}
    history = {"history": plots.history([np.array(story.head["history"])], session.playground.rules.objective)}
    return plane | history | _seated(session, story, last) | {"status": words.SETTLED.format(story.head["shots"][last]["turn"])}


def look(studio: Studio, session: Session, *, k: int) -> Changes:
    """Another snapshot of the story, from which the game goes on.

    Raises:
        BadInput: there is no such snapshot.
    """
    session.stops["playground"].set()
    story = snapshots.stored(session.state["play.story"])
    shots = story.head["shots"]
    k = int(number("snapshot", k, 0, len(shots) - 1, whole=True))
    return _seated(session, story, k) | {"status": words.LOOKED.format(shots[k]["turn"], shots[-1]["turn"])}


def _seated(session: Session, story: Artefact, k: int) -> Changes:
    ground, shot = session.playground, story.head["shots"][k]
    ground.reset(ground.rules, ground.seed, snapshots.seat(story, k))
    return {"numbers": words.figures((shot["turn"], shot["updates"], Standing(**shot["standing"]), ground.rules))}


def _laid(session: Session) -> dict[str, Any]:
    return plots.laid(session.playground.rules)


def _frames(session: Session) -> str | None:
    """Where the frames of the game's story are served; None of a game that is no story's."""
    story = session.state["play.story"]
    return served(snapshots.file(story)) if story else None


def controls_of(studio: Studio, session: Session | None, *, preset: str) -> dict[str, Any]:
    """The controls as a preset has them: its rules, and the seed."""
    chosen = PLAY[preset]
    return {name: getattr(chosen.rules, name) for name in PRESET if name != "seed"} | {"seed": chosen.seed}


def choose(studio: Studio, session: Session, *, preset: str, beside: str = NONE) -> Changes:
    """Open a story: settled, or the fresh net of one that was not played beforehand, or that has another game beside it."""
    values = controls_of(studio, session, preset=preset)
    begun = begin(session, preset, beside=beside, **values)
    if not session.state["play.story"]:
        return _with(values, restart(studio, session, preset=preset, beside=beside, **values))
    return _with(values, begun | settled(session))


def change_rule(studio: Studio, session: Session, *, preset: str, rule: str, **values: Any) -> Changes:
    """Begin with the other algorithm, and with numbers that suit it."""
    numbers = {name: getattr(_suited(preset, rule), name) for name in NUMBERS}
    return _with(numbers, restart(studio, session, preset=preset, rule=rule, **values, **numbers))


def _with(values: dict[str, Any], begun: Changes) -> Changes:
    """A new game's changes, and the numbers that it brings for its controls."""
    return values | begun | {"steps": begun["steps"] | {"value": values["steps"]}}


def change(studio: Studio, session: Session, *, preset: str, **numbers: float) -> Changes:
    """Other numbers from the next move on."""
    session.playground.change(**numbers)
    if second := session.state.get("play.second"):
        field = field_of(session.state["play.difference"])
        second.change(**{name: value for name, value in numbers.items() if name != field})
    return prose(session, preset) | {"status": words.from_now(session.playground.game.rules)}


def move(studio: Studio, session: Session, *, which: str) -> Changes:
    """One move of one player, `attack` or `learn`, or a `turn` of both."""
    session.stops["playground"].set()
    try:
        return moved(session, which)
    except Diverged as fault:
        return ended(session, fault)


def ended(session: Session, fault: Diverged) -> Changes:
    """The game where the guard ended it, and why it did."""
    return draw(session, words.diverged(session.playground.rules, fault))


def moved(session: Session, which: str) -> Changes:
    """The moves of a button, each with what it changed.

    Raises:
        Diverged: the guard ended the game.
    """
    moves = MOVES[which]
    pictures, pushes = [], []
    for ground in grounds(session):
        pictures.append([])
        pushes.append({})
        for move in moves:
            pushes[-1][move] = ground.push(move)
            pictures[-1].append(ground.picture())
    changes, games = draw(session, ""), grounds(session)
    views, rules = [ground.view() for ground in games], session.playground.game.rules
    sentences = [words.attacked(rules, views[0].turn)] if "attack" in moves else []
    sentences += [words.answered(rules, *views)] if "learn" in moves else []
    return changes | {
        **planes(*(plots.plane(*frames, moves=moves) for frames in pictures)),
        "history": plots.history([view.history for view in views], rules.objective, pushes[0]),
        "status": " ".join(sentences),
    }
