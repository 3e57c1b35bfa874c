"""JEAT 3.4 and 4.3: training on both parts of log p(x, y), and the scores by which its nets are judged."""

from collections.abc import Callable

import torch
from torch import Tensor

from .. import attacks, energies
from ..dynamics import Dynamics
from ..metrics import fisher
from ..training import energy_based
from .cases import draw_case
from .check import EXACT, Check, Equation, cosine, doubles, gap, norm
from .gradients import at_label, by_weights, expected, one_by_one

SGLD = Dynamics(steps=5, step=0.2, noise=0.02, gradient="raw")
FGSM = attacks.threat("energy", "linf", 0.1, steps=1, step=0.1)


def algorithm_1(seed: int) -> Check:
    """The two gradients of the trainer beside E(x', y) - E(x̃), logit by logit, on the same x' and x̃."""
    case = draw_case(seed)

    def replay() -> energy_based.Replay:
        g = torch.Generator().manual_seed(seed)
        buffer = energy_based.Replay(8, (1, 4, 4), SGLD, reinit=0.3, generator=g)
        buffer.chains = buffer.chains.double()
        return buffer

    chains = replay()
    objective = energy_based.JointEnergy(chains, FGSM, generator=chains.generator)
    conditional, likelihood = (by_weights(t, case.net) for t in objective(case.net, (case.x, case.y), 0.0).values())
    twin = replay()
    x_adv = attacks.perturb("energy", case.net, case.x, case.y, FGSM, generator=twin.generator)
    sampled = twin.negatives(case.net, len(case.x))
    right = expected(*one_by_one(case.net(sampled), case.net)) - at_label(one_by_one(case.net(x_adv), case.net)[0], case.y)
    parts = {
        "|∇L of p(y|x')|": norm(conditional),
        "|∇L of p(x')|": norm(likelihood),
        "cos of the two": cosine(conditional, likelihood),
        "E(x') - E(x̃)": (energies.marginal(case.net(x_adv)) - energies.marginal(case.net(sampled))).mean().item(),
    }
    return Check("both gradients of Algorithm 1", "∇ E(x', y) - ∇ E(x̃)", gap(conditional + likelihood, right), EXACT, parts)


def fisher_scores(seed: int) -> Check:
    """The exact scores of a net of ReLUs beside autograd's whole Hessian of either energy."""
    case = draw_case(seed, activation="relu")
    joint = fisher.gather(fisher.score(case.net, case.x, case.y, method="exact"))
    marginal = fisher.gather(fisher.score(case.net, case.x, method="exact"))

    def by_hessian(score: Callable[[Tensor, int], Tensor]) -> Tensor:
        values = []
        for x, y in zip(case.x, case.y.tolist(), strict=True):
            slope, hessian = (
                derivative(lambda at, y=y: score(case.net(at.view(1, 1, 4, 4))[0], y), x.flatten())
                for derivative in (torch.autograd.functional.jacobian, torch.autograd.functional.hessian)
            )
            values.append(slope.square().sum().item() / 2 - hessian.trace().item())
        return doubles(values)

    difference = max(
        gap(joint.value, by_hessian(lambda f, y: -f[y])),
        gap(marginal.value, by_hessian(lambda f, y: -f.exp().sum().log())),
    )
    parts = {"JFS": joint.mean, "MFS": marginal.mean, "mean tr ∇² log Σ exp f": marginal.trace.mean().item()}
    return Check("fisher.score, exact", "½|∇E|² - tr of autograd's Hessian", difference, EXACT, parts)


ROWS: dict[str, Equation] = {
    "jeat-19": Equation(
        "JEAT", "JEAT (19), Algorithm 1", "The energy of the data cancels from JEAT's step",
        r"\begin{aligned}&\nabla_\theta\big(E(x_{\text{adv}}, y) - E(x_{\text{adv}})\big) + \nabla_\theta\big(E(x_{\text{adv}})"
        r" - E(\tilde x_K)\big)\\ &\quad = \nabla_\theta\big(E(x_{\text{adv}}, y) - E(\tilde x_K)\big)\end{aligned}",
        energy_based.JointEnergy, algorithm_1,
        "Our choice where Algorithm 1 is open: its sign of ∇E is taken at x + δ, images are clamped to [0, 1].",
    ),
    "jeat-24": Equation(
        "JEAT", "JEAT (23), (24)", "Fisher scores need no Hessian in a net of ReLUs",
        r"\begin{aligned}\mathrm{tr}\,\nabla^2 E(x, y) &= 0\\ -\mathrm{tr}\,\nabla^2 E(x) &= \textstyle\sum_k p_k\,"
        r"\|\nabla f_k\|^2 - \big\|\textstyle\sum_k p_k\nabla f_k\big\|^2\end{aligned}",
        fisher.score, fisher_scores,
        "(23) and (24) are ½‖∇E‖² - tr ∇²E. A ReLU's logits are linear almost everywhere; the trace of E(x) is the variance of"
        " the logits' gradients under p(k | x).",
    ),
}  # fmt: skip
