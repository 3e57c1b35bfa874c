"""Data sets of one's own: checked once, copied below the root, described by a small file beside their splits.

ROOT/NAME/dataset.json says what a folder of images alone does not: title, shape, classes in label order, means and deviations.
"""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from . import folders
from .datasets import DATASETS, BadData, DataMissing, Dataset, dataset

FILE = "dataset.json"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
MOST_NUMBERS = 4096
"""Numbers of an image, at most: the seeds are covariances of them."""

LEAST_SIDE, LEAST_IMAGES = 4, 5
"""Pixels of a side; images of a class, where the test split is cut from one folder."""

SPLITS = ("train", "test", "validation")


@dataclass(frozen=True, slots=True)
class Own:
    """A data set as its file describes it.

    Attributes:
        row: as of DATASETS.
        counts: images of each split.
    """

    row: Dataset
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Checked:
    """A folder that can be taken.

    Attributes:
        files: of each split and class, paths.
        warnings: what was passed over.
    """

    data: Own
    files: dict[str, dict[str, list[Path]]]
    warnings: tuple[str, ...]


def read(folder: Path, name: str) -> Own | None:
    """The set of this name, or None where no file describes it.

    Args:
        folder: ROOT/NAME.
    Raises:
        BadData: a file that cannot be read.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        shape, mean, std = tuple(map(int, about["shape"])), tuple(map(float, about["mean"])), tuple(map(float, about["std"]))
        counts = {split: int(count) for split, count in about["counts"].items()}
        if len(shape) != 3 or len(mean) != shape[0] or len(std) != shape[0] or not counts["train"] > 0:
            raise ValueError("its shape, mean, std and counts do not go together")
        row = _row(name, str(about["title"]), shape, tuple(map(str, about["classes"])), mean, std)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadData(f"{path} cannot be read ({error!r}); remove {folder} and add the data set anew") from error
    return Own(row, counts)


def described(name: str, root: Path | None) -> Dataset:
    """The row of a set: of DATASETS, else as its file below the root says, else what holds for any.

    Raises:
        BadData: see `read`.
    """
    added = None if name in DATASETS or root is None else read(root / name, name)
    return dataset(name) if added is None else added.row


def sets(root: Path | None) -> Iterator[tuple[str, Own]]:
    """Every set that was added below the root, by name; one whose file is broken is left out, and refused where it is used."""
    for path in sorted(root.glob(f"*/{FILE}")) if root else ():
        try:
            added = read(path.parent, path.parent.name)
        except BadData:
            continue
        if added is not None:
            yield path.parent.name, added


def check(name: str, folder: Path, root: Path, size: int | None = None, title: str = "") -> Checked:
    """Look through a folder: FOLDER/train/CLASS/* and FOLDER/test/CLASS/*, or FOLDER/CLASS/*, of which every fifth image tests.

    Args:
        name: of the set.
        root: where it will stand.
        size: side to which all images are scaled; None takes them as they are, which then must be of one size.
        title: empty takes the name.
    Raises:
        BadData, DataMissing: what is amiss, by name, and what to do.
    """
    if not NAME.fullmatch(name):
        raise BadData(f"name is {name!r}; give small letters, digits, - and _, at most 32, such as leaves")
    if (root / name).exists():
        raise BadData(f"name is {name!r}, and {root / name} is there already; remove it, or take another name")
    if name in DATASETS:
        raise BadData(f"name is {name!r}, which is a known data set; take another")
    if not folder.is_dir():
        raise DataMissing(f"folder is {str(folder)!r}, which is no folder; give one that holds train/CLASS/*.png")
    present = [split for split in SPLITS if (folder / split).is_dir()]
    if present and not {"train", "test"} <= set(present):
        raise BadData(f"{folder} has {', '.join(present)}; it wants train and test, or class folders alone")
    parts = {split: folders.files(folder / split) for split in present} if present else _cut(folders.files(folder), folder)
    classes = tuple(parts["train"])
    if len(classes) < 2:
        raise BadData(f"{folder} holds images of fewer than 2 classes; give CLASS folders, as in FOLDER/train/CLASS/*.png")
    for label in classes:
        if (count := len(parts["train"][label])) < 2:
            raise BadData(f"class {label!r} has {count} image for training; give at least 2")
    row = Dataset(title or name, None if size is None else (3, size, size), classes)
    pixels, cautions = _pixels(folder, present, row)
    shape = tuple(pixels["train"].shape[1:])
    if bool((pixels["train"][:, :1] == pixels["train"]).all()):
        shape = (1, *shape[1:])
    _fits(folder, shape)
    x = pixels["train"][:, : shape[0]].double().flatten(2) / 255
    mean, std = x.mean((0, 2)), x.std((0, 2)).clamp(min=0.01)
    counts = {split: sum(map(len, part.values())) for split, part in parts.items()}
    added = Own(_row(name, title or name, shape, classes, _digits(mean), _digits(std)), counts)
    return Checked(added, parts, cautions)


def add(name: str, checked: Checked, root: Path) -> Path:
    """Copy what was checked to ROOT/NAME, with the file that describes it; all of it, or nothing."""
    target, staged = root / name, root / f".{name}.adding"
    shutil.rmtree(staged, ignore_errors=True)
    try:
        for split, classes in checked.files.items():
            for label, paths in classes.items():
                (staged / split / label).mkdir(parents=True)
                for path in paths:
                    shutil.copyfile(path, staged / split / label / path.name)
        row = checked.data.row
        about = {key: getattr(row, key) for key in ("title", "shape", "classes", "mean", "std")}
        (staged / FILE).write_text(json.dumps(about | {"counts": checked.data.counts}, indent=1) + "\n", encoding="utf-8")
        staged.replace(target)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    return target


def _row(
    name: str, title: str, shape: tuple[int, ...], classes: tuple[str, ...], mean: tuple[float, ...], std: tuple[float, ...]
) -> Dataset:
    """The row of a set; the window of its landscape is as wide as MNIST's for grey images, as CIFAR-10's for colour."""
    like = DATASETS["mnist" if shape[0] == 1 else "cifar10"]
    return replace(
        Dataset(title, shape, classes, mean=mean, std=std), radius=like.radius, judge=f"{name}-judge", gallery=f"{name}-at"
    )


def _cut(classes: dict[str, list[Path]], folder: Path) -> dict[str, dict[str, list[Path]]]:
    """Every fifth image of each class for the test split."""
    if few := [label for label, paths in classes.items() if len(paths) < LEAST_IMAGES]:
        raise BadData(
            f"{folder} has fewer than {LEAST_IMAGES} images of class {few[0]!r}, of which every fifth is for the test split; "
            f"add some, or give FOLDER/train/CLASS and FOLDER/test/CLASS"
        )
    test = {label: paths[4::5] for label, paths in classes.items()}
    return {"train": {label: [p for i, p in enumerate(paths) if i % 5 != 4] for label, paths in classes.items()}, "test": test}


def _pixels(folder: Path, present: list[str], row: Dataset) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Pixels of each split, and of a folder without splits all for the training one."""
    pixels, cautions = {}, []
    try:
        for split in present or ["train"]:
            pixels[split], _, _, warned = folders.read(folder / split if present else folder, row, row.classes, [])
            cautions += warned
    except BadData as error:
        if "scale all to one size" in str(error):
            raise BadData(f"{error}, or give --size, such as --size 32") from error
        raise
    sizes = {split: tuple(x.shape[2:]) for split, x in pixels.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{split} {width} x {height}" for split, (height, width) in sizes.items())
        raise BadData(f"the splits of {folder} differ in size ({listed} pixels); give --size, such as --size 32")
    return pixels, tuple(cautions)


def _fits(folder: Path, shape: tuple[int, ...]) -> None:
    """Refuse images that are too small for a net, or too large for seeds."""
    channels, height, width = shape
    if channels * height * width > MOST_NUMBERS:
        raise BadData(
            f"images of {folder} have {width} x {height} pixels{' in colour' if channels == 3 else ''}, more than "
            f"{MOST_NUMBERS} numbers: give --size, such as --size 32"
        )
    if min(height, width) < LEAST_SIDE:
        raise BadData(f"images of {folder} have {width} x {height} pixels; give at least {LEAST_SIDE} on a side, or --size 32")


def _digits(values: torch.Tensor) -> tuple[float, ...]:
    return tuple(round(v, 4) for v in values.tolist())
