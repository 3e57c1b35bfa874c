"""A row of the table, what its check finds, and how the two sides are compared."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

EXACT = 1e-11
"""Tolerance of an identity between float64 numbers: some thousand roundings."""

ROUNDED = 1e-6
"""Tolerance where a projection adds 1e-10 to a norm before dividing by it, or where a derivative is a finite difference."""


@dataclass(frozen=True, slots=True)
class Check:
    """Outcome of a check.

    Attributes:
        left, right: the two computations, in words.
        difference: largest difference of an entry, relative to the largest entry.
        tolerance: up to which they count as equal.
        parts: a few numbers worth seeing, by name.
    """

    left: str
    right: str
    difference: float
    tolerance: float
    parts: dict[str, float]

    @property
    def holds(self) -> bool:
        """Whether the two sides agree; NaN does not."""
        return self.difference <= self.tolerance


@dataclass(frozen=True, slots=True)
class Equation:
    """A row of `EQUATIONS`.

    Attributes:
        number: in the papers.
        latex: display formula, for KaTeX.
        function: of this package, what implements it.
        check: seed -> what both sides give on a random net.
        note: misprint, reading or remark.
    """

    paper: Literal["CEM", "JEAT", "thesis"]
    number: str
    title: str
    latex: str
    function: Callable[..., Any]
    check: Callable[[int], Check]
    note: str = ""

    @property
    def name(self) -> str:
        """Where the function stands: energies.joint."""
        return f"{self.function.__module__.removeprefix('cemviz.')}.{self.function.__qualname__}"


def gap(left: Tensor, right: Tensor, scale: float | None = None) -> float:
    """Largest |left - right|, relative to the largest entry of either, or to `scale` where zero is what is expected.

    Two sides that both vanish prove nothing, so without a scale they count as infinitely far apart.
    """
    if left.shape != right.shape:
        raise ValueError(f"the two sides have shapes {tuple(left.shape)} and {tuple(right.shape)}")
    largest = max(left.abs().max().item(), right.abs().max().item()) if scale is None else scale
    difference = (left - right).abs().max().item() / largest if largest > 1e-12 else math.inf
    return math.inf if math.isnan(difference) else difference


def excess(value: float, bound: float) -> float:
    """How far a value lies above its bound; 0 where it does not, infinity where it is NaN."""
    return max(0.0, value - bound) if value == value else math.inf


def doubles(values: Iterable[float]) -> Tensor:
    """Python numbers as a float64 vector."""
    return torch.tensor(list(values), dtype=torch.float64)


def norm(v: Tensor) -> float:
    """Euclidean length of all entries together."""
    return torch.linalg.vector_norm(v).item()


def cosine(a: Tensor, b: Tensor) -> float:
    """Cosine of the angle between two tensors of one shape."""
    return F.cosine_similarity(a.flatten(), b.flatten(), dim=0).item()
