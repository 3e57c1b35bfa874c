"""What chains of a classifier leave behind: its energies, and the two gradients whose balance tells the samplers apart."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..dynamics import State, length
from ..energies import Scored, conditional, joint, marginal, reinforced
from ..samplers import SAMPLERS, Sampler
from .store import Card

if TYPE_CHECKING:
    from .sampling import Chains
    from .studio import Studio

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

CLIMBS: dict[Scored, tuple[float, float]] = {joint: (1, 0), marginal: (0, 1), reinforced: (1, 1), conditional: (1, -1)}
"""What a chain climbs, as multiples of f_y and logsumexp f: the whole difference between TA, CS, RCS and Langevin."""


@dataclass(slots=True)
class Split:
    """A sampler's energy that keeps, of each step's single forward pass, the logits and one part of the gradient.

    The chain itself takes the gradient of a f_y + b logsumexp; with one part known the other follows, so that a step costs
    one forward and two backward passes.
    """

    net: nn.Module
    energy: Scored
    y: Tensor
    x0: Tensor
    logits: Tensor = field(init=False)
    part: Tensor = field(init=False)

    def __call__(self, x: Tensor) -> Tensor:
        f = self.net(x)
        a, _ = CLIMBS[self.energy]
        wanted = -marginal(f) if a else -joint(f, self.y)  # the part that may be missing from the chain's own gradient
        (self.part,) = torch.autograd.grad(wanted.sum(), x, retain_graph=True)
        self.logits = f.detach()
        return self.energy(f, self.y) if a else self.energy(f)

    def parts(self, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of f_y and of logsumexp, from the chain's own: grad = -(a grad f_y + b grad logsumexp)."""
        a, b = CLIMBS[self.energy]
        return (-(grad + b * self.part) / a, self.part) if a else (self.part, -grad / b)

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
        """What the classifier itself takes the last images for."""
        return judged(self.logits)


def begin(net: nn.Module, sampler: Sampler, asked: Tensor, x0: Tensor, refs: Tensor | None, features: str) -> Split:
    """The record of a run on a classifier."""
    return Split(net, sampler.energy, asked, x0)


def judged(f: Tensor) -> dict[str, np.ndarray]:
    """The likeliest class of each row of logits and its probability, (B,)."""
    p = f.softmax(1)
    return {"predicted": p.argmax(1).cpu().numpy(), "confidence": p.amax(1).cpu().numpy()}


def hints(chains: "Chains") -> list[str]:
    """What each chain was asked for."""
    names, conditional = chains.card.classes, SAMPLERS[chains.request.sampler].conditional
    return [f"asked: {names[y]}" if conditional else "no class asked" for y in chains.asked]


def summary(chains: "Chains") -> str:
    """What the chains climbed, and where they ended."""
    sampler = SAMPLERS[chains.request.sampler]
    a, b = CLIMBS[sampler.energy]
    right = float((chains.predicted == chains.asked).mean())
    asked = f"{right:.0%} end in the asked class" if sampler.conditional else "no class asked"
    return (
        f"climbs {a:+g}·f_y {b:+g}·logsumexp ({sampler.source}): {asked}, mean confidence {np.mean(chains.confidence):.2f}, "
        f"{chains.travel}."
    )
