"""One projected, noisy gradient step, and the two ways to repeat it.

    x_{k+1} = P[ x_k - alpha * direction(grad E(x_k)) + eta * eps_k ],   eps_k ~ N(0, I)

`P` projects on the ball |x - x0| <= beta around x0, then clamps to the box, then applies whatever the caller adds (`pin`).
Attacks, samplers, binary ascent and restoration differ in the energy and in the numbers of `Dynamics`, never in this file.

The papers write CEM's protocol (section 6) with the raw symbols and leave three things open.  Our reading, labelled as such on
screen: the gradient is L2-normalised per sample, the noise is added before the projection, and the last iterate is returned.

| paper        | here     | unit                                   |
|--------------|----------|----------------------------------------|
| K, N         | steps    | updates                                |
| alpha, eta/2, lambda | step | length, in units of the pixel range [0, 1] |
| eta, sqrt(2 alpha) | noise | standard deviation per coordinate    |
| beta, eps    | radius   | length in `norm`                       |
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from .draws import Generator, randn
from .energies import Energy

Norm = Literal["l2", "linf"]
Project = Callable[[Tensor], Tensor]


class State(NamedTuple):
    """A chain at step k; energy and gradient are those at x."""

    k: int
    x: Tensor  # (B, *D)
    energy: Tensor  # (B,)
    grad: Tensor  # (B, *D)


class Diverged(FloatingPointError):
    """A chain or a training met NaN or infinity; the message says where and what to try."""


@dataclass(frozen=True, slots=True)
class Dynamics:
    """The numbers of a chain.

    Attributes:
        steps: K, number of updates, at least 0.
        step: alpha, length of a step (times the gradient where it is raw), at least 0.
        noise: eta, standard deviation of the noise per coordinate, at least 0.
        radius: beta (eps of an attack), the ball around x0, at least 0; inf is no ball.
        norm: of the ball.
        gradient: raw, unit (L2-normalised per sample) or sign.
        bounds: the box to clamp to, or None.
    """

    steps: int = 20
    step: float = 1.0
    noise: float = 0.0
    radius: float = math.inf
    norm: Norm = "l2"
    gradient: Literal["raw", "unit", "sign"] = "unit"
    bounds: tuple[float, float] | None = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not (isinstance(self.steps, int) and self.steps >= 0):
            raise ValueError(f"K (steps) is {self.steps!r}; give a whole number of at least 0")
        for symbol, name in (("α", "step"), ("η", "noise"), ("β", "radius")):
            value = getattr(self, name)
            if not value >= 0 or (math.isinf(value) and name != "radius"):  # `not >=` also refuses NaN
                raise ValueError(f"{symbol} ({name}) is {value}; give a {'' if name == 'radius' else 'finite '}number >= 0")
        if self.norm not in ("l2", "linf"):
            raise ValueError(f"norm is {self.norm!r}; choose l2 or linf")
        if self.gradient not in ("raw", "unit", "sign"):
            raise ValueError(f"gradient is {self.gradient!r}; choose raw, unit or sign")
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise ValueError(f"bounds are {self.bounds}; the first must be below the second")

    @classmethod
    def langevin(cls, steps: int, step: float, *, bounds: tuple[float, float] | None = None) -> "Dynamics":
        """Unadjusted Langevin dynamics: the raw gradient, noise sqrt(2 alpha), no ball.

        Its stationary law is p ~ exp(-E) up to a bias that vanishes with the step.  JEAT writes the same chain with eta = 2
        alpha. Source: CEM (9); JEAT (9), (10).
        """
        return cls(steps, step, noise=math.sqrt(max(2 * step, 0.0)), gradient="raw", bounds=bounds)


def per_sample(values: Tensor, like: Tensor) -> Tensor:
    """Reshape (B,) to (B, 1, ..., 1), so that it broadcasts over the samples of `like`."""
    return values.view(-1, *[1] * (like.dim() - 1))


def length(v: Tensor, norm: Norm = "l2") -> Tensor:
    """Norm of each sample over all its coordinates: (B, *D) -> (B,)."""
    return torch.linalg.vector_norm(v.flatten(1), ord=2 if norm == "l2" else math.inf, dim=1)


def unit(v: Tensor) -> Tensor:
    """Each sample divided by its L2 norm; a zero sample stays zero, and one of subnormal numbers alone stays shorter than 1.

    A net sure of its label by m nats has a cross-entropy whose gradient is of the order of exp(-m): its squares underflow long
    before it does, so that they are summed in float64 where there is one.
    """
    wide = v.dtype if v.device.type == "mps" else torch.float64
    norm = torch.linalg.vector_norm(v.flatten(1), dim=1, dtype=wide).clamp(min=torch.finfo(v.dtype).tiny)
    return v / per_sample(norm.to(v.dtype), v)


def ball(x: Tensor, centre: Tensor, radius: float, norm: Norm = "l2") -> Tensor:
    """The nearest point to x with |x - centre| <= radius, per sample: (B, *D) -> (B, *D)."""
    if math.isinf(radius):
        return x
    delta = x - centre
    if norm == "linf":
        return centre + delta.clamp(-radius, radius)
    away = length(delta).clamp(min=torch.finfo(x.dtype).tiny)  # the centre stays where it is instead of NaN
    return centre + delta * per_sample((radius / away).clamp(max=1.0), x)


def box(x: Tensor, bounds: tuple[float, float] | None) -> Tensor:
    """Clamp to the box.  Around a centre inside the box this never lengthens x - centre, so it may follow `ball`."""
    return x if bounds is None else x.clamp(*bounds)


def feasible(x: Tensor, x0: Tensor, dyn: Dynamics) -> Tensor:
    """A point taken into the ball around x0, then into the box: (B, *D) -> (B, *D)."""
    return box(ball(x, x0, dyn.radius, dyn.norm), dyn.bounds)


def pin(values: Tensor, mask: Tensor) -> Project:
    """A projection that holds the coordinates where mask is true at these values: inpainting.  Source: thesis 2.5.3."""
    return lambda x: torch.where(mask, values, x)


def sign(v: Tensor) -> Tensor:
    """Sign of each coordinate; NaN where it is not finite: `torch.sign` turns NaN to 0, and the chain seems to hold out."""
    return torch.add(v.sign(), v, alpha=0.0)


DIRECTIONS: dict[str, Callable[[Tensor], Tensor]] = {"raw": lambda g: g, "unit": unit, "sign": sign}


def kernel(
    x0: Tensor, dyn: Dynamics, *, project: Project | None = None, generator: Generator | None = None
) -> Callable[[Tensor, Tensor], Tensor]:
    """The one update, written once: (x_k, grad E(x_k)) -> x_{k+1}.

    Args:
        x0: centre of the ball, (B, *D).
        project: applied after ball and box, e.g. `pin`.
        generator: source of the noise, on the device of x0.
    """
    direction = DIRECTIONS[dyn.gradient]

    def advance(x: Tensor, grad: Tensor) -> Tensor:
        x = x - dyn.step * direction(grad)
        if dyn.noise:
            x = x + dyn.noise * randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        x = feasible(x, x0, dyn)
        return x if project is None else project(x)

    return advance


def slope(energy: Energy, x: Tensor) -> tuple[Tensor, Tensor]:
    """Energy and its gradient at x, detached: (B, *D) -> (B,), (B, *D).

    An energy that knows its gradient brings it as a method of this name.
    """
    if gradient := getattr(energy, "slope", None):
        return gradient(x)
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        e = energy(x)
        (grad,) = torch.autograd.grad(e.sum(), x)
    return e.detach(), grad


def checked_slope(energy: Energy, x: Tensor, k: int, dyn: Dynamics, chain: str = "") -> tuple[Tensor, Tensor]:
    """`slope`, where what is not finite ends the chain.

    Args:
        k: step, for the message.
        chain: the name of a chain that is not `descend`'s, for the message.
    Raises:
        Diverged: energy or gradient is not finite; no number of the chain is blamed for what its start was already.
    """
    e, grad = slope(energy, x)
    finite = e.isfinite() & grad.isfinite().flatten(1).all(1)
    if finite.all():
        return e, grad
    bad = f"{int((~finite).sum())} of {len(x)} images"
    if not x.isfinite().all() and k == 0:
        raise Diverged(f"the start is not finite: {bad} hold NaN or infinity; look at where they come from")
    if k == 0:
        raise Diverged(
            f"the energy or its gradient is not finite at the start, before any step, for {bad}: the net's scores are NaN or "
            f"overflow there; look at its weights, and compute in float32 where they are of half precision"
        )
    noise = f" or η ({dyn.noise:g})" if dyn.noise else ""
    raise Diverged(
        f"the energy or its gradient is no longer finite at step {k} of {dyn.steps}{chain}; lower α ({dyn.step:g}){noise}"
    )


def descend(
    energy: Energy,
    x0: Tensor,
    dyn: Dynamics,
    *,
    start: Tensor | None = None,
    project: Project | None = None,
    generator: Generator | None = None,
) -> Iterator[State]:
    """Run a chain and yield its K + 1 states, x_0 first: what pages and figures draw.

    Args:
        energy: (B, *D) -> (B,).
        x0: centre of the ball and, unless `start` is given, the first state, (B, *D).
        start: where the chain begins instead, e.g. a random start inside the ball.
        project, generator: see `kernel`.
    Yields:
        State k = 0 ... K, consistent at x_k; |x_k - x0| <= radius if it holds for the start.
    Raises:
        Diverged: energy or gradient is not finite.
    """
    advance = kernel(x0, dyn, project=project, generator=generator)
    x = x0 if start is None else start
    for k in range(dyn.steps + 1):
        e, grad = checked_slope(energy, x, k, dyn)
        yield State(k, x, e, grad)
        if k < dyn.steps:
            x = advance(x, grad)


def settle(
    energy: Energy,
    x0: Tensor,
    dyn: Dynamics,
    *,
    start: Tensor | None = None,
    project: Project | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """The last state of the same chain, for K gradients and no records: what training and metrics use.

    Args and draws are those of `descend`; the result equals its last x.
    """
    advance = kernel(x0, dyn, project=project, generator=generator)
    x = x0 if start is None else start
    for _ in range(dyn.steps):
        x = advance(x, slope(energy, x)[1])
    return x.detach()
