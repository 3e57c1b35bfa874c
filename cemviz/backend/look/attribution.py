"""Pixels that speak for a class: integrated gradients of several nets of one data set on one picture.

A net trained against attacks, and a net a class, put their weight on the strokes; a standard net scatters it (thesis 3.4.3,
Fig. 3.10).  From black, MNIST's own ground: a black pixel gets nothing by construction.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...nets.one_vs_rest import only
from .. import kinds
from ..checks import BadInput, choice
from ..requests import AttributionRequest
from ..sample.chains import to_pixels
from ..store import Card
from ..studio import Studio
from ..use_case import Step
from .pictures import shaped

MOST = 4
"""Nets side by side."""


@dataclass(frozen=True, slots=True)
class Mask:
    """Contributions of one net's pixels.

    Attributes:
        card: of the net.
        pixels: what each adds to the logit, summed over channels, float32, (H, W).
        rise: f(x)[y] - f(black)[y], which the pixels sum to but for `gap`.
        gap: of that sum, from a path of few steps.
    """

    card: Card
    pixels: np.ndarray
    rise: float
    gap: float


@dataclass(frozen=True, slots=True)
class Attribution:
    """A picture and the masks of all nets.

    Attributes:
        x: uint8, (H, W, C).
        title: of the picture, in words.
        label: the class whose logit is explained.
    """

    request: AttributionRequest
    x: np.ndarray
    title: str
    label: str
    masks: tuple[Mask, ...]


def attribution(studio: Studio, request: AttributionRequest) -> Iterator[Step | Attribution]:
    """Integrate the gradient of a class's logit from black to the picture, for each net.

    Yields:
        a step a net, then the `Attribution`.
    Raises:
        BadInput: models that do not classify or are of several data sets, a picture or class that is none, no captum here.
        KeyError, BrokenCheckpoint.
    """
    cards = kinds.alike(kinds.chosen(studio.cards(), request.models, MOST))
    for card in cards:
        kinds.classifier(card, "an attribution", "models")
    shot = shaped(studio, cards[0], request.image)
    label = choice("label", request.label or shot.name or cards[0].classes[0], cards[0].classes)
    masks = []
    for card in cards:
        yield Step(len(masks), len(cards), card.name)
        net, _ = studio.model(card.name)
        pixels, rise = integrated_gradients(only(net, card.classes.index(label)), shot.x, request.steps)
        attributed = pixels.sum(0)
        masks.append(Mask(card, attributed.float().cpu().numpy(), rise, float(attributed.sum()) - rise))
    yield Attribution(request, to_pixels(shot.x[None])[0], shot.title, label, tuple(masks))


def integrated_gradients(logit: Callable[[Tensor], Tensor], x: Tensor, steps: int) -> tuple[Tensor, float]:
    """Contributions of an image's pixels to a logit, on the straight path from black.

    x * integral_0^1 grad f(t x) dt,   whose sum is f(x) - f(0)

    Args:
        logit: (B, C, H, W) -> (B,).
        x: (C, H, W).
        steps: points of the path, by Gauss and Legendre.
    Returns:
        contributions, (C, H, W), and f(x) - f(0).
    Raises:
        BadInput: captum is not installed.
    Source: Sundararajan et al. 2017 [165 of the thesis]; thesis Fig. 3.10.
    """
    try:
        from captum.attr import IntegratedGradients  # seconds, and only who asks for it
    except ImportError as error:
        raise BadInput("models", "integrated gradients want captum, which is not installed: pip install captum") from error
    black = torch.zeros_like(x)
    contributions = IntegratedGradients(logit).attribute(x[None], black[None], n_steps=steps)[0].detach()
    with torch.no_grad():
        ends = logit(torch.stack([x, black]))
    return contributions, float(ends[0] - ends[1])
