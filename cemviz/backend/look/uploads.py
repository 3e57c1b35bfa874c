"""Colour pictures of a visitor's own: cut to a square, scaled to a data set's size, and held in the address."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ...data.decoding import BadImage, decode
from ...data.letters import letters, parsed
from ..checks import BadInput

ORIGIN = "upload:"


def scaled(data: bytes, shape: tuple[int, ...]) -> tuple[Tensor, str]:
    """The middle square of a picture, at a data set's size.

    Args:
        data: a picture, as a file.
        shape: (3, S, S).
    Returns:
        uint8, (3, S, S), and what was done, in words.
    Raises:
        BadInput: no image, or one that is too large; the set has no square colour images.
    """
    channels, side, width = shape
    if channels != 3 or side != width:
        raise BadInput("picture", f"pictures of one's own are in colour and square; this set's are {tuple(shape)}")
    try:
        whole = decode(data, name="the picture")
    except BadImage as error:
        raise BadInput("picture", f"the picture {error.fault}") from error
    height, width = whole.shape[1:]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = whole[:, top : top + edge, left : left + edge]
    # areas are averaged where it shrinks, as for the set's own images
    small = F.interpolate(square[None], (side, side), mode="bilinear", antialias=True)[0]
    cut = "" if height == width else f"the middle square of {edge} was cut out, "
    return small, f"{width} × {height}: {cut}scaled to {side} × {side}."


def named(pixels: Tensor) -> str:
    """A picture as the address holds it: uint8, (3, S, S) -> "upload:..."."""
    return ORIGIN + letters(pixels.contiguous().numpy().tobytes())


def pixels(picture: str, shape: tuple[int, ...]) -> Tensor:
    """The picture of an address: -> float in [0, 1], of this shape.

    Raises:
        BadInput: not of that form, or of another size.
    """
    data = parsed(picture.removeprefix(ORIGIN))
    size = torch.Size(shape).numel()
    if not picture.startswith(ORIGIN) or len(data) != size:
        raise BadInput("picture", f"picture is {picture[:40]!r}; give {ORIGIN} and {size:,} bytes in base64, one a value")
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).view(*shape).float() / 255


def fits(picture: str, shape: tuple[int, ...]) -> bool:
    """Whether a name is that of an upload of this shape."""
    return picture.startswith(ORIGIN) and len(parsed(picture.removeprefix(ORIGIN))) == torch.Size(shape).numel()
