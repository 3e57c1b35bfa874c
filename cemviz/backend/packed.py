"""Pictures and numbers as a browser takes them: small, and drawn without a request."""

import base64
import io
import math
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..data.toys import BOX
from ..metrics.landscape import Plane

GREYS = 16
"""Levels of a grey: noise does not compress, and an eye does not see more."""


def sprite(frames: np.ndarray) -> str:
    """Pictures as one PNG, as a data URL: step t is row t, chain b is column b; grey ones take 4 bits a pixel.

    Args:
        frames: uint8, (T, B, H, W) or, in colour, (T, B, H, W, 3).
    """
    steps, chains, height, width = frames.shape[:4]
    sheet = frames.swapaxes(1, 2).reshape(steps * height, chains * width, *frames.shape[4:])
    if sheet.ndim == 3:
        return _url(Image.fromarray(sheet))
    image = Image.fromarray((sheet.astype(np.float32) / 255 * (GREYS - 1)).round().astype(np.uint8), "P")
    image.putpalette([level * 255 // (GREYS - 1) for level in range(GREYS) for _ in range(3)])
    return _url(image, bits=4)


def _url(image: Image.Image, **options: Any) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True, **options)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def field(values: Tensor) -> dict[str, Any]:
    """A grid of numbers in 255 steps between its ends: {low, high, grid}, the grid row by row in base64."""
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) / max(high - low, 1e-9) * 255
    return {"low": round(low, 3), "high": round(high, 3), "grid": packed(scaled)}


def plane(window: Plane) -> dict[str, Any]:
    """A plane of images, from which a browser makes the one at any a and b: clamp(x + a u + b v).

    Returns:
        x: bytes; u, v: bytes about 127, in units of their scale; shape: (H, W, C). All in base64, channels last.
    """

    def last(x: Tensor) -> Tensor:
        return x.permute(1, 2, 0)

    content: dict[str, Any] = {"x": packed(last(window.centre) * 255), "shape": list(last(window.centre).shape)}
    for name, direction in (("u", window.u), ("v", window.v)):
        scale = float(direction.abs().max())
        content |= {name: packed(last(direction) / scale * 127 + 127), f"{name} scale": scale / 127}
    return content


def packed(values: Tensor) -> str:
    """Numbers from 0 to 255 as bytes in base64."""
    return base64.b64encode(values.round().clamp(0, 255).byte().cpu().numpy().tobytes()).decode("ascii")


def places(points: np.ndarray) -> str:
    """Points of the plane's box, (n, 2), as pairs of bytes in base64: a 255th of the box apart."""
    return packed((torch.from_numpy(points) + BOX) / (2 * BOX) * 255)


def shorts(points: np.ndarray) -> str:
    """Points of the plane's box, (..., 2), as pairs of little-endian int16 in base64: a 32767th of its half apart."""
    scaled = np.clip(points / BOX, -1, 1) * 32767
    return base64.b64encode(scaled.round().astype("<i2").tobytes()).decode("ascii")


def short(values: Any) -> list[float]:
    """Numbers to four digits."""
    return [float(f"{v:.4g}") if math.isfinite(v) else 0.0 for v in np.asarray(values, dtype=float).tolist()]
