"""How a cell of a table is measured on one stored model: a metric of `evaluate`, windows of energy, curves of training."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from ...data import images
from ...data.datasets import dataset
from ...metrics import quality
from ...metrics.landscape import around, energies, shape
from ...metrics.landscape import window as axis_of
from .. import store
from ..checks import BadInput
from ..device import Device
from ..evaluate import SPLITS, evaluate, stored_judge
from ..requests import EvaluateRequest, SampleRequest
from ..sample.chains import prepared
from ..studio import Studio
from ..train import curves


class Absent(LookupError):
    """A number that cannot be had here; the message is the reason, which the row gives."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Measurement behind a cell of a table.

    Attributes:
        key: of the number on a model's card, without the seed: tables that want the same number share it.
        run: (model, device, data root, seed) -> {value, error, resampled, count, split, extractor, note}; error is a standard
            error under drawing the images anew, null where nobody knows it, and resampled says how that is known.
        rate: whether the number is a share of the images: its error is then binomial.
        seeded: whether another seed gives another number: draws, starts and probes of one model.
    """

    key: str
    run: Callable[[str, Device, str | None, int], dict[str, Any]]
    rate: bool = False
    seeded: bool = True

    def kept_under(self, seed: int) -> str:
        """The key of the number at a seed on a model's card."""
        return f"{self.key} seed={seed}" if self.seeded else self.key


KEPT = ("value", "count", "split", "extractor", "seed")

RESAMPLED = {"is": "splits", "fid": "jackknife", "jfs": "images", "mfs": "images"}
"""How the error of a metric is known; that of a rate is binomial."""


def evaluated(metric: str, *, equal_norm: bool = False, **settings: Any) -> Measure:
    """A metric of `evaluate` with these settings; the seed of a table goes into its attack, its draws and its probes.

    Args:
        equal_norm: take a Fisher score at equal logit norm.
    """

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        *_, last = evaluate(Studio(device, data), EvaluateRequest(model, metric, seed=seed, **settings))
        number = {k: last.get(k) for k in KEPT} | {"note": "; ".join(last["warnings"])}
        if equal_norm:
            number["value"], error = last["equal_norm"], last["equal_norm_spread"]
        elif metric == "is":
            error = last["spread"] / last["splits"] ** 0.5 if last["splits"] > 1 else None
        else:
            error = last["spread"]
        return number | {"error": error, "resampled": RESAMPLED.get(metric, "binomial")}

    named = " ".join(f"{k}={v}" for k, v in sorted(settings.items()))
    rate = metric in ("accuracy", "robust")
    key = f"{metric}{' at equal norm' if equal_norm else ''} {named}".strip()
    return Measure(key, measure, rate, seeded=metric != "accuracy")


def ends(metric: str, extractor: str, *, count: int = 500, **chains: Any) -> Measure:
    """IS, FID or KID of chains that several columns look at: they are drawn once.

    Args:
        metric: "is", "fid" or "kid".
        extractor: "judge-NAME".
        chains: fields of a `SampleRequest`.
    """

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        card, studio = store.read_card(model), Studio(device, data)
        eye = stored_judge(studio, card.data, extractor.removeprefix("judge-"))[0]
        samples = eye(_last_images(card.sha256, device, data, SampleRequest(model, seed=seed, **chains), count))
        about = {"count": count, "split": "test", "extractor": eye.name, "seed": seed, "note": ""}
        if metric == "is":
            return about | variety(eye, samples, seed)
        return about | distance(metric, eye(studio.test_images(card.data, card.classes).first(count).floats()), samples)

    named = " ".join(f"{k}={v}" for k, v in sorted((chains | {"extractor": extractor, "count": count}).items()))
    return Measure(f"{metric} {named}", measure)


@lru_cache(maxsize=16)
def _last_images(sha256: str, device: Device, data: str | None, request: SampleRequest, count: int) -> Tensor:
    """Last images of the chains of a model whose weights have this hash, (count, C, H, W)."""
    return torch.cat(list(prepared(Studio(device, data), request, count).last()))


def variety(eye: quality.Extractor, samples: Tensor, seed: int) -> dict[str, Any]:
    """IS of features, with its error: the deviation over splits, for their mean."""
    splits = len(samples.chunk(SPLITS))
    value, deviation = quality.inception_score(eye, samples, splits, seed)
    return {"value": value, "error": deviation / splits**0.5 or None, "resampled": RESAMPLED["is"]}


def distance(metric: str, real: Tensor, samples: Tensor) -> dict[str, Any]:
    """FID with its jackknife error, or KID, whose error nobody knows, of features."""
    if metric == "kid":
        return {"value": quality.kernel_distance(real, samples), "error": None, "resampled": None}
    error = quality.frechet_error(real, samples)
    return {"value": quality.frechet(real, samples), "error": error, "resampled": RESAMPLED["fid"]}


def absent(reason: str) -> Measure:
    """A number of the paper's that cannot be made here."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        raise Absent(reason)

    return Measure("not made here", measure, seeded=False)


def real_images(metric: str, count: int, extractor: str | None = None, split: str = "test") -> Measure:
    """IS, FID or KID of other real images of the model's data set: the ceiling of IS, the floor of the others at that count.

    The seed picks them among the test images that samples are not compared with; of another split it picks both.
    """

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        test = images.load(store.read_card(model).data, split, data=data, device=device.torch)
        name = extractor or ("inception" if quality.inception_here() else f"judge-{dataset(test.name).judge}")
        eye = _eye(name, test.name, device)
        if len(test) < count + 2:
            few = f"count is {count}, and {test.name} has {len(test)} {split} images: none are left to compare with"
            raise BadInput("count", f"{few}; give at most {len(test) // 2}")
        fixed = count if split == "test" else 0
        picks = torch.randperm(len(test) - fixed, generator=device.generator(seed), device=device.torch) + fixed
        order = torch.cat([torch.arange(fixed, device=device.torch), picks])
        compared, others = order[:count], order[count : 2 * count]
        samples = eye(test.floats(others))
        number = {"count": len(others), "split": split, "extractor": eye.name, "seed": seed, "note": ""}
        return number | (
            variety(eye, samples, seed) if metric == "is" else distance(metric, eye(test.floats(compared)), samples)
        )

    named = f"{f' extractor={extractor}' if extractor else ''}{f' split={split}' if split != 'test' else ''}"
    return Measure(f"{metric} of real images count={count}{named}", measure)


def _eye(name: str, data: str, device: Device) -> quality.Extractor:
    """The extractor of this name.  Raises BadInput where there is no such judge of the data set."""
    if name == "inception":
        return quality.inception(device.torch)
    return stored_judge(Studio(device), data, name.removeprefix("judge-"))[0]


def window(quantity: str, *, count: int = 100, radius: float = 6.0, side: int = 21) -> Measure:
    """Mean over test images of a figure of E(x, y) in a window around each: range, depth or offset, see `metrics.landscape`."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        net, card = store.load(model, device.torch)
        subset = images.load(card.data, "test", classes=card.classes, data=data, device=device.torch).first(count)
        shapes = []
        for i in range(len(subset)):
            y = subset.labels[i]
            joint, _ = energies(net, around(net, subset.floats(i), y, "random", radius, side, seed * len(subset) + i), y)
            shapes.append(getattr(shape(joint.cpu(), axis_of(radius, side)), quantity))
        error = torch.tensor(shapes).std().item() / len(shapes) ** 0.5
        number = {"value": mean(shapes), "error": error, "resampled": "images", "count": len(subset)}
        return number | {"split": "test", "extractor": None}

    return Measure(f"window {quantity} radius={radius:g} side={side} count={count}", measure)


def over_training(delta: str, energy: str, statistic: str) -> Measure:
    """A figure of a run's probes: lowest, highest or mean change of an energy, or the share of probes where it is positive."""
    pick: dict[str, Callable[[list[float]], float]] = {
        "lowest": min,
        "highest": max,
        "mean": mean,
        "positive": lambda values: mean(v > 0 for v in values),
    }

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        history = store.read_json(curves.path(model))
        values = [probe[delta][energy][0] for probe in history["probes"]]
        return {"value": float(pick[statistic](values)), "count": len(values), "split": "train", "extractor": None}

    return Measure(f"{statistic} {delta} {energy}", measure, seeded=False)
