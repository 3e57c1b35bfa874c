"""Images before and after every attack, with both energies: what an attack changes, one image at a time.

FGSM, PGD and Auto-PGD climb the cross-entropy E(x, y) - E(x), the energy attack E(x, y) alone: only their changes of E(x) tell
them apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..attacks import perturb, threat
from ..energies import joint, marginal
from ..metrics.robustness import logits
from . import assets
from .checks import BadInput, choice, number, threat_model
from .robustness import COLUMNS
from .sampling import to_pixels
from .store import Card
from .studio import Studio

SOURCES = {"gallery": "drawn by a model (shipped)", "test": "test images"}
FACTORS = (1, 2, 5, 10, 20, 50)
"""By which a difference may be amplified."""

MOST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class AttackedRequest:
    """Which images of which model.

    Attributes:
        model: a stored classifier.
        source: key of SOURCES.
        label: a class by name; None takes the classes in turn.
        first: of each class, counted from 0.
        count: images.
        norm, radius: None takes the card's threat model.
        seed: of the random starts.
    """

    model: str
    source: str = "gallery"
    label: str | None = None
    first: int = 0
    count: int = 6
    norm: str | None = None
    radius: float | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the net makes of an image: energies in nats with the image's own label, the class it sees, p(label | x)."""

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
    before: Seen
    after: Seen

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


def check(studio: Studio, request: AttackedRequest) -> tuple[AttackedRequest, Card]:
    """The request with its numbers as numbers, threat model filled in, and the model's card.

    Raises:
        BadInput, BrokenCheckpoint.
    """
    known = studio.cards()
    card = known[choice("model", request.model, known)]
    if card.kind != "classifier":
        raise BadInput("model", f"{card.name!r} is a {card.kind}; the attacks need a classifier")
    norm, radius = threat_model(card.name, (card.norm, card.radius), request.norm, request.radius)
    checked = AttackedRequest(
        model=card.name,
        source=choice("source", request.source, SOURCES),
        label=None if request.label is None else choice("class", request.label, card.classes),
        first=int(number("first", request.first, 0, 100_000, whole=True)),
        count=int(number("count", request.count, 1, MOST_SHOWN, whole=True)),
        norm=norm,
        radius=float(number("radius", radius, 0.001, 100, symbol="ε")),
        seed=int(number("seed", request.seed, 0, 2**31 - 1, whole=True)),
    )
    return checked, card


def attacked(studio: Studio, request: AttackedRequest) -> Iterator[Attacked]:
    """Attack the same images in every way that `COLUMNS` names.

    Yields:
        one `Attacked` an attack.
    Raises:
        BadInput: as `check`; images that are not on this machine, or beyond the end of a class.
        BrokenCheckpoint, Diverged.
    """
    request, card = check(studio, request)
    pixels, labels, origin = _images(studio, request, card)
    net, _ = studio.model(card.name)
    x, y = pixels.to(studio.device.torch).float() / 255, labels.to(studio.device.torch)
    names = [card.classes[label] for label in labels.tolist()]
    before = _seen(net, card, x, y)
    for name in COLUMNS:
        if name == "none":
            continue
        dyn = threat(name, request.norm, request.radius)
        found = perturb(name, net, x, y, dyn, generator=studio.device.generator(request.seed))
        change = (found - x).permute(0, 2, 3, 1).float().cpu().numpy()
        rows = zip(names, to_pixels(x), to_pixels(found), change, before, _seen(net, card, found, y), strict=True)
        yield Attacked(name, request.norm, request.radius, origin, tuple(Example(*row) for row in rows))


def amplified(change: np.ndarray, factor: float) -> np.ndarray:
    """A difference as a picture, uint8: middle grey where nothing changed, clipped at black and white."""
    return np.rint((0.5 + factor * change).clip(0, 1) * 255).astype(np.uint8)


def fitting(one: Attacked) -> int:
    """The largest of `FACTORS` that clips no difference; one for all images, so that they compare."""
    most = max(float(np.abs(example.change).max()) for example in one.examples)
    return max((factor for factor in FACTORS if factor * most <= 0.5 + 1e-6), default=FACTORS[0])


def _seen(net: nn.Module, card: Card, x: Tensor, y: Tensor) -> list[Seen]:
    f = logits(net, x)
    rows: Any = zip(joint(f, y), marginal(f), f.argmax(1), f.softmax(1).gather(1, y[:, None]).squeeze(1), strict=True)
    return [Seen(float(e), float(m), card.classes[int(k)], float(p)) for e, m, k, p in rows]


def _images(studio: Studio, request: AttackedRequest, card: Card) -> tuple[Tensor, Tensor, str]:
    """Pixels, labels and origin of the images: of the asked class from `first` on, or the classes in turn."""
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
        held = assets.gallery(card.data)
        if held is None:
            raise BadInput("source", f"no gallery ships for {card.data}; make it with: python -m cemviz assets {card.data}")
        pixels, labels = held.images, held.labels
        origin = f"images that {held.model} drew, not real ones: they lie near that net's minimum by construction"
    asked = list(range(len(card.classes))) if request.label is None else [card.classes.index(request.label)]
    of = {label: (labels == label).nonzero().squeeze(1).tolist() for label in asked}
    turns = [(asked[k % len(asked)], request.first + k // len(asked)) for k in range(request.count)]
    places = [of[label][n] for label, n in turns if n < len(of[label])]
    if not places:
        most = max(len(found) for found in of.values())
        if not most:
            raise BadInput("label", f"there are no {origin} of {', '.join(card.classes[label] for label in asked)}")
        raise BadInput("first", f"first is {request.first}; give a whole number from 0 to {most - 1}")
    return pixels[places], labels[places], origin
