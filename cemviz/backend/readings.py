"""A stored model as a classifier: its own logits or, of an encoder, the similarities to an anchor image and to references."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..nets.instances import Instances
from . import assets
from .checks import BadInput
from .studio import Studio
from .subjects import Subject, subject, words

ITSELF = "self"
"""As an anchor: the image in the middle."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A classifier, and the class that E(x, y) asks for.

    Attributes:
        net: (B, C, H, W) -> scores, (B, N).
        y: scalar int64: the image's label, or the anchor's place among the references.
        names: of the classes, N.
    """

    net: nn.Module
    y: Tensor
    names: tuple[str, ...]


def reading(studio: Studio, model: str, it: Subject, anchor: str = ITSELF) -> Reading:
    """A model as a classifier: of an encoder, the anchor is class 0 and the images of the gallery are the others.

    Args:
        it: the image in the middle, with pixels.
        anchor: of an encoder, x': "self", or an image named as in `subjects`.
    Raises:
        KeyError, BrokenCheckpoint: as `Studio.model`.
        BadInput: the anchor is not the name of an image, or its pixels are not on this machine.
    """
    net, card = studio.model(model)
    if card.kind == "classifier":
        return Reading(net, torch.tensor(it.label, device=it.x.device), card.classes)
    other = it if anchor == ITSELF else subject(studio, card.data, anchor, card.classes)
    if other.x is None:
        raise BadInput("anchor", f"{other.lacking} Choose the image itself for an anchor, or an image of the gallery.")
    images, names = other.x[None], (f"the anchor, {words(other.name)}",)
    held = assets.gallery(card.data)
    if held is not None:
        images = torch.cat([images, held.images.to(images).float() / 255])
        names += tuple(f"{words(name)} of the gallery" for name in held.classes)
    return Reading(Instances(net, images), torch.tensor(0, device=it.x.device), names)
