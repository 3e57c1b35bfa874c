"""Answers of a classifier to many images: right, wrong, or not finite, which an argmax would take for a class."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..inputs import Scores, check_images, check_labels, check_mode, checked

RIGHT, WRONG, LOST = 1, 0, -1
"""Outcomes of an image: its label wins, another does, or the answer is not finite."""


def logits(net: Scores, x: Tensor, size: int = 500) -> Tensor:
    """Logits of many images without gradients, in chunks of `size`: (N, C, H, W) -> (N, classes)."""
    with torch.no_grad():
        return torch.cat([net(part) for part in x.split(size)])


def outcomes(f: Tensor, y: Tensor) -> Tensor:
    """Judgement of each answer: an argmax takes NaN for the largest logit, and what overflows for sure of itself.

    Args:
        f: logits, (B, C).
        y: labels, (B,) int64.
    Returns:
        (B,) int8: RIGHT, WRONG, or LOST where a logit is NaN or infinite.
    """
    return torch.where(f.isfinite().all(1), (f.argmax(1) == y).to(torch.int8), LOST)


def share(outcome: Tensor) -> float:
    """Share of the images that are right: what is not finite is wrong.  (B,) of `outcomes`, at least one."""
    return int((outcome == RIGHT).sum()) / len(outcome)


UNREADABLE = "no finite answer"
"""Word for the class where a net gives none."""


def read(f: Tensor, names: Sequence[str]) -> list[str]:
    """The likeliest class of each answer by name, (B, C) -> B words; one that is not finite has none."""
    return [names[int(row.argmax())] if row.isfinite().all() else UNREADABLE for row in f]


def lost(outcome: Tensor, kind: str = "images") -> list[str]:
    """A sentence about the answers that are not finite, in a list of warnings; empty where all are."""
    count = int((outcome == LOST).sum())
    if not count:
        return []
    return [f"the net's answers are not finite for {count} of {len(outcome)} {kind} (NaN or infinity), which count as wrong"]


def entered(net: Scores, x: Tensor, y: Tensor, bounds: tuple[float, float] | None = (0.0, 1.0)) -> Scores:
    """The net, its answers looked at, once net, images and labels are found to be what they should."""
    check_mode(net)
    check_images(x, bounds)
    check_labels(y, x)
    return checked(net, y)
