"""The attacks: an energy to descend, inside a ball around the clean image.

A row fixes what is descended and how the steps are sized relative to the radius; norm and radius are the caller's threat model.
FGSM is one full step, PGD several with a random start, the energy attack climbs E(x, y) alone, a targeted attack descends the
target's cross-entropy.  Auto-PGD chooses its own steps and is a generator of its own that yields the same `State`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .dynamics import DIRECTIONS, Diverged, Dynamics, Norm, State, ball, box, descend, per_sample, settle, slope
from .energies import Energy, Scored, conditional, joint, negated, on
from .starts import near


def margin_ratio(f: Tensor, y: Tensor) -> Tensor:
    """Difference-of-logits ratio: descending it makes the label lose, whatever the scale of the logits.

    (f[y] - max_{k != y} f[k]) / (f_(1) - f_(3)),  f_(j) the j-th largest logit

    Args:
        f: logits, (B, C), C >= 3.
        y: label, (B,) int64.
    Returns:
        objective, (B,); positive where the label wins.
    Raises:
        ValueError: fewer than three classes, where the ratio is undefined.
    Source: Croce & Hein 2020, "Reliable evaluation of adversarial robustness ...", (6).
    """
    if f.shape[1] < 3:
        raise ValueError(f"the margin ratio needs at least 3 classes, the net has {f.shape[1]}; use apgd instead")
    top = f.topk(3, dim=1).values
    label = f.gather(1, y[:, None]).squeeze(1)
    rival = f.scatter(1, y[:, None], -math.inf).amax(1)
    return (label - rival) / (top[:, 0] - top[:, 2] + 1e-12)


@dataclass(frozen=True, slots=True)
class Attack:
    """A row of `ATTACKS`.

    Attributes:
        energy: of logits and a label; what the chain descends.
        steps: K where the caller names none.
        relative_step: alpha / radius where the caller names none.
        random_start: begin uniformly inside the ball (and the box) instead of at the image.
        targeted: the label given is the one to reach.
        adaptive: Auto-PGD instead of fixed steps.
    """

    title: str
    energy: Scored
    steps: int
    relative_step: float
    source: str
    random_start: bool = True
    targeted: bool = False
    adaptive: bool = False


ATTACKS: dict[str, Attack] = {
    "fgsm": Attack("FGSM", negated(conditional), 1, 1.0, "JEAT (2), (14)", random_start=False),
    "pgd": Attack("PGD", negated(conditional), 20, 0.25, "CEM (8), A.1: 20 steps of ε/4"),
    "energy": Attack("Energy attack", negated(joint), 20, 0.25, "JEAT (18)"),
    "targeted": Attack("Targeted PGD", conditional, 20, 0.25, "CEM (13)", targeted=True),
    "apgd": Attack("Auto-PGD (cross-entropy)", negated(conditional), 100, 2.0, "Croce & Hein 2020, Alg. 1", adaptive=True),
    "apgd-dlr": Attack("Auto-PGD (margin ratio)", margin_ratio, 100, 2.0, "Croce & Hein 2020, (6)", adaptive=True),
}


def threat(name: str, norm: Norm, radius: float, steps: int | None = None, step: float | None = None) -> Dynamics:
    """The numbers of an attack inside a threat model.

    Args:
        name: key of ATTACKS.
        norm, radius: the ball, in units of the pixel range; the radius must be finite.
        steps, step: K and alpha; None takes the row's.
    Raises:
        KeyError, ValueError: unknown attack, or numbers out of range.
    """
    if name not in ATTACKS:
        raise KeyError(f"no attack {name!r}; choose one of {', '.join(ATTACKS)}")
    if not math.isfinite(radius):
        raise ValueError(f"ε (radius) is {radius}; an attack needs a finite ball")
    row = ATTACKS[name]
    return Dynamics(
        steps=row.steps if steps is None else steps,
        step=row.relative_step * radius if step is None else step,
        radius=radius,
        norm=norm,
        gradient="sign" if norm == "linf" else "unit",
    )


def attack(
    name: str, net: nn.Module, x: Tensor, y: Tensor, dyn: Dynamics, *, generator: torch.Generator | None = None
) -> Iterator[State]:
    """Run an attack and yield its K + 1 states; the last x is the adversarial example, |x_K - x| <= radius always.

    Args:
        name: key of ATTACKS.
        net: classifier in eval mode, (B, C, H, W) -> (B, classes).
        x: clean images in [0, 1], (B, C, H, W).
        y: their labels, or the targets of a targeted attack, (B,) int64.
        dyn: from `threat`.
        generator: source of the random start.
    """
    row = ATTACKS[name]
    run = auto_pgd if row.adaptive else descend
    return run(on(net, row.energy, y), x, dyn, start=_start(row, x, dyn, generator))


def perturb(
    name: str, net: nn.Module, x: Tensor, y: Tensor, dyn: Dynamics, *, generator: torch.Generator | None = None
) -> Tensor:
    """The adversarial example alone, for K gradients: what training uses.  Arguments as in `attack`."""
    row = ATTACKS[name]
    energy, start = on(net, row.energy, y), _start(row, x, dyn, generator)
    if not row.adaptive:
        return settle(energy, x, dyn, start=start)
    for state in auto_pgd(energy, x, dyn, start=start):
        x = state.x
    return x


def _start(row: Attack, x: Tensor, dyn: Dynamics, generator: torch.Generator | None) -> Tensor:
    return near(x, dyn.radius, dyn.norm, dyn.bounds, generator=generator) if row.random_start else x


MOMENTUM = 0.75  # weight of the new step against the last move
PROGRESS = 0.75  # share of steps that must improve between two checkpoints


def checkpoints(steps: int) -> list[int]:
    """Steps at which Auto-PGD looks back: w_j = ceil(p_j K), p_0 = 0, p_1 = .22, gaps shrinking by .03 down to .06.

    Source: Croce & Hein 2020, section 3.
    """
    shares, gap = [0, 22], 22  # in hundredths: in floating point .57 * 100 is above 57 and rounds up to 58
    while shares[-1] < 100:
        gap = max(gap - 3, 6)
        shares.append(shares[-1] + gap)
    return sorted({-(-p * steps // 100) for p in shares if p <= 100})


def auto_pgd(energy: Energy, x0: Tensor, dyn: Dynamics, *, start: Tensor | None = None) -> Iterator[State]:
    """Descend with momentum and steps that halve, per sample, where progress stalls.

    At each checkpoint a sample whose steps improved too rarely, or whose best point has not moved since its last halving,
    halves its step and goes on from its best point.

    Args:
        energy: (B, *D) -> (B,).
        x0: centre of the ball, (B, *D).
        dyn: `step` is the first step (2 eps in the paper); `gradient` and `norm` go together as in `threat`.
        start: where to begin inside the ball.
    Yields:
        K + 1 states holding the best point so far, so that the energy never rises and the last x is the answer.
    Source: Croce & Hein 2020, Algorithm 1.
    """
    direction = DIRECTIONS[dyn.gradient]

    def inside(x: Tensor) -> Tensor:
        return box(ball(x, x0, dyn.radius, dyn.norm), dyn.bounds)

    x = previous = x0 if start is None else start
    e, grad = slope(energy, x)
    best, best_e, best_grad = x, e, grad
    yield State(0, best, best_e, best_grad)

    step = torch.full_like(e, dyn.step)
    improved = torch.zeros_like(e)
    halved = torch.zeros_like(e, dtype=torch.bool)
    last_best, last_check, checks = best_e, 0, set(checkpoints(dyn.steps)[1:])
    for k in range(1, dyn.steps + 1):
        momentum = 1.0 if k == 1 else MOMENTUM
        z = inside(x - per_sample(step, x) * direction(grad))
        x, previous = inside(x + momentum * (z - x) + (1 - momentum) * (x - previous)), x
        before, (e, grad) = e, slope(energy, x)
        if not (e.isfinite().all() and grad.isfinite().all()):
            raise Diverged(f"the energy or its gradient is no longer finite at step {k} of {dyn.steps} of Auto-PGD")
        improved += e < before
        better = e < best_e
        best = torch.where(per_sample(better, x), x, best)
        best_grad = torch.where(per_sample(better, x), grad, best_grad)
        best_e = torch.where(better, e, best_e)
        if k in checks:
            stalled = (improved < PROGRESS * (k - last_check)) | (~halved & (best_e >= last_best))
            step = torch.where(stalled, step / 2, step)
            x, grad = (torch.where(per_sample(stalled, x), b, now) for b, now in ((best, x), (best_grad, grad)))
            e = torch.where(stalled, best_e, e)
            halved, last_best, last_check, improved = stalled, best_e, k, torch.zeros_like(improved)
        yield State(k, best, best_e, best_grad)
