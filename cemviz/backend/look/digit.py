"""A digit that somebody drew: what two nets see in it, what fools them, how the land lies around it, and what it may become."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

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

RADII = tuple(round(0.03 * i, 2) for i in range(11))
"""Radii of the attacks, L∞."""

ATTACKED, WINDOW, STEPS = 10, 31, 40
"""Steps of an attack; points along an edge of a window; steps of a chain."""

SAMPLER = "jeat17"
"""Rolls down E(x, y) alone, by the raw gradient and without a ball: a drawing may go as far as it has to."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Answers of one net to a drawing.

    Attributes:
        model, title, label: its name, what it is in words, and the class it sees.
        logits: (radii, classes): of the drawing, and of what each attack made of it.
        attacked: uint8, (radii, H, W).
        flips: the first radius at which it sees another class, or None.
        energy: E(x, label) around the drawing, along its own attack and a random direction, (WINDOW, WINDOW).
        rolled: uint8, (STEPS + 1, H, W): the drawing rolls down E(x, asked).
        energies: E(x, asked) of those, (STEPS + 1,).
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
    """A drawing as two nets see it.

    Attributes:
        x: uint8, (H, W).
        radii: of the attacks, L∞.
        asked: the class that it was to become; the second net's own answer where none was named.
        radius: half-width of the windows, L2.
        seen: one of each net.
    """

    request: DigitRequest
    x: np.ndarray
    classes: tuple[str, ...]
    radii: tuple[float, ...]
    asked: int
    radius: float
    seen: tuple[Seen, Seen]


def digit(studio: Studio, request: DigitRequest) -> Iterator[Step | Digit]:
    """Show a drawing to two nets.

    Yields:
        a step for each net, then the `Digit`.
    Raises:
        BadInput: no drawing, a model that does not read pictures of this size, a class that is none.
        KeyError, BrokenCheckpoint.
    """
    x = unpacked(request.picture).to(studio.device.torch)
    nets = [_reader(studio, name) for name in request.models]
    own = [int(logits(net, x[None])[0].argmax()) for net, _ in nets]
    card = nets[-1][1]
    asked = labels((request.asked,), 1, card)[0] if request.asked else own[-1]
    seen, radius = [], dataset("mnist").radius
    for k, ((net, card), label) in enumerate(zip(nets, own, strict=True)):
        yield Step(k, len(nets), card.name)
        y = torch.tensor([label], device=x.device)
        frames, scores = zip(*growing(net, x[None], y, "linf", RADII, ATTACKED, studio.device.generator(0)), strict=True)
        plane = landscape.around(net, x, y[0], "adversarial", radius, WINDOW, 0)
        energy, _ = landscape.energies(net, plane, y[0])
        dyn = replace(suited(SAMPLER, card.shape), steps=STEPS)
        chain = list(sample(SAMPLER, net, x[None], torch.full_like(y, asked), dyn, generator=Each(request.seed, [0])))
        f = torch.stack(scores)
        seen.append(Seen(
            model=card.name,
            title=card.words[:1].upper() + card.words[1:],
            label=label,
            logits=f.cpu().numpy(),
            attacked=to_pixels(torch.stack(frames))[..., 0],
            flips=flips(f, label, RADII),
            energy=energy.cpu().numpy(),
            rolled=to_pixels(torch.cat([state.x for state in chain]))[..., 0],
            energies=torch.cat([state.energy for state in chain]).cpu().numpy(),
        ))  # fmt: skip
    yield Digit(request, to_pixels(x[None])[0, ..., 0], card.classes, RADII, asked, radius, tuple(seen))


def reads(card: Card | None) -> bool:
    """Whether a model is a classifier that takes pictures of this size."""
    return card is not None and card.shape == (1, SIDE, SIDE) and SAMPLER in offered(card)


def readers(studio: Studio) -> list[str]:
    """The stored models that do."""
    return [name for name, card in studio.cards().items() if reads(card)]


def _reader(studio: Studio, name: str) -> tuple[nn.Module, Card]:
    if not reads(studio.cards().get(name)):
        known = ", ".join(readers(studio)) or "none"
        raise BadInput("models", f"model is {name!r}, which reads no drawn digits; choose one of {known}")
    return studio.model(name)
