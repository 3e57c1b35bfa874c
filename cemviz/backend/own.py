"""Add a data set of one's own: check the folder, copy it, fit its seeds, and enter it in the tables."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..data import images, own
from ..data.datasets import DATASETS, BadData
from ..training.own import recipes_of
from ..training.recipes import RECIPES
from . import assets
from .requests import AddRequest
from .studio import Studio
from .use_case import Step


def enter(root: Path | None) -> None:
    """Enter the sets that were added below the root, and their recipes, in DATASETS and RECIPES."""
    for name, added in own.sets(root):
        DATASETS.setdefault(name, added.row)
        for recipe, rows in recipes_of(name, added).items():
            RECIPES.setdefault(recipe, rows)


def add(studio: Studio, request: AddRequest) -> Iterator[Step | dict[str, Any]]:
    """Add a folder of images as a data set.

    Yields:
        steps, then {name, title, path, shape, classes, counts, mean, std, seeds, recipes, warnings}.
    Raises:
        BadData, DataMissing: what is amiss with the folder, by name.
    """
    yield Step(0, 3, "checking the images")
    root = images.root() or images.CACHE / "data"
    checked = own.check(request.name, Path(request.folder).expanduser(), root, request.size, request.title)
    recipes = recipes_of(request.name, checked.data)
    if clashes := [recipe for recipe in recipes if recipe in RECIPES]:
        raise BadData(f"name is {request.name!r}, and a recipe {clashes[0]!r} is there already; take another name")
    yield Step(1, 3, "copying")
    path = own.add(request.name, checked, root)
    yield Step(2, 3, "fitting the seeds")
    try:
        *_, seeds = assets.make(studio, request.name, root=str(root), only=("seeds",))
    except BaseException:
        shutil.rmtree(path)
        raise
    enter(root)
    row = checked.data.row
    yield {
        "name": request.name, "title": row.title, "path": str(path), "shape": row.shape, "classes": row.classes,
        "counts": checked.data.counts, "mean": row.mean, "std": row.std, "seeds": seeds["path"], "recipes": list(recipes),
        "warnings": list(checked.warnings),
    }  # fmt: skip
