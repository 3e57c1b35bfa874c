"""Measures of a score that tells one set of inputs from another, and of detectors behind a classifier."""

import math
from typing import NamedTuple

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
    Source: Mann & Whitney 1947; thesis 3.2.2 for its use.
    """
    a, b = _scores(inside, outside)
    order = b.sort().values
    below = torch.searchsorted(order, a)
    ties = torch.searchsorted(order, a, right=True) - below
    return (below + ties / 2).double().mean().item() / len(b)


def auc_error(inside: Tensor, outside: Tensor) -> float:
    """Standard error of `auc` over the inputs of both sets.

    sqrt( var_i(P(inside_i > outside)) / n + var_j(P(inside > outside_j)) / m )

    Where one set lies wholly above the other, nothing scatters, and still all rests on n and m inputs: then it is the error of
    a share of 1 among the fewer of them.

    Source: DeLong et al. 1988; Laplace's rule of succession for the second.  Args and errors: as of `auc`.
    """
    a, b = _scores(inside, outside)
    error = _error(_places(a, b), _places(b, a))
    if error > 0:
        return error
    fewer = min(len(a), len(b)) + 2
    return math.sqrt((fewer - 1) / fewer**3)


def auc_drop(inside: Tensor, outside: Tensor, attacked: Tensor) -> tuple[float, float]:
    """By how much an attack on the same outside inputs lowers `auc`, and the standard error of that, which is paired.

    Args:
        attacked: scores of `outside` under the other attack, in its order.
    Raises:
        ValueError: other numbers of inputs, or as `auc`.
    Source: DeLong et al. 1988, for two curves of the same inputs.
    """
    a, b = _scores(inside, outside)
    _, c = _scores(inside, attacked)
    if len(b) != len(c):
        raise ValueError(f"{len(b)} outside inputs, {len(c)} under attack; give the same inputs in both")
    drop = auc(inside, outside) - auc(inside, attacked)
    return drop, _error(_places(a, b) - _places(a, c), _places(b, a) - _places(c, a))


def _places(scores: Tensor, other: Tensor) -> Tensor:
    """Share of the other set that lies below each input of one, ties half."""
    order = other.sort().values
    below = torch.searchsorted(order, scores)
    return (below + torch.searchsorted(order, scores, right=True)).double() / 2 / len(other)


def _error(*parts: Tensor) -> float:
    """Standard error of a mean over two sets of inputs, from each input's part in it."""
    return math.sqrt(sum(values.var(correction=min(1, len(values) - 1)).item() / len(values) for values in parts))


def threshold_at(rate: float, inside: Tensor) -> float:
    """The highest threshold that lets at least this share of the inside pass, score >= T.

    Raises:
        ValueError: a rate outside (0, 1], or no score.
    """
    if not 0 < rate <= 1 or not inside.numel():
        raise ValueError(f"rate is {rate}, of {inside.numel()} scores; give a share above 0 and at most 1, of at least 1 score")
    ordered = inside.flatten().sort(descending=True).values
    return ordered[math.ceil(rate * len(ordered) - 1e-9) - 1].item()


def passing(scores: Tensor, threshold: float) -> float:
    """Share of inputs that pass, score >= T: TPR of the inside, FPR of the outside."""
    return (scores >= threshold).double().mean().item()


def fpr_at(rate: float, inside: Tensor, outside: Tensor) -> float:
    """False positive rate where this share of the inside passes: lower is better.  Args: as of `threshold_at` and `auc`."""
    return passing(outside, threshold_at(rate, inside))


def average_precision(inside: Tensor, outside: Tensor) -> float:
    """Area under the curve of precision over recall, by steps, the inside being what is looked for.

    sum_T (recall_T - recall_{T-1}) precision_T   over falling thresholds T

    Args and errors: as of `auc`; its value without any skill is n / (n + m).
    """
    a, b = _scores(inside, outside)
    thresholds = a.unique().flip(0)
    hits = (len(a) - torch.searchsorted(a.sort().values, thresholds)).double()
    false = (len(b) - torch.searchsorted(b.sort().values, thresholds)).double()
    recall = hits / len(a)
    return (recall.diff(prepend=recall.new_zeros(1)) * hits / (hits + false)).sum().item()


class Decided(NamedTuple):
    """Answers of a classifier and the scores of the detectors of those answers.

    Attributes:
        answer: class that each image is taken for, (B,).
        score: logit of that class's detector, (B,): the image passes where it reaches a threshold.
    """

    answer: Tensor
    score: Tensor


def integrated(f: Tensor, h: Tensor) -> Decided:
    """Integrated detection: the classifier answers, the detector of its answer decides.

    Args:
        f, h: logits of the classifier and of the detectors, (B, C).
    Source: thesis 3.2.1, (3.28).
    """
    answer = f.argmax(1)
    return Decided(answer, h.gather(1, answer[:, None]).squeeze(1))


def generative(h: Tensor) -> Decided:
    """Generative detection: the detectors answer themselves, by the largest logit.

    Args:
        h: logits of the detectors, (B, C).
    Source: thesis (3.27).
    """
    score, answer = h.max(1)
    return Decided(answer, score)


def deceiving(decided: Decided, y: Tensor) -> Tensor:
    """Scores of attacked images as false positives count them: -inf where the answer is still right, (B,).

    Source: thesis (3.29): only what causes misclassification counts.
    """
    return decided.score.masked_fill(decided.answer == y, -math.inf)


def _scores(inside: Tensor, outside: Tensor) -> tuple[Tensor, Tensor]:
    a, b = inside.detach().flatten(), outside.detach().flatten()
    if not (len(a) and len(b)):
        raise ValueError(f"there are {len(a)} scores inside and {len(b)} outside; give at least one of each")
    if not (a.isfinite().all() and b.isfinite().all()):
        raise ValueError("a score is not finite; look at the net and at its inputs")
    return a, b
