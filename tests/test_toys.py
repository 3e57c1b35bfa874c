"""2D densities, painted and moved ones too: log p is normalised, samples follow it, the support holds 99 % of the mass."""

import math
from functools import cache

import pytest
import torch
from conftest import seeded

from cemviz.data.named import SUPPORT, on_support, p0, p_data
from cemviz.data.painted import CELLS, name_of
from cemviz.data.toys import BOX, P0S, TOYS


def strokes(*painted):
    """The name of a painting: (depth, rows, columns) of rectangles of cells."""
    depths = torch.zeros(CELLS, CELLS, dtype=torch.int64)
    for depth, rows, columns in painted:
        depths[rows, columns] = depth
    return name_of(depths)


PAINTED = {
    "cell": strokes((1, slice(31, 32), slice(0, 1))),
    "depths": strokes((1, slice(4, 9), slice(2, 30)), (3, slice(20, 24), slice(8, 12)), (2, slice(20, 30), slice(25, 27))),
}
DATA = {**dict(zip(TOYS, TOYS, strict=True)), **PAINTED}
"""Name of a test -> name of a p_data."""

MOVED = ["uniform@1,-0.5,0.5", "corner@1.2,0.7,2", "ring@-0.4,0.1,0.8", "mixture@0.5,0,0.75"]
ALL = {**{f"toy:{k}": p_data(v) for k, v in DATA.items()}, **{f"p0:{k}": p0(k) for k in [*P0S, *MOVED]}}
STEP, EDGE = 1 / 48, 4.0  # squares and cells have their edges on this grid
DRAWS = 20_000
every = pytest.mark.parametrize("name", ALL)


@cache
def gridded(name):
    """log p on the midpoints of a grid over [-4, 4]^2."""
    axis = torch.arange(-EDGE + STEP / 2, EDGE, STEP, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis)
    return points, torch.cat([ALL[name].log_prob(part) for part in points.split(20_000)]).double()


@cache
def drawn(name):
    return ALL[name].sample(DRAWS, seeded(1))


@every
def test_the_density_integrates_to_one(name):
    assert math.isclose(gridded(name)[1].exp().sum().item() * STEP**2, 1, abs_tol=2e-4)


@every
def test_the_mean_log_density_of_samples_is_minus_the_entropy(name):
    log_p = gridded(name)[1]
    entropy = -(torch.special.xlogy(log_p.exp(), log_p.exp()).sum() * STEP**2).item()
    at_samples = ALL[name].log_prob(drawn(name)).double()
    sigma = at_samples.std().item() / math.sqrt(DRAWS)
    assert abs(at_samples.mean().item() + entropy) < 5 * sigma + 2e-3  # 5 sigma, and the grid's error


@every
def test_samples_fall_into_each_half_unit_cell_as_the_density_says(name):
    points, log_p = gridded(name)
    mass, counts = torch.zeros(17 * 17, dtype=torch.float64), torch.zeros(17 * 17, dtype=torch.float64)
    cell = lambda x: (((x + 4.25) / 0.5).floor() @ torch.tensor([17.0, 1.0], dtype=x.dtype)).long().clamp(0, 288)  # noqa: E731
    mass.index_add_(0, cell(points), log_p.exp() * STEP**2)
    counts.index_add_(0, cell(drawn(name)), torch.ones(DRAWS, dtype=torch.float64))
    sigma = (mass * (1 - mass).clamp(min=0) / DRAWS).sqrt()
    assert ((counts / DRAWS - mass).abs() < 5 * sigma + 4e-3).all()  # 5 sigma, and cells whose edge cuts a grid square


@pytest.mark.parametrize("name", DATA)
def test_the_support_holds_99_percent_of_fresh_draws(name):
    share = on_support(DATA[name], p_data(DATA[name]).sample(DRAWS, seeded(7))).double().mean().item()
    if name in ("checkerboard", *PAINTED):
        assert share == 1  # no part of them has less than 1 % of the mass
    else:
        assert abs(share - SUPPORT) < 5 * math.sqrt(0.99 * 0.01 / DRAWS)  # 5 sigma


@pytest.mark.parametrize("name", DATA)
def test_the_support_lies_in_the_box_and_is_not_all_of_it(name):
    points, _ = gridded(f"toy:{name}")
    inside = on_support(DATA[name], points)
    assert points[inside].abs().max() <= BOX and 0.0009 < inside.double().mean() * (2 * EDGE) ** 2 / (2 * BOX) ** 2 < 0.6


@every
def test_samples_depend_on_their_generator_alone(name):
    before = torch.get_rng_state()
    assert torch.equal(ALL[name].sample(50, seeded(3)), ALL[name].sample(50, seeded(3)))
    assert not torch.equal(ALL[name].sample(50, seeded(3)), ALL[name].sample(50, seeded(4)))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_bounded_density_is_minus_infinity_outside():
    outside = torch.tensor([[3.01, 0.0], [0.0, -3.5]])
    assert P0S["uniform"].log_prob(outside).tolist() == [-math.inf, -math.inf]
    assert P0S["uniform"].log_prob(torch.zeros(1, 2)).item() == pytest.approx(-math.log(36))
    assert TOYS["checkerboard"].log_prob(torch.tensor([[-1.5, -0.5]])).item() == -math.inf


def test_log_prob_is_differentiable_and_points_towards_the_mode():
    x = torch.tensor([[1.0, 0.5]], requires_grad=True)
    (g,) = torch.autograd.grad(TOYS["gaussian"].log_prob(x).sum(), x)
    torch.testing.assert_close(g, -x.detach() / 0.16, rtol=1e-4, atol=0)
