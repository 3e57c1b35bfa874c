"""Binary adversarial training at image scale: thesis Algorithm 1, and Algorithm 3, where the attack grows with the run.

D = sigmoid(f) tells data from images of p0 that an attack has moved up f, by as many unit steps as it is given, without a ball:

    minimise   - E_{p_data} log D(x) - E_{p_0} log(1 - D(x*)) + gamma/2 E_{p_data} |grad f(x)|^2,
    x* = x_K,  x_{k+1} = x_k + lambda grad f(x_k) / |grad f(x_k)|                                             (2.8), (2.11)

The first two terms are -U of the game in the plane (`game`), whose solution is U = -log 4.  The published code differs from the
thesis in what the options below name: K grows by the AUC instead of by equal shares, data are attacked too (downwards), and
BatchNorm stays frozen.  Both clamp images to [0, 1] here, as the code does.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..draws import Generator, gathered
from ..dynamics import Dynamics, settle
from ..energies import binary, negated, on
from ..metrics.detection import auc
from .loop import Batch, check_weight, evaluating


class Maximin:
    """-U(D, p_T) with fresh draws of p0 in every update, moved by the attack.

    Attributes:
        p0: (count, generator) -> images, (count, C, H, W).
        dyn: the attack at its full K.
        steps: K of the last update.
        tensors: what a run has to save beside its weights.
    Source: thesis Algorithm 1, Algorithm 3.
    """

    def __init__(
        self,
        p0: Callable[[int, Generator | None], Tensor],
        dyn: Dynamics,
        *,
        share: float = 0.0,
        auc_above: float = 0.0,
        window: int = 100,
        inside: int = 0,
        inside_step: float = 0.1,
        r1: float = 0.0,
        frozen: bool = False,
        loss: Literal["logistic", "likelihood"] = "logistic",
        generator: torch.Generator | None = None,
    ) -> None:
        """Set the rules of the game.

        Args:
            share: of the run over which K grows from 0 to dyn.steps, by equal shares (Algorithm 3); 0 keeps it fixed.
            auc_above, window: in place of `share`, K grows by one as soon as the mean AUC of so many updates at it exceeds this
                (published code: .8 and 100); 0 for none.
            inside, inside_step: steps of an attack that moves data down f, unconstrained (published code: 5 of .1); 0 for none.
            r1: gamma, weight of the gradient penalty on data.
            frozen: keep BatchNorm in eval mode, also in training (published code).
            loss: `logistic` is (2.11); `likelihood` is E f on p0 less E f on data, the EBM objective (2.2), whose terms are not
                bounded: it diverges under this attack (thesis 2.5.6).
        Raises:
            ValueError: a number out of range, or two ways to let K grow.
        """
        check_weight("γ (r1)", r1)
        for name, value in (("share", share), ("auc_above", auc_above)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}; give a number from 0 to 1")
        if share and auc_above:
            raise ValueError(f"share is {share} and auc_above is {auc_above}; K grows by one of them: leave the other at 0")
        if window < 1:
            raise ValueError(f"window is {window}; give at least 1 update")
        if loss not in ("logistic", "likelihood"):
            raise ValueError(f"loss is {loss!r}; choose logistic or likelihood")
        self.p0, self.dyn, self.share, self.auc_above, self.r1, self.frozen = p0, dyn, share, auc_above, r1, frozen
        self.inside = Dynamics(inside, inside_step, bounds=dyn.bounds)
        self.loss, self.generator = loss, generator
        device = "cpu" if generator is None else generator.device
        # K, the number of updates at it, and the AUC of each of the last ones: all that a resumed run has to know
        self.tensors = {"advance": torch.zeros(2 + window, device=device)}
        self.tensors["advance"][0] = 0 if auc_above else self.planned(0.0)

    @property
    def steps(self) -> int:
        """K as it is now."""
        return int(self.tensors["advance"][0])

    def planned(self, progress: float) -> int:
        """K at this share of the run: each of 0 ... dyn.steps for an equal share, then dyn.steps.  Source: Algorithm 3."""
        whole = self.dyn.steps
        return min(whole, int((whole + 1) * progress / self.share)) if self.share else whole

    def attacked(self, net: nn.Module, x0: Tensor) -> Tensor:
        """Images of p0 moved up f by the K steps of now, at most lambda K far: (B, C, H, W).  Source: thesis (2.8)."""
        return settle(on(net, binary), x0, replace(self.dyn, steps=self.steps))

    def __call__(self, net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Terms of the loss by name: "data" and "p0", and "R1" where it has a weight."""
        x, _ = batch
        if not self.auc_above:
            self.tensors["advance"][0] = self.planned(progress)
        x0 = self.p0(len(x), self.generator)
        with evaluating(net):
            x_moved = self.attacked(net, x0)
            x = settle(on(net, negated(binary)), x, self.inside)
        if self.frozen:
            with evaluating(net):
                return self._terms(net, x, x_moved)
        return self._terms(net, x, x_moved)

    def _terms(self, net: nn.Module, x: Tensor, x_moved: Tensor) -> dict[str, Tensor]:
        x = x.detach().requires_grad_(self.r1 > 0)
        d_data, d_moved = net(torch.cat([x, x_moved])).flatten().split([len(x), len(x_moved)])
        if self.auc_above:
            self._advance(auc(*(gathered(d.detach(), self.generator) for d in (d_data, d_moved))))
        if self.loss == "likelihood":
            return {"data": -d_data.mean(), "p0": d_moved.mean()}
        terms = {"data": -F.logsigmoid(d_data).mean(), "p0": -F.logsigmoid(-d_moved).mean()}
        if self.r1:
            (slope,) = torch.autograd.grad(d_data.sum(), x, create_graph=True)
            terms["R1"] = self.r1 / 2 * slope.flatten(1).square().sum(1).mean()
        return terms

    def _advance(self, value: float) -> None:
        """Let K grow once the mean AUC of a window exceeds `auc_above`.  Source: published code, not the thesis."""
        state = self.tensors["advance"]
        window = len(state) - 2
        state[2 + int(state[1]) % window] = value
        state[1] += 1
        if state[1] >= window and state[2:].mean() > self.auc_above and state[0] < self.dyn.steps:
            state[0] += 1
            state[1] = 0
