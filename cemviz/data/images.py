"""Real images by name: decoded once, kept on the device as uint8, batched and augmented there.

A set is read from a folder in torchvision's ImageFolder layout, ROOT/NAME/SPLIT/CLASS/*.png (webp, jpg), where ROOT is given
or is the environment's CEMVIZ_DATA; where there is no such folder, torchvision downloads the original on first use.  The
decoded tensor is cached beside the images (or under the user's cache folder where that is read-only), since opening 60,000
small files is the slow part.
"""

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, safe_open, save_file
from torch import Tensor

from . import views

SUFFIXES = {".png", ".webp", ".jpg", ".jpeg"}
CACHE = Path.home() / ".cache" / "cemviz"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A row of `DATASETS`.

    Attributes:
        shape: (C, H, W).
        classes: names in label order, or None to take the folder's.
        torchvision: class name in torchvision.datasets, or None for a folder only.
        mean, std: of the training split, per channel, in [0, 1]; the first layer of every net.
        views: augmentation of training batches, see `views`.
    """

    title: str
    shape: tuple[int, int, int]
    classes: tuple[str, ...] | None
    torchvision: str | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    views: views.View


CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FASHION = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
DIGITS = tuple("0123456789")

DATASETS: dict[str, Dataset] = {
    "mnist": Dataset("MNIST", (1, 28, 28), DIGITS, "MNIST", (0.1307,), (0.3081,), views.none),
    "fashionmnist": Dataset("Fashion-MNIST", (1, 28, 28), FASHION, "FashionMNIST", (0.2860,), (0.3530,), views.none),
    "cifar10": Dataset(
        "CIFAR-10", (3, 32, 32), CIFAR10, "CIFAR10", (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), views.crop_and_flip
    ),
    "cifar100": Dataset(
        "CIFAR-100", (3, 32, 32), None, "CIFAR100", (0.5071, 0.4866, 0.4409), (0.2673, 0.2564, 0.2762), views.crop_and_flip
    ),
    "svhn": Dataset("SVHN", (3, 32, 32), DIGITS, "SVHN", (0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970), views.none),
}


class DataMissing(LookupError):
    """A data set is neither in a local folder nor downloadable; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Images:
    """A split of a data set on a device.

    Attributes:
        pixels: uint8, (N, C, H, W).
        labels: int64, (N,).
        classes: names in label order.
    """

    name: str
    split: str
    pixels: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "Images":
        """The first images of the split, with every class in turn: what `evaluate` uses."""
        return Images(self.name, self.split, self.pixels[:count], self.labels[:count], self.classes)

    def floats(self, index: Tensor | slice = slice(None)) -> Tensor:
        """Pixels in [0, 1] at these places, float32."""
        return self.pixels[index].float() / 255


def root(given: str | Path | None = None) -> Path | None:
    """The folder of local data sets: the argument, else CEMVIZ_DATA, else the user's cache if it exists.

    Raises:
        DataMissing: a folder was given that is none.
    """
    if given and not Path(given).expanduser().is_dir():
        raise DataMissing(f"data is {str(given)!r}, which is no folder; give one that holds NAME/SPLIT/CLASS/*.png")
    chosen = given or os.environ.get("CEMVIZ_DATA") or CACHE / "data"
    path = Path(chosen).expanduser()
    return path if path.is_dir() else None


def available(name: str, split: str = "test", *, data: str | Path | None = None) -> bool:
    """Whether a split can be had without a download."""
    folder = root(data)
    if folder is None:
        return False
    fetched = (folder / "torchvision" / name).rglob("*")  # a download that failed leaves folders alone
    return (folder / name / split).is_dir() or any(path.is_file() for path in fetched)


def load(
    name: str,
    split: str = "train",
    *,
    data: str | Path | None = None,
    device: torch.device | str = "cpu",
    download: bool = False,
) -> Images:
    """Load a split.

    The order is fixed and mixes the classes: image i of every class in turn for folders, torchvision's own order otherwise.

    Args:
        name: key of DATASETS, or the name of a folder below the root.
        split: train or test.
        data: root of local folders; None takes CEMVIZ_DATA.
        download: fetch the original through torchvision if it is not here.
    Raises:
        DataMissing: not here, and not to be downloaded.
    """
    folder = root(data)
    local = folder / name / split if folder else None
    if local is not None and local.is_dir():
        pixels, labels, classes = _folder(local, DATASETS.get(name))
    else:
        pixels, labels, classes = _torchvision(name, split, folder or CACHE / "data", download)
    return Images(name, split, pixels.to(device), labels.to(device), classes)


def _folder(folder: Path, known: Dataset | None) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    found = tuple(sorted(p.name for p in folder.iterdir() if p.is_dir()))
    classes = known.classes if known and known.classes and set(known.classes) == set(found) else found
    files = [sorted(p for p in (folder / c).iterdir() if p.suffix.lower() in SUFFIXES) for c in classes]
    total = sum(map(len, files))
    if not total:
        raise DataMissing(f"{folder} holds no images; expected CLASS/*.png, .webp or .jpg")
    for cache in (
        folder.parent / f".{folder.name}.safetensors",
        CACHE / "decoded" / f"{folder.parent.name}-{folder.name}.safetensors",
    ):
        if cache.is_file() and _is_of(cache, folder, total):
            held = load_file(cache)
            return held["pixels"], held["labels"], classes
    order = sorted((i, label) for label, of_class in enumerate(files) for i in range(len(of_class)))
    shape = known.shape if known else None
    pixels = np.ascontiguousarray(np.stack([_decode(files[label][i], shape) for i, label in order]))
    tensors = {"pixels": torch.from_numpy(pixels), "labels": torch.tensor([label for _, label in order])}
    _cache(tensors, folder, total)
    return tensors["pixels"], tensors["labels"], classes


def _decode(path: Path, shape: tuple[int, int, int] | None) -> np.ndarray:
    with Image.open(path) as image:
        image = image.convert("L" if shape and shape[0] == 1 else "RGB")
        if shape and image.size != (shape[2], shape[1]):
            image = image.resize((shape[2], shape[1]), Image.Resampling.LANCZOS)
        array = np.asarray(image)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _cache(tensors: dict[str, Tensor], folder: Path, total: int) -> None:
    places = (
        folder.parent / f".{folder.name}.safetensors",
        CACHE / "decoded" / f"{folder.parent.name}-{folder.name}.safetensors",
    )
    for place in places:
        partial = place.with_suffix(f".{os.getpid()}.part")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            save_file(tensors, partial, metadata={"folder": str(folder), "files": str(total)})
            partial.replace(place)
            return
        except OSError:
            continue
    warnings.warn(f"could not cache the decoded images of {folder}: the next start decodes them again", stacklevel=3)


def _is_of(cache: Path, folder: Path, total: int) -> bool:
    try:
        with safe_open(cache, "pt") as file:
            return file.metadata() == {"folder": str(folder), "files": str(total)}
    except SafetensorError:  # half a file, from a full disk: decode again
        return False


def _torchvision(name: str, split: str, folder: Path, download: bool) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    known = DATASETS.get(name)
    if known is None or known.torchvision is None:
        raise DataMissing(
            f"no data set {name!r}: known are {', '.join(DATASETS)}, or a folder ROOT/{name}/{split}/CLASS/*.png below --data"
        )
    import torchvision  # imported here: it takes seconds, and folders do not need it

    make = getattr(torchvision.datasets, known.torchvision)
    chosen = {"split": split} if known.torchvision == "SVHN" else {"train": split == "train"}
    try:
        dataset = make(str(folder / "torchvision" / name), download=download, **chosen)
    except (RuntimeError, OSError) as error:  # torchvision raises both for a missing file and for a failed download
        hint = "check the network" if download else "allow the download, or set CEMVIZ_DATA to a folder that holds it"
        raise DataMissing(f"{known.title} ({split}) is not on this machine: {hint} [{error}]") from error
    pixels = torch.as_tensor(np.asarray(dataset.data))
    labels = torch.as_tensor(np.asarray(getattr(dataset, "targets", getattr(dataset, "labels", None)))).long()
    if pixels.dim() == 3:
        pixels = pixels[:, None]
    elif pixels.shape[-1] == 3:
        pixels = pixels.permute(0, 3, 1, 2).contiguous()
    return pixels, labels, known.classes or tuple(dataset.classes)


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
