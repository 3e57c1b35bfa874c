"""Train any recipe: resumable, guarded, and stored with a card that says how to make the model again."""

import hashlib
import json
import math
import shlex
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ..data import images
from ..data.images import DATASETS, Dataset
from ..nets import build
from ..training import loop
from ..training.recipes import SCHEDULES, Recipe, objective, recipe
from . import store
from .device import Device

SAVE_EVERY = 30.0
"""Seconds between two saves of the full state: what a killed run loses at most."""


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What to train.

    Attributes:
        recipe, scale: a row of RECIPES.
        out: name of the model; None takes the recipe's.
        seed: of weights, order, augmentation and attack.
        changes: fields of the row to replace.
        data: root of local image folders.
        resume: go on from the saved state, if there is one.
    """

    recipe: str
    scale: str = "laptop"
    out: str | None = None
    seed: int = 0
    changes: dict[str, Any] | None = None
    data: str | None = None
    resume: bool = False


def state_path(name: str) -> Path:
    """Where the full state of an unfinished run lies."""
    return store.folder() / "runs" / f"{store.checked(name)}.safetensors"


def train(request: TrainRequest, device: Device) -> Iterator[dict[str, Any]]:
    """Train a model and store it.

    Yields:
        {step, steps, terms, lr, seconds, left} after every update; `left` is the estimated number of seconds to go.
        The last one also has {model, path}.
    Raises:
        KeyError, ValueError: bad request.
        DataMissing: the training images are not here.
        Diverged: the run stopped; its last good state is kept for --resume.
    """
    changes = request.changes or {}
    row = recipe(request.recipe, request.scale, **changes)
    name = request.out or request.recipe
    saved = state_path(name)  # refuses a bad name before the work, not after it
    known = DATASETS.get(row.data)
    held = images.load(row.data, "train", data=request.data, device=device.torch, download=known is not None)
    if row.images is not None:
        held = held.first(row.images)
    net_args = row.net_args | statistics(known, held)
    net = build(row.net, seed=request.seed, **net_args).to(device.torch).train()
    resume = _saved(saved, row, request) if request.resume and saved.is_file() else None
    done = int(resume["step"]) if resume else 0

    draws, views = device.generator(request.seed + 1), device.generator(request.seed + 2)
    batches = images.batches(
        held, row.batch, seed=request.seed, start=done, view=known.views if known else images.views.none, generator=views
    )
    run = loop.fit(
        net, objective(row, draws), batches, row.steps, row.optimizer_for(net),
        schedule=SCHEDULES[row.schedule], average=row.average, clip=row.clip,
        generators={"draws": draws, "views": views}, resume=resume,
    )  # fmt: skip
    last_save, before = time.monotonic(), resume["seconds"].item() if resume else 0.0
    progress = None
    try:
        for progress in run:
            if time.monotonic() - last_save > SAVE_EVERY:
                _keep(saved, progress, before, row, request)
                last_save = time.monotonic()
            if progress.step < row.steps:
                yield _told(progress, done, before)
    except loop.Diverged:
        if progress is not None:
            _keep(saved, progress, before, row, request)
        raise
    except (GeneratorExit, KeyboardInterrupt):
        if progress is not None and progress.step < row.steps:
            _keep(saved, progress, before, row, request)
        raise
    if progress is None:
        raise ValueError(f"the saved run of {name!r} has done {done} of {row.steps} steps: nothing is left to train")
    card = _card(request, row, name, net_args, held, progress, before, device)
    path = store.save(loop.averaged(progress.state()), card)
    saved.unlink(missing_ok=True)
    yield _told(progress, done, before) | {"model": name, "path": str(path)}


def statistics(known: Dataset | None, held: images.Images) -> dict[str, Any]:
    """Arguments of a net that come from its data: channel means, deviations, number of classes."""
    if known is not None:
        mean, std = known.mean, known.std
    else:
        x = held.floats()
        mean, std = x.mean((0, 2, 3)).tolist(), x.std((0, 2, 3)).tolist()
    return {"mean": list(mean), "std": list(std), "outputs": len(held.classes)}


def _keep(path: Path, progress: loop.Progress, before: float, row: Recipe, request: TrainRequest) -> None:
    more = {"seconds": torch.tensor(before + progress.seconds), "run": _fingerprint(row, request)}
    store.write_tensors(path, progress.state() | more)


def _saved(path: Path, row: Recipe, request: TrainRequest) -> dict[str, torch.Tensor]:
    state = store.read_tensors(path)
    if not torch.equal(state["run"], _fingerprint(row, request)):
        raise ValueError(
            f"the saved state in {path.name} is of another run (recipe, scale, seed or a field); "
            "give the same ones, or leave --resume out to begin anew"
        )
    return state


def _fingerprint(row: Recipe, request: TrainRequest) -> torch.Tensor:
    told = json.dumps([asdict(row), request.seed], sort_keys=True)
    return torch.tensor(list(hashlib.sha256(told.encode()).digest()), dtype=torch.uint8)


def _told(progress: loop.Progress, done: int, before: float) -> dict[str, Any]:
    pace = progress.seconds / (progress.step - done)
    return {
        "step": progress.step,
        "steps": progress.steps,
        "terms": progress.terms,
        "lr": progress.lr,
        "seconds": before + progress.seconds,
        "left": pace * (progress.steps - progress.step),
    }


def _card(
    request: TrainRequest,
    row: Recipe,
    name: str,
    net_args: dict[str, Any],
    held: images.Images,
    progress: loop.Progress,
    before: float,
    device: Device,
) -> store.Card:
    return store.Card(
        name=name,
        title=row.title,
        kind=row.kind,
        net=row.net,
        net_args=net_args,
        data=row.data,
        shape=tuple(held.pixels.shape[1:]),
        classes=held.classes,
        recipe=request.recipe,
        scale=request.scale,
        recipe_args={k: "inf" if v == math.inf else v for k, v in asdict(row).items()},  # JSON has no infinity
        norm=row.norm,
        radius=row.radius,
        seed=request.seed,
        steps=row.steps,
        seconds=round(before + progress.seconds, 1),
        device=device.title,
        command=command(request),
        created=datetime.now(UTC).strftime("%Y-%m-%d"),
    )


def command(request: TrainRequest) -> str:
    """The command line that makes this model."""
    words = ["python -m cemviz train", request.recipe, f"--scale {request.scale}", f"--seed {request.seed}"]
    if request.out and request.out != request.recipe:
        words.append(f"--out {request.out}")
    for key, value in (request.changes or {}).items():
        told = ",".join(f"{k}:{v}" for k, v in value.items()) if isinstance(value, dict) else value
        words.append(f"--set {shlex.quote(f'{key}={told}')}")
    return " ".join(words)


def with_metric(name: str, metric: str, value: dict[str, Any]) -> store.Card:
    """Put a measured number on a model's card."""
    card = store.read_card(name)
    card = replace(card, metrics=card.metrics | {metric: value})
    store.write_card(card)
    return card
