"""Holes in a picture, as short as an address wants them: a box, or painted cells.

| text                     | is                                                             |
|--------------------------|----------------------------------------------------------------|
| top,left,height,width    | a box, in pixels                                               |
| cells-BASE64             | cells of CELL pixels an edge, a bit each, row by row           |
| (nothing)                | a box of three eighths an edge in the middle                   |
"""

import base64
import binascii

import numpy as np
import torch
from torch import Tensor

from ..checks import BadInput, number

CELL = 2
"""Pixels along an edge of a cell that a brush paints."""

PAINTED = "cells-"


def hole(text: str, size: tuple[int, int]) -> Tensor:
    """The pixels that are lost, (H, W) bool: some, and not all.

    Args:
        text: as in the table above.
        size: (H, W).
    Raises:
        BadInput: not of that form, outside the picture, or a hole of nothing or of everything.
    """
    text = text.strip()
    if text.startswith(PAINTED):
        lost = _cells(text.removeprefix(PAINTED), size)
    else:
        lost = torch.zeros(size, dtype=torch.bool)
        top, left, height, width = _box(text, size)
        lost[top : top + height, left : left + width] = True
    if lost.all() or not lost.any():
        raise BadInput("mask", f"the hole holds {'all' if lost.any() else 'none'} of the pixels; paint some of them, not all")
    return lost


def _box(text: str, size: tuple[int, int]) -> list[int]:
    if not text:
        return [*(edge * 5 // 16 for edge in size), *(edge * 3 // 8 for edge in size)]
    parts = text.split(",")
    if len(parts) != 4:
        raise BadInput("mask", f"mask is {text!r}; give top,left,height,width in pixels, or {PAINTED} and painted cells")
    top, left = (int(number("mask", part, 0, edge - 1, whole=True)) for part, edge in zip(parts, size, strict=False))
    room = (size[0] - top, size[1] - left)
    return [top, left, *(int(number("mask", part, 1, edge, whole=True)) for part, edge in zip(parts[2:], room, strict=True))]


def _cells(text: str, size: tuple[int, int]) -> Tensor:
    rows, columns = (-(-edge // CELL) for edge in size)
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != (wanted := -(-rows * columns // 8)):
        raise BadInput("mask", f"mask is {(PAINTED + text)[:40]!r}; give {PAINTED} and {wanted} bytes in base64, a bit a cell")
    bits = np.unpackbits(np.frombuffer(data, np.uint8))[: rows * columns].reshape(rows, columns)
    fine = torch.from_numpy(bits).bool().repeat_interleave(CELL, 0).repeat_interleave(CELL, 1)
    return fine[: size[0], : size[1]]


def painted(cells: Tensor) -> str:
    """Cells as the address holds them: (rows, columns) bool -> "cells-...", 34 letters and the word for 14 x 14."""
    bits = np.packbits(cells.cpu().numpy().astype(np.uint8).flatten())
    return PAINTED + base64.urlsafe_b64encode(bits.tobytes()).decode().rstrip("=")
