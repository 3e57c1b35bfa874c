"""The address: every control that makes a picture has a name in it, and an address sets what it names.

A link is a stranger's: what does not fit its control is left out, and said.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..backend.store import is_guest
from ..backend.studio import Studio
from .controls import Changes, Session, Tab
from .manners import sent
from .selection import Selection, current, fitted, numbered, older, own_choice
from .start.words import STATIONS

LOST = "**This link asks for what is not here, or cannot be:** {}. In its place stands what the page begins with."

# page.js writes the address: at once, or, where a picture has to be made first, when it is
WRITE = """(value) => {{
  const text = value === null ? null : Array.isArray(value) ? value.join(',') : String(value);
  window.cemvizAddress('{name}', text, {default}, {older});
  return [];
}}"""

PLAIN = re.compile(r"[\w .,-]{0,80}")
DRAWN = re.compile(r"drawn:[\w-]{1,600}")
OWN = re.compile(rf"{DRAWN.pattern}|upload:[\w-]{{1,20000}}")
"""Text, drawings and other pictures of one's own that may come from the address."""


def read(component: gr.components.Component, text: str, choices: list[Any] | None = None) -> Any:
    """A value from the address, made fit for its control, or `gr.skip()` where it is not one.

    Numbers are clamped to the control's range, choices must be among its own, and text is a few plain words: the address is
    a stranger's.

    Args:
        choices: of a menu by now; None takes those it was built with.
    """
    try:
        if isinstance(component, gr.Slider | gr.Number):
            value = float(text)
            if value != value:
                return gr.skip()
            low = component.minimum if component.minimum is not None else -float("inf")
            high = component.maximum if component.maximum is not None else float("inf")
            value = float(min(max(value, low), high))
            # a number's own step, 1 by default, is what its arrows add and no rule for its value
            whole = component.step % 1 == 0 if isinstance(component, gr.Slider) else component.precision == 0
            return int(value) if whole or value.is_integer() else value
        if isinstance(component, gr.Checkbox):
            return {"true": True, "false": False}[text]
        if isinstance(component, gr.Dropdown | gr.Radio | gr.CheckboxGroup):
            offered = component.choices if choices is None else [c if isinstance(c, tuple) else (c, c) for c in choices]
            by_text = {str(value): value for _, value in offered}
            if getattr(component, "multiselect", False) or isinstance(component, gr.CheckboxGroup):
                if not text:
                    return []
                values = [by_text[part] for part in text.split(",") if part in by_text]
                return values or gr.skip()
            return by_text[text]
        if isinstance(component, gr.Textbox):
            return text if PLAIN.fullmatch(text) else gr.skip()
        if isinstance(component, gr.HTML):  # a pad
            return text if DRAWN.fullmatch(text) else gr.skip()
        return gr.skip()
    except (ValueError, KeyError, OverflowError):
        return gr.skip()


def unread(text: str, value: Any) -> list[str]:
    """The parts of a text in the address that `read` made no use of."""
    if isinstance(value, dict):  # a skip, or what a visitor made
        return [text] if text and "value" not in value else []
    return [part for part in text.split(",") if part not in map(str, value)] if isinstance(value, list) and text else []


@dataclass(frozen=True, slots=True)
class Address:
    """Parts of the page that the names of an address stand for.

    Attributes:
        studio: what is stored.
        tabs: by key, in reading order.
        selection: what they look at; its names have no tab's letter.
        listed: menus of the selection, as a tab's.
        session, notice: the visitor's state, and where to say what was asked in vain.
        restored: becomes true once the browser has what the address asks for.
        open: key of the tab on screen, filled by the browser where it is asked for.
        filed: keys of the tabs that it has from files, with commas between, see `first`; filled by it, too.
        chooser: opens a tab.
        redraw: tab -> a number; its first view is made again when that changes. No gr.State: gradio tells of a state's change
            only after an event that was queued.
    """

    studio: Studio
    tabs: Mapping[str, Tab]
    selection: Selection
    listed: Mapping[gr.components.Component, Callable[[Session], list[Any]]]
    session: gr.State
    notice: gr.Markdown
    restored: gr.Checkbox
    open: gr.Textbox
    filed: gr.Textbox
    chooser: gr.Tabs
    redraw: Mapping[str, gr.Number]

    @property
    def params(self) -> dict[str, gr.components.Component]:
        """Name in the address -> control, of the selection and of all tabs."""
        return {**self.selection.parts, **{name: part for tab in self.tabs.values() for name, part in tab.params.items()}}

    @property
    def menus(self) -> dict[gr.components.Component, Callable[[Session], list[Any]]]:
        """Controls whose choices depend on what is stored -> what lists them."""
        of_tabs = {component: choices for tab in self.tabs.values() for component, choices in tab.menus.items()}
        return {**self.listed, **of_tabs}

    @property
    def readers(self) -> dict[gr.components.Component, Callable[[str], tuple[str, str] | None]]:
        """Menus that take more than their choices -> how what a visitor made is read as one, see `Tab`."""
        tabs = {menu: reads for tab in self.tabs.values() for menu, reads in tab.readers.items()}
        return {self.selection.picture: lambda text: own_choice(text) if OWN.fullmatch(text) else None, **tabs}

    @property
    def inputs(self) -> list[Any]:
        """Inputs of the handlers that have a tab drawn: the visitor, the selection, and how often each tab was drawn."""
        return [self.session, *self.selection.parts.values(), *self.redraw.values()]

    @property
    def outputs(self) -> list[Any]:
        """All that an address may set."""
        set_by_stories = [component for tab in self.tabs.values() if tab.stories for component in tab.stories.sets]
        rest = [self.session, self.notice, self.restored, self.chooser, *self.redraw.values()]
        return [*dict.fromkeys([*self.params.values(), *self.menus, *set_by_stories]), *rest]

    @property
    def _places(self) -> dict[str, Callable[[str], bool]]:
        """Names of places on the page -> whether there is such a place; none is asked for by no text."""
        stations = {str(number) for number in range(len(STATIONS) + 1)}
        return {"tab": {"", *self.tabs}.__contains__, "tour": {"", *stations}.__contains__}

    def refresh(self, session: Session) -> Changes:
        """Menus with what is stored by now, and the visitor's own, when a tab is opened; the game of the one before ends."""
        session.stops["playground"].set()
        return self._listed(session) | {self.open: gr.skip()}  # gradio takes no empty answer

    def _listed(self, session: Session) -> Changes:
        """The menus whose choices are not those that the browser has: gradio makes a component anew for each that is sent."""
        changes: Changes = {}
        for component, choices in self.menus.items():
            now = [choice if isinstance(choice, tuple) else (choice, choice) for choice in choices(session)]
            if now != session.menus.get(component, component.choices):
                changes[component] = gr.update(choices=now)
                session.menus[component] = now
        return changes

    def restore(self, session: Session, request: gr.Request) -> Changes:
        """Set what the address of a page that opens names."""
        begun = [part.value for part in self.selection.parts.values()]
        return self._set(current(dict(request.query_params)), session, begun)

    def go(self, event: gr.EventData, session: Session, *values: Any) -> Changes:
        """Set what a link of the page names, or an address that Back returns to; `begin` then has its tab drawn again.

        What it does not name begins anew: a picture is its address. The selection stays.

        Args:
            event: with `query`, name -> text.
            values: of `inputs`, the visitor left out.
        """
        query = named if isinstance(named := sent(event, "query"), dict) else {}
        address = current({str(name): str(text) for name, text in query.items()})
        key = address.setdefault("tab", next(iter(self.tabs)))
        if key not in self.tabs:
            return self._set(address, session, values)
        session.linked = key  # drawn once the browser has it all: a menu whose choices change too is late to show its value
        return self._set(self._defaults(key) | address, session, values)

    def opening(self, key: str) -> Callable[..., Any]:
        """The handler of a tab that is opened: has it drawn if it was not yet, or looked at something else.

        Its second value is whether the browser has what the address asks for; until then `begin` will have the tab drawn.
        """

        def opened(session: Session, restored: bool, filed: str | None, *values: Any) -> Changes:
            wanted = restored and session.linked != key and self._other(key, session, filed, values)
            return self._anew(key, session, values) if wanted else {self.open: key}  # gradio takes no empty answer

        return opened

    def begin(self, session: Session, key: str | None, filed: str | None, *values: Any) -> Changes:
        """Have the tab that was asked for drawn, or the open one, now that the browser has what the address asks for."""
        linked, session.linked = session.linked, ""
        key = linked or key
        wanted = bool(linked) or (key in self.tabs and self._other(key, session, filed, values))
        return self._anew(key, session, values) if wanted else {self.open: key}

    def selected(self, session: Session, key: str | None, filed: str | None, *values: Any) -> Changes:
        """Have the open tab drawn of another selection, unless its view is dear: that one is stale until it is asked for."""
        tab = self.tabs.get(key)
        if tab is None or not tab.looks or tab.follow is not None or None in self._looked(key, values):
            return {self.open: key}  # None: a field just emptied, to type the next seed, is no seed yet
        return self.begin(session, key, filed, *values)

    def _other(self, key: str, session: Session, filed: str | None, values: tuple[Any, ...]) -> bool:
        """Whether what is on screen of a tab, if anything, is of another selection than now."""
        selection = session.selections.get(key)
        if selection is None and key in (filed or "").split(","):
            selection = tuple(self.begun(key).values())
        return selection != self._looked(key, values)

    def begun(self, key: str) -> dict[str, Any]:
        """The part of the selection that a tab looks at, as the page was built, by its names in the address."""
        return {name: part.value for name, part in self.tabs[key].looks.items()}

    def _looked(self, key: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """The part of the selection that a tab looks at, from values of `inputs`."""
        now = dict(zip(self.selection.parts.values(), values, strict=False))
        return tuple(now[part] for part in self.tabs[key].looks.values())

    def _anew(self, key: str, session: Session, values: tuple[Any, ...]) -> Changes:
        """A change that has a tab drawn, or drawn again."""
        session.selections[key] = self._looked(key, values)
        return {self.redraw[key]: values[len(self.selection.parts) + list(self.redraw).index(key)] + 1}

    def _defaults(self, key: str) -> dict[str, str]:
        """The address of what a tab begins with: its first story, or else all of its controls."""
        tab = self.tabs[key]
        begin = {name: part for name, part in tab.params.items() if tab.stories is None or part is tab.stories.menu}
        return {name: _text(part.value) for name, part in begin.items() if part.value is not None}

    def _set(self, address: dict[str, str], session: Session, values: Sequence[Any]) -> Changes:
        """Set what is asked: first all that its stories set, then what stands beside them, then what follows from net A.

        Args:
            values: of the selection by now; more may follow.
        """
        cards = self.studio.cards()
        for name in (address.get("a"), address.get("b")):
            if is_guest(name) and name in cards:
                session.nets.setdefault(name, False)
        changes = self._listed(session) | {self.session: session}
        self._stories(session, address, changes)
        lost = [_excerpt(name, address[name]) for name, there in self._places.items() if not there(address.get(name, ""))]
        lost += [part for name in self.params if name in address for part in self._value(session, name, address[name], changes)]
        self._fit(changes, values)
        opens = address.get("tab") in self.tabs
        changes[self.restored] = True
        changes[self.notice] = gr.update(value=LOST.format(", ".join(lost)), visible=bool(lost))
        return changes | ({self.chooser: gr.Tabs(selected=address["tab"])} if opens else {})

    def _fit(self, changes: Changes, values: Sequence[Any]) -> None:
        """The selection as it fits net A: a net, a picture and a class of another data set give way."""
        now = {
            name: changes.get(part, {}).get("value", value)
            for (name, part), value in zip(self.selection.parts.items(), values, strict=False)
        }
        card = self.studio.cards().get(now["a"])
        if card is not None:
            now["y"] = numbered(card, now["y"])
            fits = fitted(self.studio, **{name: now[name] for name in "abxy"}, leader="a")
            for name, change in fits.items():
                if change != now[name]:
                    _put(changes, self.selection.parts[name], change)

    def _stories(self, session: Session, address: dict[str, str], changes: Changes) -> None:
        names = {component: name for name, component in self.params.items()}
        for stories in (tab.stories for tab in self.tabs.values() if tab.stories):
            choices = session.menus.get(stories.menu)
            key = read(stories.menu, address.get(names[stories.menu], ""), choices)
            if isinstance(key, str):
                for component, value in stories.controls_of(key).items():
                    _put(changes, component, value)

    def _value(self, session: Session, name: str, text: str, changes: Changes) -> list[str]:
        """Set one control; returns the parts of the text that fit nothing, as they may be shown."""
        component = self.params[name]
        choices = changes.get(component, {}).get("choices", session.menus.get(component))
        if choices is not None and component not in self.menus:  # of the story: the address may ask for another model's
            choices = [*choices, *(choice for choice in component.choices if choice not in choices)]
            _put(changes, component, gr.update(choices=choices))
        value = read(component, text, choices)
        if isinstance(value, dict) and (reads := self.readers.get(component)) and (added := reads(text)):
            value = gr.update(choices=[*component.choices, added], value=text)
        _put(changes, component, value)
        return [_excerpt(name, part) for part in unread(text, value)]

    def follow(self) -> None:
        """Keep the address current while controls change.

        A default is left out, so that links stay short, but not beside stories, which have defaults of their own.
        """
        defaults = {name: "null" for name in self.selection.parts}
        for tab in self.tabs.values():
            for name, component in tab.params.items():
                defaults[name] = "null" if tab.stories is not None else repr(_text(component.value))
        for name, component in self.params.items():
            component.change(None, [component], None, js=WRITE.format(name=name, default=defaults[name], older=older(name)))


def _put(changes: Changes, component: Any, value: Any) -> None:
    change = value if isinstance(value, dict) else gr.update(value=value)
    changes[component] = changes.get(component, {}) | change


def _excerpt(name: str, text: str) -> str:
    """A part of an address that fits nothing, as it may be shown."""
    return f"`{name}={text if PLAIN.fullmatch(text) else '...'}`"


def _text(value: Any) -> str:
    """How a control's value stands in the address, as JavaScript's String() writes it."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
