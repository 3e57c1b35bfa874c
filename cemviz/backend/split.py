"""What chains of a classifier leave behind: its energies, and the two gradients whose balance tells the samplers apart."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..dynamics import State, length
from ..energies import Energy, conditional, joint, marginal
from ..samplers import Sampler, Scores


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
        self._energy = self.sampler.of(self._watched, self.x0, self.y, self.refs)

    def __call__(self, x: Tensor) -> Tensor:
        return self._energy(x)

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
