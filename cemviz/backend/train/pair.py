"""The pair of runs that the Training tab opens with: one net and seed, trained on attacked images and on images as they are.

    checkpoints/history/RECIPE-evidence.json.gz curves and frames of the run, see `curves` and `frames`

Of the weights that a run ends in only the hash is kept: recipe, scale and seed make the same run again, in minutes.
"""

from collections.abc import Iterator
from typing import Any

from ...training import loop
from ..requests import TrainRequest
from ..stored import artefacts, models
from ..stored.artefacts import Artefact
from ..studio import Studio
from ..use_case import Step
from . import curves, frames, states
from .plan import plan
from .prepared import prepare
from .provenance import card_of
from .run import noted
from .team import Team

PAIRS: dict[str, tuple[str, str]] = {"mnist": ("mnist-at-flat", "mnist-standard-flat")}
"""Data set -> two recipes that differ in the attack alone.  Found by trying, see the tab's words."""

SCALE, SEED = "evidence", 0


def name_of(recipe: str) -> str:
    """Name of a run of the pair among the curves."""
    return f"{recipe}-{SCALE}"


def names() -> list[str]:
    """Runs of pairs whose curves are here."""
    return [name for row in PAIRS.values() for name in map(name_of, row) if curves.path(name).is_file()]


def make(studio: Studio, data: str) -> Iterator[Step | dict[str, Any]]:
    """Make the pair of a data set again, where recipes or frames are others by now; the same device gives the same bytes.

    Args:
        data: whose images are on this machine.
    Yields:
        steps while at work; {path} of a written file, {skipped} with the reason.
    Raises:
        DataMissing, Diverged, BrokenCheckpoint, Unwritable.
    """
    if data not in PAIRS:
        yield {"skipped": f"there is no pair of {data}"}
    for recipe in PAIRS.get(data, ()):
        yield from _ensure(studio, recipe)


def _ensure(studio: Studio, recipe: str) -> Iterator[Step | dict[str, Any]]:
    name, team = name_of(recipe), Team(studio.device)
    request = TrainRequest(recipe, SCALE, name, SEED, data=studio.data)
    planned = plan(request)
    work, start = prepare(planned, team), states.anew(planned.row.kind)
    card = card_of(request, work.row, name, work.net_args, work.images, 0.0, team)
    if _stands(name, planned.identity, frames.film(studio, card, work.net).about):
        yield {"skipped": f"the run {name} stands: recipe and frames are the same"}
        return
    for progress in noted(studio, planned, work, start, team):
        yield Step(progress.step, progress.steps, name)
    rests = {"run": planned.identity, "sha256": models.digest(loop.averaged(progress.state()))}
    yield {"path": str(artefacts.write("history", name, Artefact(start.history | rests), indent=None))}


def _stands(name: str, identity: dict[str, Any], about: dict[str, Any]) -> bool:
    artefact = artefacts.read("history", name, "remove it")
    if artefact is None or artefact.head.get("run") != identity:
        return False
    return about == {key: value for key, value in artefact.head["frames"].items() if key != "shots"}
