"""Objectives of labelled training: cross-entropy on clean, and on adversarial, images."""

import torch
from torch import Tensor, nn

from ..attacks import perturb
from ..dynamics import Dynamics
from ..energies import conditional
from .loop import Batch, Objective, evaluating


def standard(net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
    """Cross-entropy on the images as they are.

    E_{p_d} [ E(x, y) - E(x) ]: the likelihood gradient with data in place of the model's own negatives.
    Source: CEM (16).
    """
    x, y = batch
    return {"cross-entropy": conditional(net(x), y).mean()}


def adversarial(dyn: Dynamics, *, attack: str = "pgd", generator: torch.Generator | None = None) -> Objective:
    """Adversarial training: cross-entropy on the worst images that the attack finds.

    min_theta E_{p_d} [ max_{|x^ - x| <= eps} CE(x^, y) ]: its gradient is minus the contrastive gradient of CEM (11), (12).

    Args:
        dyn: the threat model and the attack's steps, from `attacks.threat`; radius 0 gives `standard`.
        attack: key of ATTACKS; the net is in eval mode while attacked.
        generator: source of the random start.
    Source: CEM (7), (8), (12).
    """

    def objective(net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        x, y = batch
        with evaluating(net):
            x_adv = perturb(attack, net, x, y, dyn, generator=generator)
        return {"adversarial cross-entropy": conditional(net(x_adv), y).mean()}

    return objective
