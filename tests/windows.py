"""Helpers for the tests of landscapes: nets of the data set `stripes`, its assets, and small windows."""

from dataclasses import replace

import pytest
from conftest import draw_weights
from stripes import card

from cemviz.backend import store
from cemviz.backend.assets import make as make_assets
from cemviz.backend.device import choose
from cemviz.backend.look.landscape import Panel, landscape
from cemviz.backend.requests import LandscapeRequest
from cemviz.backend.stored import assets
from cemviz.backend.studio import Studio
from cemviz.data.datasets import DATASETS, dataset
from cemviz.nets import build

SMALL = {"radius": 2.0, "side": 7}
MADE = ("seeds", "grids", "gallery")  # accuracy under attack has tests of its own


def save(name: str, seed: int, **kwargs) -> None:
    made = card(name, **kwargs)
    store.save(build(made.net, seed=seed, **made.net_args), made)


def equipped(patch: pytest.MonkeyPatch) -> Studio:
    """Two classifiers and their assets: small windows, two samples a class; `told` is what making them told."""
    patch.setattr("cemviz.backend.assets.SIDE", SMALL["side"])
    patch.setattr(assets, "SIDE", SMALL["side"])
    patch.setitem(DATASETS, "stripes", replace(dataset("stripes"), radius=SMALL["radius"]))
    patch.setattr("cemviz.backend.assets.PER_CLASS", 2)
    save("stripes-standard", 1)
    save("stripes-at", 2)
    made = Studio(choose("cpu"))
    made.told = list(make_assets(made, "stripes", only=MADE))
    return made


def with_encoders(studio: Studio) -> Studio:
    """The same machine with two encoders."""
    for seed, name in enumerate(("stripes-simclr", "stripes-uat")):
        args = {"width": 4, "depth": 1, "norm": "none", "projection": [4], "mean": [0.4] * 3, "std": [0.3] * 3}
        made = replace(card(name, kind="encoder"), net="encoder", net_args=args)
        store.save(draw_weights(build("encoder", **args), seed, 2.0), made)
    return studio


def ask(image: str = "grid:1", *models: str, **kwargs) -> LandscapeRequest:
    return LandscapeRequest(models or ("stripes-standard", "stripes-at"), image, **{**SMALL, **kwargs})


def panels(studio: Studio, request: LandscapeRequest) -> list[Panel]:
    return [item for item in landscape(studio, request) if isinstance(item, Panel)]
