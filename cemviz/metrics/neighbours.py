"""The training images nearest to a generated one: whether a model draws, or only remembers."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

CANDIDATES = 500
CHUNK = 5000  # training images at a time: 60 MB of 32x32x3 floats


class Neighbours(NamedTuple):
    """The nearest images of each query, nearest first.

    Attributes:
        index: places in the searched set, (B, k) int64.
        value: their distances, ascending, or their similarities, descending, (B, k).
    """

    index: Tensor
    value: Tensor


def by_pixels(x: Tensor, images: Tensor, k: int = 10) -> Neighbours:
    """Nearest in L2 distance of the pixels.

    Args:
        x: queries in [0, 1], (B, C, H, W).
        images: the searched set, (N, C, H, W): uint8, or floats in [0, 1].
        k: at least 1, at most N.
    Returns:
        distances in units of the pixel range.
    Source: JEAT Fig. 7.
    """
    return _nearest(x.flatten(1), images, k, lambda part: part.flatten(1))


def by_features(x: Tensor, images: Tensor, features: Callable[[Tensor], Tensor], k: int = 10) -> Neighbours:
    """Nearest in L2 distance of what a net sees.

    Args:
        x, images, k: as in `by_pixels`.
        features: (B, C, H, W) in [0, 1] -> (B, M), such as a `quality.Extractor`.
    Returns:
        distances in units of the features.
    """
    with torch.no_grad():
        return _nearest(features(x), images, k, features)


def by_structure(x: Tensor, images: Tensor, k: int = 10, candidates: int = CANDIDATES) -> Neighbours:
    """Most alike in structural similarity (SSIM: Gaussian window, sigma 1.5).

    In a set larger than `candidates` only the nearest so many in pixel distance are compared: of the images that look alike
    but lie farther away none is found.

    Args:
        x, images, k: as in `by_pixels`; at least 6 pixels a side.
        candidates: how many are compared for each query, at least k.
    Returns:
        similarities in [-1, 1]; 1 is the same image.
    Source: JEAT Fig. 7; Wang et al. 2004.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure  # imported here: it takes seconds

    if min(x.shape[2:]) < 6:
        raise ValueError(f"images are {x.shape[2]}x{x.shape[3]}; SSIM's window needs at least 6 pixels a side")
    _check(k, images)
    if candidates < k:
        raise ValueError(f"candidates is {candidates}; give at least k, {k}")
    near = by_pixels(x, images, min(candidates, len(images))).index
    found = []
    for query, places in zip(x, near, strict=True):
        others = _floats(images[places.to(images.device)]).to(query)
        alike = structural_similarity_index_measure(
            query.expand_as(others), others, data_range=1.0, reduction="none", sigma=1.5
        )
        value, best = alike.view(-1).topk(k)
        found.append((places[best], value))
    return Neighbours(*(torch.stack(column) for column in zip(*found, strict=True)))


def _nearest(queries: Tensor, images: Tensor, k: int, embed: Callable[[Tensor], Tensor]) -> Neighbours:
    """The k nearest by L2 distance of the embeddings, a chunk of the set at a time."""
    _check(k, images)
    value = queries.new_zeros(len(queries), 0)
    index = torch.zeros(len(queries), 0, dtype=torch.int64, device=queries.device)
    for i in range(0, len(images), CHUNK):
        part = embed(_floats(images[i : i + CHUNK])).to(queries)
        # differences, not inner products: those lose the small distances that a copy has
        distance = torch.cdist(queries, part, compute_mode="donot_use_mm_for_euclid_dist")
        value = torch.cat([value, distance], 1)
        index = torch.cat([index, (i + torch.arange(len(part), device=index.device)).expand(len(queries), -1)], 1)
        value, kept = value.topk(min(k, value.shape[1]), largest=False)
        index = index.gather(1, kept)
    return Neighbours(index, value)


def _check(k: int, images: Tensor) -> None:
    if not 1 <= k <= len(images):
        raise ValueError(f"k is {k}; give a whole number from 1 to the number of images, {len(images)}")


def _floats(images: Tensor) -> Tensor:
    return images.float() / 255 if images.dtype == torch.uint8 else images
