"""One queue a device: heavy work waits for its turn, tells its place, stops when cancelled or too long, and frees the device.

Turns are fair by visitor: who asks for much at once stands behind everybody who asks for little. Work that is long gives way
to others after each turn, and goes on when they have had theirs. All of it computes in one thread, since OpenMP keeps a team of
threads, and the allocator an arena, for every thread that ever computed; a page's thread asks another process, see `apart`.

Nothing outlives its visitor: closing the iteration (a cancelled event, a closed browser) closes the work at its next step and
hands the turn on.
"""

import math
import threading
import time
from bisect import insort
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from .diary import LOG

PATIENCE = 1.0
"""Seconds between two words to who waits; a change of the place is told at once."""

TURN = 4.0
"""Seconds of the device after which long work gives way."""

_OVER = object()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Message of a job until its turn comes: how many are before it, and about how many seconds they take."""

    before: int
    seconds: float = field(default=0.0, compare=False)

    def __str__(self) -> str:
        about = f", about {math.ceil(self.seconds)} s" if self.seconds >= 1 else ""
        return f"waiting: {self.before} before you{about}"


class TimedOut(RuntimeError):
    """A job ran longer than its limit; the message names it."""


@dataclass(order=True)
class Place:
    """A place in the line: served by the round it is of, then by when it came."""

    round: float
    number: int
    visitor: Any = field(compare=False)


class Jobs:
    """The queue of one device, one job at a time.

    A job is of a round: one later than the visitor's last job, or that of the job that runs, whichever is later. So a visitor's
    second job waits for everybody's first (start-time fair queueing, Goyal et al. 1996, with jobs of equal size).
    """

    def __init__(self) -> None:
        self._line: list[Place] = []
        self._changed = threading.Condition()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._numbers = count()
        self._round = 0.0
        self._last: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        self._usual = 0.0

    @property
    def length(self) -> int:
        """Jobs at the device and waiting for it."""
        return len(self._line)

    def run(
        self,
        work: Generator[Any, None, None],
        *,
        title: str,
        limit: float = 120.0,
        stop: threading.Event | None = None,
        visitor: Any = None,
        turn: float = TURN,
    ) -> Iterator[Any]:
        """Join the queue, say how many are before, and pass on what the work yields.

        Closing this at any item frees the place, a `Waiting` one too: a visitor who leaves the line does not hold it up.

        Args:
            work: it starts when its turn comes.
            title: what the page shows.
            limit: seconds it may run, waiting not counted.
            stop: once it is set, this ends at its next item, or leaves the line.
            visitor: whose job it is, any object that lives as long; None is a visitor of its own.
            turn: seconds after which it gives way to those who wait.
        Yields:
            Waiting, when the place changes and about once a second until the turn comes; then the items of the work, and
            Waiting again where it gave way.
        Raises:
            TimedOut: the work ran longer than its limit.
            Exception: whatever the work raised.
        """
        stop, ran, begun = stop or threading.Event(), 0.0, False
        came, how = time.monotonic(), "left"
        place = self._join(visitor)
        try:
            while True:
                yield from self._wait(place, stop)
                if stop.is_set():
                    how = "stopped"
                    return
                began, begun = time.monotonic(), True
                while True:
                    if (item := self._worker.submit(next, work, _OVER).result()) is _OVER:
                        ran, how = ran + time.monotonic() - began, "done"
                        self._usual += (ran - self._usual) / 8  # of the last eight, about
                        return
                    yield item
                    spent = time.monotonic() - began
                    if stop.is_set():
                        ran, how = ran + spent, "stopped"
                        return
                    if ran + spent > limit:
                        raise TimedOut(f"{title} ran longer than {limit:g} s and was stopped; ask for fewer steps or chains")
                    if spent > turn and len(self._line) > 1:
                        break
                ran += spent
                self._leave(place)
                place = self._join(visitor)
        except Exception as error:
            how = f"{type(error).__name__}: {error}"
            raise
        finally:
            LOG.info("%s: %s, ran %.1f s, came %.1f s ago", title, how, ran, time.monotonic() - came)
            try:
                if begun:
                    self.close(work)
                else:
                    work.close()
            finally:
                self._leave(place)

    def close(self, work: Generator[Any, None, None], patience: float | None = None) -> None:
        """Close work in the thread that it computes in, so never while it computes.

        Args:
            patience: seconds to wait for that; None for as long as it takes.
        Raises:
            TimeoutError: it is not closed yet, and will be.
        """
        self._worker.submit(work.close).result(patience)

    def _join(self, visitor: Any) -> Place:
        """Take a place at the end of the visitor's round."""
        with self._changed:
            after = self._last.get(visitor, -1.0) + 1 if visitor is not None else 0.0
            place = Place(max(self._round, after), next(self._numbers), visitor)
            if visitor is not None:
                self._last[visitor] = place.round
            if self._line:  # the first one runs, whoever comes
                rest = self._line[1:]
                insort(rest, place)
                self._line[1:] = rest
            else:
                self._line.append(place)
                self._round = place.round
            self._changed.notify_all()
            return place

    def _leave(self, place: Place) -> None:
        with self._changed:
            if place in self._line:
                self._line.remove(place)
                if self._line:
                    self._round = max(self._round, self._line[0].round)
                self._changed.notify_all()

    def _wait(self, place: Place, stop: threading.Event) -> Iterator[Waiting]:
        """Say the place in the line until it is the first."""
        while True:
            with self._changed:
                before = self._line.index(place)
                usual = self._usual
            if not before or stop.is_set():
                return
            yield Waiting(before, before * usual)
            until = time.monotonic() + PATIENCE
            with self._changed:
                while self._line.index(place) == before and not stop.is_set() and (left := until - time.monotonic()) > 0:
                    self._changed.wait(min(left, 0.25))  # a stop wakes nobody
