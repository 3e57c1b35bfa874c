"""The protocol that all of CEM's samples are drawn by, section 6: a loop in which every operation stands on its own."""

import torch

from .. import dynamics, samplers
from ..dynamics import Dynamics
from .cases import draw_case
from .check import ROUNDED, Check, Equation, gap
from .gradients import label_and_total


def protocol(seed: int) -> Check:
    """Three steps of RCS beside the protocol spelled out sample by sample."""
    case = draw_case(seed)
    dyn = Dynamics(steps=3, step=0.5, noise=0.05, radius=0.7)
    *_, last = samplers.sample("rcs", case.net, case.x, case.y, dyn, generator=torch.Generator().manual_seed(seed))
    x, g, onto_ball = case.x, torch.Generator().manual_seed(seed), 0
    for _ in range(3):
        noise = torch.randn(x.shape, generator=g, dtype=x.dtype)
        label, total = label_and_total(case._replace(x=x))
        rows = []
        for i in range(len(x)):
            climb = label[i] + total[i]
            delta = x[i] + 0.5 * climb / climb.square().sum().sqrt() + 0.05 * noise[i] - case.x[i]
            onto_ball += delta.square().sum().sqrt().item() > 0.7
            delta = delta * min(1.0, 0.7 / delta.square().sum().sqrt().item())
            rows.append((case.x[i] + delta).clamp(0, 1))
        x = torch.stack(rows)
    parts = {
        "largest |x_3 - x_0|": dynamics.length(last.x - case.x).max().item(),
        "β": dyn.radius,
        "projections": onto_ball,
        "pixels clamped": ((x == 0) | (x == 1)).sum().item(),
    }
    return Check("kernel, 3 steps of RCS", "the loop by hand", gap(last.x - case.x, x - case.x), ROUNDED, parts)


ROWS: dict[str, Equation] = {
    "cem-6": Equation(
        "CEM", "CEM section 6", "The sampling protocol",
        r"x_{n+1} = \Pi_{\|x - x_0\|_2 \le \beta}\big[x_n + \alpha g_n + \eta\,\varepsilon_n\big]",
        dynamics.kernel, protocol,
        "Our reading: g is L2-normalised per sample, the ball is around x_0 and not x_n, the box [0, 1] follows, K updates.",
    ),
}  # fmt: skip
