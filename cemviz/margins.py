"""Margins of the label over its rivals: functions of logits that an attack lowers, negative where the label has lost.

A ratio divides the margin by a spread of the largest logits, so that the net's scale has no say in it.
"""

import math

from torch import Tensor

TINY = 1e-12  # keeps a ratio finite where the largest logits are equal


def margin(f: Tensor, y: Tensor) -> Tensor:
    """Lead of the label over its strongest rival: below 0 the classifier is wrong.

    f[y] - max_{i != y} f[i]

    Args:
        f: logits, (B, C), C at least 2.
        y: label, (B,) int64.
    Returns:
        objective, (B,).
    Source: thesis (3.30), after Carlini & Wagner 2017.
    """
    return _of(f, y) - f.scatter(1, y[:, None], -math.inf).amax(1)


def lead(f: Tensor, y: Tensor, target: Tensor) -> Tensor:
    """Lead of the label over one other class: below 0 the classifier is wrong, whichever class wins.

    f[y] - f[t]

    Args:
        f: logits, (B, C).
        y, target: labels, (B,) int64.
    Returns:
        objective, (B,).
    Source: Croce & Hein 2020a, "Minimally distorted adversarial examples ...", section 3 (f_l - f_c).
    """
    return _of(f, y) - _of(f, target)


def margin_ratio(f: Tensor, y: Tensor) -> Tensor:
    """Difference-of-logits ratio: descending it makes the label lose, whatever the scale of the logits.

    (f[y] - max_{k != y} f[k]) / (f_(1) - f_(3)),  f_(j) the j-th largest logit

    Args:
        f: logits, (B, C), C >= 3.
        y: label, (B,) int64.
    Returns:
        objective, (B,); positive where the label wins.
    Raises:
        ValueError: fewer than three classes, where the ratio is undefined.
    Source: Croce & Hein 2020b, "Reliable evaluation of adversarial robustness ...", (6).
    """
    top = _largest(f, 3, "the margin ratio")
    return margin(f, y) / (top[:, 0] - top[:, 2] + TINY)


def lead_ratio(f: Tensor, y: Tensor, target: Tensor) -> Tensor:
    """Targeted difference-of-logits ratio: descending it makes one other class win, whatever the scale of the logits.

    (f[y] - f[t]) / (f_(1) - (f_(3) + f_(4)) / 2),  f_(j) the j-th largest logit

    Args:
        f: logits, (B, C), C >= 4.
        y, target: labels, (B,) int64.
    Returns:
        objective, (B,); positive where the label is ahead of the target.
    Raises:
        ValueError: fewer than four classes, where the ratio is undefined.
    Source: Croce & Hein 2020b, (7).
    """
    top = _largest(f, 4, "the targeted margin ratio")
    return lead(f, y, target) / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + TINY)


def _of(f: Tensor, y: Tensor) -> Tensor:
    return f.gather(1, y[:, None]).squeeze(1)


def _largest(f: Tensor, count: int, name: str) -> Tensor:
    """The largest logits in order, (B, count)."""
    if f.shape[1] < count:
        raise ValueError(f"{name} needs at least {count} classes, the net has {f.shape[1]}; use apgd instead")
    return f.topk(count, dim=1).values
