"""The address: every control that makes a picture has a name in it, and an address sets what it names.

A link is a stranger's: what does not fit its control is left out, and said.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from .controls import Session, Tab

LOST = "**This link asks for what is not on this machine:** {}. In its place stands what the page begins with."

# page.js writes the address: at once, or, where a picture has to be made first, when it is
WRITE = """(value) => {{
  window.cemvizAddress('{name}', Array.isArray(value) ? value.join(',') : String(value), {default});
  return [];
}}"""

PLAIN = re.compile(r"[\w .,-]{0,80}")
DRAWN = re.compile(r"drawn:[\w-]{1,600}")
"""Text and drawings that may come from the address."""


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
            known = {str(value): value for _, value in offered}
            if getattr(component, "multiselect", False) or isinstance(component, gr.CheckboxGroup):
                if not text:
                    return []
                values = [known[part] for part in text.split(",") if part in known]
                return values or gr.skip()
            return known[text]
        if isinstance(component, gr.Textbox):
            return text if PLAIN.fullmatch(text) else gr.skip()
        if isinstance(component, gr.HTML):  # a pad
            return text if DRAWN.fullmatch(text) else gr.skip()
        return gr.skip()
    except (ValueError, KeyError, OverflowError):
        return gr.skip()


def unread(text: str, value: Any) -> list[str]:
    """The parts of a text in the address that `read` made no use of."""
    if isinstance(value, dict):  # a skip
        return [text] if text else []
    return [part for part in text.split(",") if part not in map(str, value)] if isinstance(value, list) and text else []


@dataclass(frozen=True, slots=True)
class Address:
    """Parts of the page that the names of an address stand for.

    Attributes:
        tabs: by key, in reading order.
        session, notice: the visitor's state, and where to say what was asked in vain.
        restored: becomes true once the browser has what the address asks for.
        open: key of the tab on screen, filled by the browser where it is asked for.
        chooser: opens a tab.
        redraw: tab -> a number; its first view is made again when that changes. No gr.State: gradio tells of a state's change
            only after an event that was queued.
    """

    tabs: Mapping[str, Tab]
    session: gr.State
    notice: gr.Markdown
    restored: gr.Checkbox
    open: gr.Textbox
    chooser: gr.Tabs
    redraw: Mapping[str, gr.Number]

    @property
    def params(self) -> dict[str, gr.components.Component]:
        """Name in the address -> control, of all tabs."""
        return {name: component for tab in self.tabs.values() for name, component in tab.params.items()}

    @property
    def menus(self) -> dict[gr.components.Component, Callable[[], list[Any]]]:
        """Controls whose choices depend on what is stored -> what lists them."""
        return {component: choices for tab in self.tabs.values() for component, choices in tab.menus.items()}

    @property
    def outputs(self) -> list[Any]:
        """All that an address may set."""
        set_by_stories = [component for tab in self.tabs.values() if tab.stories for component in tab.stories.sets]
        own = [self.session, self.notice, self.restored, self.chooser, *self.redraw.values()]
        return [*dict.fromkeys([*self.params.values(), *self.menus, *set_by_stories]), *own]

    def refresh(self) -> dict[Any, Any]:
        """Menus with what is stored by now."""
        return {component: gr.update(choices=choices()) for component, choices in self.menus.items()}

    def restore(self, held: Session, request: gr.Request) -> dict[Any, Any]:
        """Set what the address of a page that opens names."""
        return self._set(dict(request.query_params), held)

    def go(self, event: gr.EventData, held: Session, *drawn: float) -> dict[Any, Any]:
        """Set what a link of the page names, or an address that Back returns to, and draw its tab again.

        What it does not name begins anew: a picture is its address.

        Args:
            event: with `query`, name -> text.
            drawn: values of `redraw`.
        """
        query = event.query if isinstance(event.query, dict) else {}
        asked = {str(name): str(text) for name, text in query.items()}
        key = asked.setdefault("tab", next(iter(self.tabs)))
        if key not in self.tabs:
            return self._set(asked, held)
        return self._set(self._defaults(key) | asked, held) | self._anew(key, held, drawn)

    def opening(self, key: str) -> Callable[[Session, bool, float], Any]:
        """The handler of a tab that is opened: has it drawn if it was not yet.

        Its second value is whether the browser has what the address asks for; until then `begin` will have the tab drawn.
        """

        def opened(held: Session, restored: bool, drawn: float) -> Any:
            if not restored or key in held.drawn:
                return gr.skip()
            held.drawn.add(key)
            return drawn + 1

        return opened

    def begin(self, held: Session, key: str | None, *drawn: float) -> dict[Any, Any]:
        """Have the open tab drawn, now that the browser has what the address asks for."""
        if key not in self.tabs or key in held.drawn:
            return {self.open: key}  # as it is: gradio takes no empty answer
        return self._anew(key, held, drawn)

    def _anew(self, key: str, held: Session, drawn: tuple[float, ...]) -> dict[Any, Any]:
        """A change that has a tab drawn, or drawn again.

        Args:
            drawn: values of `redraw`.
        """
        held.drawn.add(key)
        return {self.redraw[key]: drawn[list(self.redraw).index(key)] + 1}

    def _defaults(self, key: str) -> dict[str, str]:
        """The address of what a tab begins with: its first story, or else all of its controls."""
        tab = self.tabs[key]
        begin = {name: part for name, part in tab.params.items() if tab.stories is None or part is tab.stories.menu}
        return {name: _text(part.value) for name, part in begin.items() if part.value is not None}

    def _set(self, asked: dict[str, str], held: Session) -> dict[Any, Any]:
        """Set what is asked: first all that its stories set, then what stands beside them."""
        changes = self.refresh() | {self.session: held}
        self._stories(asked, changes)
        lost = [part for name in self.params if name in asked for part in self._value(name, asked[name], changes)]
        known = asked.get("tab") in self.tabs
        changes[self.restored] = True
        changes[self.notice] = gr.update(value=LOST.format(", ".join(lost)), visible=bool(lost))
        return changes | ({self.chooser: gr.Tabs(selected=asked["tab"])} if known else {})

    def _stories(self, asked: dict[str, str], changes: dict[Any, Any]) -> None:
        names = {component: name for name, component in self.params.items()}
        for stories in (tab.stories for tab in self.tabs.values() if tab.stories):
            choices = changes.get(stories.menu, {}).get("choices")
            key = read(stories.menu, asked.get(names[stories.menu], ""), choices)
            if isinstance(key, str):
                for component, value in stories.tell(key).items():
                    _put(changes, component, value)

    def _value(self, name: str, text: str, changes: dict[Any, Any]) -> list[str]:
        """Set one control; returns the parts of the text that fit nothing, as they may be shown."""
        component = self.params[name]
        choices = changes.get(component, {}).get("choices")
        if choices is not None and component not in self.menus:  # of the story: the address may ask for another model's
            choices = [*choices, *(choice for choice in component.choices if choice not in choices)]
            _put(changes, component, gr.update(choices=choices))
        value = read(component, text, choices)
        _put(changes, component, value)
        return [f"`{name}={part if PLAIN.fullmatch(part) else '...'}`" for part in unread(text, value)]

    def follow(self) -> None:
        """Keep the address current while controls change.

        A default is left out, so that links stay short, but not beside stories, which have defaults of their own.
        """
        for tab in self.tabs.values():
            for name, component in tab.params.items():
                left_out = "null" if tab.stories is not None else repr(_text(component.value))
                component.change(None, [component], None, js=WRITE.format(name=name, default=left_out))


def _put(changes: dict[Any, Any], component: Any, value: Any) -> None:
    change = value if isinstance(value, dict) else gr.update(value=value)
    changes[component] = changes.get(component, {}) | change


def _text(value: Any) -> str:
    """How a control's value stands in the address, as JavaScript's String() writes it."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
