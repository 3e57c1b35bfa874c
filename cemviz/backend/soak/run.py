"""A soak: visitors of several kinds at one page for some minutes, and what each of them met.

| visitor  | does                                                                             |
|----------|----------------------------------------------------------------------------------|
| reader   | opens tab after tab, and looks at each                                           |
| sampler  | draws 16 chains of 20 steps, looks, and draws again with another seed            |
| player   | lets the playground's game play, and pauses it                                   |
| vanisher | begins a run and closes the page                                                 |
| hammer   | presses one button without waiting                                               |
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

import httpx

from ..checks import BadInput
from ..requests import SoakRequest
from ..use_case import Step
from .visitor import Refused, Visitor

LOCAL = ("127.0.0.1", "localhost", "::1")

TABS = ("digit", "playground", "landscape", "sampling", "lab", "training", "robustness", "restore", "detect", "results")

PRESSES = 20
"""Presses of a hammer at once."""

Act = Callable[["Soak", Visitor], Awaitable[None]]


class Soak:
    """Visitors of one page, and what they met.

    Attributes:
        took: what -> seconds, each.
        faults: what went wrong, and how often.
    """

    def __init__(self, http: httpx.AsyncClient, config: dict[str, Any], seconds: float, seed: int) -> None:
        self.http, self.config, self.until = http, config, time.monotonic() + seconds
        self.chance = random.Random(seed)
        self.took: defaultdict[str, list[float]] = defaultdict(list)
        self.faults: defaultdict[str, int] = defaultdict(int)
        self.visits: defaultdict[str, int] = defaultdict(int)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() > self.until

    def note(self, event: str, seconds: float) -> None:
        """Note how long something took."""
        self.took[event].append(seconds)

    async def pause(self, low: float, high: float) -> None:
        """Wait as a person does who looks at something."""
        await asyncio.sleep(max(0.0, min(self.chance.uniform(low, high), self.until - time.monotonic())))

    async def visit(self, kind: str, act: Act) -> None:
        """Come again and again until the time is up."""
        await self.pause(0, 10)
        while not self.over:
            visitor = Visitor(self.http, self.note)
            self.visits[kind] += 1
            try:
                await act(self, visitor)
            except (Refused, httpx.HTTPError) as error:
                self.faults[f"{kind}: {type(error).__name__} {error}"[:160]] += 1
            finally:
                await visitor.leave()
            await self.pause(1, 5)

    async def timed(self, event: str, work: Awaitable[None]) -> None:
        """Do something, and note how long it took."""
        began = time.monotonic()
        await work
        self.note(event, time.monotonic() - began)


async def read(soak: Soak, visitor: Visitor) -> None:
    """Open tab after tab."""
    await visitor.open(soak.config)
    for tab in soak.chance.sample(TABS, len(TABS)):
        if soak.over:
            return
        await soak.timed(f"first view, {tab}", visitor.show(tab))
        await soak.pause(2, 10)


async def draw(soak: Soak, visitor: Visitor) -> None:
    """Draw chains, again and again."""
    await visitor.open(soak.config, "?tab=sampling&a=mnist-at&b=none&s.as=rcs&s.count=16&s.K=20")
    for _ in range(5):
        if soak.over:
            return
        visitor.set("sel-seed", soak.chance.randrange(10**6))
        await soak.timed("run of 16 × 20", visitor.press("samp-run"))
        await soak.pause(5, 15)


async def play(soak: Soak, visitor: Visitor) -> None:
    """Let the game play for a while."""
    await visitor.open(soak.config)
    await soak.timed("first view, playground", visitor.show("playground"))
    with suppress(TimeoutError):
        await asyncio.wait_for(visitor.press("play-run"), soak.chance.uniform(5, 20))
    await visitor.show("results")  # another tab ends the game


async def vanish(soak: Soak, visitor: Visitor) -> None:
    """Begin a run and close the page."""
    await visitor.open(soak.config, "?tab=sampling&a=mnist-at&b=none&s.as=rcs&s.count=64&s.K=100")
    with suppress(TimeoutError):
        await asyncio.wait_for(visitor.press("samp-run"), soak.chance.uniform(0.2, 3))
    await soak.pause(5, 10)


async def hammer(soak: Soak, visitor: Visitor) -> None:
    """Press one button without waiting."""
    await visitor.open(soak.config, "?tab=sampling&a=mnist-at&b=none&s.as=rcs&s.count=16&s.K=20")
    await asyncio.gather(*(visitor.press("samp-run") for _ in range(PRESSES)), return_exceptions=True)
    await soak.pause(5, 10)


KINDS: dict[str, tuple[Act, float]] = {
    "reader": (read, 0.5), "sampler": (draw, 0.2), "player": (play, 0.15), "vanisher": (vanish, 0.1), "hammer": (hammer, 0.05),
}  # fmt: skip
"""Kind -> what it does, and its share of all visitors."""


def soak(request: SoakRequest) -> Iterator[Step | dict[str, Any]]:
    """Drive a page of this machine.

    Yields:
        a step, then {visitors, minutes, visits, took, faults, memory}: seconds as {count, p50, p95, most} by what took them.
    Raises:
        BadInput: an address elsewhere, or nobody answers there.
    """
    where = urlsplit(request.url)
    if where.hostname not in LOCAL or where.scheme != "http":
        raise BadInput("url", f"url is {request.url!r}; give one of this machine, such as http://127.0.0.1:7860")
    yield Step(0, 1, f"{request.visitors} visitors for {request.minutes:g} minutes")
    with ThreadPoolExecutor(1) as apart:  # who calls may have a loop of its own
        yield apart.submit(asyncio.run, _soak(request)).result()


async def _soak(request: SoakRequest) -> dict[str, Any]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=request.url, timeout=300, limits=limits, headers={"accept-encoding": "gzip"}) as http:
        try:
            config, before = (await http.get("/config")).json(), await _memory(http)
        except (httpx.HTTPError, ValueError, KeyError) as error:  # or a page of another kind
            raise BadInput("url", f"no page of cemviz answers at {request.url}; start one with: python app.py") from error
        crowd = Soak(http, config, 60 * request.minutes, request.seed)
        kinds = _kinds(request.visitors)
        await asyncio.gather(*(crowd.visit(kind, KINDS[kind][0]) for kind in kinds))
        return {
            "visitors": request.visitors, "minutes": request.minutes, "visits": dict(crowd.visits),
            "took": {event: _spread(times) for event, times in sorted(crowd.took.items())}, "faults": dict(crowd.faults),
            "memory": {"before": before, "after": await _memory(http)},
        }  # fmt: skip


async def _memory(http: httpx.AsyncClient) -> int | None:
    """Resident bytes of the page, as it says itself."""
    return (await http.get("/health")).json()["memory"]


def _kinds(visitors: int) -> list[str]:
    """Kinds by their shares, at least one reader."""
    named = [kind for kind, (_, share) in KINDS.items() for _ in range(round(share * visitors))]
    return (named + ["reader"] * visitors)[:visitors]


def _spread(times: list[float]) -> dict[str, float]:
    cuts = quantiles(times, n=20, method="inclusive") if len(times) > 1 else times * 19
    return {"count": len(times), "p50": round(cuts[9], 3), "p95": round(cuts[18], 3), "most": round(max(times), 3)}
