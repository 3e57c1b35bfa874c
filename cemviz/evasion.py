"""Attacks on a classifier f and the detectors behind it: what an adversary lowers who knows of both.

A detector a class says whether an image that f takes for class k is one: h(x)[k] = d_k(x) is low where it is not.  An attack
has passed when f is wrong and the detector of its answer is high.  Each row is a function of both nets' logits, so that attacks
that stand on several nets are energies like any other: `climb` and `worst_of` raise the negation.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .draws import Generator
from .dynamics import Dynamics, settle
from .energies import Energy
from .inputs import Scores
from .margins import margin
from .starts import near

Objective = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits of f, of the detectors, label) -> (B,)."""


def rival(h: Tensor, y: Tensor) -> Tensor:
    """Energy of the likeliest other class: descending it makes one detector of another class pass the image.

    - max_{i != y} h[i]

    Args:
        h: logits of the detectors, (B, C), C at least 2.
        y: label, (B,) int64.
    Returns:
        objective, (B,).
    Source: thesis (3.32); of generative detection it is the whole attack.
    """
    return -h.scatter(1, y[:, None], -math.inf).amax(1)


def joined(f: Tensor, h: Tensor, y: Tensor) -> Tensor:
    """Lead over the strongest rival of everything else, a class "detected" included, in one function.

    max_i g[i] - max_{i != y} f[i],   g = f, and g[K + 1] = (1 - max_{j != y} h[j]) max_j f[j]

    At 0 a rival leads and the image passes.

    Args:
        f, h: logits of the classifier and of the detectors, (B, C); y: label, (B,) int64.
    Returns:
        objective, (B,), at least 0.
    Source: thesis (3.33), (3.34), after Carlini & Wagner 2017 (Bypassing).
    """
    detected = (rival(h, y) + 1) * f.amax(1)
    return torch.maximum(f.amax(1), detected) + rival(f, y)


def staged(f: Tensor, h: Tensor, y: Tensor) -> Tensor:
    """First fool the classifier, then pass the detectors, image by image.

    margin(f, y) where it is at least 0, else rival(h, y)

    Args:
        f, h: logits of the classifier and of the detectors, (B, C); y: label, (B,) int64.
    Returns:
        objective, (B,); it jumps where the classifier gives way.
    Source: thesis (3.35).
    """
    lead = margin(f, y)
    return torch.where(lead >= 0, lead, rival(h, y))


@dataclass(frozen=True, slots=True)
class Evasion:
    """A row of `EVASIONS`.

    Attributes:
        lowers: what is descended.
        symbols: the same, for the page.
    """

    title: str
    lowers: Objective
    symbols: str
    source: str


EVASIONS: dict[str, Evasion] = {
    "classifier": Evasion(
        "On the classifier alone", lambda f, h, y: margin(f, y), "f[y] − max f[i]", "thesis (3.30)"
    ),
    "detectors": Evasion("On the detectors alone", lambda f, h, y: rival(h, y), "−max d_i", "thesis (3.32)"),
    "joined": Evasion("On both, in one function", joined, "max g[i] − max f[i]", "thesis (3.33), (3.34)"),
    "staged": Evasion("On the classifier, then on the detectors", staged, "f[y] − max f[i], then −max d_i", "thesis (3.35)"),
}  # fmt: skip


def both(objective: Objective, classifier: Scores, detectors: Scores, y: Tensor) -> Energy:
    """Bind two nets and a label to an objective: the result is an energy of the input.

    Args:
        classifier, detectors: (B, *D) -> logits, (B, C).
        y: label, (B,) int64.
    """
    return lambda x: objective(classifier(x), detectors(x), y)


def evade(
    row: Evasion,
    classifier: Scores,
    detectors: Scores,
    x: Tensor,
    y: Tensor,
    dyn: Dynamics,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Images at the end of an attack on both nets, from a uniform point of the ball around each: (B, *D) -> (B, *D).

    Args:
        row: of EVASIONS.
        x, y: clean images in [0, 1], and their labels, (B,) int64.
        dyn: from `attacks.threat`.
        generator: source of the random starts.
    """
    start = near(x, dyn, generator=generator)
    return settle(both(row.lowers, classifier, detectors, y), x, dyn, start=start, generator=generator)
