"""The curves of a run: losses, learning rates, probes and frames, kept while it trains and beside the model afterwards."""

from pathlib import Path
from typing import Any

from ...training import loop
from ..stored import artefacts
from ..stored.artefacts import Artefact

PROBES, CURVE = 24, 200
"""Probes and points of the loss curve that a run keeps."""


def path(name: str) -> Path:
    """Where the curves of a finished run lie."""
    return artefacts.path("history", name)


def write(name: str, history: dict[str, Any], sha256: str) -> None:
    """Keep the curves of a finished run beside its model, whose weights have this hash.  Raises Unwritable."""
    artefacts.write("history", name, Artefact(history | {"model": name, "sha256": sha256}), indent=None)


def begun(kind: str) -> dict[str, Any]:
    """The curves of a run of this kind of net that has not begun."""
    return {"kind": kind, "steps": [], "lr": [], "terms": {}, "probes": []}


def note(history: dict[str, Any], progress: loop.Progress) -> None:
    """Keep every point of a short run, and CURVE of a long one."""
    if progress.probe is not None:
        history["probes"].append({"step": progress.step} | progress.probe)
    if progress.step % max(1, progress.steps // CURVE) == 0 or progress.step in (1, progress.steps):
        history["steps"].append(progress.step)
        history["lr"].append(float(f"{progress.lr:.4g}"))
        for name, value in progress.terms.items():
            history["terms"].setdefault(name, []).append(float(f"{value:.5g}"))
