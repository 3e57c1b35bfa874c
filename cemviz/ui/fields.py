"""A request's field as a control: label, help, range and choices come from the field."""

from typing import Any

import gradio as gr

from ..backend.checks import BadInput
from ..backend.fields import Choice, Field, Number, default_of, fields_of, types_of


def control(kind: type, name: str, value: Any = None, **layout: Any) -> gr.components.Component:
    """A control for a field of a request.

    Args:
        kind: the request.
        value: what it begins with; None takes the field's own default.
        layout: further arguments of the component, which win over what the field says.
    """
    about, arguments = _arguments(kind, name, value)
    if isinstance(about, Number):
        ends = {"precision": 0} if about.whole else {}
        return gr.Number(**arguments | ends | {"info": about.help or None} | layout)
    if isinstance(about, Choice):
        return gr.Dropdown(**arguments | {"choices": titled(about)} | layout)
    if "choices" in layout:
        return gr.Dropdown(**arguments | layout)
    if bool in types_of(kind, name):
        return gr.Checkbox(**arguments | layout)
    return gr.Textbox(**arguments | {"info": about.help or None} | layout)


def slider(kind: type, name: str, value: Any = None, *, step: float = 1, **layout: Any) -> gr.Slider:
    """A slider for a number with both ends."""
    about, arguments = _arguments(kind, name, value)
    return gr.Slider(**arguments | {"minimum": about.low, "maximum": about.high, "step": step} | layout)


def radio(kind: type, name: str, value: Any = None, **layout: Any) -> gr.Radio:
    """A row of buttons for a choice among few."""
    about, arguments = _arguments(kind, name, value)
    return gr.Radio(**arguments | {"choices": titled(about)} | layout)


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


def titled(about: Choice) -> list[tuple[str, str]]:
    """The names of a choice with the titles of their rows."""
    rows = {name: name for name in about.names()} if callable(about.table) else about.table
    return [(row if isinstance(row, str) else row.title, name) for name, row in rows.items()]


def _arguments(kind: type, name: str, value: Any) -> tuple[Field, dict[str, Any]]:
    """A field, and the arguments that any control of it takes."""
    about = fields_of(kind)[name]
    value = default_of(kind, name) if value is None else value
    return about, {"value": value, "label": about.label, "interactive": True}
