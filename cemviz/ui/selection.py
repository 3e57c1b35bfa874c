"""The selection: what the tabs look at, chosen once for all of them: two nets, a picture, a class and a seed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ..backend.checks import MAX_SEED, choice
from ..backend.foreign.guesses import UNKNOWN
from ..backend.kinds import KINDS, pair
from ..backend.look import uploads
from ..backend.look.pictures import DRAWN, as_picture, offered
from ..backend.store import Card, called
from ..backend.studio import Studio
from ..backend.tour import NETS
from .controls import Changes, Session, on_offer, titled
from .modules import module_view, served
from .uploads import content

NONE = "none"
"""Net B where there is no comparison, and the class where none is asked for."""

FIRST = (NETS["robust"], NETS["standard"])
"""Nets to begin with, where they are stored: the pair of the tour."""

SHOTS = ("grid:4", "grid:0", "gallery:0", "test")
"""Pictures to begin with, the first that is there."""

OWN = {"drawn:": "your drawing", uploads.ORIGIN: "your picture"}
"""Beginning of the name of a visitor's own picture -> its words in the menu."""

OLDER = {
    "s.a": "a", "s.b": "b", "s.seed": "seed", "l.image": "x", "l.seed": "seed", "r.model": "a", "r.starts": "seed",
    "d.a": "a", "d.b": "b", "d.to": "y", "r.class": "y",
}  # fmt: skip
"""Name in addresses of before there was a selection -> its name now."""

SEVERAL = ("l.models", "s.classes")
"""Names of those addresses that hold a list, of which the selection has only the beginning."""

UNASKED = ("own", "all in turn")
"""Words that those addresses have for no class of their own."""

SHOWN = {"x": "#sel-x, #sel-upload, #sel-taken:has(p)"}
"""Part of the selection -> its elements, where there are several."""

PICTURED = {"sampling": "[data-start=picture]", "robustness": "[data-source=picture]", "digit": "[data-pad=none]"}
"""Tab that looks at the picture only at times -> when, by what page.js and digit.js write of it."""

UPLOAD = served(Path(__file__).parent / "js" / "upload.js")


@dataclass(frozen=True, slots=True)
class Selection:
    """Controls that all tabs share; each tab looks at some of them.

    Attributes:
        a, b: nets; b may be `NONE`.
        picture: a name as in `backend.look.pictures`, or "test", whose number is the tab's to say.
        label: the class that is asked for, by name, or `NONE`.
        seed: of every random draw.
        upload, note: where a visitor gives a picture, and what was done to it, in words.
    """

    a: gr.Dropdown
    b: gr.Dropdown
    picture: gr.Dropdown
    label: gr.Dropdown
    seed: gr.Number
    upload: gr.HTML
    note: gr.Markdown

    @property
    def parts(self) -> dict[str, gr.components.Component]:
        """Name in the address -> control."""
        return {"a": self.a, "b": self.b, "x": self.picture, "y": self.label, "seed": self.seed}

    def menus(self, studio: Studio) -> dict[gr.components.Component, Callable[[Session], list[Any]]]:
        """Control -> what lists its choices for a visitor by now."""
        return {
            menu: lambda visitor, listed=listed: listed(studio, visitor.nets)
            for menu, listed in ((self.a, models), (self.b, beside))
        }


def build(studio: Studio) -> Selection:
    """Lay the controls out in a row; a tab that is open shows those that it looks at."""
    cards = studio.cards()
    a, b = beginning(cards)
    shots = offered(cards[a].data if a else DRAWN)
    shot = next(name for name in SHOTS if name in dict(shots).values())
    labels = dict.fromkeys(name for card in cards.values() for name in card.classes)  # an address may name another net
    on: dict[str, Any] = {"interactive": True, "min_width": 130}
    with gr.Row(elem_id="selection", equal_height=True):
        nets = (
            gr.Dropdown(models(studio), value=a, label="net A", elem_id="sel-a", scale=3, **on),
            gr.Dropdown(beside(studio), value=b, label="net B", elem_id="sel-b", scale=3, **on),
        )
        picture = gr.Dropdown(shots, value=shot, label="picture", elem_id="sel-x", scale=3, **on)
        upload = module_view(
            UPLOAD, '<div id="cem-upload"></div>', "(element, trigger)", None, padding=False, elem_id="sel-upload"
        )
        return Selection(
            *nets,
            picture,
            gr.Dropdown(asking(labels), value=NONE, label="class y", elem_id="sel-y", scale=2, **on),
            gr.Number(0, label="seed", precision=0, minimum=0, maximum=MAX_SEED, elem_id="sel-seed", scale=1, **on),
            upload,
            gr.Markdown(elem_id="sel-taken"),
        )


def beginning(cards: Mapping[str, Card]) -> tuple[str | None, str]:
    """Nets A and B to begin with: those of the tour, else the usual pair of the first data set that has nets."""
    groups = list(dict.fromkeys((card.data, card.kind) for card in cards.values() if card.kind in KINDS))
    first = list(FIRST) if set(FIRST) <= set(cards) else pair(cards, *groups[0])[::-1] if groups else []
    a, b, *_ = *first, None, None
    return a, b or NONE


def models(studio: Studio, guests: Iterable[str] = ()) -> list[tuple[str, str]]:
    """The models that a tab can look at, as choices, a visitor's own first."""
    cards = on_offer(studio, guests)
    return titled(cards, cards)


def beside(studio: Studio, guests: Iterable[str] = ()) -> list[tuple[str, str]]:
    """The same, and none."""
    return [("no comparison", NONE), *models(studio, guests)]


def asking(labels: Iterable[str]) -> list[tuple[str, str]]:
    """Classes as choices, and none."""
    return [("not asked", NONE), *((name, name) for name in labels)]


def fitted(studio: Studio, *, a: str, b: str, x: str, y: str, leader: str) -> dict[str, Any]:
    """The selection after a change: both nets are of one data set, and so are the picture and the class.

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
    if other in cards and not alike(cards[other], card):
        other = next((name for name in pair(cards, card.data, card.kind) if name != lead), NONE if leader == "a" else lead)
    a, b = (lead, other) if leader == "a" else (other, lead)
    return {"a": a, "b": b, **of_card(card, x, y)}


def alike(card: Card, other: Card) -> bool:
    """Whether two nets look at the same pictures; those of unknown data at least at the same sizes, with as many classes."""
    return (card.data, card.shape) == (other.data, other.shape) and (
        card.data != UNKNOWN or len(card.classes) == len(other.classes)
    )


def follower(studio: Studio, selection: Selection, leader: str) -> Callable[[str, str, str, str], Changes]:
    """The handler of another net: (a, b, picture, class) -> the controls that follow; the leader may be newer by now."""

    def follow(a: str, b: str, x: str, y: str) -> Changes:
        changes = fitted(studio, a=a, b=b, x=x, y=y, leader=leader)
        follows = {selection.parts[name]: value for name, value in changes.items() if name != leader}
        return follows | {selection.note: ""}

    return follow


def of_card(card: Card, x: str, y: str) -> dict[str, Changes]:
    """The menus of pictures and classes for a net, with what is chosen, where it is of its data set."""
    return {"x": pictured(card, x), "y": gr.update(choices=asking(card.classes), value=y if y in card.classes else NONE)}


def pictured(card: Card, x: str) -> Changes:
    """The menu of pictures for a net, with the one that is chosen, where it is of its data set."""
    shots = offered(card.data)
    if (str(x).startswith("drawn:") and card.data == DRAWN) or uploads.fits(str(x), card.shape):
        shots = [*shots, own_choice(x)]
    names = [name for _, name in shots]
    return gr.update(choices=shots, value=x if x in names else next(name for name in SHOTS if name in names))


def instead(a: str | None, model: str) -> str:
    """A word where a tab works with another net than net A, whose kind it has no use for."""
    return "" if a in (None, model) else f"Net A, {called(a)}, is of another kind: {called(model)} is at work here. "


def own_choice(x: str) -> tuple[str, str]:
    """A visitor's own picture as a choice."""
    return next(words for origin, words in OWN.items() if x.startswith(origin)), x


def take_upload(studio: Studio, session: Session, *, a: str, data: Any) -> Changes:
    """Take an upload, a file's bytes in base64, as a picture for net A, and say what was done to it."""
    cards = studio.cards()
    card = cards[choice("net A", a, cards)]
    x, note = as_picture(card.data, card.shape, content(data))
    where = "It is in the address of this page, and nowhere else."
    return {"x": pictured(card, x), "note": f"Your picture. {note} {where}"}


def style(looks: Mapping[str, Iterable[str]]) -> str:
    """Rules that show, of the selection, what the open tab looks at; nothing where a teacher's link hides the settings.

    Args:
        looks: tab -> names of the parts.
    """
    rules = []
    for key, names in looks.items():
        open_tab = f"#tabs button[data-tab-id={key}][aria-selected=true]"
        for condition, parts in (("", set(names) - {"x"}), (PICTURED.get(key, ""), set(names) & {"x"})):
            if parts:
                selectors = ", ".join(["#selection", *(SHOWN.get(name, f"#sel-{name}") for name in sorted(parts))])
                rules.append(f":root:not(.cem-hide-controls) body{condition}:has({open_tab}) :is({selectors})")
    return f"<style>{', '.join(rules)} {{ display: flex !important; }}</style>"


def older(name: str) -> list[str]:
    """The names that one of the selection's stands for: an address that has it needs them no more."""
    return [old for old, now in OLDER.items() if now == name] + (["l.models"] if name == "a" else [])


def current(address: Mapping[str, str]) -> dict[str, str]:
    """An address with the names of the selection; what a name of the open tab says wins over other tabs' older names."""
    prefix = address.get("tab", "")[:1] + "."
    renamed: dict[str, str] = {}
    before = {*OLDER, *SEVERAL}
    for name, text in sorted(address.items(), key=lambda item: (item[0] not in before, item[0].startswith(prefix))):
        if name == "l.models":
            nets = [*text.split(","), NONE][: max(2, text.count(",") + 1)]
            renamed = {"a": nets[0], "b": nets[1], "l.more": ",".join(nets[2:])} | renamed
        elif name == "s.classes" and "y" not in address:  # one class is the selection's; several are Sampling's own
            single = text and "," not in text
            renamed |= {"y": text.strip()} if single else {"y": NONE, name: text}
        elif OLDER.get(name) == "y":
            renamed["y"] = NONE if text in UNASKED else text
        else:
            renamed[OLDER.get(name, name)] = text
    return renamed


def numbered(card: Card, y: str) -> str:
    """A class by its name, where an address gave its number."""
    classes = card.classes
    return classes[int(y)] if y not in classes and y.isdecimal() and int(y) < len(classes) else y
