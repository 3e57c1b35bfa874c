"""Measure a model on real test images, with everything that the number rests on: accuracy, samples, Fisher scores."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from ..attacks import threat
from ..data import images
from ..data.datasets import dataset
from ..data.images import Images
from ..metrics import fisher, quality
from ..metrics.answers import entered, logits, lost, outcomes, share
from ..metrics.preflight import preflight
from ..metrics.robustness import PROTOCOLS, outcomes_by, outcomes_under
from . import kinds
from .attack.outside import outside
from .checks import BadInput, choice, number, threat_model
from .fields import changes
from .requests import EvaluateRequest, OutsideRequest, SampleRequest
from .sample.chains import prepared
from .store import Card
from .studio import Studio
from .use_case import Step

COUNT, SLOW_COUNT = 1000, 200
"""Images that a metric takes unless told: the second where each costs a backward pass a class, or random probes."""

SPLITS = 10
"""Parts of an Inception Score."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Model that is measured, and the images that it is measured on."""

    net: nn.Module
    card: Card
    test: Images
    studio: Studio


Measure = Callable[[EvaluateRequest, Subject], Iterator[Step | dict[str, Any]]]
"""Yields steps, and at the end value, spread (standard error; of is, deviation over its splits; of fid, null), count and the
metric's own numbers."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A row of `METRICS`.

    Attributes:
        unit: of the value; empty where it has none.
        better: which values are good.
        any_kind: it reads models of every kind, or says itself which; the others want a classifier.
        takes: fields of a request that mean something to it, beside model, metric, count and seed.
    """

    title: str
    unit: str
    better: Literal["higher", "lower"]
    any_kind: bool
    measure: Measure
    takes: tuple[str, ...] = ()


def evaluate(studio: Studio, request: EvaluateRequest) -> Iterator[Step | dict[str, Any]]:
    """Measure, chunk by chunk.

    Yields:
        steps, then the result: model, metric, unit, better, split, seed, extractor (null where none sees the images),
        warnings (a list), data, and what the metric's `Measure` gives.
    Raises:
        KeyError, BadInput, BrokenCheckpoint, DataMissing, LookupError, Diverged.
    """
    net, card = studio.model(request.model)
    kinds.kind_of(card)
    metric = METRICS[request.metric]
    for name in changes(request):
        if name not in ("model", "metric", "count", "seed", *metric.takes):
            others = " or ".join(key for key, row in METRICS.items() if name in row.takes)
            raise BadInput(name, f"metric {request.metric!r} takes no {name}; leave it out, or ask for the metric {others}")
    if not metric.any_kind:
        kinds.classifier(card, request.metric)
    test = images.load(card.data, "test", classes=card.classes, data=studio.data, device=studio.device.torch)
    if tuple(test.pixels.shape[1:]) != card.shape:
        sizes = [" x ".join(map(str, shape)) for shape in (test.pixels.shape[1:], card.shape)]
        raise BadInput("data", f"images of {card.data} are {sizes[0]} here, and {card.name!r} takes {sizes[1]}: resize them")
    result = {
        "model": card.name,
        "metric": request.metric,
        "unit": metric.unit,
        "better": metric.better,
        "split": "test",
        "seed": request.seed,
        "extractor": None,
        "warnings": list(test.warnings),
        "data": card.data,
    }
    for item in metric.measure(request, Subject(net, card, test, studio)):
        yield item if isinstance(item, Step) else result | item


def _accuracy(request: EvaluateRequest, on: Subject) -> Iterator[Step | dict[str, Any]]:
    subset = on.test.first(request.count or COUNT)
    x, y = subset.floats(), subset.labels
    ends = outcomes(logits(entered(on.net, x, y), x), y)
    yield {"warnings": [*subset.cautions(), *lost(ends)]} | _share(ends)


def _robust(request: EvaluateRequest, on: Subject) -> Iterator[Step | dict[str, Any]]:
    subset = on.test.first(request.count or COUNT)
    x, y = subset.floats(), subset.labels
    norm, radius = threat_model(on.card, request.norm, request.radius)
    if request.steps == 0:
        raise BadInput("steps", "K (steps) is 0; give a whole number from 1 to 10000")
    attack = request.attack or kinds.kind_of(on.card).attack
    number("radius", radius, 0, 100, symbol="ε")
    draws = on.studio.device.generator(request.seed)
    if attack in PROTOCOLS:
        if request.steps is not None:
            raise BadInput("steps", f"attack {attack!r} has steps of its own; leave K (steps) out, or choose a single attack")
        steps = {name: threat(name, norm, radius).steps for name in PROTOCOLS[attack].attacks}
        parts = outcomes_by(attack, on.net, x, y, norm, radius, generator=draws)
    else:
        dyn = threat(attack, norm, radius, request.steps)
        steps, parts = dyn.steps, outcomes_under(attack, on.net, x, y, dyn, generator=draws)
    warnings = [*subset.cautions(), *preflight(on.net, x[:100], y[:100])]
    ends = torch.zeros(0, dtype=torch.int8, device=x.device)
    for part in parts:
        ends = torch.cat([ends, part])
        yield Step(len(ends), len(subset), f"accuracy so far {_share(ends)['value']:.3f}")
    warnings += lost(ends)
    numbers = {"attack": attack, "norm": norm, "radius": radius, "steps": steps, "warnings": warnings}
    yield numbers | _share(ends)


def _quality(request: EvaluateRequest, on: Subject) -> Iterator[Step | dict[str, Any]]:
    extractor = _extractor(request, on)
    subset = on.test.first(request.count or COUNT)
    count = len(subset)  # as many samples as test images
    if count < 2:
        raise BadInput("count", f"count is {count}; {request.metric} needs at least 2 images")
    usual = kinds.kind_of(on.card).usual["sampler"]
    chains = SampleRequest(
        on.card.name,
        request.sampler or usual,
        start=request.start,
        radius=request.radius,
        steps=request.steps,
        step=request.step,
        seed=request.seed,
    )
    run = prepared(on.studio, chains, count)
    features = []
    for part in run.last():
        features.append(extractor(part))
        yield Step(sum(map(len, features)), count, "samples")
    fakes = torch.cat(features)
    numbers = {"extractor": extractor.name, "count": count, "sampler": chains.sampler, "start": request.start}
    numbers |= {k: getattr(run.dynamics, k) for k in ("steps", "step", "noise")}
    numbers["radius"] = "inf" if math.isinf(run.dynamics.radius) else run.dynamics.radius  # JSON knows no infinity
    if request.metric == "is":
        splits = len(fakes.chunk(SPLITS))
        value, spread = quality.inception_score(extractor, fakes, splits, request.seed)
        part = math.ceil(count / splits)
        if part < len(on.test.classes):
            numbers["warnings"] = [*on.test.warnings, f"{splits} parts of {count} images score at most {part}; give more"]
        yield numbers | {"value": round(value, 4), "spread": round(spread, 4), "splits": splits}
        return
    real = extractor(subset.floats())
    other = on.test.first(2 * count).floats(slice(count, None))
    # what real images score with so few: the bias that a reader should have in mind
    floor = round(quality.frechet(real, extractor(other)), 4) if len(other) == count else None
    error = quality.frechet_error(real, fakes)
    spread = None if error is None else round(error, 4)
    yield numbers | {"value": round(quality.frechet(real, fakes), 4), "spread": spread, "floor": floor}


def _extractor(request: EvaluateRequest, on: Subject) -> quality.Extractor:
    """The one asked for, else Inception where it is, else the data set's judge; a judge never judges itself or another."""
    usual, judges = dataset(on.card.data).judge, kinds.judges(on.card.data)
    key = request.extractor or ("inception" if quality.inception_here() else f"judge-{usual}")
    choice("extractor", key, ["inception", *dict.fromkeys(f"judge-{name}" for name in (usual, *judges))])
    compared(on.card)
    if key == "inception":
        return quality.inception(on.studio.device.torch)
    return judge_of(on.studio, on.card, key.removeprefix("judge-"))


def compared(card: Card) -> None:
    """Refuse a model that is a judge.  Raises BadInput."""
    if card.name in kinds.judges(card.data):
        raise BadInput("model", f"model {card.name!r} is a judge of {card.data}: it is never one of the compared nets")


def judge_of(studio: Studio, card: Card, name: str) -> quality.Extractor:
    """A judge of this name that sees the samples of a model.

    Raises:
        BadInput: there is none, or it is the model under another name.
    """
    eye, judge = stored_judge(studio, card.data, name)
    if judge.sha256 == card.sha256:
        raise BadInput("model", f"model {card.name!r} is the judge {name!r} under another name: it is never compared")
    return eye


def stored_judge(studio: Studio, data: str, name: str) -> tuple[quality.Extractor, Card]:
    """A judge of a data set, and its card.

    Raises:
        BadInput: there is none of this name.
    """
    if name not in kinds.judges(data):
        make = f"python -m cemviz train {name} --scale shipped"
        raise BadInput("extractor", f"there is no judge {name!r} to see the images of {data}; train it with: {make}")
    net, card = studio.model(name)
    return quality.judge(name, net), card


def _fisher(request: EvaluateRequest, on: Subject) -> Iterator[Step | dict[str, Any]]:
    exact, joint = fisher.piecewise_linear(on.net), request.metric == "jfs"
    subset = on.test.first(request.count or (COUNT if exact and joint else SLOW_COUNT))
    x, y = subset.floats(), subset.labels if joint else None
    c = fisher.logit_norm(on.net, x)

    def scores(scale: float) -> Iterator[fisher.Fisher]:
        return fisher.score(on.net, x, y, scale=scale, generator=on.studio.device.generator(request.seed))

    parts = []
    for part in scores(1.0):
        parts.append(part)
        so_far = fisher.gather(parts)
        yield Step(len(so_far.value), len(subset), f"score so far {so_far.mean:.4g}")
    plain, equal = so_far, fisher.gather(scores(c))
    yield {
        "value": _digits(plain.mean),
        "spread": _digits(plain.spread),
        "count": len(subset),
        "method": "exact" if exact else "hutchinson",
        "square": _digits(plain.square.mean().item()),
        "trace": _digits(plain.trace.mean().item()),
        "trace_error": _digits(plain.error.square().sum().sqrt().item() / len(subset)),
        "equal_norm": _digits(equal.mean),
        "equal_norm_spread": _digits(equal.spread),
        "logit_norm": _digits(c),
    }


def _outside(request: EvaluateRequest, on: Subject) -> Iterator[Step | dict[str, Any]]:
    """How well the model's score tells test images from others, with and without an attack on these."""
    options = {name: value for name in (*OUTSIDE, "count", "seed") if (value := getattr(request, name)) is not None}
    for item in outside(on.studio, OutsideRequest(on.card.name, **options)):
        if isinstance(item, Step):
            yield item
            continue
        standard, worst = ({k: round(v, 4) for k, v in item.rates(attacked).items()} for attacked in (False, True))
        yield {
            "value": worst["auc"], "spread": worst["spread"],
            "standard": standard["auc"], "standard_spread": standard["spread"],
            "fpr95": worst["fpr95"], "aupr": worst["aupr"], "count": len(item.worst), "inside": len(item.inside),
            "against": item.request.against, "part": item.part, "seen": item.seen, "score": item.score,
            "norm": item.norm, "radius": item.radius, "steps": item.request.steps, "restarts": item.request.restarts,
        }  # fmt: skip


DRAWN = ("sampler", "start", "radius", "steps", "step", "extractor")
"""Fields of a request that samples rest on."""

OUTSIDE = ("against", "score", "norm", "radius", "steps", "restarts")
"""Fields of a request that out-of-distribution detection takes."""

METRICS: dict[str, Metric] = {
    "accuracy": Metric("Accuracy on clean test images", "share", "higher", False, _accuracy),
    "robust": Metric("Accuracy under attack", "share", "higher", False, _robust, ("attack", "norm", "radius", "steps")),
    "is": Metric("Inception Score of samples", "", "higher", True, _quality, DRAWN),
    "fid": Metric("Frechet distance of samples to test images", "", "lower", True, _quality, DRAWN),
    "jfs": Metric("Joint Fisher score, of E(x, y)", "", "lower", False, _fisher),
    "mfs": Metric("Marginal Fisher score, of E(x)", "", "lower", False, _fisher),
    "ood": Metric("AUC of test images against others, attacked", "share", "higher", True, _outside, OUTSIDE),
}


def _share(ends: torch.Tensor) -> dict[str, Any]:
    """The share of images that are right, with its standard error."""
    value, count = share(ends), len(ends)
    return {"value": round(value, 4), "spread": round((value * (1 - value) / count) ** 0.5, 4), "count": count}


def _digits(value: float) -> float:
    """Six significant digits: Fisher scores span many orders."""
    return float(f"{value:.6g}")


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """The part of a result that goes on the card."""
    return {k: v for k, v in result.items() if k not in ("model", "metric", "unit", "better", "data")}
