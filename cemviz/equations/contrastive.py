"""CEM without labels, (17) to (24): InfoNCE and its energies of pairs, where instances stand for classes."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .. import dynamics, energies
from ..dynamics import Dynamics
from .cases import THREAT, Case, draw_case
from .check import EXACT, ROUNDED, Check, Equation, cosine, doubles, gap, norm
from .gradients import at_label, by_input, by_weights, expected, one_by_one


def drawn_views(seed: int) -> tuple[Case, Tensor]:
    """An encoder (1, 4, 4) -> 3, images, and a second view x' of each."""
    case = draw_case(seed, outputs=3, gain=1.2)
    noise = torch.randn(case.x.shape, generator=case.generator, dtype=torch.float64)
    return case, (case.x + 0.2 * noise).clamp(0, 1)


def pairs(net: nn.Module, x: Tensor, others: Tensor) -> list[list[Tensor]]:
    """Every g(x_i)·g(x_k'), a scalar each: B rows of K."""
    z, z_others = net(x), net(others)
    return [[(a * b).sum() for b in z_others] for a in z]


def attack_on(net: nn.Module, refs: Tensor) -> energies.Energy:
    """Energy that an attack on InfoNCE descends: minus the loss, with row i of `refs` for the positive of sample i."""
    return energies.on(net, energies.negated(energies.infonce), refs, refs)


def infonce_is_ce(seed: int) -> Check:
    """The difference of two energies beside torch's cross-entropy with instances for classes."""
    case, views = drawn_views(seed)
    z, others = case.net(case.x), case.net(views)
    left = energies.infonce(z, others, others)
    right = F.cross_entropy(z @ others.T, torch.arange(len(z)), reduction="none")
    parts = {"mean loss, nats": left.mean().item(), "log K": math.log(len(z))}
    return Check("infonce(z, z', refs)", "F.cross_entropy(z refs^T, arange)", gap(left, right), EXACT, parts)


def infonce_gradient(seed: int) -> Check:
    """Autograd beside reweighted gradients of every pair."""
    case, views = drawn_views(seed)
    others = case.net(views)
    left = -by_weights(energies.infonce(case.net(case.x), others, others).mean(), case.net)
    gradients, weights = one_by_one(pairs(case.net, case.x, views), case.net)
    positive, negative = at_label(gradients, torch.arange(len(case.x))), expected(gradients, weights)
    parts = {"|positive phase|": norm(positive), "|negative phase|": norm(negative)}
    return Check("-∇ InfoNCE", "positive - reweighted negatives", gap(left, positive - negative), EXACT, parts)


def infonce_direction(seed: int) -> Check:
    """A raw step up the loss beside the pull of every reference, weighted by hand."""
    case, views = drawn_views(seed)
    refs = case.net(views).detach()
    moved = dynamics.settle(attack_on(case.net, refs), case.x, Dynamics(1, 1.0, gradient="raw", bounds=None)) - case.x
    weights = one_by_one(pairs(case.net, case.x, views), case.net)[1]
    pulls = [by_input(lambda x, r=r: (case.net(x) * r).sum(1), case.x) for r in refs]  # grad of f(x_i, x_k') for each k
    attraction = torch.stack([sum(w * pull[i] for w, pull in zip(weights[i], pulls, strict=True)) for i in range(len(refs))])
    repulsion = torch.stack([pulls[i][i] for i in range(len(refs))])
    parts = {"|∇ log Σ exp|": norm(attraction), "|∇ f(x̂, x')|": norm(repulsion)}
    parts |= {"cos of the two": cosine(attraction, repulsion)}
    return Check("a raw step up InfoNCE", "Σ w_k ∇ f(x̂, x'_k) - ∇ f(x̂, x')", gap(moved, attraction - repulsion), EXACT, parts)


def adversarial_infonce(seed: int) -> Check:
    """The same as (18) at anchors that an attack on InfoNCE has moved."""
    case, views = drawn_views(seed)
    refs = case.net(views)
    x_adv = dynamics.settle(attack_on(case.net, refs.detach()), case.x, THREAT)
    left = -by_weights(energies.infonce(case.net(x_adv), refs, refs).mean(), case.net)
    gradients, weights = one_by_one(pairs(case.net, x_adv, views), case.net)
    right = at_label(gradients, torch.arange(len(views))) - expected(gradients, weights)
    clean, hurt = (energies.infonce(case.net(x), refs, refs).mean().item() for x in (case.x, x_adv))
    parts = {"InfoNCE of x": clean, "InfoNCE of x̂": hurt, "|gradient|": norm(left)}
    return Check("-∇ adversarial InfoNCE", "contrastive gradient over pairs", gap(left, right), EXACT, parts)


def max_entropy(seed: int) -> Check:
    """Autograd beside finite differences of a double loop over the batch."""
    case, h = draw_case(seed, outputs=3, gain=1.2), 1e-5

    def crowd(x: Tensor) -> float:
        z = case.net(x).detach()
        return sum(math.log(sum(math.exp(float(a @ b)) for b in z)) for a in z)

    left = by_input(lambda x: energies.crowding(case.net(x)), case.x)
    moves = h * torch.eye(case.x.numel(), dtype=torch.float64).view(-1, *case.x.shape)
    right = doubles((crowd(case.x + m) - crowd(case.x - m)) / (2 * h) for m in moves).view_as(left)
    n = len(case.x)
    parts = {"H estimate + log Z": math.log(n) - crowd(case.x) / n, "|gradient|": norm(left)}
    return Check("∇ of the batch's crowding", "differences of a double loop", gap(left, right), ROUNDED, parts)


ROWS: dict[str, Equation] = {
    "cem-17": Equation(
        "CEM", "CEM (17)", "InfoNCE is a cross-entropy over instances",
        r"\ell_{\text{NCE}} = -\log\frac{e^{g(x)^\top g(x')}}{\sum_{j=1}^K e^{g(x)^\top g(\hat x_j)}}",
        energies.infonce, infonce_is_ce,
        "The sum's index is printed i = j; it is j = 1. A cross-entropy only where the positive is among the K.",
    ),
    "cem-18": Equation(
        "CEM", "CEM (18), (31)", "InfoNCE is the likelihood gradient with data for negatives",
        r"\begin{aligned}-\nabla_\theta\ell_{\text{NCE}} &= \mathbb E\,\nabla_\theta f(x, x')\\"
        r" &- \mathbb E\textstyle\sum_k w_k \nabla_\theta f(x, \hat x'_k),\\"
        r" w_k &\propto e^{f(x, \hat x'_k)}\end{aligned}",
        energies.infonce, infonce_gradient,
        "(18) prints the denominator's index without k. Every pair's gradient is taken on its own.",
    ),
    "cem-20": Equation(
        "CEM", "CEM (19), (20)", "PGD on InfoNCE",
        r"\begin{aligned}\hat x_{n+1} = \hat x_n &+ \alpha\nabla_{\hat x}\log\textstyle\sum_k e^{f(\hat x_n, \hat x'_k)}\\"
        r" &- \alpha\nabla_{\hat x} f(\hat x_n, x')\end{aligned}",
        energies.against, infonce_direction,
        "(20)'s first line lacks a minus before the gradient of the log-ratio; its second line, the ascent on the loss, is"
        " right but for a ∇ with respect to θ that is meant with respect to x̂. The first term is the drift of (19).",
    ),
    "cem-22": Equation(
        "CEM", "CEM (22), (32)", "The contrastive gradient of pairs is adversarial InfoNCE",
        r"\begin{aligned}&\mathbb E\big[\nabla_\theta f(\hat x, x') - \textstyle\sum_k w_k\nabla_\theta f(\hat x,"
        r" \hat x'_k)\big]\\ &\quad = -\nabla_\theta\,\ell_{\text{NCE}}(\hat x, x')\end{aligned}",
        energies.infonce, adversarial_infonce,
        "(22) speaks of adversarial negatives, (32) of data negatives: here data.",
    ),
    "cem-24": Equation(
        "CEM", "CEM (23), (24)", "MaxEnt: a batch spreads in feature space",
        r"x_i' = x_i - \alpha\nabla_{x_i}\textstyle\sum_i\log\sum_j e^{f(x_i, x_j)} + \sqrt{2\alpha}\,\varepsilon",
        energies.crowding, max_entropy,
        "(23)'s middle expression lacks log before p(x_i). The inner sum includes j = i, and x_i moves in every row's sum.",
    ),
}  # fmt: skip
