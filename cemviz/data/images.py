"""Real images by name: decoded once, kept on the device as uint8, batched and augmented there.

A set is read from a folder in torchvision's ImageFolder layout, ROOT/NAME/SPLIT/CLASS/*.png (webp, jpg), where ROOT is given
or is the environment's CEMVIZ_DATA; where there is no such folder, torchvision downloads the original if it may.  A label
comes from the name of a class folder, never from its place.  The decoded tensor is cached beside the images (or under the
user's cache folder where that is read-only), since opening 60,000 small files is the slow part.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from . import folders, originals, views
from .datasets import DATASETS, BadData, DataMissing, Part
from .own import described

__all__ = ["DATASETS", "BadData", "DataMissing", "Images", "available", "batches", "load", "root"]

CACHE = Path.home() / ".cache" / "cemviz"


@dataclass(frozen=True, slots=True)
class Images:
    """A split of a data set on a device.

    Attributes:
        pixels: uint8, (N, C, H, W).
        labels: int64, (N,).
        classes: names in label order.
        warnings: what a reader of numbers should know: classes without images, files that were passed over.
    """

    name: str
    split: str
    pixels: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "Images":
        """The first images of the split, with every class in turn: what `evaluate` uses."""
        return replace(self, pixels=self.pixels[:count], labels=self.labels[:count])

    def floats(self, index: Tensor | slice = slice(None)) -> Tensor:
        """Pixels in [0, 1] at these places, float32."""
        return self.pixels[index].float() / 255

    def cautions(self) -> list[str]:
        """Warnings for a rate that is measured on these images: `warnings`, and that they are one, or of one class only."""
        present = self.labels.unique().tolist()
        if len(self) == 1:
            return [*self.warnings, f"{self.name} ({self.split}): one image is no sample; the spread is not 0"]
        if len(present) == 1:
            caution = f"{self.name} ({self.split}): all {len(self)} images are of one class, {self.classes[present[0]]!r}"
            return [*self.warnings, f"{caution}; a net that always answers so would score 1"]
        return list(self.warnings)


def root(folder: str | Path | None = None) -> Path | None:
    """The folder of local data sets: the argument, else CEMVIZ_DATA, else the user's cache if it exists.

    Raises:
        DataMissing: the argument, or else CEMVIZ_DATA, names no folder; empty, each counts as not given.
    """
    for source, value in (("data", folder), ("CEMVIZ_DATA", os.environ.get("CEMVIZ_DATA"))):
        if value:
            path = os.path.expanduser(value)
            if not os.path.isdir(path):
                raise DataMissing(f"{source} is {str(value)!r}, which is no folder; give one that holds NAME/SPLIT/CLASS/*.png")
            return Path(path)
    return CACHE / "data" if (CACHE / "data").is_dir() else None


def available(name: str, split: str = "test", *, data: str | Path | None = None) -> bool:
    """Whether a split can be had without a download."""
    folder = root(data)
    if folder is None or not _plain(name, split):
        return False
    row = described(name, folder)
    stored = row.parts[split].split if split in row.parts else split
    if _has(folder, name, split) or _has(folder, name, stored):
        return True
    return stored in ("train", "test") and originals.downloaded(name, folder)


def load(
    name: str,
    split: str = "train",
    *,
    classes: Sequence[str] | None = None,
    data: str | Path | None = None,
    device: torch.device | str = "cpu",
    download: bool = False,
) -> Images:
    """Load a split.

    The order is fixed and mixes the classes: image i of every class in turn for folders, torchvision's own order otherwise.
    A part of a split (see `datasets.Part`) keeps it.  What is chosen, hyper-parameters for one, is chosen on "validation" after
    training on "train-rest"; "held-out" is in no training.

    Args:
        name: key of DATASETS, or the name of a folder below the root.
        split: train, test, validation, train-rest, another part that the row names, or a folder of that name.
        classes: names in label order, such as a model's card has; None takes the row's, else those of the folders.
        data: root of local folders; None takes CEMVIZ_DATA.
        download: fetch the original through torchvision if it is not here.
    Raises:
        DataMissing: not here, and not to be downloaded.
        BadData: images that cannot be read, or differ in size; folders that are none of the classes.
    """
    if not _plain(name, split):
        raise DataMissing(
            f"no data set {name!r} with a split {split!r}: both are names of folders, ROOT/NAME/SPLIT/CLASS/*.png"
        )
    folder = root(data)
    part = described(name, folder).parts.get(split)
    if part is None or (part.split != split and _has(folder, name, split)):
        chosen = _stored(name, split, classes, folder, download)
    elif part.apart and _has(folder, name, part.apart):  # that is no part, but a folder of its own
        if part.split != split:
            return replace(load(name, part.split, classes=classes, data=data, device=device, download=download), split=split)
        chosen = _stored(name, split, classes, folder, download)
    else:
        stored = _stored(name, part.split, classes, folder, download)
        places = _places(part, stored.labels)
        if not len(places):
            raise DataMissing(f"{name} has too few images for a {split} split; give at least 10 of a class")
        chosen = replace(stored, split=split, pixels=stored.pixels[places], labels=stored.labels[places])
    absent = sorted(set(range(len(chosen.classes))) - set(chosen.labels.unique().tolist()))
    absences = [f"{name} ({split}) has no images of {', '.join(chosen.classes[label] for label in absent)}"] if absent else []
    warnings = (*chosen.warnings, *absences)
    return replace(chosen, pixels=chosen.pixels.to(device), labels=chosen.labels.to(device), warnings=warnings)


def _plain(*names: str) -> bool:
    """Whether these name folders, and nothing beyond them."""
    return all(name.strip(".") and not set(name) & set("/\\\0") for name in names)


def _has(folder: Path | None, name: str, split: str) -> bool:
    return folder is not None and (folder / name / split).is_dir()


def _places(part: Part, labels: Tensor) -> Tensor:
    """Places of a part: where image i of the n of its class has start <= (i + 1/2) / n < stop."""
    share = torch.zeros(len(labels), dtype=torch.float64)
    for label in labels.unique():
        of_class = (labels == label).nonzero().squeeze(1)
        share[of_class] = (torch.arange(len(of_class), dtype=torch.float64) + 0.5) / len(of_class)
    return ((part.start <= share) & (share < part.stop)).nonzero().squeeze(1)


def _stored(name: str, split: str, classes: Sequence[str] | None, folder: Path | None, download: bool) -> Images:
    row, caches = described(name, folder), [CACHE / "decoded" / f"{name}-{split}.safetensors"]
    if _has(folder, name, split):
        beside = folder / name / f".{split}.safetensors"
        pixels, labels, names, cautions = folders.read(folder / name / split, row, classes, [beside, *caches])
        return Images(name, split, pixels, labels, names, cautions)
    pixels, labels, original = originals.read(name, row, split, folder or CACHE / "data", download)
    classes = tuple(classes or original)
    return Images(name, split, pixels, torch.tensor(folders.labels(row, original, classes, row.title))[labels], classes)


def batches(
    images: Images,
    size: int,
    *,
    seed: int,
    start: int = 0,
    view: views.View = views.none,
    generator: torch.Generator | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless training batches.

    Which images batch k holds is a function of (seed, k) alone, so that a resumed run needs no state but its step; the
    augmentation's draws come from `generator`, whose state a run saves.

    Args:
        size: of a batch; a last incomplete batch of an epoch is dropped.
        start: index of the first batch to yield.
    Yields:
        x, (size, C, H, W) in [0, 1]; y, (size,) int64.
    Raises:
        ValueError: fewer images than a batch, or a batch of none.
    """
    if size < 1:
        raise ValueError(f"batch size is {size}; give at least 1")
    per_epoch = len(images) // size
    if per_epoch == 0:
        raise ValueError(f"batch size is {size}, but the set holds {len(images)} images; lower the batch size")
    k, device = start, images.pixels.device
    while True:
        epoch, within = divmod(k, per_epoch)
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch)).to(device)
        for b in range(within, per_epoch):
            chosen = order[b * size : (b + 1) * size]
            yield view(images.floats(chosen), generator), images.labels[chosen]
            k += 1
