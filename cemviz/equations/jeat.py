"""JEAT: attacks and Langevin chains are steps on differences of two energies, E(x, y) and E(x)."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import attacks, dynamics, energies, samplers
from ..dynamics import Dynamics
from .cases import Case, draw_case, space
from .check import EXACT, Check, Equation, doubles, gap, norm
from .gradients import by_input, by_weights, each_by_weights, label_and_total


def loss_slope(case: Case, x: Tensor) -> Tensor:
    """Gradient of torch's cross-entropy with respect to each image, at x."""
    return by_input(lambda at: F.cross_entropy(case.net(at), case.y, reduction="none"), x)


def fgsm(seed: int) -> Check:
    """The attack beside one signed step along the gradient of torch's cross-entropy."""
    case, eps = draw_case(seed), 0.1
    left = attacks.perturb("fgsm", case.net, case.x, case.y, attacks.threat("fgsm", "linf", eps))
    right = (case.x + eps * loss_slope(case, case.x).sign()).clamp(0, 1)
    before, after = (F.cross_entropy(case.net(x), case.y).item() for x in (case.x, left))
    parts = {"loss before": before, "loss after": after, "ε": eps}
    return Check("attack 'fgsm'", "x + ε sign ∇ F.cross_entropy", gap(left - case.x, right - case.x), EXACT, parts)


def pgd_loop(seed: int) -> Check:
    """The attack beside the paper's two lines in a loop, from the attack's own start."""
    case, eps, eta = draw_case(seed), 0.1, 0.04
    dyn = attacks.threat("pgd", "linf", eps, steps=6, step=eta)
    first, *_, last = attacks.attack("pgd", case.net, case.x, case.y, dyn, generator=case.generator)
    x = first.x
    for _ in range(6):
        x = x + eta * loss_slope(case, x).sign()
        x = torch.maximum(torch.minimum(x, case.x + eps), case.x - eps).clamp(0, 1)
    on_face = ((last.x - case.x).abs() > eps - 1e-9).double().mean().item()
    parts = {"loss at the start": first.energy.mean().item() * -1, "loss after 6 steps": last.energy.mean().item() * -1}
    parts |= {"share of pixels on the ball": on_face}
    return Check("attack 'pgd', 6 steps", "the loop by hand", gap(last.x - case.x, x - case.x), EXACT, parts)


def langevin_jeat(seed: int) -> Check:
    """The package's chain, told alpha, beside JEAT's, told eta, with the same noise."""
    case, steps, eta = draw_case(seed), 5, 0.04
    g = torch.Generator().manual_seed(seed)
    dyn = Dynamics.langevin(steps, eta / 2)
    left = dynamics.settle(energies.on(case.net, energies.joint, case.y), case.x, dyn, generator=g)
    x, g, rows = case.x, torch.Generator().manual_seed(seed), torch.arange(len(case.x))
    for _ in range(steps):
        uphill = by_input(lambda at: -case.net(at)[rows, case.y], x)
        x = x - eta / 2 * uphill + math.sqrt(eta) * torch.randn(x.shape, generator=g, dtype=x.dtype)
    parts = {"η (JEAT)": eta, "α = η/2": dyn.step, "√η": math.sqrt(eta), "√2α": dyn.noise}
    return Check("Dynamics.langevin(K, η/2)", "(10) by hand", gap(left - case.x, x - case.x), EXACT, parts)


def cross_entropy(seed: int) -> Check:
    """Three energies beside plain exponentials of floats, and beside torch's cross-entropy."""
    case = draw_case(seed)
    f = case.net(case.x).detach()
    label = doubles(-math.log(math.exp(row[k])) for row, k in zip(f.tolist(), case.y.tolist(), strict=True))
    total = doubles(-math.log(sum(map(math.exp, row))) for row in f.tolist())
    left = energies.conditional(f, case.y)
    difference = max(
        gap(energies.joint(f, case.y), label),
        gap(energies.marginal(f), total),
        gap(left, label - total),
        gap(left, F.cross_entropy(f, case.y, reduction="none")),
    )
    parts = {"mean E(x, y)": label.mean().item(), "mean E(x)": total.mean().item(), "mean loss": left.mean().item()}
    return Check("conditional = joint - marginal", "F.cross_entropy", difference, EXACT, parts)


def jeat_step(seed: int) -> Check:
    """The first step of both samplers beside the two formulas with the same noise."""
    case = draw_case(seed)
    label, total = label_and_total(case)
    ends = {}
    for name, climb in {"jeat16": label - total, "jeat17": label}.items():
        dyn = samplers.SAMPLERS[name].defaults
        states = samplers.sample(name, case.net, case.x, case.y, dyn, generator=torch.Generator().manual_seed(seed))
        next(states)
        noise = torch.randn(case.x.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        ends[name] = (next(states).x, (case.x + dyn.step * climb + dyn.noise * noise).clamp(0, 1))
    difference = max(gap(left - case.x, right - case.x) for left, right in ends.values())
    apart = norm(ends["jeat16"][0] - ends["jeat17"][0])
    parts = {"|∇ E(x, y)|": norm(label), "|∇ E(x)|": norm(total), "the two steps apart": apart}
    return Check("first steps of samplers 'jeat16', 'jeat17'", "(16), (17) by hand", difference, EXACT, parts)


def energy_attack(seed: int) -> Check:
    """One full step of attack 'energy' from its random start, and the gradient it takes, without any part of E(x)."""
    case, eps = draw_case(seed), 0.1
    dyn = attacks.threat("energy", "linf", eps, steps=1, step=eps)
    first, last = attacks.attack("energy", case.net, case.x, case.y, dyn, generator=case.generator)
    label, total = label_and_total(case._replace(x=first.x))
    by_hand = (case.x + (first.x - eps * label.sign() - case.x).clamp(-eps, eps)).clamp(0, 1)
    difference = max(gap(first.grad, label), gap(last.x - case.x, by_hand - case.x))
    parts = {
        "|∇ E(x, y)|": norm(label),
        "|∇ E(x)|, not followed": norm(total),
        "share of pixels where FGSM differs": (label.sign() != (label - total).sign()).double().mean().item(),
    }
    return Check("attack 'energy'", "sign ∇ E(x, y) by hand", difference, EXACT, parts)


def log_likelihood(seed: int) -> Check:
    """Autograd through log Z beside the two phases, point by point."""
    case = draw_case(seed)
    points = space(case)
    log_p = (-energies.marginal(case.net(points))).log_softmax(0)
    left = by_weights(log_p[: len(case.x)].mean(), case.net)
    e = -case.net(points).exp().sum(1).log()
    slopes = each_by_weights(e, case.net)
    p = ((-e).exp() / (-e).exp().sum()).detach()
    real, model = slopes[: len(case.x)].mean(0), sum(p[i] * slopes[i] for i in range(len(p)))
    parts = {"|E_data ∇E|": norm(real), "|E_model ∇E|": norm(model), "off with the printed sign": gap(left, -real - model)}
    return Check("∇ log p(x) (autograd)", "-∇E(x) + E_p ∇E", gap(left, -real + model), EXACT, parts)


ROWS: dict[str, Equation] = {
    "jeat-2": Equation(
        "JEAT", "JEAT (2), (14)", "FGSM climbs E(x, y) - E(x)",
        r"x_{\text{adv}} = x + \eta\,\mathrm{sign}\big(\nabla_x(E(x, y) - E(x))\big)",
        attacks.perturb, fgsm, "We clamp the result to [0, 1].",
    ),
    "jeat-3": Equation(
        "JEAT", "JEAT (3)", "PGD",
        r"\begin{aligned}x_n &\leftarrow x_{n-1} + \eta\,\mathrm{sign}(\nabla_x\mathcal L(x_{n-1}, y))\\"
        r" x_n &\leftarrow \mathrm{clip}(x_n, x_0 - \epsilon, x_0 + \epsilon)\end{aligned}",
        attacks.attack, pgd_loop, "We clamp to [0, 1] after every step. The start is uniform in the ball.",
    ),
    "jeat-10": Equation(
        "JEAT", "JEAT (9), (10)", "Langevin dynamics in JEAT's letters",
        r"\tilde x_t = \tilde x_{t-1} - \tfrac{\eta}{2}\nabla E(\tilde x_{t-1}, y) + \sqrt\eta\,\epsilon",
        dynamics.Dynamics.langevin, langevin_jeat,
        "JEAT's η is twice CEM's α: the drift's η/2 is α, the noise's √η is √2α. Thesis (2.3) is the same chain with λ for η.",
    ),
    "jeat-13": Equation(
        "JEAT", "JEAT (11), (12), (13); CEM (3)", "Cross-entropy is a difference of energies",
        r"\begin{aligned}\mathcal L(x, y) &= E(x, y) - E(x)\\ E(x, y) &= -\log e^{f(x)[y]}\\"
        r" E(x) &= -\log\textstyle\sum_k e^{f(x)[k]}\end{aligned}",
        energies.conditional, cross_entropy, "Read the other way it is (19): -log p(x, y) = -log p(y | x) - log p(x).",
    ),
    "jeat-17": Equation(
        "JEAT", "JEAT (16), (17)", "Two ways to generate",
        r"\begin{aligned}x' &= x - \tfrac\eta2\nabla_x(E(x, y) - E(x)) + \sqrt\eta\,\epsilon\\"
        r" x' &= x - \tfrac\eta2\nabla_x E(x, y) + \sqrt\eta\,\epsilon\end{aligned}",
        samplers.sample, jeat_step,
        "JEAT names no η. Our choice: step 1 and noise .01, decoupled as in JEM, clamped to [0, 1].",
    ),
    "jeat-18": Equation(
        "JEAT", "JEAT (18)", "The energy attack climbs E(x, y) alone",
        r"x_{\text{adv}} = x + \eta\,\mathrm{sign}\big(\nabla_x E(x, y)\big)",
        attacks.attack, energy_attack,
        "From a uniform start and clipped to the ball, as in Algorithm 1; then clamped to [0, 1].",
    ),
    "jeat-20": Equation(
        "JEAT", "JEAT (6), (20); CEM (28)", "Gradient of log p(x)",
        r"\nabla_\theta\log p_\theta(x) = -\nabla_\theta E(x) + \mathbb E_{p_\theta}[\nabla_\theta E(x)]",
        energies.marginal, log_likelihood,
        "(20) prints a minus before the model term; Algorithm 1 has the plus. CEM (28)'s third line has both signs reversed."
        " Checked on a space of 12 points.",
    ),
}  # fmt: skip
