"""Where chains begin: class Gaussians, one Gaussian of all images, uniform noise, data; and random points of a ball.

CEM and Santurkar et al. start from a normal distribution per class, with the covariance of the images plus 1e-4 I.  `fit`
keeps the whole covariance (a Cholesky factor of d x d numbers a class) or its leading directions, which is what ships:

    x0 = clamp( mu_y + L_y u + s_y v ),   u, v ~ N(0, I),   L_y L_y^T + s_y^2 I ~ Sigma_y + 1e-4 I
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .draws import Each, Generator, rand, randint, randn
from .dynamics import Dynamics, box, length, per_sample

JITTER = 1e-4  # added to the covariance's diagonal, as in Santurkar et al.'s published notebook


@dataclass(frozen=True, slots=True)
class Gaussians:
    """One normal distribution per class and, in the last row, one of all images.

    Attributes:
        means: (C + 1, d).
        factors: L, (C + 1, d, r); r = d where the covariance is whole.
        floors: s, (C + 1,); 0 where the covariance is whole.
    """

    means: Tensor
    factors: Tensor
    floors: Tensor

    def draw(self, rows: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw one point per row, not yet clamped: (B,) int64 -> (B, d)."""
        where = {"generator": generator, "device": self.means.device, "dtype": self.means.dtype}
        u = randn((len(rows), self.factors.shape[2]), **where)
        v = randn((len(rows), self.means.shape[1]), **where)
        x = self.means[rows] + self.floors[rows, None] * v
        # one product a class, since gathering the factors would copy (B, d, r) numbers; one a row where chains are drawn apart,
        # since the last bit of a product depends on how many rows it has
        groups = torch.arange(len(rows)).split(1) if isinstance(generator, Each) else [rows == row for row in rows.unique()]
        for group in groups:
            x[group] += u[group] @ self.factors[rows[group][0]].T
        return x


def fit(images: Tensor, labels: Tensor, classes: int, rank: int | None = None) -> Gaussians:
    """Fit a Gaussian to each class and one to all.

    Args:
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64 in [0, classes).
        rank: number of leading directions to keep; None keeps the whole covariance plus 1e-4 I.
    Raises:
        ValueError: a class has fewer than two images, or a rank below 1.
    Source: CEM section 6 ("Sampling protocol"), after Santurkar et al. 2019.
    """
    if rank is not None and rank < 1:
        raise ValueError(f"rank is {rank}; give at least 1, or None for the whole covariance")
    flat = images.flatten(1)
    means, factors, floors = [], [], []
    for row in range(classes + 1):
        x = flat if row == classes else flat[labels == row]
        if len(x) < 2:
            raise ValueError(f"class {row} has {len(x)} images; a covariance needs at least 2")
        mean = x.mean(0)
        covariance = (x - mean).T @ (x - mean) / len(x)
        covariance.diagonal().add_(JITTER)
        if rank is None or rank >= len(mean):
            factor, floor = torch.linalg.cholesky(covariance), torch.zeros((), device=x.device)
        else:
            values, vectors = torch.linalg.eigh(covariance)  # ascending
            floor = values[:-rank].mean().sqrt()  # the directions left out, spread evenly
            factor = vectors[:, -rank:] * (values[-rank:] - floor**2).clamp(min=0).sqrt()
        means.append(mean), factors.append(factor), floors.append(floor)
    return Gaussians(torch.stack(means), torch.stack(factors), torch.stack(floors))


@dataclass(frozen=True, slots=True)
class Source:
    """Data that starts may draw from; what a machine lacks is None.

    Attributes:
        shape: (C, H, W).
        gaussians: the seeds of the data set.
        images: uint8 images, (N, C, H, W).
        picture: one image, (C, H, W) in [0, 1].
        p0: what a binary model was trained to move, see `mixtures`: (count, generator) -> (count, C, H, W).
    """

    shape: tuple[int, int, int]
    gaussians: Gaussians | None = None
    images: Tensor | None = None
    picture: Tensor | None = None
    p0: Callable[[int, Generator | None], Tensor] | None = None


Draw = Callable[[Source, Tensor, Generator | None], Tensor]


def class_gaussian(source: Source, y: Tensor, generator: Generator | None = None) -> Tensor:
    """A blurred hint of the asked class.  Source: CEM section 6."""
    return _shaped(source, source.gaussians.draw(y, generator))


def gaussian(source: Source, y: Tensor, generator: Generator | None = None) -> Tensor:
    """The Gaussian of all images: no hint of a class.  Source: CEM 5.3 ("a prior distribution, e.g., Gaussian")."""
    return _shaped(source, source.gaussians.draw(torch.full_like(y, len(source.gaussians.means) - 1), generator))


def uniform(source: Source, y: Tensor, generator: Generator | None = None) -> Tensor:
    """Uniform noise in the box.  Source: JEAT Algorithm 1."""
    return rand((len(y), *source.shape), generator=generator, device=y.device, dtype=torch.float32)


def data(source: Source, y: Tensor, generator: Generator | None = None) -> Tensor:
    """Images of the data set, of any class."""
    picks = randint(len(source.images), len(y), generator=generator, device=y.device)
    return source.images[picks].float() / 255


def picture(source: Source, y: Tensor, generator: Generator | None = None) -> Tensor:
    """The same picture for every chain: what each class makes of it."""
    return source.picture.expand(len(y), *source.shape).clone()


def p0(source: Source, y: Tensor, generator: Generator | None = None) -> Tensor:
    """Images of the kind that the model was trained to move towards its data.  Source: thesis Table 2.4."""
    return source.p0(len(y), generator)


@dataclass(frozen=True, slots=True)
class Start:
    """A row of `STARTS`; `needs` names the field of `Source` without which it cannot draw."""

    title: str
    draw: Draw
    needs: str | None
    about: str


STARTS: dict[str, Start] = {
    "class-gaussian": Start("Class Gaussian", class_gaussian, "gaussians", "a blurred hint of the asked class, as in CEM"),
    "gaussian": Start("Gaussian of all images", gaussian, "gaussians", "no hint of a class"),
    "uniform": Start("Uniform noise", uniform, None, "far from every image"),
    "data": Start("Test images", data, "images", "real images, of any class"),
    "p0": Start("The model's own p₀", p0, "p0", "what a binary model was trained to move towards its data"),
    "picture": Start("One picture", picture, "picture", "the same for all chains: an image, a sample, or a drawing"),
}


def draw(name: str, source: Source, y: Tensor, generator: Generator | None = None) -> Tensor:
    """Draw the starts of a run.

    Args:
        name: key of STARTS.
        source: what to draw from.
        y: asked classes, (B,) int64; starts that do not depend on them use their number only.
    Returns:
        x0, (B, C, H, W) in [0, 1].
    Raises:
        KeyError: unknown start.
        LookupError: what the start needs is not on this machine.
    """
    if name not in STARTS:
        raise KeyError(f"no start {name!r}; choose one of {', '.join(STARTS)}")
    start = STARTS[name]
    if start.needs and getattr(source, start.needs) is None:
        raise LookupError(f"start {name!r} needs its source's {start.needs}, which are not on this machine")
    return start.draw(source, y, generator)


def _shaped(source: Source, flat: Tensor) -> Tensor:
    return flat.view(-1, *source.shape).clamp(0, 1)


def near(x: Tensor, dyn: Dynamics, *, generator: Generator | None = None) -> Tensor:
    """A random start of an attack: uniform in its ball around x, of finite radius, then clamped to its box: (B, *D) -> (B, *D).

    Source: JEAT Algorithm 1 (linf); CEM A.1 ("random start").
    """
    if dyn.norm == "linf":
        delta = (2 * rand(x.shape, generator=generator, device=x.device, dtype=x.dtype) - 1) * dyn.radius
    else:
        delta = randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        # in d dimensions the volume within r grows as r^d, so a uniform point's radius is U^(1/d)
        share = rand((len(x),), generator=generator, device=x.device, dtype=x.dtype) ** (1 / math.prod(x.shape[1:]))
        delta = delta * per_sample(dyn.radius * share / length(delta), x)
    return box(x + delta, dyn.bounds)
