"""A ball on a landscape: an image of the plane rolls down each net's energy, and its shadow on the plane is its path."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ...dynamics import Dynamics, descend
from ...energies import joint, marginal, on
from ...samplers import suited
from ..checks import BadInput, number
from ..requests import LandscapeRequest
from ..sample.chains import to_pixels
from ..studio import Studio
from ..use_case import Step
from .landscape import middle, plane_of, viewed
from .readings import reading

STEPS = 20


@dataclass(frozen=True, slots=True)
class Roll:
    """One net's roll.

    Attributes:
        path: a and b of each state's shadow on the net's plane, (STEPS + 1, 2); the states themselves leave the plane.
        pixels: uint8, (STEPS + 1, H, W, C).
        energies: of each state, nats, (STEPS + 1,).
    """

    model: str
    title: str
    path: np.ndarray
    pixels: np.ndarray
    energies: np.ndarray


def roll(studio: Studio, request: LandscapeRequest, a: float, b: float, model: str) -> Iterator[Step | Roll]:
    """Release one image in every net's landscape: the same image, since a net alone would choose another.

    x0 = clamp(centre + a u + b v) on `model`'s plane; then unit steps down the energy shown, without noise and without a ball.

    Args:
        a, b: in the window, L2 in pixel units.
    Yields:
        a step and a `Roll` for each model.
    Raises:
        BadInput: the image's pixels are not on this machine; or as `landscape`.
    """
    cards = viewed(studio, request)
    centre = middle(studio, request)
    start = plane_of(studio, request, model)
    if centre.x is None or start is None:
        raise BadInput("image", f"{centre.lacking} A ball needs them: choose an image of the gallery")
    place = (torch.tensor([float(number(name, v, -request.radius, request.radius))]) for name, v in (("a", a), ("b", b)))
    x0 = start.at(*(part.to(centre.x) for part in place)).clamp(0, 1)
    dyn = rolling(cards[0].shape)
    for k, card in enumerate(cards):
        yield Step(k, len(cards), card.name)
        read, plane = reading(studio, card.name, centre, request.anchor), plane_of(studio, request, card.name)
        energy = on(read.net, marginal) if request.energy == "marginal" else on(read.net, joint, read.y.view(1))
        states = list(descend(energy, x0, dyn))
        x = torch.cat([state.x for state in states])
        energies = torch.cat([state.energy for state in states])
        yield Roll(card.name, card.title, plane.shadow(x).cpu().numpy(), to_pixels(x), energies.cpu().numpy())


def rolling(shape: tuple[int, ...]) -> Dynamics:
    """The numbers of a roll: CS's step for images of this shape."""
    return Dynamics(STEPS, suited("cs", shape).step)
