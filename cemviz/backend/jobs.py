"""One queue a device: heavy work waits for its turn, tells its place, stops when cancelled or too long, and frees the device.

A job runs in the thread that iterates it, so that nothing outlives its visitor: closing the iteration (a cancelled event, a
closed browser) closes the work at its next step and hands the turn on.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

PATIENCE = 0.25
"""Seconds between two looks at the line."""

Status = Literal["waiting", "running", "done", "failed", "cancelled", "timed out"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Message of a job until its turn comes: how many are before it."""

    before: int

    def __str__(self) -> str:
        return f"waiting: {self.before} before you"


class TimedOut(RuntimeError):
    """A job ran longer than its limit; the message names it."""


class Job:
    """A generator that waits for the device.

    Attributes:
        title: what the page shows.
        limit: seconds it may run.
        status: see `Status`.
        error: what failed it, or None.
    """

    def __init__(self, queue: "Jobs", work: Iterator[Any], title: str, limit: float) -> None:
        self.title, self.limit = title, limit
        self.status: Status = "waiting"
        self.error: Exception | None = None
        self._queue, self._work = queue, work

    @property
    def position(self) -> int:
        """Jobs before this one, 0 when it runs or has ended."""
        return self._queue.position(self)

    def __iter__(self) -> Iterator[Any]:
        """Wait for the turn, then pass on what the work yields.

        Raises:
            TimedOut: the work ran longer than its limit.
            Exception: whatever the work raised.
        """
        try:
            self._queue.wait(self)
            self.status, began = "running", time.monotonic()
            for item in self._work:
                yield item
                if time.monotonic() - began > self.limit:
                    raise TimedOut(
                        f"{self.title} ran longer than {self.limit:g} s and was stopped; ask for fewer steps or chains"
                    )
            self.status = "done"
        except GeneratorExit:
            self.status = "cancelled"
            raise
        except Exception as error:
            self.status, self.error = ("timed out" if isinstance(error, TimedOut) else "failed"), error
            raise
        finally:
            close = getattr(self._work, "close", None)
            if close is not None:
                close()
            self._queue.leave(self)


class Jobs:
    """The queue of one device: first come, first served, one at a time."""

    def __init__(self) -> None:
        self._line: deque[Job] = deque()
        self._moved = threading.Condition()

    def submit(self, work: Iterator[Any], *, title: str, limit: float = 120.0) -> Job:
        """Join the queue.

        Args:
            work: a generator; it starts when its turn comes.
            title: what the page shows.
            limit: seconds it may run, waiting not counted.
        """
        job = Job(self, work, title, limit)
        with self._moved:
            self._line.append(job)
        return job

    def run(
        self, work: Iterator[Any], *, title: str, limit: float = 120.0, stop: threading.Event | None = None
    ) -> Iterator[Any]:
        """Join the queue, say how many are before, and pass on what the work yields.

        Closing this at any item frees the place, a `Waiting` one too: a visitor who leaves the line does not hold it up.

        Args:
            work, title, limit: as in `submit`.
            stop: once it is set, this ends at its next item, or leaves the line.
        Yields:
            Waiting, several times a second until the turn comes; then the items of the work.
        Raises:
            TimedOut: the work ran longer than its limit.
            Exception: whatever the work raised.
        """
        stop = stop or threading.Event()
        job = self.submit(work, title=title, limit=limit)
        try:
            while (before := job.position) and not stop.is_set():
                yield Waiting(before)
                stop.wait(PATIENCE)
            if stop.is_set():
                return
            with closing(iter(job)) as items:
                for item in items:
                    yield item
                    if stop.is_set():
                        return
        finally:
            self.leave(job)

    def position(self, job: Job) -> int:
        """Number of jobs before this one."""
        with self._moved:
            return self._line.index(job) if job in self._line else 0

    def wait(self, job: Job) -> None:
        """Block until the job is first in line."""
        with self._moved:
            self._moved.wait_for(lambda: self._line and self._line[0] is job)

    def leave(self, job: Job) -> None:
        """Hand the turn on."""
        with self._moved:
            if job in self._line:
                self._line.remove(job)
            self._moved.notify_all()
