"""The command line of a request: its fields become a command's arguments and options."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Annotated, Any, get_args, get_origin

import typer

from ..backend.fields import Field, Number, default_of, fields_of, types_of

Usual = Callable[[dict[str, Any]], Mapping[str, Any]]
"""Fields as given -> further fields, for those that nobody gave."""


def asks(kind: type, *arguments: str, usual: Usual = lambda _: {}) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a command take a request: `command(request, ...)`, with an option for every field of the request.

    Args:
        kind: a request, see `backend.fields`.
        arguments: fields that are written without a name.
        usual: what stands for fields that were not given where the request's own defaults depend on others.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        rest = list(inspect.signature(command).parameters.values())[1:]
        parameters = [_parameter(kind, f.name, f.name in arguments) for f in fields(kind) if f.name in fields_of(kind)]

        def run(**values: Any) -> None:
            entries = {p.name: _parts(kind, p.name, values.pop(p.name)) for p in parameters}
            entries = {name: value for name, value in entries.items() if value is not None}
            command(kind(**usual(entries) | entries), **values)

        run.__signature__ = inspect.Signature([*parameters, *rest])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in [*parameters, *rest]}
        run.__doc__, run.__name__ = command.__doc__, command.__name__
        return run

    return decorate


def _parameter(kind: type, name: str, positional: bool) -> inspect.Parameter:
    """A field as a parameter whose annotation typer reads; an option that is not given is None."""
    about: Field = fields_of(kind)[name]
    default = default_of(kind, name)
    plain = next(t for t in types_of(kind, name) if t is not type(None))
    metavar = f"<{plain.__name__}>" if isinstance(about, Number) else None
    # a text the request reads itself: its message names value and range, those of the parser do not
    plain = str if metavar or get_origin(plain) is tuple else plain
    if positional:
        annotation: Any = Annotated[
            plain, typer.Argument(help=about.help, metavar=metavar, show_default=default is not MISSING)
        ]
        usual = inspect.Parameter.empty if default is MISSING else default
    else:
        words = f"{about.symbol}: {about.help}" if about.symbol else about.help or about.title
        if default not in (None, MISSING, ()) and default is not False and "(default" not in words:
            words += f" (default: {','.join(default) if isinstance(default, tuple) else default})"
        names = [f"--{about.option}"] if about.option else []
        annotation, usual = Annotated[plain | None, typer.Option(*names, help=words, metavar=metavar, show_default=False)], None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=usual, annotation=annotation)


def _parts(kind: type, name: str, value: Any) -> Any:
    """The parts of a text with commas, where the field holds several values, or of several such with semicolons between."""
    several = next((get_args(t) for t in types_of(kind, name) if get_origin(t) is tuple), None)
    if several is None or not isinstance(value, str):
        return value
    if get_origin(several[0]) is tuple:
        return tuple(_split(part) for part in value.split(";"))
    return _split(value)


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part.strip())
