"""The device's process: what visitors ask the device for is computed in a process of its own.

    apart = Apart("cpu", data)
    for item in apart.run(sample, request): ...

An interpreter runs one thread at a time, and a chain of a small net keeps it busy between any two kernels. So in one process
every click of every visitor would wait for the chains of one.

A use-case and what it is asked go over as they are, functions by the name of their module; its items come back one by one, when
they are asked for. Closing the iteration closes the use-case there, and so does the end of the page's process, however it ends:
a run that trains is saved.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import IO, Any

from ..data import images
from . import own
from .device import choose
from .studio import Studio

OPEN, NEXT, CLOSE = "open", "next", "close"
ITEM, OVER, FAULT = "item", "over", "fault"

PATIENCE = 10.0
"""Seconds that a process has to end by itself once the page has closed the pipe."""

LOST = "the process that computes ended ({}); ask again, and it is started anew"


class Lost(RuntimeError):
    """The device's process ended while it computed; the message says how."""


class Apart:
    """A process that computes use-cases for the page: started with the first, and again where it was lost."""

    def __init__(self, device: str | None, data: str | None) -> None:
        """Name the device and the root of local image folders, see `Studio`."""
        self._place = device, data
        self._numbers = count()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, unless it is there."""
        with self._lock:
            self._started()

    def run(self, use_case: Callable[..., Iterator[Any]], *arguments: Any) -> Generator[Any, None, None]:
        """A use-case of the other process's studio.

        Args:
            use_case: a function of a module, f(studio, *arguments).
        Yields:
            its items.
        Raises:
            Lost: the process ended, and with it all that it had at work.
            Exception: whatever the use-case raised.
        """
        with self._lock:
            process, number = self._started(), next(self._numbers)
        try:
            self._ask(process, OPEN, number, use_case, arguments)
            while (answer := self._ask(process, NEXT, number)) is not None:
                yield answer[0]
        finally:
            with suppress(Lost):  # it ended with its process
                self._ask(process, CLOSE, number)

    def close(self) -> None:
        """End the process, which first closes what it has at work."""
        with self._lock:
            if self._process is not None:
                self._process.stdin.close()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(PATIENCE)
                self._process.kill()
                self._end(self._process)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": path},
            )  # fmt: skip
            _send(self._process.stdin, pickle.dumps(self._place))
        return self._process

    def _ask(self, process: subprocess.Popen[bytes], *order: Any) -> tuple[Any] | None:
        """The answer to an order: an item, alone in a tuple, or None where there is none."""
        packed = pickle.dumps(order, pickle.HIGHEST_PROTOCOL)  # first: half of one would spoil the pipe
        with self._lock:
            if process is not self._process:
                raise Lost(LOST.format("before that"))
            try:
                _send(process.stdin, packed)
                tag, answer = pickle.load(process.stdout)
            except Exception:  # its end, or what cannot be read
                process.kill()
                how = self._end(process)
                raise Lost(LOST.format(f"signal {-how}: was there memory for it?" if how < 0 else f"code {how}")) from None
        if tag == FAULT:
            raise answer
        return (answer,) if tag == ITEM else None

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        """How a process ended that is about to."""
        how, self._process = process.wait(), None
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # an order that was not read
                pipe.close()
        return how


def _send(pipe: IO[bytes], packed: bytes) -> None:
    pipe.write(packed)
    pipe.flush()


def serve(orders: IO[bytes], answers: IO[bytes], studio: Studio) -> None:
    """Compute what is asked for until no order can follow, then close what is at work."""
    works: dict[int, Generator[Any, None, None]] = {}
    try:
        while True:
            _send(answers, _answer(works, studio, *pickle.load(orders)))
    except (EOFError, OSError):
        for work in works.values():
            with suppress(Exception):  # a full disk: what was saved before still stands
                work.close()


def _answer(works: dict[int, Generator[Any, None, None]], studio: Studio, order: str, number: int, *more: Any) -> bytes:
    try:
        if order == OPEN:
            use_case, arguments = more
            works[number] = use_case(studio, *arguments)
        elif order == NEXT:
            return pickle.dumps((ITEM, next(works[number])), pickle.HIGHEST_PROTOCOL)
        elif number in works:
            works.pop(number).close()
    except StopIteration:
        pass
    except Exception as error:
        error.add_note("".join(traceback.format_exception(error)))  # of this process
        return pickle.dumps((FAULT, error))
    return pickle.dumps((OVER, None))


def main() -> None:
    """Serve the process that started this one."""
    for ending in (signal.SIGINT, signal.SIGTERM):  # the page ends, and its orders with it
        signal.signal(ending, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    device, data = pickle.load(sys.stdin.buffer)
    own.enter(images.root(data))
    serve(sys.stdin.buffer, answers, Studio(choose(device), data))


if __name__ == "__main__":
    main()
