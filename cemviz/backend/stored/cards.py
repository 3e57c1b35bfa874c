"""Cards: what a stored model is and where it comes from, checked before anything is built from it.

A card that cannot be used is left out of lists, with one line that says why (`left_out`), and refused where it is asked for.
"""

import json
import os
import re
import time
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import files
from .fields import checked_fields
from .files import BrokenCheckpoint, reason

REPOSITORY = Path(__file__).parents[3] / "checkpoints"

LARGEST = 2**20
"""Bytes of a card, at most."""

PLAIN, KEY, GUESTS = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", r"~[0-9a-f]{12}", "visitors"
"""Patterns of a name and of a visitor's key, and the folder of models that have one."""


@dataclass(frozen=True, slots=True)
class Card:
    """Description of a model and of where it comes from: enough to make it again.

    Attributes:
        kind: classifier, encoder, binary or one-vs-rest.
        net, net_args: key of NETS and its arguments.
        shape: of an input, (C, H, W).
        classes: names in label order.
        recipe, scale, recipe_args: the row it was trained by and the fields that were changed.
        norm, radius: its threat model.
        steps, seconds: updates done, and the time they took on `device`.
        metrics: name -> {value, count, split, seed, ...}.
        command: what makes it again.
        sha256: of the weights file, which is named by it.
        role: model, judge, probe or evidence: what lists and tables take it for.
        origin: recipe, or foreign where it was trained elsewhere.
        unknown: fields that this version does not know; they are written back.
    """

    name: str
    title: str
    kind: str
    net: str
    net_args: dict[str, Any]
    data: str
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    recipe: str
    scale: str
    recipe_args: dict[str, Any]
    norm: str
    radius: float
    seed: int
    steps: int
    seconds: float
    device: str
    command: str
    created: str
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    sha256: str = ""
    notes: str = ""
    role: str = "model"
    origin: str = "recipe"
    unknown: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """How it was trained, in words: the title without the name of its data set."""
        return self.title.split(", ", 1)[-1]

    @property
    def heading(self) -> str:
        """How it is called over a picture: in those words, where a recipe trained it; one of somebody's own as its file."""
        return self.words[:1].upper() + self.words[1:] if self.origin == "recipe" else called(self.name)

    def as_json(self) -> dict[str, Any]:
        """Content of its file."""
        values = asdict(self)
        return values | values.pop("unknown")


KNOWN = [f.name for f in fields(Card) if f.name != "unknown"]


FRESH = 1.0
"""Seconds after which the cards are looked through again: a file that is written to in its place leaves its folder's time."""


def folder() -> Path:
    """Where models lie: CEMVIZ_CHECKPOINTS, else the repository's checkpoints/, else ./checkpoints of an installed package."""
    path = os.environ.get("CEMVIZ_CHECKPOINTS")
    if path:
        return Path(path).expanduser()
    return REPOSITORY if REPOSITORY.is_dir() else Path.cwd() / "checkpoints"


def checked(name: str) -> str:
    """A name that is safe as a file's: ValueError where it is not.

    Models of the tables' seeds lie in a folder "evidence/"; for NAME~KEY see `guests`.
    """
    if not re.fullmatch(rf"(evidence/)?{PLAIN}|{PLAIN}{KEY}", name):
        raise ValueError(f"model name is {name!r}; use letters, digits, dot, dash and underscore, at most 64")
    return name


def is_guest(name: object) -> bool:
    """Whether a name is that of a visitor's own model, see `guests`."""
    return isinstance(name, str) and re.fullmatch(f"{PLAIN}{KEY}", name) is not None


def called(name: str) -> str:
    """How a model is called on screen: without a visitor's key."""
    return name.partition("~")[0]


def unkeyed(text: str) -> str:
    """A text that names models, without the keys of visitors."""
    return re.sub(rf"{KEY}\b", "", text)


def path(name: str) -> Path:
    """Where the card of a model lies.  ValueError for a name that no model has."""
    return folder() / (GUESTS if is_guest(name) else "") / f"{checked(name)}.json"


def parsed(name: str, values: dict[str, Any]) -> Card:
    """The card of a model out of its JSON.

    Raises:
        BrokenCheckpoint: a field is missing or cannot be right; the message names it, its value and what is allowed.
    """
    # a file that was renamed is the model it is called
    facts = {k: v for k, v in values.items() if k in KNOWN} | {"name": name}
    missing = [f.name for f in fields(Card)[:19] if f.name not in facts]
    if missing:
        raise BrokenCheckpoint(f"it has no field {missing[0]}")
    return Card(**checked_fields(facts), unknown={k: v for k, v in values.items() if k not in KNOWN})


def read_card(name: str) -> Card:
    """The card of one model.

    Raises:
        KeyError: no such model.
        BrokenCheckpoint: the card cannot be read, or a field of it cannot be right.
    """
    at = path(name)
    try:
        return _unchanged(at, name, *files.version(at))
    except FileNotFoundError:
        names = ", ".join(p.stem for p in sorted(folder().glob("*.json"))) or "none yet: train one"
        raise KeyError(f"no model {name!r} in {folder()}; there are {names}") from None
    except BrokenCheckpoint as fault:
        raise BrokenCheckpoint(f"the card {at.name} cannot be read ({fault}); restore it, or train the model again") from fault


@lru_cache(maxsize=1024)
def _unchanged(at: Path, name: str, *version: int) -> Card:
    """A card, read once for each version of its file: a page looks at all of them many times."""
    return parsed(name, files.read_json(at, LARGEST))


def check(card: Card) -> None:
    """Refuse a card that could not be read again.  Raises BrokenCheckpoint."""
    try:
        parsed(card.name, json.loads(json.dumps(card.as_json())))
    except BrokenCheckpoint as fault:
        raise BrokenCheckpoint(f"the card of {card.name!r} cannot be written: {fault}") from fault


def write_card(card: Card) -> None:
    """Write the card alone, in one piece: after its metrics were measured.  Raises Unwritable."""
    at = path(card.name)
    check(card)
    files.write_json(at, card.as_json(), indent=2)


def with_metric(name: str, metric: str, value: dict[str, Any]) -> Card:
    """Put a measured number on a model's card."""
    card = read_card(name)
    card = replace(card, metrics=card.metrics | {metric: value})
    write_card(card)
    return card


def survey() -> tuple[dict[str, Card], dict[str, str]]:
    """The cards of all stored models, by name, and of the files that are none why they are left out, by file name."""
    place = folder()
    return _surveyed(place, int(time.monotonic() / FRESH), *files.version(place))


@lru_cache(maxsize=4)
def _surveyed(place: Path, *version: int) -> tuple[dict[str, Card], dict[str, str]]:
    """The survey of a folder, made once for each of its versions: each file asked for lets another thread go first."""
    read, faults = {}, {}
    try:
        names = sorted(entry for entry in os.listdir(place) if entry.endswith(".json") and not entry.startswith("."))
    except FileNotFoundError:
        return {}, {}
    except OSError as error:
        return {}, {str(place): f"the folder {place} cannot be read ({reason(error)})"}
    for entry in names:
        try:
            name = entry.removesuffix(".json")
            read[name] = read_card(name)
        except KeyError:  # removed since the folder was listed
            continue
        except (BrokenCheckpoint, ValueError) as fault:  # or a file with a name that no model has: "mnist-at (1)"
            faults[entry] = str(fault) if isinstance(fault, BrokenCheckpoint) else f"{entry} is no card: {fault}"
    return read, faults


class Cards(dict[str, Card]):
    """Cards by name.  A visitor's own model is listed nowhere, and found by its whole name alone."""

    def __missing__(self, name: str) -> Card:
        if not is_guest(name):
            raise KeyError(name)
        try:
            return read_card(name)
        except BrokenCheckpoint as fault:
            raise KeyError(name) from fault

    def __contains__(self, name: object) -> bool:
        return self.get(name) is not None

    def get(self, name: Any, default: Any = None) -> Any:
        """The card of a model, or the default."""
        try:
            return self[name]
        except (KeyError, TypeError):
            return default


def cards() -> Cards:
    """The cards of all stored models, by name; what is left out `left_out` says, and `load` refuses."""
    return Cards(survey()[0])


def left_out() -> list[str]:
    """A line for each file among the cards that cannot be used, with the reason."""
    return list(survey()[1].values())
