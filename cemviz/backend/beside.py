"""A second game beside the first: the same seed and the same rules but for one, so that what differs comes from that alone."""

from dataclasses import replace

from ..data.toys import P0S
from ..training.game import Rules
from .checks import choice
from .requests import NEGATIVES, OBJECTIVES

NONE = "none"

DIFFERENCES: dict[str, str] = {
    **{f"p0:{key}": f"p₀: {toy.title}" for key, toy in P0S.items()},
    **{f"steps:{k}": f"K {k}" for k in (1, 5, 20)},
    **{f"step:{length:g}": f"λ {length:g}" for length in (0.05, 0.2)},
    **{f"inner:{count}": f"inner {count}" for count in (1, 10)},
    **{f"objective:{key}": f"D raises the {title}" for key, title in OBJECTIVES.items()},
    **{f"negatives:{key}": f"points move by {title}" for key, title in NEGATIVES.items()},
}
"""FIELD:VALUE of one rule -> its words."""


def field_of(difference: str) -> str:
    """The rule that a difference is of.  Raises BadInput: none of DIFFERENCES."""
    return choice("beside", difference, DIFFERENCES).partition(":")[0]


def beside(rules: Rules, difference: str) -> Rules:
    """The rules of the second game.

    Raises:
        BadInput: none of DIFFERENCES.
    """
    name, text = field_of(difference), difference.partition(":")[2]
    return replace(rules, **{name: type(getattr(rules, name))(text)})
