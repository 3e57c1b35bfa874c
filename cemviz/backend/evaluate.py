"""Measure a model on real test images, with everything that the number rests on: accuracy, samples, Fisher scores."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from .. import samplers, starts
from ..attacks import ATTACKS, threat
from ..data import images
from ..data.images import Images
from ..dynamics import Dynamics
from ..metrics import fisher, quality
from ..metrics.robustness import accuracy, correct_under, preflight
from . import sampling, store
from .checks import BadInput, choice, number, threat_model
from .device import Device
from .store import Card

METRICS = {
    "accuracy": "Accuracy on clean test images",
    "robust": "Accuracy under attack",
    "is": "Inception Score of samples",
    "fid": "Frechet distance of samples to test images",
    "jfs": "Joint Fisher score, of E(x, y)",
    "mfs": "Marginal Fisher score, of E(x)",
}

DRAWN = ("is", "fid")
"""Metrics of samples, which encoders draw too."""

COUNT, SLOW_COUNT = 1000, 200
"""Images that a metric takes unless told: the second where each costs a backward pass a class, or random probes."""

CHUNK, CROWD, SPLITS = 100, 250, 10
"""Chains at a time, which the draws of a seed depend on, of a classifier, and of an encoder, whose batch moves as one; parts of
an Inception Score."""


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What to measure; None takes the card's threat model, or the attack's or the sampler's own numbers.

    Attributes:
        metric: key of METRICS.
        attack: untargeted key of ATTACKS.
        radius, steps: of the attack (ε, K), or of the chains (β, K) for is and fid.
        count: number of test images, from the start of the split, and of samples; None takes COUNT or SLOW_COUNT.
        sampler, start: keys of SAMPLERS and STARTS, for is and fid; None takes RCS of a classifier and MaxEnt of an encoder.
        extractor: inception or judge-NAME; None takes Inception where its weights are here, else the data set's judge.
    """

    model: str
    metric: str = "accuracy"
    attack: str = "apgd"
    norm: str | None = None
    radius: float | None = None
    steps: int | None = None
    count: int | None = None
    seed: int = 0
    data: str | None = None
    sampler: str | None = None
    start: str = "class-gaussian"
    extractor: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured, and on what."""

    net: nn.Module
    card: Card
    test: Images
    device: Device


def evaluate(request: EvaluateRequest, device: Device) -> Iterator[dict[str, Any]]:
    """Measure, chunk by chunk.

    Yields:
        {done, count} and, where there is one, the value so far; the last one is the whole result: model, metric, value, spread
        (standard error; of is, deviation over its splits; of fid, null), count, split, seed, extractor (null where none sees
        the images), warnings (a list), data and the metric's own numbers.
    Raises:
        KeyError, BadInput, BrokenCheckpoint, DataMissing, LookupError, Diverged.
    """
    choice("metric", request.metric, METRICS)
    if request.count is not None:
        number("count", request.count, 1, 1_000_000, whole=True)
    net, card = store.load(request.model, device.torch)
    if request.sampler is None:
        request = replace(request, sampler="maxent" if card.kind == "encoder" else "rcs")
    if card.kind != "classifier" and request.metric not in DRAWN:
        raise BadInput(
            "model",
            f"model {card.name!r} is an {card.kind}; {request.metric} wants a classifier: evaluate its linear probe, "
            f"{card.name}-probe, or train one with: python -m cemviz train {card.recipe}-probe --set encoder={card.name}",
        )
    test = images.load(card.data, "test", classes=card.classes, data=request.data, device=device.torch)
    if tuple(test.pixels.shape[1:]) != card.shape:
        sizes = [" x ".join(map(str, shape)) for shape in (test.pixels.shape[1:], card.shape)]
        raise BadInput("data", f"images of {card.data} are {sizes[0]} here, and {card.name!r} takes {sizes[1]}: resize them")
    result = {
        "model": card.name,
        "metric": request.metric,
        "split": "test",
        "seed": request.seed,
        "extractor": None,
        "warnings": list(test.warnings),
        "data": card.data,
    }
    for item in MEASURES[request.metric](request, Subject(net, card, test, device)):
        yield item if "done" in item else result | item


def _accuracy(request: EvaluateRequest, on: Subject) -> Iterator[dict[str, Any]]:
    held = on.test.first(request.count or COUNT)
    yield {"warnings": held.cautions()} | _share(accuracy(on.net, held.floats(), held.labels), len(held))


def _robust(request: EvaluateRequest, on: Subject) -> Iterator[dict[str, Any]]:
    held = on.test.first(request.count or COUNT)
    x, y = held.floats(), held.labels
    choice("attack", request.attack, [name for name, row in ATTACKS.items() if not row.targeted])
    norm, radius = threat_model(on.card.name, (on.card.norm, on.card.radius), request.norm, request.radius)
    radius = number("radius", radius, 0, 100, symbol="ε")
    steps = None if request.steps is None else number("steps", request.steps, 1, 10_000, symbol="K", whole=True)
    dyn = threat(request.attack, norm, radius, steps)
    warnings = [*held.cautions(), *preflight(on.net, x[:100], y[:100])]
    correct = torch.zeros(0, dtype=torch.bool, device=x.device)
    for part in correct_under(request.attack, on.net, x, y, dyn, generator=on.device.generator(request.seed)):
        correct = torch.cat([correct, part])
        yield {"done": len(correct), "count": len(held), "value": correct.float().mean().item()}
    numbers = {"attack": request.attack, "norm": norm, "radius": radius, "steps": dyn.steps, "warnings": warnings}
    yield numbers | _share(correct.float().mean().item(), len(held))


def _quality(request: EvaluateRequest, on: Subject) -> Iterator[dict[str, Any]]:
    extractor = _extractor(request, on)
    held = on.test.first(request.count or COUNT)
    count = len(held)  # as many samples as test images
    if count < 2:
        raise BadInput("count", f"count is {count}; {request.metric} needs at least 2 images")
    sampling.fitting(request.sampler, on.card)
    choice("start", request.start, starts.STARTS)
    asked = sampling.SampleRequest(on.card.name, request.sampler, radius=request.radius, steps=request.steps)
    dyn = sampling.settings(asked, on.card)
    found = []
    for part in _drawn(request, on, dyn, count):
        found.append(extractor(part))
        yield {"done": sum(map(len, found)), "count": count}
    seen = torch.cat(found)
    numbers = {"extractor": extractor.name, "count": count, "sampler": request.sampler, "start": request.start}
    numbers |= {k: getattr(dyn, k) for k in ("steps", "step", "noise")}
    numbers["radius"] = "inf" if math.isinf(dyn.radius) else dyn.radius  # JSON knows no infinity
    if request.metric == "is":
        splits = len(seen.chunk(SPLITS))
        value, spread = quality.inception_score(extractor, seen, splits, request.seed)
        yield numbers | {"value": round(value, 4), "spread": round(spread, 4), "splits": splits}
        return
    real = extractor(held.floats())
    other = on.test.first(2 * count).floats(slice(count, None))
    # what real images score with so few: the bias that a reader should have in mind
    floor = round(quality.frechet(real, extractor(other)), 4) if len(other) == count else None
    yield numbers | {"value": round(quality.frechet(real, seen), 4), "spread": None, "floor": floor}


def _drawn(request: EvaluateRequest, on: Subject, dyn: Dynamics, count: int) -> Iterator[Tensor]:
    """Last images of `count` chains, the classes in turn, a chunk at a time; starts and noise have a source each."""
    place = on.device.torch
    source = starts.Source(on.card.shape, store.load_gaussians(on.card.data, place), on.test.pixels)
    if request.start.endswith("gaussian") and source.gaussians is None:
        make = f"python -m cemviz assets {on.card.data} --only seeds"
        raise BadInput("start", f"start {request.start!r} needs the class Gaussians of {on.card.data}; make them with: {make}")
    begin, noise = on.device.generator(request.seed), on.device.generator(request.seed + 1)
    classes = torch.arange(count, device=place) % len(on.card.classes)
    sampler = samplers.SAMPLERS[request.sampler]
    refs = sampling.references(source.images, on.card, on.device, request.seed + 2) if sampler.given == "references" else None
    for y in classes.split(CHUNK if on.card.kind == "classifier" else CROWD):
        x0 = starts.draw(request.start, source, y, begin)
        for state in samplers.sample(request.sampler, on.net, x0, y, dyn, refs=refs, generator=noise):
            x = state.x
        yield x


def _extractor(request: EvaluateRequest, on: Subject) -> quality.Extractor:
    """The one asked for, else Inception where it is, else the data set's judge; a judge never judges itself or another."""
    usual, judges = f"{on.card.data}-judge", store.judges(on.card.data)
    asked = request.extractor or ("inception" if quality.inception_here() else f"judge-{usual}")
    choice("extractor", asked, ["inception", *dict.fromkeys(f"judge-{name}" for name in (usual, *judges))])
    if on.card.name in judges:
        raise BadInput("model", f"model {on.card.name!r} is a judge of {on.card.data}: it is never one of the compared nets")
    if asked == "inception":
        return quality.inception(on.device.torch)
    name = asked.removeprefix("judge-")
    if name not in judges:
        make = f"python -m cemviz train {name} --scale shipped"
        raise BadInput("extractor", f"there is no judge {name!r} to see the images of {on.card.data}; train it with: {make}")
    net, card = store.load(name, on.device.torch)
    if card.sha256 == on.card.sha256:
        raise BadInput("model", f"model {on.card.name!r} is the judge {name!r} under another name: it is never compared")
    return quality.judge(name, net)


def _fisher(request: EvaluateRequest, on: Subject) -> Iterator[dict[str, Any]]:
    exact, joint = fisher.piecewise_linear(on.net), request.metric == "jfs"
    held = on.test.first(request.count or (COUNT if exact and joint else SLOW_COUNT))
    x, y = held.floats(), held.labels if joint else None
    c = fisher.logit_norm(on.net, x)

    def scores(scale: float) -> Iterator[fisher.Fisher]:
        return fisher.score(on.net, x, y, scale=scale, generator=on.device.generator(request.seed))

    parts = []
    for part in scores(1.0):
        parts.append(part)
        so_far = fisher.gather(parts)
        yield {"done": len(so_far.value), "count": len(held), "value": so_far.mean}
    plain, equal = so_far, fisher.gather(scores(c))
    yield {
        "value": _digits(plain.mean),
        "spread": _digits(plain.spread),
        "count": len(held),
        "method": "exact" if exact else "hutchinson",
        "square": _digits(plain.square.mean().item()),
        "trace": _digits(plain.trace.mean().item()),
        "trace_error": _digits(plain.error.square().sum().sqrt().item() / len(held)),
        "equal_norm": _digits(equal.mean),
        "equal_norm_spread": _digits(equal.spread),
        "logit_norm": _digits(c),
    }


MEASURES = {"accuracy": _accuracy, "robust": _robust, "is": _quality, "fid": _quality, "jfs": _fisher, "mfs": _fisher}


def _share(value: float, count: int) -> dict[str, Any]:
    return {"value": round(value, 4), "spread": round((value * (1 - value) / count) ** 0.5, 4), "count": count}


def _digits(value: float) -> float:
    """Six significant digits: Fisher scores span many orders."""
    return float(f"{value:.6g}")


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """What of a result goes on the card."""
    return {k: v for k, v in result.items() if k not in ("model", "metric", "data")}
