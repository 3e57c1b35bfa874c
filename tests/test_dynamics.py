"""The one update: projections, directions, noise, consistency of `descend` and `settle`, and what bad numbers say."""

import math

import pytest
import torch
from conftest import batchnorm_net, rand, randn, seeded, toy_classifier

from cemviz.dynamics import Diverged, Dynamics, ball, box, descend, kernel, length, pin, settle, sign, slope, unit
from cemviz.energies import conditional, on

SHAPES = [(4, 2), (3, 1, 5, 5), (2, 3, 4, 4), (5, 7)]
NORMS = ["l2", "linf"]
Y = torch.tensor([0, 1, 2])


def quadratic(x):
    return (x**2).flatten(1).sum(1) / 2


def curved(x):
    return (x.flatten(1).sin() * torch.arange(1, x[0].numel() + 1)).sum(1) + quadratic(x)


# projections ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("radius", [0.0, 0.3, 2.0])
def test_ball_ends_inside_is_idempotent_and_non_expansive(shape, norm, radius):
    centre = randn(*shape, seed=0)
    a, b = (centre + 2 * randn(*shape, seed=s) for s in (1, 2))
    pa, pb = ball(a, centre, radius, norm), ball(b, centre, radius, norm)
    assert (length(pa - centre, norm) <= radius + 1e-9).all()
    torch.testing.assert_close(ball(pa, centre, radius, norm), pa, rtol=0, atol=1e-9)
    assert (length(pa - pb) <= length(a - b) + 1e-9).all()


@pytest.mark.parametrize("norm", NORMS)
def test_ball_leaves_points_inside_and_puts_those_outside_on_the_sphere(norm):
    centre = randn(6, 3, 2, 2, seed=0)
    delta = randn(6, 3, 2, 2, seed=1)
    delta = delta / length(delta, norm)[:, None, None, None]
    torch.testing.assert_close(ball(centre + 0.7 * delta, centre, 0.8, norm), centre + 0.7 * delta, rtol=0, atol=1e-12)
    moved = ball(centre + 3 * delta, centre, 0.8, norm) - centre
    torch.testing.assert_close(length(moved, norm), torch.full((6,), 0.8, dtype=torch.float64), rtol=0, atol=1e-8)
    if norm == "l2":
        torch.testing.assert_close(moved, 0.8 * delta, rtol=0, atol=1e-8)
    else:
        torch.testing.assert_close(moved, (3 * delta).clamp(-0.8, 0.8), rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_ball_is_the_nearest_point_of_the_ball(norm):
    centre, x = torch.zeros(1, 3).double(), torch.tensor([[2.0, -0.2, 0.9]]).double()
    nearest = length(x - ball(x, centre, 0.5, norm))
    inside = ball(randn(20_000, 3, seed=1), centre.expand(20_000, 3), 0.5, norm)
    assert nearest <= length(x - inside).min() + 1e-9


def test_ball_treats_each_sample_apart():
    x = torch.tensor([[3.0, 4.0], [0.3, 0.4]]).double()
    torch.testing.assert_close(ball(x, torch.zeros(2, 2).double(), 1.0), torch.tensor([[0.6, 0.8], [0.3, 0.4]]).double())


def test_infinite_radius_is_no_ball_and_none_is_no_box():
    x = 1e6 * randn(3, 4)
    assert torch.equal(ball(x, torch.zeros_like(x), math.inf), x) and torch.equal(box(x, None), x)


@pytest.mark.parametrize("norm", NORMS)
def test_clamping_after_the_ball_stays_in_it_when_its_centre_is_in_the_box(norm):
    centre = rand(200, 1, 3, 3)
    x = box(ball(centre + 3 * randn(200, 1, 3, 3, seed=1), centre, 0.6, norm), (0.0, 1.0))
    assert (length(x - centre, norm) <= 0.6 + 1e-9).all() and x.min() >= 0 and x.max() <= 1


def test_unit_has_length_one_and_keeps_a_zero_gradient_zero():
    g = randn(3, 2, 4)
    g[1] = 0
    assert torch.equal(unit(g)[1], torch.zeros(2, 4).double())
    torch.testing.assert_close(length(unit(g)), torch.tensor([1.0, 0.0, 1.0]).double())


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1.0, 1e20])
def test_unit_has_length_one_however_small_the_gradient_of_a_confident_net(scale):
    g = scale * rand(3, 2, 4, seed=1).float()
    torch.testing.assert_close(length(unit(g)), torch.ones(3))
    torch.testing.assert_close(unit(g), unit(g.double()).float())
    tiny = unit(torch.tensor([[1e-45, -1e-45]]))
    assert 0 < length(tiny) <= 1 and torch.equal(tiny.sign(), torch.tensor([[1.0, -1.0]]))


# chains --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("gradient", ["raw", "unit", "sign"])
def test_every_state_lies_in_the_ball_and_in_the_box_noise_included(norm, noise, gradient):
    x0 = rand(8, 2, 3)
    dyn = Dynamics(12, 0.5, noise, 0.4, norm, gradient)
    for state in descend(curved, x0, dyn, generator=seeded(3)):
        assert (length(state.x - x0, norm) <= 0.4 + 1e-9).all()
        assert state.x.min() >= 0 and state.x.max() <= 1


@pytest.mark.parametrize("norm", NORMS)
def test_the_ball_stays_around_x0_when_the_chain_begins_elsewhere(norm):
    x0 = rand(8, 6)
    start = ball(x0 + 0.1 * randn(8, 6, seed=1), x0, 0.1, norm)
    far = [length(s.x - x0, norm).max() for s in descend(curved, x0, Dynamics(9, 0.3, 0.0, 0.1, norm), start=start)]
    assert max(far) <= 0.1 + 1e-9
    first = next(descend(curved, x0, Dynamics(9, 0.3, 0.0, 0.1, norm), start=start))
    assert torch.equal(first.x, start)


def test_descend_yields_k_plus_1_states_with_energy_and_gradient_at_x():
    x0 = rand(3, 5)
    states = list(descend(curved, x0, Dynamics(4, 0.1, 0.05), generator=seeded()))
    assert [s.k for s in states] == [0, 1, 2, 3, 4] and torch.equal(states[0].x, x0)
    for s in states:
        e, g = slope(curved, s.x)
        assert torch.equal(s.energy, e) and torch.equal(s.grad, g)
        x = s.x.clone().requires_grad_()
        torch.testing.assert_close(s.grad, torch.autograd.grad(curved(x).sum(), x)[0])


@pytest.mark.parametrize("dyn", [Dynamics(7, 0.2, 0.1, 0.5), Dynamics(7, 0.2, 0.1, 0.5, "linf", "sign"), Dynamics(0)])
def test_settle_is_the_last_x_of_descend_bitwise_under_the_same_generator(dyn):
    x0, start = rand(4, 2, 3), rand(4, 2, 3, seed=5)
    for begin in (None, start):
        *_, last = descend(curved, x0, dyn, start=begin, generator=seeded(9))
        assert torch.equal(settle(curved, x0, dyn, start=begin, generator=seeded(9)), last.x)


def test_settle_takes_one_gradient_a_step():
    calls = []
    settle(lambda x: calls.append(1) or quadratic(x), rand(2, 3), Dynamics(6))
    assert len(calls) == 6


def test_without_noise_a_chain_is_deterministic_and_leaves_its_generator():
    g = seeded(1)
    before = g.get_state()
    a, b = (settle(curved, rand(4, 6), Dynamics(9, 0.3), generator=gen) for gen in (g, seeded(2)))
    assert torch.equal(a, b) and torch.equal(g.get_state(), before)


def test_with_noise_the_generator_decides():
    a, b, c = (settle(curved, rand(4, 6), Dynamics(9, 0.3, 0.1), generator=seeded(s)) for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)


@pytest.mark.parametrize("norm", NORMS)
def test_radius_0_is_the_identity_even_with_noise(norm):
    x0 = rand(4, 6)
    assert torch.equal(settle(curved, x0, Dynamics(5, 1.0, 0.5, 0.0, norm), generator=seeded()), x0)


@pytest.mark.parametrize("gradient", ["raw", "unit", "sign"])
def test_one_step_equals_hand_written_autograd_and_goes_down(gradient):
    net, x0 = toy_classifier(), rand(3, 1, 4, 4)
    x = x0.clone().requires_grad_()
    (g,) = torch.autograd.grad(torch.nn.functional.cross_entropy(net(x), Y, reduction="sum"), x)
    by_hand = {"raw": g, "unit": torch.stack([row / row.norm() for row in g]), "sign": g.sign()}[gradient]
    dyn = Dynamics(1, 0.01, gradient=gradient, bounds=None)
    first, last = descend(on(net, conditional, Y), x0, dyn)
    torch.testing.assert_close(last.x, x0 - 0.01 * by_hand, rtol=0, atol=1e-10)
    assert (last.energy < first.energy).all()


def test_noise_is_added_before_the_projection_with_standard_deviation_eta():
    x0 = torch.zeros(4000, 5).double()
    x = kernel(x0, Dynamics(1, 0.0, 0.3, bounds=None), generator=seeded(4))(x0, torch.zeros_like(x0))
    n = x.numel()
    assert abs(x.var().item() - 0.09) < 5 * 0.09 * math.sqrt(2 / n)  # 5 sigma of a sample variance
    assert abs(x.mean().item()) < 5 * 0.3 / math.sqrt(n)


def test_pin_holds_the_known_pixels_at_every_step_and_frees_the_others():
    known, mask = rand(2, 1, 4, 4, seed=3), rand(2, 1, 4, 4, seed=4) < 0.5
    x0 = torch.where(mask, known, rand(2, 1, 4, 4, seed=5))
    states = list(descend(curved, x0, Dynamics(6, 0.3, 0.1), project=pin(known, mask), generator=seeded()))
    for s in states:
        assert torch.equal(s.x[mask], known[mask])
    assert (states[-1].x[~mask] != x0[~mask]).all()


def test_langevin_on_a_gaussian_has_the_closed_form_bias_in_its_variance():
    """E = x^2 / 2S: x' = (1 - a/S) x + sqrt(2a) e is stationary at var = S / (1 - a / 2S)."""
    spread, alpha, chains = 0.5, 0.2, 20_000
    dyn = Dynamics.langevin(60, alpha)  # (1 - a/S)^120 < 1e-20 of the start's variance is left
    x = settle(lambda x: quadratic(x) / spread, torch.zeros(chains, 1).double(), dyn, generator=seeded(8))
    expected = spread / (1 - alpha / (2 * spread))
    assert abs(x.var().item() - expected) < 4 * expected * math.sqrt(2 / chains)  # 4 sigma
    assert abs(x.mean().item()) < 4 * math.sqrt(expected / chains)
    assert abs(expected - spread) > 12 * expected * math.sqrt(2 / chains)  # the test can tell the bias from none


def test_langevin_has_raw_gradient_noise_sqrt_2_alpha_no_ball_and_no_box():
    assert Dynamics.langevin(10, 0.08) == Dynamics(10, 0.08, math.sqrt(0.16), math.inf, "l2", "raw", None)


# errors and side effects -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_chain_stops_with_diverged_where_its_energy_is_not_finite(bad):
    seen = []
    with pytest.raises(Diverged, match=r"step 2 of 5; lower α \(0\.1\)"):
        for state in descend(lambda x: quadratic(x) * (1.0 if len(seen) < 2 else bad), rand(2, 3), Dynamics(5, 0.1)):
            seen.append(state.k)
    assert seen == [0, 1]


def test_a_gradient_that_is_not_finite_stops_the_chain_too():
    with pytest.raises(Diverged):
        list(descend(lambda x: x.flatten(1).sum(1).sqrt(), torch.zeros(1, 2).double(), Dynamics(1)))


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"step": -1.0}, r"α \(step\) is -1\.0; give a finite number >= 0"),
        ({"step": math.nan}, r"α \(step\) is nan"),
        ({"step": math.inf}, r"α \(step\) is inf"),
        ({"noise": -0.1}, r"η \(noise\) is -0\.1; give a finite number >= 0"),
        ({"noise": math.nan}, r"η \(noise\) is nan"),
        ({"radius": -2.0}, r"β \(radius\) is -2\.0; give a number >= 0"),
        ({"radius": math.nan}, r"β \(radius\) is nan"),
        ({"steps": 1.5}, r"K \(steps\) is 1\.5; give a whole number of at least 0"),
        ({"steps": -1}, r"K \(steps\) is -1; give a whole number"),
        ({"norm": "l1"}, r"norm is 'l1'; choose l2 or linf"),
        ({"gradient": "fast"}, r"gradient is 'fast'; choose raw, unit or sign"),
        ({"bounds": (1.0, 0.0)}, r"bounds are \(1\.0, 0\.0\); the first must be below the second"),
    ],
)
def test_bad_numbers_are_refused_by_symbol_value_and_range(numbers, said):
    with pytest.raises(ValueError, match=said):
        Dynamics(**numbers)


def test_a_radius_of_infinity_is_allowed():
    assert Dynamics(radius=math.inf).radius == math.inf


@pytest.mark.parametrize("training", [True, False])
def test_a_chain_changes_neither_the_net_nor_the_global_random_state(training):
    net = batchnorm_net().train(training)
    weights = [p.clone() for p in net.parameters()]
    before = torch.get_rng_state()
    list(descend(on(net, conditional, Y), rand(3, 1, 8, 8), Dynamics(3, 0.1, 0.1), generator=seeded()))
    settle(on(net, conditional, Y), rand(3, 1, 8, 8), Dynamics(3, 0.1, 0.1), generator=seeded())
    assert all(m.training == training for m in net.modules())
    assert torch.equal(torch.get_rng_state(), before)
    for p, w in zip(net.parameters(), weights, strict=True):
        assert torch.equal(p, w) and p.grad is None


def test_a_chain_runs_inside_no_grad_and_leaves_no_graph():
    with torch.no_grad():
        *_, last = descend(curved, rand(2, 3), Dynamics(2))
    assert not (last.x.requires_grad or last.energy.requires_grad or last.grad.requires_grad)
    assert not settle(curved, rand(2, 3).requires_grad_(), Dynamics(0)).requires_grad


def test_a_negative_langevin_step_is_named():
    with pytest.raises(ValueError, match=r"α \(step\) is -0.1"):
        Dynamics.langevin(10, -0.1)


def test_the_centre_of_a_ball_stays_where_it_is_in_every_precision():
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        centre = torch.full((2, 3), 0.5, dtype=dtype)
        assert torch.equal(ball(centre, centre, 0.0), centre) and torch.equal(ball(centre, centre, 1.0), centre)


@pytest.mark.parametrize("gradient", ["raw", "unit", "sign"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_leaves_no_finite_image_behind(gradient, bad):
    """`settle` looks at nothing on the way: what it could not move must not come back as if it had withstood."""
    x0 = rand(3, 1, 2, 2)
    energy = lambda x: x.flatten(1).sum(1) * torch.tensor([1.0, bad, 1.0])  # noqa: E731
    x = settle(energy, x0, Dynamics(2, 0.1, radius=0.3, gradient=gradient))
    assert x[[0, 2]].isfinite().all() and not x[1].isfinite().any()
    assert torch.equal(sign(torch.tensor([-2.0, -0.0, 0.0, 1e-30])), torch.tensor([-1.0, 0.0, 0.0, 1.0]))
