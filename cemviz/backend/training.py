"""Train on the page: checked requests, and a run that shares the device and never loses its state.

A visitor's run takes the device for a few seconds at a time, so that others sample in between.
"""

import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..data import images
from ..data.datasets import DataMissing, dataset
from ..dynamics import Diverged
from ..training.recipe import Recipe
from ..training.recipes import RECIPES, recipe
from . import states, store
from .checks import BadInput, choice, number
from .jobs import Waiting
from .provenance import TrainRequest
from .runs import RunRequest, beside, remember, unfinished
from .studio import Studio
from .train import train

RATE = 3.0
"""Updates a second, at most; one that carries a probe, and the last one, always come."""

TURN = 2.0
"""Seconds a run holds the device before it lets others have it."""

LIMIT = 600.0 if "SPACE_ID" in os.environ else math.inf
"""Seconds of training on a hosted page before a run pauses; on one's own machine it goes on to its end."""

OPEN = os.environ.get("CEMVIZ_TRAINING") != "off"
"""Whether visitors may train: they share the device, the names of models, and each other's unfinished runs."""

MAX_STEPS, MAX_SEED = 100_000, 999_999

State = Literal["waiting", "running", "paused", "done"]


@dataclass(frozen=True, slots=True)
class Update:
    """How a run stands.

    Attributes:
        state: paused runs have kept their state, done ones have become a model.
        step, steps: updates done, and to do.
        seconds, left: trained so far, and estimated to go.
        history: the curves so far, as `read_history` returns them.
        waiting: jobs before this one.
        why: of a pause that was not asked for.
    """

    name: str
    state: State
    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    left: float = 0.0
    history: dict[str, Any] | None = None
    waiting: int = 0
    why: str = ""


def proposed(key: str) -> str:
    """A free name for a model of this recipe: my-RECIPE, my-RECIPE-2, ..."""
    taken = set(store.cards()) | set(unfinished())
    names = (f"my-{key}" + (f"-{i}" if i > 1 else "") for i in range(1, 10_000))
    return next(name for name in names if name not in taken)


def row(request: RunRequest) -> Recipe:
    """The recipe's row with the asked number of updates.

    Raises:
        BadInput: unknown recipe or scale, or a number out of range.
    """
    choice("recipe", request.recipe, RECIPES)
    choice("scale", request.scale, RECIPES[request.recipe])
    number("seed", request.seed, 0, MAX_SEED, whole=True)
    return recipe(request.recipe, request.scale, **_changes(request))


def missing(studio: Studio, data: str) -> str:
    """What to say where the images of a set are not on this machine, or ""; a known set may lack those of the test split."""
    row = dataset(data)
    needed = ("train",) if row.torchvision else ("train", "test")
    absent = [split for split in needed if not images.available(data, split, data=studio.data)]
    if not absent:
        return ""
    tick = f"Tick “download {row.title} ({row.megabytes} MB)”, or set" if row.torchvision else "Set"
    return (
        f"{row.title} is not on this machine. {tick} CEMVIZ_DATA to a folder that holds "
        f"{' and '.join(f'{data}/{split}/CLASS/*.png' for split in absent)}, and start the page again."
    )


def checked(studio: Studio, request: RunRequest) -> TrainRequest:
    """The request as the trainer takes it.

    Raises:
        BadInput: a value out of range, a name that is taken, a row that this device cannot train.
        DataMissing: the images are not here, and not to be downloaded.
    """
    asked, name = row(request), (request.name or "").strip()
    if "/" in name:
        raise BadInput("name", f"name is {name!r}; leave the slash out")
    try:
        store.checked(name)
    except ValueError as error:
        raise BadInput("name", str(error)) from None
    if request.scale == "paper" and studio.device.torch.type == "cpu":
        raise BadInput(
            "scale",
            f"the paper's setting ({asked.steps:,} updates of {asked.net}) wants an accelerator, and this page computes on a "
            "CPU; choose evidence, laptop or shipped",
        )
    if request.mode == "start":
        if name in RECIPES or name in store.cards():
            raise BadInput("name", f"{name!r} is the name of another model; take {proposed(request.recipe)!r}, for example")
        if states.path(name).is_file():
            raise BadInput("name", f"a run {name!r} is unfinished; resume it, discard it, or take another name")
    elif name not in unfinished():
        raise BadInput("name", f"there is no unfinished run {name!r} to go on with")
    if told := "" if request.download else missing(studio, asked.data):
        raise DataMissing(told)
    return TrainRequest(
        request.recipe, request.scale, name, int(request.seed), _changes(request) or None, studio.data,
        resume=request.mode == "resume", retry=request.mode == "retry", download=request.download,
    )  # fmt: skip


def _changes(request: RunRequest) -> dict[str, Any]:
    if request.steps is None:
        return {}
    steps = number("updates", request.steps, 1, MAX_STEPS, whole=True)
    return {} if steps == RECIPES[request.recipe][request.scale].steps else {"steps": steps}


_going: set[Path] = set()
_lock = threading.Lock()


def going() -> list[str]:
    """Names of the runs that are training now, of all visitors."""
    with _lock:
        return sorted(path.stem for path in _going)


def run(studio: Studio, request: RunRequest, stop: threading.Event) -> Iterator[Update]:
    """Train, in turns with whatever else waits for the device.

    Closing the iteration, a set `stop` and the time limit keep the full state, from which mode "resume" goes on bit-equal.

    Args:
        stop: looked at between two updates.
    Yields:
        at most RATE updates a second, and as the last one "paused" or "done".
    Raises:
        BadInput, DataMissing: see `checked`; training is switched off here.
        Diverged: the guard stopped the run; its last good state is kept for mode "retry".
    """
    if not OPEN:
        raise BadInput("start", "training is switched off on this page (CEMVIZ_TRAINING=off)")
    asked = checked(studio, request)
    name, state = str(asked.out), states.path(str(asked.out))
    with _lock:
        if state in _going:
            raise BadInput("name", f"a run {name!r} is going on; wait for it, or take another name")
        _going.add(state)
    work = train(asked, studio.device)
    try:
        told = replace(request, name=name)
        remember(told)
        try:
            yield from _steps(studio, name, work, stop)
        except Diverged as error:
            remember(told, str(error))
            raise
    finally:
        work.close()  # keeps the state
        if not state.is_file():
            beside(name).unlink(missing_ok=True)
        with _lock:
            _going.discard(state)


def _steps(studio: Studio, name: str, work: Iterator[dict[str, Any]], stop: threading.Event) -> Iterator[Update]:
    last, shown, began, over = Update(name, "waiting"), 0.0, time.monotonic(), False
    while last.state != "done":
        with closing(studio.jobs.run(_turn(work), title=f"Training {name}", limit=math.inf, stop=stop)) as items:
            for item in items:
                if isinstance(item, Waiting):
                    yield replace(last, state="waiting", waiting=item.before)
                    continue
                last, over = _update(name, item), time.monotonic() - began > LIMIT
                if last.state == "done" or item["probe"] or time.monotonic() - shown >= 1 / RATE:
                    yield last
                    shown = time.monotonic()
                if over:
                    break
        if last.state != "done" and (stop.is_set() or over):
            work.close()
            yield replace(last, state="paused", why=f"after {LIMIT / 60:.0f} minutes, the limit of this page" if over else "")
            return


def _turn(work: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The work for a few seconds; closing this leaves the work open."""
    until = time.monotonic() + TURN
    for item in work:
        yield item
        if time.monotonic() > until:
            return


def _update(name: str, item: dict[str, Any]) -> Update:
    state: State = "done" if "model" in item else "running"
    held = item["history"]  # the trainer goes on to change it, and a visitor may look at this one from another thread
    history = {key: list(held[key]) for key in ("steps", "lr", "probes")}
    history["terms"] = {key: list(values) for key, values in held["terms"].items()}
    return Update(name, state, item["step"], item["steps"], item["seconds"], item["left"], history)


def discard(name: str) -> None:
    """Delete the state of an unfinished run.

    Raises:
        BadInput: there is none, or it is going on.
    """
    if name not in unfinished():
        raise BadInput("run", f"there is no unfinished run {name!r}")
    with _lock:
        if states.path(name) in _going:
            raise BadInput("run", f"the run {name!r} is going on; pause it first")
        states.path(name).unlink(missing_ok=True)
        beside(name).unlink(missing_ok=True)
