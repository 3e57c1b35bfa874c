"""How a model came about: the identity of its run, and the card and the command line that say so."""

import json
import math
import shlex
from dataclasses import MISSING, asdict, fields
from datetime import UTC, datetime
from typing import Any

from ...data import images
from ...training.recipe import Recipe
from .. import store
from ..requests import TrainRequest
from .team import Team

WORDS = ("title", "source", "role")
"""Fields of a row that say something and change no number."""


def identity(request: TrainRequest, row: Recipe) -> dict[str, Any]:
    """Identity of a run, as JSON has it: recipe, scale, seed, precision and the numbers of the row tell it from every other.

    Args:
        row: with the changes that were asked for.
    """
    about = {"recipe": request.recipe, "scale": request.scale, "seed": request.seed, "precision": request.precision}
    return _numbers(about | asdict(row))


def identity_of(card: store.Card) -> dict[str, Any]:
    """The same of the run that made a stored model; a field that is younger than its card has its usual value."""
    usual = {f.name: f.default for f in fields(Recipe) if f.default is not MISSING}
    usual |= {f.name: f.default_factory() for f in fields(Recipe) if f.default_factory is not MISSING}
    about = {"recipe": card.recipe, "scale": card.scale, "seed": card.seed}
    return _numbers(usual | {"precision": "fp32"} | card.recipe_args | about)


def differences(run: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Differences of one identity from another, in words, at most four of them."""
    apart = [key for key in dict.fromkeys([*run, *other]) if run.get(key, MISSING) != other.get(key, MISSING)]
    words = [f"{key} is {run.get(key, 'not known here')}, not {other.get(key, 'known there')}" for key in apart]
    return words[:4] + ([f"and {len(words) - 4} more"] if len(words) > 4 else [])


def _numbers(numbers: dict[str, Any]) -> dict[str, Any]:
    # a linear probe's net is that of its encoder, which the row names
    words = (*WORDS, "net", "net_args") if numbers.get("encoder") else WORDS
    # a field that is younger than a saved run says nothing where it is as it was
    empty = [("p0", ""), ("split", "train")]
    changed = {k: "inf" if v == math.inf else v for k, v in numbers.items() if k not in words and (k, v) not in empty}
    return json.loads(json.dumps(changed))


def role_of(name: str, row: Recipe) -> str:
    """Role of the model that a run makes: its recipe's, but for linear probes and for evidence, in the tables' own folder."""
    if name.startswith("evidence/"):
        return "evidence"
    return "probe" if row.encoder else row.role


def card_of(
    request: TrainRequest,
    row: Recipe,
    name: str,
    net_args: dict[str, Any],
    train: images.Images,
    seconds: float,
    team: Team,
    notes: str = "",
) -> store.Card:
    """The card of a finished run."""
    args = {k: v for k, v in asdict(row).items() if (k not in ("encoder", "p0") or v) and k != "role"}
    args |= {} if request.precision == "fp32" else {"precision": request.precision}
    return store.Card(
        name=name,
        title=row.title,
        kind=row.kind,
        net=row.net,
        net_args=net_args,
        data=row.data,
        shape=tuple(train.pixels.shape[1:]),
        classes=train.classes,
        recipe=request.recipe,
        scale=request.scale,
        recipe_args={k: "inf" if v == math.inf else v for k, v in args.items()},  # JSON has no infinity
        norm=row.norm,
        radius=row.radius,
        seed=request.seed,
        steps=row.steps,
        seconds=round(seconds, 1),
        device=team.device.title,
        command=command(request, team.world),
        created=datetime.now(UTC).strftime("%Y-%m-%d"),
        notes=notes,
        role=role_of(name, row),
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
        text = ",".join(f"{k}:{v}" for k, v in value.items()) if isinstance(value, dict) else value
        words.append(f"--set {shlex.quote(f'{key}={text}')}")
    return " ".join(words)
