"""Requests under attack: accuracy of models, and images before and after."""

from typing import Annotated

from ..fields import Choice, Field, Number, request
from .common import PICTURE, Model, Models, Norm, Radius, Seed

MOST_STEPS = 10_000

SOURCES = {"gallery": "drawn by a model (shipped)", "test": "test images", "picture": "one picture"}


@request
class RobustnessRequest:
    """Measure accuracy under attacks; None takes each card's own.

    Attributes:
        models: stored classifiers of one data set.
        attacks: accuracy without an attack always comes along.
        norm, radius: one threat model for all.
        count: test images, from the start of the split.
        seed: of the random starts.
        curve: measure the curve over the radius as well.
    """

    models: Models
    attacks: Annotated[tuple[str, ...], Field("attacks")] = ("none", "fgsm", "pgd", "apgd", "energy")
    norm: Norm = None
    radius: Radius = None
    count: Annotated[int, Number("test images", "from the start of the split", low=10, high=2000, whole=True)] = 200
    seed: Seed = 0
    curve: Annotated[bool, Field("curve over ε")] = True


@request
class AttackedRequest:
    """Look at images before and after every attack.

    Attributes:
        model: a stored classifier.
        label: a class by name; None takes the classes in turn.
        first: of each class, counted from 0.
        count: images.
        norm, radius: None takes the card's threat model.
        seed: of the random starts.
        picture: the one that is attacked, where the source is "picture": one of PICTURE.
    """

    model: Model
    source: Annotated[str, Choice("images", "where they come from", table=SOURCES)] = "gallery"
    label: Annotated[str | None, Field("class", "(default: all in turn)")] = None
    first: Annotated[int, Number("first", "of each class", high=100_000, whole=True)] = 0
    count: Annotated[int, Number("images", "how many", low=1, high=12, whole=True)] = 6
    norm: Norm = None
    radius: Radius = None
    seed: Seed = 0
    picture: Annotated[str, Field("picture", f"of source picture: {PICTURE}")] = ""
