"""FAB: projections against quadratic and linear programmes, exact answers on linear nets, one step by hand."""

import pytest
import torch
from climbs import NORMS, X, Y
from conftest import rand, randn, seeded, toy_classifier

from cemviz.attacks import threat
from cemviz.dynamics import Dynamics, length, slope
from cemviz.energies import on
from cemviz.fab import _searched, fab, onto_plane
from cemviz.margins import lead, margin

W, C = randn(20, 6, seed=2), randn(20, seed=3)
P = rand(20, 6, seed=1)


def slow_onto_plane(x, w, c, norm):
    """The same by bisection on the multiplier, one point at a time: no sort, no closed form."""
    sign = 1.0 if c > 0 else -1.0

    def moved(t):
        return (x - sign * t * (w.sign() if norm == "linf" else w)).clamp(0, 1)

    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        reached = sign * ((w * (x - moved(middle))).sum()) >= abs(c)
        low, high = (low, middle) if reached else (middle, high)
    return moved(high)


@pytest.mark.parametrize("norm", NORMS)
def test_a_projection_is_the_one_that_a_bisection_finds(norm):
    c = C * (1 + 4 * (torch.arange(20) % 4 == 0))
    z = onto_plane(P, W, c, norm)
    for i in range(20):
        torch.testing.assert_close(z[i], slow_onto_plane(P[i], W[i], c[i], norm), rtol=0, atol=1e-9)
    met = (c + (W * (z - P)).sum(1)).abs() < 1e-9
    assert met.sum() > 10 and (~met).any()  # some planes lie beyond the box: the corner nearest to them
    corner = torch.where(W * C[:, None].sign() > 0, 0.0, 1.0)
    torch.testing.assert_close(z[~met], corner[~met].to(z), rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_a_projection_is_nearer_than_any_point_of_plane_and_box(norm):
    """Against many random points of the plane within the box, and against a quadratic programme where scipy has one."""
    z = onto_plane(P, W, 0.2 * C, norm)
    others = rand(4000, 6, seed=5)
    for i in range(20):
        away = others + (-(0.2 * C[i] + (others - P[i]) @ W[i]) / W[i].square().sum())[:, None] * W[i]
        away = away[((away >= 0) & (away <= 1)).all(1)]
        if (0.2 * C[i] + (z[i] - P[i]) @ W[i]).abs() < 1e-9 and len(away):
            assert length(z[i : i + 1] - P[i : i + 1], norm) <= length(away - P[i], norm).min() + 1e-9
    optimize = pytest.importorskip("scipy.optimize")
    for i in range(6):
        if (0.2 * C[i] + (z[i] - P[i]) @ W[i]).abs() > 1e-9:
            continue
        w, c, x = W[i].numpy(), 0.2 * C[i].item(), P[i].numpy()
        if norm == "linf":  # min t,  |z - x| <= t
            n = len(x)
            rows = [[*(s * (j == k) for j in range(n)), -1] for k in range(n) for s in (1, -1)]
            ends = [s * x[k] for k in range(n) for s in (1, -1)]
            best = optimize.linprog(
                [0] * n + [1], rows, ends, [[*w, 0]], [w @ x - c], [(0, 1)] * n + [(0, None)], method="highs"
            ).fun
        else:
            best = optimize.minimize(
                lambda v, x=x: ((v - x) ** 2).sum(), x, bounds=[(0, 1)] * len(x), tol=1e-14, method="SLSQP",
                constraints={"type": "eq", "fun": lambda v, w=w, x=x, c=c: c + w @ (v - x)},
            ).fun ** 0.5  # fmt: skip
        assert length(z[i : i + 1] - P[i : i + 1], norm).item() == pytest.approx(best, abs=1e-6)


def test_a_projection_takes_flat_coordinates_a_zero_slope_and_no_box():
    w = W.clone()
    w[:, :2] = 0
    for norm in NORMS:
        z = onto_plane(P, w, 0.1 * C, norm)
        assert torch.equal(z[:, :2], P[:, :2]) and z.isfinite().all()
        assert torch.equal(onto_plane(P, 0 * W, C, norm), P) and torch.equal(onto_plane(P, W, 0 * C, norm), P)
        free = onto_plane(P, W, 3 * C, norm, None)
        torch.testing.assert_close((W * (free - P)).sum(1), -3 * C)
    torch.testing.assert_close(free - P, -3 * (C / W.abs().sum(1))[:, None] * W.sign())  # L∞, the last of NORMS


def linear(x):
    """Two linear scores of (B, 1, 2, 3) and their difference by hand."""
    return x.flatten(1) @ randn(6, 2, seed=4)


@pytest.mark.parametrize("norm", NORMS)
def test_on_a_linear_net_the_answer_is_the_projection_of_the_image(norm):
    x = rand(20, 1, 2, 3, seed=6) * 0.6 + 0.2
    y = linear(x).argmax(1)
    energy = on(linear, lead, y, 1 - y)
    e, grad = slope(energy, x)
    exact = onto_plane(x, grad, e, norm)
    *_, last = fab(energy, x, Dynamics(100, 1.0, radius=10.0, norm=norm))
    reachable = (linear(exact).diff(dim=1).abs() < 1e-9).squeeze(1)
    distance = length(exact - x, norm)
    assert reachable.sum() > 10 and (last.energy[reachable] < 0).all()
    torch.testing.assert_close(length(last.x - x, norm)[reachable], distance[reachable], rtol=0.01, atol=1e-6)
    assert (length(last.x - x, norm)[reachable] >= distance[reachable] - 1e-9).all()


@pytest.mark.parametrize("norm", NORMS)
def test_only_what_lies_within_the_radius_is_an_answer(norm):
    net = toy_classifier()
    target = (Y + 1) % 4
    y = net(X).argmax(1)
    target = torch.where(target == y, (y + 1) % 4, target)
    energy = on(net, lead, y, target)
    *_, free = fab(energy, X, Dynamics(30, 1.0, radius=10.0, norm=norm))
    distance = length(free.x - X, norm)
    radius = distance.median().item() * 1.001
    *_, last = fab(energy, X, Dynamics(30, 1.0, radius=radius, norm=norm))
    near = distance <= radius
    assert 0 < near.sum() < len(X)
    torch.testing.assert_close(last.x, torch.where(near.view(-1, 1, 1, 1), free.x, X), rtol=0, atol=1e-12)
    torch.testing.assert_close(last.energy, energy(last.x).detach(), rtol=0, atol=1e-12)
    assert (last.energy[near] < 0).all() and (margin(net(last.x), y)[near] < 0).all()


@pytest.mark.parametrize("norm", NORMS)
def test_the_first_steps_are_those_of_algorithm_1_by_hand(norm):
    """Where the energy is asked for: at a biased step beyond both planes, then nine tenths of the way back."""
    net, x0 = toy_classifier(), X[:5]
    y = net(x0).argmax(1)
    energy, seen = on(net, lead, y, (y + 1) % 4), []
    list(fab(lambda x: seen.append(x.detach()) or energy(x), x0, Dynamics(3, 1.0, radius=10.0, norm=norm)))
    assert torch.equal(seen.pop(1), x0)  # the goal at the image
    x, asked = x0, 0
    for _ in range(2):
        e, grad = slope(energy, x)
        torch.testing.assert_close(seen[asked], x, rtol=0, atol=1e-12)
        to = onto_plane(x, grad, e, norm)
        to0 = onto_plane(x0, grad, e + (grad * (x0 - x)).flatten(1).sum(1), norm)
        a, b = length(to - x, norm), length(to0 - x0, norm)
        alpha = (a / (a + b)).clamp(max=0.1).view(-1, 1, 1, 1)
        x = ((1 - alpha) * (x + 1.05 * (to - x)) + alpha * (x0 + 1.05 * (to0 - x0))).clamp(0, 1)
        torch.testing.assert_close(seen[asked + 1], x, rtol=0, atol=1e-12)
        x = torch.where((energy(x) < 0).view(-1, 1, 1, 1), 0.1 * x0 + 0.9 * x, x).detach()
        asked += 2


@pytest.mark.parametrize("norm", NORMS)
def test_the_distance_never_grows_and_the_last_search_shortens_it(norm):
    net = toy_classifier()
    y = net(X).argmax(1)
    energy, dyn = on(net, lead, y, (y + 1) % 4), Dynamics(20, 1.0, radius=10.0, norm=norm)
    states = list(fab(energy, X, dyn))
    done = states[2].energy < 0
    lengths = torch.stack([length(s.x - X, norm)[done] for s in states[2:]])
    assert done.sum() > 10 and (lengths.diff(dim=0) <= 1e-12).all()
    assert (lengths[-1] < lengths[-2]).sum() > len(lengths[0]) / 2  # the search ends nearer to the border
    assert len(states) == 21 and not any(s.grad.any() for s in states)


def test_passes_through_the_net_are_two_a_step_and_three_at_the_end():
    net, calls = toy_classifier(), []
    y = net(X).argmax(1)
    energy = on(net, lead, y, (y + 1) % 4)
    list(fab(lambda x: calls.append(x.requires_grad) or energy(x), X, threat("fab-t", "l2", 1.0, 10)))
    assert len(calls) == 2 + 10 + 9 + 3 and sum(calls) == 10  # gradients: one a step


def test_an_image_whose_label_has_lost_already_is_its_own_answer():
    net = toy_classifier()
    y = (net(X).argmax(1) + 1) % 4
    *_, last = fab(on(net, margin, y), X, threat("fab-t", "l2", 1.0, 10), generator=seeded())
    assert torch.equal(last.x, X)


def test_a_point_that_any_other_class_wins_is_an_answer():
    net = toy_classifier()
    y = net(X).argmax(1)
    least = net(X).argmin(1)
    aim, goal = on(net, lead, y, least), on(net, margin, y)
    dyn = Dynamics(20, 1.0, radius=10.0)
    *_, alone = fab(aim, X, dyn)
    *_, any_class = fab(aim, X, dyn, goal=goal)
    torch.testing.assert_close(any_class.energy, goal(any_class.x).detach(), rtol=0, atol=1e-12)
    assert (any_class.energy < 0).all() and (aim(any_class.x) > 0).any()
    assert length(any_class.x - X).sum() < length(alone.x - X).sum()


def test_the_last_search_goes_by_the_false_position():
    """Along a line from 0, where the goal is 1, to 1: the chord's zero, and again with the point found in its end's place."""
    asked = []
    goal = lambda x: asked.append(x.item()) or 1 - 3 * x.flatten() ** 2  # noqa: E731
    x0, nearest = torch.zeros(1, 1).double(), torch.ones(1, 1).double()
    end, lead = _searched(goal, x0, torch.ones(1).double(), nearest, goal(nearest))
    low, high = 0.0, 1.0
    for at in asked[1:]:
        f_low, f_high = 1 - 3 * low**2, 1 - 3 * high**2
        assert at == pytest.approx(low + (high - low) * f_low / (f_low - f_high), abs=1e-12)
        low, high = (low, at) if 1 - 3 * at**2 < 0 else (at, high)
    assert len(asked) == 4 and end.item() == high and lead.item() == pytest.approx(1 - 3 * high**2)
