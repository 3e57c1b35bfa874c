"""Accuracy, clean and under attack, batch by batch, so that a page can draw progress and stop it."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..attacks import ATTACKS, perturb
from ..dynamics import Dynamics


def logits(net: nn.Module, x: Tensor, size: int = 500) -> Tensor:
    """Logits of many images without gradients, in chunks of `size`: (N, C, H, W) -> (N, classes)."""
    with torch.no_grad():
        return torch.cat([net(part) for part in x.split(size)])


def accuracy(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of images whose largest logit is their label's.

    Args:
        net: classifier in eval mode.
        x: images in [0, 1], (N, C, H, W).
        y: labels, (N,) int64.
    """
    return (logits(net, x).argmax(1) == y).float().mean().item()


def correct_under(
    name: str,
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    dyn: Dynamics,
    *,
    size: int = 250,
    restarts: int = 1,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    """Which images stay correct under an attack, clean and at every restart.

    Only images that are still correct are attacked: the rest would spend gradients on what is lost already.

    Args:
        name: key of ATTACKS, untargeted.
        net: classifier in eval mode.
        x, y: as in `accuracy`.
        dyn: from `attacks.threat`.
        size: images at a time.
        restarts: number of random starts, the worst counts.
    Yields:
        (n,) bool for each chunk in turn; the mean over all is the robust accuracy.
    Raises:
        ValueError: a targeted attack, whose success is not a loss of accuracy.
    """
    if ATTACKS[name].targeted:
        raise ValueError(f"attack {name!r} is targeted: robust accuracy wants an untargeted one")
    for part, labels in zip(x.split(size), y.split(size), strict=True):
        correct = logits(net, part).argmax(1) == labels
        for _ in range(restarts):
            left = correct.nonzero().squeeze(1)
            if not len(left):
                break
            found = perturb(name, net, part[left], labels[left], dyn, generator=generator)
            correct[left] = logits(net, found).argmax(1) == labels[left]
        yield correct
