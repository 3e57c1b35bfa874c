"""Parts that the tabs share: the visitor's session, the shape of a tab, and errors that reach the visitor."""

import re
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from ..backend.apart import Lost
from ..backend.foreign import guests
from ..backend.jobs import TimedOut
from ..backend.kinds import KINDS
from ..backend.memory import OutOfMemory
from ..backend.play import Playground
from ..backend.store import BrokenCheckpoint, Card, Unwritable, called, unkeyed
from ..backend.studio import Studio
from ..dynamics import Diverged

T = TypeVar("T")

EXPECTED = (ValueError, LookupError, Diverged, BrokenCheckpoint, Unwritable, TimedOut, OutOfMemory, Lost)
"""Errors that a visitor can mend (`BadInput` is a ValueError): shown as they are.  Anything else is a defect, for the log."""

STOPPED = "Stopped. What was done before is shown."

PLAIN: dict[str, Any] = {"padding": False, "apply_default_css": False}
"""Arguments of tables: gradio's own style would frame every cell."""

WAITING, LINE = 96, 500
"""Events that may wait for the device at a time, each told its place; and those that may wait to be told one."""

HEAVY: dict[str, Any] = {
    "concurrency_id": "compute",
    "concurrency_limit": WAITING,
    "show_progress": "hidden",
    "api_visibility": "private",
}
"""Arguments of events that compute; the device's own queue lets one of them run at a time and tells the others their place."""

LIGHT: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""Arguments of events that only set a flag or read a value."""


TAKING: dict[str, Any] = HEAVY | {"concurrency_id": "taking", "concurrency_limit": 8}
"""Arguments of events that take a visitor's picture: they wait for nobody, and say as others do what is wrong."""


class NotYet(Exception):
    """A session that does not wait asked for what the device would have to compute."""


class Session:
    """State of one visitor, changed in place.

    An input of every handler and, once, an output of the page's load: only what was an output goes when its visitor has left.

    Attributes:
        stops: tab -> event that its loops look at between two steps; one a tab, so that no tab ends another's work.
        playground: the visitor's game.
        state: last results by tab, for downloads and clicks.
        selections: tab -> the part of the selection that its picture is of, or is being made of.
        nets: models of a visitor's own that the menus offer -> whether this visitor brought it, see `backend.foreign.guests`.
        linked: tab that a link of the page opens, until it is drawn.
        menus: control -> the choices that the browser has of it, where they are not those of the beginning.
        views: tab -> draws its first view for a session, see `first`.
        waits: whether a run of it may wait for the device; else it raises NotYet.
    """

    def __init__(self, views: Mapping[str, Callable[["Session"], Any]] | None = None, *, waits: bool = True) -> None:
        self.views, self.waits = {} if views is None else views, waits
        self.stops: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        self.playground = Playground()
        self.state: dict[str, Any] = {}
        self.selections: dict[str, tuple[Any, ...]] = {}
        self.linked = ""
        self.nets: dict[str, bool] = {}
        self.menus: dict[Any, list[tuple[str, Any]]] = {}

    def catch_up(self, tab: str) -> None:
        """Have what the browser shows of a tab at first, which it may have from a file, for what goes on from it."""
        if tab in self.selections or tab not in self.views:
            return
        other = Session(waits=False)  # apart from this one, whose own runs may be waiting
        try:
            self.views[tab](other)
        except NotYet:  # it was forgotten meanwhile
            return
        self.state = other.state | self.state
        self.selections = other.selections | self.selections

    def place(self, name: str) -> Path:
        """Where a file of this name lies that the visitor takes away: alone in a folder that goes with the session."""
        if "files" not in self.state:
            self.state["files"] = tempfile.TemporaryDirectory(prefix="cemviz-")
        folder = Path(self.state["files"].name)
        for old in folder.iterdir():  # one file a visitor, not all that they ever took
            old.unlink(missing_ok=True)
        return folder / name

    def leave(self) -> None:
        """End whatever still runs: the visitor is gone."""
        for stop in self.stops.values():
            stop.set()
        if file := self.state.get("file"):
            Path(file).unlink(missing_ok=True)
        self.state.clear()
        for name in [name for name, brought in self.nets.items() if brought]:
            guests.forget(name)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Session":
        return Session(self.views)  # gradio copies a state's first value for every visitor; locks and nets cannot be copied


NEWEST: dict[str, Any] = {"trigger_mode": "multiple"}
"""Arguments of an event whose newer run ends the one before: by default gradio drops an event while its last still goes on."""

LAST: dict[str, Any] = {"trigger_mode": "always_last"}
"""Arguments of an event that waits for its run before, and then asks with what the controls say by that time."""


def by_hand(part: gr.components.Component) -> Any:
    """The event of a visitor's choice.  A menu tells of its `input` twice, and again when it is left as it was."""
    return part.select if isinstance(part, gr.Dropdown) and not part.multiselect else part.input


Changes = dict[Any, Any]
"""Component -> its new value, or a `gr.update`; what is not named stays."""


@dataclass(frozen=True, slots=True)
class Stories:
    """A tab's menu of named stories.

    Attributes:
        menu: chooses one.
        controls_of: key -> what it sets.
        sets: all that any of them sets.
    """

    menu: gr.components.Component
    controls_of: Callable[[str], Changes]
    sets: list[gr.components.Component]


@dataclass(frozen=True, slots=True)
class Tab:
    """Result of a tab module's `build(session, studio)`.

    Attributes:
        params: name in the address -> control; together with seed and tab they make the picture.
        draw: (function, inputs, outputs) that makes the first view, when the tab is first open and the address was read.
        running: events that go on by themselves until paused: another tab cancels them.
        menus: control -> what lists its choices for a visitor: asked again on load and whenever a tab is opened, so that a
            model trained meanwhile appears.
        stories: an address that names one sets all that it sets; what else the address names comes on top.
        looks: name -> control, the part of the selection that the tab looks at; when it changes, the first view is made anew.
        readers: menu -> reads a text of the address that is none of its choices: a visitor's own as (title, value), or None.
        alike: its first view is the same for every visitor, and goes to browsers as a file, see `first`.
        follow: (function, inputs, outputs) in place of that, where the view is dear: fits the tab's controls to the selection,
            and its picture is stale until a button is pressed.
    """

    params: dict[str, gr.components.Component] = field(default_factory=dict)
    draw: tuple[Callable[..., Any], list[Any], list[Any]] | None = None
    running: list[Any] = field(default_factory=list)
    menus: dict[gr.components.Component, Callable[[Session], list[Any]]] = field(default_factory=dict)
    stories: Stories | None = None
    looks: Mapping[str, gr.components.Component] = field(default_factory=dict)
    readers: Mapping[gr.components.Component, Callable[[str], tuple[str, str] | None]] = field(default_factory=dict)
    follow: tuple[Callable[..., Any], list[Any], list[Any]] | None = None
    alike: bool = False


def on_offer(studio: Studio, guests: Iterable[str] = ()) -> dict[str, Card]:
    """The models that a tab can look at, a visitor's own first.

    Args:
        guests: their names, see `Session.nets`.
    """
    cards = studio.cards()
    return {name: cards[name] for name in (*guests, *cards) if name in cards and cards[name].kind in KINDS}


def titled(cards: Mapping[str, Card], names: Iterable[str]) -> list[tuple[str, str]]:
    """Models as choices: the name that addresses and commands use, and how each was trained."""
    return [(f"{called(name)}: {cards[name].words}", name) for name in names]


def words_of(error: Exception) -> str:
    """Words of an error, without the quotes that a KeyError puts around them, and without the keys of visitors' nets."""
    return unkeyed(str(error.args[0] if isinstance(error, KeyError) and error.args else error))


def prose_of(error: Exception) -> str:
    """The same inside Markdown, every character as it stands: a name may have underscores, a value brackets."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$])", r"\\\1", words_of(error))


def message(error: Exception) -> gr.Error:
    """An expected error as a message on the page, without a traceback in the log."""
    return gr.Error(words_of(error), duration=12, title="Please change this", print_exception=False)


def guarded(function: Callable[..., T]) -> Callable[..., T]:
    """A handler whose expected errors reach the visitor as messages; the server goes on either way."""

    def handler(*args: Any) -> T:
        try:
            return function(*args)
        except EXPECTED as error:
            raise message(error) from None

    return handler


def guarded_stream(function: Callable[..., Iterator[T]]) -> Callable[..., Iterator[T]]:
    """The same for a handler that yields."""

    def handler(*args: Any) -> Iterator[T]:
        try:
            yield from function(*args)
        except EXPECTED as error:
            raise message(error) from None

    return handler
