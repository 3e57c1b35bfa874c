"""Gradients written out: of each score on its own, summed over classes by hand."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from .cases import Case


def by_weights(value: Tensor, net: nn.Module) -> Tensor:
    """Gradient of a scalar with respect to all weights, as one vector; the graph is kept."""
    parts = torch.autograd.grad(value, list(net.parameters()), retain_graph=True)
    return torch.cat([part.flatten() for part in parts])


def by_input(score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Gradient of the sum of `score` with respect to its input."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(score(x).sum(), x)[0]


def label_and_total(case: Case) -> tuple[Tensor, Tensor]:
    """Input gradients of f_y and of log sum_k exp f_k, written out: two of (B, 1, 4, 4)."""
    rows = torch.arange(len(case.x))
    label = by_input(lambda x: case.net(x)[rows, case.y], case.x)
    return label, by_input(lambda x: case.net(x).exp().sum(1).log(), case.x)


def each_by_weights(values: Iterable[Tensor], net: nn.Module) -> Tensor:
    """Weight gradient of every scalar, each by a backward pass of its own: n of them -> (n, P)."""
    return torch.stack([by_weights(value, net) for value in values])


def one_by_one(scores: Iterable[Iterable[Tensor]], net: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight gradient of every score, and each row's weights exp(score) / sum_k exp(score): (B, K, P), (B, K).

    With logits for scores the weights are p(k | x).
    """
    gradients = torch.stack([each_by_weights(row, net) for row in scores])
    weights = torch.stack([torch.stack(list(row)) for row in scores]).detach().exp()
    return gradients, weights / weights.sum(1, keepdim=True)


def expected(gradients: Tensor, p: Tensor) -> Tensor:
    """Mean over samples of E_{y^ ~ p(y^ | x)}, a literal sum over classes: (B, C, P), (B, C) -> (P,)."""
    return sum(p[i, k] * gradients[i, k] for i in range(len(p)) for k in range(p.shape[1])) / len(p)


def at_label(gradients: Tensor, y: Tensor) -> Tensor:
    """Mean over samples of the label's gradient: (B, C, P), (B,) -> (P,)."""
    return torch.stack([gradients[i, label] for i, label in enumerate(y.tolist())]).mean(0)
