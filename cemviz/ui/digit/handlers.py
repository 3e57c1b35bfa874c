"""Handlers of the digit tab: plain functions of the controls' values, by name."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from ...backend import kinds
from ...backend.checks import BadInput
from ...backend.look.digit import Digit, digit, draws, readers, reads
from ...backend.look.drawings import from_file, from_ink, packed
from ...backend.look.pictures import DRAWN, offered, pictured
from ...backend.requests import DigitRequest
from ...backend.stored import assets
from ...backend.studio import Studio
from ...backend.tour import SUBJECT
from ..controls import EXPECTED, STOPPED, Session, prose_of
from ..selection import FIRST, NONE, alike, of_card, own_choice
from ..uploads import content
from ..wiring import Changes, run
from . import words

LIMIT = 30.0
"""Seconds that the nets may take."""

RUN = ("pad", "a", "b", "picture", "y")
SHOWN = ("results", "status", "a", "b", "y", "picture", "drawing", "instead")

KINDS = {"ink": from_ink, "file": from_file}
"""Kinds of what the pad sends, its own pixels or a file -> how each is read."""


def example() -> str | None:
    """A drawing to begin with: one that a model made."""
    gallery = assets.gallery("mnist")
    return None if gallery is None else packed(gallery.images[SUBJECT].float() / 255)


def take(studio: Studio, session: Session, *, kind: Any, data: Any, number: Any = 0) -> Changes:
    """Turn what was drawn or uploaded into a digit as MNIST's are; nothing else of it stays.

    Args:
        number: of the pad's last change, which the answers bear.
    """
    if not (isinstance(kind, str) and kind in KINDS):
        raise BadInput("picture", "the pad sends ink or a file; this is neither")
    drawing = packed(KINDS[kind](content(data)))
    session.state["pad"] = drawing, number if type(number) is int else 0
    return {"pad": drawing, "picture": gr.update(choices=[*offered(DRAWN), own_choice(drawing)], value=drawing)}


def go(studio: Studio, session: Session, *, pad: str | None, a: str, b: str, picture: str, y: str) -> Iterator[Changes]:
    """Show the drawing to both nets, or the selection's picture to nets of other pictures."""
    net_a, net_b = together(studio, a, b)
    card = studio.cards()[net_a] if net_a else None
    drawing = card is None or draws(card)
    place = {"drawing": gr.update(visible=drawing), "instead": gr.update(visible=not drawing)}
    if card is not None and (net_a, net_b) != (a, b):
        a, b = net_a, net_b
        fits = of_card(card, (pad or "") if drawing else picture, y)
        picture, y = fits["x"]["value"], fits["y"]["value"]
        place |= {"a": a, "b": b, "picture": fits["x"], "y": fits["y"]}
    session.selections["digit"] = (a, b, picture, y)
    yield place
    ink, number = session.state.get("pad", ("", 0))
    number = number if ink == pad else 0  # a link's drawing has none
    try:
        if not drawing and picture == "test":
            raise BadInput("picture", "which test image is not said here; choose another picture, or upload one")
        request = DigitRequest((pad or "") if drawing else picture, (a, b), "" if y == NONE else y)
        work = studio.work(pictured, digit, request)
        for item in run(studio, session, "digit", work, title="A picture", limit=LIMIT, requests=[request]):
            if isinstance(item, Digit):
                yield {
                    "results": words.payload(item, number),
                    "status": words.EXAMPLE if item.request.image == example() else words.ready(item),
                }
            elif item != STOPPED:
                yield {"status": f"Looking: {item}"}
    except EXPECTED as error:
        yield {"status": f"**Nothing was looked at:** {prose_of(error)}."}
        raise


def together(studio: Studio, a: str, b: str) -> tuple[str, str]:
    """The two nets that look: net A and net B, its opposite where B looks at other pictures; the tour's where A is none."""
    cards = studio.cards()
    if not reads(cards.get(a)):
        names = readers(studio)
        a = next((name for name in (*FIRST, *names) if name in names), "")
    if not a or (reads(cards.get(b)) and alike(cards[b], cards[a])):
        return a, b
    usual = (*FIRST[::-1], *kinds.pair(cards, cards[a].data, cards[a].kind), *cards)
    like = (name for name in usual if name != a and reads(cards.get(name)) and alike(cards[name], cards[a]))
    return a, next(like, a)
