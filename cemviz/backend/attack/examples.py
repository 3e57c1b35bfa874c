"""Images before and after every attack, with both energies: what an attack changes, one image at a time.

FGSM, PGD and Auto-PGD climb the cross-entropy E(x, y) - E(x), the energy attack E(x, y) alone: only their changes of E(x) tell
them apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...attacks import perturb, threat
from ...energies import joint, marginal
from ...metrics.answers import logits, read
from .. import kinds
from ..checks import BadInput, choice, threat_model
from ..look.pictures import subject
from ..requests import PICTURE, SOURCES, AttackedRequest
from ..sample.chains import to_pixels
from ..store import Card
from ..stored import assets
from ..studio import Studio
from .rates import COLUMNS

FACTORS = (1, 2, 5, 10, 20, 50)
"""Factors by which a difference may be amplified."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Reading of an image by the net: energies in nats with the image's own label, the class it sees, p(label | x)."""

    joint: float
    marginal: float
    predicted: str
    p: float


@dataclass(frozen=True, slots=True)
class Example:
    """One image and what the attack made of it.

    Attributes:
        name: its class.
        image, attacked: uint8, (H, W, C).
        change: attacked - image, float32, (H, W, C), in pixel units.
        before, after: what the net sees.
    """

    name: str
    image: np.ndarray
    attacked: np.ndarray
    change: np.ndarray
    before: Answer
    after: Answer

    @property
    def joint_change(self) -> float:
        """ΔE(x, y), nats: positive where the label became less likely."""
        return self.after.joint - self.before.joint

    @property
    def marginal_change(self) -> float:
        """ΔE(x), nats: positive where the image became less likely."""
        return self.after.marginal - self.before.marginal


@dataclass(frozen=True, slots=True)
class Attacked:
    """One attack on all images of a request.

    Attributes:
        attack: key of COLUMNS.
        norm, radius: of the ball.
        origin: what the images are, in words.
    """

    attack: str
    norm: str
    radius: float
    origin: str
    examples: tuple[Example, ...]

    def means(self) -> tuple[float, float, float]:
        """Mean ΔE(x, y), mean ΔE(x) and the share of images that the net no longer sees as their class."""
        fooled = [example.after.predicted != example.name for example in self.examples]
        changes = [(example.joint_change, example.marginal_change) for example in self.examples]
        return (*(float(v) for v in np.mean(changes, 0)), float(np.mean(fooled)))


def attacked(studio: Studio, request: AttackedRequest) -> Iterator[Attacked]:
    """Attack the same images in every way that `COLUMNS` names.

    Yields:
        one `Attacked` an attack.
    Raises:
        BadInput: no classifier, a class it does not know, images that are not on this machine or beyond the end of a class.
        BrokenCheckpoint, Diverged.
    """
    cards = studio.cards()
    card = kinds.classifier(cards[choice("model", request.model, cards)], "an attack")
    norm, radius = threat_model(card, request.norm, request.radius)
    pixels, labels, origin = _images(studio, request, card)
    net, _ = studio.model(card.name)
    x, y = pixels.to(studio.device.torch).float() / 255, labels.to(studio.device.torch)
    names = [card.classes[label] for label in labels.tolist()]
    before = _answers(net, card, x, y)
    for name in COLUMNS:
        if name == "none":
            continue
        dyn = threat(name, norm, radius)
        adversarial = perturb(name, net, x, y, dyn, generator=studio.device.generator(request.seed))
        change = (adversarial - x).permute(0, 2, 3, 1).float().cpu().numpy()
        rows = zip(
            names, to_pixels(x), to_pixels(adversarial), change, before, _answers(net, card, adversarial, y), strict=True
        )
        yield Attacked(name, norm, radius, origin, tuple(Example(*row) for row in rows))


def amplified(change: np.ndarray, factor: float) -> np.ndarray:
    """A difference as a picture, uint8: middle grey where nothing changed, clipped at black and white."""
    return np.rint((0.5 + factor * change).clip(0, 1) * 255).astype(np.uint8)


def fitting(result: Attacked) -> int:
    """The largest of `FACTORS` that clips no difference; one for all images, so that they compare."""
    most = max(float(np.abs(example.change).max()) for example in result.examples)
    return max((factor for factor in FACTORS if factor * most <= 0.5 + 1e-6), default=FACTORS[0])


def _answers(net: nn.Module, card: Card, x: Tensor, y: Tensor) -> list[Answer]:
    f = logits(net, x)
    shares = f.softmax(1).gather(1, y[:, None]).squeeze(1)
    rows: Any = zip(joint(f, y), marginal(f), read(f, card.classes), shares, strict=True)
    return [Answer(float(e), float(m), name, float(p)) for e, m, name, p in rows]


def _images(studio: Studio, request: AttackedRequest, card: Card) -> tuple[Tensor, Tensor, str]:
    """Pixels, labels and origin of the images: one picture, or those of the asked class from `first` on, or of all in turn."""
    if request.source == "picture":
        if not request.picture:
            raise BadInput("picture", f"source 'picture' needs a picture; give {PICTURE}")
        shot = subject(studio, card.data, request.picture, card.classes)
        if shot.x is None:
            raise BadInput("picture", f"{shot.lacking} Choose one that a model drew")
        return (shot.x * 255).round().byte()[None], torch.tensor([shot.label]), shot.title
    if request.source == "test":
        test = studio.test_images(card.data, card.classes)
        if test is None:
            raise BadInput(
                "source",
                f"the test images of {card.data} are not on this machine; choose {SOURCES['gallery']!r}, or put the set where "
                f"CEMVIZ_DATA points",
            )
        pixels, labels, origin = test.pixels, test.labels, f"test images of {card.data}"
    else:
        gallery = assets.gallery(card.data)
        if gallery is None:
            raise BadInput("source", f"no gallery ships for {card.data}; make it with: python -m cemviz assets {card.data}")
        pixels, labels = gallery.images, gallery.labels
        origin = f"images that {gallery.model} drew, not real ones: they lie near that net's minimum by construction"
    every = range(len(card.classes))
    classes = every if request.label is None else [card.classes.index(choice("class", request.label, card.classes))]
    members = {label: (labels == label).nonzero().squeeze(1).tolist() for label in classes}
    turns = [(classes[k % len(classes)], request.first + k // len(classes)) for k in range(request.count)]
    places = [members[label][n] for label, n in turns if n < len(members[label])]
    if not places:
        most = max(len(rows) for rows in members.values())
        if not most:
            raise BadInput("label", f"there are no {origin} of {', '.join(card.classes[label] for label in classes)}")
        raise BadInput("first", f"first is {request.first}; give a whole number from 0 to {most - 1}")
    return pixels[places], labels[places], origin
