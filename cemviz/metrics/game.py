"""Measures of the 2D games: the payoff, D on the support, spurious maxima, and the distance of two samples."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.named import on_support, p_data
from ..data.toys import BOX

LOG4 = math.log(4)
SPURIOUS = 0.51
"""At the optimum D lies at 1/2 just outside the support too and flickers about it: a maximum counts from here."""


def utility(d_data: Tensor, d_moved: Tensor) -> Tensor:
    """Payoff of the game, from logits: -log 4 at the solution of either rule.

    U(D, p_T) = E_{p_data} log D(x) + E_{p_T} log(1 - D(x)),  D = sigmoid(d)

    Args:
        d_data: logits on p_data, (n, 1) or (n,).
        d_moved: logits on perturbed p0, (m, 1) or (m,).
    Returns:
        scalar in nats, below 0; (U + log 4) / 2 is the Jensen-Shannon divergence where D is optimal for p_T (Algorithm 2).
    Source: thesis (2.11), (2.12), (2.20).
    """
    return F.logsigmoid(d_data).mean() + F.logsigmoid(-d_moved).mean()


def energy_distance(x: Tensor, y: Tensor) -> float:
    """Squared energy distance of two samples: at least 0, and small but not 0 for two draws of one law.

    2 E|X - Y| - E|X - X'| - E|Y - Y'|, each mean over all pairs

    Args:
        x: (n, 2); y: (m, 2).
    Source: Szekely & Rizzo 2013, "Energy statistics".
    """
    return (2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean()).item()


def grid(side: int) -> Tensor:
    """The box as a grid of points, row by row from below: (side * side, 2)."""
    axis = torch.linspace(-BOX, BOX, side)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], 1)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a game stands.

    Attributes:
        U: payoff on the points in play, nats.
        D_support: mean of D over the grid points on the support of p_data.
        spurious: share of the box's area outside the support where D > .51; 0 where there is no outside.
        distance: energy distance between the perturbed points and fresh draws of p_data.
        gap: mean f on p_data less mean f on the perturbed points, the objective of (2.2).
        variation: total variation between exp(f) / Z and p_data on the grid, from 0 to 1: whether f is a density's log.
        scale_data, scale_moved: mean of 1 - D on p_data and of D on the perturbed points, the scales of (2.18), from 0 to 1.
    """

    U: float
    D_support: float
    spurious: float
    distance: float
    gap: float
    variation: float
    scale_data: float
    scale_moved: float


def standing(net: nn.Module, data: str, real: Tensor, moved: Tensor, fresh: Tensor, side: int = 121) -> Standing:
    """Judge a game.

    Args:
        net: (n, 2) -> (n, 1) logits.
        data: name of p_data, see `data.named`.
        real: the points of p_data in play, (m, 2).
        moved: perturbed points, (m, 2).
        fresh: draws of p_data for the distance, (n, 2).
        side: of the grid that measures areas.
    """
    points = grid(side)
    with torch.no_grad():
        f = net(points).squeeze(1)
        f_data, f_moved = net(real), net(moved)
    d, inside = f.sigmoid(), on_support(data, points)
    return Standing(
        U=utility(f_data, f_moved).item(),
        D_support=d[inside].mean().item(),
        spurious=((d > SPURIOUS) & ~inside).sum().item() / max((~inside).sum().item(), 1),
        distance=energy_distance(moved, fresh),
        gap=(f_data.mean() - f_moved.mean()).item(),
        variation=(f.softmax(0) - p_data(data).log_prob(points).softmax(0)).abs().sum().item() / 2,
        scale_data=(-f_data).sigmoid().mean().item(),
        scale_moved=f_moved.sigmoid().mean().item(),
    )
