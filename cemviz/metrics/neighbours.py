"""The training images nearest to a generated one: whether a model draws, or only remembers."""

from typing import NamedTuple

import torch
from torch import Tensor

CHUNK = 5000  # training images at a time: 60 MB of 32x32x3 floats


class Neighbours(NamedTuple):
    """The nearest images of each query, nearest first.

    Attributes:
        index: places in the searched set, (B, k) int64.
        value: their distances, ascending, (B, k).
    """

    index: Tensor
    value: Tensor


def by_pixels(x: Tensor, images: Tensor, k: int = 10) -> Neighbours:
    """Nearest in L2 distance of the pixels, a chunk of the set at a time.

    Args:
        x: queries in [0, 1], (B, C, H, W).
        images: the searched set, (N, C, H, W): uint8, or floats in [0, 1].
        k: at least 1, at most N.
    Returns:
        distances in units of the pixel range.
    Source: JEAT Fig. 7.
    """
    if not 1 <= k <= len(images):
        raise ValueError(f"k is {k}; give a whole number from 1 to the number of images, {len(images)}")
    queries = x.flatten(1)
    value = queries.new_zeros(len(queries), 0)
    index = torch.zeros(len(queries), 0, dtype=torch.int64, device=queries.device)
    for i in range(0, len(images), CHUNK):
        part = images[i : i + CHUNK]
        part = (part.float() / 255 if part.dtype == torch.uint8 else part).flatten(1).to(queries)
        # differences, not inner products: those lose the small distances that a copy has
        distance = torch.cdist(queries, part, compute_mode="donot_use_mm_for_euclid_dist")
        value = torch.cat([value, distance], 1)
        index = torch.cat([index, (i + torch.arange(len(part), device=index.device)).expand(len(queries), -1)], 1)
        value, kept = value.topk(min(k, value.shape[1]), largest=False)
        index = index.gather(1, kept)
    return Neighbours(index, value)
