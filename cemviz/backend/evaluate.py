"""Measure a model on real test images: accuracy, clean and under attack, with everything that the number rests on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from ..attacks import ATTACKS, threat
from ..data import images
from ..metrics.robustness import accuracy, correct_under
from . import store
from .checks import BadInput, choice, number
from .device import Device

METRICS = {"accuracy": "Accuracy on clean test images", "robust": "Accuracy under attack"}


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What to measure; None takes the card's threat model, or the attack's own steps.

    Attributes:
        metric: key of METRICS.
        attack: untargeted key of ATTACKS.
        count: number of test images, from the start of the split.
    """

    model: str
    metric: str = "accuracy"
    attack: str = "apgd"
    norm: str | None = None
    radius: float | None = None
    steps: int | None = None
    count: int = 1000
    seed: int = 0
    data: str | None = None


def evaluate(request: EvaluateRequest, device: Device) -> Iterator[dict[str, Any]]:
    """Measure, chunk by chunk.

    Yields:
        {done, count, value}: how far it is and the value so far; the last one is the whole result: model, metric, value (a
        fraction), spread (standard error of a share), count, split, seed, extractor (None), data and the attack's numbers.
    Raises:
        KeyError, BadInput, BrokenCheckpoint, DataMissing.
    """
    choice("metric", request.metric, METRICS)
    number("count", request.count, 1, 1_000_000, whole=True)
    net, card = store.load(request.model, device.torch)
    if card.kind != "classifier":
        raise BadInput("model", f"model {card.name!r} is {card.kind}; accuracy wants a classifier")
    known = card.data in images.DATASETS
    held = images.load(card.data, "test", data=request.data, device=device.torch, download=known).first(request.count)
    x, y = held.floats(), held.labels
    result = {
        "model": card.name,
        "metric": request.metric,
        "split": "test",
        "seed": request.seed,
        "extractor": None,
        "data": card.data,
    }
    if request.metric == "accuracy":
        yield result | _share(accuracy(net, x, y), len(held))
        return
    choice("attack", request.attack, [name for name, row in ATTACKS.items() if not row.targeted])
    norm = choice("norm", request.norm or card.norm, ["l2", "linf"])
    radius = number("radius", card.radius if request.radius is None else request.radius, 0, 100, symbol="ε")
    steps = None if request.steps is None else number("steps", request.steps, 1, 10_000, symbol="K", whole=True)
    dyn = threat(request.attack, norm, radius, steps)
    result |= {"attack": request.attack, "norm": norm, "radius": radius, "steps": dyn.steps}
    correct = torch.zeros(0, dtype=torch.bool, device=device.torch)
    for part in correct_under(request.attack, net, x, y, dyn, generator=device.generator(request.seed)):
        correct = torch.cat([correct, part])
        yield {"done": len(correct), "count": len(held), "value": correct.float().mean().item()}
    yield result | _share(correct.float().mean().item(), len(held))


def _share(value: float, count: int) -> dict[str, Any]:
    return {"value": round(value, 4), "spread": round((value * (1 - value) / count) ** 0.5, 4), "count": count}


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """What of a result goes on the card."""
    return {k: v for k, v in result.items() if k not in ("model", "metric", "data")}
