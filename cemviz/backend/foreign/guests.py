"""Guests: models that a visitor of the page brought, for that visitor alone, and gone when the visitor is.

They lie in visitors/ among the models, called NAME~KEY. No list shows them; whoever has the whole name has the model.
"""

import secrets
import time
from contextlib import suppress

from ..checks import BadInput
from ..store import Card, folder, read_card, weights_path
from ..stored import cards, files
from . import hub
from .reading import hosted

MOST_BYTES = 2**30
"""Bytes of all guests together: fourteen WRN-28-10 in half precision."""

DAY = 86400.0
"""Seconds after which a guest is one that a killed server left behind."""


_keys: list[str] = []


def key() -> str:
    """A new ending of a name, which nobody guesses."""
    _keys.append(f"~{secrets.token_hex(6)}")
    return _keys[-1]


def forget_all() -> None:
    """Remove the guests of this process, which ends."""
    place = folder() / cards.GUESTS
    for path in list(place.glob("*")) if _keys and place.is_dir() else ():
        if path.name.partition("~")[2][:12] in {guest[1:] for guest in _keys}:
            path.unlink(missing_ok=True)


def make_room() -> None:
    """Remove what killed servers left behind.

    Raises:
        BadInput: the guests of other visitors take all the space there is.
    """
    place = folder() / cards.GUESTS
    left, size = time.time() - DAY, 0
    for path in place.glob("*") if place.is_dir() else ():
        with suppress(OSError):  # of a visitor who is just leaving
            if (stat := path.stat()).st_mtime < left:
                path.unlink()
            else:
                size += stat.st_size
    if size > MOST_BYTES:
        raise BadInput(
            "source", f"nets of other visitors take {size:,} bytes, and {MOST_BYTES:,} is all there is; come back in an hour"
        )


def forget(name: str) -> None:
    """Remove a guest."""
    if cards.is_guest(name):
        at = cards.path(name)
        with suppress(OSError):
            at.unlink()
        files.sweep_pair(at, None)


def keep(name: str) -> Card:
    """Store a guest among the models that all see, under its name without the key.

    Raises:
        KeyError: there is no such guest.
        BadInput: on a hosted page, which keeps nothing of a visitor's; a name that is taken.
    """
    if hosted():
        raise BadInput("keep", "a hosted page keeps no nets of its visitors; run cemviz on your own machine to keep yours")
    card = read_card(name)
    return hub.adopt(cards.path(name), weights_path(card), hub.free(cards.called(name)))
