"""2D densities with exact log p: what the games of thesis chapter 2 are played on, and what a sampler's output can be checked
against.

Curves (moons, rings, spiral) are equal mixtures of narrow Gaussians along the curve, and the pinwheel is a mixture that a
swirl, which keeps areas, carries along: so that sampling and log p agree exactly, which a curve with noise added does not
offer.  All live in the box [-3, 3]^2; scales are our choice, since the thesis gives none.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

BOX = 3.0
"""Half the side of the square that the page shows and the uniform p0 fills."""


@dataclass(frozen=True, slots=True)
class Toy:
    """A density on the plane.

    Attributes:
        sample: (n, generator) -> (n, 2).
        log_prob: (n, 2) -> (n,), in nats; -inf outside the support of a bounded density.
        centre: of its parts, (x, y).
        reach: half the side of the square about `centre` that holds it, Gaussians as far as two standard deviations.
    """

    title: str
    sample: Callable[[int, torch.Generator | None], Tensor]
    log_prob: Callable[[Tensor], Tensor]
    centre: tuple[float, float] = (0.0, 0.0)
    reach: float = BOX


def mixture(title: str, centres: Tensor, std: float) -> Toy:
    """An equal mixture of isotropic Gaussians at `centres`, (m, 2)."""
    m, (middle, reach) = len(centres), _extent(centres)

    def sample(n: int, generator: torch.Generator | None = None) -> Tensor:
        chosen = torch.randint(m, (n,), generator=generator)
        return centres[chosen] + std * torch.randn(n, 2, generator=generator)

    def log_prob(x: Tensor) -> Tensor:
        squares = torch.cdist(x, centres.to(x)) ** 2
        return (-squares / (2 * std**2)).logsumexp(1) - math.log(m * 2 * math.pi * std**2)

    return Toy(title, sample, log_prob, middle, reach + 2 * std)


def rectangles(title: str, corners: Tensor, side: float) -> Toy:
    """Uniform on equal squares with these lower left corners, (m, 2)."""
    m, (middle, reach) = len(corners), _extent(corners + side / 2)

    def sample(n: int, generator: torch.Generator | None = None) -> Tensor:
        chosen = torch.randint(m, (n,), generator=generator)
        return corners[chosen] + side * torch.rand(n, 2, generator=generator)

    def log_prob(x: Tensor) -> Tensor:
        offset = x[:, None] - corners.to(x)
        inside = ((offset >= 0) & (offset <= side)).all(2).any(1)
        return torch.where(inside, -math.log(m * side**2), -math.inf)

    return Toy(title, sample, log_prob, middle, reach + side / 2)


def pinwheel(arms: int = 5, radial: float = 0.45, tangential: float = 0.08, swirl: float = 0.8) -> Toy:
    """Elongated Gaussians on spokes, each point turned by `swirl` radians per unit of its radius.

    Turning by an angle that depends on the radius alone keeps areas, so that p(x) is the spokes' density at the point turned
    back.
    """
    angles = 2 * math.pi * torch.arange(arms) / arms
    spread = torch.tensor([radial, tangential])
    centre = torch.tensor([1.3, 0.0])

    def sample(n: int, generator: torch.Generator | None = None) -> Tensor:
        chosen = torch.randint(arms, (n,), generator=generator)
        along = centre + spread * torch.randn(n, 2, generator=generator)
        spokes = _turn(along, angles[chosen])
        return _turn(spokes, swirl * spokes.norm(dim=1))

    def log_prob(x: Tensor) -> Tensor:
        spokes = _turn(x, -swirl * x.norm(dim=1))
        parts = []
        for angle in angles:
            along = (_turn(spokes, -angle.expand(len(x)).to(x)) - centre.to(x)) / spread.to(x)
            parts.append(-(along**2).sum(1) / 2)
        return torch.stack(parts).logsumexp(0) - math.log(arms * 2 * math.pi * radial * tangential)

    return Toy("Pinwheel", sample, log_prob)


def _extent(parts: Tensor) -> tuple[tuple[float, float], float]:
    """Middle of some points, (m, 2), and how far the farthest lies from it along an axis."""
    x, y = parts.double().mean(0).tolist()
    centre = (round(x, 6) + 0.0, round(y, 6) + 0.0)  # no -0
    return centre, (parts - torch.tensor(centre)).abs().max().item()


def _turn(x: Tensor, angle: Tensor) -> Tensor:
    c, s = angle.cos(), angle.sin()
    return torch.stack([c * x[:, 0] - s * x[:, 1], s * x[:, 0] + c * x[:, 1]], 1)


def _circle(n: int, radius: float, turns: float = 1.0) -> Tensor:
    t = 2 * math.pi * turns * torch.arange(n) / n
    return radius * torch.stack([t.cos(), t.sin()], 1)


def _moons(n: int = 40) -> Tensor:
    half = _circle(n, 1.4, turns=0.5)
    return torch.cat([half + torch.tensor([-0.7, -0.3]), -half + torch.tensor([0.7, 0.3])])


def _spiral(n: int = 90) -> Tensor:
    t = torch.linspace(0, 1, n).sqrt() * 3 * math.pi  # the root spaces the centres evenly along the curve
    return (0.3 + 2.0 * t / (3 * math.pi))[:, None] * torch.stack([t.cos(), t.sin()], 1)


def _checkers() -> Tensor:
    return torch.tensor([[i - 2.0, j - 2.0] for i in range(4) for j in range(4) if (i + j) % 2 == 0])


TOYS: dict[str, Toy] = {
    "gaussian": mixture("Gaussian", torch.zeros(1, 2), 0.4),
    "mixture": mixture("Mixture of 5 Gaussians", _circle(5, 1.6), 0.25),
    "moons": mixture("Two moons", _moons(), 0.12),
    "rings": mixture("Two rings", torch.cat([_circle(40, 0.8), _circle(80, 1.8)]), 0.12),
    "pinwheel": pinwheel(),
    "checkerboard": rectangles("Checkerboard", _checkers(), 1.0),
    "spiral": mixture("Spiral", _spiral(), 0.12),
}
"""Choices of p_data; `named` knows painted ones too."""

P0S: dict[str, Toy] = {
    "uniform": rectangles("Uniform in the box", torch.tensor([[-BOX, -BOX]]), 2 * BOX),
    "corner": mixture("Lower left corner", torch.tensor([[-2.3, -2.3]]), 0.25),
    "ring": mixture("Ring around the data", _circle(80, 2.5), 0.12),
    "mixture": mixture("Four corners", torch.tensor([[-2.2, -2.2], [2.2, -2.2], [-2.2, 2.2], [2.2, 2.2]]), 0.3),
}
"""Choices of p0, where perturbed points start; `named` knows the same at other places too."""
