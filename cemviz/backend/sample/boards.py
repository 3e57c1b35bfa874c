"""Boards: sweeps of two numbers that ship, a picture and its quality in every cell; and sweeps that are kept once made.

    checkpoints/sweeps/MODEL-SAMPLER-NUMBER-NUMBER.json.gz    a sweep's table and one sprite, see `swept.Sweep.artefact`

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

SAMPLERS = {
    "{gallery}": ("rcs", "cs", "ta", "langevin"), "{data}-jeat": ("jeat17",), "{data}-uat": ("maxent",),
    "{data}-binary": ("ascent",),
}  # fmt: skip
"""Name of a model of a data set, whose gallery is drawn by {gallery} -> the samplers that have boards of it."""

BEGIN = {"jeat17": {"start": "uniform"}}
"""Sampler -> fields of its sweeps that differ from the kind's usual: JEAT's chains begin in noise."""

PAIRS = (("noise", "steps"), ("step", "radius"))
SEEDS = {"mnist": 3}
"""Data set -> runs of every setting from other draws, whose spread the curves show; one where a board takes many minutes."""

FIRST = 5
"""Class of the picture in each cell, of the first chain: a five, a dog."""


def drawers(data: str, cards: dict[str, Card]) -> Iterator[tuple[Card, str]]:
    """The models of a set that have boards, of those that are stored, with the samplers of each."""
    for pattern, samplers in SAMPLERS.items():
        name = pattern.format(data=data, gallery=dataset(data).gallery)
        yield from ((cards[name], sampler) for sampler in samplers if name in cards and sampler in offered(cards[name]))


def requests(data: str, cards: dict[str, Card]) -> dict[str, SweepRequest]:
    """The boards of a data set by name."""
    seeds = SEEDS.get(data, 1)
    sweeps = [request_of(card, sampler, over, seeds=seeds) for card, sampler in drawers(data, cards) for over in PAIRS]
    return {name_of(request): request for request in sweeps}


def request_of(card: Card, sampler: str, over: tuple[str, ...], **numbers: Any) -> SweepRequest:
    """A sweep as boards have it: the kind's usual chains, the first of which draws class FIRST.

    Args:
        numbers: further fields of the request, which win.
    """
    first = FIRST % len(card.classes)
    turned = (*card.classes[first:], *card.classes[:first])
    usual = kinds.kind_of(card).usual | {"sampler": sampler, "seeds": 1} | BEGIN.get(sampler, {})
    return SweepRequest(card.name, over=over, classes=turned, **usual | numbers)


def shipped(studio: Studio, request: SweepRequest) -> Artefact | None:
    """The board that ships of this request and rests on the weights that are stored now, or None; one seed is enough to ask."""
    cards = studio.cards()
    name, data = name_of(request), cards[request.model].data
    shipping = replace(request, seeds=SEEDS.get(data, 1)) if request.seeds == 1 else request
    if requests(data, cards).get(name) != shipping:
        return None
    artefact = board(name)
    return None if artefact is None or artefact.stale(cards, as_json(shipping)) else artefact


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
    sweeps = requests(data, studio.cards())
    if not sweeps:
        yield {"skipped": f"there is no model {dataset(data).gallery} and no encoder yet"}
    for name, request in sweeps.items():
        yield from _ensure(studio, request, FOLDER, name)


def board(name: str) -> Artefact | None:
    """A board that ships, by name, or None where there is none.  Raises BrokenCheckpoint."""
    return artefacts.read(FOLDER, name, "run: python -m cemviz assets DATA --only sweeps")


def stored_sweep(studio: Studio, request: SweepRequest) -> Iterator[Step | Artefact]:
    """A sweep that was made before and rests on what is stored now, or else a new one, which is kept.

    Yields:
        steps while at work, then the artefact.
    Raises:
        As `sweep`; Unwritable.
    """
    name = hashlib.sha256(json.dumps(as_json(request)).encode()).hexdigest()[:16]
    for item in _ensure(studio, request, KEPT, name):
        if isinstance(item, Step):
            yield item
    yield artefacts.read(KEPT, name, "try again")


def _ensure(studio: Studio, request: SweepRequest, folder: str, name: str) -> Iterator[Step | dict[str, Any]]:
    """Make an artefact unless it is there and rests on what is stored now."""
    try:
        artefact = artefacts.read(folder, name, "make it anew")
    except artefacts.BrokenCheckpoint:
        artefact = None  # it is made anew
    if artefact is None or artefact.stale(studio.cards(), as_json(request)):
        for item in sweep(studio, request):
            if isinstance(item, Step):
                yield replace(item, doing=f"{name}: {item.doing}")
        artefacts.write(folder, name, item.artefact(), indent=None)
    yield {"path": str(artefacts.path(folder, name))}
