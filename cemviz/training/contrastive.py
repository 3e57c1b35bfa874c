"""Objectives without labels: InfoNCE, and unsupervised adversarial training (UAT) by attacks on it.

An image x gives two views v, v'.  With similarity f(v, v') = g(v)^T g(v') an instance stands where a class stood: InfoNCE is
the cross-entropy of finding v' among the views of the batch, and its attack moves views so that they are no longer found.
The batch is one system: each view is a reference of the others, and all move together.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..data.views import View
from ..dynamics import Dynamics, settle
from ..energies import infonce, negated, nt_xent, on, pair
from ..nets.layers import through
from ..starts import near
from .loop import Batch, Objective, Still, check_weight, evaluating


def contrastive(views: View, *, generator: torch.Generator | None = None) -> Objective:
    """Standard contrastive learning (SimCLR): every view finds the other view of its image.

    E [ -f(v, v') + log sum_k exp f(v, v_k) ]

    Args:
        views: draws a view of each image.
        generator: source of the views.
    Source: CEM (17); Chen et al. 2020.
    """

    def objective(net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        return {"InfoNCE": nt_xent(net(_two(views, batch, generator))).mean()}

    return objective


def all_adversarial(
    dyn: Dynamics, views: View, *, weight: float = 0.0, ease: float = 0.0, generator: torch.Generator | None = None
) -> Objective:
    """UAT in the form A2A: both views are attacked, so that the references are adversarial too; with a weight, UAT+UCR.

    E [ InfoNCE(v^, v^') + weight ( f(v, v') - f(v^, v') )^2 ],   v^ = arg max InfoNCE within the ball around v

    Args:
        dyn: of the attack on all views together, from a random start; radius 0 gives `contrastive`.
        views: draws a view of each image.
        weight: of the consistency term, at least 0; the paper names none.
        ease: share of the run in which the attack's radius and step grow from 0 to their own, in [0, 1).
        generator: source of the views and starts.
    Source: CEM (20), (22), (26); ACL (A2A).
    """
    check_weight("weight", weight)
    grown, still = _growing(dyn, ease), Still()

    def objective(net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        v, now = _two(views, batch, generator), grown(progress)
        with still(net) as frozen:
            v_adv = settle(on(frozen, negated(nt_xent)), v, now, start=near(v, now, generator=generator))
        z_adv = net(v_adv)
        terms = {"adversarial InfoNCE": nt_xent(z_adv).mean()}
        if weight:
            z = net(v)
            other = z.roll(len(z) // 2, 0)
            terms["consistency"] = weight * (pair(z, other) - pair(z_adv, other)).square().mean()
        return terms

    return objective


def adversarial_to_standard(
    dyn: Dynamics, views: View, *, ease: float = 0.0, generator: torch.Generator | None = None
) -> Objective:
    """UAT in the form A2S: an attacked view finds the clean other view among clean views, each kind by its own BatchNorm.

    E [ InfoNCE(v^, v', {v'_k}) ]

    Args:
        dyn: of the attack on the first view, from a random start.
        views: draws a view of each image.
        ease: as in `all_adversarial`.
        generator: source of the views and starts.
    Source: CEM (20), (32); ACL (A2S).
    """
    grown = _growing(dyn, ease)

    def objective(net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        (v, other), now = _two(views, batch, generator).chunk(2), grown(progress)
        with evaluating(net):
            with torch.no_grad(), through(net, "clean"):
                refs = net(other)
            with through(net, "adversarial"):
                v_adv = settle(on(net, negated(infonce), refs, refs), v, now, start=near(v, now, generator=generator))
        with through(net, "clean"):
            z = net(other)
        with through(net, "adversarial"):
            z_adv = net(v_adv)
        return {"adversarial InfoNCE": infonce(z_adv, z, z).mean()}

    return objective


def _two(views: View, batch: Batch, generator: torch.Generator | None) -> Tensor:
    """Two views of each image of a batch, whose labels nobody looks at: (2 B, C, H, W), rows i and i + B of one image."""
    x, _ = batch
    return torch.cat([views(x, generator), views(x, generator)])


def _growing(dyn: Dynamics, ease: float) -> Callable[[float], Dynamics]:
    """The attack at a share of the run: a fresh encoder tells no two views apart, and at full strength would never begin to."""
    if not 0 <= ease < 1:
        raise ValueError(f"ease is {ease}; give a share from 0 to below 1")

    def at(progress: float) -> Dynamics:
        share = min(1.0, progress / ease) if ease else 1.0
        return replace(dyn, radius=share * dyn.radius, step=share * dyn.step)

    return at
