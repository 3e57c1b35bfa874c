"""Densities by name: the rows of TOYS and P0S, painted ones and p0's at other places; and the support of p_data."""

from functools import lru_cache

import torch
from torch import Tensor

from .painted import LETTERS, PREFIX, depths_of, painted
from .placed import place_of, placed
from .toys import P0S, TOYS, Toy

SUPPORT = 0.99
"""Mass of the level set that counts as a density's support."""

KEPT = 64
"""Densities and supports that are remembered."""


@lru_cache(maxsize=KEPT)
def p_data(name: str) -> Toy:
    """A row of TOYS, or a painted density, see `painted`.

    Raises:
        ValueError: there is none of this name.
    """
    if name.startswith(PREFIX):
        return painted(depths_of(name))
    if name not in TOYS:
        raise ValueError(f"data is {name[:40]!r}; choose one of {', '.join(TOYS)}, or {PREFIX} and {LETTERS} letters")
    return TOYS[name]


@lru_cache(maxsize=KEPT)
def p0(name: str) -> Toy:
    """A row of P0S, or the same at another place, see `placed`.

    Raises:
        ValueError: there is none of this name.
    """
    row, x, y, size = place_of(name)
    return P0S[name] if name == row else placed(P0S[row], x, y, size)


@lru_cache(maxsize=KEPT)
def support_level(name: str) -> float:
    """The log-density whose superlevel set holds 99 % of the mass of p_data `name`: the edge of its support."""
    toy = p_data(name)
    draws = toy.sample(100_000, torch.Generator().manual_seed(0))
    return toy.log_prob(draws).quantile(1 - SUPPORT).item()


def on_support(name: str, x: Tensor) -> Tensor:
    """Whether points lie on the support of p_data `name`: (n, 2) -> (n,) bool."""
    return p_data(name).log_prob(x) >= support_level(name) - 1e-6  # equal densities (checkerboard) count as inside
