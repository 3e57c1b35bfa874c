"""Train on the page: runs that share the device and never lose their state; what may be asked for is checked in `asked`.

A visitor's run takes the device for a few seconds at a time, so that others sample in between.
"""

import math
import os
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ...dynamics import Diverged
from ..checks import BadInput
from ..foreign.reading import hosted
from ..jobs import Jobs, Waiting
from ..requests import RunRequest, TrainRequest
from ..store import Unwritable
from ..stored import files
from ..stored.locks import Lock, LockTaken
from ..studio import Studio
from ..use_case import Step
from . import states
from .checks import checked
from .run import Model, Trained, train
from .runs import beside, remember, unfinished

RATE = 3.0
"""Updates a second, at most; one that carries a probe, and the last one, always come."""

TURN = 2.0
"""Seconds a run holds the device before it lets others have it."""

LIMIT = 600.0 if hosted() else math.inf
"""Seconds of training on a hosted page before a run pauses; on one's own machine it goes on to its end."""

OPEN = os.environ.get("CEMVIZ_TRAINING") != "off"
"""Whether visitors may train: they share the device, the names of models, and each other's unfinished runs."""

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
        unsaved: why the state could not be saved just now, or "".
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
    unsaved: str = ""


_going: dict[Path, tuple[Generator[Update | Step, None, None], Jobs]] = {}
_lock = threading.Lock()
_closing = threading.Event()


def going() -> list[str]:
    """Names of the runs that are training now, of all visitors."""
    with _lock:
        return sorted(path.stem for path in _going)


def permit() -> None:
    """Refuse where visitors may not train: they neither begin a run, nor go on with one, nor discard one.  Raises BadInput."""
    if not OPEN:
        raise BadInput("start", "training is switched off on this page (CEMVIZ_TRAINING=off)")


def halt(patience: float = 20.0) -> list[str]:
    """Save every run and stop it, for a page that closes; the page begins no other.

    Args:
        patience: seconds to wait for an update that is being computed.
    Returns:
        names of the runs that were still computing then: they lose what they did since their last periodic save.
    """
    _closing.set()
    until = time.monotonic() + patience
    while going():
        with _lock:
            works = list(_going.values())
        for work, jobs in works:
            with suppress(
                TimeoutError, Unwritable
            ):  # it is computing, and sees `_closing` after the update; or the disk is full
                jobs.close(work, max(0.0, until - time.monotonic()))
        with _lock:
            for path in [path for path, (work, _) in _going.items() if work.gi_frame is None]:
                del _going[path]
        if time.monotonic() > until:
            break
        time.sleep(0.05)
    return going()


def run(studio: Studio, request: RunRequest, stop: threading.Event) -> Iterator[Update]:
    """Train, in turns with whatever else waits for the device.

    Closing the iteration, a set `stop` and the time limit keep the full state, from which mode "resume" goes on bit-equal.

    Args:
        stop: looked at between two updates.
    Yields:
        at most RATE updates a second, and as the last one "paused" or "done".
    Raises:
        BadInput, DataMissing: see `checked`; training is switched off here; somebody trains a model of that name.
        Diverged: the guard stopped the run; its last good state is kept for mode "retry".
        Unwritable: the disk is full, or the folder may not be written.
    """
    permit()
    training = checked(studio, request)
    name, state = str(training.out), states.path(str(training.out))
    work = studio.work(watched, training)
    with _lock:
        if state in _going:
            raise BadInput("name", f"a run {name!r} is going on; wait for it, or take another name")
        _going[state] = work, studio.jobs
    asked_for, ours = replace(request, name=name), False
    try:
        for update in _steps(studio, name, work, stop):
            if update.step and not ours:  # the run holds the name from its first update on
                remember(asked_for)
                ours = True
            yield update
    except Diverged as error:
        remember(asked_for, str(error))
        raise
    finally:
        try:
            studio.jobs.close(work)  # keeps the state
        finally:
            if ours and not state.is_file():
                beside(name).unlink(missing_ok=True)
            with _lock:
                _going.pop(state, None)


def watched(studio: Studio, request: TrainRequest) -> Iterator[Update | Step]:
    """A run for who watches it: at most RATE updates a second with the curves so far, and a bare step for each of the others.

    An update with a probe, one that could not be saved and the end are always told.
    """
    name, sent = str(request.out), -math.inf
    with closing(train(studio, request)) as items:
        for item in items:
            if isinstance(item, Model):
                yield _update(name, "done", item.end)
            elif item.done == item.total:
                continue  # the model tells it
            elif item.probe or item.unsaved or time.monotonic() - sent >= 1 / RATE:
                yield _update(name, "running", item)
                sent = time.monotonic()
            else:
                yield Step(item.done, item.total)


def _steps(studio: Studio, name: str, work: Iterator[Update | Step], stop: threading.Event) -> Iterator[Update]:
    last, step, began, over = Update(name, "waiting"), 0, time.monotonic(), False
    with closing(studio.jobs.run(work, title=f"Training {name}", limit=math.inf, stop=stop, turn=TURN)) as items:
        for item in items:
            if isinstance(item, Waiting):
                yield replace(last, state="waiting", waiting=item.before)
                continue
            over = time.monotonic() - began > LIMIT
            if isinstance(item, Update):
                last, step = item, item.step
                yield last
            else:
                step = item.done
            if over or _closing.is_set():
                break
    if last.state != "done" and (stop.is_set() or over or _closing.is_set()):
        studio.jobs.close(work)
        yield replace(last, step=step, state="paused", why=_why(over))


def _why(over: bool) -> str:
    if _closing.is_set():
        return "because the page is closing"
    return f"after {LIMIT / 60:.0f} minutes, the limit of this page" if over else ""


def _update(name: str, state: State, at: Trained) -> Update:
    curves = at.history  # the trainer goes on to change it, and a visitor may look at this one from another thread
    history = {key: list(curves[key]) for key in ("steps", "lr", "probes")}
    history["terms"] = {key: list(values) for key, values in curves["terms"].items()}
    history |= {"kind": curves["kind"], "frames": curves["frames"] | {"shots": list(curves["frames"]["shots"])}}
    return Update(name, state, at.done, at.total, at.seconds, at.left, history, unsaved=at.unsaved)


def discard(name: str) -> None:
    """Delete the state of an unfinished run.

    Raises:
        BadInput: there is none, or it is going on, here or in another process; training is switched off here.
    """
    permit()
    if name not in unfinished():
        raise BadInput("run", f"there is no unfinished run {name!r}")
    at = states.path(name)
    try:
        lock = Lock(at.with_suffix(".lock"))
    except LockTaken:
        raise BadInput("run", f"the run {name!r} is going on; pause it first") from None
    try:
        at.unlink(missing_ok=True)
        beside(name).unlink(missing_ok=True)
        files.sweep(at)
    finally:
        lock.release()
