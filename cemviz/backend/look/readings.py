"""A stored model as a classifier: its own logits or, of an encoder, the similarities to an anchor image and to references."""

from .. import kinds
from ..checks import BadInput
from ..kinds import Reading
from ..requests import SELF
from ..stored import assets
from ..studio import Studio
from .pictures import Subject, subject, words


def reading(studio: Studio, model: str, centre: Subject, anchor: str = SELF) -> Reading:
    """Read a model as a classifier: of an encoder, the anchor is class 0 and the images of the gallery are the others.

    Args:
        centre: the image in the middle, with pixels.
        anchor: of an encoder, x': "self", or an image named as in `pictures`.
    Raises:
        KeyError, BrokenCheckpoint: as `Studio.model`.
        BadInput: the anchor is not the name of an image, or its pixels are not on this machine.
    """
    net, card = studio.model(model)
    view = kinds.kind_of(card).view
    images = [(centre.name, centre.x)]
    if view.paired:
        other = centre if anchor == SELF else subject(studio, card.data, anchor, card.classes)
        if other.x is None:
            raise BadInput("anchor", f"{other.lacking} Choose the image itself for an anchor, or an image of the gallery.")
        images = [(f"the anchor, {words(other.name)}", other.x)]
        gallery = assets.gallery(card.data)
        if gallery is not None:
            pixels = gallery.images.to(other.x) / 255
            images += [(f"{words(name)} of the gallery", x) for name, x in zip(gallery.classes, pixels, strict=True)]
    return view.read(net, card, centre.label, images)
