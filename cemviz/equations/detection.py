"""The thesis' third chapter: a net a class as densities, attacks on several nets, and how far a linear score can be moved."""

import itertools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import attacks, dynamics, evasion
from ..metrics import detection
from ..nets.one_vs_rest import OneVsRest, calibrated
from .cases import draw_case, fresh, space
from .check import EXACT, Check, Equation, doubles, excess, gap


def linear_bound(seed: int) -> Check:
    """The attack's change of a linear score beside epsilon |w|_1, and beside the corners of the cube."""
    g = torch.Generator().manual_seed(seed)
    w, b, x = torch.randn(6, generator=g).double(), torch.randn(1, generator=g).double(), torch.zeros(1, 6).double()
    radius = 0.3
    dyn = dynamics.Dynamics(1, radius, 0.0, radius, "linf", "sign", bounds=None)
    *_, last = attacks.climb(lambda x: x @ w + b, x, dyn, start=x)
    left = (last.x - x) @ w
    corners = doubles(radius * sum(s * v for s, v in zip(signs, w.tolist(), strict=True)) for signs in _signs(6))
    right = doubles([radius * sum(abs(v) for v in w.tolist())])
    difference = max(gap(left, right), gap(corners.max()[None], right))
    return Check(
        "the sign step's change of f", "ε‖w‖₁", difference, EXACT, {"ε‖w‖₁": right.item(), "‖w‖₂ ε": radius * w.norm().item()}
    )


def _signs(n: int) -> itertools.product:
    return itertools.product((-1.0, 1.0), repeat=n)


def nearest_boundary(seed: int) -> Check:
    """The way to a linear boundary beside the formula: projected on it, and the shortest of many ways there."""
    g = torch.Generator().manual_seed(seed)
    w, b, x = (
        torch.randn(6, generator=g).double(),
        torch.randn(1, generator=g).double(),
        torch.randn(1, 6, generator=g).double(),
    )
    h = (x @ w + b).item()
    step = -h / sum(v * v for v in w.tolist()) * w
    along = dynamics.Dynamics(1, abs(h) / w.norm().item(), bounds=None)  # one normalised step of just that length
    *_, last = attacks.climb(lambda x: -((x @ w + b).abs()), x, along, start=x)
    others = torch.randn(50, 6, generator=g).double()
    others = others - ((others @ w + h) / (w @ w))[:, None] * w  # changes that also end on the boundary
    shorter = excess(step.norm().item(), others.norm(dim=1).min().item())
    difference = max(gap((last.x - x)[0], step), abs((x[0] + step) @ w + b).item(), shorter)
    return Check(
        "a normalised step of length |h| / ‖w‖", "-h w / ‖w‖²", difference, EXACT, {"h(x)": h, "|δ|": step.norm().item()}
    )


def posterior(seed: int) -> Check:
    """The classifier's softmax beside Bayes' rule on a finite space, whose partition functions are sums."""
    case = draw_case(seed)
    every = space(case)
    nets = [torch.nn.Sequential(torch.nn.Flatten(), fresh(case.generator, inputs=16, outputs=1)) for _ in range(4)]
    prior = torch.rand(4, generator=case.generator, dtype=torch.float64)
    prior = prior / prior.sum()
    with torch.no_grad():
        d = torch.cat([net(every) for net in nets], 1)
        density = [[math.exp(v) / sum(math.exp(u) for u in column) for v in column] for column in d.T.tolist()]
        whole = OneVsRest(nets)
        whole.constants = torch.stack([p.log() - column.logsumexp(0) for p, column in zip(prior, d.T, strict=True)])
        left = whole(every).softmax(1)
    joint = torch.tensor(density, dtype=torch.float64) * prior[:, None]
    right = (joint / joint.sum(0)).T
    bare = d.argmax(1)
    parts = {"answers that the constants change": (bare != left.argmax(1)).double().mean().item()}
    return Check("softmax(d + c), c = log p(k)/Z_k", "p(x|k) p(k) / p(x)", gap(left, right), EXACT, parts)


def calibration(seed: int) -> Check:
    """The learned constants: the mean posterior of every class beside its share of the images."""
    g = torch.Generator().manual_seed(seed)
    y = torch.arange(40) % 4
    d = torch.randn(40, 4, generator=g).double() + 1.5 * F.one_hot(y, 4) + torch.randn(4, generator=g).double()
    c = calibrated(d, y)
    rows = [[math.exp(v) / sum(math.exp(u) for u in row) for v in row] for row in (d + c).tolist()]
    left = torch.tensor(rows, dtype=torch.float64).mean(0)
    right = doubles([0.25] * 4)
    parts = {"cross-entropy before": F.cross_entropy(d, y).item(), "after": F.cross_entropy(d + c, y).item()}
    return Check("E p(k | x) at the learned c", "share of class k", gap(left, right), EXACT, parts)


def staged(seed: int) -> Check:
    """The staged objective beside its two cases, an image at a time."""
    f, h, y = _answers(seed)
    left = evasion.staged(f, h, y)
    values = []
    for a, b, k in zip(f.tolist(), h.tolist(), y.tolist(), strict=True):
        lead = a[k] - max(v for i, v in enumerate(a) if i != k)
        values.append(lead if lead >= 0 else -max(v for i, v in enumerate(b) if i != k))
    wrong = (f.argmax(1) != y).double().mean().item()
    return Check("staged(f, h, y)", "its two cases", gap(left, doubles(values)), EXACT, {"share already misclassified": wrong})


def joined(seed: int) -> Check:
    """The objective of both nets beside the largest of K + 1 logits by hand."""
    f, h, y = _answers(seed)
    left = evasion.joined(f, h, y)
    values = []
    for a, b, k in zip(f.tolist(), h.tolist(), y.tolist(), strict=True):
        detected = (1 - max(v for i, v in enumerate(b) if i != k)) * max(a)
        values.append(max([*a, detected]) - max(v for i, v in enumerate(a) if i != k))
    return Check("joined(f, h, y)", "max g - max f by hand", gap(left, doubles(values)), EXACT, {"highest": left.max().item()})


def _answers(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of a classifier and of detectors, (20, 4), and labels."""
    g = torch.Generator().manual_seed(seed)
    f, h = 2 * torch.randn(2, 20, 4, generator=g, dtype=torch.float64)
    return f, h, torch.arange(20) % 4


def area(seed: int) -> Check:
    """The AUC beside the area under the curve of TPR over FPR, by trapezia."""
    g = torch.Generator().manual_seed(seed)
    inside, outside = torch.randn(30, generator=g).double() + 0.8, torch.randn(20, generator=g).double()
    left = doubles([detection.auc(inside, outside)])
    total, before = 0.0, (0.0, 0.0)
    for t in sorted([*inside.tolist(), *outside.tolist()], reverse=True):
        now = (detection.passing(outside, t), detection.passing(inside, t))
        total += (now[0] - before[0]) * (now[1] + before[1]) / 2
        before = now
    return Check("P(score inside > outside)", "area under TPR over FPR", gap(left, doubles([total])), EXACT, {"AUC": total})


ROWS: dict[str, Equation] = {
    "thesis-3.2": Equation(
        "thesis", "thesis (3.2), (3.4)", "A linear score moves by ε‖w‖₁",
        r"\max_{\|\delta\|_\infty \le \epsilon} |w^\top(x + \delta) - w^\top x| = \epsilon\|w\|_1",
        attacks.climb, linear_bound, "One step of FGSM; the corners of the cube are all tried.",
    ),
    "thesis-3.8": Equation(
        "thesis", "thesis (3.8)", "The shortest way to a linear boundary",
        r"\delta^* = -\frac{h(x)}{\|w\|_2^2}\,w",
        dynamics.kernel, nearest_boundary, "DeepFool takes this step again and again on nets that are no lines.",
    ),
    "thesis-3.42": Equation(
        "thesis", "thesis (3.42), (3.43)", "A net a class is a generative classifier",
        r"p(k\mid x) = \frac{e^{d_k(x)}\,p(k) / Z_k}{\sum_j e^{d_j(x)}\,p(j) / Z_j} = \mathrm{softmax}(d(x) + c)_k",
        OneVsRest.forward, posterior, "c_k = log p(k) − log Z_k, which the thesis learns.",
    ),
    "thesis-3.43": Equation(
        "thesis", "thesis (3.43)", "Calibrated constants give every class its share",
        r"c^* = \arg\min_c \mathbb E[-\log\mathrm{softmax}(d(x) + c)_y]\ \Rightarrow\ \mathbb E\,p(k\mid x) = p(k)",
        calibrated, calibration, "Convex in c, and unique up to a number added to all.",
    ),
    "thesis-3.28": Equation(
        "thesis", "thesis (3.28), (3.29)", "AUC: the chance that clean scores exceed attacked ones",
        r"\mathrm{AUC} = P(z > z') = \int \mathrm{TPR}\,d\,\mathrm{FPR}",
        detection.auc, area, "Over all thresholds T.",
    ),
    "thesis-3.34": Equation(
        "thesis", "thesis (3.33), (3.34)", "Classifier and detectors as one classifier",
        r"L = \max_i z_g(x')_i - \max_{i\ne y} z_f(x')_i",
        evasion.joined, joined, "z_g has a class K + 1, detected; the thesis finds that descending it gets stuck.",
    ),
    "thesis-3.35": Equation(
        "thesis", "thesis (3.35)", "First the classifier, then the detectors",
        r"L = \begin{cases}z_f(x')_y - \max_{i\ne y} z_f(x')_i & \text{while } f \text{ is right}\\"
        r" -\max_{i\ne y} z_H(x')_i & \text{else}\end{cases}",
        evasion.staged, staged, "It jumps where the classifier gives way.",
    ),
}  # fmt: skip
