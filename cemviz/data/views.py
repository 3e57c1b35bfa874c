"""Augmentations: functions of a whole batch on its device, with a draw of their own for every sample."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

View = Callable[[Tensor, torch.Generator | None], Tensor]
"""(B, C, H, W) in [0, 1] -> the same shape and range."""


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
