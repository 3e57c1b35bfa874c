"""The energy on a plane through an image: JEAT's view of what adversarial training does."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..dynamics import slope
from ..energies import joint, marginal, odds, on


@dataclass(frozen=True, slots=True)
class Plane:
    """A square window around an image, spanned by two orthonormal directions.

    Attributes:
        centre, u, v: (C, H, W); u and v have length 1 and are orthogonal.
        axis: coordinates along either direction, ascending, with 0 in the middle, (n,).
    """

    centre: Tensor
    u: Tensor
    v: Tensor
    axis: Tensor

    def at(self, a: Tensor, b: Tensor) -> Tensor:
        """Points centre + a u + b v, not clamped: (n,), (n,) -> (n, C, H, W)."""
        return self.centre + a.view(-1, 1, 1, 1) * self.u + b.view(-1, 1, 1, 1) * self.v

    def shadow(self, x: Tensor) -> Tensor:
        """Coordinates of the nearest points of the plane: (n, C, H, W) -> a and b, (n, 2)."""
        return torch.stack([((x - self.centre) * e).sum((1, 2, 3)) for e in (self.u, self.v)], 1)


def directions(
    name: str, net: nn.Module, x: Tensor, y: Tensor, *, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Two orthonormal directions of image space.

    Args:
        name: random (both random, as JEAT Fig. 2 says), or adversarial (the cross-entropy's gradient, and a random one).
        net: classifier whose gradient is taken.
        x: image, (C, H, W); y: its label, scalar int64.
        generator: draws on its own device, so that one on the CPU gives the same plane on every machine.
    Returns:
        u, v, each (C, H, W); v is drawn first, so that it is the same for every net up to making it orthogonal to u.
    Raises:
        ValueError: unknown name, or a gradient of zero, which is no direction.
    Source: JEAT Fig. 2.
    """
    place = x.device if generator is None else generator.device
    v = torch.randn(x.shape, generator=generator, device=place).to(x)
    if name == "random":
        u = torch.randn(x.shape, generator=generator, device=place).to(x)
    elif name == "adversarial":
        _, grad = slope(on(net, odds, y.view(1)), x[None])
        u = grad[0]
        if not u.any():
            raise ValueError("the gradient at this image is zero, so there is no adversarial direction; choose random")
    else:
        raise ValueError(f"directions are {name!r}; choose random or adversarial")
    u = u / u.norm()
    v = v - (u * v).sum() * u
    return u, v / v.norm()


def window(radius: float, side: int) -> Tensor:
    """Coordinates of a window of half-width `radius`: an odd number `side` of them, so that the image lies on the grid."""
    if side < 3 or side % 2 == 0:
        raise ValueError(f"the grid's side is {side}; give an odd number of at least 3")
    half = side // 2
    return torch.arange(-half, half + 1) * (radius / half)  # holds 0 exactly, which linspace misses by a rounding


def around(net: nn.Module, x: Tensor, y: Tensor, name: str, radius: float, side: int, seed: int) -> Plane:
    """The plane through an image, as a function of nothing else but these arguments, on any device.

    Args:
        net, x, y, name: see `directions`.
        radius: half-width of the window, in units of the pixel range.
        side, seed: points along an edge, odd; source of the directions.
    """
    u, v = directions(name, net, x, y, generator=torch.Generator().manual_seed(seed))
    return Plane(x, u, v, window(radius, side).to(x))


def scan(net: nn.Module, plane: Plane, size: int = 512) -> Iterator[Tensor]:
    """The logits on the grid of a plane, `size` points at a time, row by row: what a page can stop between two steps.

    Yields:
        (at most size, C).
    """
    b, a = (m.flatten() for m in torch.meshgrid(plane.axis, plane.axis, indexing="ij"))
    for pa, pb in zip(a.split(size), b.split(size), strict=True):
        with torch.no_grad():  # closed again before the yield
            f = net(plane.at(pa, pb))
        yield f


def energies(net: nn.Module, plane: Plane, y: Tensor, size: int = 512) -> tuple[Tensor, Tensor]:
    """E(x, y) and E(x) on the grid of a plane.

    Args:
        net: classifier in eval mode.
        y: label, scalar int64.
    Returns:
        joint and marginal, each (n, n): row i is b = axis[i], column j is a = axis[j].
    Source: JEAT (12), Fig. 2.
    """
    return read(torch.cat(list(scan(net, plane, size))), y, len(plane.axis))


def read(f: Tensor, y: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """E(x, y) and E(x) of the logits of a whole grid: (side * side, C) -> twice (side, side)."""
    return joint(f, y.expand(len(f))).view(side, side), marginal(f).view(side, side)


@dataclass(frozen=True, slots=True)
class Shape:
    """How an energy looks around an image.

    Attributes:
        offset: distance from the image to the window's minimum, in units of the pixel range.
        depth: E(image) - min E, nats: how much lower it gets; 0 where the image is the minimum.
        range: max E - min E, nats: how flat the window is.
        a, b: where the minimum lies.
    """

    offset: float
    depth: float
    range: float
    a: float
    b: float


def shape(energy: Tensor, axis: Tensor) -> Shape:
    """Read minimum and flatness off a grid: (n, n), (n,)."""
    i, j = divmod(int(energy.argmin()), len(axis))
    a, b = axis[j].item(), axis[i].item()
    middle = energy[len(axis) // 2, len(axis) // 2]
    low = energy.min()
    return Shape((a * a + b * b) ** 0.5, (middle - low).item(), (energy.max() - low).item(), a, b)
