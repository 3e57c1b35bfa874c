"""A finished sweep: its cells, what they say as JSON and in a terminal, and the artefact that a board or a table rests on."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..fields import changes, fields_of
from ..packed import sprite
from ..requests import SampleRequest, SweepRequest
from ..store import Card
from ..stored.artefacts import Artefact

Settings = dict[str, float]
"""alpha, beta, eta, K of a cell, by name."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number of a cell.

    Attributes:
        value: mean over seeds; None where it is not finite.
        spread: deviation over seeds, None of one.
        error: standard error under drawing other chains, None where nobody knows it.
    """

    value: float | None
    spread: float | None
    error: float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A setting and what its chains are worth, by column; the seconds until they ended are always among it."""

    settings: Settings
    columns: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Sweep:
    """A finished sweep.

    Attributes:
        card: of the model.
        judge: name of who saw the samples, or None.
        label: class that the first chain was asked for, by name, or None.
        axes: values of what was swept, by name, in the order of the request.
        cells: every pair of values, those of the second axis next to each other.
        pixels: the end of the first chain of the first seed in each cell, uint8, (cells, H, W, C).
        models: SHA-256 of model, judge and probe by name: what the numbers rest on.
    """

    request: SweepRequest
    card: Card
    judge: str | None
    label: str | None
    axes: dict[str, tuple[float, ...]]
    cells: list[Cell]
    pixels: np.ndarray = field(repr=False)
    models: dict[str, str]

    def table(self) -> dict[str, Any]:
        """Everything but the pictures, as JSON has it: an infinite number is written as "inf"."""
        first = next(iter(self.cells[0].columns))
        cells = []
        for cell in self.cells:
            columns = {name: asdict(value) for name, value in cell.columns.items()}
            stands = {k: columns[first][k] for k in ("value", "spread")}
            settings = {name: _finite(value) for name, value in cell.settings.items()}
            cells.append({"settings": settings, **stands, "seconds": columns["seconds"]["value"], "columns": columns})
        request = self.request
        about = {"model": request.model, "sampler": request.sampler, "over": list(request.over), "metric": first}
        axes = {name: [_finite(value) for value in values] for name, values in self.axes.items()}
        chains = {"count": request.count, "seed": request.seed, "seeds": request.seeds, "shown": self.label}
        return about | {"axes": axes} | chains | {"split": "validation", "judge": self.judge, "cells": cells}

    def lines(self) -> Iterator[str]:
        """The cells as lines for a terminal, columns side by side."""
        names = list(self.cells[0].columns)
        yield "  ".join(f"{word:>10}" for word in (*map(symbol, self.axes), *names))
        for cell in self.cells:
            numbers = [cell.settings[axis] for axis in self.axes] + [cell.columns[name].value for name in names]
            yield "  ".join(f"{'-' if number is None else f'{number:.4g}':>10}" for number in numbers)

    def artefact(self) -> Artefact:
        """The sweep as it is stored: request, models, table and a sprite, a row for each value of the first axis."""
        rows, columns = [len(values) for values in self.axes.values()] if len(self.axes) > 1 else (1, len(self.cells))
        sheet = self.pixels.reshape(rows, columns, *self.pixels.shape[1:])
        sheet = sprite(sheet[..., 0] if sheet.shape[-1] == 1 else sheet)
        return Artefact({"request": as_json(self.request), "models": self.models, **self.table(), "sprite": sheet})


def symbol(axis: str) -> str:
    """Letter of a number: K of steps."""
    return fields_of(SampleRequest)[axis].symbol


def as_json(request: SweepRequest) -> dict[str, Any]:
    """Fields of a request that are not its defaults, as JSON has them."""
    about = changes(request)
    if "values" in about:
        about["values"] = [[_finite(value) for value in values] for values in request.values]
    return {name: list(value) if isinstance(value, tuple) else _finite(value) for name, value in about.items()}


def _finite(value: Any) -> Any:
    return "inf" if value == math.inf else value
