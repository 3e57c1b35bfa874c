"""Starts: the Gaussians reproduce what they were fitted to, each start draws from what it names, balls are filled evenly."""

import math

import pytest
import torch
from conftest import rand, randn, seeded

from cemviz.dynamics import Dynamics, length
from cemviz.starts import JITTER, STARTS, Gaussians, Source, draw, fit, near

SHAPE = (1, 2, 3)
MIX = 0.1 * randn(6, 6, seed=1)
EYE = torch.eye(6, dtype=torch.float64)
LABELS = torch.arange(600) % 2
IMAGES = (0.5 + (0.15 * LABELS[:, None] + randn(600, 6, seed=2) @ MIX)).view(600, *SHAPE)


def covariance(x):
    x = x.flatten(1)
    return (x - x.mean(0)).T @ (x - x.mean(0)) / len(x)


def test_a_whole_fit_has_mean_and_jittered_covariance_by_class_and_of_all():
    fitted = fit(IMAGES, LABELS, 2)
    for row, x in enumerate([IMAGES[LABELS == 0], IMAGES[LABELS == 1], IMAGES]):
        torch.testing.assert_close(fitted.means[row], x.flatten(1).mean(0))
        expected = covariance(x) + JITTER * EYE
        torch.testing.assert_close(fitted.factors[row] @ fitted.factors[row].T, expected, rtol=0, atol=1e-12)
    assert fitted.means.shape == (3, 6) and fitted.floors.tolist() == [0, 0, 0] and JITTER == 1e-4


@pytest.mark.parametrize("rank", [None, 3])
def test_draws_reproduce_mean_and_covariance_of_their_row(rank):
    n = 40_000
    fitted = fit(IMAGES.float(), LABELS, 2, rank)
    for row in range(3):
        x = fitted.draw(torch.full((n,), row), seeded(row)).double()
        factor, floor = fitted.factors[row].double(), fitted.floors[row].double()
        s = factor @ factor.T + floor**2 * EYE
        v = s.diagonal()
        assert ((x.mean(0) - fitted.means[row]).abs() < 5 * (v / n).sqrt()).all()  # 5 sigma
        assert ((covariance(x) - s).abs() < 5 * ((v[:, None] * v + s**2) / n).sqrt()).all()  # 5 sigma of a covariance


def test_a_low_rank_fit_keeps_leading_directions_and_total_variance():
    whole, low = fit(IMAGES, LABELS, 2), fit(IMAGES, LABELS, 2, rank=2)
    assert low.factors.shape == (3, 6, 2)
    for row in range(3):
        s = whole.factors[row] @ whole.factors[row].T
        approximate = low.factors[row] @ low.factors[row].T + low.floors[row] ** 2 * EYE
        torch.testing.assert_close(approximate.trace(), s.trace(), rtol=1e-9, atol=0)
        a, b = torch.linalg.eigvalsh(approximate), torch.linalg.eigvalsh(s)
        torch.testing.assert_close(a[-2:], b[-2:], rtol=1e-6, atol=0)
        torch.testing.assert_close(a[:4], b[:4].mean().expand(4), rtol=1e-6, atol=0)


def test_a_rank_of_all_directions_or_more_is_the_whole_covariance():
    whole = fit(IMAGES, LABELS, 2)
    for rank in (6, 100):
        assert torch.equal(fit(IMAGES, LABELS, 2, rank).factors, whole.factors)


def test_draws_mix_rows_without_mixing_classes():
    fitted = Gaussians(torch.tensor([[0.0], [10.0], [5.0]]), torch.full((3, 1, 1), 0.1), torch.zeros(3))
    rows = torch.tensor([1, 0, 2, 1, 0])
    assert fitted.draw(rows, seeded()).flatten().round().tolist() == [10, 0, 5, 10, 0]


def test_fit_refuses_a_class_without_two_images_by_number():
    with pytest.raises(ValueError, match="class 1 has 1 images; a covariance needs at least 2"):
        fit(IMAGES[:3], torch.tensor([0, 0, 1]), 2)


MEANS = torch.tensor([[0.1] * 6, [0.9] * 6, [0.5] * 6])
TIGHT = Gaussians(MEANS, torch.full((3, 6, 1), 1e-3), torch.full((3,), 1e-3))
SOURCE = Source(SHAPE, TIGHT, torch.full((4, *SHAPE), 51, dtype=torch.uint8))
ASKED = torch.tensor([0, 1, 1, 0])


def test_class_gaussian_starts_at_its_class_and_gaussian_at_the_last_row():
    assert draw("class-gaussian", SOURCE, ASKED, seeded()).flatten(1).mean(1).sub(MEANS[ASKED, 0]).abs().max() < 0.01
    assert draw("gaussian", SOURCE, ASKED, seeded()).sub(0.5).abs().max() < 0.02


def test_data_starts_are_the_images_in_0_1():
    assert torch.equal(draw("data", SOURCE, ASKED, seeded()), torch.full((4, *SHAPE), 0.2))


def test_data_starts_reach_every_image():
    source = Source((1, 1, 1), images=torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1) * 51)
    x = draw("data", source, torch.zeros(200, dtype=torch.int64), seeded())
    assert (x.flatten() * 5).round().unique().tolist() == [0, 1, 2, 3, 4]


def test_uniform_starts_fill_the_box_evenly():
    x = draw("uniform", Source((1, 10, 10)), torch.zeros(400, dtype=torch.int64), seeded()).flatten().double()
    n = x.numel()
    assert abs(x.mean() - 0.5) < 5 * math.sqrt(1 / 12 / n) and abs(x.var() - 1 / 12) < 5 * math.sqrt(1 / 180 / n)  # 5 sigma


@pytest.mark.parametrize("name", STARTS)
def test_a_start_gives_images_in_0_1_decided_by_its_generator_alone(name):
    pixels = (IMAGES * 255).clamp(0, 255).to(torch.uint8)
    seeds, mixed = fit(3 * IMAGES.float() - 1, LABELS, 2), lambda count, g: torch.rand(count, *SHAPE, generator=g)
    wide = Source((1, 2, 3), seeds, pixels, pixels[0].float() / 255, mixed)
    before = torch.get_rng_state()
    a, b, c = (draw(name, wide, ASKED, seeded(s)) for s in (1, 1, 2))
    assert a.shape == (4, *SHAPE) and a.min() >= 0 and a.max() <= 1
    assert torch.equal(a, b) and torch.equal(a, c) == (name == "picture") and torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", [n for n, row in STARTS.items() if row.needs])
def test_a_start_whose_source_is_missing_says_what_it_needs(name):
    with pytest.raises(LookupError, match=f"start '{name}' needs its source's {STARTS[name].needs}, which are not"):
        draw(name, Source(SHAPE), ASKED)


def test_an_unknown_start_is_refused_with_the_known_ones():
    with pytest.raises(KeyError, match="no start 'zeros'; choose one of class-gaussian, gaussian, uniform, data"):
        draw("zeros", SOURCE, ASKED)


# random points of a ball -------------------------------------------------------------------------------------------------


def assert_uniform(u):
    """Kolmogorov-Smirnov against U(0, 1): sqrt(n) D < 1.95 has probability .999."""
    u, n = u.sort().values, len(u)
    d = (u - torch.arange(1, n + 1) / n).abs().max()
    assert d * math.sqrt(n) < 1.95 + 1 / math.sqrt(n)


@pytest.mark.parametrize("dims", [(2,), (1, 3, 3)])
def test_near_in_l2_is_uniform_in_the_ball_radius_and_direction(dims):
    x, d = torch.full((4000, *dims), 0.3, dtype=torch.float64), math.prod(dims)
    delta = (near(x, Dynamics(radius=0.7, bounds=None), generator=seeded(1)) - x).flatten(1)
    r = delta.norm(dim=1)
    assert r.max() <= 0.7 + 1e-12
    assert_uniform((r / 0.7) ** d)
    direction = delta / r[:, None]
    assert (direction.mean(0).abs() < 5 * math.sqrt(1 / d / 4000)).all()  # 5 sigma


def test_near_in_linf_is_uniform_in_the_cube():
    x = torch.full((500, 2, 3), 0.3, dtype=torch.float64)
    delta = near(x, Dynamics(radius=0.7, norm="linf", bounds=None), generator=seeded(1)) - x
    assert delta.abs().max() <= 0.7
    assert_uniform((delta.flatten() + 0.7) / 1.4)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_near_stays_in_ball_and_box_at_its_edge_and_radius_0_is_the_point(norm):
    x = rand(300, 1, 3, 3).round()
    y = near(x, Dynamics(radius=0.4, norm=norm), generator=seeded(5))
    assert y.min() >= 0 and y.max() <= 1 and length(y - x, norm).max() <= 0.4 + 1e-12 and not torch.equal(x, y)
    assert torch.equal(near(x, Dynamics(radius=0.0, norm=norm), generator=seeded()), x)


@pytest.mark.parametrize("rank", [0, -1])
def test_a_rank_below_1_is_refused(rank):
    with pytest.raises(ValueError, match=f"rank is {rank}; give at least 1"):
        fit(rand(6, 1, 2, 2), torch.arange(6) % 2, 2, rank)
