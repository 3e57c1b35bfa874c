"""Effects of an attack on detectors, alone and behind a classifier: the measures that the tables of section 3.2 are made of.

All are of stored models, and of test images in mixed order.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ...adaptive import adam_pgd, auto_pgd
from ...attacks import Run, climb, threat, worst_of
from ...dynamics import Dynamics, State, descend
from ...energies import Energy, binary, negated, on
from ...evasion import EVASIONS, evade, rival
from ...metrics.detection import auc, auc_drop, auc_error, deceiving, fpr_at, generative, integrated, threshold_at
from ...nets.one_vs_rest import only
from ...square import square
from ..device import Device
from ..studio import Studio
from .measures import Measure

LINF, L2 = "mnist-detectors", "mnist-detectors-l2"
"""A net a class, trained in L∞ .3 and in L2 2.5."""

CLASSIFIER = "mnist-standard"
"""The net whose answers integrated detection looks at."""

COUNT, FEW, MANY = 500, 200, 5000
"""Test images of other classes, where an attack takes thousands of steps, and among which all of one class are looked for."""

PLAIN: dict[str, Any] = {"steps": 200, "step": 0.01}
"""The thesis' attack of Table 3.3."""

LIFT = 1000.0
"""Added to an energy that random search shall go on lowering below 0, where Square itself rests."""


def random_search(energy: Energy, x0: Tensor, dyn: Dynamics, **how: Any) -> Iterator[State]:
    """Square's proposals, without a gradient, until the queries are spent."""
    for state in square(lambda x: energy(x).double() + LIFT, x0, dyn, **how):
        yield state._replace(energy=state.energy - LIFT)


RUNS: dict[str, Run] = {"steps": descend, "adam": adam_pgd, "auto": auto_pgd, "random": random_search}


def images(studio: Studio, model: str, count: int) -> tuple[Tensor, Tensor, nn.Module]:
    """Test images, labels, and the net."""
    net, card = studio.model(model)
    test = studio.test_images(card.data, card.classes)
    some = test.first(count)
    return some.floats(), some.labels, net


def score(net: nn.Module, k: int) -> Energy:
    """f_k, the score of one detector alone."""
    return on(only(net, k), negated(binary))


def alone(
    k: int, norm: str, radius: float, steps: int, step: float, *, run: str = "steps", restarts: int = 1, count: int = COUNT
) -> Measure:
    """AUC of one detector: its class as it is against attacked images of the other classes."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        studio = Studio(device, data)
        x, y, net = images(studio, model, 2 * count)
        d = score(net, k)
        others = x[y != k][:count]
        with torch.no_grad():
            inside = d(x[y == k])
        dyn, draws = threat("pgd", norm, radius, steps, step), device.generator(seed)
        outside = -worst_of(restarts, d, others, dyn, run=RUNS[run], generator=draws).energy
        rest = {"count": len(others), "split": "test", "extractor": None, "seed": seed, "note": ""}
        return rest | {"value": auc(inside, outside), "error": auc_error(inside, outside), "resampled": "images"}

    return Measure(f"AUC of d_{k}{_attack_words(norm, radius, steps, step, run, restarts)} count={count}", measure)


def lowered(
    k: int, norm: str, radius: float, steps: int, step: float, *, run: str = "steps", restarts: int = 1, count: int = FEW
) -> Measure:
    """By how much another attack lowers the AUC below that of `PLAIN`, on the same images."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        studio = Studio(device, data)
        x, y, net = images(studio, model, MANY)
        d = score(net, k)
        others = x[y != k][:count]
        with torch.no_grad():
            inside = torch.cat([d(part) for part in x[y == k].split(100)])
        ways = ((1, "steps", threat("pgd", norm, radius, **PLAIN)), (restarts, run, threat("pgd", norm, radius, steps, step)))
        plain, attacked = (
            -worst_of(times, d, others, dyn, run=RUNS[how], generator=device.generator(seed)).energy for times, how, dyn in ways
        )
        drop, error = auc_drop(inside, plain, attacked)
        rest = {"count": len(others), "split": "test", "extractor": None, "seed": seed, "note": ""}
        return rest | {"value": drop, "error": error, "resampled": "images"}

    return Measure(f"AUC of d_{k} lowered by{_attack_words(norm, radius, steps, step, run, restarts)} count={count}", measure)


def _attack_words(norm: str, radius: float, steps: int, step: float, run: str, restarts: int) -> str:
    how = {"steps": "", "adam": " Adam", "auto": " Auto-PGD", "random": " random search"}[run]
    again = f" restarts={restarts}" if restarts > 1 else ""
    return f"{how} norm={norm} radius={radius:g} steps={steps} step={step:g}{again}"


def passed(way: str, evasion: str, count: int = COUNT // 2, steps: int = 100) -> Measure:
    """FPR (3.29) at TPR .95 (3.28) of one way to decide under one attack, of test images."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        studio = Studio(device, data)
        x, y, net = images(studio, model, count)
        card, (other, _) = studio.cards()[model], studio.model(CLASSIFIER)
        dyn = threat("pgd", card.norm, card.radius, steps, 2.5 * card.radius / steps)
        parts = enumerate(zip(x.split(50), y.split(50), strict=True))
        at = torch.cat([
            evade(EVASIONS[evasion], other, net, some, labels, dyn, generator=device.generator(1000 * seed + i))
            for i, (some, labels) in parts
        ])  # fmt: skip
        with torch.no_grad():
            clean = integrated(other(x), net(x)) if way == "integrated" else generative(net(x))
            moved = integrated(other(at), net(at)) if way == "integrated" else generative(net(at))
        value = fpr_at(0.95, clean.score, deceiving(moved, y))
        return {"value": value, "count": len(x), "split": "test", "extractor": None, "seed": seed, "note": ""}

    return Measure(f"FPR at TPR .95 {way} under {evasion} steps={steps} count={count}", measure, rate=True)


LONGEST, HALVINGS, SEARCH = 14.0, 8, 100
"""Longest change that is looked at, L2; bisections of it, and steps of each attack."""


def distortion(count: int = 50) -> Measure:
    """Mean L2 length of the smallest change that makes generative detection pass an image as another class, at TPR .95."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        studio = Studio(device, data)
        x, y, net = images(studio, model, COUNT)
        with torch.no_grad():
            limit = threshold_at(0.95, generative(net(x)).score)
        x, y = x[:count], y[:count]
        low, high = torch.zeros(count, device=x.device), torch.full((count,), LONGEST, device=x.device)
        draws = device.generator(seed)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            passes = torch.zeros_like(middle, dtype=torch.bool)
            for i, reach in enumerate(middle.tolist()):
                dyn = threat("pgd", "l2", reach, SEARCH, 2.5 * reach / SEARCH)
                image, label = x[i : i + 1], y[i : i + 1]
                *_, last = climb(lambda at, label=label: -rival(net(at), label), image, dyn, start=image, generator=draws)
                with torch.no_grad():
                    decided = generative(net(last.x))
                passes[i] = bool(deceiving(decided, label) >= limit)
            low, high = torch.where(passes, low, middle), torch.where(passes, middle, high)
        note = f"{int((high == LONGEST).sum())} of {count} not passed at {LONGEST:g}" if (high == LONGEST).any() else ""
        error = high.std().item() / count**0.5
        rest = {"count": count, "split": "test", "extractor": None, "seed": seed, "note": note}
        return rest | {"value": high.mean().item(), "error": error, "resampled": "images"}

    return Measure(f"mean L2 distortion at TPR .95 count={count} steps={SEARCH} halvings={HALVINGS}", measure)
