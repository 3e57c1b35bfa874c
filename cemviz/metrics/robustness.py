"""Accuracy, clean and under attack, batch by batch, so that a page can draw progress and stop it.

What is not finite is never right: see `answers`.  Whether an attack's failure is to be believed: see `preflight`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..attacks import ATTACKS, Attack, perturb, threat
from ..draws import Generator, among
from ..dynamics import Dynamics, Norm
from ..inputs import Scores, row
from .answers import RIGHT, entered, logits, outcomes, share
from .watched import Watched


@dataclass(frozen=True, slots=True)
class Protocol:
    """A row of `PROTOCOLS`.

    Attributes:
        attacks: keys of ATTACKS, in turn, each with its own steps; each meets only the images that are still right.
    """

    title: str
    attacks: tuple[str, ...]
    source: str


PROTOCOLS: dict[str, Protocol] = {
    "autoattack": Protocol("AutoAttack, standard", ("apgd", "apgd-t", "fab-t", "square"), "Croce & Hein 2020b, section 6"),
}
"""Attacks that are run one after the other, by a name that stands beside those of ATTACKS where accuracy is measured."""


def accuracy(net: Scores, x: Tensor, y: Tensor) -> float:
    """Share of images whose largest logit is their label's; an answer that is not finite is never right.

    Args:
        net: classifier in eval mode.
        x: images in [0, 1], (N, C, H, W).
        y: labels, (N,) int64.
    Raises:
        ValueError: images, labels or a net that are not so.
    """
    return share(outcomes(logits(entered(net, x, y), x), y))


def outcomes_under(
    name: str | Attack,
    net: Scores,
    x: Tensor,
    y: Tensor,
    dyn: Dynamics,
    *,
    size: int = 250,
    restarts: int = 1,
    generator: Generator | None = None,
) -> Iterator[Tensor]:
    """Outcome of each image under an attack: the worst of the clean image and of every restart.

    Only images that are still right are attacked: the rest would spend gradients on what is lost already.

    Args:
        name: a row or a key of ATTACKS, untargeted.
        net: classifier in eval mode.
        x, y: as in `accuracy`.
        dyn: from `attacks.threat`.
        size: images at a time.
        restarts: number of random starts, the worst counts.
    Yields:
        (n,) int8 for each chunk in turn, see `outcomes`.
    Raises:
        ValueError: a targeted attack, whose success is not a loss of accuracy; fewer than one restart; images, labels or a net
            that are not as they should be.
    """
    chosen = row(name, ATTACKS, Attack)
    if chosen.targeted:
        title = name if isinstance(name, str) else chosen.title
        raise ValueError(f"attack {title!r} is targeted: robust accuracy wants an untargeted one")
    if restarts < 1:
        raise ValueError(f"restarts is {restarts}; give at least 1")
    yield from _outcomes([(name, dyn)] * restarts, net, x, y, size, generator)


def outcomes_by(
    protocol: str,
    net: Scores,
    x: Tensor,
    y: Tensor,
    norm: Norm,
    radius: float,
    *,
    size: int = 50,
    generator: Generator | None = None,
) -> Iterator[Tensor]:
    """Outcome of each image under all attacks of a protocol, at any point on the way.

    Args:
        protocol: key of PROTOCOLS.
        norm, radius: the threat model; the rest as in `outcomes_under`.
    Yields:
        (n,) int8 for each chunk in turn, see `outcomes`.
    Raises:
        KeyError, ValueError: no such protocol; otherwise as in `outcomes_under`.
    """
    attacks = row(protocol, PROTOCOLS, Protocol).attacks
    yield from _outcomes([(name, threat(name, norm, radius)) for name in attacks], net, x, y, size, generator, watch=True)


def _outcomes(
    attacks: Sequence[tuple[str | Attack, Dynamics]],
    net: Scores,
    x: Tensor,
    y: Tensor,
    size: int,
    generator: Generator | None,
    *,
    watch: bool = False,
) -> Iterator[Tensor]:
    """Outcome of each image under attacks in turn; with `watch` a point on the way counts as well as the end."""
    net = entered(net, x, y, attacks[0][1].bounds)
    for first in range(0, len(x), size):
        part, labels = x[first : first + size], y[first : first + size]
        outcome = outcomes(logits(net, part), labels)
        for name, dyn in attacks:
            left = (outcome == RIGHT).nonzero().squeeze(1)
            if not len(left):
                break
            draws = among(generator, first + left)
            target = Watched(net, part[left], labels[left], dyn) if watch else net
            attacked = perturb(name, target, part[left], labels[left], dyn, generator=draws)
            attacked = target.worst(attacked) if watch else attacked
            outcome[left] = outcomes(logits(net, attacked), labels[left])
        yield outcome


def correct_under(
    name: str | Attack,
    net: Scores,
    x: Tensor,
    y: Tensor,
    dyn: Dynamics,
    *,
    size: int = 250,
    restarts: int = 1,
    generator: Generator | None = None,
) -> Iterator[Tensor]:
    """Tell which images stay correct under an attack, clean and at every restart.

    Arguments and errors are those of `outcomes_under`, which also tells what is wrong from what is not finite.

    Yields:
        (n,) bool for each chunk in turn; the mean over all is the robust accuracy.
    """
    for outcome in outcomes_under(name, net, x, y, dyn, size=size, restarts=restarts, generator=generator):
        yield outcome == RIGHT


def curve(
    name: str | Attack,
    net: Scores,
    x: Tensor,
    y: Tensor,
    norm: Norm,
    radii: Sequence[float],
    *,
    steps: int | None = None,
    size: int = 250,
    generator: Generator | None = None,
) -> Iterator[tuple[float, float]]:
    """Robust accuracy over the radius.  An image broken at one radius stays broken at larger ones: those balls hold it too.

    Args:
        name, net, x, y, size, generator: as in `correct_under`.
        norm: of the balls.
        radii: ascending, each at least 0; at 0 the accuracy is the clean one.
        steps: K; None takes the attack's.
    Yields:
        (radius, share of images still correct) for each radius in turn; the share never rises.
    Raises:
        ValueError: radii that do not ascend, or a targeted attack.
    """
    radii = list(radii)
    if not radii or radii != sorted(radii) or not radii[0] >= 0:
        raise ValueError(f"radii are {radii}; give at least one, ascending from 0 or above")
    left = (outcomes(logits(entered(net, x, y), x), y) == RIGHT).nonzero().squeeze(1)
    for radius in radii:
        if radius > 0 and len(left):
            dyn, draws = threat(name, norm, radius, steps), among(generator, left)
            left = left[torch.cat(list(correct_under(name, net, x[left], y[left], dyn, size=size, generator=draws)))]
        yield radius, len(left) / len(x)
