"""Objectives of labelled training: cross-entropy on clean, noisy and adversarial images, and what keeps the two alike."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..attacks import perturb
from ..draws import randn
from ..dynamics import Dynamics, box, settle
from ..energies import conditional, divergence, joint, negated, on
from .loop import Batch, Objective, Still, check_weight


def standard(net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
    """Cross-entropy on the images as they are.

    E_{p_d} [ E(x, y) - E(x) ]: the likelihood gradient with data in place of the model's own negatives.
    Source: CEM (16).
    """
    x, y = batch
    return {"cross-entropy": conditional(net(x), y).mean()}


def noisy(sigma: float, *, generator: torch.Generator | None = None) -> Objective:
    """Standard training on noisy images: "blind" adversarial training, whose perturbations meet high energies by accident.

    E_{p_d} [ CE(x + delta, y) ],   delta ~ N(0, sigma^2 I), not clamped

    Args:
        sigma: standard deviation per pixel, at least 0; 0 gives `standard`.
        generator: source of the noise.
    Source: JEAT 3.2.
    """
    check_weight("σ (sigma)", sigma)

    def objective(net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        x, y = batch
        delta = randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        return {"cross-entropy with noise": conditional(net(x + sigma * delta), y).mean()}

    return objective


def adversarial(dyn: Dynamics, *, attack: str = "pgd", generator: torch.Generator | None = None) -> Objective:
    """Adversarial training: cross-entropy on the worst images that the attack finds.

    min_theta E_{p_d} [ max_{|x^ - x| <= eps} CE(x^, y) ]: its gradient is minus the contrastive gradient of CEM (11), (12).
    With attack "energy", whose inner maximum is that of E(x^, y) alone, it is PreJEAT.

    Args:
        dyn: the threat model and the attack's steps, from `attacks.threat`; radius 0 gives `standard`.
        attack: key of ATTACKS; the net is in eval mode while attacked.
        generator: source of the random start.
    Source: CEM (7), (8), (12); JEAT 3.3.
    """

    still = Still()

    def objective(net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        x, y = batch
        with still(net) as frozen:
            x_adv = perturb(attack, frozen, x, y, dyn, check=False, generator=generator)
        return {"adversarial cross-entropy": conditional(net(x_adv), y).mean()}

    return objective


def consistent(dyn: Dynamics, weight: float, *, attack: str = "pgd", generator: torch.Generator | None = None) -> Objective:
    """Adversarial training that also holds the consistency gradient of CEM (11) down: AT+CR.

    E [ CE(x^, y) + weight (f(x)[y] - f(x^)[y])^2 ]

    Only the label's logit is held, which tells it from logit pairing.

    Args:
        dyn, attack, generator: as in `adversarial`.
        weight: of the squared gap, at least 0; 0 gives `adversarial`.  The paper names none.
    Source: CEM (25).
    """
    check_weight("weight", weight)

    still = Still()

    def objective(net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        x, y = batch
        with still(net) as frozen:
            x_adv = perturb(attack, frozen, x, y, dyn, check=False, generator=generator)
        f_adv = net(x_adv)
        terms = {"adversarial cross-entropy": conditional(f_adv, y).mean()}
        if weight:  # a second pass would move BatchNorm's statistics
            terms["consistency"] = weight * (joint(net(x), y) - joint(f_adv, y)).square().mean()
        return terms

    return objective


JITTER = 1e-3
"""Standard deviation of TRADES' start: at x itself the gradient of the divergence is zero."""

ORDERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "published": lambda f, f_adv: divergence(f_adv, f),  # KL(p(.|x) || p(.|x^))
    "cem": lambda f, f_adv: divergence(f, f_adv),  # KL(p(.|x^) || p(.|x))
}
"""The order in which TRADES' divergence takes clean and adversarial logits: its authors' code, or as CEM 4.2 writes it."""


def trades(
    dyn: Dynamics, weight: float = 6.0, *, order: str = "published", generator: torch.Generator | None = None
) -> Objective:
    """TRADES: cross-entropy on clean images, and a divergence that the attack drives apart and training draws together.

    E [ CE(x, y) + weight max_{|x^ - x| <= eps} KL(p(.|x) || p(.|x^)) ],   weight = beta = 1/lambda

    Args:
        dyn: the threat model and the attack's steps.
        weight: at least 0; 0 gives `standard`.
        order: key of ORDERS.
        generator: source of the start, x + .001 N(0, I).
    Raises:
        ValueError: unknown order, negative weight.
    Source: Zhang et al. 2019, Algorithm 1; CEM 4.2, A.1.1.
    """
    check_weight("weight", weight)
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}; choose one of {', '.join(ORDERS)}")
    apart, still = ORDERS[order], Still()

    def objective(net: nn.Module, batch: Batch, progress: float) -> dict[str, Tensor]:
        x, y = batch
        if not weight:
            return standard(net, batch, progress)
        with still(net) as frozen:
            with torch.no_grad():
                f0 = frozen(x)
            start = box(x + JITTER * randn(x.shape, generator=generator, device=x.device, dtype=x.dtype), dyn.bounds)
            x_adv = settle(on(frozen, negated(lambda f_adv: apart(f0, f_adv))), x, dyn, start=start)
        f, f_adv = net(x), net(x_adv)
        return {"cross-entropy": conditional(f, y).mean(), "divergence": weight * apart(f, f_adv).mean()}

    return objective
