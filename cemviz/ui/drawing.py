"""What the landscape tab keeps of a visitor: panels as they are measured, and which models go together on one scale."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from ..backend.checks import BadInput
from ..backend.jobs import Waiting
from ..backend.landscape import MOST_MODELS, Missing, Panel, landscape, precomputed
from ..backend.requests import LandscapeRequest
from ..backend.studio import Studio
from . import words_landscape as say
from .controls import STOPPED, Session

LIMIT = 120.0
"""Seconds a picture may take on the page."""


def draw(studio: Studio, held: Session, request: LandscapeRequest) -> Iterator[str | Panel]:
    """Measure what is asked and keep it in the session, panel by panel.

    Precomputed windows wait for nobody; the others wait for the device and stop when the visitor says so.

    Yields:
        what to say meanwhile, and every panel that had to be computed.
    """
    stop = held.stops["landscape"]
    stop.clear()
    work: Iterator[Any] = landscape(studio, request)
    if len(precomputed(studio, request)) < len(set(request.models)):
        work = studio.jobs.run(work, title="Landscape", limit=LIMIT, stop=stop)
    panels: list[Panel] = []
    notes: list[str] = []
    try:
        with closing(work):
            for item in work:
                if isinstance(item, Panel):
                    panels.append(item)
                    held.held["landscape"] = request, panels, notes
                    if not item.precomputed:
                        yield item
                elif isinstance(item, Waiting):
                    yield str(item)
                elif isinstance(item, Missing):
                    notes.append(f"**{item.model}** is not shown. {item.why}")
                else:
                    yield f"{item} points"
        if stop.is_set():
            notes.append(STOPPED)
        if not panels:
            yield "  \n".join(notes)
    finally:
        stop.set()  # nothing is at work


def drawn(held: Session) -> tuple[LandscapeRequest, list[Panel], list[str]]:
    """What the session drew last.  Raises BadInput where it drew nothing yet."""
    if "landscape" not in held.held:
        raise BadInput("point", "nothing was drawn yet; press Draw first")
    return held.held["landscape"]


def follow(studio: Studio, chosen: list[str]) -> tuple[list[str], str | None]:
    """Models of one data set and kind: the last chosen decides.  Where it drops the others, its pair comes along.

    Returns:
        the models, and the data set, or None where all can stay.
    """
    cards = studio.cards()
    groups = [(cards[name].data, cards[name].kind) for name in chosen]
    if len(set(groups)) < 2:
        return chosen, None
    kept = [name for name, group in zip(chosen, groups, strict=True) if group == groups[-1]]
    return (kept + [name for name in say.pair(cards, *groups[-1]) if name not in kept])[:MOST_MODELS], groups[-1][0]
