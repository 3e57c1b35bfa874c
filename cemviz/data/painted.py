"""Densities that a visitor paints: constant on each cell of a grid over the box, in proportion to its strokes.

The name holds the painting, so that an address, a command line and a script draw from the same density:

    painted:AAAB...   the depths of the cells, row by row from below, two bits each, as base64 of addresses: 342 letters
"""

import math

import numpy as np
import torch
from torch import Tensor

from .letters import letters, parsed
from .toys import BOX, Toy

CELLS = 32
"""Cells along an edge of the box."""

DEEPEST = 3
"""Depth that a cell has at most: how many strokes count."""

PREFIX = "painted:"
BYTES = CELLS * CELLS // 4
LETTERS = math.ceil(BYTES * 4 / 3)


def painted(depths: Tensor) -> Toy:
    """The density that is constant on each cell and proportional to its depth.

    p(x) = depth(cell of x) / (sum of depths * area of a cell)

    Args:
        depths: (CELLS, CELLS), whole numbers from 0 to DEEPEST, row i from below.
    Raises:
        ValueError: nothing is painted.
    """
    weights = depths.flatten().double()
    if not weights.sum() > 0:
        raise ValueError("nothing is painted; paint at least one cell")
    side = 2 * BOX / CELLS
    cumulated = (weights / weights.sum()).cumsum(0)
    log_p = (weights / (weights.sum() * side**2)).log().float()

    def sample(n: int, generator: torch.Generator | None = None) -> Tensor:
        share = torch.rand(n, generator=generator, dtype=torch.float64)
        cell = torch.searchsorted(cumulated, share, right=True).clamp(max=int(weights.nonzero().max()))
        corner = torch.stack([cell % CELLS, cell // CELLS], 1) * side - BOX
        # a rounded sum must not fall into the next cell, which may be empty
        return corner + side * torch.rand(n, 2, generator=generator).clamp(max=1 - 1e-5)

    def log_prob(x: Tensor) -> Tensor:
        column, row = ((x + BOX) / side).floor().long().clamp(0, CELLS - 1).unbind(1)  # the box has its edges
        inside = (x.abs() <= BOX).all(1)
        return torch.where(inside, log_p.to(x)[row * CELLS + column], -math.inf)

    return Toy("Painted", sample, log_prob)


def name_of(depths: Tensor) -> str:
    """The name of a painting, (CELLS, CELLS) whole numbers from 0 to DEEPEST."""
    parts = depths.flatten().numpy().astype(np.uint8).reshape(-1, 4)
    return PREFIX + letters((parts << np.array([0, 2, 4, 6], dtype=np.uint8)).sum(1, dtype=np.uint8).tobytes())


def depths_of(name: str) -> Tensor:
    """The painting of a name: (CELLS, CELLS) int64.

    Raises:
        ValueError: the name is none, or nothing is painted.
    """
    text = name.removeprefix(PREFIX)
    data = parsed(text)
    if not name.startswith(PREFIX) or len(text) != LETTERS or len(data) != BYTES:
        raise ValueError(
            f"data is {name[:40]!r}; give {PREFIX} and {LETTERS} letters of base64, 2 bits for each of {CELLS}² cells"
        )
    parts = np.frombuffer(data, np.uint8)[:, None] >> np.array([0, 2, 4, 6], dtype=np.uint8) & DEEPEST
    if not parts.any():
        raise ValueError(f"data is {name[:40]!r}, an empty painting; paint at least one cell")
    return torch.from_numpy(parts.reshape(CELLS, CELLS).astype(np.int64))
