"""How a cell of a table is measured on one stored model: a metric of `evaluate`, windows of energy, curves of training."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean
from typing import Any

import torch

from ..data import images
from ..metrics.landscape import around, energies, shape
from ..metrics.landscape import window as axis_of
from . import curves, store
from .device import Device
from .evaluate import EvaluateRequest, evaluate


@dataclass(frozen=True, slots=True)
class Measure:
    """What a cell of a table is.

    Attributes:
        key: of the number on a model's card: tables that want the same number share it.
        run: (model, device, data root) -> {value, count, split, extractor, note}.
    """

    key: str
    run: Callable[[str, Device, str | None], dict[str, Any]]


BUDGET = {"start": "uniform", "steps": 40, "count": 500}
"""One start and one budget for generators that are compared, with JEAT's raw gradient: our choice, it names no η and no K."""

KEPT = ("value", "spread", "count", "split", "extractor", "seed")


def evaluated(metric: str, *, equal_norm: bool = False, **settings: Any) -> Measure:
    """A metric of `evaluate` with these settings.

    Args:
        equal_norm: take a Fisher score at equal logit norm.
    """

    def measure(model: str, device: Device, data: str | None) -> dict[str, Any]:
        *_, last = evaluate(EvaluateRequest(model, metric, data=data, **settings), device)
        told = {k: last.get(k) for k in KEPT} | {"note": _note(last)}
        return told | {"value": last["equal_norm"], "spread": None} if equal_norm else told

    named = " ".join(f"{k}={v}" for k, v in sorted(settings.items()))
    return Measure(f"{metric}{' at equal norm' if equal_norm else ''} {named}".strip(), measure)


def _note(last: dict[str, Any]) -> str:
    notes = list(last["warnings"])
    if last.get("floor") is not None:
        notes.append(f"{last['count']} other test images score {last['floor']:.4g}")
    return "; ".join(notes)


def window(what: str, *, count: int = 100, radius: float = 6.0, side: int = 21) -> Measure:
    """Mean over test images of a figure of E(x, y) in a window around each: range, depth or offset, see `metrics.landscape`."""

    def measure(model: str, device: Device, data: str | None) -> dict[str, Any]:
        net, card = store.load(model, device.torch)
        held = images.load(card.data, "test", classes=card.classes, data=data, device=device.torch).first(count)
        found = []
        for i in range(len(held)):
            y = held.labels[i]
            joint, _ = energies(net, around(net, held.floats(i), y, "random", radius, side, i), y)
            found.append(getattr(shape(joint.cpu(), axis_of(radius, side)), what))
        spread = torch.tensor(found).std().item() / len(found) ** 0.5
        return {"value": mean(found), "spread": spread, "count": len(held), "split": "test", "extractor": None}

    return Measure(f"window {what} radius={radius:g} side={side} count={count}", measure)


def over_training(delta: str, energy: str, what: str) -> Measure:
    """A figure of a run's probes: lowest, highest or mean change of an energy, or the share of probes where it is positive."""
    pick: dict[str, Callable[[list[float]], float]] = {
        "lowest": min,
        "highest": max,
        "mean": mean,
        "positive": lambda values: mean(v > 0 for v in values),
    }

    def measure(model: str, device: Device, data: str | None) -> dict[str, Any]:
        history = json.loads(curves.path(model).read_text(encoding="utf-8"))
        values = [probe[delta][energy][0] for probe in history["probes"]]
        return {"value": float(pick[what](values)), "count": len(values), "split": "train", "extractor": None}

    return Measure(f"{what} {delta} {energy}", measure)


def constant(value: float) -> Measure:
    """A line to compare with."""
    told = {"value": value, "count": None, "split": None, "extractor": None}
    return Measure(f"constant {value:g}", lambda model, device, data: told)
