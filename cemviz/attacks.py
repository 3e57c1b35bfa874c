"""The attacks: an energy to descend, inside a ball around the clean image.

A row fixes what is descended, how the steps are sized relative to the radius, and the generator that takes them; norm and
radius are the caller's threat model.  FGSM is one full step, PGD several with a random start, the energy attack climbs E(x, y)
alone, a targeted attack descends the target's cross-entropy.  A row that is in no table may stand wherever a name may.

The sign, once: energies are minimised everywhere, so that a row holds what its chain *descends*, and a `State` that energy;
`climb` and `worst_of` take what is to be *raised*, and descend its negation.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .adaptive import adam_pgd, auto_pgd
from .draws import Generator
from .dynamics import Dynamics, Norm, State, descend, per_sample, settle
from .energies import Energy, Scored, binary, conditional, joint, negated, on
from .fab import fab
from .inputs import Scores, check_images, check_labels, check_mode, checked, row
from .margins import lead, lead_ratio, margin, margin_ratio
from .nets.one_vs_rest import only
from .square import square
from .starts import near

Run = Callable[..., Iterator[State]]
"""(energy, x0, dyn, *, start, generator) -> states: `descend`, `auto_pgd`, `adam_pgd`, `fab`, `square`."""


@dataclass(frozen=True, slots=True)
class Attack:
    """A row of `ATTACKS`.

    Attributes:
        energy: of logits and a label; what the chain descends.
        steps: K where the caller names none.
        relative_step: alpha / radius where the caller names none.
        climbs: what is raised, in symbols, for the page; empty where it has none.
        random_start: begin uniformly inside the ball (and the box) instead of at the image.
        targeted: the label given is the one to reach.
        rivals: a chain towards every other class, of which the one whose logit ends highest counts; `energy` is of that class.
        targets: a chain towards each of so many other classes, the likeliest, of which the one that ends lowest counts;
            `energy` takes the class after the label.
        goal: of logits and the label: what has to fall below 0, where a run looks at that beside its energy (`fab`).
        run: the generator that takes the steps.
        shown: whether the page measures it, which it does for untargeted attacks alone.
        column: its heading there; empty takes the title.
    """

    title: str
    energy: Scored
    steps: int
    relative_step: float
    source: str
    climbs: str = ""
    random_start: bool = True
    targeted: bool = False
    rivals: bool = False
    targets: int = 0
    goal: Scored | None = None
    run: Run = descend
    shown: bool = True
    column: str = ""


def conditional_of_target(f: Tensor, y: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of one other class: descending it raises p(t | x), whichever class the label is.

    E(x, t) - E(x) = -log p(t | x)

    Args:
        f: logits, (B, C).
        y, target: labels, (B,) int64.
    Returns:
        objective in nats, (B,).
    Source: CEM (13); Croce & Hein 2020b, section 4.1, on targeted attacks.
    """
    return conditional(f, target)


LOSS = "E(x, y) − E(x)"

ATTACKS: dict[str, Attack] = {
    "fgsm": Attack("FGSM", negated(conditional), 1, 1.0, "JEAT (2), (14)", LOSS, random_start=False),
    "pgd": Attack("PGD", negated(conditional), 20, 0.25, "CEM (8), A.1: 20 steps of ε/4", LOSS, column="PGD-20"),
    "apgd": Attack(
        "Auto-PGD (cross-entropy)", negated(conditional), 100, 2.0, "Croce & Hein 2020b, Alg. 1", LOSS,
        run=auto_pgd, column="Auto-PGD",
    ),
    "energy": Attack("Energy attack", negated(joint), 20, 0.25, "JEAT (18)", "E(x, y)"),
    "targeted": Attack("Targeted PGD", conditional, 20, 0.25, "CEM (13)", "−[E(x, y) − E(x)]", targeted=True),
    "apgd-dlr": Attack(
        "Auto-PGD (margin ratio)", margin_ratio, 100, 2.0, "Croce & Hein 2020b, (6)", "the margin ratio",
        run=auto_pgd, shown=False,
    ),
    "rivals": Attack(
        "Towards every other class", joint, 20, 0.25, "thesis (3.47), (3.48), after Tramèr et al. 2020", "f(x)[k], k ≠ y",
        rivals=True, shown=False,
    ),
    "adam": Attack(
        "PGD with Adam", negated(conditional), 200, 1 / 30, "thesis 3.2.3, Table 3.1: 200 steps of .01 within L∞ .3", LOSS,
        run=adam_pgd, shown=False,
    ),
    "apgd-t": Attack(
        "Targeted Auto-PGD (margin ratio)", lead_ratio, 100, 2.0, "Croce & Hein 2020b, (7): 9 targets",
        "the targeted margin ratio", targets=9, run=auto_pgd, shown=False,
    ),
    "apgd-ce-t": Attack(
        "Targeted Auto-PGD (cross-entropy)", conditional_of_target, 100, 2.0, "Croce & Hein 2020b, Alg. 1; CEM (13): 9 targets",
        "log p(k | x), k ≠ y", targets=9, run=auto_pgd, shown=False,
    ),
    "fab-t": Attack(
        "Targeted FAB", lead, 100, 1.0, "Croce & Hein 2020a, Alg. 1; 2020b: 9 targets", "f(x)[k] − f(x)[y]",
        random_start=False, targets=9, goal=margin, run=fab, shown=False,
    ),
    "square": Attack(
        "Square", margin, 5000, 1.0, "Andriushchenko et al. 2020; Croce & Hein 2020b: 5,000 queries", "max f(x)[k] − f(x)[y]",
        random_start=False, run=square, shown=False,
    ),
}  # fmt: skip


def threat(attack: str | Attack, norm: Norm, radius: float, steps: int | None = None, step: float | None = None) -> Dynamics:
    """The numbers of an attack inside a threat model.

    Args:
        attack: a row, or a key of ATTACKS.
        norm, radius: the ball, in units of the pixel range; the radius must be finite.
        steps, step: K and alpha; None takes the row's.
    Raises:
        KeyError, ValueError: unknown attack, or numbers out of range.
    """
    chosen = row(attack, ATTACKS, Attack)
    if not math.isfinite(radius):
        raise ValueError(f"ε (radius) is {radius}; an attack needs a finite ball")
    return Dynamics(
        steps=chosen.steps if steps is None else steps,
        step=chosen.relative_step * radius if step is None else step,
        radius=radius,
        norm=norm,
        gradient="sign" if norm == "linf" else "unit",
    )


def climb(
    energy: Energy,
    x: Tensor,
    dyn: Dynamics,
    *,
    run: Run = descend,
    start: Tensor | None = None,
    generator: Generator | None = None,
) -> Iterator[State]:
    """Raise any energy within the ball around x, for instance a loss of several nets.

    Args:
        energy: what is raised, (B, *D) -> (B,): `on(net, conditional, y)` for a loss, or a sum of such.
        x: centre of the ball, (B, *D).
        dyn: from `threat`.
        run: takes the steps.
        start: where to begin; None draws a uniform point of the ball, x itself begins there.
        generator: source of the random start, and of the noise where the dynamics have any.
    Yields:
        K + 1 states of the descent of -energy, |x_k - x| <= radius: their energy is minus what is raised.
    Raises:
        Diverged: energy or gradient is not finite.
    """
    if start is None:
        start = near(x, dyn, generator=generator)
    return run(negated(energy), x, dyn, start=start, generator=generator)


def worst_of(
    restarts: int, energy: Energy, x: Tensor, dyn: Dynamics, *, run: Run = descend, generator: Generator | None = None
) -> State:
    """The highest of several climbs from random points of the ball, image by image.

    Args:
        restarts: number of climbs, at least 1; the rest as in `climb`.
    Returns:
        the last state of the best climb of each image: its energy is minus what is raised, as in `climb`.
    Raises:
        ValueError: fewer than one restart.
        Diverged
    """
    if restarts < 1:
        raise ValueError(f"restarts is {restarts}; give at least 1")
    *_, best = climb(energy, x, dyn, run=run, generator=generator)
    for _ in range(restarts - 1):
        *_, last = climb(energy, x, dyn, run=run, generator=generator)
        better = last.energy < best.energy
        others = [torch.where(per_sample(better, a), a, b) for a, b in zip(last[1:], best[1:], strict=True)]
        best = State(best.k, *others)
    return best


def attack(
    name: str | Attack, net: Scores, x: Tensor, y: Tensor, dyn: Dynamics, *, generator: Generator | None = None
) -> Iterator[State]:
    """Run an attack and yield its K + 1 states; the last x is the adversarial example, |x_K - x| <= radius always.

    Args:
        name: a row, or a key of ATTACKS.
        net: classifier in eval mode, (B, C, H, W) -> (B, classes).
        x: clean images in [0, 1], (B, C, H, W).
        y: their labels, or the targets of a targeted attack, (B,) int64.
        dyn: from `threat`.
        generator: source of the random start.
    Raises:
        KeyError, ValueError: unknown attack, or images, labels or a net that are not as above.
        Diverged: energy or gradient is not finite.
    """
    chosen = row(name, ATTACKS, Attack)
    net, start = _begin(chosen, net, x, y, dyn, generator, check=True)
    return _run(chosen, net, x, y, dyn, start, generator)


def perturb(
    name: str | Attack,
    net: Scores,
    x: Tensor,
    y: Tensor,
    dyn: Dynamics,
    *,
    check: bool = True,
    generator: Generator | None = None,
) -> Tensor:
    """The adversarial example alone, for K gradients where the steps are fixed.

    Arguments and errors are those of `attack`, but that of fixed steps nothing is looked at on the way: images whose gradient
    is not finite come back so.  `check=False` is for training, whose images, labels and net are the loop's own.
    """
    chosen = row(name, ATTACKS, Attack)
    net, start = _begin(chosen, net, x, y, dyn, generator, check)
    if chosen.rivals or chosen.targets:
        *_, last = _run(chosen, net, x, y, dyn, start, generator)
        return last.x
    return end(chosen.run, on(net, chosen.energy, y), x, dyn, start=start, generator=generator)


def end(
    run: Run, energy: Energy, x: Tensor, dyn: Dynamics, *, start: Tensor | None = None, generator: Generator | None = None
) -> Tensor:
    """The last point of what takes the steps, (B, *D): for K gradients and no records where that is `descend`."""
    if run is descend:
        return settle(energy, x, dyn, start=start, generator=generator)
    for state in run(energy, x, dyn, start=start, generator=generator):
        x = state.x
    return x


def _begin(
    chosen: Attack, net: Scores, x: Tensor, y: Tensor, dyn: Dynamics, generator: Generator | None, check: bool
) -> tuple[Scores, Tensor]:
    """The net that an attack stands on, and the point that it begins at."""
    if check:
        check_mode(net)
        check_images(x, dyn.bounds)
        check_labels(y, x)
        net = checked(net, y, followed=True)
    start = near(x, dyn, generator=generator) if chosen.random_start else x
    return net, start


def _run(
    chosen: Attack, net: Scores, x: Tensor, y: Tensor, dyn: Dynamics, start: Tensor, generator: Generator | None
) -> Iterator[State]:
    """States of an attack."""
    if chosen.targets:
        return towards(chosen, net, x, y, dyn, start, generator)
    if not chosen.rivals:
        return chosen.run(on(net, chosen.energy, y), x, dyn, start=start, generator=generator)
    with torch.no_grad():
        classes = net(x[:1]).shape[1]
    return rivals([on(only(net, k), binary) for k in range(classes)], x, y, dyn, run=chosen.run, start=start)


def towards(
    chosen: Attack, net: Scores, x: Tensor, y: Tensor, dyn: Dynamics, start: Tensor, generator: Generator | None
) -> Iterator[State]:
    """Aim at each of the likeliest other classes of the clean image, from a random start of its own where the row has one.

    Yields:
        K + 1 states; over the steps an image may go from one class's chain to another's.
    Source: Croce & Hein 2020b, section 5.2 (targeted Auto-PGD, targeted FAB).
    """
    with torch.no_grad():
        f = net(x).scatter(1, y[:, None], -math.inf)
    targets = f.topk(min(chosen.targets, f.shape[1] - 1), dim=1).indices.unbind(1)
    energies = [on(net, chosen.energy, y, target) for target in targets]
    starts = [start, *(near(x, dyn, generator=generator) if chosen.random_start else x for _ in targets[1:])]
    how = {"generator": generator} | ({"goal": on(net, chosen.goal, y)} if chosen.goal else {})
    return lowest([chosen.run(e, x, dyn, start=s, **how) for e, s in zip(energies, starts, strict=True)])


def rivals(
    energies: Sequence[Energy], x: Tensor, y: Tensor, dyn: Dynamics, *, run: Run = descend, start: Tensor | None = None,
    generator: Generator | None = None,
) -> Iterator[State]:  # fmt: skip
    """Descend the energy of every class but the image's own, and keep of each step the class that is lowest.

    delta_k = argmin_{|delta| <= eps} E_k(x + delta),  k != y;   delta = the delta_k of the lowest E_k(x + delta_k)

    Args:
        energies: E_k = -(d_k + c_k) of every class, each (B, *D) -> (B,).
        y: label, (B,) int64; the rest as in `climb`.
    Yields:
        K + 1 states; over the steps an image may go from one class's chain to another's.
    Source: thesis (3.47), (3.48); Tramer et al. 2020.
    """
    if start is None:
        start = near(x, dyn, generator=generator)
    chains = [run(energy, x, dyn, start=start, generator=generator) for energy in energies]
    return lowest(chains, but=y)


def lowest(chains: Sequence[Iterator[State]], but: Tensor | None = None) -> Iterator[State]:
    """The lowest of several chains on the same images at each step, image by image.

    Args:
        chains: of one length.
        but: index of the chain that is no choice for each image, (B,) int64; None takes any.
    """
    for states in zip(*chains, strict=True):
        energy = torch.stack([state.energy for state in states])
        images = torch.arange(energy.shape[1], device=energy.device)
        if but is not None:
            energy[but, images] = math.inf
        best = energy.argmin(0)
        points, slopes = (torch.stack(parts)[best, images] for parts in zip(*((s.x, s.grad) for s in states), strict=True))
        yield State(states[0].k, points, energy[best, images], slopes)
