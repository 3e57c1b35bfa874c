"""The Square attack: random search over small square changes, by scores alone, without a gradient.

A step proposes a change of one square of pixels that leaves the image on the ball's edge, and keeps it where the energy falls.
The squares shrink as the queries are spent.  In L∞ a square takes one of ε, -ε in each channel; in L2 the change is a pyramid,
paid for by what a second square gives back.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from .draws import Generator, among, rand
from .dynamics import Dynamics, State, feasible, length, per_sample, unit
from .energies import Energy

SHARE = 0.8  # of the pixels, in the first squares
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 queries: where that share halves


def side(query: int, queries: int, height: int, width: int) -> int:
    """Side of the square of a query, in pixels, at least 1.

    Args:
        query: which, from 0.
        queries: the budget, over which the paper's schedule is stretched.
    Source: Andriushchenko et al. 2020, section 5 ("size of squares").
    """
    share = SHARE / 2 ** sum(query * 10_000 // queries > mark for mark in HALVINGS)
    return min(max(round(math.sqrt(share * height * width)), 1), height, width)


def square(
    energy: Energy, x0: Tensor, dyn: Dynamics, *, start: Tensor | None = None, generator: Generator | None = None
) -> Iterator[State]:
    """Descend by random search; an image whose energy is below 0 rests, since its label has lost.

    Args:
        energy: where it has a method `rows` (see `energies.on`), only the images that are left are asked about.
        x0: images, (B, C, H, W).
        dyn: K is the number of queries after the start; `step`, `noise` and `gradient` are not used.
        start: the first state; the first query is of stripes around x0, not of it.
        generator: source of the stripes and squares.
    Yields:
        K + 1 states of the best point so far; their gradients are 0, since none is taken.  A proposal whose energy is not a
        number is left aside.
    Source: Andriushchenko et al. 2020, "Square Attack", Algorithms 1 to 3, with windows and signs drawn for each image alone.
    """
    x = x0 if start is None else start
    none = torch.zeros_like(x)
    with torch.no_grad():
        e = energy(x)
    yield State(0, x, e, none)
    for k in range(1, dyn.steps + 1):
        left = (~(e < 0)).nonzero().squeeze(1)
        if len(left):
            draws = among(generator, left)
            if k == 1:
                new = (_stripes if dyn.norm == "linf" else _tiles)(x0[left], dyn.radius, draws)
            else:
                size = side(k - 2, dyn.steps, *x0.shape[2:])
                new = (_patch if dyn.norm == "linf" else _pyramid)(x[left], x0[left], dyn.radius, size, draws)
            new = feasible(new, x0[left], dyn)
            new_e = _energies(energy, x, new, left)
            accepted = torch.ones_like(left, dtype=torch.bool) if k == 1 else new_e < e[left]
            x, e = x.clone(), e.clone()  # a state that was yielded stays what it was
            x[left] = torch.where(per_sample(accepted, new), new, x[left])
            e[left] = torch.where(accepted, new_e, e[left])
        yield State(k, x, e, none)


def _energies(energy: Energy, x: Tensor, new: Tensor, left: Tensor) -> Tensor:
    """Energies of new images in the places `left` of the batch."""
    with torch.no_grad():
        if rows := getattr(energy, "rows", None):
            return rows(left)(new)
        whole = x.clone()
        whole[left] = new
        return energy(whole)[left]


def _signs(like: Tensor, *shape: int, generator: Generator | None) -> Tensor:
    """-1 or 1, with equal chances, one row an image."""
    draws = rand((len(like), *shape), generator=generator, device=like.device, dtype=like.dtype)
    return torch.where(draws < 0.5, -1.0, 1.0).to(like.dtype)


def _window(like: Tensor, size: int, generator: Generator | None) -> Tensor:
    """Places of a square anywhere in each image, as indices into its H x W pixels: (B, size * size)."""
    height, width = like.shape[2:]
    draws = rand((len(like), 2), generator=generator, device=like.device, dtype=like.dtype)
    room = torch.tensor([height - size + 1, width - size + 1], device=like.device)
    top, left = torch.minimum((draws * room).long(), room - 1).unbind(1)  # a draw may round up to 1
    reach = torch.arange(size, device=like.device)
    return ((top[:, None, None] + reach[:, None]) * width + left[:, None, None] + reach).flatten(1)


def _stripes(x0: Tensor, radius: float, generator: Generator | None) -> Tensor:
    """Vertical stripes, one pixel wide, of ε or -ε in each channel."""
    return x0 + radius * _signs(x0, x0.shape[1], 1, x0.shape[3], generator=generator)


def _patch(x: Tensor, x0: Tensor, radius: float, size: int, generator: Generator | None) -> Tensor:
    """The square at ε or -ε in each channel.  Source: Andriushchenko et al. 2020, Algorithm 2."""
    window = _window(x, size, generator)[:, None].expand(-1, x.shape[1], -1)
    signs = _signs(x, x.shape[1], 1, generator=generator).expand(-1, -1, size * size)
    moved = x0.flatten(2).gather(2, window) + radius * signs
    return x.flatten(2).scatter(2, window, moved).view_as(x)


def pyramids(size: int) -> Tensor:
    """Two pyramids of opposite signs, one above the other, of L2 length 1: (size, size), float64.

    eta[r, s] = sum_{k=0}^{M} 1 / (n + 1 - k)^2,   M = n - max(|r - n - 1|, |s - floor(h2 / 2) - 1|),   n = floor(h1 / 2)

    Source: Andriushchenko et al. 2020, (2) and section 4.2: h1 is the side, h2 its halves, the second one negative.
    """

    def half(h2: int) -> Tensor:
        n = size // 2
        down = (torch.arange(1, h2 + 1) - h2 // 2 - 1).abs()
        across = (torch.arange(1, size + 1) - n - 1).abs()
        m = n - torch.maximum(down[:, None], across[None])
        sums = (1 / torch.arange(n + 1, 0, -1, dtype=torch.float64) ** 2).cumsum(0)
        return sums[m]

    both = torch.cat([half(size // 2), -half(size - size // 2)])
    return both / both.norm()


def _turned(size: int, like: Tensor, *places: int, generator: Generator | None) -> Tensor:
    """Pyramids, one above the other or side by side with equal chances, at each of some places: (B, *places, size, size)."""
    upright = pyramids(size).to(like)
    lying = rand((len(like), *places), generator=generator, device=like.device, dtype=like.dtype) < 0.5
    return torch.where(lying[..., None, None], upright.T, upright)


def _tiles(x0: Tensor, radius: float, generator: Generator | None) -> Tensor:
    """Tiles of pyramids, five to a side, of signs of their own in each channel, together ε long."""
    channels, height, width = x0.shape[1:]
    size = max(min(height, width) // 5, 1)
    down, across = height // size, width // size
    tiles = _turned(size, x0, 1, down, across, generator=generator)
    tiles = tiles * _signs(x0, channels, down, across, generator=generator)[..., None, None]
    grid = tiles.transpose(3, 4).reshape(len(x0), channels, down * size, across * size)
    delta = torch.zeros_like(x0)
    top, left = (height - down * size) // 2, (width - across * size) // 2
    delta[:, :, top : top + down * size, left : left + across * size] = grid
    return x0 + radius * unit(delta)


def _pyramid(x: Tensor, x0: Tensor, radius: float, size: int, generator: Generator | None) -> Tensor:
    """A pyramid added to one square, and as long as what that square, a second one and the unused budget have.

    Source: Andriushchenko et al. 2020, Algorithm 3; squares have odd sides of at least 3, where the image is so large.
    """
    size = min(max(size + (size + 1) % 2, 3), *x.shape[2:])
    channels = x.shape[1]
    delta = (x - x0).flatten(2)
    first, second = _window(x, size, generator), _window(x, size, generator)
    covered = torch.zeros_like(delta[:, 0]).scatter(1, first, 1.0).scatter(1, second, 1.0)
    unused = (radius**2 - length(delta).square()).clamp(min=0)
    budget = ((delta.square() * covered[:, None]).sum(2) + unused[:, None] / channels).sqrt()

    window = first[:, None].expand(-1, channels, -1)
    tip = _turned(size, x, generator=generator).flatten(1)[:, None] * _signs(x, channels, 1, generator=generator)
    shape = _unit_rows(tip + _unit_rows(delta.gather(2, window)))
    delta = delta.scatter(2, second[:, None].expand(-1, channels, -1), 0.0)
    return x0 + delta.scatter(2, window, budget[..., None] * shape).view_as(x)


def _unit_rows(v: Tensor) -> Tensor:
    """Each channel of each image at length 1; a channel of zeros stays."""
    return v / torch.linalg.vector_norm(v, dim=2, keepdim=True).clamp(min=torch.finfo(v.dtype).tiny)
