"""Mixtures: their grammar, their shares, their parts by the row, and images of other sets in a model's shape."""

import pytest
import torch
from conftest import rand, seeded

from cemviz.draws import Each
from cemviz.mixtures import WIDEST, Mixture, Part, blurred, parts, scaled, sets
from cemviz.starts import Source, fit

SHAPE = (1, 8, 8)
IMAGES = {"white": torch.full((4, *SHAPE), 255, dtype=torch.uint8), "grey": torch.full((4, *SHAPE), 51, dtype=torch.uint8)}
SEEDS = fit(rand(30, *SHAPE, dtype=torch.float32), torch.arange(30) % 3, 3)


def test_a_mixture_is_read_part_by_part():
    assert parts("gaussian") == (Part(1.0, "gaussian", 0.0),)
    assert parts("2*gaussian + fashionmnist~1.5+.5*uniform") == (
        Part(2.0, "gaussian", 0.0), Part(1.0, "fashionmnist", 1.5), Part(0.5, "uniform", 0.0),
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "+", "a b+", "0*gaussian", "-1*gaussian", "gaussian~", "gaussian~99", "1e9*x", "..*x", "a,b"]
)
def test_what_is_no_mixture_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"p0 is .*such as gaussian\+fashionmnist~1"):
        parts(text)


@pytest.mark.parametrize("text", ["picture", "gaussian+p0", "2*data"])
def test_a_start_that_is_no_distribution_is_refused(text):
    with pytest.raises(ValueError, match="no distribution of its own"):
        sets(text)


def test_the_sets_of_a_mixture_are_what_is_no_start():
    assert sets("gaussian+white+2*white~1+uniform+grey") == ["white", "grey"]


def test_parts_are_drawn_by_their_weights():
    drawn = Mixture("3*white+grey", Source(SHAPE), IMAGES)(4000, seeded())
    share = (drawn.amax((1, 2, 3)) == 1).float().mean().item()
    assert drawn.shape == (4000, *SHAPE) and abs(share - 0.75) < 0.03
    assert drawn.unique().tolist() == pytest.approx([0.2, 1.0])


def test_a_row_depends_on_its_own_draws_alone():
    mixture = Mixture("white+uniform+gaussian~1+class-gaussian", Source(SHAPE, SEEDS), IMAGES)
    whole = mixture(6, Each(3, range(6)))
    torch.testing.assert_close(mixture(2, Each(3, [4, 1])), whole[[4, 1]], rtol=0, atol=0)
    assert whole.min() >= 0 and whole.max() <= 1


def test_class_gaussians_are_drawn_of_every_class():
    means = torch.eye(3, 64)
    seeds = fit(
        torch.cat([0.01 * rand(5, *SHAPE, dtype=torch.float32) + m.view(SHAPE) for m in means]), torch.arange(15) // 5, 3
    )
    drawn = Mixture("class-gaussian", Source(SHAPE, seeds), {})(60, seeded()).flatten(1)
    assert {int(row[:3].argmax()) for row in drawn} == {0, 1, 2}


def test_a_part_that_is_not_here_is_named():
    with pytest.raises(LookupError, match="'gaussian' needs gaussians"):
        Mixture("white+gaussian", Source(SHAPE), IMAGES)(3, seeded())


def test_a_blur_keeps_the_mean_of_a_flat_picture_and_spreads_a_point():
    point = torch.zeros(1, 1, 21, 21)
    point[0, 0, 10, 10] = 1
    spread = blurred(point, 2.0)
    places = torch.arange(21.0) - 10
    variance = (spread.sum((0, 1, 2)) * places**2).sum() / spread.sum()
    assert variance.sqrt() == pytest.approx(2.0, abs=0.05) and spread.sum() == pytest.approx(1.0, abs=1e-5)
    torch.testing.assert_close(blurred(torch.full((1, 1, 8, 8), 0.3), 3.0), torch.full((1, 1, 8, 8), 0.3))
    assert torch.equal(blurred(point, 0.0), point)


@pytest.mark.parametrize("sigma", [-1.0, WIDEST + 1, float("nan")])
def test_a_blur_out_of_range_is_refused(sigma):
    with pytest.raises(ValueError, match="blur"):
        blurred(torch.zeros(1, 1, 8, 8), sigma)


def test_colours_become_luma_and_grey_becomes_three_channels():
    red = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    red[:, 0] = 200
    assert scaled(red, SHAPE).unique().tolist() == [60]  # .299 x 200
    assert scaled(IMAGES["grey"], (3, 8, 8)).shape == (4, 3, 8, 8)
    assert scaled(IMAGES["grey"], (1, 4, 6)).unique().tolist() == [51]
    assert scaled(red, (3, 8, 8)) is not None and torch.equal(scaled(red, (3, 8, 8)), red)


def test_channels_that_are_no_picture_are_refused():
    with pytest.raises(ValueError, match="2 channels"):
        scaled(torch.zeros(1, 2, 4, 4, dtype=torch.uint8), SHAPE)
