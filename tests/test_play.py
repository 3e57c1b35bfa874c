"""The playground's games: they reach what the thesis says, moves come in any order, numbers change on the way."""

import json
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from cemviz.backend.checks import BadInput
from cemviz.backend.play import Playground, play, rules
from cemviz.backend.presets import PLAY
from cemviz.backend.requests import PlayRequest
from cemviz.metrics.game import LOG4


@cache
def settled(preset, turns):
    ground = Playground(PLAY[preset].rules, PLAY[preset].seed)
    ground.both(turns)
    return ground


def weights(ground):
    return torch.cat([p.detach().flatten() for p in ground.game.net.parameters()])


@pytest.mark.slow
def test_maximin_from_everywhere_has_no_spurious_maximum_at_minus_log_4():
    fresh = Playground(PLAY["maximin"].rules).view()
    assert fresh.stands.spurious > 0.2  # there was something to find
    view = settled("maximin", 250).view()
    assert view.stands.spurious == 0
    assert abs(view.stands.U + LOG4) <= 0.02
    assert abs(view.stands.D_support - 0.5) <= 0.02


@pytest.mark.slow
def test_maximin_from_a_corner_keeps_spurious_maxima_its_payoff_hides():
    view = settled("maximin-corner", 250).view()
    assert view.stands.spurious > 0.05
    assert abs(view.stands.U + LOG4) <= 0.05


def test_a_weak_attack_leaves_the_payoff_above_its_solution():
    assert settled("too-weak", 100).view().stands.U > -LOG4 + 0.3


def test_minimax_moves_kept_points_towards_p_data():
    small = replace(PLAY["minimax-corner"].rules, count=128, inner=30, shrink=1.0)
    ground = Playground(small)
    before = ground.view()
    for _ in range(8):
        ground.learn()
        ground.attack()
    after = ground.view()
    assert after.stands.distance < 0.7 * before.stands.distance
    np.testing.assert_array_equal(after.start, before.moved)  # p0 was drawn once
    assert np.linalg.norm(after.moved - after.start, axis=1).max() <= 8 * small.step + 1e-5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"step": -0.1}, "λ (step) is -0.1"),
        ({"steps": 10**6}, "K (steps) is 1000000"),
        ({"steps": math.nan}, "K (steps) is nan"),
        ({"steps": 2.5}, "whole"),
        ({"inner": 0}, "inner is 0"),
        ({"lr": math.inf}, "lr is inf"),
        ({"data": "moon"}, "choose one of"),
        ({"p0": "everywhere"}, "choose one of"),
        ({"rule": "minmax"}, "choose one of"),
    ],
)
def test_bad_numbers_name_the_value_and_the_range(changes, said):
    with pytest.raises(BadInput) as error:
        rules("maximin", **changes)
    assert said in str(error.value)


def test_rules_change_what_is_asked_and_nothing_else():
    assert rules("maximin", steps=5, lr=None) == replace(PLAY["maximin"].rules, steps=5)
    with pytest.raises(BadInput):
        rules("nonsense")


def test_a_change_keeps_net_points_and_turn_and_counts_from_the_next_move():
    ground = Playground()
    ground.both(2)
    net, kept = ground.game.net, weights(ground)
    ground.change(steps=3, step=0.1, inner=2, lr=1e-2)
    assert ground.game.net is net and torch.equal(weights(ground), kept) and ground.game.turn == 2
    ground.attack()
    assert ground.game.path.shape[0] == 4
    assert (ground.game.path[1:] - ground.game.path[:-1]).norm(dim=2).max() <= 0.1 + 1e-6
    updates = ground.game.updates
    ground.learn()
    assert ground.game.updates == updates + 2
    assert [group["lr"] for group in ground.game.optimizer.param_groups] == [1e-2]


def test_a_refused_change_changes_nothing():
    ground = Playground()
    before = ground.game.rules
    with pytest.raises(BadInput):
        ground.change(steps=5, step=-1)
    with pytest.raises(ValueError, match="p0 cannot change"):
        ground.change(p0="corner")
    assert ground.game.rules == before


def test_a_refused_seed_keeps_the_game():
    ground = Playground()
    ground.both(2)
    with pytest.raises(BadInput, match="seed"):
        ground.reset(PLAY["rings"].rules, -1)
    assert ground.game.turn == 2 and ground.game.rules == PLAY["maximin"].rules


def test_either_player_may_begin():
    ground = Playground()
    ground.learn()
    assert (ground.game.turn, ground.game.updates) == (0, 1)
    ground.attack()
    ground.attack()
    assert (ground.game.turn, ground.game.updates) == (2, 1)


def test_the_command_line_gets_the_contract_s_fields():
    step, result = play(None, PlayRequest("maximin", steps=21))
    assert (step.done, step.total, result["steps"]) == (20, 21, 21)
    assert {"U", "D_support", "spurious", "distance", "steps", "seconds"} <= set(result)
    json.dumps(result, allow_nan=False)
    assert list(play(None, PlayRequest("maximin", seconds=0)))[-1]["steps"] == 1
    with pytest.raises(BadInput):
        next(play(None, PlayRequest("maximin", steps=0)))


@pytest.mark.parametrize("named", [{"data": "rings"}, {"p0": "corner@1,1"}, {"data": "painted:" + "_" * 342, "p0": "ring"}])
def test_the_command_line_plays_with_the_densities_it_names(named):
    *_, result = play(None, PlayRequest("too-weak", steps=2, **named))
    ground = Playground(rules("too-weak", **named))
    ground.both(2)
    stands = ground.game.standing()
    assert (result["U"], result["variation"]) == pytest.approx((stands.U, stands.variation))
    assert (ground.rules.data, ground.rules.p0) == (named.get("data", "gaussian"), named.get("p0", "uniform"))
