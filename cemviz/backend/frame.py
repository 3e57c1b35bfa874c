"""A game as a picture: the arrays that the page draws, and the same as one frame of at most 20 KB."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..metrics.game import Standing
from .packed import packed, shorts

DOTS = 300
"""Points of a kind that are drawn, at most."""

LINEAR = 0.25
"""Logit below which the bytes of f are about linear, above which they are logarithmic."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A game as it is drawn.

    Attributes:
        turn, updates: attacks and updates of D so far.
        axis: of the grid, (n,).
        f: logit of D on the grid, (n, n), row i at y = axis[i].
        arrows: tails of the gradient field, (m, 2); heads: normalised grad f there, (m, 2).
        data: points of p_data in play, (p, 2).
        start: where the perturbed points began, (p, 2): the last draws of p0, in Algorithm 2 the only ones.
        moved: where they are now, (p, 2): p_T.
        path: the way of the first of them, (t, q, 2), from `start` to `moved`; the last attack's in Algorithm 1, the whole
            game's in Algorithm 2.
    """

    turn: int
    updates: int
    axis: np.ndarray
    f: np.ndarray
    arrows: np.ndarray
    heads: np.ndarray
    data: np.ndarray
    start: np.ndarray
    moved: np.ndarray
    path: np.ndarray

    @property
    def D(self) -> np.ndarray:
        """sigmoid(f) on the grid, (n, n)."""
        return np.exp(-np.logaddexp(0, -self.f))


@dataclass(frozen=True, slots=True)
class View(Picture):
    """Picture of a game, and how it stands.

    Attributes:
        stands: see `metrics.game.Standing`.
        history: the turn and RECORD whenever it was recorded or seen, (h, 6).
        seconds: since the game began, moves only.
    """

    history: np.ndarray
    stands: Standing
    seconds: float


def frame(picture: Picture) -> dict[str, Any]:
    """Pack a picture as the browser unpacks it, see `ui/playground/plane.js`.

    f is a byte b a point: f = LINEAR sinh((b - 127) / 127 asinh(peak / LINEAR)), so that D is within .003 of its value near
    1/2 and E = -f within 3 % where it is large.  Points are pairs of int16, in units of the box.

    Returns:
        {turn, side, peak, f, heads, data, start, moved, ways, path}; `ways` is how many points `path` follows.
    """
    peak = max(float(np.abs(picture.f).max()), LINEAR)
    level = np.arcsinh(picture.f / LINEAR) / math.asinh(peak / LINEAR)
    return {
        "turn": picture.turn,
        "side": len(picture.axis),
        "peak": float(f"{peak:.6g}"),
        "f": signed(level),
        "heads": signed(picture.heads),
        **{name: shorts(getattr(picture, name)[:DOTS]) for name in ("data", "start", "moved")},
        "ways": picture.path.shape[1],
        "path": shorts(picture.path),
    }


def signed(values: np.ndarray) -> str:
    """Numbers from -1 to 1 as bytes about 127 in base64."""
    return packed(torch.from_numpy(np.asarray(values * 127 + 127, dtype=np.float32)))
