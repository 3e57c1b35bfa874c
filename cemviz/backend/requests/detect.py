"""Requests about what a model knows to be none of its data: a picture before detectors, and sets of outsiders."""

from typing import Annotated

from ...metrics.scores import SCORES
from ..fields import Choice, Field, Number, request
from .attack import MOST_STEPS
from .common import PICTURE, Model, Norm, Radius, Seed


@request
class DetectRequest:
    """Ask the detectors of a net a class whether a picture is of the class it is taken for, as it is and attacked.

    Attributes:
        model: a stored one-vs-rest net, whose members are the detectors.
        image: one of PICTURE.
        classifier: whose answers they look at; empty takes the data set's standard one.
        label: the picture's class, which attacks leave, by name; empty takes the picture's own.
        norm, radius, steps: of the attacks; None takes the model's threat model.
        rate: share of clean images that pass: it sets the threshold.
        attacked: attack it too.
    """

    model: Model
    image: Annotated[str, Field("image", PICTURE)] = "gallery:0"
    classifier: Annotated[str, Field("classifier", "whose answers are looked at (default: the standard net)")] = ""
    label: Annotated[str, Field("class", "that attacks leave (default: the picture's own)", "y")] = ""
    norm: Norm = None
    radius: Radius = None
    steps: Annotated[int, Number("steps", "of the attacks", "K", low=1, high=MOST_STEPS, whole=True)] = 40
    rate: Annotated[float, Number("clean images that pass", "TPR that sets the threshold", low=0.5, high=1)] = 0.95
    attacked: Annotated[bool, Field("attack it too")] = True
    seed: Seed = 0


@request
class OutsideRequest:
    """Measure how well a model's score tells its data from other images, as they are and attacked.

    Attributes:
        against: the other images, see `attack.outside`.
        score: key of SCORES; None takes that of the kind of model.
        norm, radius: of the attack that raises the score of other images; radius None takes the card's.
        restarts: random starts of it, of which each image's best counts.
        count: images of either set.
    """

    model: Model
    against: Annotated[str, Field("against", "uniform, or a data set")] = "uniform"
    score: Annotated[str | None, Choice("score", "(default: of the kind of model)", table=SCORES)] = None
    norm: Norm = None
    radius: Radius = None
    steps: Annotated[int, Number("steps", "of the attack", "K", low=1, high=MOST_STEPS, whole=True)] = 100
    restarts: Annotated[int, Number("restarts", "of the attack", low=1, high=100, whole=True)] = 5
    count: Annotated[int, Number("images", "of either set", low=10, high=10_000, whole=True)] = 200
    seed: Seed = 0
