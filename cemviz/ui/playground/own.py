"""Densities of a visitor's own: p_data painted on the plane, p0 dragged over it, and both as choices of their menus."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from ...backend.checks import number
from ...backend.fields import fields_of
from ...backend.requests import RulesRequest
from ...backend.studio import Studio
from ...data import named
from ...data.painted import PREFIX
from ...data.placed import LEAST, name_at, place_of
from ...data.toys import BOX, Toy
from ..controls import Session
from ..fields import titled
from ..wiring import Changes
from . import words
from .handlers import restart


def paint(studio: Studio, session: Session, *, painting: str, **values: Any) -> Changes:
    """Begin anew with the p_data that was painted.

    Args:
        painting: letters, see `data.painted`.
    Raises:
        BadInput: they are none, or nothing is painted; the game in progress stays.
    """
    data = f"{PREFIX}{painting}"
    begun = restart(studio, session, data=data, status=words.PAINTED, **values)
    return begun | {"data": offered("data", named.p_data, data)}


def place(studio: Studio, session: Session, *, x: float, y: float, size: float, p0: str, **values: Any) -> Changes:
    """Begin anew with p0 where it was dragged, as large as the box lets it be there.

    Args:
        p0: the one that was dragged.
    Raises:
        BadInput: no such place; the game in progress stays.
    """
    at = [number(name, value, -BOX, BOX) for name, value in (("x", x), ("y", y))]
    dragged = name_at(place_of(p0)[0], *at, number("size", size, 0, BOX / LEAST))
    begun = restart(studio, session, p0=dragged, status=words.PLACED, **values)
    return begun | {"p0": offered("p0", named.p0, dragged)}


def offered(field: str, density: Callable[[str], Toy], value: str) -> dict[str, Any]:
    """A menu of densities with the chosen one, which may be a visitor's own."""
    rows = titled(fields_of(RulesRequest)[field])
    added = [] if value in dict(rows).values() else [choice(density, value)]
    return gr.update(choices=[*rows, *added], value=value)


def choice(density: Callable[[str], Toy], name: str) -> tuple[str, str] | None:
    """A density as a choice, (title, name); None where the name is none."""
    try:
        return density(name).title, name
    except ValueError:
        return None
