"""Drawings of digits: centred and scaled as MNIST's images are, and as short as an address wants them."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...data.decoding import BadImage, decode
from ...data.letters import letters, parsed
from ..checks import BadInput

SIDE, BOX, LEVELS = 28, 20, 15
"""Pixels along an edge of MNIST's images and of the box that their digits fill; the largest grey of a drawing."""

FAINT, PAPER = 0.1, 0.15
"""Share of the brightest pixel below which a pixel is ground; greys of a photographed paper that are no ink."""


def as_mnist(ink: Tensor) -> Tensor:
    """A drawing as MNIST's are: within a box of 20 pixels, aspect kept, its centre of mass at pixel (14, 14) of 28.

    Args:
        ink: light on dark, (H, W) in [0, 1], of any size.
    Returns:
        (1, 28, 28) in [0, 1].
    Raises:
        BadInput: nothing is drawn.
    Source: LeCun's description of the set; which pixel is meant was measured (mean 14.0, sd .3 over 1,000 images).
    """
    inked = ink > FAINT * ink.max()
    if not ink.max() > 0.05:
        raise BadInput("picture", "nothing is drawn yet; draw a digit, or upload a picture of one")
    rows, columns = inked.any(1).nonzero().squeeze(1), inked.any(0).nonzero().squeeze(1)
    part = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(part.shape)
    size = [max(1, round(edge * scale)) for edge in part.shape]
    # areas are averaged where it shrinks, so that thin strokes do not vanish between the samples
    small = F.interpolate(part[None, None], size, mode="bilinear", antialias=True, align_corners=False)[0, 0].clamp(0, 1)
    small = small / small.max()
    mass = small.sum()
    place = [round(SIDE / 2 - float((small.sum(1 - d) * torch.arange(size[d]).to(small)).sum() / mass)) for d in (0, 1)]
    top, left = (min(max(at, 0), SIDE - edge) for at, edge in zip(place, size, strict=True))
    x = torch.zeros(1, SIDE, SIDE)
    x[0, top : top + size[0], left : left + size[1]] = small
    return x


def from_file(data: bytes) -> Tensor:
    """A picture of a digit, as a file: grey, light on dark whatever it was, then as `as_mnist`.

    Raises:
        BadInput: no image, one that is too large, or one with nothing on it.
    """
    try:
        grey = decode(data, name="the picture").float().mean(0) / 255
    except BadImage as error:
        raise BadInput("picture", f"the picture {error.fault}") from error
    edge = torch.cat([grey[0], grey[-1], grey[:, 0], grey[:, -1]]).median()
    ink = (grey - edge).abs()  # paper is what the edge shows, dark or light
    return as_mnist((ink - PAPER).clamp(min=0) / (ink.max() - PAPER) if ink.max() > 0.2 else torch.zeros_like(ink))


def from_ink(data: bytes) -> Tensor:
    """The pad's own picture: a square of bytes, light on dark.

    Raises:
        BadInput: no square, or nothing is drawn.
    """
    side = round(len(data) ** 0.5)
    if side * side != len(data) or not 8 <= side <= 512:
        raise BadInput("picture", f"a drawing of {len(data)} bytes is no square of 8 to 512 pixels an edge; draw on the pad")
    return as_mnist(torch.from_numpy(np.frombuffer(data, np.uint8).reshape(side, side).astype(np.float32) / 255))


def packed(x: Tensor) -> str:
    """A drawing as the address holds it, 4 bits a pixel: (1, 28, 28) in [0, 1] -> "drawn:...", 530 letters."""
    levels = (x.flatten() * LEVELS).round().byte().numpy()
    return "drawn:" + letters((levels[::2] << 4 | levels[1::2]).tobytes())


def unpacked(picture: str) -> Tensor:
    """The drawing of an address: -> (1, 28, 28) in [0, 1].

    Raises:
        BadInput: not of that form.
    """
    data = parsed(picture.removeprefix("drawn:"))
    if not picture.startswith("drawn:") or len(data) != SIDE * SIDE // 2:
        raise BadInput(
            "picture", f"picture is {picture[:40]!r}; give drawn: and {SIDE * SIDE // 2} bytes in base64, 4 bits a pixel"
        )
    both = np.frombuffer(data, np.uint8)
    return torch.from_numpy(np.stack([both >> 4, both & 15], 1).reshape(1, SIDE, SIDE).astype(np.float32) / LEVELS)
