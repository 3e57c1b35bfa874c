"""Recipes of data sets of one's own: standard and adversarial training with the nets and numbers of MNIST or CIFAR-10."""

from dataclasses import replace

from ..data.own import Own
from .recipe import Recipe, scales
from .recipes import CIFAR_AT, CIFAR_STANDARD, MNIST_AT, MNIST_STANDARD


def recipes_of(name: str, added: Own) -> dict[str, dict[str, Recipe]]:
    """The rows NAME-standard and NAME-at: those of MNIST for grey images, those of CIFAR-10 for colour (our choice)."""
    plain, robust = (MNIST_STANDARD, MNIST_AT) if added.row.shape[0] == 1 else (CIFAR_STANDARD, CIFAR_AT)
    words = {"standard": "standard", "at": f"adversarial (L2 radius {robust.radius:g})"}
    rows = {}
    for key, row in (("standard", plain), ("at", robust)):
        title, batch = f"{added.row.title}, {words[key]}", min(row.batch, added.counts["train"])
        row = replace(row, title=title, data=name, batch=batch, source=f"{row.source}; as on {row.data}: our choice")
        rows[f"{name}-{key}"] = scales(row, evidence=468, shipped=2 * row.steps)
    return rows
