"""An image file as uint8 pixels: one decoder for data sets and uploads, which looks at the header before it decodes."""

import io
import os
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

FORMATS = ("PNG", "WEBP", "JPEG", "GIF", "BMP", "TIFF")
"""Formats that are read; none of Pillow's that runs a program (EPS)."""

MOST_PIXELS, MOST_BYTES = 16_000_000, 64 * 2**20
"""Pixels of an image and bytes of its file, at most."""

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # `decode` refuses such images, in one line


class BadImage(ValueError):
    """A file that gives no image; the message names it and says what is wrong with it.

    Attributes:
        fault: the same without the name.
    """

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(f"{name}: {fault}")
        self.fault = fault


def decode(source: str | Path | bytes | BinaryIO, shape: tuple[int, int, int] | None = None, *, name: str = "") -> Tensor:
    """Decode an image file: the first frame, upright (EXIF), in 8 bits.

    16-bit grey is scaled to 8 bits.  What is transparent is composed on black for one channel and on white for three.

    Args:
        source: path, bytes, or an open binary file.
        shape: (C, H, W) of the result, C 1 (luma) or 3; another size is resampled (Lanczos), its aspect not kept.  None takes
            three channels and the image's own size.
        name: of the image in messages; the path where there is one.
    Returns:
        uint8, (C, H, W).
    Raises:
        BadImage: not an image of FORMATS, broken, of more than MOST_PIXELS or MOST_BYTES, or of floating-point or 32-bit
            values, which have no agreed range.
    """
    name = name or (str(source) if isinstance(source, (str, Path)) else "the image")
    try:
        with Image.open(_limited(source), formats=FORMATS) as image:
            _check_size(image)
            pixels = np.array(_fitted(image, shape))
    except ValueError as error:
        raise BadImage(name, _line(error)) from error
    except UnidentifiedImageError as error:
        raise BadImage(name, f"is no image of {', '.join(FORMATS)}, or its beginning is broken") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage(name, f"has too many pixels; scale it down to at most {MOST_PIXELS:,}") from error
    except OSError as error:
        raise BadImage(name, f"cannot be read: {error.strerror or _line(error)}") from error
    except Exception as error:  # Pillow's readers raise whatever a broken file trips over
        raise BadImage(name, f"cannot be decoded: {_line(error)}") from error
    return torch.from_numpy(pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _limited(source: str | Path | bytes | BinaryIO) -> str | Path | io.BytesIO:
    """The source, refused where it has too many bytes."""
    if isinstance(source, (str, Path)):
        size, opened = os.path.getsize(source), source
    else:
        data = source if isinstance(source, bytes) else source.read(MOST_BYTES + 1)
        size, opened = len(data), io.BytesIO(data)
    if size > MOST_BYTES:
        raise ValueError(f"is larger than {MOST_BYTES // 2**20} MB, the most that is read")
    return opened


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise ValueError(f"is {width} x {height} pixels; scale it down to at most {MOST_PIXELS:,} in all")


def _fitted(image: Image.Image, shape: tuple[int, int, int] | None) -> Image.Image:
    mode, ground = ("L", 0) if shape is not None and shape[0] == 1 else ("RGB", 255)
    image = _opaque(ImageOps.exif_transpose(image), ground).convert(mode)
    if shape is not None and image.size != (shape[2], shape[1]):
        image = image.resize((shape[2], shape[1]), Image.Resampling.LANCZOS)
    return image


def _opaque(image: Image.Image, ground: int) -> Image.Image:
    """The image in 8 bits, over a ground of this grey."""
    if image.mode == "F":
        raise ValueError("has floating-point pixels, which have no agreed range; save it with 8 bits")
    if image.mode.startswith("I"):
        return _eight_bits(image, ground)
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, (ground, ground, ground, 255)), image)


def _eight_bits(image: Image.Image, ground: int) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"has pixels from {values.min()} to {values.max()}, beyond 16 bits; save it with 8 bits")
    grey = (values + 128) // 257  # rounds: 65535 is 255
    grey[values == image.info.get("transparency", -1)] = ground
    return Image.fromarray(grey.astype(np.uint8))
