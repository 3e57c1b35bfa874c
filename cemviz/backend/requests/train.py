"""Requests to train: a recipe, on the command line and on the page."""

from typing import Annotated, Any

from ...training.precision import PRECISIONS
from ...training.recipes import RECIPES
from ..fields import Choice, Field, Number, request
from .common import Root, Seed

SCALES = ("evidence", "laptop", "shipped", "paper")
MODES = ("start", "resume", "retry")
MAX_UPDATES = 100_000
"""Updates of a visitor's run, at most."""

Recipe = Annotated[str, Choice("recipe", "a recipe, see `list`", table=lambda: RECIPES)]


@request
class TrainRequest:
    """Train a recipe.

    Attributes:
        recipe, scale: a row of RECIPES.
        out: name of the model; None takes the recipe's.
        seed: of weights, order, augmentation and attack.
        changes: fields of the row to replace.
        data: root of local image folders.
        resume: go on from the saved state, if there is one.
        retry: go on from the last good state of a run that diverged, with half the learning rate and the next seed's draws.
        precision: key of PRECISIONS, of the passes through the net.
        download: fetch the images of a known set where they are not here.
    """

    recipe: Recipe
    scale: Annotated[str, Choice("scale", "evidence, laptop, shipped or paper", table=lambda: SCALES)] = "laptop"
    out: Annotated[str | None, Field("out", "name of the model (default: the recipe's)")] = None
    seed: Seed = 0
    changes: dict[str, Any] | None = None
    data: Root = None
    resume: Annotated[bool, Field("resume", "go on from the saved state, if there is one")] = False
    retry: Annotated[
        bool, Field("retry", "after a divergence: go on from the last good state with half the lr and draws of its own")
    ] = False
    precision: Annotated[
        str, Choice("precision", f"{' or '.join(PRECISIONS)}, of the passes through the net", table=PRECISIONS)
    ] = "fp32"
    download: Annotated[bool, Field("download", "fetch the images of a known data set where they are not here")] = True


@request
class RunRequest:
    """Train on the page.

    Attributes:
        recipe, scale: a row of RECIPES.
        steps: number of updates; None takes the row's.
        name: of the model.
        download: fetch the data set if it is not here.
        mode: begin anew, go on from the saved state, or go on from the last good one with half the learning rate.
    """

    recipe: Recipe
    scale: Annotated[str, Choice("scale", table=lambda: SCALES)] = "evidence"
    seed: Seed = 0
    name: Annotated[str, Field("name of the model")] = ""
    steps: Annotated[int | None, Number("steps", "updates (default: the recipe's)", "", 1, MAX_UPDATES, whole=True)] = None
    download: Annotated[bool, Field("download the images")] = False
    mode: Annotated[str, Choice("mode", table=lambda: MODES)] = "start"
