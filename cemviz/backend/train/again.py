"""Runs of stored models, made again for their curves and frames: the pair of runs that the Training tab opens with.

    checkpoints/history/NAME.json    curves and frames of the run that made NAME, see `curves` and `frames`

The card says what the run was: recipe, scale, numbers and seed.  Curves are the model's own only where the run ends in the same
weights, bit by bit; only then they are kept.
"""

from collections.abc import Iterator
from typing import Any

from ...training import loop
from ..requests import TrainRequest
from ..store import Card
from ..stored import artefacts, models
from ..studio import Studio
from ..use_case import Step
from . import curves, frames, states
from .plan import plan
from .prepared import prepare
from .provenance import differences, identity_of
from .run import noted
from .team import Team

PAIRS: dict[str, tuple[str, str]] = {"mnist": ("mnist-at-flat", "mnist-standard-flat")}
"""Data set -> two models of one net, schedule and seed: with attacks and without.  Found by trying, see the tab's words."""


def make(studio: Studio, data: str) -> Iterator[Step | dict[str, Any]]:
    """Make the runs of a pair again whose curves have no frames, or rest on other weights, or frames of other settings.

    Args:
        data: whose images are on this machine.
    Yields:
        steps while at work; {path} of a written file, {skipped} with the reason.
    Raises:
        DataMissing, Diverged, BrokenCheckpoint, Unwritable.
    """
    if data not in PAIRS:
        yield {"skipped": f"there is no pair of {data}"}
        return
    cards = studio.cards()
    for name in PAIRS[data]:
        if name not in cards:
            yield {"skipped": f"{name} is not stored; train it with: python -m cemviz train {name} --scale shipped"}
        elif _stands(studio, cards[name]):
            yield {"skipped": f"the curves of {name} rest on the model that is stored"}
        else:
            yield from _made(studio, cards[name])


def _stands(studio: Studio, card: Card) -> bool:
    kept = artefacts.read("history", card.name, "remove it")
    net, _ = studio.model(card.name)
    rests = kept is not None and kept.models.get(card.name) == card.sha256
    return rests and kept.head.get("frames") == frames.film(studio, card, net).about


def _made(studio: Studio, card: Card) -> Iterator[Step | dict[str, Any]]:
    """Curves of the run that made a stored model; nothing else is written."""
    asked = plan(TrainRequest(card.recipe, card.scale, card.name, card.seed, data=studio.data))
    if apart := differences(asked.identity, identity_of(card)):
        yield {"skipped": f"{card.name} is of another run than its recipe is by now: {', '.join(apart)}"}
        return
    team, start = Team(studio.device), states.anew(card.kind)
    for progress in noted(studio, asked, prepare(asked, team), start, team):
        yield Step(progress.step, progress.steps, card.name)
    if not models.alike(loop.averaged(progress.state()), card):
        yield {"skipped": f"the run of {card.name} ends in other weights on this machine ({studio.device.title})"}
        return
    curves.write(card.name, start.history, card.sha256)
    yield {"path": str(curves.path(card.name))}
