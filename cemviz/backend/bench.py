"""Benchmarks as ratios inside one run: what the library adds to the bare passes of the same net on the same images.

Work and bare passes run in rounds of bare, work, work, bare, so that a machine that is busy, or gets busier, slows both alike;
a row is the median of its rounds' ratios, with an interval that says whether it decides anything.  On a CPU both run in one
thread, timed by what it computes: with two, every kernel waits for a thread that a busy machine does not run.
"""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, repeat
from math import comb
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from ..dynamics import Dynamics, descend, settle
from ..energies import conditional, on, reinforced
from ..nets import build
from ..nets.fold import fold
from ..samplers import SAMPLERS
from ..training.game import Game, Rules
from ..training.loop import evaluating, fit
from ..training.recipes import recipe
from ..training.supervised import adversarial
from .device import Device, one_core
from .sample.crowd import Crowd
from .sample.split import Split

STEPS, CHAINS = 20, 32
K, CROWD = 10, 256
"""Steps and members of a MaxEnt batch."""
DYN = Dynamics(steps=STEPS, step=0.5, noise=0.01, radius=6.0)
ROUNDS, SECONDS = (9, 41), 20.0
"""Fewest and most rounds of a row, and how long it may take: short work is repeated more often."""

SURE = 0.95
"""Probability, at least, with which the interval of a row holds the median of all rounds there could be."""

Work = Callable[[], Any]
Chain = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Any]


@dataclass(frozen=True, slots=True)
class Bench:
    """A row of `BENCHES`.

    Attributes:
        title: the work, and what it is measured against.
        limit: the largest ratio that counts as fine.
        make: device -> the work and its bare passes.
    """

    title: str
    limit: float
    make: Callable[[Device], tuple[Work, Work]]


def chains(work: Chain, prepare: Callable[[nn.Module], nn.Module] = lambda net: net) -> Callable[[Device], tuple[Work, Work]]:
    """Chains of a sampler on a frozen net, beside K forward and input-gradient passes.

    Args:
        prepare: what is done to the net of the chains, and not to that of the bare passes.
    """

    def make(device: Device) -> tuple[Work, Work]:
        net = _net(device).eval().requires_grad_(False)
        x0 = torch.rand(CHAINS, 1, 28, 28, device=device.torch, generator=device.generator(0))
        y = torch.arange(CHAINS, device=device.torch) % 10
        generator = device.generator(1)

        def bare() -> None:
            for _ in range(STEPS):
                x = x0.detach().requires_grad_()
                torch.autograd.grad(reinforced(net(x), y).sum(), x)

        prepared = prepare(net)
        return lambda: work(prepared, x0, y, generator), bare

    return make


def records(net: nn.Module, x0: Tensor, y: Tensor, generator: torch.Generator) -> None:
    """Every state of a chain, its energy read."""
    for state in descend(on(net, reinforced, y), x0, DYN, generator=generator):
        state.energy.sum().item()


def split(net: nn.Module, x0: Tensor, y: Tensor, generator: torch.Generator) -> None:
    """Every state of a chain with both parts of its gradient."""
    watched = Split(net, SAMPLERS["rcs"], y, x0)
    for state in descend(watched, x0, DYN, generator=generator):
        watched.parts(state.grad)


def settled(net: nn.Module, x0: Tensor, y: Tensor, generator: torch.Generator) -> None:
    """The last state of a chain alone."""
    settle(on(net, reinforced, y), x0, DYN, generator=generator)


def folded(net: nn.Module) -> nn.Module:
    """A copy of a net with its norms folded, laid out as `Studio.model` does."""
    return fold(copy.deepcopy(net)).to(memory_format=torch.channels_last)


def train(device: Device) -> tuple[Work, Work]:
    """A step of adversarial training, beside K input gradients in eval mode and one weight gradient in train mode."""
    row = recipe("mnist-at")
    net = _net(device).train()
    x = torch.rand(row.batch, 1, 28, 28, device=device.torch, generator=device.generator(0))
    y = torch.arange(row.batch, device=device.torch) % 10
    objective = adversarial(row.threat(), generator=device.generator(1))
    endless = 10**9
    run = fit(net, objective, repeat((x, y)), endless, row.optimizer_for(net), clip=row.clip)

    def bare() -> None:
        with evaluating(net):
            for _ in range(row.attack_steps):
                at = x.detach().requires_grad_()
                torch.autograd.grad(conditional(net(at), y).sum(), at)
        torch.autograd.grad(conditional(net(x), y).mean(), list(net.parameters()))

    return lambda: next(run), bare


def maxent(device: Device) -> tuple[Work, Work]:
    """MaxEnt on a whole batch with its records, beside as many bare passes: forward, and a gradient of the features' sum."""
    net = device.place(build("encoder", mean=(0.13,), std=(0.31,), **recipe("mnist-uat").net_args)).eval().requires_grad_(False)
    x0 = torch.rand(CROWD, 1, 28, 28, device=device.torch, generator=device.generator(0))
    dyn = Dynamics(steps=K, step=0.7)

    def work() -> None:
        crowd = Crowd(net, SAMPLERS["maxent"], x0)
        for state in descend(crowd, x0, dyn):
            crowd.row(state)

    def bare() -> None:
        for _ in range(K + 1):  # as many evaluations as states
            x = x0.detach().requires_grad_()
            torch.autograd.grad(net(x).sum(), x)

    return work, bare


def play(device: Device) -> tuple[Work, Work]:
    """A turn of the playground, beside as many input gradients by autograd and one weight gradient; always on the CPU."""
    game = Game(Rules())
    x, weights = game.moved, list(game.net.parameters())

    def work() -> None:
        game.attack()
        game.learn()

    def bare() -> None:
        for _ in range(game.rules.steps + 1):  # as many evaluations as states
            at = x.detach().requires_grad_()
            torch.autograd.grad(game.net(at).sum(), at)
        torch.autograd.grad(game.net(torch.cat([x, x])).mean(), weights)

    return work, bare


BENCHES: dict[str, Bench] = {
    "settle": Bench(
        "K steps of settle against K bare forward and input-gradient passes", 1.05,
        chains(settled),
    ),
    "fold": Bench(
        "K steps of settle with the norms folded against K bare passes as trained", 0.9,
        chains(settled, folded),
    ),
    "descend": Bench("descend with its K + 1 records against K bare passes", 1.25, chains(records)),
    "split": Bench("descend with the two gradient terms against K bare passes", 1.8, chains(split)),
    "train": Bench("a step of adversarial training against its K + 1 bare forward and backward passes", 0.95, train),
    "play": Bench("a turn of the playground, K 20, m 256, against its bare passes by autograd", 1.25, play),
    "maxent": Bench("a state of MaxEnt, N 256, with its records against a bare pass of the batch", 1.15, maxent),
}  # fmt: skip


def bench(benches: dict[str, Bench], device: Device) -> dict[str, Any]:
    """Measure.

    Args:
        benches: rows by name, such as those of BENCHES.
    Returns:
        {device, rounds, rows: [{name, title, ratio, low, high, rounds, limit, verdict}]}; low and high are the ends of
        `interval`.
    """
    rows = []
    for name, row in benches.items():
        with one_core():
            ratios = list(_ratios(*row.make(device), device))
        low, high = interval(ratios)
        rows.append({
            "name": name, "title": row.title, "ratio": round(median(ratios), 3), "low": round(low, 3), "high": round(high, 3),
            "rounds": len(ratios), "limit": row.limit, "verdict": verdict(low, high, row.limit),
        })  # fmt: skip
    rounds = min(row["rounds"] for row in rows)
    return {"device": device.title, "rounds": rounds, "rows": rows}


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Interval for the median of the law that independent values follow, whatever law it is.

    [v_(k), v_(n + 1 - k)],  the largest k with 2 P(Binomial(n, 1/2) < k) <= 1 - SURE

    Args:
        values: n of them, at least 6: of fewer even the whole range is not sure enough.
    Source: Thompson 1936, "On confidence ranges for the median".
    """
    n, values = len(values), sorted(values)
    k = next(k for k in count(1) if 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n > 1 - SURE)
    return values[k - 1], values[n - k]


def verdict(low: float, high: float, limit: float) -> str:
    """How a row stands to its limit: within, above, or undecided where the interval holds the limit."""
    return "within" if high <= limit else "above" if low > limit else "undecided"


def _net(device: Device) -> nn.Module:
    return device.place(build("small-resnet", width=16, mean=(0.13,), std=(0.31,)))


def _ratios(work: Work, bare: Work, device: Device) -> Iterator[float]:
    """The ratio of each round: work to bare passes, each the sum of an earlier and a later run."""
    bare(), work()
    rounds = int(SECONDS / (4 * _seconds(bare, device)))
    for _ in range(min(max(rounds, ROUNDS[0]), ROUNDS[1])):
        first, *twice, last = (_seconds(run, device) for run in (bare, work, work, bare))
        yield sum(twice) / (first + last)


def _seconds(run: Work, device: Device) -> float:
    """Time that a run takes: on a CPU that of this process alone, elsewhere until the device is done."""
    if device.torch.type == "cpu":
        began = time.process_time()
        run()
        return time.process_time() - began
    synchronize = getattr(torch, device.torch.type).synchronize
    synchronize()
    began = time.perf_counter()
    run()
    synchronize()
    return time.perf_counter() - began
