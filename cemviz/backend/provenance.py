"""How a model came about: what was asked, and the card and the command line that say so."""

import hashlib
import json
import math
import shlex
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import torch

from ..data import images
from ..training import loop
from ..training.recipe import Recipe
from . import store
from .distributed import Team


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
        retry: go on from the last good state of a run that diverged, with half the learning rate and the next seed's draws.
        precision: key of PRECISIONS, of the passes through the net.
        download: fetch the images of a known set where they are not here.
    """

    recipe: str
    scale: str = "laptop"
    out: str | None = None
    seed: int = 0
    changes: dict[str, Any] | None = None
    data: str | None = None
    resume: bool = False
    retry: bool = False
    precision: str = "fp32"
    download: bool = True


def fingerprint(row: Recipe, request: TrainRequest) -> torch.Tensor:
    """What tells this run from every other: bytes, (32,) uint8."""
    lower = [] if request.precision == "fp32" else [request.precision]
    told = json.dumps([asdict(row), request.seed, *lower], sort_keys=True)
    return torch.tensor(list(hashlib.sha256(told.encode()).digest()), dtype=torch.uint8)


def card_of(
    request: TrainRequest,
    row: Recipe,
    name: str,
    net_args: dict[str, Any],
    held: images.Images,
    progress: loop.Progress,
    before: float,
    team: Team,
) -> store.Card:
    """The card of a finished run."""
    args = {k: v for k, v in asdict(row).items() if k != "encoder" or v is not None}
    args |= {} if request.precision == "fp32" else {"precision": request.precision}
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
        recipe_args={k: "inf" if v == math.inf else v for k, v in args.items()},  # JSON has no infinity
        norm=row.norm,
        radius=row.radius,
        seed=request.seed,
        steps=row.steps,
        seconds=round(before + progress.seconds, 1),
        device=team.device.title,
        command=command(request, team.world),
        created=datetime.now(UTC).strftime("%Y-%m-%d"),
    )


def command(request: TrainRequest, world: int = 1) -> str:
    """The command line that makes this model, by so many processes."""
    launch = "python" if world == 1 else f"accelerate launch --multi_gpu --num_processes {world}"
    words = [f"{launch} -m cemviz train", request.recipe, f"--scale {request.scale}", f"--seed {request.seed}"]
    if request.out and request.out != request.recipe:
        words.append(f"--out {request.out}")
    if request.precision != "fp32":
        words.append(f"--precision {request.precision}")
    for key, value in (request.changes or {}).items():
        told = ",".join(f"{k}:{v}" for k, v in value.items()) if isinstance(value, dict) else value
        words.append(f"--set {shlex.quote(f'{key}={told}')}")
    return " ".join(words)
