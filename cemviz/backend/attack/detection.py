"""Detection over many images: the scores of detectors on clean and attacked images, and of models on other sets, which ship.

detection/NAME.json holds scores, one a picture and no pixels, with the hashes of the models they are of: from them a page draws
histograms and rates at any threshold without a net.  A threshold is learned on the validation split; rates are of the test
split.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...attacks import threat
from ...data.images import Images
from ...evasion import EVASIONS, evade
from ...metrics.detection import deceiving, generative, integrated, threshold_at
from .. import kinds
from ..checks import BadInput
from ..requests import OutsideRequest
from ..store import Card
from ..stored import artefacts, assets
from ..stored.artefacts import Artefact
from ..studio import Studio
from ..use_case import Step
from .outside import UNIFORM, Outside, outside

COUNT, STEPS, RESTARTS, SEED, SIZE = 200, 50, 2, 0, 50
"""Images, steps of every attack, its starts where scores of other sets are raised, seed, and images at a time."""

VALIDATED = 1000
"""Validation images on which thresholds are learned."""

WAYS = {"integrated": "integrated detection", "generative": "generative detection"}
"""Ways to decide, see `detect`."""

OUTSIDERS = {"mnist": (UNIFORM, "fashionmnist", "tinyimagenet32", "cifar10"), "cifar10": (UNIFORM, "tinyimagenet32")}
"""Sets that a model's score is held against, by its data."""

Scores = dict[str, tuple[float | None, ...]]
"""Key of WAYS -> a score an image, None where the answer is still right."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Scores of the detectors behind a classifier.

    Attributes:
        model, sha256: whose members they are; classifier, classifier_sha256: the net that they stand behind.
        norm, radius, steps, count, seed: of the attacks.
        validation: scores of clean images that no threshold is tested on; clean: of test images.
        attacked: key of EVASIONS -> scores of the same test images, attacked.
    """

    model: str
    sha256: str
    classifier: str
    classifier_sha256: str
    norm: str
    radius: float
    steps: int
    count: int
    seed: int
    validation: Scores
    clean: Scores
    attacked: dict[str, Scores]

    def threshold(self, way: str, rate: float) -> float:
        """The logit that lets this share of validation images pass."""
        return threshold_at(rate, torch.tensor(self.validation[way]))


@dataclass(frozen=True, slots=True)
class Outsiders:
    """Scores of a model on its own test images and on another set, as it is and attacked, see `outside.Outside`."""

    model: str
    sha256: str
    score: str
    against: str
    part: str
    seen: bool
    norm: str
    radius: float
    steps: int
    restarts: int
    seed: int
    inside: tuple[float, ...]
    clean: tuple[float, ...]
    worst: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Shipped:
    """Rates and outsiders of a data set, as they ship."""

    rates: tuple[Rates, ...]
    outsiders: tuple[Outsiders, ...]


def shipped(data: str) -> Shipped:
    """The scores that ship, stale ones too; empty where none do.  Raises BrokenCheckpoint."""

    def build(artefact: Artefact) -> Shipped:
        return Shipped(
            tuple(Rates(**row) for row in artefact.head["rates"]), tuple(Outsiders(**row) for row in artefact.head["outsiders"])
        )

    return assets.asset("detection", data, build) or Shipped((), ())


def fresh(data: str, cards: Mapping[str, Card]) -> Shipped:
    """The scores that ship, without those of models that were trained anew since; of one that is not stored they stay."""

    def same(name: str, sha256: str) -> bool:
        return name not in cards or cards[name].sha256 == sha256

    whole = shipped(data)
    return Shipped(
        tuple(r for r in whole.rates if same(r.model, r.sha256) and same(r.classifier, r.classifier_sha256)),
        tuple(row for row in whole.outsiders if same(row.model, row.sha256)),
    )


def rates_of(card: Card, classifier: Card) -> Rates:
    """The shipped scores of these detectors behind this classifier.

    Raises:
        BadInput: there are none, or of other weights.
    """
    again = f"make them with: {assets.command(card.data, 'detection')}"
    for row in shipped(card.data).rates:
        if (row.model, row.classifier) == (card.name, classifier.name):
            for each, sha256 in ((card, row.sha256), (classifier, row.classifier_sha256)):
                if each.sha256 != sha256:
                    raise BadInput("model", f"{each.name!r} was trained anew since the thresholds were learned; {again}")
            return row
    behind = ", ".join(row.classifier for row in shipped(card.data).rates if row.model == card.name) or "none"
    raise BadInput(
        "classifier", f"no thresholds of {card.name!r} behind {classifier.name!r} ship, but behind: {behind}; {again}"
    )


def thresholds(card: Card, classifier: Card, rate: float) -> dict[str, float]:
    """Thresholds that let this share of validation images pass, by key of WAYS.  Raises BadInput."""
    row = rates_of(card, classifier)
    return {way: row.threshold(way, rate) for way in WAYS}


def make(studio: Studio, data: str) -> Iterator[Step | dict[str, Any]]:
    """Measure every net a class behind the data set's classifiers, and every model's score of other sets.

    Scores whose models are as they were are kept, and every row is written as it comes.

    Yields:
        steps while at work, {path} at the end, or {skipped} with the reason.
    Raises:
        BadInput: images are not on this machine; BrokenCheckpoint, Diverged.
    """
    cards = studio.cards()
    hashes = {name: card.sha256 for name, card in cards.items()}
    before = shipped(data)
    rates = [
        row
        for row in before.rates
        if (row.sha256, row.classifier_sha256) == (hashes.get(row.model), hashes.get(row.classifier))
    ]
    outsiders = [row for row in before.outsiders if row.sha256 == hashes.get(row.model)]
    behind = kinds.pair(cards, data, "classifier")
    detectors = [
        card for card in cards.values() if card.data == data and card.kind in kinds.KINDS and kinds.kind_of(card).detects
    ]
    if not detectors or not behind:
        yield {"skipped": f"there is no net a class of {data} yet, or no classifier that it stands behind"}
        return
    reach = cards[behind[-1]]  # one ball for all whose scores are compared: that of the adversarially trained classifier

    def work() -> Iterator[tuple[list[Any], Iterator[Any]]]:
        for card, name in product(detectors, behind):
            if not any((row.model, row.classifier) == (card.name, name) for row in rates):
                yield rates, measure(studio, card, cards[name])
        numbers = {"steps": STEPS, "restarts": RESTARTS, "count": COUNT, "seed": SEED}
        for name, against in product(_scored(studio, data), OUTSIDERS.get(data, (UNIFORM,))):
            if not any((row.model, row.against) == (name, against) for row in outsiders):
                yield outsiders, outside(studio, OutsideRequest(name, against, None, reach.norm, reach.radius, **numbers))

    for rows, items in work():
        for item in items:
            if isinstance(item, Step):
                yield item
                continue
            rows.append(_row(item) if isinstance(item, Outside) else item)
            _write(data, rates, outsiders)
    yield {"path": str(_write(data, rates, outsiders))}


def _scored(studio: Studio, data: str) -> list[str]:
    """Models whose scores are held against each other: the pair of classifiers, energy-based ones, and binary nets."""
    cards = {name: card for name, card in studio.cards().items() if card.data == data and card.kind in kinds.KINDS}
    chosen = [*kinds.pair(cards, data, "classifier"), f"{data}-jem"]
    return [name for name in chosen if name in cards] + [
        name for name, card in cards.items() if kinds.kind_of(card).score in ("binary", "logit")
    ]


def measure(studio: Studio, card: Card, behind: Card) -> Iterator[Step | Rates]:
    """Score clean and attacked test images by the detectors of one model behind a classifier.

    Yields:
        steps, then the scores.
    Raises:
        BadInput: images are not on this machine.
    """
    net, _ = studio.model(card.name)
    other, _ = studio.model(behind.name)
    test, validation = (_images(studio, card, split) for split in ("test", "validation"))
    images = test.first(COUNT)
    x, y = images.floats(), images.labels
    unseen = validation.first(VALIDATED)
    dyn = threat("pgd", card.norm, card.radius, STEPS, 2.5 * card.radius / STEPS)
    attacked, total = {}, len(EVASIONS) * -(-len(x) // SIZE)
    for key, row in EVASIONS.items():
        ends = []
        for i, (some, labels) in enumerate(zip(x.split(SIZE), y.split(SIZE), strict=True)):
            ends.append(evade(row, other, net, some, labels, dyn, generator=studio.device.generator(SEED + i)))
            yield Step(len(attacked) * -(-len(x) // SIZE) + i + 1, total, f"{card.name} behind {behind.name}, {row.title}")
        attacked[key] = _scores(net, other, torch.cat(ends), y)
    yield Rates(
        card.name, card.sha256, behind.name, behind.sha256, card.norm, card.radius, STEPS, len(x), SEED,
        _scores(net, other, unseen.floats()), _scores(net, other, x), attacked,
    )  # fmt: skip


def _images(studio: Studio, card: Card, split: str) -> Images:
    images = studio.split(card.data, split, card.classes)
    if images is None:
        raise BadInput(
            "model", f"the {split} images of {card.data} are not on this machine, and detectors are measured on them"
        )
    return images


def _scores(net: nn.Module, other: nn.Module, x: Tensor, y: Tensor | None = None) -> Scores:
    """Scores of both ways, to four digits; of attacked images, whose labels are given, None where the answer is still right."""
    with torch.no_grad():
        h = torch.cat([net(some) for some in x.split(500)])
        f = torch.cat([other(some) for some in x.split(500)])
    decisions = {"integrated": integrated(f, h), "generative": generative(h)}
    lists = {way: decided.score if y is None else deceiving(decided, y) for way, decided in decisions.items()}
    return {way: tuple(_short(value) for value in scores.tolist()) for way, scores in lists.items()}


def _short(value: float) -> float | None:
    return None if value == -torch.inf else float(f"{value:.4g}")


def _row(item: Outside) -> Outsiders:
    request = item.request
    lists = (tuple(_short(v) for v in scores.tolist()) for scores in (item.inside, item.clean, item.worst))
    return Outsiders(
        item.card.name, item.card.sha256, item.score, request.against, item.part, item.seen, item.norm, item.radius,
        request.steps, request.restarts, request.seed, *lists,
    )  # fmt: skip


def _write(data: str, rates: list[Rates], outsiders: list[Outsiders]) -> Path:
    models = {row.model: row.sha256 for row in (*rates, *outsiders)}
    head = {"data": data, "models": models, "rates": list(map(asdict, rates)), "outsiders": list(map(asdict, outsiders))}
    return artefacts.write("detection", data, Artefact(head), indent=None)
