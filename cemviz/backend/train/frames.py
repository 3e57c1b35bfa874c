"""Frames of a run: chains of one seed drawn from the net while it is trained, so that one sees it learn to draw.

Starts and noise are the same in every frame: what differs are the weights alone.  A frame is drawn from a copy of the net, with
the weights that would be stored, and by generators of its own: it leaves no trace in the run.
"""

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...data.datasets import dataset
from ...dynamics import Diverged
from ...metrics.answers import RIGHT, logits, outcomes
from .. import kinds
from ..packed import sprite
from ..requests import SampleRequest
from ..sample.chains import Run, fitting, hinted, labels, settings, to_pixels
from ..store import Card
from ..studio import Studio

COUNT, SHOWN = 20, 10
"""Chains of a frame, of which a judge reads all, and those whose pictures are kept."""

FRAMES = 24
"""Frames of a run, close together at its beginning, where much happens."""

LEVELS = 16
"""Levels of a colour: noise does not compress, and an eye does not see more."""

SETTINGS: dict[str, dict[str, Any]] = {"classifier": {"sampler": "jeat17", "start": "gaussian", "steps": 40}}
"""Fields of a `SampleRequest`, of kinds whose usual sampler hides what their nets learn: RCS from a class's own Gaussian has
drawn the digit before the net knows it.  Our choice, found by trying."""


def due(steps: int) -> set[int]:
    """Updates after which a run of so many draws a frame: the first, the last, and squares between."""
    return {max(1, round(steps * (k / (FRAMES - 1)) ** 2)) for k in range(FRAMES)}


@dataclass(frozen=True, slots=True)
class Film:
    """Source of the frames of one run.

    Attributes:
        chains: of a copy of the net, which each frame gives its weights.
        judge: a classifier that has no part in the run and reads the frames, and its name; None and "" where there is none.
    """

    chains: Run
    judge: nn.Module | None
    name: str

    @property
    def about(self) -> dict[str, Any]:
        """Facts that all frames share, for the run's curves: request, numbers, classes and judge."""
        request, card = self.chains.request, self.chains.card
        options = {name: getattr(request, name) for name in ("sampler", "start", "seed", "count")}
        numbers = {name: value for name, value in asdict(self.chains.dynamics).items() if name in ("steps", "step", "noise")}
        classes = [card.classes[y] for y in self.chains.labels[:SHOWN].tolist()] if hinted(request) else []
        return options | numbers | {"classes": classes, "judge": self.name}

    def frame(self, weights: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """Draw a frame.

        Args:
            weights: state dict of the net.
        Returns:
            {sprite: PNG of SHOWN chains side by side, read: chains that the judge takes for the class asked for, or None
            without a judge or a class}; None where the chains met NaN.
        """
        self.chains.net.load_state_dict(weights)
        try:
            x = torch.cat(list(self.chains.last()))
        except Diverged:
            return None
        read = None if self.judge is None else int((outcomes(logits(self.judge, x), self.chains.labels) == RIGHT).sum())
        return {"sprite": sprite(_few(to_pixels(x[:SHOWN]))[None]), "read": read}


def film(studio: Studio, card: Card, net: nn.Module) -> Film:
    """Prepare the frames of a run.

    Args:
        card: of the model that the run makes.
        net: that is trained; it stays as it is.
    """
    usual = kinds.kind_of(card).usual
    options = usual | SETTINGS.get(card.kind, {}) | {"count": COUNT}
    if studio.source(card).gaussians is None:
        options["start"] = "uniform"
    request = SampleRequest(card.name, **options)
    frozen = copy.deepcopy(net).eval().requires_grad_(False)
    targets = torch.tensor(labels((), COUNT, card), device=studio.device.torch)
    chains = Run(request, frozen, card, settings(request, card), fitting(request.sampler, card), targets, studio)
    judge = _judge(studio, card) if hinted(request) else None
    return Film(chains, *(judge or (None, "")))


def _judge(studio: Studio, card: Card) -> tuple[nn.Module, str] | None:
    name = dataset(card.data).judge
    if name == card.name or name not in kinds.judges(card.data):
        return None
    net, judge = studio.model(name)
    return (net, name) if judge.classes == card.classes else None


def _few(pixels: np.ndarray) -> np.ndarray:
    """Grey pictures as they are, (B, H, W); of colours few levels, (B, H, W, 3)."""
    if pixels.shape[-1] == 1:
        return pixels[..., 0]
    return (np.round(pixels / 255 * (LEVELS - 1)) * (255 // (LEVELS - 1))).astype(np.uint8)
