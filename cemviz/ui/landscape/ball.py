"""The ball of the landscape tab: released at the point looked at, it rolls in every panel."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from ...backend.kinds import KINDS
from ...backend.look.pictures import portable
from ...backend.look.roll import Roll, roll, rolling
from ...backend.studio import Studio
from ..controls import STOPPED, Session
from ..selection import NONE
from ..wiring import Changes, run
from . import words
from .picture import LIMIT, Picture, figures, last_picture

FALLS = {"joint": "cs", "marginal": "langevin"}
"""Energy -> the sampler that descends it."""


def rolled(studio: Studio, session: Session, *, begun: threading.Event | None = None, **look: Any) -> Iterator[Changes]:
    """Release a ball at the point looked at, in every panel.

    Args:
        begun: the tab's claim where it is a part of a picture that is drawn, see `wiring.newest`.
    """
    picture, (a, b, energy) = last_picture(session), (look[name] for name in ("a", "b", "energy"))
    if not picture.planes:
        yield {"roll": None}
        return
    request = replace(picture.request, energy=energy)
    plane = look["plane"] if look["plane"] in picture.planes else picture.panels[0].model
    picture.rolls.clear()
    work, key = studio.work(roll, request, a, b, plane), (request, a, b, plane)
    for item in run(studio, session, "landscape", work, title="A ball", limit=LIMIT, requests=key, begun=begun):
        if isinstance(item, Roll):
            picture.rolls[item.model] = item
        elif item == STOPPED:
            return
    name = KINDS[picture.panels[0].kind].view.energies[energy]
    yield {**figures(studio, session, **look), "roll": words.film(picture.rolls, name, chains_of(studio, picture, energy))}


def chains_of(studio: Studio, picture: Picture, energy: str) -> str | None:
    """The address under which Sampling rolls the same ball, a chain for each of two nets; None where no name holds it."""
    first, card = next(iter(picture.rolls.values())), studio.cards()[picture.panels[0].model]
    if not KINDS[card.kind].classifies:
        return None
    x = portable(card, first.pixels[0])
    if x is None:
        return None
    sampler, dyn = FALLS[energy], rolling(card.shape)
    a, b, *_ = *picture.rolls, NONE
    return "?" + urlencode({
        "tab": "sampling", "a": a, "b": b, "x": x, "y": picture.panels[0].name, "seed": 0, "s.start": "picture",
        "s.as": sampler, "s.bs": sampler, "s.count": 1, "s.alpha": f"{dyn.step:g}", "s.eta": 0, "s.beta": "inf",
        "s.K": dyn.steps,
    })  # fmt: skip
