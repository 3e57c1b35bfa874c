"""Runs on the disk: what was asked of each unfinished one, and the curves of all.

Beside the saved state `runs/NAME.safetensors` of a run that the page began lies `runs/NAME.json`, what was asked: enough to
list the run and to go on with it after a restart.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from . import curves, states, store
from .store import BrokenCheckpoint


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a visitor wants trained.

    Attributes:
        recipe, scale: a row of RECIPES.
        steps: number of updates; None takes the row's.
        name: of the model.
        download: fetch the data set if it is not here.
        mode: begin anew, go on from the saved state, or go on from the last good one with half the learning rate.
    """

    recipe: str
    scale: str = "evidence"
    seed: int = 0
    name: str = ""
    steps: int | None = None
    download: bool = False
    mode: Literal["start", "resume", "retry"] = "start"


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that can go on.

    Attributes:
        request: what was asked.
        step: updates done.
        diverged: what the guard said, or "".
    """

    request: RunRequest
    step: int
    diverged: str = ""


def beside(name: str) -> Path:
    """Where the request of a run lies."""
    return states.path(name).with_suffix(".json")


def remember(request: RunRequest, diverged: str = "") -> None:
    """Write what was asked, and what the guard said."""
    store.write_json(beside(request.name), {"request": asdict(request), "diverged": diverged})


def unfinished() -> dict[str, Unfinished]:
    """The runs that can go on, by name; one that cannot be read is left out."""
    found = {}
    for path in sorted((store.folder() / "runs").glob("*.json")):
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            with safe_open(states.path(path.stem), "pt") as state:
                step = int(state.get_tensor("step"))
            found[path.stem] = Unfinished(RunRequest(**held["request"]), step, held["diverged"])
        except (OSError, ValueError, TypeError, KeyError, SafetensorError):
            continue
    return found


def histories() -> list[str]:
    """Models whose curves are here, by name."""
    return [name for name in store.cards() if curves.path(name).is_file()]


def read_history(name: str) -> dict[str, Any] | None:
    """The curves of a model, or of an unfinished run; None where there are none.

    Returns:
        {steps: [..], lr: [..], terms: {name: [..]}, probes: [{step, ...}]}, see `training.probes.Probe`.
    Raises:
        BrokenCheckpoint: the file cannot be read, or is not a history.
    """
    path, state = curves.path(name), states.path(name)
    try:
        if path.is_file():
            held = json.loads(path.read_text(encoding="utf-8"))
        elif state.is_file():
            with safe_open(state, "pt") as tensors:
                held = json.loads(bytes(tensors.get_tensor("history").tolist()))
        else:
            return None
        lengths = {len(held["steps"]), len(held["lr"]), *map(len, held["terms"].values())}
        if len(lengths) != 1 or any("step" not in probe for probe in held["probes"]):
            raise ValueError("its curves differ in length")
        return held
    except (OSError, ValueError, TypeError, KeyError, AttributeError, SafetensorError) as error:
        raise BrokenCheckpoint(
            f"the curves of {name!r} cannot be read ({error}); restore the file, or train it again"
        ) from error
