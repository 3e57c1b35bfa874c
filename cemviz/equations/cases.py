"""The small random nets and data that the checks compute on, each a function of a seed."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .. import attacks
from ..nets import NETS

THREAT = attacks.threat("pgd", "l2", 0.8, steps=5)
"""The training attack of these checks."""


class Case(NamedTuple):
    """A classifier (1, 4, 4) -> 4 with data, or whatever scores of the same images a check asks for."""

    net: nn.Module
    x: Tensor  # (5, 1, 4, 4) in [0, 1]
    y: Tensor  # (5,)
    generator: torch.Generator


def fresh(g: torch.Generator, gain: float = 1.5, **args: int | str) -> nn.Module:
    """An MLP in float64, curved enough that no two terms are alike."""
    with torch.device("meta"):  # no weights yet, so that nothing is drawn from the global generator
        net = NETS["mlp"](width=12, depth=2, **args)
    net = net.to_empty(device="cpu").double().eval()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(gain * torch.randn(p.shape, generator=g, dtype=p.dtype) / math.sqrt(p.shape[-1]))
    return net


def draw_case(seed: int, outputs: int = 4, gain: float = 1.5, activation: str = "silu") -> Case:
    """A fresh net and data: all float64, all from `seed`."""
    g = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Flatten(), fresh(g, gain, inputs=16, outputs=outputs, activation=activation)).eval()
    x = torch.rand(5, 1, 4, 4, generator=g, dtype=torch.float64)
    return Case(net, x, torch.randint(outputs, (5,), generator=g), g)


def space(case: Case) -> Tensor:
    """The data and 7 more points: 12 that are the whole space, so that a partition function is a sum."""
    return torch.cat([case.x, torch.rand(7, 1, 4, 4, generator=case.generator, dtype=torch.float64)])


class Plane(NamedTuple):
    """A binary classifier of the plane, points of p_data and points of p_T."""

    net: nn.Module
    data: Tensor  # (6, 2)
    moved: Tensor  # (6, 2)


def drawn_plane(seed: int) -> Plane:
    """A fresh binary classifier (n, 2) -> (n, 1) and points: all float64, all from `seed`."""
    g = torch.Generator().manual_seed(seed)
    net = fresh(g, 1.2, inputs=2, outputs=1)
    data, moved = 2 * torch.randn(2, 6, 2, generator=g, dtype=torch.float64)
    return Plane(net, data, moved)
