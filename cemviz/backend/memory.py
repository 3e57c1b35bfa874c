"""Advice where a batch does not fit into memory: the values that ask for less and train alike."""

import math

import torch

from ..training.recipe import Recipe

FULL = ("out of memory", "can't allocate memory", "alloc_failed")
"""Words in the errors of an accelerator, of the CPU, of a library on the accelerator."""


class OutOfMemory(RuntimeError):
    """A batch does not fit."""


def full(error: RuntimeError) -> bool:
    """Whether it was memory that lacked."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error).lower() for words in FULL)


def smaller(row: Recipe, device: str, world: int = 1) -> str:
    """How to lower the batch, and what goes with it.

    The rate goes with the batch (sgd) or with its root (adamw), so that the noise of the updates stays alike.

    Args:
        row: of the run that did not fit.
        device: its title.
        world: processes that share the batch.
    Source: Goyal et al. 2017 (sgd); Malladi et al. 2022 (adamw).
    """
    batch = row.batch // 2 // world * world
    if not batch:
        return f"a batch of {row.batch} does not fit into the memory of {device}; take a smaller net, or another device"
    share = batch / row.batch
    lr = row.lr * (share if row.optimizer == "sgd" else math.sqrt(share))
    return (
        f"batch is {row.batch}, which does not fit into the memory of {device}; give a smaller one, with the rate and the "
        f"number of updates that go with it: --set batch={batch} --set lr={lr:.3g} --steps {math.ceil(row.steps / share)}"
    )
