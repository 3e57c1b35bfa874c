"""A digit that somebody drew: what two nets see in it, what fools them, how the land lies around it, and what it may become."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...data.datasets import dataset
from ...data.decoding import BadImage, decode
from ...draws import Each
from ...metrics import landscape
from ...metrics.robustness import logits
from ...samplers import sample, suited
from ..attack.growing import flips, growing
from ..checks import BadInput
from ..requests import DigitRequest
from ..sample.chains import labels, offered, to_pixels
from ..store import Card
from ..studio import Studio
from ..use_case import Step

SIDE, BOX, LEVELS = 28, 20, 15
"""Pixels along an edge of MNIST's images and of the box that their digits fill; the largest grey of a drawing."""

RADII = tuple(round(0.03 * i, 2) for i in range(11))
"""Radii of the attacks, L∞."""

ATTACKED, WINDOW, STEPS = 10, 31, 40
"""Steps of an attack; points along an edge of a window; steps of a chain."""

SAMPLER = "jeat17"
"""Rolls down E(x, y) alone, by the raw gradient and without a ball: a drawing may go as far as it has to."""

FAINT, PAPER = 0.1, 0.15
"""Share of the brightest pixel below which a pixel is ground; greys of a photographed paper that are no ink."""


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


def readers(studio: Studio) -> list[str]:
    """The stored classifiers that take pictures of this size."""
    return [name for name, card in studio.cards().items() if card.shape == (1, SIDE, SIDE) and SAMPLER in offered(card)]


def _reader(studio: Studio, name: str) -> tuple[nn.Module, Card]:
    if name not in (known := readers(studio)):
        raise BadInput("models", f"model is {name!r}, which reads no drawn digits; choose one of {', '.join(known) or 'none'}")
    return studio.model(name)


# drawings ----------------------------------------------------------------------------------------------------------------


def as_mnist(ink: Tensor) -> Tensor:
    """A drawing as MNIST's are: within a box of 20 pixels, aspect kept, its centre of mass at pixel (14, 14) of 28.

    Args:
        ink: light on dark, (H, W) in [0, 1], of any size.
    Returns:
        (1, 28, 28) in [0, 1].
    Raises:
        BadInput: nothing is drawn.
    Source: LeCun's description of the set; which pixel is meant was measured (mean 14.0, sd .3 over 1,000 images).
    """
    drawn = ink > FAINT * ink.max()
    if not ink.max() > 0.05:
        raise BadInput("picture", "nothing is drawn yet; draw a digit, or upload a picture of one")
    rows, columns = drawn.any(1).nonzero().squeeze(1), drawn.any(0).nonzero().squeeze(1)
    part = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(part.shape)
    size = [max(1, round(edge * scale)) for edge in part.shape]
    # areas are averaged where it shrinks, so that thin strokes do not vanish between the samples
    small = F.interpolate(part[None, None], size, mode="bilinear", antialias=True, align_corners=False)[0, 0].clamp(0, 1)
    small = small / small.max()
    mass = small.sum()
    place = [round(SIDE / 2 - float((small.sum(1 - d) * torch.arange(size[d]).to(small)).sum() / mass)) for d in (0, 1)]
    top, left = (min(max(at, 0), SIDE - edge) for at, edge in zip(place, size, strict=True))
    x = torch.zeros(1, SIDE, SIDE)
    x[0, top : top + size[0], left : left + size[1]] = small
    return x


def from_file(data: bytes) -> Tensor:
    """A picture of a digit, as a file: grey, light on dark whatever it was, then as `as_mnist`.

    Raises:
        BadInput: no image, one that is too large, or one with nothing on it.
    """
    try:
        grey = decode(data, name="the picture").float().mean(0) / 255
    except BadImage as error:
        raise BadInput("picture", f"the picture {error.fault}") from error
    edge = torch.cat([grey[0], grey[-1], grey[:, 0], grey[:, -1]]).median()
    ink = (grey - edge).abs()  # paper is what the edge shows, dark or light
    return as_mnist(
        (ink - 0.15).clamp(min=0) / max(float(ink.max()) - 0.15, 1e-6) if ink.max() > 0.2 else torch.zeros_like(ink)
    )


def from_ink(data: bytes) -> Tensor:
    """The pad's own picture: a square of bytes, light on dark.

    Raises:
        BadInput: no square, or nothing is drawn.
    """
    side = round(len(data) ** 0.5)
    if side * side != len(data) or not 8 <= side <= 512:
        raise BadInput("picture", f"a drawing of {len(data)} bytes is no square of 8 to 512 pixels an edge; draw on the pad")
    return as_mnist(torch.from_numpy(np.frombuffer(data, np.uint8).reshape(side, side).astype(np.float32) / 255))


def packed(x: Tensor) -> str:
    """A drawing as the address holds it, 4 bits a pixel: (1, 28, 28) in [0, 1] -> "drawn:...", 530 letters."""
    levels = (x.flatten() * LEVELS).round().byte().numpy()
    return "drawn:" + base64.urlsafe_b64encode((levels[::2] << 4 | levels[1::2]).tobytes()).decode().rstrip("=")


def unpacked(picture: str) -> Tensor:
    """The drawing of an address: -> (1, 28, 28) in [0, 1].

    Raises:
        BadInput: not of that form.
    """
    text = picture.removeprefix("drawn:")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        data = b""
    if not picture.startswith("drawn:") or len(data) != SIDE * SIDE // 2:
        raise BadInput(
            "picture", f"picture is {picture[:40]!r}; give drawn: and {SIDE * SIDE // 2} bytes in base64, 4 bits a pixel"
        )
    both = np.frombuffer(data, np.uint8)
    return torch.from_numpy(np.stack([both >> 4, both & 15], 1).reshape(1, SIDE, SIDE).astype(np.float32) / LEVELS)
