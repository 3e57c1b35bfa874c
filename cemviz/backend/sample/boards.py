"""Boards: sweeps of two numbers that ship, a picture and its quality in every cell; and sweeps that are kept once made.

    checkpoints/sweeps/MODEL-SAMPLER-NUMBER-NUMBER.json    a sweep's table and one sprite, see `swept.Sweep.artefact`

No image of a data set is in them: the pictures are the models' own samples.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ...data.datasets import dataset
from .. import kinds
from ..requests import SweepRequest
from ..store import Card
from ..stored import artefacts
from ..stored.artefacts import Artefact
from ..studio import Studio
from ..use_case import Step
from .chains import offered
from .sweep import sweep
from .swept import as_json

FOLDER, KEPT = "sweeps", "evidence/sweeps"
"""Where boards ship, and where sweeps are kept that do not."""

SAMPLERS = ("rcs", "cs", "ta", "langevin", "maxent")
PAIRS = (("noise", "steps"), ("step", "radius"))
FIRST = 5
"""Class of the picture in each cell, of the first chain: a five, a dog."""


def drawers(data: str, cards: dict[str, Card]) -> list[Card]:
    """The models of a set that have boards, of those that are stored: the one that draws its gallery, and its encoder."""
    return [cards[name] for name in (dataset(data).gallery, f"{data}-uat") if name in cards]


def requests(data: str, cards: dict[str, Card]) -> dict[str, SweepRequest]:
    """The boards of a data set by name, seen by a judge of clean images where there is one: it does not overlook speckle."""
    clean = f"{dataset(data).judge}-clean"
    judge = clean if clean in kinds.judges(data) else None
    asked = {}
    for card in drawers(data, cards):
        usual, first = kinds.of(card).usual, FIRST % len(card.classes)
        turned = (*card.classes[first:], *card.classes[:first])
        for sampler in (name for name in SAMPLERS if name in offered(card)):
            for over in PAIRS:
                request = SweepRequest(card.name, over, judge=judge, seeds=1, classes=turned, **usual | {"sampler": sampler})
                asked[name_of(request)] = request
    return asked


def name_of(request: SweepRequest) -> str:
    """Name of the board that a request would make."""
    return "-".join((request.model, request.sampler, *request.over))


def make(studio: Studio, data: str) -> Iterator[Step | dict[str, Any]]:
    """Make the boards of a data set that are not there, or that a model trained anew or another request made stale.

    Yields:
        steps while at work; {path} of each file; {skipped} where there is no model.
    Raises:
        BrokenCheckpoint, Unwritable; as `sweep`.
    """
    asked = requests(data, studio.cards())
    if not asked:
        yield {"skipped": f"there is no model {dataset(data).gallery} and no encoder yet"}
    for name, request in asked.items():
        yield from _made(studio, request, FOLDER, name)


def board(name: str) -> Artefact | None:
    """A board that ships, by name, or None where there is none.  Raises BrokenCheckpoint."""
    return artefacts.read(FOLDER, name, "run: python -m cemviz assets DATA --only sweeps")


def kept(studio: Studio, request: SweepRequest) -> Iterator[Step | Artefact]:
    """A sweep that was made before and rests on what is stored now, or else a new one, which is kept.

    Yields:
        steps while at work, then the artefact.
    Raises:
        As `sweep`; Unwritable.
    """
    name = hashlib.sha256(json.dumps(as_json(request)).encode()).hexdigest()[:16]
    for item in _made(studio, request, KEPT, name):
        if isinstance(item, Step):
            yield item
    yield artefacts.read(KEPT, name, "try again")


def _made(studio: Studio, request: SweepRequest, folder: str, name: str) -> Iterator[Step | dict[str, Any]]:
    """Make an artefact unless it is there and rests on what is stored now."""
    try:
        held = artefacts.read(folder, name, "make it anew")
    except artefacts.BrokenCheckpoint:
        held = None  # it is made anew
    if held is None or held.stale(studio.cards(), as_json(request)):
        for item in sweep(studio, request):
            if isinstance(item, Step):
                yield replace(item, doing=f"{name}: {item.doing}")
        artefacts.write(folder, name, item.artefact(), indent=None)
    yield {"path": str(artefacts.path(folder, name))}
