"""Images, labels, a loss and a rugged energy for the tests of attacks."""

import torch
from conftest import rand
from torch.nn import functional as F

NORMS = ["l2", "linf"]
N = 24
X, Y = rand(N, 1, 4, 4, seed=1), torch.arange(N) % 4


def loss(net, x, y=Y):
    return F.cross_entropy(net(x), y, reduction="none").detach()


def rugged(x):
    """A bowl with ripples: steps must halve, at times of their own, to get to a minimum."""
    flat = x.flatten(1)
    return (flat - 0.6).square().sum(1) + (2 * flat * (1 + torch.arange(flat.shape[1]) % 5)).cos().sum(1) * 0.2
