"""p0: the images that binary adversarial training moves towards the data, as a mixture that a line of text names.

    p0 = sum_i w_i p_i / sum_i w_i,    written  w_1*NAME~SIGMA + w_2*NAME + ...

A name is a start that needs no images ("gaussian", "class-gaussian", "uniform") or a data set, whose images are scaled to the
shape of the model's own; a weight left out is 1, and "~SIGMA" blurs a part by a Gaussian of so many pixels.  The thesis takes
other data sets (Table 2.4) and blurs their images before a generation (Fig. 2.9); mixtures are our choice.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .draws import Generator, rand, randint
from .starts import STARTS, Source

PART = re.compile(r"(?:(?P<weight>[0-9.]+)\*)?(?P<name>[\w-]+)(?:~(?P<blur>[0-9.]+))?")
WIDEST = 8.0
"""Largest blur, in pixels."""


class Part(NamedTuple):
    """A part of a mixture: its weight, the start or data set it draws from, and its blur in pixels."""

    weight: float
    name: str
    blur: float


def parts(text: str) -> tuple[Part, ...]:
    """Parts of a mixture, as it is written.

    Raises:
        ValueError: what is no mixture, a weight of 0, or a blur above WIDEST.
    """
    read = []
    for piece in text.replace(" ", "").split("+"):
        match = PART.fullmatch(piece)
        try:
            part = match and Part(float(match["weight"] or 1), match["name"], float(match["blur"] or 0))
        except ValueError:
            part = None
        if not part or not 0 < part.weight < math.inf or not 0 <= part.blur <= WIDEST:
            raise ValueError(
                f"p0 is {text!r}; give parts NAME, WEIGHT*NAME or NAME~BLUR (weights above 0, blurs up to {WIDEST:g} pixels) "
                "with + between, such as gaussian+fashionmnist~1"
            )
        read.append(part)
    return tuple(read)


def sets(text: str) -> list[str]:
    """Names of the data sets that a mixture draws from.

    Raises:
        ValueError: see `parts`; a start of one picture is none.
    """
    names = [part.name for part in parts(text)]
    for name in names:
        if name in ("picture", "p0", "data"):
            raise ValueError(f"p0 is {text!r}; the start {name!r} is no distribution of its own: name another, or a data set")
    return [name for name in dict.fromkeys(names) if name not in STARTS]


@dataclass(frozen=True, slots=True)
class Mixture:
    """A distribution of images to draw from.

    Attributes:
        text: as it is written.
        source: of its starts.
        images: uint8 images of each data set that it names, (N, C, H, W) of the source's shape.
    """

    text: str
    source: Source
    images: Mapping[str, Tensor]

    def __call__(self, count: int, generator: Generator | None = None) -> Tensor:
        """Draw images: (count, C, H, W) in [0, 1].

        Every part draws for every row, so that a row depends on its own draws alone (see `draws`); one part is kept.

        Raises:
            LookupError: a part needs what is not on this machine.
        """
        chosen = parts(self.text)
        weights = torch.tensor([part.weight for part in chosen], dtype=torch.float64)
        device = getattr(generator, "device", "cpu")
        share = rand((count,), generator=generator, device=device, dtype=torch.float64)
        picks = torch.bucketize(share, weights.cumsum(0).to(share) / weights.sum(), right=True).clamp(max=len(chosen) - 1)
        samples = torch.stack([self._draw(part, count, generator, device) for part in chosen])
        return samples[picks, torch.arange(count, device=samples.device)]

    def _draw(self, part: Part, count: int, generator: Generator | None, device: torch.device | str) -> Tensor:
        if part.name in self.images:
            pool = self.images[part.name]
            x = pool[randint(len(pool), count, generator=generator, device=pool.device)].float() / 255
        else:
            start, classes = STARTS[part.name], 1
            if start.needs and getattr(self.source, start.needs) is None:
                raise LookupError(f"p0 is {self.text!r}; {part.name!r} needs {start.needs}, which are not on this machine")
            if self.source.gaussians is not None:
                classes = len(self.source.gaussians.means) - 1
            x = start.draw(self.source, randint(classes, count, generator=generator, device=device), generator)
        return blurred(x, part.blur)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Images smoothed by a Gaussian of sigma pixels: (B, C, H, W) -> (B, C, H, W).  Source: thesis Fig. 2.9.

    Raises:
        ValueError: a sigma outside [0, WIDEST].
    """
    from torchvision.transforms.v2.functional import gaussian_blur

    if not 0 <= sigma <= WIDEST:
        raise ValueError(f"σ (blur) is {sigma}; give a number of pixels from 0 to {WIDEST:g}")
    reach = min(math.ceil(3 * sigma), min(x.shape[-2:]) - 1)  # the picture is mirrored at its edges, once
    return gaussian_blur(x, [2 * reach + 1] * 2, [sigma] * 2) if sigma else x


def scaled(pixels: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Images of another data set in the shape of a model's own: uint8 (N, C, H, W) -> uint8 (N, *shape).

    Colours become luma where the model is grey, grey becomes three equal channels where it is not; sizes are resampled with
    antialiasing, which keeps neither aspect nor borders apart.

    Raises:
        ValueError: channels that are neither 1 nor 3.
    """
    from torchvision.transforms.v2.functional import InterpolationMode, resize

    channels, *size = shape
    if {channels, pixels.shape[1]} - {1, 3}:
        raise ValueError(f"images have {pixels.shape[1]} channels, the model's {channels}; give 1 or 3")
    if channels < pixels.shape[1]:
        luma = torch.tensor([0.299, 0.587, 0.114], device=pixels.device)
        parts = [(part.float() * luma[:, None, None]).sum(1, keepdim=True).round().byte() for part in pixels.split(10_000)]
        pixels = torch.cat(parts)
    if list(pixels.shape[2:]) != size:
        parts = [resize(part, size, InterpolationMode.BILINEAR, antialias=True) for part in pixels.split(10_000)]
        pixels = torch.cat(parts)
    return pixels.expand(-1, channels, -1, -1)
