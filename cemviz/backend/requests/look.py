"""Requests to look at a model: energies around an image, and what two nets see in a drawn digit."""

from typing import Annotated

from ...data.datasets import DATASETS
from ..checks import BadInput
from ..fields import Choice, Field, Number, request
from .common import PICTURE, Models, Seed

DIRECTIONS = {"random": "random × random (JEAT Fig. 2)", "adversarial": "adversarial × random"}
SELF = "self"
"""Anchor of a landscape: the image in the middle."""


@request
class LandscapeRequest:
    """Look at energies around an image; the defaults are those of the precomputed windows of MNIST.

    Attributes:
        models: one to four stored models of one kind and data set.
        image: one of PICTURE.
        energy: the one a figure shows; both are computed.
        directions: random (the same plane for all models) or adversarial (each model's own ascent, and the random one).
        radius: half-width of the window, L2 in pixel units.
        side: points along an edge, odd.
        seed: of the random directions.
        anchor: of encoders, x': "self" (the image itself), or another image.
        label: of classifiers, y, by name or number; empty takes the image's own class.
    """

    models: Models
    image: Annotated[str, Field("image", PICTURE)] = "grid:7"
    energy: Annotated[str, Choice("energy", "joint or marginal", table=lambda: ("joint", "marginal"))] = "joint"
    directions: Annotated[str, Choice("directions", "of the plane", table=DIRECTIONS)] = "random"
    radius: Annotated[float, Number("radius of the window", "L2, pixel units", low=0.01, high=50)] = DATASETS["mnist"].radius
    side: Annotated[int, Number("side", "points along an edge, an odd number", low=3, high=101, whole=True)] = 41
    seed: Seed = 0
    anchor: Annotated[str, Field("anchor x′", "of encoders: what x is paired with")] = SELF
    label: Annotated[str, Field("class", "of classifiers (default: the image's own)", "y")] = ""

    def __post_init__(self) -> None:
        if self.side % 2 == 0:
            raise BadInput("side", f"side is {self.side}; give an odd number from 3 to 101, so that the image lies on the grid")


@request
class DigitRequest:
    """Show a drawn digit to two nets.

    Attributes:
        picture: "drawn:" and the bytes of 28 x 28 pixels in base64, 4 bits a pixel.
        models: two stored classifiers of MNIST's size.
        asked: the class that it is to become; empty takes what the second net sees.
    """

    picture: Annotated[str, Field("picture", "drawn:BASE64")]
    models: Models
    asked: Annotated[str, Field("turn it into", "a class, or nothing for what it is")] = ""
    seed: Seed = 0

    def __post_init__(self) -> None:
        if len(self.models) != 2:
            raise BadInput("models", f"models are {', '.join(self.models) or 'none'}; give two")
