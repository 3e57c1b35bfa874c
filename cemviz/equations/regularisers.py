"""CEM 4.2 and A.1: what TRADES and AT+CR add to adversarial training to keep the consistency gradient down."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import attacks
from ..training import supervised
from .cases import THREAT, draw_case
from .check import EXACT, Check, Equation, gap, norm
from .gradients import by_weights, one_by_one


def divergence(seed: int) -> Check:
    """Both orders beside torch's own, and the slope of CEM's in the clean logits beside p - p̂, which vanishes at p = p̂."""
    case = draw_case(seed)
    x_adv = attacks.perturb("pgd", case.net, case.x, case.y, THREAT, generator=case.generator)
    f, f_adv = case.net(case.x).detach().requires_grad_(), case.net(x_adv).detach()

    def torchs(target: Tensor, other: Tensor) -> Tensor:
        return F.kl_div(F.log_softmax(other, dim=1), F.softmax(target, dim=1), reduction="none").sum(1)

    published, cem = (supervised.ORDERS[order](f, f_adv) for order in ("published", "cem"))
    (slope,) = torch.autograd.grad(cem.sum(), f)
    (at_optimum,) = torch.autograd.grad(supervised.ORDERS["cem"](f, f.detach() + 3.0).sum(), f)  # the same prediction
    p, p_adv = (g.exp() / g.exp().sum(1, keepdim=True) for g in (f.detach(), f_adv))
    difference = max(
        gap(published.detach(), torchs(f.detach(), f_adv)),
        gap(cem.detach(), torchs(f_adv, f.detach())),
        gap(slope, p - p_adv),
        gap(at_optimum, torch.zeros_like(p), scale=1.0),
    )
    parts = {"mean KL(p(·|x) ‖ p(·|x̂))": published.mean().item(), "mean KL(p(·|x̂) ‖ p(·|x))": cem.mean().item()}
    parts |= {"|slope|": norm(slope), "|slope| at p̂ = p": norm(at_optimum)}
    return Check("divergence of objective 'trades'", "F.kl_div; slope p - p̂", difference, EXACT, parts)


def consistency(seed: int) -> Check:
    """Autograd of the trainer's term beside each image's gap times the consistency gradient of (11), logit by logit."""
    case = draw_case(seed)
    objective = supervised.consistent(THREAT, 1.0, generator=torch.Generator().manual_seed(seed))
    left = by_weights(objective(case.net, (case.x, case.y), 0.0)["consistency"], case.net)
    x_adv = attacks.perturb("pgd", case.net, case.x, case.y, THREAT, generator=torch.Generator().manual_seed(seed))
    slopes, slopes_adv = (one_by_one(case.net(x), case.net)[0] for x in (case.x, x_adv))
    gaps = (case.net(case.x) - case.net(x_adv)).detach()
    n, labels = len(case.x), case.y.tolist()
    right = sum(2 * gaps[i, k] * (slopes[i, k] - slopes_adv[i, k]) for i, k in enumerate(labels)) / n
    parts = {
        "mean f(x)[y] - f(x̂)[y]": sum(gaps[i, k].item() for i, k in enumerate(labels)) / n,
        "mean squared gap": sum(gaps[i, k].item() ** 2 for i, k in enumerate(labels)) / n,
        "|gradient|": norm(left),
    }
    return Check("∇ of the term of objective 'consistent'", "2 gap (∇f(x)[y] - ∇f(x̂)[y])", gap(left, right), EXACT, parts)


ROWS: dict[str, Equation] = {
    "cem-4.2": Equation(
        "CEM", "CEM 4.2, A.1.1", "TRADES draws the two predictions together",
        r"\begin{aligned}\mathrm{KL}(p(\cdot|\hat x)\,\|\,p(\cdot|x)) &= \textstyle\sum_k p(k|\hat x)\log\frac{p(k|\hat x)}"
        r"{p(k|x)}\\ \partial_{f(x)}\mathrm{KL} &= p(\cdot|x) - p(\cdot|\hat x)\end{aligned}",
        supervised.trades, divergence,
        "TRADES' own code has KL(p(·|x) ‖ p(·|x̂)), our default; CEM writes the order above, and concludes from them being equal"
        " to equal logits, which are so up to a constant, as at the optimum of this check.",
    ),
    "cem-25": Equation(
        "CEM", "CEM (25)", "Consistency regularisation acts along the consistency gradient",
        r"\begin{aligned}\nabla_\theta\,\mathcal L_{\text{CR}} &= \mathbb E\big[2\,(f(x)[y] - f(\hat x)[y])\\"
        r" &\cdot(\nabla_\theta f(x)[y] - \nabla_\theta f(\hat x)[y])\big]\end{aligned}",
        supervised.consistent, consistency,
        "The paper prints the loss; this is its gradient, which vanishes with the gap. x̂ is PGD's, held fixed.",
    ),
}  # fmt: skip
