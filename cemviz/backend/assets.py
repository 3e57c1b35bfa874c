"""Make what ships beside the models: see the table of `stored.assets`, and `tour` for what the page begins with."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import starts
from ..data import images
from ..data.datasets import dataset
from ..data.images import DataMissing, Images
from ..metrics import landscape
from . import kinds, snapshots, store, tour
from .attack import detection
from .attack import rates as robustness
from .checks import choice
from .requests import DIRECTIONS, SampleRequest
from .sample import boards
from .sample.chains import sample
from .stored import artefacts
from .stored.artefacts import Artefact
from .stored.assets import SIDE, fingerprint
from .studio import Studio
from .train import pair
from .use_case import Step

SEED, PER_CLASS, MOST = 0, 4, 10
"""Numbers of grids and gallery: the seed, pictures a class, and the classes of a window."""

ASSETS = ("seeds", "grids", "gallery", "robustness", "tour", "play", "sweeps", "pair", "detection")
"""In the order in which they are made: the gallery starts from the seeds, the tour attacks an image of the gallery."""


def one_a_class(test: Images) -> list[int]:
    """Places of the first image of each of the first ten classes there are: the same wherever a class keeps its order."""
    return [int((test.labels == label).nonzero()[0]) for label in test.labels.unique()[:MOST]]


def make(
    studio: Studio, data: str, *, root: str | None = None, only: tuple[str, ...] = ASSETS
) -> Iterator[Step | dict[str, Any]]:
    """Make the assets of a data set anew; the same models, images and device give the same bytes.

    Args:
        data: name of the data set, which must be on this machine for seeds, grids and robustness.
        root: of local image folders, as for `Studio`.
        only: which of ASSETS.
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
        "tour": lambda: tour.make(studio, data),
        "play": lambda: snapshots.make(data),
        "sweeps": lambda: boards.make(studio, data),
        "pair": lambda: pair.make(studio, data),
        "detection": lambda: detection.make(studio, data),
    }
    for name in only:
        choice("only", name, makers)
    for name in (name for name in ASSETS if name in only):
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
            energies = []
            for n, i in enumerate(places):
                x, y = test.floats(i), test.labels[i]
                plane = landscape.around(net, x, y, kind, radius, SIDE, SEED)
                energies.append(torch.stack(landscape.energies(net, plane, y)).half())
                count = (m * len(DIRECTIONS) + list(DIRECTIONS).index(kind)) * len(places) + n + 1
                yield Step(count, len(measured) * len(DIRECTIONS) * len(places), card.name)
            joint, marginal = torch.stack(energies, 1)
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
        "labels": torch.from_numpy(item.labels),
    }
    about = {
        "model": name,
        "sha256": card.sha256,
        "classes": [card.classes[y] for y in item.labels],
        "settings": {"sampler": request.sampler, "seed": request.seed} | item.settings,
    }
    yield {"path": str(artefacts.write("gallery", data, Artefact(about, tensors)))}
