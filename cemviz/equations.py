r"""The equations of the papers as a table: what each says, the function that implements it, and a check that is run live.

A check computes both sides of its equation on a small random net in float64, by two ways that share as little code as can be:
one side is this package's function, the other is written out by hand (each logit's gradient on its own, sums over classes,
loops over pairs, a finite space whose partition function is a sum).  What is compared is what the equation claims; where a
paper misprints or leaves something open, the note says how we read it.

    check = run("cem-12", seed=0)
    check.holds, check.difference

Every draw comes from a generator of the check's own, so that a check is a function of its key and its seed.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import attacks, dynamics, energies, samplers
from .dynamics import Dynamics
from .metrics import game
from .nets import NETS
from .training import binary, supervised

EXACT = 1e-11
"""Tolerance of an identity between float64 numbers: some thousand roundings."""

ROUNDED = 1e-6
"""Tolerance where the package adds 1e-10 to a norm before dividing by it, or where a derivative is a finite difference."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a check found.

    Attributes:
        left, right: the two computations, in words.
        difference: largest difference of an entry, relative to the largest entry.
        tolerance: up to which they count as equal.
        parts: a few numbers worth seeing, by name.
    """

    left: str
    right: str
    difference: float
    tolerance: float
    parts: dict[str, float]

    @property
    def holds(self) -> bool:
        """Whether the two sides agree; NaN does not."""
        return self.difference <= self.tolerance


@dataclass(frozen=True, slots=True)
class Equation:
    """A row of `EQUATIONS`.

    Attributes:
        number: in the papers.
        latex: display formula, for KaTeX.
        function: of this package, what implements it.
        check: seed -> what both sides give on a random net.
        note: misprint, reading or remark.
    """

    paper: Literal["CEM", "JEAT", "thesis"]
    number: str
    title: str
    latex: str
    function: Callable[..., Any]
    check: Callable[[int], Check]
    note: str = ""


# what the checks share ------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A classifier (1, 4, 4) -> 4 with data, or whatever scores of the same images a check asks for."""

    net: nn.Module
    x: Tensor  # (5, 1, 4, 4) in [0, 1]
    y: Tensor  # (5,)
    generator: torch.Generator


def fresh(g: torch.Generator, gain: float = 1.5, **args: int) -> nn.Module:
    """An MLP in float64, curved enough that no two terms are alike."""
    with torch.device("meta"):  # no weights yet, so that nothing is drawn from the global generator
        net = NETS["mlp"](width=12, depth=2, **args)
    net = net.to_empty(device="cpu").double().eval()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(gain * torch.randn(p.shape, generator=g, dtype=p.dtype) / math.sqrt(p.shape[-1]))
    return net


def drawn(seed: int, outputs: int = 4, gain: float = 1.5) -> Case:
    """A fresh net and data: all float64, all from `seed`."""
    g = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Flatten(), fresh(g, gain, inputs=16, outputs=outputs))
    x = torch.rand(5, 1, 4, 4, generator=g, dtype=torch.float64)
    return Case(net, x, torch.randint(outputs, (5,), generator=g), g)


class Plane(NamedTuple):
    """A binary classifier of the plane, points of p_data and points of p_T."""

    net: nn.Module
    data: Tensor  # (6, 2)
    moved: Tensor  # (6, 2)


def drawn_plane(seed: int) -> Plane:
    """The same for the thesis: f maps (n, 2) -> (n, 1), float64."""
    g = torch.Generator().manual_seed(seed)
    net = fresh(g, 1.2, inputs=2, outputs=1)
    data, moved = 2 * torch.randn(2, 6, 2, generator=g, dtype=torch.float64)
    return Plane(net, data, moved)


def gap(left: Tensor, right: Tensor, scale: float | None = None) -> float:
    """Largest |left - right|, relative to the largest entry of either, or to `scale` where zero is what is expected.

    Two sides that both vanish prove nothing, so without a scale they count as infinitely far apart.
    """
    if left.shape != right.shape:
        raise ValueError(f"the two sides have shapes {tuple(left.shape)} and {tuple(right.shape)}")
    largest = max(left.abs().max().item(), right.abs().max().item()) if scale is None else scale
    difference = (left - right).abs().max().item() / largest if largest > 1e-12 else math.inf
    return math.inf if math.isnan(difference) else difference


def excess(value: float, bound: float) -> float:
    """How far a value lies above its bound; 0 where it does not, infinity where it is NaN."""
    return max(0.0, value - bound) if value == value else math.inf


def doubles(values: Iterable[float]) -> Tensor:
    """Python numbers as a float64 vector."""
    return torch.tensor(list(values), dtype=torch.float64)


def norm(v: Tensor) -> float:
    """Euclidean length of all entries together."""
    return torch.linalg.vector_norm(v).item()


def cosine(a: Tensor, b: Tensor) -> float:
    """Cosine of the angle between two tensors of one shape."""
    return F.cosine_similarity(a.flatten(), b.flatten(), dim=0).item()


def by_weights(value: Tensor, net: nn.Module) -> Tensor:
    """Gradient of a scalar with respect to all weights, as one vector; the graph is kept."""
    parts = torch.autograd.grad(value, list(net.parameters()), retain_graph=True)
    return torch.cat([part.flatten() for part in parts])


def by_input(score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Gradient of the sum of `score` with respect to its input."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(score(x).sum(), x)[0]


def label_and_total(case: Case) -> tuple[Tensor, Tensor]:
    """Input gradients of f_y and of log sum_k exp f_k, written out: two of (B, 1, 4, 4)."""
    rows = torch.arange(len(case.x))
    label = by_input(lambda x: case.net(x)[rows, case.y], case.x)
    return label, by_input(lambda x: case.net(x).exp().sum(1).log(), case.x)


def logits_one_by_one(net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Weight gradient of every logit, each by a backward pass of its own, and p(k | x): (B, C, P), (B, C)."""
    f = net(x)
    gradients = torch.stack([torch.stack([by_weights(logit, net) for logit in row]) for row in f])
    return gradients, (f.exp() / f.exp().sum(1, keepdim=True)).detach()


def expected(gradients: Tensor, p: Tensor) -> Tensor:
    """Mean over samples of E_{y^ ~ p(y^ | x)}, a literal sum over classes: (B, C, P), (B, C) -> (P,)."""
    return sum(p[i, k] * gradients[i, k] for i in range(len(p)) for k in range(p.shape[1])) / len(p)


def at_label(gradients: Tensor, y: Tensor) -> Tensor:
    """Mean over samples of the label's gradient: (B, C, P), (B,) -> (P,)."""
    return torch.stack([gradients[i, label] for i, label in enumerate(y.tolist())]).mean(0)


THREAT = attacks.threat("pgd", "l2", 0.8, steps=5)
"""The training attack of these checks."""


def negatives(case: Case, seed: int) -> tuple[Tensor, Tensor]:
    """Negative samples x^ from PGD, and minus the gradient of the adversarial-training loss on those very images."""
    x_adv = attacks.perturb("pgd", case.net, case.x, case.y, THREAT, generator=torch.Generator().manual_seed(seed))
    objective = supervised.adversarial(THREAT, generator=torch.Generator().manual_seed(seed))
    loss = sum(objective(case.net, (case.x, case.y), 0.0).values())
    return x_adv, -by_weights(loss, case.net)


# CEM ------------------------------------------------------------------------------------------------------------------


def jem(seed: int) -> Check:
    """The last layer written out as inner products with the class centres."""
    case = drawn(seed)
    net = case.net[1]
    features = torch.cat([net[:-1](case.x.flatten(1)), torch.ones(len(case.x), 1, dtype=torch.float64)], 1)
    centres = torch.cat([net[-1].weight, net[-1].bias[:, None]], 1)
    by_hand = torch.stack([-features[i].dot(centres[label]) for i, label in enumerate(case.y.tolist())])
    left = energies.joint(case.net(case.x), case.y)
    return Check("joint(f, y)", "-g(x)·w_y", gap(left, by_hand), EXACT, {"mean E(x, y)": left.mean().item()})


def pgd_direction(seed: int) -> Check:
    """The gradient that attack 'pgd' steps along, at its random start, beside the two terms written out."""
    case = drawn(seed)
    first = next(attacks.attack("pgd", case.net, case.x, case.y, THREAT, generator=case.generator))
    label, total = label_and_total(case._replace(x=first.x))
    parts = {"|∇ log Σ exp f|": norm(total), "|∇ f_y|": norm(label), "cos of the two": cosine(total, label)}
    return Check("direction of attack 'pgd'", "∇ log Σ exp f - ∇ f_y", gap(-first.grad, total - label), EXACT, parts)


def langevin_marginal(seed: int) -> Check:
    """Five steps of sampler 'langevin' beside a loop with the same noise."""
    case, steps, alpha = drawn(seed), 5, 0.02
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
    case = drawn(seed)
    everything = torch.rand(7, 1, 4, 4, generator=case.generator, dtype=torch.float64)
    everything = torch.cat([case.x, everything])  # a space of 12 points, data among them: Z is a sum
    log_z = (-energies.marginal(case.net(everything))).logsumexp(0)
    log_p = -energies.joint(case.net(case.x), case.y) - log_z
    left = by_weights(log_p.mean(), case.net)
    gradients, p_label = logits_one_by_one(case.net, everything)
    weights = case.net(everything).exp().sum(1).detach()
    p_x = weights / weights.sum()
    positive = at_label(gradients[: len(case.x)], case.y)
    negative = sum(p_x[i] * p_label[i, k] * gradients[i, k] for i in range(len(p_x)) for k in range(p_label.shape[1]))
    parts = {"|positive phase|": norm(positive), "|negative phase|": norm(negative), "mean log p(x, y)": log_p.mean().item()}
    return Check("∇ log-likelihood (autograd)", "positive - negative phase", gap(left, positive - negative), EXACT, parts)


def decomposition(seed: int) -> Check:
    """The likelihood gradient logit by logit, beside an energy gap and the trainer's own loss."""
    case = drawn(seed)
    x_adv, contrastive = negatives(case, seed)
    gradients, p = logits_one_by_one(case.net, x_adv)
    full = at_label(logits_one_by_one(case.net, case.x)[0], case.y) - expected(gradients, p)
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
    case = drawn(seed)
    x_adv, right = negatives(case, seed)
    gradients, p = logits_one_by_one(case.net, x_adv)
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
    case = drawn(seed)
    gradients, p = logits_one_by_one(case.net, case.x)
    left = at_label(gradients, case.y) - expected(gradients, p)
    right = -by_weights(sum(supervised.standard(case.net, (case.x, case.y), 0.0).values()), case.net)
    parts = {"|gradient|": norm(left), "cos with -∇ AT loss": cosine(left, negatives(case, seed)[1])}
    return Check("contrastive gradient on data", "-∇ cross-entropy", gap(left, right), EXACT, parts)


def sampler_gradient(name: str, label_share: float, total_share: float) -> Callable[[int], Check]:
    """A check that a sampler climbs this mixture of two gradients, written out and as rows cs and langevin give them."""

    def check(seed: int) -> Check:
        case = drawn(seed)

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


def pairs_one_by_one(net: nn.Module, x: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Weight gradient of every g(x_i)·g(x_k'), and w_ik = exp(g·g') / sum_k exp(g·g'): (B, K, P), (B, K)."""
    z, z_others = net(x), net(others)
    scores = [[(a * b).sum() for b in z_others] for a in z]
    gradients = torch.stack([torch.stack([by_weights(s, net) for s in row]) for row in scores])
    weights = torch.stack([torch.stack(row) for row in scores]).detach().exp()
    return gradients, weights / weights.sum(1, keepdim=True)


def drawn_views(seed: int) -> tuple[Case, Tensor]:
    """An encoder (1, 4, 4) -> 3, images, and a second view x' of each."""
    case = drawn(seed, outputs=3, gain=1.2)
    noise = torch.randn(case.x.shape, generator=case.generator, dtype=torch.float64)
    return case, (case.x + 0.2 * noise).clamp(0, 1)


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
    gradients, weights = pairs_one_by_one(case.net, case.x, views)
    positive, negative = at_label(gradients, torch.arange(len(case.x))), expected(gradients, weights)
    parts = {"|positive phase|": norm(positive), "|negative phase|": norm(negative)}
    return Check("-∇ InfoNCE", "positive - reweighted negatives", gap(left, positive - negative), EXACT, parts)


def infonce_direction(seed: int) -> Check:
    """A raw step up the loss beside the pull of every reference, weighted by hand."""
    case, views = drawn_views(seed)
    refs = case.net(views).detach()
    loss = energies.on(case.net, energies.negated(energies.infonce), refs, refs)
    moved = dynamics.settle(loss, case.x, Dynamics(1, 1.0, gradient="raw", bounds=None)) - case.x
    weights = pairs_one_by_one(case.net, case.x, views)[1]
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
    attack = energies.on(case.net, energies.negated(energies.infonce), refs.detach(), refs.detach())
    x_adv = dynamics.settle(attack, case.x, THREAT)
    left = -by_weights(energies.infonce(case.net(x_adv), refs, refs).mean(), case.net)
    gradients, weights = pairs_one_by_one(case.net, x_adv, views)
    right = at_label(gradients, torch.arange(len(views))) - expected(gradients, weights)
    clean, hurt = (energies.infonce(case.net(x), refs, refs).mean().item() for x in (case.x, x_adv))
    parts = {"InfoNCE of x": clean, "InfoNCE of x̂": hurt, "|gradient|": norm(left)}
    return Check("-∇ adversarial InfoNCE", "contrastive gradient over pairs", gap(left, right), EXACT, parts)


def max_entropy(seed: int) -> Check:
    """Autograd beside finite differences of a double loop over the batch."""
    case, h = drawn(seed, outputs=3, gain=1.2), 1e-5

    def crowd(x: Tensor) -> float:
        z = case.net(x).detach()
        return sum(math.log(sum(math.exp(float(a @ b)) for b in z)) for a in z)

    left = by_input(lambda x: energies.crowding(case.net(x)), case.x)
    moves = h * torch.eye(case.x.numel(), dtype=torch.float64).view(-1, *case.x.shape)
    right = doubles((crowd(case.x + m) - crowd(case.x - m)) / (2 * h) for m in moves).view_as(left)
    n = len(case.x)
    parts = {"H estimate + log Z": math.log(n) - crowd(case.x) / n, "|gradient|": norm(left)}
    return Check("∇ of the batch's crowding", "differences of a double loop", gap(left, right), ROUNDED, parts)


def protocol(seed: int) -> Check:
    """Three steps of RCS beside the protocol spelled out sample by sample."""
    case = drawn(seed)
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


# JEAT -----------------------------------------------------------------------------------------------------------------


def fgsm(seed: int) -> Check:
    """The attack beside one signed step along the gradient of torch's cross-entropy."""
    case, eps = drawn(seed), 0.1
    left = attacks.perturb("fgsm", case.net, case.x, case.y, attacks.threat("fgsm", "linf", eps))
    g = by_input(lambda x: F.cross_entropy(case.net(x), case.y, reduction="none"), case.x)
    right = (case.x + eps * g.sign()).clamp(0, 1)
    before, after = (F.cross_entropy(case.net(x), case.y).item() for x in (case.x, left))
    parts = {"loss before": before, "loss after": after, "ε": eps}
    return Check("attack 'fgsm'", "x + ε sign ∇ F.cross_entropy", gap(left - case.x, right - case.x), EXACT, parts)


def pgd_loop(seed: int) -> Check:
    """The attack beside the paper's two lines in a loop, from the attack's own start."""
    case, eps, eta = drawn(seed), 0.1, 0.04
    dyn = attacks.threat("pgd", "linf", eps, steps=6, step=eta)
    first, *_, last = attacks.attack("pgd", case.net, case.x, case.y, dyn, generator=case.generator)
    x = first.x
    for _ in range(6):
        x = x + eta * by_input(lambda at: F.cross_entropy(case.net(at), case.y, reduction="none"), x).sign()
        x = torch.maximum(torch.minimum(x, case.x + eps), case.x - eps).clamp(0, 1)
    on_face = ((last.x - case.x).abs() > eps - 1e-9).double().mean().item()
    parts = {"loss at the start": first.energy.mean().item() * -1, "loss after 6 steps": last.energy.mean().item() * -1}
    parts |= {"share of pixels on the ball": on_face}
    return Check("attack 'pgd', 6 steps", "the loop by hand", gap(last.x - case.x, x - case.x), EXACT, parts)


def langevin_jeat(seed: int) -> Check:
    """The package's chain, told alpha, beside JEAT's, told eta, with the same noise."""
    case, steps, eta = drawn(seed), 5, 0.04
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
    case = drawn(seed)
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
    case = drawn(seed)
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
    case, eps = drawn(seed), 0.1
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
    case = drawn(seed)
    rest = torch.rand(7, 1, 4, 4, generator=case.generator, dtype=torch.float64)
    space = torch.cat([case.x, rest])  # 12 points are the whole space: Z is a sum
    log_p = (-energies.marginal(case.net(space))).log_softmax(0)
    left = by_weights(log_p[: len(case.x)].mean(), case.net)
    e = -case.net(space).exp().sum(1).log()
    slopes = torch.stack([by_weights(value, case.net) for value in e])
    p = ((-e).exp() / (-e).exp().sum()).detach()
    real, model = slopes[: len(case.x)].mean(0), sum(p[i] * slopes[i] for i in range(len(p)))
    parts = {"|E_data ∇E|": norm(real), "|E_model ∇E|": norm(model), "off with the printed sign": gap(left, -real - model)}
    return Check("∇ log p(x) (autograd)", "-∇E(x) + E_p ∇E", gap(left, -real + model), EXACT, parts)


# thesis ---------------------------------------------------------------------------------------------------------------


def ascent_direction(seed: int) -> Check:
    """A unit step of the package beside the normalised gradient of log(1 - D)."""
    plane = drawn_plane(seed)
    energy = energies.on(plane.net, energies.binary)
    left = dynamics.settle(energy, plane.moved, Dynamics(1, 1.0, bounds=None)) - plane.moved
    away = by_input(lambda x: torch.log(1 - torch.sigmoid(plane.net(x))), plane.moved)
    right = torch.stack([-g / g.square().sum().sqrt() for g in away])
    d = torch.sigmoid(plane.net(plane.moved)).detach()
    parts = {
        "smallest |∇ log(1 - D)|": dynamics.length(away).min().item(),
        "smallest D": d.min().item(),
        "largest D": d.max().item(),
    }
    return Check("a unit step up f", "-∇ log(1 - D) / |∇ log(1 - D)|", gap(left, right), ROUNDED, parts)


def travel(seed: int) -> Check:
    """The game's attack beside a loop, and the lengths of its steps beside their bound."""
    plane, rules = drawn_plane(seed), binary.Rules(steps=12, step=0.2)
    x0 = plane.moved.clamp(-3, 3)
    states = list(dynamics.descend(energies.on(plane.net, energies.binary), x0, rules.dynamics(0)))
    apart = []
    for at, then in pairwise(states):
        g = by_input(plane.net, at.x)
        by_hand = torch.stack([p + 0.2 * s / s.square().sum().sqrt() for p, s in zip(at.x, g, strict=True)]).clamp(-3, 3)
        apart.append(gap(then.x - at.x, by_hand - at.x))
    longest = max(dynamics.length(then.x - at.x).max().item() for at, then in pairwise(states))
    far = dynamics.length(states[-1].x - x0).max().item()
    difference = max(*apart, excess(longest / 0.2, 1), excess(far / (0.2 * 12), 1))
    parts = {"longest step": longest, "λ": 0.2, "farthest |x_K - x_0|": far, "λK": 0.2 * 12}
    return Check("the game's attack, 12 steps", "each step by hand, none longer than λ", difference, ROUNDED, parts)


def proposition(seed: int) -> Check:
    """The payoff of constant and of random D beside the bounds in the proof of Proposition 1."""
    plane = drawn_plane(seed)
    shares = [i / 20 for i in range(1, 20)]
    logits = [torch.full((4,), math.log(a / (1 - a)), dtype=torch.float64) for a in shares]
    left = torch.stack([game.utility(d, d) for d in logits])
    right = doubles(math.log(a) + math.log(1 - a) for a in shares)
    solution = torch.stack([left.max(), game.utility(logits[9], logits[9])])  # the best constant D is 1/2
    d = plane.net(torch.cat([plane.data, plane.moved])).detach()  # these 12 points are the whole space
    u = game.utility(d[:6], d.max().expand(6)).item()  # p_T answers with all its mass where D is highest
    top = d.max().item()
    bound = -math.log1p(math.exp(-top)) - math.log1p(math.exp(top))  # log alpha + log(1 - alpha), alpha = sigma(top)
    equal = max(gap(left, right), gap(solution, torch.full_like(solution, -math.log(4))))
    difference = max(equal, excess(u, bound), excess(bound, -math.log(4)))
    parts = {"-log 4": -math.log(4), "U where D is 1/2": solution[1].item(), "U of a random D": u, "its bound": bound}
    return Check("U of constant D", "log α + log(1 - α), -log 4 at ½", difference, EXACT, parts)


def scalars_one_by_one(net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Weight gradient of f at each point, and sigma(f) = 1 / (1 + e^-f): (n, P), (n, 1)."""
    f = net(x)
    return torch.stack([by_weights(value, net) for value in f[:, 0]]), (1 / (1 + (-f).exp())).detach()


def scaled_gradients(seed: int) -> Check:
    """Autograd through the payoff beside each point's gradient times its scalar."""
    plane = drawn_plane(seed)
    left = by_weights(game.utility(plane.net(plane.data), plane.net(plane.moved)), plane.net)
    (up, s_up), (down, s_down) = (scalars_one_by_one(plane.net, x) for x in (plane.data, plane.moved))
    right = ((1 - s_up) * up).mean(0) - (s_down * down).mean(0)
    parts = {"mean 1 - σ on data": (1 - s_up).mean().item(), "mean σ on p_T": s_down.mean().item()}
    parts |= {"cos with the EBM gradient (2.2)": cosine(right, up.mean(0) - down.mean(0))}
    return Check("∇ J(D) (autograd)", "σ-scaled gradients", gap(left, right), EXACT, parts)


def stationary(seed: int) -> Check:
    """The payoff's gradient where p_T has become p_data: at a random f, and at f = 0."""
    plane = drawn_plane(seed)
    left = by_weights(game.utility(plane.net(plane.data), plane.net(plane.data)), plane.net)
    slopes, s = scalars_one_by_one(plane.net, plane.data)
    generic = gap(left, ((1 - 2 * s) * slopes).mean(0))
    half = drawn_plane(seed).net
    with torch.no_grad():
        half[-1].weight.zero_(), half[-1].bias.zero_()  # f = 0 everywhere, and grad f is not
    at_half = by_weights(game.utility(half(plane.data), half(plane.data)), half)
    scale = norm(scalars_one_by_one(half, plane.data)[0].mean(0))
    parts = {"|gradient| at a random f": norm(left), "where f is 0": norm(at_half), "|E ∇f| there": scale}
    difference = max(generic, gap(at_half, torch.zeros_like(at_half), scale))
    return Check("∇ J with p_T = p_data", "E[(1 - 2σ) ∇f], 0 where σ = ½", difference, EXACT, parts)


def divergence(seed: int) -> Check:
    """The payoff at the best D of two known laws beside their Jensen-Shannon divergence."""
    g = torch.Generator().manual_seed(seed)
    real, made = (torch.cat([torch.randint(1, 9, (5,), generator=g), torch.tensor([1])]) for _ in range(2))
    p, q = real.double() / real.sum(), made.double() / made.sum()
    best = (p / q).log()  # D* = p / (p + q)

    def payoff(d: Tensor) -> Tensor:  # each point as often as its law says
        return game.utility(d.repeat_interleave(real), d.repeat_interleave(made))

    d = best.clone().requires_grad_()
    u = payoff(d)
    (slope,) = torch.autograd.grad(u, d)
    middle = (p + q) / 2
    jsd = ((p * (p / middle).log()).sum() + (q * (q / middle).log()).sum()) / 2
    other = payoff(best + torch.randn(6, generator=g, dtype=torch.float64)).item()
    difference = max(gap((u.detach() + math.log(4)) / 2, jsd), gap(slope, torch.zeros_like(slope), 1.0))
    parts = {"JSD, nats": jsd.item(), "U at D*": u.item(), "U at another D": other}
    return Check("(U(D*, p_g) + log 4) / 2", "JSD of two known laws", difference, EXACT, parts)


# the table ------------------------------------------------------------------------------------------------------------

EQUATIONS: dict[str, Equation] = {
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
        "CEM", "CEM (21), (22), (32)", "The contrastive gradient of pairs is adversarial InfoNCE",
        r"\begin{aligned}&\mathbb E\big[\nabla_\theta f(\hat x, x') - \textstyle\sum_k w_k\nabla_\theta f(\hat x,"
        r" \hat x'_k)\big]\\ &\quad = -\nabla_\theta\,\ell_{\text{NCE}}(\hat x, x')\end{aligned}",
        energies.infonce, adversarial_infonce,
        "(21)'s first line must end in f(x̂, x̂'). (22) speaks of adversarial negatives, (32) of data negatives: here data.",
    ),
    "cem-24": Equation(
        "CEM", "CEM (23), (24)", "MaxEnt: a batch spreads in feature space",
        r"x_i' = x_i - \alpha\nabla_{x_i}\textstyle\sum_i\log\sum_j e^{f(x_i, x_j)} + \sqrt{2\alpha}\,\varepsilon",
        energies.crowding, max_entropy,
        "(23)'s middle expression lacks log before p(x_i). The inner sum includes j = i, and x_i moves in every row's sum.",
    ),
    "cem-6": Equation(
        "CEM", "CEM section 6", "The sampling protocol",
        r"x_{n+1} = \Pi_{\|x - x_0\|_2 \le \beta}\big[x_n + \alpha g_n + \eta\,\varepsilon_n\big]",
        dynamics.kernel, protocol,
        "Our reading: g is L2-normalised per sample, the ball is around x_0 and not x_n, the box [0, 1] follows, K updates.",
    ),
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
    "thesis-2.7": Equation(
        "thesis", "thesis (2.6), (2.7)", "Minimising log(1 - D) is climbing f",
        r"-\frac{\nabla_x\log(1 - D(x))}{\|\nabla_x\log(1 - D(x))\|} = \frac{\nabla_x f(x)}{\|\nabla_x f(x)\|}",
        energies.binary, ascent_direction, "D = σ(f). The left side underflows where D is near 0, the right side does not.",
    ),
    "thesis-2.8": Equation(
        "thesis", "thesis (2.8)", "Ascent travels at most λK",
        r"\begin{aligned}x_{i+1} &= x_i + \lambda\frac{\nabla_x f(x_i)}{\|\nabla_x f(x_i)\|}\\"
        r" \|x_K - x_0\| &\le \lambda K\end{aligned}",
        binary.Rules.dynamics, travel, "The page's game clamps to its box, which only shortens a step.",
    ),
    "thesis-2.15": Equation(
        "thesis", "thesis (2.12), (2.15)", "Proposition 1: the game's value is -log 4",
        r"\begin{aligned}U(D, p_T^*) &\le \log\alpha + \log(1 - \alpha) \le -\log 4,\\"
        r" \alpha &= \max D\end{aligned}",
        game.utility, proposition, "p_T answers a D with all its mass where D is highest; the bound is reached at D = ½.",
    ),
    "thesis-2.18": Equation(
        "thesis", "thesis (2.18)", "Binary adversarial training scales the EBM gradient",
        r"\begin{aligned}\nabla_\theta J &= \mathbb E_{p_{\text{data}}}[(1 - \sigma(f))\nabla_\theta f]\\"
        r" &- \mathbb E_{p_T^*}[\sigma(f)\nabla_\theta f]\end{aligned}",
        game.utility, scaled_gradients, "Without the two scalars it is the EBM gradient (2.2); the directions differ.",
    ),
    "thesis-2.18-data": Equation(
        "thesis", "thesis (2.18), remark", "Why it learns the support only",
        r"p_T = p_{\text{data}}:\quad \nabla_\theta J = \mathbb E[(1 - 2\sigma(f))\nabla_\theta f]",
        game.utility, stationary, "Where an EBM would stop, this goes on until σ(f) = ½ on the data.",
    ),
    "thesis-2.20": Equation(
        "thesis", "thesis (2.20)", "The minimax game measures a Jensen-Shannon divergence",
        r"U(D^*, p_g) = -\log 4 + 2\,\mathrm{JSD}(p_g\,\|\,p_{\text{data}})",
        game.utility, divergence,
        "D* = p_data / (p_data + p_g), the best answer to any p_g. Section 2.4.4 once says maximin where it means minimax.",
    ),
}  # fmt: skip


def run(key: str, seed: int = 0) -> Check:
    """Run a check.

    Args:
        key: of EQUATIONS.
        seed: of the net and of every draw, in [0, 2^63).
    Raises:
        KeyError: unknown equation.
    """
    if key not in EQUATIONS:
        raise KeyError(f"no equation {key!r}; choose one of {', '.join(EQUATIONS)}")
    return EQUATIONS[key].check(seed)
