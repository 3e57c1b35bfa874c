"""A multilayer perceptron for points of the plane."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import ACTIVATIONS


def mlp(
    inputs: int = 2, outputs: int = 1, width: int = 64, depth: int = 3, activation: str = "silu", gain: float = 1.0
) -> nn.Sequential:
    """Map points to scores, (B, inputs) -> (B, outputs).

    Args:
        depth: number of hidden layers, at least 1.
        activation: smooth by default, since the page draws the gradient field of its output.
        gain: factor of the initial weights; above 1 the fresh net has many local maxima, as a large one would.
    """
    if depth < 1:
        raise ValueError(f"depth is {depth}; give at least 1")
    widths = [inputs] + [width] * depth
    hidden = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), ACTIVATIONS[activation]())]
    net = nn.Sequential(*hidden, nn.Linear(width, outputs))
    with torch.no_grad():
        for weight in net.parameters():
            weight *= gain
    return net


def slope(net: nn.Sequential, x: Tensor) -> tuple[Tensor, Tensor]:
    """Scores of an `mlp` of one output, and their gradient by the points, by hand: half the time that a graph takes.

    With z_i = W_i a_(i-1) + b_i, a_i = silu(z_i):  grad f = ((w * silu'(z_n)) W_n * silu'(z_(n-1))) ... W_1

    Args:
        net: from `mlp`, with silu.
        x: points, (B, inputs).
    Returns:
        f, (B, 1); grad f, (B, inputs).
    Raises:
        ValueError: a net of another shape, whose gradient this is not.
    """
    *hidden, last = net
    linear, bends = hidden[::2], hidden[1::2]
    if not all(isinstance(layer, nn.SiLU) for layer in bends) or last.out_features != 1:
        raise ValueError(f"the net is {net}; give an mlp of one output whose activation is silu")
    with torch.no_grad():
        a, before = x, []
        for layer in linear:
            before.append(layer(a))
            a = F.silu(before[-1])
        grad = last.weight.expand(len(x), -1)
        for layer, z in zip(reversed(linear), reversed(before), strict=True):
            grad = torch.ops.aten.silu_backward(grad, z) @ layer.weight
        return last(a), grad
