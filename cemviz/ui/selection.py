"""The selection: what the tabs look at, chosen once for all of them: two nets, a picture and a seed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from ..backend.checks import MAX_SEED
from ..backend.kinds import KINDS, pair
from ..backend.look.pictures import DRAWN, offered
from ..backend.store import Card
from ..backend.studio import Studio
from ..backend.tour import NETS
from .controls import Changes, titled

NONE = "none"
"""Net B where there is no comparison."""

FIRST = (NETS["robust"], NETS["standard"])
"""Nets to begin with, where they are stored: the pair of the tour."""

SHOTS = ("grid:4", "grid:0", "gallery:0", "test")
"""Pictures to begin with, the first that is there."""

DRAWING = "your drawing"

OLDER = {
    "s.a": "a", "s.b": "b", "s.seed": "seed", "l.image": "x", "l.seed": "seed", "r.model": "a", "r.starts": "seed",
    "d.a": "a", "d.b": "b",
}  # fmt: skip
"""Name in addresses of before there was a selection -> its name now."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Controls that all tabs share; each tab looks at some of them.

    Attributes:
        a, b: nets; b may be `NONE`.
        picture: a name as in `backend.look.pictures`, or "test", whose number is the tab's to say.
        seed: of every random draw.
    """

    a: gr.Dropdown
    b: gr.Dropdown
    picture: gr.Dropdown
    seed: gr.Number

    @property
    def parts(self) -> dict[str, gr.components.Component]:
        """Name in the address -> control."""
        return {"a": self.a, "b": self.b, "x": self.picture, "seed": self.seed}

    def menus(self, studio: Studio) -> dict[gr.components.Component, Callable[[], list[Any]]]:
        """Control -> what lists its choices by now."""
        return {self.a: partial(models, studio), self.b: partial(beside, studio)}


def build(studio: Studio) -> Selection:
    """Lay the controls out in a row; a tab that is open shows those that it looks at."""
    a, b = beginning(studio.cards())
    shots = offered(studio.cards()[a].data if a else DRAWN)
    shot = next(name for name in SHOTS if name in dict(shots).values())
    on: dict[str, Any] = {"interactive": True, "min_width": 130}
    with gr.Row(elem_id="selection", equal_height=True):
        return Selection(
            gr.Dropdown(models(studio), value=a, label="net A", elem_id="sel-a", scale=3, **on),
            gr.Dropdown(beside(studio), value=b, label="net B", elem_id="sel-b", scale=3, **on),
            gr.Dropdown(shots, value=shot, label="picture", elem_id="sel-x", scale=3, **on),
            gr.Number(0, label="seed", precision=0, minimum=0, maximum=MAX_SEED, elem_id="sel-seed", scale=1, **on),
        )


def beginning(cards: Mapping[str, Card]) -> tuple[str | None, str]:
    """Nets A and B to begin with: those of the tour, else the usual pair of the first data set that has nets."""
    groups = list(dict.fromkeys((card.data, card.kind) for card in cards.values() if card.kind in KINDS))
    first = list(FIRST) if set(FIRST) <= set(cards) else pair(cards, *groups[0])[::-1] if groups else []
    a, b, *_ = *first, None, None
    return a, b or NONE


def models(studio: Studio) -> list[tuple[str, str]]:
    """The stored models that a tab can look at, as choices."""
    cards = studio.cards()
    return titled(cards, (name for name, card in cards.items() if card.kind in KINDS))


def beside(studio: Studio) -> list[tuple[str, str]]:
    """The same, and none."""
    return [("no comparison", NONE), *models(studio)]


def fitted(studio: Studio, *, a: str, b: str, x: str, leader: str) -> dict[str, Any]:
    """The selection after a change: both nets are of one data set, and so is the picture.

    Args:
        leader: "a" or "b", the net that was chosen last; the other one gives way, to the leader's usual opposite.
    Returns:
        name -> value or `gr.update`.
    """
    cards = studio.cards()
    lead, other = (a, b) if leader == "a" else (b, a)
    if lead not in cards:
        return {"b": b}
    card = cards[lead]
    if other in cards and cards[other].data != card.data:
        other = next((name for name in pair(cards, card.data, card.kind) if name != lead), NONE if leader == "a" else lead)
    a, b = (lead, other) if leader == "a" else (other, lead)
    return {"a": a, "b": b, "x": pictured(card.data, x)}


def follower(studio: Studio, selection: Selection, leader: str) -> Callable[[str, str, str], Changes]:
    """The handler of another net: (a, b, picture) -> the controls that follow."""

    def follow(a: str, b: str, x: str) -> Changes:
        return {selection.parts[name]: value for name, value in fitted(studio, a=a, b=b, x=x, leader=leader).items()}

    return follow


def pictured(data: str, x: str) -> Changes:
    """The menu of pictures for a data set, with the one that is chosen, where it is of this set."""
    shots = offered(data)
    if str(x).startswith("drawn:") and data == DRAWN:
        shots = [*shots, (DRAWING, x)]
    known = [name for _, name in shots]
    return gr.update(choices=shots, value=x if x in known else next(name for name in SHOTS if name in known))


def style(looks: Mapping[str, Iterable[str]]) -> str:
    """Rules that show, of the selection, what the open tab looks at; nothing where a teacher's link hides the settings.

    Args:
        looks: tab -> names of the parts.
    """
    rules = []
    for key, names in looks.items():
        if names:
            open_tab = f"#tabs button[data-tab-id={key}][aria-selected=true]"
            shown = ", ".join(["#selection", *(f"#sel-{name}" for name in names)])
            rules.append(f":root:not(.cem-hide-controls) body:has({open_tab}) :is({shown})")
    return f"<style>{', '.join(rules)} {{ display: flex !important; }}</style>"


def older(name: str) -> list[str]:
    """The names that one of the selection's stands for: an address that has it needs them no more."""
    return [old for old, now in OLDER.items() if now == name] + (["l.models"] if name == "a" else [])


def current(asked: Mapping[str, str]) -> dict[str, str]:
    """An address with the names of the selection; what a name of the open tab says wins over other tabs' older names."""
    own = asked.get("tab", "")[:1] + "."
    renamed: dict[str, str] = {}
    for name, text in sorted(asked.items(), key=lambda item: (item[0] not in OLDER, item[0].startswith(own))):
        if name == "l.models":
            nets = [*text.split(","), NONE][: max(2, text.count(",") + 1)]
            renamed = {"a": nets[0], "b": nets[1], "l.more": ",".join(nets[2:])} | renamed
        else:
            renamed[OLDER.get(name, name)] = text
    return renamed
