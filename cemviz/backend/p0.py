"""p0 of a binary net on this machine: the mixture that its recipe names, with the images that it wants."""

from collections.abc import Callable

from torch import Tensor

from ..data.datasets import dataset
from ..mixtures import Mixture, scaled, sets
from ..starts import Source


def mixture(text: str, source: Source, pixels: Callable[[str, str], Tensor | None]) -> Mixture | None:
    """The mixture of a recipe, or None where images of it are missing.

    Args:
        text: see `mixtures`.
        source: of its starts.
        pixels: (data set, split) -> uint8 images, (N, C, H, W), or None where they are not on this machine.
    """
    images = {}
    for name in sets(text):
        pool = pixels(name, dataset(name).outside)
        if pool is None:
            return None
        images[name] = scaled(pool, source.shape)
    return Mixture(text, source, images)
