"""Worth of a restoration: similarity before and after, in a hole and around it, beside what mere search would fill in."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .neighbours import by_pixels

WITHIN = 1.96
"""Standard errors to either side of a mean that hold about 95 % of a normal law."""


class Mean(NamedTuple):
    """A mean over images, and how far it scatters.

    Attributes:
        error: standard error under drawing the images anew; NaN for a single one.
    """

    value: float
    error: float
    count: int

    @property
    def interval(self) -> tuple[float, float]:
        """Ends of the 95 % interval."""
        return self.value - WITHIN * self.error, self.value + WITHIN * self.error


def mean(values: Tensor) -> Mean:
    """Mean of one number an image: (B,) -> its mean and standard error.

    Raises:
        ValueError: no images.
    """
    if not len(values):
        raise ValueError("there are no images to take a mean of; give at least 1")
    values = values.double()
    error = (values.std() / len(values) ** 0.5).item() if len(values) > 1 else math.nan
    return Mean(values.mean().item(), error, len(values))


def split(values: Tensor, hole: Tensor) -> tuple[Tensor, Tensor]:
    """Means of one number a pixel inside a hole and outside it, image by image: a free climb changes what was known as well.

    Args:
        values: (B, H, W), such as `similarity_map`.
        hole: true where pixels are lost, (H, W) or (B, H, W); it holds some pixels of each image and not all.
    Returns:
        (B,) twice.
    Raises:
        ValueError: a hole of no pixels, or of all.
    """
    hole = hole.expand_as(values)
    inside = hole.flatten(1).sum(1)
    if not ((inside > 0) & (inside < values[0].numel())).all():
        raise ValueError(f"a hole has {inside.min()} to {inside.max()} of {values[0].numel()} pixels; give some, and not all")
    zero = values.new_zeros(())
    total = values.flatten(1).sum(1)
    lost = torch.where(hole, values, zero).flatten(1).sum(1)
    return lost / inside, (total - lost) / (values[0].numel() - inside)


def change(x: Tensor, truth: Tensor) -> Tensor:
    """Absolute difference at each pixel, mean over channels: (B, C, H, W) twice -> (B, H, W)."""
    return (x - truth).abs().mean(1)


def nearest_patch(truth: Tensor, occluded: Tensor, hole: Tensor, images: Tensor) -> Tensor:
    """The occluded images with the patch of the set nearest to what is missing, which has to be known for that.

    The patch is looked for at the hole's own place: our reading, of images that are aligned.

    Args:
        truth, occluded: (B, C, H, W) in [0, 1].
        hole: (H, W) bool.
        images: the searched set, see `by_pixels`.
    Source: thesis Table 2.8, NN-patch.
    """
    return torch.where(hole, _nearest(truth, images, hole), occluded)


def nearest_original(truth: Tensor, occluded: Tensor, hole: Tensor, images: Tensor) -> Tensor:
    """The image of the set nearest to the original, as a whole.  Source: thesis Table 2.8, NN-original image."""
    return _nearest(truth, images)


def nearest_occluded(truth: Tensor, occluded: Tensor, hole: Tensor, images: Tensor) -> Tensor:
    """The image of the set nearest to the occluded one, as a whole.  Source: thesis Table 2.8, NN-occluded image."""
    return _nearest(occluded, images)


def _nearest(x: Tensor, images: Tensor, where: Tensor | None = None) -> Tensor:
    nearest = images[by_pixels(x, images, 1, where=where).index[:, 0]].to(x.device)
    return nearest.to(x) / 255 if nearest.dtype == torch.uint8 else nearest.to(x)


Baseline = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(truth, occluded, hole, searched set) -> the images that stand for a restoration."""

BASELINES: dict[str, Baseline] = {
    "NN-patch": nearest_patch,
    "NN-original image": nearest_original,
    "NN-occluded image": nearest_occluded,
}
"""Searches that an inpainting is compared with, by their names in thesis Table 2.8."""
