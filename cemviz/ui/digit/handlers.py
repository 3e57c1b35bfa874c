"""Handlers of the digit tab: plain functions of the controls' values, by name."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from ...backend.checks import BadInput
from ...backend.look.digit import Digit, digit, readers, reads
from ...backend.look.drawings import from_file, from_ink, packed
from ...backend.look.pictures import DRAWN, offered
from ...backend.requests import DigitRequest
from ...backend.studio import Studio
from ..controls import EXPECTED, STOPPED, Session, words_of
from ..selection import FIRST, NONE, of_card, own_choice
from ..uploads import content
from ..wiring import Changes, run
from . import words

LIMIT = 30.0
"""Seconds that the nets may take."""

RUN = ("pad", "a", "b", "y")
SHOWN = ("results", "status", "a", "b", "y", "picture")

KINDS = {"ink": from_ink, "file": from_file}
"""Kinds of what the pad sends, its own pixels or a file -> how each is read."""


def take(studio: Studio, session: Session, *, kind: Any, data: Any, number: Any = 0) -> Changes:
    """Turn what was drawn or uploaded into a digit as MNIST's are; nothing else of it stays.

    Args:
        number: of the pad's last change, which the answers bear.
    """
    if not (isinstance(kind, str) and kind in KINDS):
        raise BadInput("picture", "the pad sends ink or a file; this is neither")
    drawing = packed(KINDS[kind](content(data)))
    session.held["pad"] = drawing, number if type(number) is int else 0
    return {"pad": drawing, "picture": gr.update(choices=[*offered(DRAWN), own_choice(drawing)], value=drawing)}


def go(studio: Studio, session: Session, *, pad: str | None, a: str, b: str, y: str) -> Iterator[Changes]:
    """Show the drawing to both nets; nets of other pictures give way to those of the tour."""
    known, cards = readers(studio), studio.cards()
    if known and not (reads(cards.get(a)) and reads(cards.get(b))):
        usual = [name for name in (*FIRST, *known) if name in known]
        a = a if reads(cards.get(a)) else usual[0]
        b = b if reads(cards.get(b)) else next((name for name in usual[1:] if name != a), a)
        fits = of_card(cards[a], pad or "", y)
        y = fits["y"]["value"]
        yield {"a": a, "b": b, "picture": fits["x"], "y": fits["y"]}
    session.drawn["digit"] = (a, b, y)
    drawn, number = session.held.get("pad", ("", 0))
    number = number if drawn == pad else 0  # a link's drawing has none
    request = DigitRequest(pad or "", (a, b), "" if y == NONE else y)
    try:
        for item in run(studio, session, "digit", studio.work(digit, request), title="A drawing", limit=LIMIT, asked=[request]):
            if isinstance(item, Digit):
                yield {"results": words.payload(item, number), "status": words.READY}
            elif item != STOPPED:
                yield {"status": f"Looking: {item}"}
    except EXPECTED as error:
        yield {"status": f"**Nothing was looked at:** {words_of(error)}."}
        raise
