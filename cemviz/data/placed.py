"""A p0 at another place of the box, and larger or smaller: every point about the centre moved and stretched alike.

`corner@1.2,-0.5,2` is the row `corner` of P0S with its centre at (1.2, -.5), twice its size; without a size it keeps its own.
"""

import math
import re
from dataclasses import replace

import torch
from torch import Tensor

from .toys import BOX, P0S, Toy

LEAST = 0.2
"""Reach that a p0 keeps at least."""

NAME = re.compile(r"([\w-]{1,40})@(-?\d\.?\d{0,2}),(-?\d\.?\d{0,2})(?:,(\d{1,2}\.?\d{0,2}))?")


def placed(toy: Toy, x: float, y: float, size: float = 1.0) -> Toy:
    """The same density about (x, y), `size` times as wide.

    p(z) = p_toy(centre + (z - (x, y)) / size) / size^2
    """
    middle, centre = torch.tensor(toy.centre), torch.tensor([x, y])

    def sample(n: int, generator: torch.Generator | None = None) -> Tensor:
        return centre + size * (toy.sample(n, generator) - middle)

    def log_prob(z: Tensor) -> Tensor:
        return toy.log_prob(middle.to(z) + (z - centre.to(z)) / size) - 2 * math.log(size)

    where = f"{toy.title}, dragged to ({x:g}, {y:g})" + (f", size {size:g}" if size != 1 else "")
    return replace(toy, title=where.replace("-", "−"), sample=sample, log_prob=log_prob, centre=(x, y), reach=toy.reach * size)


def place_of(name: str) -> tuple[str, float, float, float]:
    """Row of P0S, centre and size of a name: the row's own, or those after its @.

    Raises:
        ValueError: no such name, or it would reach beyond the box.
    """
    row, at, _ = name.partition("@")
    if row not in P0S or not at:
        if name in P0S:
            return name, *P0S[name].centre, 1.0
        raise ValueError(f"p0 is {name[:40]!r}; choose one of {', '.join(P0S)}, or one of them with @x,y or @x,y,size")
    if (parts := NAME.fullmatch(name)) is None:
        raise ValueError(f"p0 is {name[:40]!r}; give {row}@x,y or {row}@x,y,size, with two digits behind the point at most")
    x, y, size = (float(part or 1) for part in parts.groups()[1:])
    (low, end), most = smallest(row), _largest(row, x, y)
    if max(abs(x), abs(y)) > end:
        raise ValueError(f"p0 is {name!r}; give x and y from {-end:g} to {end:g}")
    if not low <= size <= most:
        raise ValueError(f"p0 is {name!r}, of size {size:g}; give a size from {low:g} to {most:g}, to stay in the box")
    return row, x, y, size


def name_at(row: str, x: float, y: float, size: float = 1.0) -> str:
    """The name of a row of P0S at a place, to two digits; it gives way where it would reach beyond the box.

    Raises:
        ValueError: a number is not finite.
    """
    if not all(map(math.isfinite, (x, y, size))):
        raise ValueError(f"p0's place is ({x}, {y}), size {size}; give finite numbers")
    low, end = smallest(row)
    x, y = (round(min(max(part, -end), end), 2) + 0.0 for part in (x, y))
    size = round(min(max(size, low), _largest(row, x, y)), 2)
    if (x, y, size) == (*(round(part, 2) for part in P0S[row].centre), 1):
        return row
    return f"{row}@{x:g},{y:g}" + (f",{size:g}" if size != 1 else "")


def smallest(row: str) -> tuple[float, float]:
    """Size that a row of P0S has at least, and how far its centre may then lie from the axes; to two digits."""
    size = math.ceil(100 * LEAST / P0S[row].reach) / 100
    return size, math.floor(100 * (BOX - size * P0S[row].reach) + 1e-6) / 100


def _largest(row: str, x: float, y: float) -> float:
    """Size to two digits at which a row of P0S with its centre there touches the box's edge."""
    return math.floor(100 * (BOX - max(abs(x), abs(y))) / P0S[row].reach + 1e-6) / 100
