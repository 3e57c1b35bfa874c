"""Checks of what a visitor asks to train: names that are free, numbers in range, images that are here."""

from typing import Any

from ...data import images
from ...data.datasets import DataMissing, dataset
from ...training.recipe import Recipe
from ...training.recipes import RECIPES, recipe
from .. import store
from ..checks import BadInput, choice
from ..requests import RunRequest, TrainRequest
from ..studio import Studio
from . import states
from .runs import unfinished


def proposed(key: str) -> str:
    """A free name for a model of this recipe: my-RECIPE, my-RECIPE-2, ..."""
    pending = unfinished()
    names = (f"my-{key}" + (f"-{i}" if i > 1 else "") for i in range(1, 10_000))
    return next(name for name in names if name not in pending and not _stored(name))


def row(request: RunRequest) -> Recipe:
    """The recipe's row with the asked number of updates.

    Raises:
        BadInput: a recipe without that scale.
    """
    choice("scale", request.scale, RECIPES[request.recipe])
    return recipe(request.recipe, request.scale, **_changes(request))


def missing(studio: Studio, data: str) -> str:
    """Advice where the images of a set are not on this machine, or ""; a known set may lack those of the test split."""
    row = dataset(data)
    needed = ("train",) if row.torchvision else ("train", "test")
    absent = [split for split in needed if not images.available(data, split, data=studio.data)]
    if not absent:
        return ""
    tick = f"Tick “download {row.title} ({row.megabytes} MB)”, or set" if row.torchvision else "Set"
    return (
        f"{row.title} is not on this machine. {tick} CEMVIZ_DATA to a folder that holds "
        f"{' and '.join(f'{data}/{split}/CLASS/*.png' for split in absent)}, and start the page again."
    )


def checked(studio: Studio, request: RunRequest) -> TrainRequest:
    """The request as the trainer takes it.

    Raises:
        BadInput: a value out of range, a name that is taken, a row that this device cannot train.
        DataMissing: the images are not here, and not to be downloaded.
    """
    chosen, name = row(request), (request.name or "").strip()
    if "/" in name:
        raise BadInput("name", f"name is {name!r}; leave the slash out")
    try:
        store.checked(name)
    except ValueError as error:
        raise BadInput("name", str(error)) from None
    if request.scale == "paper" and studio.device.torch.type == "cpu":
        raise BadInput(
            "scale",
            f"the paper's setting ({chosen.steps:,} updates of {chosen.net}) wants an accelerator, and this page computes on a "
            "CPU; choose evidence, laptop or shipped",
        )
    if request.mode == "start":
        if name in RECIPES or _stored(name):
            raise BadInput("name", f"{name!r} is the name of another model; take {proposed(request.recipe)!r}, for example")
        if states.path(name).is_file():
            raise BadInput("name", f"a run {name!r} is unfinished; resume it, discard it, or take another name")
    elif name not in unfinished():
        raise BadInput("name", f"there is no unfinished run {name!r} to go on with")
    if advice := "" if request.download else missing(studio, chosen.data):
        raise DataMissing(advice)
    return TrainRequest(
        request.recipe, request.scale, name, request.seed, _changes(request) or None, studio.data,
        resume=request.mode == "resume", retry=request.mode == "retry", download=request.download,
    )  # fmt: skip


def _stored(name: str) -> bool:
    """Whether a model of this name is there, be its card readable or not."""
    try:
        return bool(store.read_card(name))
    except KeyError:
        return False
    except store.BrokenCheckpoint:
        return True


def _changes(request: RunRequest) -> dict[str, Any]:
    usual = RECIPES[request.recipe][request.scale].steps
    return {} if request.steps in (None, usual) else {"steps": request.steps}
