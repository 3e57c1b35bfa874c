"""A p0 that was dragged: its name is its place, it stays in the box, and a place that is none is refused in one line."""

import math

import pytest
import torch
from conftest import rand, seeded

from cemviz.backend.checks import BadInput
from cemviz.backend.requests import PlayRequest, RulesRequest
from cemviz.data.named import p0
from cemviz.data.placed import LEAST, name_at, place_of
from cemviz.data.toys import BOX, P0S
from cemviz.training.game import Game, Rules


@pytest.mark.parametrize("name", [*P0S, "corner@1,-1,2", "uniform@1,0.5,0.4"])
def test_a_p0_knows_its_middle_and_how_far_it_reaches(name):
    toy = p0(name)
    x = toy.sample(20_000, seeded())
    assert x.mean(0).tolist() == pytest.approx(list(toy.centre), abs=0.1)
    outside = ((x - torch.tensor(toy.centre)).abs() > toy.reach + 1e-6).any(1).double().mean().item()
    assert outside < 0.1 and (x - torch.tensor(toy.centre)).abs().max() > 0.95 * toy.reach


@pytest.mark.parametrize("row", P0S)
def test_a_row_at_its_own_place_is_itself(row):
    assert name_at(row, *P0S[row].centre) == row and p0(row) is P0S[row]
    assert place_of(row) == (row, *P0S[row].centre, 1.0)


@pytest.mark.parametrize("row", P0S)
def test_any_place_becomes_a_name_that_stays_in_the_box(row):
    for x, y, size in (rand(300, 3, seed=5) * 10 - 4).tolist():
        name = name_at(row, x, y, size)
        again, u, v, scale = place_of(name)
        assert again == row and name_at(row, u, v, scale) == name and len(name) < 30
        assert max(abs(u), abs(v)) + scale * P0S[row].reach <= BOX + 1e-6
        assert scale * P0S[row].reach >= LEAST - 1e-6


def test_a_place_with_room_is_kept_to_two_digits():
    assert name_at("corner", 1.234, -0.001, 1.5) == "corner@1.23,0,1.5" and name_at("corner", 1, 1) == "corner@1,1"
    assert name_at("uniform", 1, 0) == "uniform@1,0,0.66"  # as large as there is room


def test_points_move_and_stretch_with_their_p0():
    own, moved = P0S["ring"].sample(50, seeded(2)), p0("ring@1,-0.5,0.5").sample(50, seeded(2))
    torch.testing.assert_close(moved, torch.tensor([1.0, -0.5]) + 0.5 * own)


def test_attacks_start_where_p0_was_dragged_to():
    game = Game(Rules(p0="corner@1,1.5,0.5", count=500, width=4))
    game.attack()
    assert game.path[0].mean(0).tolist() == pytest.approx([1, 1.5], abs=0.05)
    assert game.path[0].std(0).tolist() == pytest.approx([0.125, 0.125], rel=0.2)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("moon@1,1", "choose one of uniform, corner"),
        ("everywhere", "choose one of uniform, corner"),
        ("corner@", "two digits"),
        ("corner@1", "two digits"),
        ("corner@1,nan", "two digits"),
        ("corner@1,1e9", "two digits"),
        ("corner@1,1.234", "two digits"),
        ("corner@1,1,1,1", "two digits"),
        ("corner@9,0", "give x and y from -2.8 to 2.8"),
        ("corner@1,1,0", "size from 0.4 to 4"),
        ("corner@1,1,9", "size from 0.4 to 4"),
        ("uniform@1,0", "of size 1; give a size from 0.07 to 0.66"),
        ("x" * 10_000, "choose one of"),
    ],
)
def test_a_place_that_is_none_is_refused_in_one_short_line(name, said):
    for kind in (RulesRequest, PlayRequest):
        with pytest.raises(BadInput, match=said) as error:
            kind(p0=name)
        assert error.value.field == "p0" and len(str(error.value)) < 200


@pytest.mark.parametrize("place", [(math.nan, 0, 1), (0, math.inf, 1), (0, 0, math.nan)])
def test_no_name_for_what_is_no_number(place):
    with pytest.raises(ValueError, match="finite"):
        name_at("corner", *place)
