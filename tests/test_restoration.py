"""Restoration in numbers: SSIM against torchmetrics and by hand, a hole and its surroundings, and the searches of Table 2.8."""

import math

import pytest
import torch
from conftest import rand, randn

from cemviz.metrics.restoration import BASELINES, change, mean, split
from cemviz.metrics.similarity import similarity, similarity_map

X, Y = rand(3, 3, 12, 14), rand(3, 3, 12, 14, seed=1)
HOLE = torch.zeros(12, 14, dtype=torch.bool)
HOLE[2:6, 3:9] = True


@pytest.mark.parametrize("channels", [1, 3])
def test_similarity_is_that_of_torchmetrics(channels):
    from torchmetrics.functional.image import structural_similarity_index_measure

    x, y = X[:, :channels], (0.7 * X + 0.3 * Y)[:, :channels]
    whole, places = structural_similarity_index_measure(x, y, data_range=1.0, reduction="none", return_full_image=True)
    torch.testing.assert_close(similarity(x, y), whole, check_dtype=False, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(similarity_map(x, y), places.mean(1), check_dtype=False, rtol=1e-5, atol=1e-6)


def test_similarity_at_a_pixel_is_the_formula_written_out():
    x, y, (i, j) = X[0, 0], Y[0, 0], (6, 7)
    weights = {(u, v): math.exp(-(u * u + v * v) / 4.5) for u in range(-5, 6) for v in range(-5, 6)}
    total = sum(weights.values())

    def expected(f):
        return sum(w * f(float(x[i + u, j + v]), float(y[i + u, j + v])) for (u, v), w in weights.items()) / total

    m, n = expected(lambda a, b: a), expected(lambda a, b: b)
    a, b, ab = (
        expected(lambda p, q: p * p) - m * m,
        expected(lambda p, q: q * q) - n * n,
        expected(lambda p, q: p * q) - m * n,
    )
    by_hand = (2 * m * n + 1e-4) * (2 * ab + 9e-4) / ((m * m + n * n + 1e-4) * (a + b + 9e-4))
    assert similarity_map(X[:1, :1], Y[:1, :1])[0, i, j].item() == pytest.approx(by_hand, rel=1e-9)


def test_an_image_is_like_itself_and_noise_makes_it_less_so():
    assert similarity(X, X).tolist() == pytest.approx([1.0] * 3)
    assert similarity(torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8)).tolist() == [1.0, 1.0]
    noise = randn(3, 3, 12, 14, seed=2)
    near, far = (similarity((X + s * noise).clamp(0, 1), X) for s in (0.05, 0.3))
    assert (far < near).all() and (near < 1).all()


@pytest.mark.parametrize(("x", "y"), [((1, 1, 5, 9), (1, 1, 5, 9)), ((2, 1, 8, 8), (1, 1, 8, 8)), ((1, 8, 8), (1, 8, 8))])
def test_images_that_cannot_be_compared_are_refused(x, y):
    with pytest.raises(ValueError, match="at least 6 pixels an edge"):
        similarity(torch.zeros(x), torch.zeros(y))


def test_a_mean_scatters_by_its_standard_error():
    found = mean(torch.tensor([1.0, 2, 3, 6]))
    assert (found.value, found.count) == (3.0, 4) and found.error == pytest.approx((14 / 3) ** 0.5 / 2)
    assert found.interval == pytest.approx((3 - 1.96 * found.error, 3 + 1.96 * found.error))
    assert math.isnan(mean(torch.ones(1)).error)
    with pytest.raises(ValueError, match="at least 1"):
        mean(torch.ones(0))


def test_pixels_in_a_hole_are_counted_apart():
    values = torch.where(HOLE, 5.0, torch.tensor([1.0, 2, 3])[:, None, None])
    inside, outside = split(values, HOLE)
    assert inside.tolist() == [5, 5, 5] and outside.tolist() == pytest.approx([1, 2, 3])
    each = torch.stack([HOLE, ~HOLE, HOLE])
    assert split(values, each)[0].tolist() == pytest.approx([5, 2, 5])
    share = HOLE.float().mean()
    torch.testing.assert_close(share * inside + (1 - share) * outside, values.mean((1, 2)))


@pytest.mark.parametrize("full", [False, True])
def test_a_hole_of_nothing_or_everything_is_refused(full):
    with pytest.raises(ValueError, match="give some, and not all"):
        split(torch.zeros(1, 4, 4), torch.full((4, 4), full))


def test_a_change_is_the_absolute_difference():
    assert change(torch.tensor([[[[0.0]], [[1.0]]]]), torch.tensor([[[[0.5]], [[0.2]]]])).item() == pytest.approx(0.65)


def searched():
    """A truth, a set with one image equal in the hole, one near as a whole, one near the occluded image."""
    truth = rand(1, 1, 12, 14, seed=3)
    occluded = torch.where(HOLE, 0.0, truth)
    equal_inside = torch.where(HOLE, truth, 1 - truth)
    near = (truth + 0.02).clamp(0, 1)
    images = torch.cat([equal_inside, near, occluded, rand(5, 1, 12, 14, seed=4)])
    return truth, occluded, images


def test_the_three_searches_find_what_each_is_given():
    truth, occluded, images = searched()
    patch, original, blind = (search(truth, occluded, HOLE, images) for search in BASELINES.values())
    torch.testing.assert_close(patch, truth)  # the surroundings are the occluded image's own
    torch.testing.assert_close(original, images[1:2])
    torch.testing.assert_close(blind, occluded)


def test_searches_take_bytes_and_give_images():
    truth, occluded, images = searched()
    pixels = (images * 255).round().byte()
    for search in BASELINES.values():
        found = search(truth, occluded, HOLE, pixels)
        assert found.dtype == truth.dtype and found.max() <= 1
        torch.testing.assert_close(found, search(truth, occluded, HOLE, pixels.double() / 255))
