"""Helpers for tests of detection: a net a class and its rivals for the data set `stripes`, fitted a little."""

from pathlib import Path

import pytest
import torch
from conftest import write_images
from torch import nn

from cemviz.backend import store
from cemviz.backend.attack import detection
from cemviz.data import images
from cemviz.data.datasets import DATASETS, Dataset
from cemviz.nets import build

SHAPE, CLASSES = (3, 8, 8), ("left", "middle", "right")
ARGS = {"mean": [0.5] * 3, "std": [0.3] * 3, "width": 4, "hidden": 8, "side": 8}


def fitted(net: nn.Module, x, y, binary: bool = False) -> nn.Module:
    """A net that knows the stripes a little."""
    optimizer = torch.optim.Adam(net.train().parameters(), lr=1e-2)
    target = nn.functional.one_hot(y, 3).float()
    for _ in range(60):
        f = net(x)
        loss = nn.functional.binary_cross_entropy_with_logits(f, target) if binary else nn.functional.cross_entropy(f, y)
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    return net.eval()


def stored(places: Path, patch: pytest.MonkeyPatch) -> None:
    """Another data set, a net a class, two classifiers that the set's pair is named by, a binary net, and their scores."""
    write_images(places / "data" / "other" / "test", 8, seed=5, side=12, grey=True)
    patch.setitem(DATASETS, "stripes", Dataset("Stripes", SHAPE, CLASSES))
    patch.setitem(DATASETS, "other", Dataset("Other stripes", (3, 12, 12), CLASSES))
    for name, value in {"COUNT": 12, "STEPS": 3, "RESTARTS": 1}.items():
        patch.setattr(detection, name, value)
    patch.setitem(detection.OUTSIDERS, "stripes", ("uniform", "other"))
    train = images.load("stripes", "train", data=str(places / "data"))

    def save(name: str, kind: str, net: str, args, p0: str = "", **more):
        made = build(net, seed=1, **args)
        if kind != "binary":
            fitted(made, train.floats(), train.labels, binary=kind == "one-vs-rest")
        card = store.Card(
            name=name, title=name, kind=kind, net=net, net_args=args, data="stripes", shape=SHAPE, classes=CLASSES, recipe="",
            scale="", recipe_args={"p0": p0} if p0 else {}, norm="l2", radius=1.0, seed=0, steps=0, seconds=0.0, device="",
            command="", created="2026-01-01", **more,
        )  # fmt: skip
        store.save(made, card)

    save("each", "one-vs-rest", "one-vs-rest", ARGS | {"outputs": 3, "trunk": "small-cnn"})
    save("stripes-standard", "classifier", "small-cnn", ARGS | {"outputs": 3})
    save("stripes-at", "classifier", "small-cnn", ARGS | {"outputs": 3, "hidden": 10})
    save("single", "binary", "small-cnn", ARGS | {"outputs": 1}, p0="2*uniform+other~1")
