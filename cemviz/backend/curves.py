"""The curves of a run: losses, learning rates and probes, kept while it trains and beside the model afterwards."""

import json
from pathlib import Path
from typing import Any

import torch

from ..training import loop
from . import store

PROBES, CURVE = 24, 200
"""Probes and points of the loss curve that a run keeps."""


def path(name: str) -> Path:
    """Where the curves of a finished run lie."""
    return store.folder() / "history" / f"{store.checked(name)}.json"


def begun(resume: dict[str, torch.Tensor] | None, kind: str) -> dict[str, Any]:
    """The curves of a run of this kind of net so far: those in its saved state, or empty ones."""
    if resume is None:
        return {"kind": kind, "steps": [], "lr": [], "terms": {}, "probes": []}
    return json.loads(bytes(resume["history"].tolist()))


def note(history: dict[str, Any], progress: loop.Progress) -> None:
    """Keep every point of a short run, and CURVE of a long one."""
    if progress.probe is not None:
        history["probes"].append({"step": progress.step} | progress.probe)
    if progress.step % max(1, progress.steps // CURVE) == 0 or progress.step in (1, progress.steps):
        history["steps"].append(progress.step)
        history["lr"].append(float(f"{progress.lr:.4g}"))
        for name, value in progress.terms.items():
            history["terms"].setdefault(name, []).append(float(f"{value:.5g}"))
