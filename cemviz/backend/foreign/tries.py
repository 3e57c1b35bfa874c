"""Normalisations, and what no shape tells, by the accuracy that a net has with them: a wrong one shows nowhere else."""

import time
from dataclasses import replace
from itertools import product
from typing import Any

import torch

from ...data.images import Images
from ...energies import conditional
from ...metrics.answers import logits, outcomes, share
from ..requests import ImportRequest
from ..studio import Studio
from . import guesses
from .guesses import UNKNOWN
from .imported import Try
from .sources import Foreign, rescale

PATIENCE, MOST_IMAGES, FEWEST_IMAGES = 40.0, 500, 50
"""Seconds that may be spent on measuring normalisations, and images each is measured on."""


def tries(studio: Studio, request: ImportRequest, net: Foreign, sets: list[str]) -> list[Try]:
    """Every normalisation and open choice with its accuracy, best first; where nothing can be measured, the likeliest alone."""
    splits = {data: test for data in sets if (test := test_images(studio, data, net)) is not None}
    chosen = list(splits) or sets[:1]
    grid = [
        Try(data, scale, numbers, dict(zip(net.open, values, strict=True)))
        for data in chosen
        for values in product(*net.open.values())
        for scale, numbers in guesses.scales(net.own, request.scale, net.usual, data, net.shape[0]).items()
    ]
    if not splits:
        return grid[:1]
    made = {values: studio.device.place(net.built(grid[0].numbers, **dict(values))) for values in {_key(t) for t in grid}}
    few = next(iter(splits.values())).floats(slice(0, 20))
    began = time.perf_counter()
    logits(next(iter(made.values())), few)
    each = (time.perf_counter() - began) / len(few) * len(grid)
    count = int(min(MOST_IMAGES, max(FEWEST_IMAGES, PATIENCE / max(each, 1e-9))))
    measured = []
    for t in grid:
        rescale(made[_key(t)], t.numbers)
        part = splits[t.data].first(count)
        f = logits(made[_key(t)], part.floats(), 100)
        loss = conditional(f, part.labels).mean().nan_to_num(torch.inf).item()
        measured.append(replace(t, accuracy=share(outcomes(f, part.labels)), loss=loss))
    return sorted(measured, key=lambda t: (-t.accuracy, t.loss))


def _key(t: Try) -> tuple[tuple[str, Any], ...]:
    return tuple(t.choices.items())


def test_images(studio: Studio, data: str, net: Foreign) -> Images | None:
    """Test images of a set that are of the net's shape, or None where they are not on this machine."""
    classes = guesses.classes_of(studio, data, net.outputs)
    test = None if data == UNKNOWN else studio.test_images(data, classes)
    return test if test is not None and tuple(test.pixels.shape[1:]) == net.shape else None
