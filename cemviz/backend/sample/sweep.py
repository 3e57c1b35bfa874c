"""Sweep one or two of alpha, beta, eta, K: the same chains under every setting, and what their ends are worth.

K is swept with one chain, whose states on the way are those of shorter chains: its noise does not depend on K.  Every other
setting begins the same chains anew, since what a chain draws depends on the seed and on its own place alone.
"""

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from statistics import mean, stdev

import numpy as np
import torch
from torch import Tensor

from ...dynamics import Dynamics
from ...samplers import CEM_TABLE_5
from ..requests import NUMBERS, SweepRequest
from ..studio import Studio
from ..use_case import Step
from .chains import Run, hinted, prepared, to_pixels
from .columns import COLUMNS, Ends, Eyes, Number, eyes_of, features, measurable
from .swept import Cell, Settings, Sweep, Value, symbol

FACTORS = {
    "step": (0.125, 0.25, 0.5, 1, 2, 4, 8),
    "radius": (0.125, 0.25, 0.5, 0.75, 1, 1.5, 2),  # few chains reach farther
    "noise": (0, 0.25, 0.5, 1, 2, 4, 8),
    "steps": (0, 0.25, 0.5, 1, 2, 4, 8),
}
"""Multiples of a sampler's own number that are swept unless values are given: our choice."""

Key = tuple[float, ...]
"""alpha, beta, eta, K of a cell, in the order of NUMBERS."""


def axes_of(request: SweepRequest, dyn: Dynamics) -> dict[str, tuple[float, ...]]:
    """The values of what is swept.

    Args:
        dyn: the sampler's numbers, whose multiples stand in for values that are not given: where its noise is 0 or its ball
            infinite, multiples of those of CEM Table 5, and the infinite ball itself for the last of them.
    """
    values = dict(zip(request.over, request.values, strict=False))
    return {name: _whole(name, values.get(name) or _multiples(name, getattr(dyn, name))) for name in request.over}


def _multiples(name: str, usual: float) -> tuple[float, ...]:
    unit = usual if 0 < usual < math.inf else getattr(CEM_TABLE_5, name)
    values = [float(f"{factor * unit:.4g}") for factor in FACTORS[name]]
    return (*values[:-1], math.inf) if math.isinf(usual) else tuple(values)


def _whole(name: str, values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(dict.fromkeys(int(value) for value in values)) if name == "steps" else tuple(values)


def sweep(studio: Studio, request: SweepRequest) -> Iterator[Step | Sweep]:
    """Run the chains of every setting and measure their ends.

    Yields:
        a `Step` after every step of the chains, then the `Sweep`.
    Raises:
        KeyError, BadInput, LookupError, BrokenCheckpoint, Diverged.
    """
    chains = request.chains()
    run = prepared(studio, chains)
    eyes = eyes_of(studio, request, run.card)
    columns = dict.fromkeys([*measurable(request, run.card, eyes, hinted(chains)), "seconds"])
    axes = axes_of(request, run.dynamics)
    ks = axes.get("steps", (run.dynamics.steps,))
    others = {name: values for name, values in axes.items() if name != "steps"}
    seeds = range(request.seed, request.seed + request.seeds)
    work = [(seed, dict(zip(others, values, strict=True))) for seed in seeds for values in product(*others.values())]
    real = {seed: features(eyes, request.count, seed) for seed in seeds}
    measured: dict[Key, list[dict[str, Number]]] = {}
    pixels: dict[Key, np.ndarray] = {}
    for i, (seed, numbers) in enumerate(work):
        chain = replace(run, request=replace(chains, seed=seed), dynamics=replace(run.dynamics, **numbers, steps=max(ks)))
        passed = yield from _along(chain, ks, Step(i, len(work), _words(numbers, seed)))
        for k in ks:
            ends = _ends(chain, passed, k, eyes, real[seed])
            key = _key(chain.dynamics, {"steps": k})
            measured.setdefault(key, []).append({name: COLUMNS[name].measure(ends) for name in columns})
            pixels.setdefault(key, to_pixels(ends.x[:1])[0])
    keys = [_key(run.dynamics, dict(zip(axes, values, strict=True))) for values in product(*axes.values())]
    judge, clean = (eye and eye.name.removeprefix("judge-") for eye in (eyes.judge, eyes.clean))
    rests_on = (run.card.name, judge, clean if "clean" in columns else None, eyes.reader)
    cards = (studio.cards()[name] for name in rests_on if name)
    label = run.card.classes[run.labels[0]] if hinted(chains) else None
    cells, pictures = [_cell(key, measured[key]) for key in keys], np.stack([pixels[key] for key in keys])
    yield Sweep(request, run.card, judge, label, axes, cells, pictures, {card.name: card.sha256 for card in cards})


@dataclass(slots=True)
class Passed:
    """A step that chains have passed, chunk by chunk.

    Attributes:
        x, energy: of each chunk, (B, C, H, W) and (B,).
        seconds: until all chains were there; of the processor, where it computes: others may use it meanwhile.
    """

    x: list[Tensor] = field(default_factory=list)
    energy: list[Tensor] = field(default_factory=list)
    seconds: float = 0.0


def _along(chain: Run, ks: tuple[float, ...], at: Step) -> Generator[Step, None, dict[float, Passed]]:
    """Run chains once, and keep their states at step 0 and at each of `ks`."""
    passed, last = {k: Passed() for k in (0, *ks)}, chain.dynamics.steps
    clock = time.process_time if chain.studio.device.torch.type == "cpu" else time.perf_counter
    states, seconds = chain.states(), 0.0
    while True:
        began = clock()
        state = next(states, None)
        if state is None:
            return passed
        seconds += clock() - began
        if state.k in passed:
            passed[state.k].x.append(state.x), passed[state.k].energy.append(state.energy)
            passed[state.k].seconds += seconds
        yield replace(at, done=at.done * (last + 1) + state.k, total=at.total * (last + 1))
        seconds = 0.0 if state.k == last else seconds  # the next chunk begins


def _ends(chain: Run, passed: dict[float, Passed], k: float, eyes: Eyes, real: Tensor | None) -> Ends:
    x, labels = torch.cat(passed[k].x), chain.labels if hinted(chain.request) else None
    return Ends(
        x, torch.cat(passed[0].x), torch.cat(passed[k].energy), labels, passed[k].seconds, eyes,
        eyes.judge(x) if eyes.judge else None, real, chain.request.seed,
    )  # fmt: skip


def _cell(key: Key, runs: list[dict[str, Number]]) -> Cell:
    """A setting's numbers over seeds."""

    def over(numbers: list[Number]) -> Value:
        values, errors = zip(*numbers, strict=True)
        if not all(map(math.isfinite, values)):
            return Value(None, None, None)
        error = None if None in errors else mean(error**2 for error in errors) ** 0.5
        return Value(*(_digits(number) for number in (mean(values), stdev(values) if len(values) > 1 else None, error)))

    columns = {name: over([numbers[name] for numbers in runs]) for name in runs[0]}
    return Cell(dict(zip(NUMBERS, key, strict=True)), columns)


def _key(dyn: Dynamics, numbers: Settings) -> Key:
    return tuple(numbers.get(name, getattr(dyn, name)) for name in NUMBERS)


def _words(numbers: Settings, seed: int) -> str:
    return ", ".join([*(f"{symbol(name)} {value:g}" for name, value in numbers.items()), f"seed {seed}"])


def _digits(number: float | None) -> float | None:
    """Four significant digits: what a sweep's noise leaves of a number."""
    return None if number is None else float(f"{number:.4g}")
