"""A data set as its authors publish it, through torchvision, which downloads it where it may."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .datasets import DATASETS, DataMissing, Dataset


def downloaded(name: str, root: Path) -> bool:
    """Whether a download lies below the root; one that failed leaves folders alone."""
    return any(path.is_file() for path in _place(name, root).rglob("*"))


def _place(name: str, root: Path) -> Path:
    return root / "torchvision" / name


def read(name: str, row: Dataset, split: str, root: Path, download: bool) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Read a split in torchvision's order.

    Args:
        row: of the set.
        split: train or test.
        root: folder of data sets.
        download: fetch what is not here.
    Returns:
        pixels, uint8 (N, C, H, W); labels, int64 (N,); classes.
    Raises:
        DataMissing: torchvision does not have it; it is not here, and not to be downloaded; the download failed.
    """
    local = f"a folder that holds {name}/{split}/CLASS/*.png"
    if row.torchvision is None or split not in ("train", "test"):
        if name in DATASETS or (root / name).is_dir():
            raise DataMissing(f"{row.title} has no {split} split on this machine: set CEMVIZ_DATA or --data to {local}")
        names = ", ".join(DATASETS)
        raise DataMissing(f"no data set {name!r}: known are {names}, or a folder ROOT/{name}/{split}/CLASS/*.png below --data")
    import torchvision  # imported here: it takes seconds, and folders do not need it

    make = getattr(torchvision.datasets, row.torchvision)
    chosen = {"split": split} if row.torchvision == "SVHN" else {"train": split == "train"}
    try:
        stored = make(str(_place(name, root)), download=download, **chosen)
    except (RuntimeError, OSError) as error:  # torchvision raises both for a missing file and for a failed download
        if download:
            why = (
                f"could not be downloaded to {root} [{error}]: check network and disk, or set CEMVIZ_DATA or --data to {local}"
            )
        else:
            train = f"train a recipe of it, which downloads it ({row.megabytes} MB)"
            why = f"is not on this machine: set CEMVIZ_DATA or --data to {local}, or {train}"
        raise DataMissing(f"{row.title} ({split}) {why}") from error
    pixels = torch.as_tensor(np.asarray(stored.data))
    labels = torch.as_tensor(np.asarray(getattr(stored, "targets", getattr(stored, "labels", None)))).long()
    if pixels.dim() == 3:
        pixels = pixels[:, None]
    elif pixels.shape[-1] == 3:
        pixels = pixels.permute(0, 3, 1, 2).contiguous()
    return pixels, labels, row.classes or tuple(stored.classes)
