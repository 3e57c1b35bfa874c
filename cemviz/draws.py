"""Random draws, by the row: what sample i of a batch draws does not depend on who else is in the batch.

`Part` is for training: with W processes of b samples each, every process draws for all W b samples and keeps its own b.  So all
their generators stay in one state, which is the state of a single process that trains on the whole batch.

`Each` is for chains: every chain has a stream of its own, a function of the seed and of the chain's index.

A plain generator draws for the batch it is asked for, as torch does.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from operator import index
from typing import Any

import numpy as np
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


class Each:
    """A source of draws for chains: chain i draws the same numbers in any batch, at any place in it and on any device.

    Row r of a batch is chain `indices[r]`.  The streams are counter-based (Philox, with seed and index for its key) and go on
    from draw to draw: two sources of equal seeds agree where the same things are drawn in the same order.

    Attributes:
        seed: at least 0.
        indices: of the chains, one for each row of the batch, at least 0.
        device: of the draws, where the call names none.
    """

    def __init__(self, seed: int, indices: Iterable[int], device: torch.device | str = "cpu") -> None:
        """Begin every stream.

        Raises:
            TypeError, ValueError: a seed or an index that is no whole number from 0 to 2^64 - 1.
        """
        self.seed, self.indices, self.device = index(seed), tuple(map(index, indices)), torch.device(device)
        for name, value in (("seed", self.seed), *(("index", i) for i in self.indices)):
            if not 0 <= value < 2**64:
                raise ValueError(f"{name} is {value}; give a whole number from 0 to 2^64 - 1")
        keys = ([self.seed, i] for i in self.indices)
        self._streams = [np.random.Generator(np.random.Philox(key=np.array(key, dtype=np.uint64))) for key in keys]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, rows: slice | Tensor) -> "Each":
        """Some of the chains, by their rows: they share their streams with the whole."""
        chosen = range(len(self))[rows] if isinstance(rows, slice) else rows.tolist()
        some = Each(self.seed, (), self.device)
        some.indices = tuple(self.indices[r] for r in chosen)
        some._streams = [self._streams[r] for r in chosen]
        return some

    def fill(self, draw: Callable[[np.random.Generator, np.ndarray], Any], shape: Sequence[int], **where: Any) -> Tensor:
        """A tensor whose rows are drawn one by one, in single precision whatever its dtype: -> (b, *D).

        Args:
            draw: fills an array, (prod D,), from a stream.
            shape: (b, *D), with b the number of chains.
            where: device and dtype, as of `torch.rand`.
        Raises:
            ValueError: another number of rows than of chains.
        """
        if shape[0] != len(self):
            raise ValueError(
                f"the batch has {shape[0]} rows, its source of draws {len(self)} chains; give an index for each row"
            )
        rows = np.empty((shape[0], math.prod(shape[1:])), np.float32)
        for stream, row in zip(self._streams, rows, strict=True):
            draw(stream, row)
        return torch.from_numpy(rows).view(tuple(shape)).to(**{"device": self.device, "dtype": torch.float32} | where)


Generator = torch.Generator | Each
"""A source of draws; `Part` is a `torch.Generator`."""


def rand(shape: Sequence[int], *, generator: Generator | None = None, **where: Any) -> Tensor:
    """Uniform draws in [0, 1), one row a sample, of `torch.rand`'s device and dtype: -> (b, *D)."""
    if isinstance(generator, Each):
        return generator.fill(lambda stream, row: stream.random(out=row, dtype=np.float32), shape, **where)
    return _rows(torch.rand, shape, generator, where)


def randn(shape: Sequence[int], *, generator: Generator | None = None, **where: Any) -> Tensor:
    """Standard normal draws, one row a sample, of `torch.randn`'s device and dtype: -> (b, *D)."""
    if isinstance(generator, Each):
        return generator.fill(lambda stream, row: stream.standard_normal(out=row, dtype=np.float32), shape, **where)
    return _rows(torch.randn, shape, generator, where)


def randint(high: int, count: int, *, generator: Generator | None = None, **where: Any) -> Tensor:
    """Uniform draws of whole numbers in [0, high), one a sample, of `torch.randint`'s device: -> (count,) int64."""
    if isinstance(generator, Each):
        bits = rand(
            (count, 2), generator=generator, device="cpu", dtype=torch.float64
        )  # 24 in each: 2^24 images are not enough
        return ((bits[:, 0] + bits[:, 1] / 2**24) * high).long().to(**{"device": generator.device} | where)
    return _rows(lambda shape, **how: torch.randint(high, shape, **how), (count,), generator, where)


def among(generator: Generator | None, rows: slice | Tensor) -> Generator | None:
    """The source for some rows of a batch: of `Each` those chains, of any other the same source."""
    return generator[rows] if isinstance(generator, Each) else generator


def total(count: int, generator: Generator | None) -> int:
    """Size of the whole batch, of which `count` samples are here."""
    return count * generator.world if isinstance(generator, Part) else count


def own_rows(whole: Tensor, generator: Generator | None) -> Tensor:
    """This part's rows of what belongs to the whole batch: (W b, *D) -> (b, *D)."""
    return whole.chunk(generator.world)[generator.rank] if isinstance(generator, Part) else whole


def gathered(rows: Tensor, generator: Generator | None) -> Tensor:
    """The rows of every part, in order: (b, *D) -> (W b, *D)."""
    return generator.gather(rows) if isinstance(generator, Part) else rows


def _rows(
    make: Callable[..., Tensor], shape: Sequence[int], generator: torch.Generator | None, where: dict[str, Any]
) -> Tensor:
    return own_rows(make((total(shape[0], generator), *shape[1:]), generator=generator, **where), generator)
