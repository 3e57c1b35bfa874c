"""The fields of a request: symbol, range and help stand once; checks, controls and options follow from them.

    @request
    class SampleRequest:
        noise: Annotated[float | None, Number("noise", "standard deviation per pixel", symbol="η", high=10)] = None

A value that does not fit is a `BadInput` when the request is made, before any work is done.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import lru_cache, wraps
from types import UnionType
from typing import Any, TypeVar, Union, dataclass_transform, get_args, get_origin, get_type_hints

from pydantic import GetCoreSchemaHandler, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass
from pydantic_core import CoreSchema, core_schema

from .checks import BadInput, choice, number

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Field:
    """A value in words: a name, a folder, a switch.

    Attributes:
        title: as a label reads.
        help: a few words more; of an optional field also what None stands for.
        symbol: Greek letter of the papers.
        option: word on the command line where it is not the field's name.
    """

    title: str
    help: str = ""
    symbol: str = ""
    option: str = field(default="", kw_only=True)

    @property
    def label(self) -> str:
        """Symbol and title, as a control's label reads."""
        return f"{self.symbol} {self.title}".strip()

    def check(self, name: str, value: Any) -> Any:
        """Return the value as the request holds it.

        Args:
            name: of the field.
        Raises:
            BadInput
        """
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        optional = type(None) in get_args(source)

        def check(value: Any, info: core_schema.ValidationInfo) -> Any:
            return None if value is None and optional else self.check(str(info.field_name), value)

        return core_schema.with_info_before_validator_function(check, handler(source))


@dataclass(frozen=True, slots=True)
class Number(Field):
    """A number in [low, high].

    Attributes:
        whole: only integers.
    """

    low: float = 0.0
    high: float = math.inf
    whole: bool = False

    def check(self, name: str, value: Any) -> float:
        """See `Field.check`."""
        read = number(name, value, self.low, self.high, symbol=self.symbol, whole=self.whole)
        return int(read) if self.whole else float(read)


@dataclass(frozen=True, slots=True)
class Choice(Field):
    """A name of a table.

    Attributes:
        table: its keys are the names; a function where the table depends on what is stored.  It is looked at when a value is
            checked, so that a row that was added counts.
    """

    table: Mapping[str, Any] | Callable[[], Iterable[str]] = field(default_factory=dict)

    def names(self) -> list[str]:
        """The names to choose from."""
        return list(self.table() if callable(self.table) else self.table)

    def check(self, name: str, value: Any) -> str:
        """See `Field.check`."""
        return choice(name, value, self.names())


@dataclass_transform(frozen_default=True)
def request(cls: type[T]) -> type[T]:
    """Make a frozen dataclass whose values are checked by its fields; `dataclasses.replace` checks again.

    Raises, when an instance is made:
        BadInput: a value that does not fit its field.
    """
    checked = checked_dataclass(frozen=True, config={"extra": "forbid"})(cls)
    construct = checked.__init__

    @wraps(construct)
    def __init__(self: Any, *args: Any, **values: Any) -> None:
        try:
            construct(self, *args, **values)
        except ValidationError as error:
            raise _bad(error) from None

    checked.__init__ = __init__  # type: ignore[method-assign]
    return checked


def _bad(error: ValidationError) -> BadInput:
    """The first fault of a request, in one line."""
    first = error.errors()[0]
    if isinstance(cause := first.get("ctx", {}).get("error"), BadInput):
        return cause
    name = str(first["loc"][0])
    return BadInput(name, f"{name} is {first['input']!r}: {first['msg'][:1].lower()}{first['msg'][1:]}")


@lru_cache
def fields_of(kind: type) -> dict[str, Field]:
    """The fields of a request that say something about themselves, by name, in order."""
    hints = get_type_hints(kind, include_extras=True)
    marks = {f.name: [m for m in getattr(hints[f.name], "__metadata__", ()) if isinstance(m, Field)] for f in fields(kind)}
    return {name: about[0] for name, about in marks.items() if about}


def default_of(kind: type, name: str) -> Any:
    """The default of a field of a request; `dataclasses.MISSING` where it has none."""
    return next(f.default for f in fields(kind) if f.name == name)


def types_of(kind: type, name: str) -> tuple[Any, ...]:
    """The types of a field of a request, those of a union one by one."""
    hint = get_type_hints(kind)[name]
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def changes(instance: Any) -> dict[str, Any]:
    """The values of a request that differ from its defaults, by name: what a link, a command line and a script have to say."""
    left = {}
    for f in fields(instance):
        default = f.default_factory() if f.default_factory is not MISSING else f.default
        if (value := getattr(instance, f.name)) != default:
            left[f.name] = value
    return left


def as_python(instance: Any) -> str:
    """A request as a line of Python."""
    return f"{type(instance).__name__}({', '.join(f'{name}={_literal(value)}' for name, value in changes(instance).items())})"


def _literal(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' * (len(value) == 1)})"
    return 'float("inf")' if value == math.inf else repr(value)
