"""Attacks that size their own steps: generators with the arguments and the states of `descend`.

Auto-PGD halves a step where it stalls and goes back to its best point; PGD with Adam gives every pixel a step of its own.  Both
project as `dynamics.kernel` does, and add no noise.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from .draws import Generator
from .dynamics import DIRECTIONS, Dynamics, State, checked_slope, feasible, length, per_sample
from .energies import Energy

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


def auto_pgd(
    energy: Energy, x0: Tensor, dyn: Dynamics, *, start: Tensor | None = None, generator: Generator | None = None
) -> Iterator[State]:
    """Descend with momentum and steps that halve, per sample, where progress stalls.

    At each checkpoint a sample whose steps improved too rarely, or whose best point has not moved since its last halving,
    halves its step and goes on from its best point.

    Args:
        dyn: `step` is the first step (2 eps in the paper); `gradient` and `norm` go together as in `threat`.
        generator: not used; nothing is drawn.  The others are those of `descend`.
    Yields:
        K + 1 states holding the best point so far, so that the energy never rises and the last x is the answer.
    Raises:
        Diverged: energy or gradient is not finite.
    Source: Croce & Hein 2020, Algorithm 1.
    """
    direction = DIRECTIONS[dyn.gradient]
    x = previous = x0 if start is None else start
    e, grad = checked_slope(energy, x, 0, dyn)
    best, best_e, best_grad = x, e, grad
    yield State(0, best, best_e, best_grad)

    step = torch.full_like(e, dyn.step)
    improved = torch.zeros_like(e)
    halved = torch.zeros_like(e, dtype=torch.bool)
    last_best, last_check, checks = best_e, 0, set(checkpoints(dyn.steps)[1:])
    for k in range(1, dyn.steps + 1):
        momentum = 1.0 if k == 1 else MOMENTUM
        z = feasible(x - per_sample(step, x) * direction(grad), x0, dyn)
        x, previous = feasible(x + momentum * (z - x) + (1 - momentum) * (x - previous), x0, dyn), x
        before, (e, grad) = e, checked_slope(energy, x, k, dyn, " of Auto-PGD")
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


DECAYS = (0.9, 0.999)  # of Adam's averages of the gradient and of its square
FLOOR = 1e-8  # added to the root of the second, in units of the first gradient


def adam_pgd(
    energy: Energy, x0: Tensor, dyn: Dynamics, *, start: Tensor | None = None, generator: Generator | None = None
) -> Iterator[State]:
    """Descend by Adam, projecting after every step: the direction is an average of the gradients, each pixel's step its own.

    m <- .9 m + .1 g,   v <- .999 v + .001 g^2,   x <- P[ x - alpha m^ / (sqrt(v^) + 1e-8) ],   ^ is the bias correction

    Adam does not feel the scale of the gradient but through its 1e-8; a net sure of its label has gradients below that, so that
    each sample's are measured in units of the largest entry of its first one (our choice).

    Args:
        dyn: `step` is Adam's learning rate, about the length of a step in each pixel; `gradient` and `noise` are not used.
        generator: not used; nothing is drawn.  The others are those of `descend`.
    Yields:
        K + 1 states, consistent at x_k; the last x is the answer.
    Raises:
        Diverged: energy or gradient is not finite.
    Source: thesis 3.2.3, Tables 3.1 and 3.2 ("At each step of the PGD attack we use the Adam optimizer"); Kingma & Ba 2015.
    """
    x = x0 if start is None else start
    e, grad = checked_slope(energy, x, 0, dyn)
    yield State(0, x, e, grad)
    size = per_sample(length(grad, "linf").clamp(min=torch.finfo(x.dtype).tiny), x)
    mean, square = torch.zeros_like(x), torch.zeros_like(x)
    for k in range(1, dyn.steps + 1):
        g = grad / size
        mean = mean.lerp(g, 1 - DECAYS[0])
        square = square.lerp(g * g, 1 - DECAYS[1])
        root = (square / (1 - DECAYS[1] ** k)).sqrt() + FLOOR
        x = feasible(x - dyn.step * mean / (1 - DECAYS[0] ** k) / root, x0, dyn)
        e, grad = checked_slope(energy, x, k, dyn, " of PGD with Adam")
        yield State(k, x, e, grad)
