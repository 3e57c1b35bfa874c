"""Helpers for the tests of robustness: nets that learned the data set `stripes`, within two threat models."""

from functools import cache
from pathlib import Path

import pytest
import torch
from stripes import card

from cemviz.backend import store
from cemviz.backend.assets import make as make_assets
from cemviz.backend.attack import rates as rb
from cemviz.backend.device import choose
from cemviz.backend.studio import Studio
from cemviz.nets import build

GALLERY: dict[str, bytes] = {}
"""The files of seeds and gallery, made once: they are the same for every test."""

RATES: list[bytes] = []
"""The file of rates, likewise."""


def save(name: str, seed: int, radius: float = 0.5, **kwargs) -> None:
    made = card(name, radius=radius, **kwargs)
    net = build(made.net, seed=seed, **made.net_args)
    if made.data == "stripes":
        net.load_state_dict(learned(seed))
    store.save(net, made)


@cache
def learned(seed: int) -> dict[str, torch.Tensor]:
    """Weights that are right on most stripes, so that attacks have something to break."""
    net = build("small-resnet", seed=seed, **card("any").net_args)
    test = Studio(choose("cpu")).test_images("stripes")
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    net.train()
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(test.floats()), test.labels).backward()
        optimizer.step()
    return net.state_dict()


def equipped(patch: pytest.MonkeyPatch) -> Studio:
    """Two classifiers of the data set `stripes` within two threat models, and a gallery."""
    patch.setattr("cemviz.backend.assets.PER_CLASS", 2)
    patch.setattr(rb, "SHIPPED", 24)
    patch.setattr(rb, "SIZE", 10)
    save("stripes-standard", 1)
    save("stripes-at", 2, norm="linf", radius=0.05)
    made = Studio(choose("cpu"))
    if GALLERY:
        for path, content in GALLERY.items():
            store.folder().joinpath(path).parent.mkdir(parents=True, exist_ok=True)
            store.folder().joinpath(path).write_bytes(content)
    else:
        list(make_assets(made, "stripes", only=("seeds", "gallery")))
        files = [path for kind in ("seeds", "gallery") for path in (store.folder() / kind).iterdir()]
        GALLERY.update({str(path.relative_to(store.folder())): path.read_bytes() for path in files})
    return made


def measured_before(studio: Studio) -> Path:
    """The file of rates as measuring leaves it: measured once, it is the same for every test."""
    path = store.folder() / "robustness" / "stripes.json"
    if not RATES:
        measured(studio)
        RATES.append(path.read_bytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(RATES[0])
    return path


def measured(studio: Studio) -> list[dict]:
    """Measure what ships; what measuring told."""
    return list(make_assets(studio, "stripes", only=("robustness",)))
