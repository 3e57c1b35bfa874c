"""Painted densities: the name holds the painting, depths are proportions, and a name that is none is refused in one line."""

import math

import pytest
import torch
from conftest import seeded

from cemviz.backend.checks import BadInput
from cemviz.backend.play import play
from cemviz.backend.requests import PlayRequest, RulesRequest
from cemviz.data.named import on_support, p_data
from cemviz.data.painted import CELLS, DEEPEST, LETTERS, PREFIX, depths_of, name_of
from cemviz.metrics.game import standing
from cemviz.training.game import Game, Rules


def drawing(seed: int = 0):
    return torch.randint(0, DEEPEST + 1, (CELLS, CELLS), generator=seeded(seed))


def cells(*marked):
    """A name with some cells painted: (row from below, column, depth)."""
    depths = torch.zeros(CELLS, CELLS, dtype=torch.int64)
    for row, column, depth in marked:
        depths[row, column] = depth
    return name_of(depths)


def test_the_name_holds_the_painting_and_is_short():
    name = name_of(drawing())
    assert torch.equal(depths_of(name), drawing()) and name.startswith(PREFIX) and len(name) == len(PREFIX) + LETTERS == 350
    assert name_of(depths_of(name)) == name != name_of(drawing(1))


def test_rows_are_counted_from_below_and_columns_from_the_left():
    toy = p_data(cells((0, 31, 1)))
    x = toy.sample(100, seeded())
    assert (x[:, 0] >= 3 - 6 / CELLS).all() and (x[:, 1] <= -3 + 6 / CELLS).all()


def test_a_cell_painted_three_times_is_three_times_as_dense():
    toy = p_data(cells((0, 0, 1), (0, 1, 3)))
    corner, cell = torch.tensor([-3.0, -3.0]), 6 / CELLS
    log_p = toy.log_prob(corner + torch.tensor([[0.5 * cell, 0.5 * cell], [1.5 * cell, 0.5 * cell], [2.5 * cell, 0.5 * cell]]))
    assert log_p.exp().tolist() == pytest.approx([1 / (4 * cell**2), 3 / (4 * cell**2), 0])
    assert log_p[2] == -math.inf


def test_draws_never_fall_where_nothing_is_painted():
    toy = p_data(cells((30, 30, 1)))  # where a float of 32 bits is coarse
    assert toy.log_prob(toy.sample(1_000_000, seeded(1))).isfinite().all()


def test_the_support_leaves_out_what_has_less_than_a_hundredth():
    rows = [(row, column, 3) for row in range(10) for column in range(20)]
    x = torch.tensor([[-2.9, -2.9], [2.9, 2.9]])
    assert on_support(cells(*rows, (31, 31, 1)), x).tolist() == [True, False]
    assert on_support(cells((0, 0, 3), (31, 31, 1)), x).tolist() == [True, True]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (PREFIX, "342 letters"),
        (PREFIX + "A" * (LETTERS - 1), "342 letters"),
        (PREFIX + "A" * 100_000, "342 letters"),
        (PREFIX + "A" * LETTERS + "==", "342 letters"),
        (PREFIX + "!" * LETTERS, "342 letters"),
        (PREFIX + "A" * LETTERS, "empty painting; paint at least one cell"),
        ("moon", "choose one of gaussian, mixture"),
        ("", "choose one of gaussian, mixture"),
        (5, "choose one of"),
    ],
)
def test_a_name_that_is_none_is_refused_in_one_short_line(name, said):
    for kind in (RulesRequest, PlayRequest):
        with pytest.raises(BadInput, match=said) as error:
            kind(data=name)
        assert error.value.field == "data" and len(str(error.value)) < 200 and str(error.value).startswith("data is ")


def test_a_painting_that_fills_the_box_leaves_no_outside():
    rules = Rules(data=name_of(torch.ones(CELLS, CELLS, dtype=torch.int64)), count=64, width=8)
    game = Game(rules)
    game.attack()
    game.learn()
    stands = game.standing()
    assert stands.spurious == 0 and math.isfinite(stands.D_support) and math.isfinite(stands.variation)
    assert standing(game.net, rules.data, game.x_data, game.moved, game.x_data).D_support == pytest.approx(stands.D_support)


@pytest.mark.slow
def test_maximin_learns_the_support_of_a_painting():
    name = cells(*((row, column, 1 + (column > 12)) for row in range(10, 20) for column in range(6, 20)))
    stands = list(play(None, PlayRequest("maximin", data=name, steps=180)))[-1]
    assert abs(stands["U"] + math.log(4)) < 0.03 and abs(stands["D_support"] - 0.5) < 0.03 and stands["spurious"] < 0.02
