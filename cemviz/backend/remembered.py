"""Results that were computed once, for whoever asks for the same again: a run is decided by its request, seed included.

First views are asked for by every visitor. The second one gets the first one's results, without the device.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from torch import Tensor

LARGEST, MOST = 8 * 2**20, 48 * 2**20
"""Bytes of the results of one request, and of all that are kept."""


class Remembered:
    """Results by request; those that were asked for least recently go first."""

    def __init__(self) -> None:
        self._results: OrderedDict[Any, tuple[list[Any], int]] = OrderedDict()
        self._held = 0
        self._at_work: set[Any] = set()
        self._lock = threading.Lock()

    def get(self, key: Any) -> list[Any] | None:
        """The results of a request, or None."""
        with self._lock:
            if key not in self._results:
                return None
            self._results.move_to_end(key)
            return self._results[key][0]

    def claim(self, key: Any) -> bool:
        """Whether a request is the caller's to compute: nobody else is at work on it.  Who claims it releases it."""
        with self._lock:
            free = key not in self._at_work
            self._at_work.add(key)
            return free

    def release(self, key: Any) -> None:
        """Leave a request to others, whether it has results now or not."""
        with self._lock:
            self._at_work.discard(key)

    def put(self, key: Any, results: list[Any]) -> None:
        """Keep the results of a request, unless they are large."""
        size = sized(results)
        with self._lock:
            if size > LARGEST or key in self._results:
                return
            self._results[key] = results, size
            self._held += size
            while self._held > MOST:
                _, (_, old) = self._results.popitem(last=False)
                self._held -= old


def sized(value: Any) -> int:
    """Bytes of arrays, tensors and texts in a value of dataclasses, lists and dicts."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, str | bytes):
        return len(value)
    if is_dataclass(value):
        return sum(sized(getattr(value, part.name)) for part in fields(value))
    if isinstance(value, Mapping):
        return sum(map(sized, value.values()))
    return sum(map(sized, value)) if isinstance(value, list | tuple) else 8
