"""Out-of-distribution detection: a model's score of its own test images against that of other images, as they are and attacked.

The attack raises the score of other images within a ball, by Auto-PGD from several random starts of which each image's best
counts: worst-case detection.  Other images are uniform noise, or a data set of which training sees another part, brought into
the model's shape.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...adaptive import auto_pgd
from ...attacks import threat, worst_of
from ...data.datasets import dataset
from ...draws import Each, rand
from ...energies import on
from ...metrics.detection import auc, auc_error, average_precision, fpr_at
from ...metrics.scores import SCORES
from ...mixtures import parts, scaled, sets
from .. import kinds
from ..checks import BadInput, article, threat_model
from ..requests import OutsideRequest
from ..store import Card
from ..studio import Studio
from ..use_case import Step

SIZE = 50
"""Images at a time."""

UNIFORM = "uniform"
"""Name of uniform noise among the sets."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Scores of a measurement.

    Attributes:
        score: key of SCORES.
        norm, radius: of the attack.
        part: split that the other images are of, "" of noise.
        seen: whether training saw other images of that set.
        inside: of the model's own test images, (N,).
        clean, worst: of the other images before and after the attack, (N,).
    """

    request: OutsideRequest
    card: Card
    score: str
    norm: str
    radius: float
    part: str
    seen: bool
    inside: Tensor
    clean: Tensor
    worst: Tensor

    def rates(self, attacked: bool) -> dict[str, float]:
        """{auc, spread: its standard error, fpr95, aupr} of one of the two sets of scores."""
        outside = self.worst if attacked else self.clean
        return {
            "auc": auc(self.inside, outside),
            "spread": auc_error(self.inside, outside),
            "fpr95": fpr_at(0.95, self.inside, outside),
            "aupr": average_precision(self.inside, outside),
        }


def held_out(name: str) -> str:
    """The split of a set whose images stand for what no training has seen: held-out where the set has one, else test."""
    return "held-out" if "held-out" in dataset(name).parts else "test"


def score_of(card: Card, score: str | None) -> str:
    """The key of the score that is asked for, or the model's own.

    Raises:
        BadInput: a model whose kind has none, or a score of another kind.
    """
    kind = kinds.kind_of(card)
    if not kind.score:
        raise BadInput(
            "model", f"model {card.name!r} is {article(kind.title)}, which scores no single input; take a classifier"
        )
    chosen = score or kind.score
    if (chosen == "binary") != (kind.score == "binary"):
        keys = [key for key in SCORES if (key == "binary") == (kind.score == "binary")]
        raise BadInput("score", f"score is {chosen!r}, {card.name!r} is {article(kind.title)}; choose one of {', '.join(keys)}")
    return chosen


def images_of(studio: Studio, card: Card, against: str, count: int, seed: int) -> tuple[Tensor, str]:
    """Other images in the model's shape, (N, C, H, W) in [0, 1], and the split they are of, "" of noise.

    Raises:
        BadInput: the model's own data set, or one that is not on this machine.
    """
    if against == UNIFORM:
        draws = Each(seed, range(count), studio.device.torch)
        return rand((count, *card.shape), generator=draws, device=studio.device.torch), ""
    if against == card.data:
        raise BadInput("against", f"against is {against!r}, the data that {card.name!r} was trained on; give another set")
    split = held_out(against)
    there = studio.split(against, split)
    if there is None:
        raise BadInput(
            "against", f"the images of {against} ({split}) are not on this machine; see README, Data, or take uniform"
        )
    return scaled(there.first(count).pixels, card.shape).to(studio.device.torch).float() / 255, split


def outside(studio: Studio, request: OutsideRequest) -> Iterator[Step | Outside]:
    """Score both sets, and attack the other one.

    Yields:
        steps, then the scores.
    Raises:
        BadInput, KeyError, BrokenCheckpoint, Diverged.
    """
    net, card = studio.model(request.model)
    score = score_of(card, request.score)
    norm, radius = threat_model(card, request.norm, request.radius)
    test = studio.test_images(card.data, card.classes)
    if test is None:
        raise BadInput("model", f"the test images of {card.data} are not on this machine, and scores are compared with theirs")
    x, part = images_of(studio, card, request.against, request.count, request.seed)
    raised = on(net, SCORES[score].function)
    with torch.no_grad():
        inside, clean = (
            torch.cat([raised(some) for some in images.split(500)]) for images in (test.first(request.count).floats(), x)
        )
    dyn = threat("apgd", norm, radius, request.steps)
    worst = []
    for i, some in enumerate(x.split(SIZE)):
        draws = studio.device.generator(request.seed + i)
        lifted = -worst_of(request.restarts, raised, some, dyn, run=auto_pgd, generator=draws).energy
        worst.append(torch.maximum(lifted, clean[i * SIZE : (i + 1) * SIZE]))  # leaving an image alone is an attack too
        yield Step(min((i + 1) * SIZE, len(x)), len(x), f"{card.name}, {request.against}")
    p0 = card.recipe_args.get("p0", "")
    seen = bool(p0) and request.against in {*sets(p0), *(part.name for part in parts(p0))}
    yield Outside(request, card, score, norm, radius, part, seen, inside, clean, torch.cat(worst))
