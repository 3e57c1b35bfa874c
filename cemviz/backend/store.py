"""Stored models in one place: what `stored` offers, under the names that its callers know."""

from pathlib import Path

import torch

from ..starts import Gaussians
from .stored.cards import (
    Card,
    called,
    cards,
    checked,
    folder,
    is_guest,
    left_out,
    read_card,
    unkeyed,
    with_metric,
    write_card,
)  # fmt: skip
from .stored.files import BrokenCheckpoint, Unwritable, check_place, digest, read_json, read_tensors, write_json, write_tensors
from .stored.models import load, save, weights_path

__all__ = [
    "BrokenCheckpoint", "Card", "Unwritable", "called", "cards", "check_place", "checked", "digest", "folder", "is_guest",
    "left_out", "load", "load_gaussians", "read_card", "read_json", "read_tensors", "save", "save_gaussians", "unkeyed",
    "weights_path",
    "with_metric", "write_card", "write_json", "write_tensors",
]  # fmt: skip


def save_gaussians(data: str, gaussians: Gaussians) -> Path:
    """Store the seeds of a data set in half precision."""
    path = folder() / "seeds" / f"{data}.safetensors"
    write_tensors(path, {k: getattr(gaussians, k).half() for k in ("means", "factors", "floors")})
    return path


def load_gaussians(data: str, device: torch.device | str = "cpu") -> Gaussians | None:
    """The stored seeds of a data set, or None where none are shipped.  Raises BrokenCheckpoint."""
    path = folder() / "seeds" / f"{data}.safetensors"
    if not path.is_file():
        return None
    return Gaussians(**{k: v.float().to(device) for k, v in read_tensors(path).items()})
