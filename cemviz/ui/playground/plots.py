"""Data of the playground's views: frames of the plane, and how the game stood over its turns."""

import json
from collections.abc import Mapping, Sequence
from itertools import count
from types import MappingProxyType
from typing import Any

import numpy as np

from ...backend.frame import Picture, frame
from ...backend.packed import short
from ...backend.play import RECORD
from ...data.painted import PREFIX
from ...data.placed import place_of, smallest
from ...data.toys import P0S
from ...metrics.game import LOG4, SPURIOUS
from ...training.game import Rules

LAYERS: dict[str, str] = {
    "contour": "D or E", "arrows": "arrows ∇f", "data": "p_data", "p0": "p₀", "paths": "paths", "moved": "p_T",
}  # fmt: skip
"""Layers that can be shown or left out."""

FIELDS: dict[str, str] = {"D": "D: the net's answer", "E": "E = −f: lower is likelier"}
"""Fields that the colours of the plane show."""


ROWS: dict[str, list[dict[str, Any]]] = {
    "logistic": [
        {"title": "U, nats", "values": "U", "goal": -LOG4, "label": "−log 4"},
        {"title": "mean D on the support", "values": "D_support", "goal": 0.5, "label": "½", "low": 0, "high": 1},
        {"title": f"spurious: outside area with D > {SPURIOUS}", "values": "spurious", "goal": 0, "label": "0", "low": 0,
         "percent": True},
    ],
    "likelihood": [
        {"title": "gap: E f on p_data − E f on p_T", "values": "gap", "goal": 0, "label": "0"},
        {"title": "total variation, exp f / Z to p_data", "values": "variation", "goal": 0, "label": "0", "low": 0, "high": 1},
        {"title": "U, nats", "values": "U", "goal": -LOG4, "label": "−log 4"},
    ],
}  # fmt: skip
"""Curves by what D raises."""

_MADE = count()
"""Numbers of the planes' data, as they are made: what reaches the browser after something newer is not shown."""


def plane(*pictures: Picture, moves: Sequence[str] = (), live: bool = False, **more: Any) -> str:
    """Frames for `stage.js`.

    Args:
        moves: what each picture is the end of, `attack` or `learn`: it is played as that move, slowly and with call-outs.
        live: frames are played in turn and others follow; else the last is where the game stands.
        more: see `stage.js`.
    """
    frames = [frame(picture) for picture in pictures]
    moved = [shot | {"move": move} for shot, move in zip(frames, moves, strict=True)] if moves else frames
    return packed_json({"frames": moved, "live": live, "made": next(_MADE)} | more)


def laid(rules: Rules) -> dict[str, Any]:
    """How the densities lie on the plane, to be painted and dragged.

    Returns:
        painting: letters of `data.painted`, None of a p_data that is not painted.
        p0: its centre `x`, `y` and `size`, the `reach` at size 1, and the `least` size.
    """
    painting = rules.data.removeprefix(PREFIX) if rules.data.startswith(PREFIX) else None
    row, x, y, size = place_of(rules.p0)
    return {"painting": painting, "p0": {"x": x, "y": y, "size": size, "reach": P0S[row].reach, "least": smallest(row)[0]}}


def history(records: Sequence[np.ndarray], objective: str, pushes: Mapping[str, float] = MappingProxyType({})) -> str:
    """The numbers that the players play for over the turns, each with the value it has at the solution, for `curves.js`.

    Args:
        records: see `View.history`; of the game, and of the one beside it.
        objective: of D; see `training.game.Rules`.
        pushes: by how much the last moves shown one by one changed U: `attack`, `learn`.
    """
    turns, *columns = records[0].T
    values = dict(zip(RECORD, columns, strict=True))
    rows = (
        ROWS[objective] if objective == "likelihood" else [ROWS[objective][0] | {"pushes": dict(pushes)}, *ROWS[objective][1:]]
    )
    lines = [{**row, "values": short(values[row["values"]])} for row in rows]
    if len(records) > 1:
        others, *columns = records[1].T
        second = dict(zip(RECORD, columns, strict=True))
        lines = [{**line, "second": short(second[row["values"]])} for line, row in zip(lines, rows, strict=True)]
        return packed_json({"turns": turns.astype(int).tolist(), "second_turns": others.astype(int).tolist(), "rows": lines})
    return packed_json({"turns": turns.astype(int).tolist(), "rows": lines})


def packed_json(value: Any) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
