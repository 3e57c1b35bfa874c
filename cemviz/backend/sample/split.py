"""Records of a classifier's chains: its energies, and the two gradients whose balance tells the samplers apart."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ...dynamics import State, length
from ...energies import Energy, conditional, joint, marginal
from ...inputs import Scores
from ...samplers import SAMPLERS, Sampler
from ..store import Card

if TYPE_CHECKING:
    from ..studio import Studio
    from .chains import Chains

SERIES: dict[str, tuple[str, str]] = {
    "joint": ("E(x, y)", "nats, lower is likelier"),
    "marginal": ("E(x)", "nats, lower is likelier"),
    "log_p": ("log p(y | x)", "nats, at most 0"),
    "distance": ("distance to x₀", "L2, pixel units"),
    "label_slope": ("|∇ f_y|", "length of the label's gradient"),
    "lse_slope": ("|∇ logsumexp|", "length of the other gradient"),
    "angle": ("angle between the two", "degrees"),
}
"""Names and units of `Split.row`."""


@dataclass(slots=True)
class Split:
    """A sampler's energy that keeps, of each step's single forward pass, the logits and what splits the gradient in two.

    Where the chain itself takes the gradient of a f_y + b logsumexp, one part is measured and the other follows from it, so
    that a step costs one forward and two backward passes; where its energy is no such sum, both are measured, by three.
    """

    net: Scores
    sampler: Sampler
    y: Tensor
    x0: Tensor
    refs: Tensor | None = None
    logits: Tensor = field(init=False)
    measured: list[Tensor | None] = field(init=False)  # gradients of f_y and of logsumexp, None where it follows
    _energy: Energy = field(init=False)

    def __post_init__(self) -> None:
        self._energy = self.sampler.energy_on(self._watched, self.x0, self.y, self.refs)

    def __call__(self, x: Tensor) -> Tensor:
        return self._energy(x)

    @property
    def bare(self) -> Energy:
        """The energy alone: a step costs one forward and one backward pass."""
        return self.sampler.energy_on(self.net, self.x0, self.y, self.refs)

    def _watched(self, x: Tensor) -> Tensor:
        f = self.net(x)
        self.logits = f.detach()
        if x.requires_grad:  # else it is the sampler that looks at its start or at references
            a, b = self.sampler.climbs or (0, 0)
            wanted = (None if a else -joint(f, self.y), None if b and not a else -marginal(f))
            self.measured = [
                None if part is None else torch.autograd.grad(part.sum(), x, retain_graph=True)[0] for part in wanted
            ]
        return f

    def parts(self, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of f_y and of logsumexp, from the chain's own: grad = -(a grad f_y + b grad logsumexp)."""
        (a, b), (label, lse) = self.sampler.climbs or (0, 0), self.measured
        return -(grad + b * lse) / a if label is None else label, -grad / b if lse is None else lse

    def row(self, state: State) -> dict[str, Tensor]:
        """The numbers of a step, each (B,)."""
        f, y = self.logits, self.y
        label, lse = self.parts(state.grad)
        sizes = length(label), length(lse)
        cosine = ((label * lse).flatten(1).sum(1) / (sizes[0] * sizes[1] + 1e-12)).clamp(-1, 1)
        return {
            "joint": joint(f, y),
            "marginal": marginal(f),
            "log_p": -conditional(f, y),
            "distance": length(state.x - self.x0),
            "label_slope": sizes[0],
            "lse_slope": sizes[1],
            "angle": torch.rad2deg(cosine.acos()),
        }

    def outcome(self, studio: "Studio", card: Card, x: Tensor) -> dict[str, Any]:
        """Classes that the classifier itself takes the last images for."""
        return judged(self.logits)


def begin(net: nn.Module, sampler: Sampler, labels: Tensor, x0: Tensor, refs: Tensor | None, features: str) -> Split:
    """The record of a run on a classifier."""
    return Split(net, sampler, labels, x0, refs)


def judged(f: Tensor) -> dict[str, np.ndarray]:
    """The likeliest class of each row of logits and its probability, (B,)."""
    p = f.softmax(1)
    return {"predicted": p.argmax(1).cpu().numpy(), "confidence": p.amax(1).cpu().numpy()}


def hints(chains: "Chains") -> list[str]:
    """Class that each chain was asked for, in words."""
    names, conditional = chains.card.classes, SAMPLERS[chains.request.sampler].conditional
    return [f"asked: {names[y]}" if conditional else "no class asked" for y in chains.labels]


def summary(chains: "Chains") -> str:
    """Sentence on what the chains climbed, and where they ended."""
    sampler = SAMPLERS[chains.request.sampler]
    climbs = "climbs {:+g}·f_y {:+g}·logsumexp".format(*sampler.climbs) if sampler.climbs else sampler.title
    right = float((chains.predicted == chains.labels).mean())
    verdict = f"{right:.0%} end in the asked class" if sampler.conditional else "no class asked"
    return f"{climbs} ({sampler.source}): {verdict}, mean confidence {np.mean(chains.confidence):.2f}, {chains.travel}."
