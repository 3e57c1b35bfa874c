"""The full state of an unfinished run: one file, so that no kill can split it."""

import json
from pathlib import Path
from typing import Any

import torch

from ..training import loop
from . import store

SAVE_EVERY = 30.0
"""Seconds between two saves: what a killed run loses at most."""


class AnotherRun(ValueError):
    """A saved state does not belong to what is to be trained."""


def path(name: str) -> Path:
    """Where the full state of an unfinished run lies."""
    return store.folder() / "runs" / f"{store.checked(name)}.safetensors"


def keep(to: Path, progress: loop.Progress, history: dict[str, Any], before: float, retries: int, run: torch.Tensor) -> None:
    """Write the state, the curves, the seconds spent before, the number of retries, and which run this is."""
    told = torch.tensor(list(json.dumps(history).encode()), dtype=torch.uint8)
    more = {"seconds": torch.tensor(before + progress.seconds), "retries": torch.tensor(retries), "run": run, "history": told}
    store.write_tensors(to, progress.state() | more)


def reread(at: Path, run: torch.Tensor) -> dict[str, torch.Tensor]:
    """The state that `keep` wrote.

    Args:
        run: which one it has to be, see `provenance.fingerprint`.
    Raises:
        AnotherRun: it is of another one.
        BrokenCheckpoint: the file cannot be read.
    """
    state = store.read_tensors(at)
    if not torch.equal(state["run"], run):
        raise AnotherRun(
            f"the saved state in {at.name} is of another run (recipe, scale, seed or a field); "
            "give the same ones, or leave --resume out to begin anew"
        )
    return state
