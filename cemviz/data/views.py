"""Augmentations: functions of a whole batch on its device, with a draw of their own for every sample."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

View = Callable[[Tensor, torch.Generator | None], Tensor]
"""(B, C, H, W) in [0, 1] -> the same shape and range."""

YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
"""Luma and the two coordinates of chroma, from red, green and blue (NTSC)."""


def none(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The images as they are."""
    return x


def flip(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Mirror each image left to right with probability one half."""
    mirrored = torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device) < 0.5
    return torch.where(mirrored, x.flip(3), x)


def crop(x: Tensor, generator: torch.Generator | None = None, pad: int = 4) -> Tensor:
    """Shift each image by up to `pad` pixels either way, black outside."""
    b, c, h, w = x.shape
    down, right = torch.randint(0, 2 * pad + 1, (2, b, 1), generator=generator, device=x.device)
    rows = (down + torch.arange(h, device=x.device))[:, None, :, None]
    columns = (right + torch.arange(w, device=x.device))[:, None, None, :]
    sample = torch.arange(b, device=x.device)[:, None, None, None]
    channel = torch.arange(c, device=x.device)[None, :, None, None]
    return F.pad(x, (pad, pad, pad, pad))[sample, channel, rows, columns]


def crop_and_flip(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The usual views of CIFAR-10: shifts of up to 4 pixels and mirror images."""
    return flip(crop(x, generator), generator)


def affine(
    x: Tensor,
    generator: torch.Generator | None = None,
    *,
    turn: float = 0.25,
    zoom: tuple[float, float] = (0.8, 1.2),
    shift: float = 0.15,
) -> Tensor:
    """Rotate, stretch and shift each image, black outside: the contrastive views of digits.

    Args:
        turn: largest angle either way, radians.
        zoom: least and largest factor, drawn for width and height apart.
        shift: largest move either way, as a share of half the side.
    """
    angle = turn * _either_way(x, generator)
    right, down = shift * _either_way(x, generator), shift * _either_way(x, generator)
    wide, tall = 1 / _between(x, *zoom, generator), 1 / _between(x, *zoom, generator)
    cos, sin = angle.cos(), angle.sin()
    return _resampled(x, [[wide * cos, -tall * sin, right], [wide * sin, tall * cos, down]])


def crop_and_stretch(x: Tensor, generator: torch.Generator | None = None, *, area: tuple[float, float] = (0.2, 1.0)) -> Tensor:
    """Cut a window of a random share of the area and an aspect of 3/4 to 4/3 out of each image, and scale it to the whole.

    Source: Chen et al. 2020 (SimCLR), appendix A.
    """
    share, aspect = _between(x, *area, generator), _between(x, math.log(3 / 4), math.log(4 / 3), generator).exp().sqrt()
    wide, tall = (share.sqrt() * aspect).clamp(max=1), (share.sqrt() / aspect).clamp(max=1)
    right, down = (1 - wide) * _either_way(x, generator), (1 - tall) * _either_way(x, generator)
    none = torch.zeros_like(wide)
    return _resampled(x, [[wide, none, right], [none, tall, down]])


def jitter(x: Tensor, generator: torch.Generator | None = None, *, strength: float = 0.4, hue: float = 0.1) -> Tensor:
    """Change brightness, contrast, saturation and hue of four images in five: (B, 3, H, W).

    Args:
        strength: largest change of the first three factors from 1.
        hue: largest turn of the chroma plane (YIQ) either way, as a share of a full turn.
    Source: Chen et al. 2020 (SimCLR), appendix A, with the order of the four fixed.
    """
    factors = [_between(x, 1 - strength, 1 + strength, generator)[:, None, None, None] for _ in range(3)]
    y = x * factors[0]
    mean = grey(y).mean((1, 2, 3), keepdim=True)
    y = mean + factors[1] * (y - mean)
    y = grey(y) + factors[2] * (y - grey(y))
    angle = 2 * math.pi * hue * _either_way(x, generator)
    turn = torch.zeros(len(x), 3, 3, device=x.device, dtype=x.dtype)
    turn[:, 0, 0] = 1
    turn[:, 1, 1], turn[:, 1, 2] = angle.cos(), -angle.sin()
    turn[:, 2, 1], turn[:, 2, 2] = angle.sin(), angle.cos()
    to_yiq = torch.tensor(YIQ, device=x.device, dtype=x.dtype)
    y = torch.einsum("bij,bjhw->bihw", to_yiq.inverse() @ turn @ to_yiq, y)
    chosen = _between(x, 0, 1, generator)[:, None, None, None] < 0.8
    return torch.where(chosen, y, x).clamp(0, 1)


def some_grey(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Take the colour from one image in five."""
    chosen = _between(x, 0, 1, generator)[:, None, None, None] < 0.2
    return torch.where(chosen, grey(x).expand_as(x), x)


def colour(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The contrastive views of colour images: crop, flip, jitter, grey.  Source: Chen et al. 2020 (SimCLR), for CIFAR-10."""
    x = flip(crop_and_stretch(x, generator), generator)
    return some_grey(jitter(x, generator), generator)


CONTRASTIVE: dict[str, View] = {"digits": affine, "colour": colour}
"""Two draws of one of these make a positive pair."""


def grey(x: Tensor) -> Tensor:
    """Luma: (B, 3, H, W) -> (B, 1, H, W)."""
    return torch.einsum("c,bchw->bhw", torch.tensor(YIQ[0], device=x.device, dtype=x.dtype), x)[:, None]


def _between(x: Tensor, low: float, high: float, generator: torch.Generator | None) -> Tensor:
    return low + (high - low) * torch.rand(len(x), generator=generator, device=x.device, dtype=x.dtype)


def _either_way(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return _between(x, -1, 1, generator)


def _resampled(x: Tensor, rows: list[list[Tensor]]) -> Tensor:
    """Each image read where a map from its new to its old coordinates, both in [-1, 1], says."""
    theta = torch.stack([torch.stack(row, 1) for row in rows], 1)
    return F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False)
