"""Ctrl-C and SIGTERM, which wait until the work can stop without loss.

Between two updates of a run its state is whole; within one it is half of two.
"""

import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """While it is entered, the first signal is noted where the work is `armed`, and stops it at once where not; a second does.

    Attributes:
        armed: the work looks at `signalled` between two of its steps.
        signalled: a signal came.
    """

    def __init__(self) -> None:
        self.armed = self.signalled = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():  # others may not
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signalled or not self.armed:
            raise KeyboardInterrupt
        self.signalled = True
