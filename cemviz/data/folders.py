"""A split as a folder of class folders: labels by their names, pixels decoded or from the cache, and what is amiss by name."""

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from . import cache
from .datasets import BadData, DataMissing, Dataset
from .decoding import BadImage, decode

SUFFIXES = {".png", ".webp", ".jpg", ".jpeg"}

STRAY = {"__macosx", "__pycache__", "@eadir", "$recycle.bin", "system volume information", "lost+found"}
"""Folders that systems leave beside the classes; hidden ones are left out too, and all of them are said."""

MOST_NAMED, MOST_BYTES = 10, 8 * 2**30
"""Files or names that a message lists; bytes of the decoded pixels of a split."""


def read(
    folder: Path, row: Dataset, classes: Sequence[str] | None, caches: Sequence[Path]
) -> tuple[Tensor, Tensor, tuple[str, ...], tuple[str, ...]]:
    """Read ROOT/NAME/SPLIT/CLASS/*: image i of every class in turn, by file name.

    Args:
        row: of the set: shape and names.
        classes: names in label order; None takes the row's, else those of the folders.
        caches: where decoded pixels may be kept, in order of preference.
    Returns:
        pixels, uint8 (N, C, H, W); labels, int64 (N,); classes; a sentence for each kind of thing that was passed over.
    Raises:
        DataMissing: no images.
        BadData: see `images.load`.
    """
    names, passed = _classes(folder)
    files = {name: _images(folder / name, passed) for name in names}
    cautions = _merged(folder, row, names, fixed=classes is not None or row.classes is not None)
    cautions += (
        [f"{folder} has {_listed(passed)}, passed over: read are .png, .webp and .jpg in CLASS folders"] if passed else []
    )
    classes = tuple(classes or row.classes or files)
    of_folder = labels(row, list(files), classes, str(folder))
    turns = row.labels(list(files), row.classes or list(files))  # the order is the set's own, whatever a model's order is
    counts, places = Counter(), []
    for turn, label, names in zip(turns, of_folder, files.values(), strict=True):
        places += [(counts[turn] + i, turn or 0, label) for i in range(len(names))]
        counts[turn] += len(names)
    if not places:
        raise DataMissing(f"{folder} holds no images; expected CLASS/*.png, .webp or .jpg")
    key = cache.fingerprint(folder, files, row.shape)
    pixels = cache.read(caches, key, len(places))
    if pixels is None:
        pixels = _decoded(folder, [f"{name}/{file}" for name, of_class in files.items() for file in of_class], row)
        if not cache.write(caches, key, pixels) and caches:
            warnings.warn(f"could not cache the decoded images of {folder}: the next start decodes them again", stacklevel=4)
    order = sorted(range(len(places)), key=places.__getitem__)
    return pixels[order], torch.tensor([places[k][2] for k in order]), classes, tuple(cautions)


def files(folder: Path) -> dict[str, list[Path]]:
    """Paths of the images of every class that has some, by the names of the class folders.  Raises BadData."""
    paths_of = {name: [folder / name / file for file in _images(folder / name, [])] for name in _classes(folder)[0]}
    return {name: paths for name, paths in paths_of.items() if paths}


def labels(row: Dataset, names: Sequence[str], classes: Sequence[str], where: str) -> list[int]:
    """The label of each name of a class.

    Raises:
        BadData: names that are none of the classes.
    """
    indices = row.labels(names, classes)
    if unknown := [name for name, label in zip(names, indices, strict=True) if label is None]:
        raise BadData(
            f"{where} has {_listed(unknown)}, which {'is no class' if len(unknown) == 1 else 'are no classes'} that is known "
            f"here; known are {', '.join(classes)}: rename or remove what does not belong"
        )
    return [label for label in indices if label is not None]


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - MOST_NAMED
    return ", ".join(repr(name) for name in names[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _entries(folder: Path) -> list[os.DirEntry]:
    """Entries of a folder, by name."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise BadData(f"{folder} cannot be read: {error.strerror}") from error


def _classes(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the class folders, and of the folders that are none."""
    names = [entry.name for entry in _entries(folder) if entry.is_dir()]
    stray = [name for name in names if name.startswith(".") or name.lower() in STRAY]
    return [name for name in names if name not in stray], stray


def _images(folder: Path, passed: list[str]) -> list[str]:
    """Names of the images of a class; adds to `passed` its folders and the pictures of other formats."""
    names = []
    for entry in _entries(folder):
        suffix = Path(entry.name).suffix.lower()
        if entry.name.startswith("."):
            continue
        if suffix in SUFFIXES and entry.is_file():
            names.append(entry.name)
        elif entry.is_dir() or suffix in Image.registered_extensions().keys() - SUFFIXES:
            passed.append(f"{folder.name}/{entry.name}")
    return names


def _merged(folder: Path, row: Dataset, names: Sequence[str], *, fixed: bool) -> list[str]:
    """A sentence for each two folders that one class name means; where no class names are known they are refused."""
    spelled: dict[str, str] = {}
    cautions = []
    for name in names:
        other = spelled.setdefault(row.canonical(name), name)
        if other == name:
            continue
        both = f"{folder} has the folders {other!r} and {name!r}, which name one class"
        if not fixed:
            raise BadData(f"{both}; merge or rename them")
        cautions.append(f"{both}: their images are taken together")
    return cautions


def _decoded(folder: Path, files: Sequence[str], row: Dataset) -> Tensor:
    """Pixels of all files in turn, uint8 (N, C, H, W)."""
    pixels, first, faults = torch.empty(0), "", []
    for k, file in enumerate(files):
        try:
            image = decode(folder / file, row.shape)
        except BadImage as error:
            faults.append(f"{file} {error.fault}")
            if len(faults) == MOST_NAMED:
                break
            continue
        if not first:
            first, (_, height, width) = file, image.shape
            if len(files) * image.numel() > MOST_BYTES:
                raise BadData(
                    f"{folder} holds {len(files)} images of {width} x {height} pixels, more than {MOST_BYTES // 2**30} GB in "
                    f"memory; scale them down"
                )
            pixels = torch.empty(len(files), *image.shape, dtype=torch.uint8)
        if image.shape != pixels.shape[1:]:
            raise BadData(
                f"images of {folder} differ in size: {first} has {width} x {height} pixels, {file} has {image.shape[2]} x "
                f"{image.shape[1]}; scale all to one size"
            )
        pixels[k] = image
    if faults:
        raise BadData(f"{folder} has images that cannot be used: {'; '.join(faults)}. Mend or remove them")
    return pixels
