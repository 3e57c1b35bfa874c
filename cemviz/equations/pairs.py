"""The likelihood of pairs on a finite space, where it can be summed: (4), (18), (21) of CEM, and the one step that (18) takes.

The space holds 12 images.  p_d pairs each with one other, so that both marginals are uniform over the space; p_theta(x, x')
is proportional to exp f(x, x') over all 144 pairs.  Nothing is estimated.
"""

import torch
from torch import Tensor

from .. import energies
from ..dynamics import Dynamics
from ..training import contrastive
from .cases import Case, draw_case, space
from .check import EXACT, Check, Equation, cosine, gap, norm
from .gradients import at_label, by_weights, expected, one_by_one

ATTACK = Dynamics(3, 0.3, radius=0.6)
"""Attack on both views together."""


def finite(seed: int) -> tuple[Case, Tensor, Tensor]:
    """An encoder (1, 4, 4) -> 3, its whole space, (12, 1, 4, 4), and the place of each image's partner, (12,)."""
    case = draw_case(seed, outputs=3, gain=1.2)
    x = space(case)
    return case, x, torch.randperm(len(x), generator=case.generator)


def tables(case: Case, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of every f(x_i, x_k), p_theta(x_k | x_i) and p_theta(x_i): (12, 12, P), (12, 12), (12,)."""
    z = case.net(x)
    gradients, conditional = one_by_one([[(a * b).sum() for b in z] for a in z], case.net)
    rows = torch.stack([torch.stack([(a * b).sum().exp() for b in z]).sum() for a in z]).detach()
    return gradients, conditional, rows / rows.sum()


def likelihood(case: Case, x: Tensor, partner: Tensor) -> Tensor:
    """Mean log p_theta(x, x') over p_d by the package's energy: a scalar."""
    z = case.net(x)
    every = torch.stack([-energies.pair(a.expand_as(z), z) for a in z])
    return -energies.pair(z, z[partner]).mean() - every.flatten().logsumexp(0)


def decomposition(seed: int) -> Check:
    """Autograd of the exact likelihood beside the two parts of (21), summed over all x^ and x^'."""
    case, x, partner = finite(seed)
    left = by_weights(likelihood(case, x, partner), case.net)
    gradients, conditional, p = tables(case, x)
    positive = at_label(gradients, partner)
    # the interpolated pair (x^, x'): x^ from the model, x' from the data, apart from it; x' is uniform here
    between = sum(p[i] * gradients[i].mean(0) for i in range(len(x)))
    negative = sum(p[i] * (conditional[i] @ gradients[i]) for i in range(len(x)))
    parts = {"|consistency|": norm(positive - between), "|contrastive|": norm(between - negative)}
    parts |= {"cos of the two": cosine(positive - between, between - negative)}
    total = (positive - between) + (between - negative)
    return Check("∇ of the exact log-likelihood", "consistency + contrastive", gap(left, total), EXACT, parts)


def one_step(seed: int) -> Check:
    """InfoNCE's gradient beside the exact one with p_d(x^) in the place of p_theta(x^), and what that step costs."""
    case, x, partner = finite(seed)
    z = case.net(x)
    left = -by_weights(energies.infonce(z, z[partner], z).mean(), case.net)
    gradients, conditional, p = tables(case, x)
    positive = at_label(gradients, partner)
    right = positive - expected(gradients, conditional)  # x^ uniform: the data's law
    exact = positive - sum(p[i] * (conditional[i] @ gradients[i]) for i in range(len(x)))
    parts = {
        "|exact gradient|": norm(exact),
        "error of the step, relative": norm(right - exact) / norm(exact),
        "cos to the exact one": cosine(right, exact),
        "total variation of p_θ(x̂) and p_d(x̂)": (p - 1 / len(x)).abs().sum().item() / 2,
    }
    return Check("-∇ InfoNCE over the whole space", "exact phases, p_d(x̂) for p_θ(x̂)", gap(left, right), EXACT, parts)


def adversarial_references(seed: int) -> Check:
    """The A2A loss beside reweighted gradients of every pair of its attacked views, by hand."""
    case = draw_case(seed, outputs=3, gain=1.2)

    def views(x: Tensor, generator: torch.Generator | None) -> Tensor:
        return (x + 0.2 * torch.randn(x.shape, generator=generator, dtype=x.dtype)).clamp(0, 1)

    inputs: list[Tensor] = []

    class Watched(torch.nn.Module):
        """The net, which keeps its last input: the attacked views."""

        def forward(self, v: Tensor) -> Tensor:
            inputs[:] = [v.detach()]
            return case.net(v)

    g = torch.Generator().manual_seed(seed)
    objective = contrastive.all_adversarial(ATTACK, views, generator=g)
    (loss,) = objective(Watched(), (case.x, case.y), 0.0).values()
    left, v = -by_weights(loss, case.net), inputs[0]
    n, z = len(v) // 2, case.net(v)
    others = [[k for k in range(2 * n) if k != i] for i in range(2 * n)]
    gradients, weights = one_by_one([[(z[i] * z[k]).sum() for k in row] for i, row in enumerate(others)], case.net)
    places = torch.tensor([row.index((i + n) % (2 * n)) for i, row in enumerate(others)])
    right = at_label(gradients, places) - expected(gradients, weights)
    parts = {"adversarial InfoNCE": loss.item(), "|gradient|": norm(right)}
    return Check("-∇ of the A2A loss", "contrastive gradient, adversarial x̂'", gap(left, right), EXACT, parts)


ROWS: dict[str, Equation] = {
    "cem-21": Equation(
        "CEM", "CEM (4), (21)", "The likelihood of pairs falls into two parts as well",
        r"\begin{aligned}\nabla_\theta\,\mathbb E_{p_d}\log p_\theta(x, x') &= \mathbb E\big[\nabla f(x, x') - \nabla f(\hat x,"
        r" x')\big]\\ &+ \mathbb E\big[\nabla f(\hat x, x') - \nabla f(\hat x, \hat x')\big]\end{aligned}",
        energies.pair, decomposition,
        "A space of 12 images, so that Z is a sum. (21)'s first line must end in f(x̂, x̂').",
    ),
    "cem-31": Equation(
        "CEM", "CEM (18), (31)", "What InfoNCE leaves out of the likelihood",
        r"\begin{aligned}&\mathbb E_{p_d(x, x')}\nabla f(x, x') - \mathbb E_{\color{red}p_d(\hat x)}\mathbb"
        r" E_{p_\theta(\hat x' \mid \hat x)}\nabla f(\hat x, \hat x')\\ &= -\nabla\ell_{\text{NCE}}\end{aligned}",
        energies.infonce, one_step,
        "Exact but for p_d(x̂), which stands where the likelihood has p_θ(x̂). On 12 images that one step can be measured.",
    ),
    "cem-22-a2a": Equation(
        "CEM", "CEM (22)", "With adversarial references the same holds",
        r"\frac1N\sum_i\nabla_\theta\log\frac{e^{f(\hat x_i, \hat x_i')}}{\sum_k e^{f(\hat x_i, \hat x'_{k})}}",
        contrastive.all_adversarial, adversarial_references,
        "The trainer A2A attacks both views, so that x' is adversarial too; (32) and the trainer A2S keep them clean.",
    ),
}  # fmt: skip
