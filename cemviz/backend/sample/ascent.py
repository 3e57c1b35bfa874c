"""Records of a binary net's chains: its energy, D, and how steep the way up is.

A binary net knows one thing, whether an image is data.  What the last images show is read by the data set's judge, which is
another net and never saw them.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ...data.datasets import dataset
from ...dynamics import State, length
from ...energies import Energy, binary
from ...inputs import Scores
from ...samplers import SAMPLERS, Sampler
from ..store import Card
from .split import judged

if TYPE_CHECKING:
    from ..studio import Studio
    from .chains import Chains

SERIES: dict[str, tuple[str, str]] = {
    "energy": ("E(x) = −f(x)", "nats, lower is likelier"),
    "D": ("D(x)", "from 0 to 1, ½ on the data of a game that is solved"),
    "distance": ("distance to x₀", "L2, pixel units"),
    "slope": ("|∇ f|", "length of the gradient"),
}
"""Names and units of `Ascent.row`."""


@dataclass(slots=True)
class Ascent:
    """A sampler's energy on a binary net that keeps the score of each step's single forward pass.

    Attributes:
        d: of the last evaluation, (B,).
    """

    net: Scores
    sampler: Sampler
    x0: Tensor
    d: Tensor = field(init=False)
    _energy: Energy = field(init=False)

    def __post_init__(self) -> None:
        self._energy = self.sampler.energy_on(self._watched, self.x0)

    def __call__(self, x: Tensor) -> Tensor:
        return self._energy(x)

    @property
    def bare(self) -> Energy:
        """The energy alone."""
        return self.sampler.energy_on(self.net, self.x0)

    def _watched(self, x: Tensor) -> Tensor:
        d = self.net(x)
        self.d = d.detach().flatten()
        return d

    def row(self, state: State) -> dict[str, Tensor]:
        """The numbers of a step, each (B,)."""
        return {
            "energy": binary(self.d),
            "D": self.d.sigmoid(),
            "distance": length(state.x - self.x0),
            "slope": length(state.grad),
        }

    def outcome(self, studio: "Studio", card: Card, x: Tensor) -> dict[str, Any]:
        """Classes that the data set's judge takes the last images for, where one is stored."""
        judge = dataset(card.data).judge
        if judge not in studio.cards():
            return {}
        with torch.no_grad():
            return {"judge": judge} | judged(studio.model(judge)[0](x))


def begin(net: nn.Module, sampler: Sampler, labels: Tensor, x0: Tensor, refs: Tensor | None, features: str) -> Ascent:
    """The record of a run on a binary net."""
    return Ascent(net, sampler, x0)


def summary(chains: "Chains") -> str:
    """How far D rose, and what a judge takes the samples for."""
    first, last = chains.series["D"][0].mean(), chains.series["D"][-1].mean()
    sampler, names = SAMPLERS[chains.request.sampler], chains.card.classes
    rose = f"{chains.request.sampler} ({sampler.source}): mean D {first:.2f} → {last:.2f}, {chains.travel}. "
    if chains.judge is None:
        return rose + f"No judge of {chains.card.data} is stored, so nothing says what the samples show."
    sure = float(np.mean(chains.confidence >= SURE))
    counts = Counter(chains.predicted.tolist())
    each = ", ".join(f"{names[y]} ×{counts[y]}" for y in sorted(counts))
    return rose + f"{chains.judge}, which never saw them, is sure (p ≥ {SURE:g}) of {sure:.0%}: {each}."


SURE = 0.9
"""Probability from which a judge counts as sure of a sample."""
