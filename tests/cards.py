"""Helpers for the tests of stored models: a small net and its card."""

import torch
from conftest import rand

from cemviz.backend.store import Card
from cemviz.nets import build

ARGS = {"mean": [0.5], "std": [0.25], "outputs": 3, "width": 8}


def card(name: str = "toy", **changes) -> Card:
    row = {
        "name": name, "title": "Toy", "kind": "classifier", "net": "small-resnet", "net_args": ARGS, "data": "stripes",
        "shape": (1, 8, 8), "classes": ("a", "b", "ü"), "recipe": "mnist-at", "scale": "laptop", "recipe_args": {"lr": 0.1},
        "norm": "l2", "radius": 0.5, "seed": 3, "steps": 7, "seconds": 1.5, "device": "CPU",
        "command": "python -m cemviz train",
        "created": "2024-01-01", "metrics": {"accuracy": {"value": 0.5}}, "notes": "",
    }  # fmt: skip
    return Card(**row | changes)


def net(seed: int = 0) -> torch.nn.Module:
    made = build("small-resnet", seed=seed, **ARGS)
    made(rand(8, 1, 8, 8, dtype=torch.float32))  # BatchNorm's statistics leave their initial values
    return made
