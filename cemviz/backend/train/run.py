"""Train any recipe: resumable, guarded, and stored with a card that says how to make the model again.

`plan` says what is to be trained, `prepared` with what, `states` what is saved of it and when.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ...dynamics import Diverged
from ...training import loop
from ...training.recipe import SCHEDULES
from .. import store
from ..memory import OutOfMemory, full, smaller
from ..requests import TrainRequest
from ..store import Unwritable
from ..stored import files, models
from ..studio import Studio
from ..use_case import Step
from . import curves, frames, states
from .plan import Plan, plan
from .prepared import Prepared, prepare, probe
from .provenance import card_of
from .states import Saver, Start
from .team import Team, join, separate


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained(Step):
    """An update of a run; `done` and `total` count updates.

    Attributes:
        terms: of the loss, by name.
        lr: learning rate.
        seconds, left: trained so far, and estimated to go.
        probe: what `training.probes.Probe` told of this update, or None.
        history: the curves so far, the same dict each time.
        unsaved: why the state could not be saved just now, or "".
    """

    terms: dict[str, float]
    lr: float
    seconds: float
    left: float
    probe: dict[str, Any] | None
    history: dict[str, Any]
    unsaved: str = ""

    def __str__(self) -> str:
        """As the command line tells it."""
        terms = ", ".join(f"{name} {value:.4f}" for name, value in self.terms.items())
        return f"step {self.done}/{self.total}  {terms}  lr {self.lr:.2e}  {self.left / 60:.1f} min left"


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a run stored.

    Attributes:
        name: of its card.
        path: of its weights.
        end: the last update.
    """

    name: str
    path: str
    end: Trained


def train(studio: Studio, request: TrainRequest) -> Iterator[Trained | Model]:
    """Train a model and store it, and its curves beside it; of several processes (see `distributed`) the first one stores.

    Closing the iteration at an item keeps the full state, from which `resume` goes on bit-equal.

    Yields:
        every update, the last one once the model is stored; then the model, in the process that stored it.
    Raises:
        KeyError, ValueError: bad changes of the row; a model of that name, which was not asked for, is of another run; somebody
            else trains a model of that name.
        DataMissing: the training images are not here.
        AnotherRun: the state to resume from belongs to another one.
        Diverged: the run stopped; its last good state is kept for --resume and --retry.
        OutOfMemory: the batch does not fit.
        Unwritable: a full disk, or a folder that may not be written; what was saved before still stands.
    """
    planned = plan(request if request.data else replace(request, data=studio.data))
    team = join(studio.device, planned.row.batch)
    lock = planned.lock() if team.leads else None
    try:
        yield from _train(studio, planned, team)
    finally:
        if lock is not None:
            lock.release()


def _train(studio: Studio, planned: Plan, team: Team) -> Iterator[Trained | Model]:
    request, steps = planned.request, planned.row.steps
    if team.leads:
        models.sweep(planned.name), files.sweep(states.path(planned.name))
    start = planned.start()
    team.agree(start.step)
    work = prepare(planned, team)
    notes = _notes(work, start.retries + request.retry, team)
    saver = Saver(states.path(planned.name), planned.identity, start, start.retries + request.retry)
    progress = None
    try:
        for progress in noted(studio, planned, work, start, team):
            if progress.step == steps:  # this state is the model
                break
            unsaved = saver.now_and_then(progress) if team.leads else ""
            try:
                yield _item(progress, start, unsaved)
            except BaseException:  # closed, or interrupted, between two updates: the state is whole
                _save(saver, progress, team)
                raise
    except Diverged as error:
        try:
            _save(saver, progress, team)
        except Unwritable as unwritable:
            raise Diverged(f"{error}; {unwritable}") from error
        raise
    except RuntimeError as error:
        if not full(error):
            raise
        raise OutOfMemory(smaller(work.row, team.device.title, team.world)) from error
    end = _last(start) if progress is None else _item(progress, start)
    if team.leads:
        state = start.state if progress is None else progress.state()
        card = card_of(request, work.row, planned.name, work.net_args, work.images, end.seconds, team, notes)
        path = _store(card, work.finished(loop.averaged(state)), start, saver, progress)
    yield end
    if team.leads:
        yield Model(planned.name, path, end)


def noted(studio: Studio, planned: Plan, work: Prepared, start: Start, team: Team) -> Iterator[loop.Progress]:
    """The updates from where a run begins, each noted in its curves, and the frames that are due; nobody looks at evidence."""
    film, due = None, frames.due(work.row.steps)
    card = card_of(planned.request, work.row, planned.name, work.net_args, work.images, 0.0, team)
    if team.leads and card.role != "evidence":
        film = frames.film(studio, card, work.net)
        start.history["frames"] = film.about | {"shots": start.history.get("frames", {}).get("shots", [])}
    for progress in _updates(planned, work, start, team):
        curves.note(start.history, progress)
        if film is not None and progress.step in due:
            frame = film.frame(loop.averaged(progress.state()))
            start.history["frames"]["shots"] += [] if frame is None else [{"step": progress.step} | frame]
        yield progress


def _updates(planned: Plan, work: Prepared, start: Start, team: Team) -> Iterator[loop.Progress]:
    """The updates from where the run begins, by this process's part of every batch."""
    row, retries = work.row, start.retries + planned.request.retry
    seed = planned.request.seed + retries
    draws, views = team.generator(seed + 1), team.device.generator(seed + 2)  # views are of whole batches
    generators = {"draws": draws, "views": views, "probe": team.device.generator(seed + 3)}
    state = start.state
    if planned.request.retry:  # draws of its own, instead of those that led to the divergence
        state = state | {f"generator.{k}": g.get_state() for k, g in generators.items()}
    goal = work.objective(draws, planned.dtype)
    optimizer = replace(row, lr=row.lr / 2**retries).optimizer_for(work.net)
    return loop.fit(
        work.net, goal, team.part(work.batches(seed, start.step, views)), row.steps, optimizer,
        schedule=SCHEDULES[row.schedule], average=row.average, clip=row.clip, generators=generators, resume=state,
        probe=probe(work, goal, generators["probe"]) if team.leads else None,
        probe_every=max(1, row.steps // curves.PROBES), reduce=team.mean,
    )  # fmt: skip


def _notes(work: Prepared, retries: int, team: Team) -> str:
    """Notes on the card, beside its fields."""
    notes = [f"diverged and went on {retries} times, each with half the learning rate and draws of its own"] if retries else []
    notes += work.images.cautions()
    if work.encoder:
        notes.append(f"reads {work.row.encoder} ({work.encoder[:12]})")
    if team.world > 1 and separate(work.net):
        notes.append(f"BatchNorm's statistics are of one process's 1/{team.world} of each batch")
        if team.leads:
            warnings.warn(
                "BatchNorm's statistics are those of each process's part of the batch, not of the whole", stacklevel=4
            )
    return "; ".join(notes)


def _save(saver: Saver, progress: loop.Progress | None, team: Team) -> None:
    if team.leads:
        saver.save(progress)


def _store(card: store.Card, weights: dict[str, Tensor], start: Start, saver: Saver, progress: loop.Progress | None) -> str:
    """Store the model and its curves; where that fails, keep the state, so that --resume stores them without any training."""
    try:
        path = store.save(weights, card)
        curves.write(card.name, start.history, store.digest(path))
    except Unwritable as error:
        try:
            saver.save(progress)
        except Unwritable:
            raise Unwritable(
                f"{error}; the run is saved up to step {saver.step}: make room, and go on with --resume"
            ) from error
        raise Unwritable(f"{error}; the run is saved: make room, and give --resume to store the model") from error
    saver.forget()
    return str(path)


def _item(progress: loop.Progress, start: Start, unsaved: str = "") -> Trained:
    pace = progress.seconds / (progress.step - start.step)
    return Trained(
        progress.step,
        progress.steps,
        terms=progress.terms,
        lr=progress.lr,
        seconds=start.seconds + progress.seconds,
        left=pace * (progress.steps - progress.step),
        probe=progress.probe,
        history=start.history,
        unsaved=unsaved,
    )


def _last(start: Start) -> Trained:
    """The last update of a run that was done before it could be stored."""
    history = start.history
    terms = {name: values[-1] for name, values in history["terms"].items()}
    return Trained(
        start.step, start.step, terms=terms, lr=history["lr"][-1], seconds=start.seconds, left=0.0, probe=None, history=history
    )
