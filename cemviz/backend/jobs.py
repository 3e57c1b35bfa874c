"""One queue a device: heavy work waits for its turn, tells its place, stops when cancelled or too long, and frees the device.

A job runs in the thread that iterates it, so that nothing outlives its visitor: closing the iteration (a cancelled event, a
closed browser) closes the work at its next step and hands the turn on.
"""

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

PATIENCE = 0.25
"""Seconds between two looks at the line."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Message of a job until its turn comes: how many are before it."""

    before: int

    def __str__(self) -> str:
        return f"waiting: {self.before} before you"


class TimedOut(RuntimeError):
    """A job ran longer than its limit; the message names it."""


class Jobs:
    """The queue of one device: first come, first served, one at a time."""

    def __init__(self) -> None:
        self._line: list[object] = []
        self._lock = threading.Lock()

    def run(
        self, work: Generator[Any, None, None], *, title: str, limit: float = 120.0, stop: threading.Event | None = None
    ) -> Iterator[Any]:
        """Join the queue, say how many are before, and pass on what the work yields.

        Closing this at any item frees the place, a `Waiting` one too: a visitor who leaves the line does not hold it up.

        Args:
            work: it starts when its turn comes.
            title: what the page shows.
            limit: seconds it may run, waiting not counted.
            stop: once it is set, this ends at its next item, or leaves the line.
        Yields:
            Waiting, several times a second until the turn comes; then the items of the work.
        Raises:
            TimedOut: the work ran longer than its limit.
            Exception: whatever the work raised.
        """
        stop, place = stop or threading.Event(), object()
        with self._lock:
            self._line.append(place)
        try:
            while (before := self._before(place)) and not stop.is_set():
                yield Waiting(before)
                stop.wait(PATIENCE)
            if stop.is_set():
                return
            began = time.monotonic()
            with closing(work):
                for item in work:
                    yield item
                    if stop.is_set():
                        return
                    if time.monotonic() - began > limit:
                        raise TimedOut(f"{title} ran longer than {limit:g} s and was stopped; ask for fewer steps or chains")
        finally:
            with self._lock:
                self._line.remove(place)

    def _before(self, place: object) -> int:
        """Number of jobs before this one."""
        with self._lock:
            return self._line.index(place)
