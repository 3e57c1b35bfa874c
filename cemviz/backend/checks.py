"""Bad input: one error type that names the field, the value and the allowed range, for page and command line alike."""

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .stored.cards import Card


class BadInput(ValueError):
    """A value the user can mend.

    Attributes:
        field: name of the control or option.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field

    def __reduce__(self) -> tuple[type, tuple[str, str], dict[str, Any]]:  # it goes from one process to another
        return type(self), (self.field, str(self)), self.__dict__


def number(field: str, value: float | None, low: float, high: float, *, symbol: str = "", whole: bool = False) -> float:
    """A number in [low, high]; NaN, text and None are refused.

    Args:
        field: name of the control.
        symbol: Greek letter that stands before the name on screen.
        whole: only integers.
    Returns:
        the value, an int where `whole`.
    Raises:
        BadInput
    """
    name = f"{symbol} ({field})" if symbol else field
    wanted = f"give a {'whole ' if whole else ''}number from {low:.10g} to {high:.10g}"
    try:
        read = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise BadInput(field, f"{name} is {value!r}; {wanted}") from None
    if math.isnan(read) or not low <= read <= high or (whole and read != int(read)):
        raise BadInput(field, f"{name} is {read:.10g}; {wanted}")
    return int(read) if whole else read


def choice(field: str, value: str, choices: Collection[str]) -> str:
    """One of the choices.

    Raises:
        BadInput
    """
    if value not in choices:
        raise BadInput(field, f"{field} is {value!r}; choose one of {', '.join(choices)}")
    return value


def threat_model(card: "Card", norm: str | None, radius: float | None) -> tuple[str, float]:
    """The ball that attacks on a model stay in: norm and radius that are asked for, else the model's own.

    Raises:
        BadInput: another norm without a radius: that of one norm means nothing in the other.
    """
    chosen = choice("norm", norm or card.norm, ["l2", "linf"])
    if radius is None and chosen != card.norm:
        raise BadInput("radius", f"{card.name!r} has a radius for {card.norm}, {card.radius:g}; give ε (radius) for {chosen}")
    return chosen, card.radius if radius is None else radius


MAX_STEPS = 1000
MAX_CHAINS = 256
MAX_SEED = 2**31 - 1


def article(noun: str) -> str:
    """The noun with its article, for messages: a classifier, an encoder."""
    return f"an {noun}" if noun[0] in "aeio8" and not noun.startswith("one") else f"a {noun}"
