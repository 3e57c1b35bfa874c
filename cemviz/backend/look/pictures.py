"""Pictures that are looked at, named by where they come from.

| image     | is                                              | needs                                          |
|-----------|-------------------------------------------------|------------------------------------------------|
| grid:I    | the test image of the I-th precomputed window   | nothing for that window; else the test images  |
| test:I    | image I of the test split                       | the test images on this machine                |
| gallery:I | a sample that a shipped model drew              | nothing                                        |
| drawn:... | a digit that a visitor drew, see `drawings`     | nothing                                        |
| upload:...| a colour picture of a visitor's, see `uploads`  | nothing                                        |

Where a picture is brought into a model's own shape, test:SET/I and gallery:SET/I are of another data set, and start:SEED is
what the model's chains begin with.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...data.datasets import DATASETS
from ...data.images import Images
from ...draws import Each
from ...metrics.answers import logits
from ...mixtures import scaled
from ...starts import draw
from .. import kinds
from ..checks import MAX_SEED, BadInput, choice, number
from ..foreign.guesses import UNKNOWN
from ..store import Card
from ..stored import assets
from ..studio import Studio
from . import uploads
from .drawings import from_file, packed, unpacked

DRAWN = "mnist"
"""Data set that a drawing is made like."""

NO_IMAGES = (
    "what this net was trained on is not known here; sample from it, or bring it in again and say on what it was trained"
)


@dataclass(frozen=True, slots=True)
class Subject:
    """The image in the middle.

    Attributes:
        x: (C, H, W) in [0, 1] on the studio's device, or None where its pixels are not on this machine.
        label, name: class index and name.
        title: which image it is, in words.
        window: number of its precomputed window, or None.
        lacking: why there are no pixels, and what to do; empty where there are.
    """

    x: Tensor | None
    label: int
    name: str
    title: str
    window: int | None = None
    lacking: str = ""


def subject(studio: Studio, data: str, image: str, classes: tuple[str, ...] | None = None, *, pixels: bool = True) -> Subject:
    """The image that a request names.

    Args:
        image: as in the table above.
        classes: of the model that looks at it, in label order; None takes the set's.
        pixels: whether to look for those of a grid:I; without, it opens no data set.
    Raises:
        BadInput: not the name of an image, or none of this machine.
    """
    origin, _, text = str(image).partition(":")
    choice("image", origin, ("grid", "test", "gallery", "drawn", "upload"))
    if origin in ("drawn", "upload"):
        return _visitor_picture(studio, data, str(image))
    if origin == "test":
        return _of_test(unseen(studio, data, classes), data, text)
    asset = assets.grids(data) if origin == "grid" else assets.gallery(data)
    if asset is None:
        missing = "windows are precomputed" if origin == "grid" else "gallery ships"
        raise BadInput("image", f"no {missing} for {data}; make them with: python -m cemviz assets {data}")
    i = int(number("image", text, 0, len(asset.labels) - 1, whole=True))
    label, name = int(asset.labels[i]), asset.classes[i]
    if origin == "gallery":
        x = asset.images[i].to(studio.device.torch).float() / 255
        return Subject(x, label, name, f"{words(name)}, drawn by {asset.model} (not a real image)")
    test = studio.test_images(data, classes) if pixels else None
    x = None if test is None else _same(test, label, asset.pixels[i])
    lacking = "" if x is not None else f"The test images of {data} are not on this machine: here are energies, and no pixels."
    return Subject(x, label, name, f"test image {asset.indices[i]}, {words(name)}", i, lacking)


def shaped(studio: Studio, card: Card, image: str) -> Subject:
    """The image that a request names, in the shape of a model's own: also of another data set, or a start of chains.

    Raises:
        BadInput: as `subject`, and where the pixels are not on this machine.
    """
    origin, _, text = str(image).partition(":")
    name, slash, place = text.rpartition("/")
    if origin == "start":
        return _of_start(studio, card, text)
    if not slash or origin in ("drawn", "upload"):
        shot = subject(studio, card.data, image, card.classes)
    elif (data := choice("image", name, DATASETS)) == card.data:
        shot = subject(studio, data, f"{origin}:{place}", card.classes)
    else:
        shot = subject(studio, data, f"{origin}:{place}")
        shot = replace(shot, title=f"{shot.title} of {DATASETS[data].title}")
    if shot.x is None:
        raise BadInput("image", f"{shot.lacking} Choose an image of the gallery.")
    if shot.x.shape == card.shape:
        return shot
    return replace(shot, x=scaled((shot.x[None] * 255).round().byte(), card.shape)[0].float() / 255)


def _of_start(studio: Studio, card: Card, text: str) -> Subject:
    seed, start = int(number("image", text, 0, MAX_SEED, whole=True)), kinds.kind_of(card).usual["start"]
    y = torch.zeros(1, dtype=torch.int64, device=studio.device.torch)
    x = draw(start, studio.source(card), y, Each(seed, [0], studio.device.torch))
    return Subject(x[0], 0, "", f"a start of chains, seed {seed}")


def pictured(studio: Studio, use_case: Callable[[Studio, Any], Iterator[Any]], request: Any) -> Iterator[Any]:
    """A use-case of a picture; where the pixels of a test image are not on this machine, of one that a model drew.

    Args:
        request: with an `image`.
    """
    try:
        yield from use_case(studio, request)
    except BadInput as error:
        origin, _, place = request.image.partition(":")
        if error.field != "image" or origin != "grid":
            raise
        yield from use_case(studio, replace(request, image=f"gallery:{place}"))


def offered(data: str) -> list[tuple[str, str]]:
    """Images to offer for a data set, as (words, name): what is precomputed, what a model drew, and test images by number."""
    named = []
    if (windows := assets.grids(data)) is not None:
        for i, name in enumerate(windows.classes):
            named.append((f"{words(name)}, test image {windows.indices[i]}, precomputed", f"grid:{i}"))
    if (gallery := assets.gallery(data)) is not None:
        for i in range(len(set(gallery.classes))):
            named.append((f"{words(gallery.classes[i])}, drawn by {gallery.model}", f"gallery:{i}"))
    return [*named, ("a test image, by its number", "test")]


def portable(card: Card, pixels: np.ndarray) -> str | None:
    """The name by which an address holds a picture itself: a digit as a drawing, one in colour as an upload, another not.

    Args:
        pixels: uint8, (H, W, C).
    """
    x = torch.from_numpy(pixels).permute(2, 0, 1)
    if card.data == DRAWN:
        return packed(x / 255)
    return uploads.named(x) if card.shape[0] == 3 else None


def words(name: str) -> str:
    """A class in words: digit 7, horse."""
    return f"digit {name}" if name.isdigit() else name


def as_picture(data: str, shape: tuple[int, ...], content: bytes) -> tuple[str, str]:
    """A file of a visitor's as a picture of a data set.

    Args:
        shape: of the set's images.
    Returns:
        its name, and what was done to it, in words.
    Raises:
        BadInput: no image, one that is too large, or one with nothing on it.
    """
    if data == DRAWN:
        return packed(from_file(content)), "Centred and scaled as MNIST's digits are."
    small, note = uploads.scaled(content, shape)
    return uploads.named(small), note


def _visitor_picture(studio: Studio, data: str, image: str) -> Subject:
    """A visitor's picture; nobody said its class, so that a judge, which is none of the nets compared, reads it."""
    drawing = image.startswith("drawn:")
    if drawing and data != DRAWN:
        raise BadInput("image", f"drawings are made like {DRAWN}'s images; nets of {data} cannot look at one")
    judge = next(iter(kinds.judges(data)), None)
    if judge is None and data == UNKNOWN:
        raise BadInput("image", NO_IMAGES)
    if judge is None:
        raise BadInput("image", f"a picture's class is read by a judge, and none is stored; train {data}-judge")
    net, card = studio.model(judge)
    x = (unpacked(image) if drawing else uploads.pixels(image, card.shape)).to(studio.device.torch)
    label = int(logits(net, x[None])[0].argmax())
    origin = "a drawing" if drawing else "an uploaded picture"
    return Subject(x, label, card.classes[label], f"{origin}, which {judge} reads as {words(card.classes[label])}")


def unseen(studio: Studio, data: str, classes: tuple[str, ...] | None = None) -> Images | None:
    """The test images of a data set, or those held out of one that has none; None where they are not on this machine."""
    test = studio.test_images(data, classes)
    return test if test is not None else studio.split(data, "held-out", classes)


def _of_test(test: Images | None, data: str, text: str) -> Subject:
    if test is None and data == UNKNOWN:
        raise BadInput("image", NO_IMAGES)
    if test is None:
        raise BadInput(
            "image", f"the test images of {data} are not on this machine; choose a precomputed window or the gallery"
        )
    i = int(number("image", text, 0, len(test) - 1, whole=True))
    label = int(test.labels[i])
    return Subject(test.floats(i), label, test.classes[label], f"{test.split} image {i}, {words(test.classes[label])}")


def _same(test: Images, label: int, digest: str) -> Tensor | None:
    """The first image of a class, if it is the one with this fingerprint."""
    of_class = (test.labels == label).nonzero()
    if not len(of_class) or assets.fingerprint(test.pixels[int(of_class[0])]) != digest:
        return None
    return test.floats(int(of_class[0]))
