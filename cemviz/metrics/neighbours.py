"""The images of a set nearest to another image: whether a model draws or only remembers, and what search restores."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .similarity import similarity

CHUNK = 5000  # images at a time: 60 MB of 32x32x3 floats

Distance = Callable[[Tensor], Tensor]
"""Distances of all queries to a chunk of images in [0, 1]: (M, C, H, W) -> (B, M)."""


class Neighbours(NamedTuple):
    """The nearest images of each query, nearest first.

    Attributes:
        index: places in the searched set, (B, k) int64.
        value: their distances, ascending, (B, k).
    """

    index: Tensor
    value: Tensor


def by_pixels(x: Tensor, images: Tensor, k: int = 10, *, where: Tensor | None = None) -> Neighbours:
    """Nearest in L2 distance of the pixels, a chunk of the set at a time.

    Args:
        x: queries in [0, 1], (B, C, H, W).
        images: the searched set, (N, C, H, W): uint8, or floats in [0, 1].
        k: at least 1, at most N.
        where: the pixels that count, (H, W) bool; None counts all.
    Returns:
        distances in units of the pixel range.
    Source: JEAT Fig. 7; thesis Fig. 2.14, 2.15.
    """

    def flat(v: Tensor) -> Tensor:
        return v.flatten(1) if where is None else v[..., where].flatten(1)

    queries = flat(x)
    # differences, not inner products: those lose the small distances that a copy has
    return _nearest(lambda part: torch.cdist(queries, flat(part), compute_mode="donot_use_mm_for_euclid_dist"), x, images, k)


def by_features(x: Tensor, images: Tensor, k: int = 10, *, features: Callable[[Tensor], Tensor]) -> Neighbours:
    """Nearest in L2 distance of features, such as those of `metrics.quality.judge`; else as `by_pixels`.

    Args:
        features: (B, C, H, W) -> (B, d).
    Source: thesis Fig. 2.15, which takes those of Inception.
    """
    queries = features(x)
    return _nearest(lambda part: torch.cdist(queries, features(part)), x, images, k)


def by_similarity(x: Tensor, images: Tensor, k: int = 10) -> Neighbours:
    """Nearest in 1 - SSIM, query by query: thousands of windows each, for sets of a few thousand images; else as `by_pixels`.

    Source: our choice.
    """

    def distance(part: Tensor) -> Tensor:
        return torch.stack([1 - similarity(query.expand_as(part), part) for query in x])

    return _nearest(distance, x, images, k)


def _nearest(distance: Distance, x: Tensor, images: Tensor, k: int) -> Neighbours:
    if not 1 <= k <= len(images):
        raise ValueError(f"k is {k}; give a whole number from 1 to the number of images, {len(images)}")
    value = x.new_zeros(len(x), 0)
    index = torch.zeros(len(x), 0, dtype=torch.int64, device=x.device)
    for i in range(0, len(images), CHUNK):
        part = images[i : i + CHUNK]
        part = (part.float() / 255 if part.dtype == torch.uint8 else part).to(x)
        value = torch.cat([value, distance(part).to(x)], 1)
        index = torch.cat([index, (i + torch.arange(len(part), device=x.device)).expand(len(x), -1)], 1)
        value, places = value.topk(min(k, value.shape[1]), largest=False)
        index = index.gather(1, places)
    return Neighbours(index, value)
