"""Handlers of the training tab: plain functions of the controls' values, by name."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from ...backend.checks import BadInput
from ...backend.requests import MAX_UPDATES, SCALES, RunRequest
from ...backend.studio import Studio
from ...backend.train import checks, runs
from ...backend.train import live as training
from ...backend.train.pair import PAIRS, name_of
from ...data.datasets import dataset
from ...dynamics import Diverged
from ...training.recipes import RECIPES
from ..controls import Session
from ..fields import filled
from ..wiring import Changes
from . import words
from .plots import FIGURES, ShownRun, figure, frames, games

NONE = "none"
PAIR = tuple(map(name_of, PAIRS["mnist"]))
FIRST = (PAIR[0], "mnist-at-linf", "mnist-at")
"""Runs to open on, the first that is there."""

RECIPE = "mnist-at-linf"
"""The recipe to begin with."""

DRAWN = ("status", "a", "b", "at", "chosen", "frames", "numbers", "game_column", *FIGURES)
"""Elements that another look changes."""

RAN = (*DRAWN, "name", "kept", "pending", "resume")
"""Elements that a run changes."""

LAST = MAX_UPDATES
"""The update that is chosen where nobody chose one: whichever is the last by now, so that the address need not say it."""

VIEW = ("recipe", "scale", "steps", "a", "b", "chosen")
"""Controls of the first view."""


def runs_on_screen(session: Session) -> list[ShownRun]:
    """The runs on screen: headings, curves, and the probe nearest to the update looked at."""
    on_screen = []
    for name in session.state.get("train.shown", ()):
        live = session.state.get("train.live")
        history = live.history if live is not None and live.name == name else runs.read_history(name)
        if history is not None:
            on_screen.append(ShownRun(runs.heading(name), history, nearest(history, session.state.get("train.at"))))
    return on_screen


def nearest(history: dict[str, Any], step: float | None) -> int | None:
    """Index of the probe nearest to an update, of the last one for None; None where there are no probes."""
    steps = [probe["step"] for probe in history["probes"]]
    if not steps or step is None:
        return len(steps) - 1 if steps else None
    return min(range(len(steps)), key=lambda i: abs(steps[i] - step))


def end(on_screen: Sequence[ShownRun]) -> int:
    """The last update of any run."""
    return max([run.history["steps"][-1] for run in on_screen if run.history["steps"]], default=0)


def run_choices() -> list[tuple[str, str]]:
    """Runs that have curves: models, then what is unfinished or going on."""
    unfinished = dict.fromkeys([*runs.unfinished(), *training.going()])
    return [*((name, name) for name in runs.histories()), *((f"{name} (unfinished)", name) for name in unfinished)]


def compared() -> list[tuple[str, str]]:
    """The same, and none."""
    return [("no comparison", NONE), *run_choices()]


def opened() -> str | None:
    """The run to open on."""
    names = [name for _, name in run_choices()]
    return next((name for name in (*FIRST, *names) if name in names), None)


def partner(a: str | None) -> str:
    """The run to open beside another: the pair's other one, or none."""
    return PAIR[1] if a == PAIR[0] and PAIR[1] in runs.histories() else NONE


def pictured(session: Session, play: bool = True) -> Changes:
    """Pictures that the nets on screen drew while they learned; they play where no update is looked at."""
    at = session.state.get("train.at")
    return {"frames": frames(runs_on_screen(session), at, play and at is None)}


def draw(session: Session, keys: Sequence[str] = tuple(FIGURES)) -> Changes:
    """The figures of what the session shows."""
    on_screen = runs_on_screen(session)
    if not on_screen:
        return {"status": words.NOTHING, "numbers": "", **dict.fromkeys(keys)}
    changes: dict[str, Any] = {key: figure(key, on_screen) for key in keys}
    if "accuracy" in keys:
        last, at = max(end(on_screen), 1), session.state.get("train.at")
        changes["at"] = gr.update(maximum=last, value=last if at is None else min(at, last))
        changes["chosen"] = LAST if at is None else at
        changes["numbers"] = words.numbers(on_screen)
        changes["game_column"] = gr.update(visible=games(on_screen))
    return changes


def view(studio: Studio, session: Session, *, a: str | None, b: str, at: float | None) -> Changes:
    """Show other runs, or another update: the last one is followed while a run goes on."""
    session.state["train.shown"] = tuple(dict.fromkeys(name for name in (a, b) if name and name != NONE))
    session.state["train.at"] = at
    if at is None or at >= end(runs_on_screen(session)):
        session.state["train.at"] = None
    return draw(session)


def others(studio: Studio, session: Session, *, a: str | None, b: str) -> Changes:
    """Show other runs, at the update that was looked at."""
    return view(studio, session, a=a, b=b, at=session.state.get("train.at")) | pictured(session)


def opening(
    studio: Studio,
    session: Session,
    *,
    recipe: str,
    scale: str,
    steps: float | None,
    a: str | None,
    b: str,
    chosen: float | None,
) -> Changes:
    """The first view: a finished run, a recipe beside it."""
    fitted = sized(recipe, scale)
    return {
        "status": "" if a else words.NOTHING,
        **view(studio, session, a=a, b=b, at=chosen),
        **pictured(session),
        **fitted,
        **explain(studio, session, recipe=recipe, scale=fitted["scale"]["value"], steps=steps),
        **left(),
    }


def sized(recipe: str, scale: str) -> Changes:
    """The scales that a recipe has; one that it lacks gives way to its first."""
    sizes = [size for size in SCALES if size in RECIPES[recipe]]
    return {"scale": gr.update(choices=sizes, value=scale if scale in sizes else sizes[0])}


def choose(studio: Studio, session: Session, *, recipe: str, scale: str) -> Changes:
    """Another recipe: its table, its number of updates, a name."""
    fitted = sized(recipe, scale)
    scale = fitted["scale"]["value"]
    return {
        **fitted,
        "steps": RECIPES[recipe][scale].steps,
        "name": checks.proposed(recipe),
        **explain(studio, session, recipe=recipe, scale=scale, steps=None),
    }


def explain(studio: Studio, session: Session, *, recipe: str, scale: str, steps: float | None) -> Changes:
    """The table of a recipe, and whether its images are still to be fetched."""
    row = checks.row(RunRequest(recipe, scale, steps=steps))
    data, absent = dataset(row.data), bool(checks.missing(studio, row.data))
    box = gr.update(visible=absent and bool(data.torchvision), label=f"download {data.title} ({data.megabytes} MB)")
    return {"row": words.recipe(row, scale), "download": box}


def left() -> Changes:
    """The unfinished runs, and what can be done with the first."""
    names = list(runs.unfinished())
    first = names[0] if names else None
    offered = gr.update(choices=names, value=first)
    return {"kept": gr.update(visible=first is not None), "pending": offered, "resume": resuming(first)}


def resuming(name: str | None) -> str:
    """Label of the button: resume, or try again where the guard stopped the run."""
    run = runs.unfinished().get(name or "")
    return "Try again with half the step" if run is not None and run.diverged else "Resume"


def offer(studio: Studio, session: Session, *, pending: str | None) -> Changes:
    """Another unfinished run is chosen."""
    return {"resume": resuming(pending)}


def begin(
    studio: Studio,
    session: Session,
    *,
    recipe: str,
    scale: str,
    steps: float | None,
    seed: float | None,
    name: str,
    download: bool,
) -> Iterator[Changes]:
    """Start a run."""
    filled(RunRequest, steps=steps, seed=seed)
    yield from follow(studio, session, RunRequest(recipe, scale, seed, name, steps, download))


def resume(studio: Studio, session: Session, *, pending: str | None, download: bool) -> Iterator[Changes]:
    """Go on with an unfinished run."""
    run = runs.unfinished().get(pending or "")
    if run is None:
        raise BadInput("run", "choose an unfinished run first")
    yield from follow(studio, session, replace(run.request, mode="retry" if run.diverged else "resume", download=download))


def follow(studio: Studio, session: Session, request: RunRequest) -> Iterator[Changes]:
    """A run: its standing several times a second, all figures after each probe."""
    if session.state.get("train.going"):
        raise BadInput("run", "a run of yours is going on; pause it first")
    session.state["train.going"] = True
    stop = session.stops["training"]
    stop.clear()
    probes = -1
    try:
        for update in training.run(studio, request, stop):
            session.state["train.live"] = update if update.history else None
            changes: dict[str, Any] = {"status": words.standing(update)}
            if update.history and probes == -1:  # its first curves: show them alone
                session.state |= {"train.shown": (update.name,), "train.at": None}
                changes |= {"a": gr.update(choices=run_choices(), value=update.name), "b": NONE}
            if update.history and update.name in session.state.get("train.shown", ()):
                if len(update.history["probes"]) == probes:
                    changes |= draw(session, ("loss",))
                else:
                    changes |= draw(session) | pictured(session, play=False)
                probes = len(update.history["probes"])
            yield changes
    except Diverged as error:
        yield {"status": words.diverged(str(error))}
    finally:
        session.state["train.going"] = False
    session.state["train.live"] = None
    yield {"a": gr.update(choices=run_choices()), "name": checks.proposed(request.recipe), **left()}


def halt(studio: Studio, session: Session) -> Changes:
    """Pause the run."""
    session.stops["training"].set()
    return {"status": "**Pausing** after this update ..." if session.state.get("train.going") else "**Nothing is running.**"}


def discard(studio: Studio, session: Session, *, pending: str | None) -> Changes:
    """Delete an unfinished run, and take it off the screen."""
    training.discard(pending or "")
    changes: dict[str, Any] = {"a": gr.update(choices=run_choices()), "b": gr.update(choices=compared())}
    if pending in session.state.get("train.shown", ()):
        first = opened()
        changes |= view(studio, session, a=first, b=NONE, at=None) | pictured(session)
        changes |= {"a": gr.update(choices=run_choices(), value=first), "b": NONE}
    return {**changes, **left(), "status": f"**{pending} is discarded.**"}
