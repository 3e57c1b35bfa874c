"""Probes of a run while it goes: how far attacks lift energies, how far updates lower them, and the two gradients of CEM (11).

A probe looks at the batch of one update, before and after it.  It draws from a generator of its own and leaves no trace in the
run: a probed run and an unprobed one end with the same weights.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..attacks import perturb, threat
from ..dynamics import Dynamics, settle
from ..energies import conditional, joint, marginal, on
from ..metrics.answers import outcomes, share
from .loop import Batch, evaluating

SHOWN = 64
"""Images of a batch that a probe looks at."""

DESCENT = Dynamics(steps=10, step=0.5)
"""The chain on E(x) that draws the sampled points of nets that keep no chains of their own."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Measures one update.

    Attributes:
        attack, dyn: that finds the adversarial points.
        unseen: images that training does not see, and their labels.
        starts: x0 of the sampled points, (B, C, H, W).
        generator: source of the attack's starts.
        chains: the objective's own samples where it keeps some, else None.
    Source: JEAT (15), Fig. 3; CEM (11).
    """

    attack: str
    dyn: Dynamics
    unseen: Batch
    starts: Tensor
    generator: torch.Generator
    chains: Tensor | None = None

    def __call__(self, net: nn.Module, batch: Batch) -> Callable[[nn.Module], dict[str, Any]]:
        """Look at the net before an update; the result looks at it afterwards and tells.

        Returns:
            net -> {clean, robust: shares of `unseen`; delta_x, delta_theta: {joint, marginal: [mean, standard deviation]};
            consistency, contrastive: norms over all weights; cosine: between them; energies: {data, adversarial, sampled:
            {joint, marginal: one number an image}}, where the joint energy of a sampled point takes its likeliest label}.
        """
        x, y = (part[:SHOWN] for part in batch)
        with evaluating(net):
            x_adv = perturb(self.attack, net, x, y, self.dyn, check=False, generator=self.generator)
            before, lifted = _both(net, x, y), _both(net, x_adv, y)
            record: dict[str, Any] = gradients(net, x, x_adv, y)
            record["delta_x"] = {k: spread(lifted[k] - before[k]) for k in before}

        def finish(net: nn.Module) -> dict[str, Any]:
            with evaluating(net):
                after, clean = _both(net, x_adv, y), _both(net, x, y)
                record["delta_theta"] = {k: spread(after[k] - lifted[k]) for k in after}
                sampled = self._sampled(net)
                with torch.no_grad():
                    likeliest = net(sampled).argmax(1)
                points = {"data": clean, "adversarial": after, "sampled": _both(net, sampled, likeliest)}
                record["energies"] = {name: {k: rounded(v) for k, v in both.items()} for name, both in points.items()}
                record["clean"], record["robust"] = self._rates(net)
            return record

        return finish

    def _sampled(self, net: nn.Module) -> Tensor:
        if self.chains is not None:
            return self.chains[:SHOWN]
        return settle(on(net, marginal), self.starts, DESCENT)

    def _rates(self, net: nn.Module) -> tuple[float, float]:
        x, y = self.unseen
        dyn = threat("pgd", self.dyn.norm, self.dyn.radius, 10)
        adversarial = perturb("pgd", net, x, y, dyn, check=False, generator=self.generator)
        with torch.no_grad():
            clean, robust = (share(outcomes(net(at), y)) for at in (x, adversarial))
        return round(clean, 4), round(robust, 4)


def gradients(net: nn.Module, x: Tensor, x_adv: Tensor, y: Tensor) -> dict[str, float]:
    """The two parts of the likelihood gradient over all weights, and how far they agree.

    consistency = grad E[ f(x)[y] - f(x^)[y] ],   contrastive = grad E[ f(x^)[y] - sum_k p(k | x^) f(x^)[k] ] = -grad CE(x^, y)

    Args:
        net: in eval mode.
        x, x_adv: (B, *D); y: (B,) int64.
    Returns:
        {consistency, contrastive: L2 norms, cosine}.
    Source: CEM (11), (12).
    """
    with torch.enable_grad():
        f, f_adv = net(x), net(x_adv)
        return halves(net, (joint(f_adv, y) - joint(f, y)).mean(), -conditional(f_adv, y).mean())


def halves(net: nn.Module, consistency: Tensor, contrastive: Tensor) -> dict[str, float]:
    """Norms of the gradients of two scalars over all weights, and the cosine: {consistency, contrastive, cosine}."""
    weights = [p for p in net.parameters() if p.requires_grad]
    options = {"retain_graph": True, "materialize_grads": True}  # a branch of a double norm may go unused
    grads = (torch.autograd.grad(part, weights, **options) for part in (consistency, contrastive))
    # in float64: late in training the products of small gradients would underflow
    a, b = (torch.cat([g.flatten().cpu().double() for g in part]) for part in grads)
    sizes = a.norm().item(), b.norm().item()
    cosine = (a @ b).item() / max(sizes[0] * sizes[1], sys.float_info.min)
    return {"consistency": _short(sizes[0]), "contrastive": _short(sizes[1]), "cosine": _short(cosine)}


def _both(net: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    with torch.no_grad():
        f = net(x)
    return {"joint": joint(f, y), "marginal": marginal(f)}


def rounded(values: Tensor) -> list[float]:
    """One number an image, to two decimals."""
    return [round(e, 2) for e in values.tolist()]


def spread(values: Tensor) -> list[float]:
    """Mean and standard deviation over the images."""
    return [_short(values.mean().item()), _short(values.std(correction=0).item())]


def _short(value: float) -> float:
    return float(f"{value:.4g}")
