"""CEM for labelled data, (2) to (16): the energies of a classifier, its likelihood gradient, and the samplers."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .. import attacks, dynamics, energies, samplers
from ..dynamics import Dynamics
from ..training import supervised
from .cases import THREAT, Case, draw_case, space
from .check import EXACT, Check, Equation, cosine, gap, norm
from .gradients import at_label, by_input, by_weights, expected, label_and_total, one_by_one


def jem(seed: int) -> Check:
    """The last layer written out as inner products with the class centres."""
    case = draw_case(seed)
    net = case.net[1]
    features = torch.cat([net[:-1](case.x.flatten(1)), torch.ones(len(case.x), 1, dtype=torch.float64)], 1)
    centres = torch.cat([net[-1].weight, net[-1].bias[:, None]], 1)
    by_hand = torch.stack([-features[i].dot(centres[label]) for i, label in enumerate(case.y.tolist())])
    left = energies.joint(case.net(case.x), case.y)
    return Check("joint(f, y)", "-g(x)·w_y", gap(left, by_hand), EXACT, {"mean E(x, y)": left.mean().item()})


def pgd_direction(seed: int) -> Check:
    """The gradient that attack 'pgd' steps along, at its random start, beside the two terms written out."""
    case = draw_case(seed)
    first = next(attacks.attack("pgd", case.net, case.x, case.y, THREAT, generator=case.generator))
    label, total = label_and_total(case._replace(x=first.x))
    parts = {"|∇ log Σ exp f|": norm(total), "|∇ f_y|": norm(label), "cos of the two": cosine(total, label)}
    return Check("direction of attack 'pgd'", "∇ log Σ exp f - ∇ f_y", gap(-first.grad, total - label), EXACT, parts)


def langevin_marginal(seed: int) -> Check:
    """Five steps of sampler 'langevin' beside a loop with the same noise."""
    case, steps, alpha = draw_case(seed), 5, 0.02
    dyn = Dynamics.langevin(steps, alpha)
    *_, last = samplers.sample("langevin", case.net, case.x, case.y, dyn, generator=torch.Generator().manual_seed(seed))
    x, g = case.x, torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rise = by_input(lambda at: case.net(at).exp().sum(1).log(), x)
        x = x + alpha * rise + math.sqrt(2 * alpha) * torch.randn(x.shape, generator=g, dtype=x.dtype)
    parts = {"α": alpha, "√2α": math.sqrt(2 * alpha), "way travelled": norm(x - case.x)}
    return Check("sampler 'langevin', 5 steps", "the loop by hand", gap(last.x - case.x, x - case.x), EXACT, parts)


def likelihood(seed: int) -> Check:
    """Autograd through log Z beside the two phases, each logit's gradient on its own."""
    case = draw_case(seed)
    points = space(case)
    log_z = (-energies.marginal(case.net(points))).logsumexp(0)
    log_p = -energies.joint(case.net(case.x), case.y) - log_z
    left = by_weights(log_p.mean(), case.net)
    gradients, p_label = one_by_one(case.net(points), case.net)
    weights = case.net(points).exp().sum(1).detach()
    p_x = weights / weights.sum()
    positive = at_label(gradients[: len(case.x)], case.y)
    negative = sum(p_x[i] * p_label[i, k] * gradients[i, k] for i in range(len(p_x)) for k in range(p_label.shape[1]))
    parts = {"|positive phase|": norm(positive), "|negative phase|": norm(negative), "mean log p(x, y)": log_p.mean().item()}
    return Check("∇ log-likelihood (autograd)", "positive - negative phase", gap(left, positive - negative), EXACT, parts)


def negatives(case: Case, seed: int) -> tuple[Tensor, Tensor]:
    """Negative samples x^ from PGD, and minus the gradient of the adversarial-training loss on those very images."""
    x_adv = attacks.perturb("pgd", case.net, case.x, case.y, THREAT, generator=torch.Generator().manual_seed(seed))
    objective = supervised.adversarial(THREAT, generator=torch.Generator().manual_seed(seed))
    loss = sum(objective(case.net, (case.x, case.y), 0.0).values())
    return x_adv, -by_weights(loss, case.net)


def decomposition(seed: int) -> Check:
    """The likelihood gradient logit by logit, beside an energy gap and the trainer's own loss."""
    case = draw_case(seed)
    x_adv, contrastive = negatives(case, seed)
    gradients, p = one_by_one(case.net(x_adv), case.net)
    full = at_label(one_by_one(case.net(case.x), case.net)[0], case.y) - expected(gradients, p)
    energy_gap = energies.joint(case.net(x_adv), case.y) - energies.joint(case.net(case.x), case.y)
    consistency = by_weights(energy_gap.mean(), case.net)
    parts = {
        "|consistency|": norm(consistency),
        "|contrastive|": norm(contrastive),
        "cos of the two": cosine(consistency, contrastive),
    }
    return Check("likelihood gradient (10)", "consistency - ∇ AT loss", gap(full, consistency + contrastive), EXACT, parts)


def contrastive_is_at(seed: int) -> Check:
    """A literal expectation over the model's labels, beside the gradient of the trainer's loss on the same images."""
    case = draw_case(seed)
    x_adv, right = negatives(case, seed)
    gradients, p = one_by_one(case.net(x_adv), case.net)
    left = at_label(gradients, case.y) - expected(gradients, p)
    parts = {
        "|gradient|": norm(left),
        "cos": cosine(left, right),
        "p(y | x̂)": p[torch.arange(len(p)), case.y].mean().item(),
        "largest |x̂ - x|": dynamics.length(x_adv - case.x).max().item(),
    }
    return Check("contrastive gradient", "-∇ AT loss", gap(left, right), EXACT, parts)


def contrastive_is_ce(seed: int) -> Check:
    """The same with the data's own images as negatives, beside standard training."""
    case = draw_case(seed)
    gradients, p = one_by_one(case.net(case.x), case.net)
    left = at_label(gradients, case.y) - expected(gradients, p)
    right = -by_weights(sum(supervised.standard(case.net, (case.x, case.y), 0.0).values()), case.net)
    parts = {"|gradient|": norm(left), "cos with -∇ AT loss": cosine(left, negatives(case, seed)[1])}
    return Check("contrastive gradient on data", "-∇ cross-entropy", gap(left, right), EXACT, parts)


def sampler_gradient(name: str, label_share: float, total_share: float) -> Callable[[int], Check]:
    """A check that a sampler climbs this mixture of two gradients, written out and as rows cs and langevin give them."""

    def check(seed: int) -> Check:
        case = draw_case(seed)

        def climbed(row: str) -> Tensor:
            return -next(samplers.sample(row, case.net, case.x, case.y, Dynamics(0))).grad

        label, total = label_and_total(case)
        left = climbed(name)
        by_hand = label_share * label + total_share * total
        by_rows = label_share * climbed("cs") + total_share * climbed("langevin")
        right = {1.0: "∇ f_y + ∇ log Σ exp f", 0.0: "∇ f_y", -1.0: "∇ f_y - ∇ log Σ exp f"}[total_share]
        parts = {"|∇ f_y|": norm(label), "|∇ log Σ exp f|": norm(total), "|g|": norm(left)}
        parts |= {"cos of g and ∇ f_y": cosine(left, label)}
        return Check(f"g of sampler '{name}'", right, max(gap(left, by_hand), gap(left, by_rows)), EXACT, parts)

    return check


ROWS: dict[str, Equation] = {
    "cem-3": Equation(
        "CEM", "CEM (2), (3)", "A classifier's logit is minus an energy",
        r"f_\theta(x, y) = g_\theta(x)^\top w_y = h_\theta(x)[y] = -E(x, y)",
        energies.joint, jem, "The last layer's bias counts as one more weight, of a feature that is always 1.",
    ),
    "cem-8": Equation(
        "CEM", "CEM (8)", "PGD climbs log-sum-exp and leaves the label",
        r"\begin{aligned}\hat x_{n+1} = \hat x_n &+ \alpha\nabla_{\hat x}\log\textstyle\sum_k e^{f(\hat x_n, k)}\\"
        r" &- \alpha\nabla_{\hat x} f(\hat x_n, y)\end{aligned}",
        attacks.attack, pgd_direction,
        "Projection and normalisation left out, as in the paper's footnote; the attack starts from a random point of the ball.",
    ),
    "cem-9": Equation(
        "CEM", "CEM (9)", "Langevin dynamics on the marginal",
        r"\begin{aligned}\hat x_{n+1} = \hat x_n &+ \alpha\nabla_{\hat x}\log\textstyle\sum_k e^{f(\hat x_n, k)}\\"
        r" &+ \sqrt{2\alpha}\,\varepsilon\end{aligned}",
        dynamics.Dynamics.langevin, langevin_marginal,
        "It shares its drift with PGD (8), which has a repulsion from the label in place of the noise.",
    ),
    "cem-10": Equation(
        "CEM", "CEM (10)", "Gradient of the joint likelihood",
        r"\begin{aligned}\nabla_\theta\,\mathbb E_{p_d}\log p_\theta(x, y) &= \mathbb E_{p_d}\nabla_\theta f(x, y)\\"
        r" &- \mathbb E_{p_\theta(\hat x)\,p_\theta(\hat y|\hat x)}\nabla_\theta f(\hat x, \hat y)\end{aligned}",
        energies.marginal, likelihood,
        "Checked on a space of 12 points, where the partition function is a sum and nothing has to be sampled.",
    ),
    "cem-11": Equation(
        "CEM", "CEM (11)", "Likelihood gradient = consistency + contrastive",
        r"\begin{aligned}&\underbrace{\nabla_\theta f(x, y) - \nabla_\theta f(\hat x, y)}_{\text{consistency}}\\"
        r" {}+{} &\underbrace{\nabla_\theta f(\hat x, y) - \mathbb E_{\hat y}\nabla_\theta f(\hat x, \hat y)}"
        r"_{\text{contrastive}}\end{aligned}",
        supervised.adversarial, decomposition,
        "Negatives x̂ are PGD's. The slides print consistency minus contrastive; the paper's plus is right.",
    ),
    "cem-12": Equation(
        "CEM", "CEM (12), (30)", "The contrastive gradient is adversarial training",
        r"\begin{aligned}&\mathbb E\big[\nabla_\theta f(\hat x, y) - \mathbb E_{p_\theta(\hat y|\hat x)}\nabla_\theta f(\hat x,"
        r" \hat y)\big]\\ &\quad = -\nabla_\theta\,\ell_{\text{AT}}(\theta)\end{aligned}",
        supervised.adversarial, contrastive_is_at,
        "Each logit's gradient is taken on its own and weighted with p(ŷ | x̂). The images x̂ are held fixed.",
    ),
    "cem-13": Equation(
        "CEM", "CEM (13)", "Targeted attack (TA)",
        r"g_{\text{TA}} = \nabla_x f(x, \hat y) - \nabla_x\log\textstyle\sum_k e^{f(x, k)}",
        energies.conditional, sampler_gradient("ta", 1.0, -1.0), "The log-sum-exp term pushes away from the data.",
    ),
    "cem-14": Equation(
        "CEM", "CEM (14)", "Conditional sampling (CS)",
        r"g_{\text{CS}} = \nabla_x \log p_\theta(x \mid \hat y) = \nabla_x f(x, \hat y)",
        energies.joint, sampler_gradient("cs", 1.0, 0.0), "TA without the log-sum-exp term: Langevin dynamics on p(x | ŷ).",
    ),
    "cem-15": Equation(
        "CEM", "CEM (15)", "Reinforced conditional sampling (RCS)",
        r"g_{\text{RCS}} = \nabla_x f(x, \hat y) + \nabla_x\log\textstyle\sum_k e^{f(x, k)}",
        energies.reinforced, sampler_gradient("rcs", 1.0, 1.0), "The log-sum-exp term with the other sign: towards the data.",
    ),
    "cem-16": Equation(
        "CEM", "CEM (16), (29)", "Standard training takes data for negatives",
        r"\begin{aligned}&\mathbb E_{p_d}\big[\nabla_\theta f(x, y) - \mathbb E_{p_\theta(\hat y|x)}\nabla_\theta f(x,"
        r" \hat y)\big]\\ &\quad = -\nabla_\theta\,\ell_{\text{CE}}(\theta)\end{aligned}",
        supervised.standard, contrastive_is_ce,
        "(29) once writes f(x, k) under an expectation over ŷ: k is ŷ.",
    ),
}  # fmt: skip
