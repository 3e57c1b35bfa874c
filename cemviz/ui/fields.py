"""A request's field as a control: label, help, range and choices come from the field."""

from dataclasses import fields
from typing import Any, get_args, get_type_hints

import gradio as gr

from ..backend.checks import BadInput
from ..backend.fields import Choice, Field, Number, fields_of


def control(kind: type, name: str, value: Any = None, **layout: Any) -> gr.components.Component:
    """A control for a field of a request.

    Args:
        kind: the request.
        value: what it begins with; None takes the field's own default.
        layout: further arguments of the component, which win over what the field says.
    """
    about = fields_of(kind)[name]
    default = next(f.default for f in fields(kind) if f.name == name)
    given = {"value": default if value is None else value, "label": about.label, "interactive": True}
    if isinstance(about, Number):
        ends = {"precision": 0} if about.whole else {}
        return gr.Number(**given | ends | {"info": about.help or None} | layout)
    if isinstance(about, Choice) or "choices" in layout:
        return gr.Dropdown(**given | {"choices": titled(about)} | layout)
    if bool in _types(kind, name):
        return gr.Checkbox(**given | layout)
    return gr.Textbox(**given | {"info": about.help or None} | layout)


def slider(kind: type, name: str, value: Any = None, *, step: float = 1, **layout: Any) -> gr.Slider:
    """A slider for a number with both ends."""
    about = fields_of(kind)[name]
    default = next(f.default for f in fields(kind) if f.name == name)
    given = {"value": default if value is None else value, "label": about.label, "interactive": True, "step": step}
    return gr.Slider(**given | {"minimum": about.low, "maximum": about.high} | layout)


def radio(kind: type, name: str, value: Any = None, **layout: Any) -> gr.Radio:
    """A row of buttons for a choice among few."""
    about = fields_of(kind)[name]
    default = next(f.default for f in fields(kind) if f.name == name)
    given = {"value": default if value is None else value, "label": about.label, "interactive": True}
    return gr.Radio(**given | {"choices": titled(about)} | layout)


def ends(kind: type, name: str) -> str:
    """The range of a number in words: 1 to 12."""
    about = fields_of(kind)[name]
    return f"{about.low:g} to {about.high:g}"


def filled(kind: type, **values: float | None) -> dict[str, float]:
    """Numbers of a request as its controls hold them.

    Raises:
        BadInput: a visitor emptied one of them.
    """
    for name, value in values.items():
        if value is None:
            word = fields_of(kind)[name].symbol or fields_of(kind)[name].title
            raise BadInput(name, f"{word} is empty; give a number")
    return values


def titled(about: Field) -> list[tuple[str, str]]:
    """The names of a choice with the titles of their rows."""
    table = about.table if isinstance(about, Choice) and not callable(about.table) else {}
    names = about.names() if isinstance(about, Choice) else []
    rows = {name: table.get(name, name) for name in names}
    return [(row if isinstance(row, str) else row.title, name) for name, row in rows.items()]


def _types(kind: type, name: str) -> tuple[Any, ...]:
    hint = get_type_hints(kind)[name]
    return get_args(hint) or (hint,)
