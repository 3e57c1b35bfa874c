"""The studio: one device, its queue, and the models and images that live on it.

The use-cases are generators of plain data in the modules beside this one (`sampling`, `landscape`, `play`, `train`,
`evaluate`); page and command line hand them a studio.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..data import images
from ..data.datasets import dataset
from ..data.images import DataMissing, Images
from ..mixtures import Mixture
from ..nets.fold import fold
from ..starts import Source
from . import store
from .device import Device, choose
from .jobs import Jobs
from .limits import Limits
from .p0 import mixture
from .remembered import Remembered
from .store import Card

if TYPE_CHECKING:  # which has a studio of its own
    from .apart import Apart


class Studio:
    """Resources that every use-case needs.

    Attributes:
        device: where nets and images live.
        jobs: the device's queue.
        remembered: results of the page's runs.
        apart: the process that computes for a page; None where this one does.
        data: root of local image folders, or None.
        limits: what visitors may take.
    Raises:
        DataMissing: `data`, or else CEMVIZ_DATA, names no folder.
    """

    def __init__(
        self,
        device: Device | None = None,
        data: str | None = None,
        apart: "Apart | None" = None,
        limits: Limits | None = None,
    ) -> None:
        self.device, self.limits = device or choose(), limits or Limits()
        self.jobs = Jobs()
        self.remembered = Remembered()
        self.data, self.apart = data, apart
        images.root(data)  # refuses a mistyped folder before the work, not within it
        self._lock = threading.Lock()  # two visitors may ask for one model at once
        self._model = lru_cache(maxsize=16)(lambda name, sha256: self._loaded(name))
        self._gaussians = lru_cache(maxsize=8)(lambda data: store.load_gaussians(data, self.device.torch))
        self._p0 = lru_cache(maxsize=8)(self._mixture)
        self._images: list[Images] = []

    def work(self, use_case: Callable[..., Iterator[Any]], *arguments: Any) -> Generator[Any, None, None]:
        """A use-case and its arguments, to be computed where this studio's device is, see `apart`."""
        return self.apart.run(use_case, *arguments) if self.apart else use_case(self, *arguments)

    def cards(self) -> dict[str, Card]:
        """The stored models, by name; read anew, so that a model trained meanwhile appears."""
        return store.cards()

    def fingerprint(self) -> int:
        """A number that changes with the stored models."""
        return hash(tuple((name, card.sha256) for name, card in self.cards().items()))

    def model(self, name: str) -> tuple[nn.Module, Card]:
        """A stored model, loaded once: its net in eval mode with frozen weights and its norms folded, and its card.

        Raises:
            KeyError, BrokenCheckpoint: see `store.load`.
        """
        card = store.read_card(name)
        with self._lock:
            return self._model(name, card.sha256)

    def _loaded(self, name: str) -> tuple[nn.Module, Card]:
        net, card = store.load(name, self.device.torch)
        return fold(net).to(memory_format=torch.channels_last), card

    def test_images(self, data: str, classes: tuple[str, ...] | None = None) -> Images | None:
        """The test split of a data set, see `split`."""
        return self.split(data, "test", classes)

    def split(self, data: str, split: str, classes: tuple[str, ...] | None = None) -> Images | None:
        """A split of a data set, loaded once, or None where it is not on this machine; nothing is downloaded.

        Args:
            split: see `images.load`.
            classes: names in label order, a model's own; None takes the set's.
        Raises:
            BadData: see `images.load`.
        """
        wanted = classes or dataset(data).classes
        with self._lock:
            for entry in self._images:
                if (entry.name, entry.split) == (data, split) and wanted in (None, entry.classes):
                    return entry
            if not images.available(data, split, data=self.data):
                return None
            try:
                entry = images.load(data, split, classes=classes, data=self.data, device=self.device.torch)
            except DataMissing:
                return None
            self._images.append(entry)
            return entry

    def source(self, card: Card) -> Source:
        """Source of starts for chains of this model on this machine."""
        test = self.test_images(card.data, card.classes)
        pixels, p0 = None if test is None else test.pixels, card.recipe_args.get("p0")
        return Source(card.shape, self._gaussians(card.data), pixels, p0=self._p0(p0, card.data, card.shape) if p0 else None)

    def _mixture(self, text: str, data: str, shape: tuple[int, int, int]) -> Mixture | None:
        def pixels(name: str, split: str) -> Tensor | None:
            images = self.split(name, split)
            return None if images is None else images.pixels

        return mixture(text, Source(shape, self._gaussians(data)), pixels)
