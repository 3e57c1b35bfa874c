"""A multilayer perceptron for points of the plane."""

from itertools import pairwise

import torch
from torch import nn

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
