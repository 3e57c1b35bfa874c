"""A picture of one's own, a digit above all: what two nets see, what fools them, how the land lies, and what it may become."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ...data.datasets import dataset
from ...draws import Each
from ...metrics import landscape
from ...metrics.answers import logits
from ...samplers import sample, suited
from ..attack.growing import flips, growing
from ..checks import BadInput
from ..requests import DigitRequest
from ..sample.chains import labels, offered, to_pixels
from ..store import Card
from ..studio import Studio
from ..use_case import Step
from .drawings import SIDE, unpacked
from .pictures import shaped

APART = {1: 0.03, 3: 0.01}
"""Channels of a picture -> distance between two radii of the attacks, L∞: photographs change class far sooner than digits."""

COUNT = 11
"""Radii of the attacks, from 0 on."""

ATTACKED, WINDOW, STEPS = 10, 31, 40
"""Steps of an attack; points along an edge of a window; steps of a chain."""

SAMPLER = "jeat17"
"""Rolls down E(x, y) alone, by the raw gradient and without a ball: a drawing may go as far as it has to."""


@dataclass(frozen=True, slots=True)
class Side:
    """Answers of one net to a picture.

    Attributes:
        model, title, label: its name, what it is in words, and the class it sees.
        logits: (radii, classes): of the picture, and of what each attack made of it.
        attacked: uint8, (radii, H, W) or, in colour, (radii, H, W, 3).
        flips: the first radius at which it sees another class, or None.
        energy: E(x, label) around the picture, along its own attack and a random direction, (WINDOW, WINDOW).
        rolled: uint8, (STEPS + 1, H, W) or (STEPS + 1, H, W, 3): the picture rolls down E(x, target).
        energies: E(x, target) of those, (STEPS + 1,).
    """

    model: str
    title: str
    label: int
    logits: np.ndarray
    attacked: np.ndarray
    flips: float | None
    energy: np.ndarray
    rolled: np.ndarray
    energies: np.ndarray


@dataclass(frozen=True, slots=True)
class Digit:
    """A picture as two nets see it.

    Attributes:
        x: uint8, (H, W) or (H, W, 3).
        title: which picture it is, in words.
        radii: of the attacks, L∞.
        target: the class that it was to become; the second net's own answer where none was named.
        radius: half-width of the windows, L2.
        sides: one of each net.
    """

    request: DigitRequest
    x: np.ndarray
    title: str
    classes: tuple[str, ...]
    radii: tuple[float, ...]
    target: int
    radius: float
    sides: tuple[Side, Side]


def digit(studio: Studio, request: DigitRequest) -> Iterator[Step | Digit]:
    """Show a picture to two nets.

    Yields:
        a step for each net, then the `Digit`.
    Raises:
        BadInput: no picture, a drawing for a net of other pictures, a model that is no classifier, two that share no pictures,
            a class that is none.
        KeyError, BrokenCheckpoint.
    """
    nets = [_reader(studio, name) for name in request.models]
    x, title = _picture(studio, request.image, [card for _, card in nets])
    answers = [int(logits(net, x[None])[0].argmax()) for net, _ in nets]
    card = nets[-1][1]
    target = labels((request.asked,), 1, card)[0] if request.asked else answers[-1]
    sides, radius = [], dataset(card.data).radius
    radii = tuple(round(APART.get(card.shape[0], APART[3]) * i, 2) for i in range(COUNT))
    for k, ((net, card), label) in enumerate(zip(nets, answers, strict=True)):
        yield Step(k, len(nets), card.name)
        y = torch.tensor([label], device=x.device)
        frames, scores = zip(*growing(net, x[None], y, "linf", radii, ATTACKED, studio.device.generator(0)), strict=True)
        plane = landscape.around(net, x, y[0], "adversarial", radius, WINDOW, 0)
        energy, _ = landscape.energies(net, plane, y[0])
        dyn = replace(suited(SAMPLER, card.shape), steps=STEPS)
        chain = list(sample(SAMPLER, net, x[None], torch.full_like(y, target), dyn, generator=Each(request.seed, [0])))
        f = torch.stack(scores)
        sides.append(Side(
            model=card.name,
            title=card.heading,
            label=label,
            logits=f.cpu().numpy(),
            attacked=_pixels(torch.stack(frames)),
            flips=flips(f, label, radii),
            energy=energy.cpu().numpy(),
            rolled=_pixels(torch.cat([state.x for state in chain])),
            energies=torch.cat([state.energy for state in chain]).cpu().numpy(),
        ))  # fmt: skip
    yield Digit(request, _pixels(x[None])[0], title, card.classes, radii, target, radius, tuple(sides))


def _pixels(x: Tensor) -> np.ndarray:
    """Pictures as bytes; grey ones without a channel."""
    return to_pixels(x)[..., 0] if x.shape[1] == 1 else to_pixels(x)


def _picture(studio: Studio, name: str, cards: list[Card]) -> tuple[Tensor, str]:
    """The picture that two nets look at, (C, H, W) on the studio's device, and its title."""
    first, second = cards
    if (first.shape, len(first.classes)) != (second.shape, len(second.classes)):
        raise BadInput("models", f"{first.name!r} and {second.name!r} look at other pictures; choose two nets of one data set")
    if draws(first):
        return unpacked(name).to(studio.device.torch), "your drawing"
    shot = shaped(studio, first, name)
    return shot.x, shot.title


def reads(card: Card | None) -> bool:
    """Whether a model is a classifier whose energies a picture can roll down."""
    return card is not None and SAMPLER in offered(card)


def draws(card: Card | None) -> bool:
    """Whether it reads what is drawn: pictures of the size of digits."""
    return card is not None and reads(card) and card.shape == (1, SIDE, SIDE)


def readers(studio: Studio) -> list[str]:
    """The stored models that read what is drawn."""
    return [name for name, card in studio.cards().items() if draws(card)]


def _reader(studio: Studio, name: str) -> tuple[nn.Module, Card]:
    cards = studio.cards()
    if not reads(cards.get(name)):
        choices = ", ".join(other for other, card in cards.items() if reads(card)) or "none"
        raise BadInput("models", f"model is {name!r}, which is no classifier that shows its energies; choose one of {choices}")
    return studio.model(name)
