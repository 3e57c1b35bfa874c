"""Random draws for one part of a batch: sample i draws the same numbers, however many processes share the batch.

With W processes of b samples each, every process draws for all W b samples and keeps its own b.  So all their generators stay
in one state, which is the state of a single process that trains on the whole batch.  A plain generator draws for the batch it
is asked for, as torch does.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


class Part(torch.Generator):
    """A source of draws that knows which part of a batch it draws for.

    Attributes:
        rank: which part, in [0, world).
        world: W, the number of parts, all of one size.
        gather: (b, *D) here and in every other process -> (W b, *D), in the order of their ranks.
    """

    rank: int
    world: int
    gather: Callable[[Tensor], Tensor]

    def __new__(cls, device: torch.device | str, rank: int, world: int, gather: Callable[[Tensor], Tensor]) -> "Part":
        part = super().__new__(cls, device)
        part.rank, part.world, part.gather = rank, world, gather
        return part


def rand(shape: Sequence[int], *, generator: torch.Generator | None = None, **where: Any) -> Tensor:
    """Uniform draws in [0, 1), one row a sample, of `torch.rand`'s device and dtype: -> (b, *D)."""
    return _rows(torch.rand, shape, generator, where)


def randn(shape: Sequence[int], *, generator: torch.Generator | None = None, **where: Any) -> Tensor:
    """Standard normal draws, one row a sample, of `torch.randn`'s device and dtype: -> (b, *D)."""
    return _rows(torch.randn, shape, generator, where)


def total(count: int, generator: torch.Generator | None) -> int:
    """Size of the whole batch, of which `count` samples are here."""
    return count * generator.world if isinstance(generator, Part) else count


def own(whole: Tensor, generator: torch.Generator | None) -> Tensor:
    """This part's rows of what belongs to the whole batch: (W b, *D) -> (b, *D)."""
    return whole.chunk(generator.world)[generator.rank] if isinstance(generator, Part) else whole


def gathered(rows: Tensor, generator: torch.Generator | None) -> Tensor:
    """The rows of every part, in order: (b, *D) -> (W b, *D)."""
    return generator.gather(rows) if isinstance(generator, Part) else rows


def _rows(
    make: Callable[..., Tensor], shape: Sequence[int], generator: torch.Generator | None, where: dict[str, Any]
) -> Tensor:
    return own(make((total(shape[0], generator), *shape[1:]), generator=generator, **where), generator)
