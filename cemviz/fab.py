"""FAB, the fast adaptive boundary attack: the nearest point at which an energy is below 0, by projections on its tangent.

A step takes the energy for linear, projects both the present point and the clean image on the plane where it would be 0, within
the box, and goes between and a little beyond the two.  Where the energy has fallen below 0 it goes most of the way back.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from .draws import Generator
from .dynamics import Dynamics, Norm, State, box, checked_slope, length, per_sample
from .energies import Energy

BIAS = 0.1  # alpha_max: the largest weight of the clean image's projection
BEYOND = 1.05  # eta: a step over its length to the plane
BACK = 0.9  # beta: the share of the way from the image that is kept below 0
SEARCH = 3  # steps of the search on the last line
ENDLESS = 1e9  # room of a coordinate where there is no box, in units of the pixel range


def onto_plane(x: Tensor, slope: Tensor, excess: Tensor, norm: Norm, bounds: tuple[float, float] | None = (0.0, 1.0)) -> Tensor:
    """The nearest point of the box at which a linear function is 0; a corner of the box where it is 0 nowhere in it.

    min |z - x|  with  <w, z - x> = -c,  z in the box

    Each coordinate moves by min(t v_i, r_i) against c w_i: r_i is its room, v_i = 1 in L∞ and |w_i| in L2.  What that brings
    is concave in t and linear between the times r_i / v_i at which a coordinate has no room left, so that one sort finds t.

    Args:
        x: points of the box, (B, *D).
        slope: w, gradients, (B, *D).
        excess: c, values of the function at x, (B,).
    Source: Croce & Hein 2020a, section 3.1, (4) to (6).
    """
    wide = x.dtype if x.device.type == "mps" else torch.float64
    w = (slope * per_sample(excess.sign(), slope)).flatten(1).to(wide)
    c, flat = excess.abs().to(wide)[:, None], x.flatten(1).to(wide)
    low, high = (-ENDLESS, ENDLESS) if bounds is None else bounds
    room = torch.where(w > 0, flat - low, high - flat).clamp(min=0)
    weight = w.abs()
    speed = torch.ones_like(w) if norm == "linf" else weight
    full = room / speed.clamp(min=torch.finfo(wide).tiny)

    full, order = full.sort(dim=1)
    rate, capacity = ((weight * part).gather(1, order) for part in (speed, room))
    spent = capacity.cumsum(1)  # brought by the coordinates that are full at each time
    rest = (rate.flip(1).cumsum(1).flip(1) - rate).clamp(min=0)  # rate of those that are not
    late = (spent + full * rest < c).sum(1, keepdim=True)  # coordinates that are full before the plane is met
    before = torch.where(late > 0, spent.gather(1, (late - 1).clamp(min=0)), 0.0)
    total = rate.sum(1, keepdim=True)
    remaining = torch.where(late > 0, rest.gather(1, (late - 1).clamp(min=0)), total)
    most = torch.finfo(wide).max
    time = torch.where(late < w.shape[1], (c - before) / remaining.clamp(min=torch.finfo(wide).tiny), most).clamp(max=most)
    z = flat - w.sign() * torch.minimum(time * speed, room)
    return box(z.view_as(x).to(x.dtype), bounds)


def fab(
    energy: Energy,
    x0: Tensor,
    dyn: Dynamics,
    *,
    start: Tensor | None = None,
    generator: Generator | None = None,
    goal: Energy | None = None,
) -> Iterator[State]:
    """Look for the point nearest to x0 at which an energy is below 0, such as the label's lead over another class.

    Args:
        energy: its tangent leads the way.
        x0: images, (B, *D).
        dyn: K, norm, radius and box; its `step`, `noise` and `gradient` are not used.
        start: where the first step begins.
        generator: not used; nothing is drawn.
        goal: what has to be below 0, such as the label's lead over all classes together; None takes the energy.
    Yields:
        K + 1 states: the nearest such point so far where it lies within the radius, else x0; their energy is the goal's, their
        gradients are 0, since none is taken there.
    Raises:
        Diverged: energy or gradient is not finite.
    Source: Croce & Hein 2020a, "Minimally distorted adversarial examples with a fast adaptive boundary attack", Algorithm 1,
        without restarts; towards one class, as in Croce & Hein 2020b.
    """
    x, none = x0 if start is None else start, torch.zeros_like(x0)
    e, grad = checked_slope(energy, x, 0, dyn)
    goal = energy if goal is None else goal
    with torch.no_grad():
        lead0 = goal(x0)
    nearest, lead = x0, lead0
    away = torch.where(lead0 < 0, 0.0, torch.inf)

    def state(k: int) -> State:
        inside = away <= dyn.radius
        return State(k, torch.where(per_sample(inside, x0), nearest, x0), torch.where(inside, lead, lead0), none)

    yield state(0)
    for k in range(1, dyn.steps + 1):
        excess0 = e + (grad * (x0 - x)).flatten(1).sum(1)
        step = onto_plane(x, grad, e, dyn.norm, dyn.bounds) - x
        step0 = onto_plane(x0, grad, excess0, dyn.norm, dyn.bounds) - x0
        d, d0 = length(step, dyn.norm), length(step0, dyn.norm)
        alpha = per_sample((d / (d + d0).clamp(min=torch.finfo(d.dtype).tiny)).clamp(max=BIAS), x)
        x = box((1 - alpha) * (x + BEYOND * step) + alpha * (x0 + BEYOND * step0), dyn.bounds)
        with torch.no_grad():
            now = goal(x)
        lost, distance = (now < 0) & now.isfinite(), length(x - x0, dyn.norm)
        closer = lost & (distance < away)
        nearest = torch.where(per_sample(closer, x), x, nearest)
        lead, away = torch.where(closer, now, lead), torch.where(closer, distance, away)
        if k < dyn.steps:
            x = torch.where(per_sample(lost, x), x0 + BACK * (x - x0), x)
            # the walk goes beyond the radius: what overflows there is no fault of the image's
            x = torch.where(per_sample(now.isfinite(), x), x, x0)
            e, grad = checked_slope(energy, x, k, dyn, " of FAB")
        else:
            nearest, lead = _searched(goal, x0, lead0, nearest, lead)
            away = torch.where(away.isfinite(), length(nearest - x0, dyn.norm), away)
        yield state(k)


def _searched(goal: Energy, x0: Tensor, lead0: Tensor, nearest: Tensor, lead: Tensor) -> tuple[Tensor, Tensor]:
    """Draw points below 0 back along the line to their images, by the false position, with their goals."""
    outer, e_outer, e_nearest = x0, lead0, lead
    for _ in range(SEARCH):
        share = e_outer / (e_outer - e_nearest)
        share = torch.where((e_nearest < 0) & (e_outer > 0), share, 1.0)  # elsewhere the point stays
        x = outer + per_sample(share, x0) * (nearest - outer)
        with torch.no_grad():
            e = goal(x)
        below = e < 0
        nearest, outer = (torch.where(per_sample(below == side, x), x, a) for side, a in ((True, nearest), (False, outer)))
        e_nearest, e_outer = torch.where(below, e, e_nearest), torch.where(below, e_outer, e)
    return nearest, e_nearest
