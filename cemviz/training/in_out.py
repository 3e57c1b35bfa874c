"""Adversarial training of binary nets within balls: out-distribution images move up d, in-distribution ones down.

    minimise  - E_{p_in} min_{|x' - x| <= eps_1} log D(x') - E_{p_out} min_{|x' - x| <= eps_2} log(1 - D(x'))     (3.45)

With eps_1 = 0 it is (3.23), (3.36) and (3.39).  `InOut` has p0 for the out-distribution and trains one net; `EachVsRest` trains
the members of a one-vs-rest net in turn, each on its class against the other classes of the batch.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..attacks import Run, end
from ..draws import Generator
from ..dynamics import Dynamics, descend
from ..energies import Energy, binary, negated, on
from ..nets.one_vs_rest import OneVsRest
from ..starts import near
from .loop import Batch, check_weight, evaluating

SMALLEST = 0.1
"""Share of the radius that an eased attack begins with."""


class Worst:
    """Terms of (3.45) for one binary net: what the objectives below have in common.

    Attributes:
        out, inside: attacks on images of the out- and of the in-distribution at their full radius.
        run: takes their steps.
        ease: share of the run over which both radii, and steps with them, grow to their full length; 0 begins there.
    """

    def __init__(
        self,
        out: Dynamics,
        *,
        run: Run = descend,
        inside_radius: float = 0.0,
        inside_steps: int = 10,
        ease: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        """Set the two attacks: the inner one has the outer one's norm, and steps of a quarter of its radius.

        Raises:
            ValueError: a number out of range.
        """
        if not 0 <= ease < 1:
            raise ValueError(f"ease is {ease}; give a share of the run, from 0 to below 1")
        check_weight("ε₁ (inside_radius)", inside_radius)
        self.out, self.run, self.ease, self.generator = out, run, ease, generator
        self.inside = replace(out, steps=inside_steps, step=inside_radius / 4, radius=inside_radius)

    def eased(self, dyn: Dynamics, progress: float) -> Dynamics:
        """An attack as it is at this share of the run."""
        share = min(1.0, max(SMALLEST, progress / self.ease)) if self.ease else 1.0
        return replace(dyn, radius=dyn.radius * share, step=dyn.step * share)

    def moved(self, energy: Energy, x: Tensor, dyn: Dynamics) -> Tensor:
        """Images at the end of a descent within the ball, from a uniform point of it; where there is no ball, as they are."""
        if not dyn.radius:
            return x
        start = near(x, dyn, generator=self.generator)
        return end(self.run, energy, x, dyn, start=start, generator=self.generator)

    def terms(self, net: nn.Module, x_in: Tensor, x_out: Tensor, progress: float) -> dict[str, Tensor]:
        """The two terms of (3.45) for a net of one output, each a mean; that of no image at all is 0."""
        with evaluating(net):
            x_out = self.moved(on(net, binary), x_out, self.eased(self.out, progress))
            x_in = self.moved(on(net, negated(binary)), x_in, self.eased(self.inside, progress))
        d_in, d_out = net(torch.cat([x_in, x_out])).flatten().split([len(x_in), len(x_out)])
        return {"in": -F.logsigmoid(d_in).sum() / max(1, len(x_in)), "out": -F.logsigmoid(-d_out).sum() / max(1, len(x_out))}


class InOut(Worst):
    """(3.36), (3.45): data against images of p0.

    Attributes:
        p0: (count, generator) -> images, (count, C, H, W).
        steps: K of the attack on p0.
    """

    def __init__(self, p0: Callable[[int, Generator | None], Tensor], out: Dynamics, **numbers) -> None:
        super().__init__(out, **numbers)
        self.p0, self.steps = p0, out.steps

    def attacked(self, net: nn.Module, x0: Tensor) -> Tensor:
        """Images of p0 after the attack at its full radius, (B, C, H, W)."""
        return self.moved(on(net, binary), x0, self.out)

    def __call__(self, net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Terms of the loss by name, "in" and "out"."""
        x, _ = batch
        return self.terms(net, x, self.p0(len(x), self.generator), progress)


class EachVsRest(Worst):
    """(3.23), (3.45) for every class: an update trains one member, its class in the batch against as many of the others.

    Attributes:
        tensors: the member whose turn it is, which a run saves beside its weights.
    Source: thesis (3.23); that in-class images and as many others come from one batch: its CIFAR-10 training, 3.2.3.
    """

    def __init__(self, out: Dynamics, **numbers) -> None:
        super().__init__(out, **numbers)
        self.tensors = {"turn": torch.zeros((), dtype=torch.int64)}

    def __call__(self, net: OneVsRest, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Terms of the loss of this turn's member by name, "in" and "out"."""
        x, y = batch
        k = int(self.tensors["turn"])
        self.tensors["turn"].fill_((k + 1) % net.outputs)
        x_in = x[y == k]
        return self.terms(net.members[k], x_in, x[y != k][: max(1, len(x_in))], progress)
