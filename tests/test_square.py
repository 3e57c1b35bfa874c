"""The Square attack: its schedule and pyramids by hand, its moves within the ball, its queries counted."""

import math
from itertools import pairwise

import pytest
import torch
from climbs import NORMS
from conftest import rand, seeded, toy_classifier

from cemviz.attacks import threat
from cemviz.draws import Each
from cemviz.dynamics import length
from cemviz.energies import on
from cemviz.margins import margin
from cemviz.square import _patch, _pyramid, _stripes, _tiles, pyramids, side, square

X = rand(6, 2, 12, 12, seed=1)
HARD = lambda x: 5 + x.flatten(1).sum(1) * 0 + (x.flatten(1) - 0.5).square().mean(1)  # noqa: E731  # never below 0


def test_the_squares_have_the_papers_sides():
    marks = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
    for i, mark in enumerate(marks):
        assert side(mark, 10_000, 500, 500) == round(500 * (0.8 / 2**i) ** 0.5)
        assert side(mark + 1, 10_000, 500, 500) == round(500 * (0.8 / 2 ** (i + 1)) ** 0.5)
    assert [side(k, 100, 50, 50) for k in (0, 1, 10)] == [side(100 * k, 10_000, 50, 50) for k in (0, 1, 10)]
    assert side(0, 10, 3, 40) == 3 and side(9999, 10_000, 4, 4) == 1


def test_a_pyramid_of_side_5_is_the_papers_sum_by_hand():
    one, two, three = 1 / 9, 1 / 9 + 1 / 4, 1 / 9 + 1 / 4 + 1
    upper = [[one, two, two, two, one], [one, two, three, two, one]]
    lower = [[one, two, two, two, one], [one, two, three, two, one], [one, two, two, two, one]]
    by_hand = torch.tensor(upper + [[-v for v in row] for row in lower], dtype=torch.float64)
    torch.testing.assert_close(pyramids(5), by_hand / by_hand.norm(), rtol=0, atol=1e-12)


def test_the_first_query_is_of_stripes_or_of_tiles_as_long_as_the_radius():
    delta = _stripes(X, 0.1, seeded()) - X
    torch.testing.assert_close(delta.abs(), torch.full_like(X, 0.1))
    assert torch.equal(delta.sign(), delta[:, :, :1].sign().expand_as(X)) and delta[:, 0].sign().unique().numel() == 2
    delta = _tiles(X, 2.0, seeded()) - X
    torch.testing.assert_close(length(delta), torch.full((6,), 2.0, dtype=X.dtype))
    tile = delta.view(6, 2, 6, 2, 6, 2)  # image, channel, tile and row in it, tile and column in it
    torch.testing.assert_close(tile.square().sum((3, 5)), torch.full((6, 2, 6, 6), 4 / 72, dtype=X.dtype))
    assert not torch.equal(delta[0].sign(), delta[1].sign())


def test_a_patch_sets_one_square_to_the_edge_and_leaves_the_rest():
    x = (X + 0.02).clone()
    moved = _patch(x, X, 0.1, 4, seeded())
    changed = moved != x
    assert (changed.flatten(2).sum(2) == 16).all()
    for image in changed[:, 0]:
        rows, columns = image.any(1).nonzero().flatten(), image.any(0).nonzero().flatten()
        assert rows.max() - rows.min() == 3 and columns.max() - columns.min() == 3
    torch.testing.assert_close((moved - X)[changed].abs(), torch.full((6 * 2 * 16,), 0.1, dtype=X.dtype))
    signs = (moved - X).sign()[changed].view(6, 2, 16)
    assert (signs == signs[..., :1]).all() and (signs[:, 0] != signs[:, 1]).any()


def test_a_pyramid_spends_what_two_squares_and_the_rest_of_the_budget_have():
    """Algorithm 3: the length is the radius again, whatever was cut off before; outside the squares nothing moves."""
    delta = 0.3 * torch.randn(X.shape, generator=seeded(3), dtype=X.dtype)
    delta *= 0.8 / length(delta).view(-1, 1, 1, 1)
    moved = _pyramid(X + delta, X, 1.0, 4, seeded()) - X
    torch.testing.assert_close(length(moved), torch.ones(6, dtype=X.dtype), rtol=0, atol=1e-9)
    changed = (moved - delta).abs() > 1e-12
    assert (changed.flatten(2).sum(2) <= 2 * 25).all() and (changed.flatten(2).sum(2) >= 25).all()
    emptied = (moved.abs() < 1e-15) & changed  # the second square, but where the first lies over it
    assert emptied.any() and (changed & ~emptied).flatten(2).sum(2).max() == 25


def test_a_pyramid_joins_what_its_square_holds_already():
    """Where both squares are the whole image the result is known but for turn and sign."""
    x0 = rand(4, 2, 5, 5, seed=2)
    delta = 0.2 * torch.randn(x0.shape, generator=seeded(3), dtype=x0.dtype)
    moved = _pyramid(x0 + delta, x0, 3.0, 5, seeded()) - x0
    norms = delta.flatten(2).norm(dim=2)
    budget = (norms.square() + (9 - norms.square().sum(1, keepdim=True)) / 2).sqrt()
    for i in range(4):
        for c in range(2):
            ways = [sign * tip + delta[i, c] / norms[i, c] for sign in (1, -1) for tip in (pyramids(5), pyramids(5).T)]
            assert min((moved[i, c] - budget[i, c] * way / way.norm()).abs().max() for way in ways) < 1e-9


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_images_as_small_as_a_few_pixels_are_moved_too(size):
    x = rand(3, 1, size, size + 1, seed=2)
    for norm in NORMS:
        *_, last = square(HARD, x, threat("square", norm, 0.3, 20), generator=seeded())
        assert (length(last.x - x, norm) <= 0.3 + 1e-9).all() and not torch.equal(last.x, x)


@pytest.mark.parametrize("norm", NORMS)
def test_energies_are_those_of_the_points_and_fall_after_the_first_query(norm):
    net = toy_classifier((2, 12, 12))
    y = net(X).argmax(1)
    energy = on(net, margin, y)
    states = list(square(energy, X, threat("square", norm, 0.05, 60), generator=seeded()))
    assert len(states) == 61 and len({s.energy[0].item() for s in states}) > 3
    for before, s in pairwise(states):
        torch.testing.assert_close(s.energy, energy(s.x).detach(), rtol=0, atol=1e-12)
        assert s.k == 1 or (s.energy <= before.energy).all()
        assert not s.grad.any()


@pytest.mark.parametrize("norm", NORMS)
def test_queries_are_k_plus_1_and_none_once_the_label_has_lost(norm):
    asked = []
    energy = lambda x: asked.append(len(x)) or HARD(x)  # noqa: E731
    list(square(energy, X, threat("square", norm, 0.3, 25), generator=seeded()))
    assert asked == [6] * 26

    counts, turns = [], torch.arange(6, dtype=X.dtype).view(6, 1, 1, 1)

    def net(x):
        """The label of the image whose turn is t loses at the third query after t more."""
        counts.append(len(x))
        turn = (x.mean((1, 2, 3)) * 10).round()
        return torch.stack([turn * 0 + 0.5, (len(counts) - 3 > turn).to(x)], 1)

    y = torch.zeros(6, dtype=torch.int64)
    *_, last = square(on(net, margin, y), 0 * X + turns / 10, threat("square", norm, 0.01, 25), generator=seeded())
    assert counts == [6, 6, 6, 6, 5, 4, 3, 2, 1] and (last.energy < 0).all()


def test_a_chain_draws_the_same_in_any_batch():
    """Also where another image is done: its energy is below 0 from the start."""
    lost = (X - X[:1]).flatten(1).norm(dim=1) == 0
    energy, dyn = lambda x: HARD(x) - 9 * lost[: len(x)] * (len(x) == 6), threat("square", "l2", 0.5, 12)
    *_, whole = square(energy, X, dyn, generator=Each(0, range(6)))
    *_, part = square(HARD, X[2:4], dyn, generator=Each(0, [2, 3]))
    assert torch.equal(whole.x[0], X[0])
    torch.testing.assert_close(part.x, whole.x[2:4], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("norm", "share"), [("linf", 0.7), ("l2", 0.25)])
def test_a_linear_energy_comes_near_to_its_least_value_in_the_ball(norm, share):
    w = torch.ones(2, 12, 12, dtype=torch.float64)
    w[1] = -2
    x0, radius = torch.full((2, 2, 12, 12), 0.5, dtype=torch.float64), 0.1
    energy = lambda x: 100 + ((x - x0) * w).flatten(1).sum(1)  # noqa: E731
    *_, last = square(energy, x0, threat("square", norm, radius, 300), generator=seeded())
    most = radius * (w.abs().sum() if norm == "linf" else w.norm())
    assert ((100 - last.energy) / most > share).all() and ((100 - last.energy) <= most + 1e-9).all()


def test_a_proposal_that_is_not_a_number_is_left_aside():
    calls = []
    energy = lambda x: HARD(x) * (math.nan if calls.append(1) or len(calls) > 4 else 1)  # noqa: E731
    *_, last = square(energy, X, threat("square", "linf", 0.1, 20), generator=seeded())
    assert last.energy.isfinite().all() and last.x.isfinite().all()
