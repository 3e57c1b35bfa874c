"""Scores that say how much an input is of the data, as functions of a net's scores: what tells in- from out-of-distribution.

High means inside.  Each is written so that its gradient does not fade where the net is sure, since attacks climb it; the order
of inputs, and so every AUC, is that of the usual form.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..energies import Scored, binary, marginal, negated


def confidence(f: Tensor) -> Tensor:
    """Log-odds of the likeliest class, which order inputs as the largest softmax probability does.

    max_k f[k] - log sum_{i != k} exp f[i] = log( p / (1 - p) ),   p = max_k p(k | x)

    Args:
        f: logits, (B, C), C at least 2.
    Returns:
        score, (B,).
    Source: Hendrycks & Gimpel 2017, for p.
    """
    top = f.max(1)
    return top.values - f.scatter(1, top.indices[:, None], -torch.inf).logsumexp(1)


def likeliest(f: Tensor) -> Tensor:
    """The largest logit, which for a net a class is minus the lowest of its energies: (B, C) -> (B,).

    Source: thesis (3.27), 3.2.1 ("reject low probability inputs").
    """
    return f.amax(1)


@dataclass(frozen=True, slots=True)
class Score:
    """A row of `SCORES`: what raises it, (scores of a net) -> (B,), and for which kinds of nets it is the usual one."""

    title: str
    function: Scored
    source: str


SCORES: dict[str, Score] = {
    "softmax": Score("max p(y | x)", confidence, "Hendrycks & Gimpel 2017"),
    "energy": Score("−E(x)", negated(marginal), "Liu et al. 2020; JEM 5.3"),
    "logit": Score("max d_k(x)", likeliest, "thesis (3.27)"),
    "binary": Score("d(x)", negated(binary), "thesis (3.36)"),
}
"""Key -> score; `binary` reads nets of one output, the others classifiers."""
