"""Files that ship beside the models, so that a machine without network and data set has something to show.

| in checkpoints/          | holds                                                              | made from            |
|--------------------------|--------------------------------------------------------------------|----------------------|
| seeds/NAME.safetensors   | class Gaussians: means and leading directions of the covariances   | the training split   |
| grids/NAME.safetensors   | energies around one test image a class: numbers, no pixels         | every classifier     |
| gallery/NAME.safetensors | images that the model NAME-at drew from the class Gaussians        | seeds and that model |
| robustness/NAME.json     | accuracy under attack, see `robustness`: numbers, no pixels        | every classifier     |
| detection/NAME.json      | scores of clean, attacked and other images, see `detection`        | nets a class, others |
| tour/*.json              | what the page begins with, see `tour`                              | five models of MNIST |
| sweeps/*.json.gz         | boards of settings, see `sample.boards`: numbers and own samples   | classifier, encoder  |
| history/NAME.json.gz     | curves and frames of a run: numbers and own samples                | the run that made it |
| play/STORY.*             | snapshots of the playground's stories, see `snapshots`             | nothing              |

Grids and gallery have a description NAME.json beside them; it names the hash of every model, so that the numbers of a model
that was trained anew are recognised as stale.  No image of a data set is ever stored: of the test images there is a hash, by
which a machine that holds the set finds them again.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ...metrics import landscape
from ..store import BrokenCheckpoint, Card
from . import artefacts
from .artefacts import Artefact

SIDE = 41
"""Points along an edge of a window."""

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

    def build(artefact: Artefact) -> Grids:
        lists = {k: tuple(artefact.head[k]) for k in ("classes", "labels", "indices", "pixels")}
        return Grids(**artefact.head | lists, tensors=artefact.tensors)

    return asset("grids", data, build)


def gallery(data: str) -> Gallery | None:
    """The shipped samples of a data set, or None where none ship.  Raises BrokenCheckpoint."""
    return asset("gallery", data, lambda file: Gallery(**file.head | {"classes": tuple(file.head["classes"])}, **file.tensors))


def asset(kind: str, data: str, build: Callable[[Artefact], Asset]) -> Asset | None:
    """Value made of an asset's artefact, or None where none ships.

    Raises:
        BrokenCheckpoint: it cannot be read, or nothing can be made of it.
    """
    again = f"run: {command(data, kind)}"
    artefact = artefacts.read(kind, data, again)
    try:
        return None if artefact is None else build(artefact)
    except (TypeError, KeyError, ValueError) as error:
        raise BrokenCheckpoint(f"{kind}/{data}.json cannot be read ({error}); restore it, or {again}") from error


def command(data: str, kind: str) -> str:
    """The command that makes an asset of a data set."""
    return f"python -m cemviz assets {data} --only {kind}"


def fingerprint(pixels: Tensor) -> str:
    """SHA-256 of an image's uint8 pixels, (C, H, W), in hex."""
    return hashlib.sha256(pixels.cpu().contiguous().numpy().tobytes()).hexdigest()
