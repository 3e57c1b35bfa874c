"""Normalisations, and what no shape tells, by the accuracy that a net has with them: a wrong one shows nowhere else."""

import time
from collections.abc import Generator
from dataclasses import replace
from itertools import product
from typing import Any

import torch
from torch import nn

from ...data.images import Images
from ...energies import conditional
from ...metrics.answers import logits, outcomes, share
from ..requests import ImportRequest
from ..studio import Studio
from ..use_case import Step
from . import guesses
from .guesses import UNKNOWN
from .imported import Try
from .sources import Foreign, rescale

PATIENCE, MOST_IMAGES, FEWEST_IMAGES = 20.0, 500, 16
"""Seconds that a part of an import may take, and images that it looks at, at most and at least."""


def pace(net: nn.Module, shape: tuple[int, int, int]) -> float:
    """Seconds of a forward pass, an image; the first passes warm up, and another program may be at work beside it."""
    device = next(net.parameters(), torch.zeros(0)).device
    x, times = torch.rand(2, *shape, device=device), []
    while len(times) < 2 or (len(times) < 20 and sum(times) < 1):
        began = time.perf_counter()
        logits(net, x)
        times.append(time.perf_counter() - began)
    return min(times) / len(x)


def affordable(seconds: float, most: int = MOST_IMAGES) -> int:
    """Images that PATIENCE is enough for, where each takes so long."""
    return int(min(most, max(FEWEST_IMAGES, PATIENCE / max(seconds, 1e-9))))


def tries(studio: Studio, request: ImportRequest, net: Foreign, sets: list[str]) -> Generator[Step, None, list[Try]]:
    """Measure every normalisation and open choice.

    Yields:
        steps, the first before anything is measured, with the time that it will take.
    Returns:
        they and their accuracy, best first; where nothing can be measured, the likeliest alone.
    """
    splits = {data: test for data in sets if (test := test_images(studio, data, net)) is not None}
    grid = [
        Try(data, scale, numbers, dict(zip(net.open, values, strict=True)))
        for data in list(splits) or sets[:1]
        for values in product(*net.open.values())
        for scale, numbers in guesses.scales(net.scale, request.scale, net.usual, data, net.shape[0], net.library).items()
    ]
    if not splits:
        return grid[:1]
    nets = {values: studio.device.place(net.built(grid[0].numbers, **dict(values))) for values in {_key(t) for t in grid}}
    seconds = pace(nets[_key(grid[0])], net.shape)
    count, measured = affordable(seconds * len(grid)), []
    about = f"on {count} images each, about {seconds * len(grid) * count:.0f} s"
    for t in grid:
        yield Step(len(measured), len(grid), f"measuring normalisations {about}")
        rescale(nets[_key(t)], t.numbers)
        part = splits[t.data].first(count)
        f = logits(nets[_key(t)], part.floats(), 100)
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
