"""The columns of a sweep: what is measured of the chains of one setting, each with its unit and which way is better.

What sees them beside the net itself is a judge, a classifier trained apart, and real images of the validation split: a setting
that is chosen by these numbers has never seen a test image.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ...data.datasets import dataset
from ...data.images import Images
from ...dynamics import length
from ...metrics import quality
from ...metrics.neighbours import by_pixels
from .. import kinds
from ..checks import BadInput, choice
from ..evaluate import SPLITS, compared, judge_of
from ..requests import SweepRequest
from ..store import Card
from ..studio import Studio

NEAR = 10_000
"""Training images among which the nearest is looked for, from the start of the split: a sample is near to them or to none."""


@dataclass(frozen=True, slots=True)
class Eyes:
    """Everything that looks at the ends of chains; what a machine lacks is None.

    Attributes:
        judge: a classifier that had no part in them.
        clean: another one, which saw clean images alone in training.
        net: the model itself where it classifies, or the linear probe of an encoder.
        reader: name of the model that `net` is.
        real: the validation split.
        train: uint8 training images, (NEAR, C, H, W).
    """

    judge: quality.Extractor | None
    clean: quality.Extractor | None
    net: nn.Module | None
    reader: str | None
    real: Images | None
    train: Tensor | None


@dataclass(frozen=True, slots=True)
class Ends:
    """Chains of one setting and seed, at their last step.

    Attributes:
        x, x0: (B, C, H, W).
        energy: the sampler's own, at x, (B,).
        labels: class of each chain, (B,), or None where no class had a say.
        seconds: of all chains.
        eyes: what looks at them.
        features, real: x and as many validation images as the judge sees them, (B, M), or None.
        seed: of the chains.
    """

    x: Tensor
    x0: Tensor
    energy: Tensor
    labels: Tensor | None
    seconds: float
    eyes: Eyes
    features: Tensor | None
    real: Tensor | None
    seed: int


Number = tuple[float, float | None]
"""A value and its standard error under drawing other chains, None where nobody knows it."""


def _mean(values: Tensor) -> Number:
    """The mean over chains."""
    values = values.double()
    return values.mean().item(), values.std().item() / len(values) ** 0.5 if len(values) > 1 else None


def _read(judge: quality.Extractor, features: Tensor) -> Tensor:
    """A judge's p(y | x) of what it sees, (B, classes)."""
    with torch.no_grad():
        return judge.logits(features.to(next(judge.logits.parameters()))).cpu().softmax(1)


def _judged(ends: Ends) -> Tensor:
    return _read(ends.eyes.judge, ends.features)


def _sure(p: Tensor, labels: Tensor | None) -> Number:
    """Mean probability of the class asked for, or of each chain's likeliest where none is: p is (B, classes)."""
    return _mean(p.amax(1) if labels is None else p.gather(1, labels.to(p.device)[:, None])[:, 0])


def _right(p: Tensor, labels: Tensor) -> Number:
    """Share of chains that are taken for what was asked of them: p is (B, classes)."""
    return _mean((p.argmax(1) == labels.cpu()).double())


def _net_confidence(ends: Ends) -> Number:
    with torch.no_grad():
        return _sure(ends.eyes.net(ends.x).softmax(1), ends.labels)


def _score(ends: Ends) -> Number:
    splits = len(ends.features.chunk(SPLITS))
    value, deviation = quality.inception_score(ends.eyes.judge, ends.features, splits, ends.seed)
    return value, deviation / splits**0.5


@dataclass(frozen=True, slots=True)
class Column:
    """A row of `COLUMNS`.

    Attributes:
        unit: of the value; empty where it has none.
        better: which values are good; None where neither is.
        needs: fields of `Eyes` or `Ends` without which there is no number.
        least: chains, below which the number says nothing.
    """

    title: str
    unit: str
    better: Literal["higher", "lower"] | None
    measure: Callable[[Ends], Number]
    needs: tuple[str, ...] = ()
    least: int = 1


COLUMNS: dict[str, Column] = {
    "confidence": Column(
        "Judge's p(y | x) of the class asked for, or of its likeliest", "", "higher",
        lambda ends: _sure(_judged(ends), ends.labels), ("judge",),
    ),
    "accuracy": Column(
        "Read by the judge as asked", "share", "higher", lambda ends: _right(_judged(ends), ends.labels), ("judge", "labels")
    ),
    "clean": Column(
        "The same, by a judge of clean images, who minds speckle", "share", "higher",
        lambda ends: _right(_read(ends.eyes.clean, ends.eyes.clean(ends.x)), ends.labels), ("judge", "clean", "labels"),
    ),
    "own": Column("p(y | x) of the net itself, or of its probe", "", "higher", _net_confidence, ("net",)),
    "nearest": Column(
        f"Distance to the nearest of {NEAR:,} training images", "L2, pixel units", "lower",
        lambda ends: _mean(by_pixels(ends.x, ends.eyes.train, 1).value[:, 0]), ("train",),
    ),
    "distance": Column("Distance travelled from x₀", "L2, pixel units", None, lambda ends: _mean(length(ends.x - ends.x0))),
    "energy": Column("Energy of the sampler at the end", "nats", "lower", lambda ends: _mean(ends.energy)),
    "kid": Column(
        "Kernel distance to validation images", "", "lower",
        lambda ends: (quality.kernel_distance(ends.real, ends.features), None), ("judge", "real"), 50,
    ),
    "precision": Column(
        "Precision: samples among real images", "share", "higher",
        lambda ends: (quality.precision_recall(ends.real, ends.features)[0], None), ("judge", "real"), 50,
    ),
    "recall": Column(
        "Recall: real images among samples", "share", "higher",
        lambda ends: (quality.precision_recall(ends.real, ends.features)[1], None), ("judge", "real"), 50,
    ),
    "fid": Column(
        "Frechet distance to validation images", "", "lower",
        lambda ends: (quality.frechet(ends.real, ends.features), quality.frechet_error(ends.real, ends.features)),
        ("judge", "real"), 100,
    ),
    "is": Column("Inception Score", "", "higher", _score, ("judge",), 100),
    "seconds": Column("Time of all chains", "s", None, lambda ends: (ends.seconds, None)),
}  # fmt: skip


LACKS = {
    "judge": "there is no judge of {data}; train it with: python -m cemviz train {judge} --scale shipped",
    "clean": "there is no judge of clean images of {data}, which would be called {judge}-clean",
    "net": "no stored classifier reads {model}; train its linear probe",
    "real": "the validation images of {data} are not on this machine",
    "train": "the training images of {data} are not on this machine",
    "labels": "no class is asked for; take a sampler that asks, or start from class-gaussian",
}
"""Need -> why there is no number without it."""


def wanted(request: SweepRequest) -> list[str]:
    """The columns that are asked for, or all that so many chains have."""
    return list(request.metric) or [name for name, row in COLUMNS.items() if request.count >= row.least]


def eyes_of(studio: Studio, request: SweepRequest, card: Card) -> Eyes:
    """Everything that looks at the ends of a model's chains, as far as the columns that are wanted need it.

    Raises:
        BadInput: a judge that is none, or the model is one.
    """
    compared(card)
    if request.judge:
        choice("judge", request.judge, kinds.judges(card.data))
    needs = {need for name in wanted(request) for need in COLUMNS[name].needs}
    usual, reader = dataset(card.data).judge, kinds.kind_of(card).reader(card)
    name = request.judge or (usual if usual in kinds.judges(card.data) else None)
    judge = judge_of(studio, card, name) if name else None
    clean = f"{usual}-clean" if "clean" in needs and f"{usual}-clean" in kinds.judges(card.data) else None
    train = studio.split(card.data, "train", card.classes) if "train" in needs else None
    real = studio.split(card.data, "validation", card.classes) if "real" in needs else None
    return Eyes(
        judge, judge_of(studio, card, clean) if clean else None, studio.model(reader)[0] if reader else None, reader, real,
        None if train is None else train.pixels[:NEAR],
    )  # fmt: skip


def measurable(request: SweepRequest, card: Card, eyes: Eyes, hinted: bool) -> list[str]:
    """The columns that are wanted and can be measured.

    Args:
        hinted: whether a class is asked for.
    Raises:
        BadInput: one that was asked for by name cannot be measured; the message says why.
    """
    there = {name for name in ("judge", "clean", "net", "real", "train") if getattr(eyes, name) is not None}
    there |= {"labels"} if hinted else set()
    names = []
    for name in wanted(request):
        row = COLUMNS[name]
        lacking = next((need for need in row.needs if need not in there), None)
        if request.metric and request.count < row.least:
            raise BadInput("count", f"chains (count) is {request.count}; metric {name!r} needs at least {row.least}")
        if request.metric and lacking:
            why = LACKS[lacking].format(data=card.data, judge=dataset(card.data).judge, model=card.name)
            raise BadInput("metric", f"metric {name!r} cannot be measured: {why}")
        if not lacking:
            names.append(name)
    return names


def features(eyes: Eyes, count: int, seed: int) -> Tensor | None:
    """The judge's features of validation images that the seed picks, as many as there are chains."""
    if eyes.judge is None or eyes.real is None:
        return None
    picks = torch.randperm(len(eyes.real), generator=torch.Generator().manual_seed(seed))[:count]
    return eyes.judge(eyes.real.floats(picks.to(eyes.real.pixels.device)))
