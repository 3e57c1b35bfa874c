"""Runs on the disk: what was asked of each unfinished one, and the curves of all.

Beside the saved state `runs/NAME.safetensors` of a run that the page began lies `runs/NAME.json`, what was asked: enough to
list the run and to go on with it after a restart.
"""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ...training.recipes import RECIPES
from .. import store
from ..requests import RunRequest
from ..store import BrokenCheckpoint
from ..stored import artefacts
from . import curves, pair, states


def heading(name: str) -> str:
    """How a run is called over its curves: a recipe's own run in the recipe's words, any other by its name."""
    scales = RECIPES.get(name.removesuffix(f"-{pair.SCALE}"))
    if scales is None:
        return name
    words = next(iter(scales.values())).title.split(", ", 1)[-1]
    return words[:1].upper() + words[1:]


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
    runs, names = {}, {f.name for f in fields(RunRequest)}  # a later version may ask for more
    for path in sorted((store.folder() / "runs").glob("*.json")):
        try:
            content = store.read_json(path)
            request = RunRequest(**{k: v for k, v in content["request"].items() if k in names})
            if isinstance(content["diverged"], str):
                runs[path.stem] = Unfinished(request, states.stopped_at(path.stem), content["diverged"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError, BrokenCheckpoint, SafetensorError):
            continue
    return runs


def histories() -> list[str]:
    """Finished runs whose curves are here, by name: the pair's, then those of the models."""
    return [*pair.names(), *(name for name in store.cards() if curves.path(name).is_file())]


def read_history(name: str) -> dict[str, Any] | None:
    """The curves of a model, or of an unfinished run; None where there are none.

    Returns:
        {steps: [..], lr: [..], terms: {name: [..]}, probes: [{step, ...}], frames: {..., shots: [{step, sprite, read}]}}, see
        `training.probes.Probe` and `frames.Film`; curves of before there were frames have none.
    Raises:
        BrokenCheckpoint: the file cannot be read, or is not a history.
    """
    artefact = artefacts.read("history", name, "train the model again")
    try:
        if artefact is None and not states.path(name).is_file():
            return None
        history = states.curves_of(name) if artefact is None else artefact.head
        lengths = {len(history["steps"]), len(history["lr"]), *map(len, history["terms"].values())}
        if len(lengths) != 1 or any("step" not in probe for probe in history["probes"]):
            raise ValueError("its curves differ in length")
        return history
    except (OSError, ValueError, TypeError, KeyError, AttributeError, SafetensorError) as error:
        raise BrokenCheckpoint(
            f"the curves of {name!r} cannot be read ({error}); restore the file, or train it again"
        ) from error
