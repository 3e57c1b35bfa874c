"""Finished chains as files: a PNG grid, a GIF of the steps, and the numbers as npz."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from ..stored import files
from .chains import Chains

SCALE = 3
"""Screen pixels for an image pixel: 28 and 32 pixel images are too small to see."""


def tile(images: np.ndarray, scale: int = SCALE, gap: int = 2, columns: int | None = None) -> Image.Image:
    """Images in a grid, near-square where no width is given, enlarged without smoothing: uint8 (B, H, W, C) -> one picture."""
    count, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = gap + (i // columns) * (height + gap), gap + (i % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    picture = Image.fromarray(sheet.squeeze(2) if channels == 1 else sheet)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def save_png(chains: Chains, path: Path) -> Path:
    """The last images as a grid."""
    return _written(path, lambda file: tile(chains.pixels[-1]).save(file, "PNG"))


def save_gif(chains: Chains, path: Path, seconds: float = 0.15) -> Path:
    """All steps as an animation, the last one held longer."""
    frames = [tile(step).convert("P") for step in chains.pixels]
    durations = [round(1000 * seconds)] * (len(frames) - 1) + [1500]
    later = {"save_all": True, "append_images": frames[1:], "duration": durations, "loop": 0}
    return _written(path, lambda file: frames[0].save(file, "GIF", **later))


def save_npz(chains: Chains, path: Path) -> Path:
    """Images, series and request; load with numpy.load(path, allow_pickle=False).  What a run lacks is left out."""
    run = json.dumps(
        asdict(chains.request) | {"settings": chains.settings, "sha256": chains.card.sha256, "judge": chains.judge}
    )
    names = ("pixels", "final", "predicted", "confidence", "plane", "landmarks")
    arrays = {"asked": chains.labels} | {name: value for name in names if (value := getattr(chains, name)) is not None}
    return _written(path, lambda file: np.savez_compressed(file, run=np.array(run), **arrays, **chains.series))


def _written(path: Path, write: Callable[[BinaryIO], None]) -> Path:
    """Write a file in one piece: a full disk leaves none, or the one that stood there.  Raises Unwritable."""
    content = BytesIO()
    write(content)
    files.write(path, content.getvalue())
    return path
