"""The full state of an unfinished run: one file, so that no kill can split it, written now and then while the run goes on."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from ...training import loop
from .. import store
from ..store import Unwritable
from . import curves
from .provenance import differences

SAVE_EVERY = 30.0
"""Seconds between two saves: what a killed run loses at most."""


class AnotherRun(ValueError):
    """A saved state does not belong to what is to be trained."""


def path(name: str) -> Path:
    """Where the full state of an unfinished run lies."""
    return store.folder() / "runs" / f"{store.checked(name)}.safetensors"


@dataclass(frozen=True, slots=True)
class Start:
    """Where a run begins.

    Attributes:
        state: the saved state that it goes on from, or None.
        step: updates done before.
        seconds: that they took.
        retries: how often the run diverged before and was tried again.
        history: the curves so far.
    """

    state: dict[str, torch.Tensor] | None
    step: int
    seconds: float
    retries: int
    history: dict[str, Any]


def anew(kind: str) -> Start:
    """The beginning of a run of this kind of net."""
    return Start(None, 0, 0.0, 0, curves.begun(kind))


def saved(at: Path, run: dict[str, Any]) -> Start:
    """The state that a `Saver` wrote.

    Args:
        run: which one it has to be, see `provenance.identity`.
    Raises:
        AnotherRun: it is of another one, or of another version of this project; the message names the fields.
        BrokenCheckpoint: the file cannot be read.
    """
    state = store.read_tensors(at)
    again = "give the same ones, or leave --resume out to begin anew"
    try:
        was, history = _unpacked(state["run"]), _unpacked(state["history"])
        step, seconds, retries = int(state["step"]), float(state["seconds"]), int(state["retries"])
    except (KeyError, ValueError, RuntimeError) as error:
        raise AnotherRun(
            f"the saved state in {at.name} is of another run: another version of cemviz wrote it ({error}); "
            "leave --resume out to begin anew"
        ) from error
    if apart := differences(run, was):
        raise AnotherRun(f"the saved state in {at.name} is of another run: {', '.join(apart)}; {again}")
    return Start(state, step, seconds, retries, history)


class Saver:
    """Writes the state of a run, and the curves, the seconds and which run it is with it.

    Attributes:
        path: where.
        step: of the last state that was written.
    """

    def __init__(self, to: Path, run: dict[str, Any], start: Start, retries: int) -> None:
        self.path, self.step = to, start.step
        self._run, self._start, self._retries = run, start, retries
        self._last = time.monotonic()

    def save(self, progress: loop.Progress | None) -> None:
        """Write the state now; of a run that stopped before its first update, the state that it began from.

        Raises:
            Unwritable: the state that was written before still stands.
        """
        start = self._start
        if progress is None and start.state is None:
            return
        state = dict(start.state) if progress is None else progress.state()
        seconds = start.seconds + (0.0 if progress is None else progress.seconds)
        more = {"seconds": torch.tensor(seconds, dtype=torch.float64), "retries": torch.tensor(self._retries)}
        store.write_tensors(self.path, state | more | {"run": _packed(self._run), "history": _packed(start.history)})
        self.step = int(state["step"])

    def now_and_then(self, progress: loop.Progress) -> str:
        """Save where it is time to; returns what to say where that fails, "" otherwise.  It is tried again the next time."""
        if time.monotonic() - self._last <= SAVE_EVERY:
            return ""
        self._last = time.monotonic()
        try:
            self.save(progress)
        except Unwritable as error:
            return f"{error}; the run goes on, and is saved up to step {self.step}"
        return ""

    def forget(self) -> None:
        """Remove the state: the run has become a model."""
        self.path.unlink(missing_ok=True)


def stopped_at(name: str) -> int:
    """Number of updates that the saved state of a run has done.

    Raises:
        OSError, SafetensorError: there is none, or it cannot be read.
    """
    with safe_open(path(name), "pt") as state:
        return int(state.get_tensor("step"))


def curves_of(name: str) -> dict[str, Any]:
    """The curves so far in the saved state of a run.  Raises as `stopped_at`, and ValueError."""
    with safe_open(path(name), "pt") as state:
        return _unpacked(state.get_tensor("history"))


def _packed(value: dict[str, Any]) -> torch.Tensor:
    return torch.frombuffer(bytearray(json.dumps(value, sort_keys=True).encode()), dtype=torch.uint8)


def _unpacked(tensor: torch.Tensor) -> dict[str, Any]:
    value = json.loads(tensor.numpy().tobytes())
    if not isinstance(value, dict):
        raise ValueError(f"it holds a {type(value).__name__}")
    return value
