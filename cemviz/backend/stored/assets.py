"""Files that ship beside the models, so that a machine without network and data set has something to show.

| in checkpoints/          | holds                                                              | made from            |
|--------------------------|--------------------------------------------------------------------|----------------------|
| seeds/NAME.safetensors   | class Gaussians: means and leading directions of the covariances   | the training split   |
| grids/NAME.safetensors   | energies around one test image a class: numbers, no pixels         | every classifier     |
| gallery/NAME.safetensors | images that the model NAME-at drew from the class Gaussians        | seeds and that model |
| robustness/NAME.json     | accuracy under attack, see `robustness`: numbers, no pixels        | every classifier     |

Grids and gallery have a description NAME.json beside them; it names the hash of every model, so that the numbers of a model
that was trained anew are recognised as stale.  No image of a data set is ever stored: of the test images there is a hash, by
which a machine that holds the set finds them again.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ... import starts
from ...data import images
from ...data.datasets import dataset
from ...data.images import DataMissing, Images
from ...metrics import landscape
from .. import kinds, store
from ..attack import rates as robustness
from ..checks import choice
from ..requests import DIRECTIONS, SampleRequest
from ..sample.chains import sample
from ..store import BrokenCheckpoint, Card
from ..studio import Studio
from ..use_case import Step
from . import artefacts
from .artefacts import Artefact

SIDE, SEED, PER_CLASS, MOST = 41, 0, 4, 10

Asset = TypeVar("Asset")


@dataclass(frozen=True, slots=True)
class Grids:
    """The precomputed windows of a data set.

    Attributes:
        radius, side, seed: of every window, see `metrics.landscape.around`.
        classes, labels, indices: class name, label and place in the test split of each image.
        pixels: SHA-256 of each image's uint8 pixels.
        models: name -> SHA-256 of the weights that were measured.
        tensors: "MODEL/KIND/joint" and "MODEL/KIND/marginal", each (N, side, side) float16.
    """

    data: str
    radius: float
    side: int
    seed: int
    classes: tuple[str, ...]
    labels: tuple[int, ...]
    indices: tuple[int, ...]
    pixels: tuple[str, ...]
    models: dict[str, str]
    tensors: dict[str, Tensor]

    def around(self, card: Card, kind: str, i: int) -> tuple[np.ndarray, np.ndarray] | None:
        """E(x, y) and E(x) around image i, each (side, side) float32; None where this model was not measured, or is stale."""
        if self.models.get(card.name) != card.sha256:
            return None
        joint, marginal = (self.tensors[f"{card.name}/{kind}/{energy}"][i] for energy in ("joint", "marginal"))
        return joint.float().numpy(), marginal.float().numpy()

    def averages(self, card: Card, kind: str, energy: str) -> dict[str, float] | None:
        """Offset, depth and range (see `metrics.landscape.Shape`) averaged over all images; None where `around` is."""
        axis = landscape.window(self.radius, self.side)
        rows = [self.around(card, kind, i) for i in range(len(self.labels))]
        if None in rows:
            return None
        shapes = [landscape.shape(torch.from_numpy(row[energy == "marginal"]), axis) for row in rows]
        return {k: float(np.mean([getattr(s, k) for s in shapes])) for k in ("offset", "depth", "range")}

    def stale(self, cards: dict[str, Card]) -> list[str]:
        """Models that were trained anew since they were measured: run `python -m cemviz assets NAME`."""
        return Artefact({"models": self.models}).stale(cards)


@dataclass(frozen=True, slots=True)
class Gallery:
    """Images that a shipped model drew.

    Attributes:
        model, sha256: which, and its weights' hash then.
        classes: asked of each image, by name.
        labels: (N,) int64; images: uint8, (N, C, H, W).
        settings: sampler, its numbers and the seed.
    """

    model: str
    sha256: str
    classes: tuple[str, ...]
    labels: Tensor
    images: Tensor
    settings: dict[str, Any]


def grids(data: str) -> Grids | None:
    """The precomputed windows of a data set, or None where none ship.  Raises BrokenCheckpoint."""

    def made(held: Artefact) -> Grids:
        lists = {k: tuple(held.head[k]) for k in ("classes", "labels", "indices", "pixels")}
        return Grids(**held.head | lists, tensors=held.tensors)

    return _read("grids", data, made)


def gallery(data: str) -> Gallery | None:
    """The shipped samples of a data set, or None where none ship.  Raises BrokenCheckpoint."""
    return _read("gallery", data, lambda held: Gallery(**held.head | {"classes": tuple(held.head["classes"])}, **held.tensors))


def _read(kind: str, data: str, made: Callable[[Artefact], Asset]) -> Asset | None:
    again = f"run: python -m cemviz assets {data}"
    held = artefacts.read(kind, data, again)
    try:
        return None if held is None else made(held)
    except (TypeError, KeyError) as error:
        raise BrokenCheckpoint(f"{kind}/{data}.json cannot be read ({error}); restore it, or {again}") from error


def fingerprint(pixels: Tensor) -> str:
    """SHA-256 of an image's uint8 pixels, (C, H, W), in hex."""
    return hashlib.sha256(pixels.cpu().contiguous().numpy().tobytes()).hexdigest()


def one_a_class(test: Images) -> list[int]:
    """Places of the first image of each of the first ten classes there are: the same wherever a class keeps its order."""
    return [int((test.labels == label).nonzero()[0]) for label in test.labels.unique()[:MOST]]


def make(
    studio: Studio, data: str, *, root: str | None = None, only: tuple[str, ...] = ("seeds", "grids", "gallery", "robustness")
) -> Iterator[Step | dict[str, Any]]:
    """Make the assets of a data set anew; the same models, images and device give the same bytes.

    Args:
        data: name of the data set, which must be on this machine for seeds, grids and robustness.
        root: of local image folders, as for `Studio`.
        only: which of seeds, grids, gallery and robustness.
    Yields:
        steps while at work; {asset, path, bytes} of a written file; {asset, skipped} with the reason.
    Raises:
        BadInput, DataMissing, BrokenCheckpoint.
    """
    makers = {
        "seeds": lambda: _make_seeds(studio, data, root),
        "grids": lambda: _make_grids(studio, data),
        "gallery": lambda: _make_gallery(studio, data),
        "robustness": lambda: robustness.make(studio, data),
    }
    for name in only:
        choice("only", name, makers)
    for name in (name for name in makers if name in only):  # the gallery starts from the seeds
        for item in makers[name]():
            if isinstance(item, Step):
                yield replace(item, doing=f"{name} {item.doing}".strip())
            else:
                yield {"asset": name} | item | ({"bytes": Path(item["path"]).stat().st_size} if "path" in item else {})


def _classes(data: str) -> tuple[str, ...] | None:
    """Class names of the stored models of a set; None where there are none yet."""
    return next((card.classes for card in store.cards().values() if card.data == data), None)


def _make_seeds(studio: Studio, data: str, root: str | None) -> Iterator[Step | dict[str, Any]]:
    yield Step(0, 1)
    train = images.load(data, "train", classes=_classes(data), data=root, device=studio.device.torch)
    fitted = starts.fit(train.floats(), train.labels, len(train.classes), dataset(data).rank)
    yield {"path": str(store.save_gaussians(data, fitted))}


def _make_grids(studio: Studio, data: str) -> Iterator[Step | dict[str, Any]]:
    test = studio.test_images(data, _classes(data))
    if test is None:
        raise DataMissing(f"the test images of {data} are not on this machine, and grids are measured around them")
    measured = kinds.compared(data)
    if not measured:
        yield {"skipped": f"there is no classifier of {data} yet"}
        return
    places, radius = one_a_class(test), dataset(data).radius
    tensors: dict[str, Tensor] = {}
    for m, card in enumerate(measured):
        net, _ = studio.model(card.name)
        for kind in DIRECTIONS:
            found = []
            for n, i in enumerate(places):
                x, y = test.floats(i), test.labels[i]
                plane = landscape.around(net, x, y, kind, radius, SIDE, SEED)
                found.append(torch.stack(landscape.energies(net, plane, y)).half())
                done = (m * len(DIRECTIONS) + list(DIRECTIONS).index(kind)) * len(places) + n + 1
                yield Step(done, len(measured) * len(DIRECTIONS) * len(places), card.name)
            joint, marginal = torch.stack(found, 1)
            tensors |= {f"{card.name}/{kind}/joint": joint, f"{card.name}/{kind}/marginal": marginal}
    labels = [int(test.labels[i]) for i in places]
    about = {
        "data": data,
        "radius": radius,
        "side": SIDE,
        "seed": SEED,
        "classes": [test.classes[label] for label in labels],
        "labels": labels,
        "indices": places,
        "pixels": [fingerprint(test.pixels[i]) for i in places],
        "models": {card.name: card.sha256 for card in measured},
    }
    yield {"path": str(artefacts.write("grids", data, Artefact(about, tensors)))}


def _make_gallery(studio: Studio, data: str) -> Iterator[dict[str, Any]]:
    name = dataset(data).gallery
    if name not in studio.cards():
        yield {"skipped": f"there is no model {name} yet; train it with: python -m cemviz train {name} --scale shipped"}
        return
    card = studio.cards()[name]
    request = SampleRequest(name, "rcs", count=PER_CLASS * len(card.classes), seed=SEED)
    for item in sample(studio, request):
        if isinstance(item, Step):
            yield item
    tensors = {
        "images": torch.from_numpy(item.pixels[-1]).permute(0, 3, 1, 2),
        "labels": torch.from_numpy(item.asked),
    }
    about = {
        "model": name,
        "sha256": card.sha256,
        "classes": [card.classes[y] for y in item.asked],
        "settings": {"sampler": request.sampler, "seed": request.seed} | item.settings,
    }
    yield {"path": str(artefacts.write("gallery", data, Artefact(about, tensors)))}
