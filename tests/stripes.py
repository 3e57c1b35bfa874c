"""Helpers for several tests: cards of small nets for the data set `stripes`, and a machine without it."""

from dataclasses import replace

import pytest
from conftest import CLASSES
from torch import nn

from cemviz.backend import store
from cemviz.backend.device import choose
from cemviz.backend.store import Card
from cemviz.backend.studio import Studio
from cemviz.nets import build


def card(name: str, *, data: str = "stripes", kind: str = "classifier", norm: str = "l2", radius: float = 1.0) -> Card:
    return Card(
        name=name, title=name.upper(), kind=kind, net="small-resnet",
        net_args={"width": 4, "mean": [0.4] * 3, "std": [0.3] * 3, "outputs": 3},
        data=data, shape=(3, 8, 8), classes=CLASSES, recipe="none", scale="evidence", recipe_args={}, norm=norm, radius=radius,
        seed=0, steps=0, seconds=0.0, device="cpu", command="none", created="today",
    )  # fmt: skip


def binary(name: str) -> tuple[nn.Module, Card]:
    """A binary net of the set, as it is stored: its weights and its card."""
    args = {"width": 4, "hidden": 8, "side": 8, "mean": [0.4] * 3, "std": [0.3] * 3, "outputs": 1}
    return build("small-cnn", seed=1, **args), replace(card(name, kind="binary"), net="small-cnn", net_args=args)


def elsewhere(patch: pytest.MonkeyPatch) -> Studio:
    """The same models and assets on a machine without the data set."""
    empty = store.folder().parent / "nothing"
    empty.mkdir()
    patch.setenv("CEMVIZ_DATA", str(empty))
    return Studio(choose("cpu"))
