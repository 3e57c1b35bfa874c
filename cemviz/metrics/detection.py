"""Measures of a score that tells one set of inputs from another."""

import torch
from torch import Tensor


def auc(inside: Tensor, outside: Tensor) -> float:
    """Area under the ROC curve: the chance that a score of the inside exceeds one of the outside, ties counted as half.

    Args:
        inside: scores of the set that should score high, (n,) or (n, 1).
        outside: scores of the other, (m,) or (m, 1).
    Returns:
        share of the n m pairs, from 0 to 1; .5 where the score tells nothing.
    Raises:
        ValueError: an empty set, or scores that are not finite.
    Source: Mann & Whitney 1947; thesis 3.2.3 for its use.
    """
    a, b = inside.detach().flatten(), outside.detach().flatten()
    if not (len(a) and len(b)):
        raise ValueError(f"there are {len(a)} scores inside and {len(b)} outside; give at least one of each")
    if not (a.isfinite().all() and b.isfinite().all()):
        raise ValueError("a score is not finite; look at the net and at its inputs")
    order = b.sort().values
    below = torch.searchsorted(order, a)
    ties = torch.searchsorted(order, a, right=True) - below
    return (below + ties / 2).double().mean().item() / len(b)
