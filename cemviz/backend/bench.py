"""Benchmarks as ratios inside one run: what the library adds to the bare passes of the same net on the same images."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..dynamics import Dynamics, descend, settle
from ..energies import on, reinforced
from ..nets import build
from .device import Device
from .sampling import Split

STEPS, CHAINS, ROUNDS = 20, 32, 9
DYN = Dynamics(steps=STEPS, step=0.5, noise=0.01, radius=6.0)


@dataclass(frozen=True, slots=True)
class Bench:
    """A row of `BENCHES`: work, what it is measured against, and the largest ratio that counts as fine."""

    title: str
    limit: float


BENCHES: dict[str, Bench] = {
    "settle": Bench("K steps of settle against K bare forward and input-gradient passes", 1.05),
    "descend": Bench("descend with its K + 1 records against K bare passes", 1.25),
    "split": Bench("descend with the two gradient terms against K bare passes", 1.8),
}


def bench(names: list[str], device: Device) -> dict[str, Any]:
    """Measure.

    All candidates run in turn, round by round, so that a busy machine slows them alike; a ratio is that of the fastest
    rounds, the ones least disturbed.

    Returns:
        {device, net, chains, steps, rounds, rows: [{name, title, ratio, limit, holds}]}.
    """
    net = build("small-resnet", width=16, mean=(0.13,), std=(0.31,)).to(device.torch).eval().requires_grad_(False)
    x0 = torch.rand(CHAINS, 1, 28, 28, device=device.torch, generator=device.generator(0))
    y = torch.arange(CHAINS, device=device.torch) % 10
    generator = device.generator(1)

    def bare() -> None:
        x = x0
        for _ in range(STEPS):
            x = x.detach().requires_grad_()
            torch.autograd.grad(reinforced(net(x), y).sum(), x)

    def records() -> None:
        for state in descend(on(net, reinforced, y), x0, DYN, generator=generator):
            state.energy.sum().item()

    def split() -> None:
        watched = Split(net, reinforced, y)
        for state in descend(watched, x0, DYN, generator=generator):
            watched.parts(state.grad)

    work: dict[str, Callable[[], Any]] = {
        "settle": lambda: settle(on(net, reinforced, y), x0, DYN, generator=generator),
        "descend": records,
        "split": split,
    }
    chosen = {name: work[name] for name in names}
    for warm in (bare, *chosen.values()):
        warm()
    fastest = dict.fromkeys(["bare", *chosen], float("inf"))
    for _ in range(ROUNDS):
        for name, run in {"bare": bare, **chosen}.items():
            fastest[name] = min(fastest[name], _seconds(run, device))
    rows = []
    for name in names:
        ratio = fastest[name] / fastest["bare"]
        row = BENCHES[name]
        rows.append(
            {"name": name, "title": row.title, "ratio": round(ratio, 3), "limit": row.limit, "holds": ratio <= row.limit}
        )
    return {"device": device.title, "net": "small-resnet", "chains": CHAINS, "steps": STEPS, "rounds": ROUNDS, "rows": rows}


def _seconds(run: Callable[[], Any], device: Device) -> float:
    if device.torch.type == "cuda":
        torch.cuda.synchronize(device.torch)
    began = time.perf_counter()
    run()
    if device.torch.type == "cuda":
        torch.cuda.synchronize(device.torch)
    return time.perf_counter() - began
