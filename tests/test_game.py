"""The 2D games: payoff and distance by hand, the moves of both algorithms, and what each must reach."""

import math
import re
from threading import Thread
from typing import get_args

import pytest
import torch
from conftest import randn, seeded

from cemviz.backend.device import one_core
from cemviz.data.toys import BOX, P0S, TOYS
from cemviz.dynamics import Diverged, descend, length, slope
from cemviz.energies import binary, on
from cemviz.metrics.game import LOG4, energy_distance, grid, standing, utility
from cemviz.training.game import GUARD, Game, Rule, Rules

MINIMAX = Rules(rule="minimax", count=1024, inner=100, lr=1e-3, step=0.3, shrink=0.94, width=32, gain=1.0)


def play(rules, turns, seed=0):
    game = Game(rules, seed)
    for _ in range(turns):
        game.attack()
        game.learn()
    return game


# measures ----------------------------------------------------------------------------------------------------------------


def test_utility_is_log_d_on_data_plus_log_of_one_minus_d_on_moved_points():
    data, moved = torch.tensor([[0.3], [2.0]]), torch.tensor([[-1.0], [0.0], [1.5]])
    sigmoid = lambda t: 1 / (1 + math.exp(-t))  # noqa: E731
    expected = sum(math.log(sigmoid(t)) for t in (0.3, 2.0)) / 2 + sum(math.log(1 - sigmoid(t)) for t in (-1, 0, 1.5)) / 3
    assert utility(data, moved).item() == pytest.approx(expected, rel=1e-5)


def test_utility_is_minus_log_4_at_one_half_and_finite_for_huge_logits():
    assert utility(torch.zeros(4, 1), torch.zeros(3, 1)).item() == pytest.approx(-math.log(4)) == pytest.approx(-LOG4)
    assert utility(torch.full((2, 1), -1e4), torch.full((2, 1), 1e4)).isfinite()


def test_energy_distance_equals_a_double_loop_and_is_zero_for_one_sample():
    x, y = randn(6, 2, seed=1), randn(4, 2, seed=2) + 1
    mean = lambda a, b: sum((p - q).norm().item() for p in a for q in b) / (len(a) * len(b))  # noqa: E731
    assert energy_distance(x, y) == pytest.approx(2 * mean(x, y) - mean(x, x) - mean(y, y))
    assert energy_distance(x, x) == pytest.approx(0, abs=1e-12)
    assert energy_distance(torch.zeros(3, 2), torch.tensor([[3.0, 4.0]]).expand(5, 2)) == pytest.approx(10)


def test_the_grid_covers_the_box_row_by_row_from_below():
    g = grid(5)
    assert g[0].tolist() == [-BOX, -BOX] and g[1].tolist() == [-1.5, -3] and g[-1].tolist() == [BOX, BOX] and len(g) == 25


class Step(torch.nn.Module):
    """D = 1/2 within 1.2 of the origin (the Gaussian's support has radius .4 sqrt(-2 log .01) = 1.214), `far` beyond x = 2."""

    def __init__(self, far):
        super().__init__()
        self.far = far

    def forward(self, x):
        return torch.where(x[:, :1] > 2, self.far, torch.where(x.norm(dim=1, keepdim=True) < 1.3, 0.0, -4.0))


@pytest.mark.parametrize(("far", "share"), [(4.0, (1 / 6) / (1 - math.pi * 1.214**2 / 36)), (0.0, 0.0), (0.03, 0.0)])
def test_spurious_is_the_share_of_area_off_support_with_d_above_51_percent(far, share):
    x = TOYS["gaussian"].sample(500, seeded())
    s = standing(Step(far), "gaussian", x, x, x)
    assert s.D_support == pytest.approx(0.5, abs=1e-6) and s.distance == pytest.approx(0, abs=1e-5)
    assert s.spurious == pytest.approx(share, abs=0.006)  # the grid's resolution


# moves -------------------------------------------------------------------------------------------------------------------


def test_the_maximin_attack_climbs_f_from_fresh_p0_by_k_steps_of_lambda():
    game = Game(Rules(p0="corner", steps=6, step=0.1), 1)
    first, second = game.attack().clone(), game.attack()
    assert first.shape == (7, 256, 2) and not torch.equal(first[0], second[0])
    assert P0S["corner"].log_prob(first[0]).isfinite().all() and first[0].mean(0).sub(-2.3).abs().max() < 0.1
    moves = (first[1:] - first[:-1]).flatten(0, 1)
    assert (length(moves) <= 0.1 + 1e-5).all() and length(moves).median() == pytest.approx(0.1, abs=1e-5)
    assert (length(first[-1] - first[0]) <= 0.6 + 1e-4).all()  # travel bound of thesis (2.8): lambda K
    f = game.net(first[-1]) - game.net(first[0])
    assert (f > 0).float().mean() > 0.9


def test_the_minimax_attack_moves_the_kept_points_by_one_step_that_shrinks():
    game = Game(Rules(rule="minimax", step=0.2, shrink=0.5), 1)
    start = game.moved
    one = game.attack()
    assert one.shape == (2, 256, 2) and torch.equal(one[0], start)
    two = game.attack()
    assert torch.equal(two[0], one[1])
    inside = (two[1].abs() < BOX).all(1) & (one[1].abs() < BOX).all(1)
    torch.testing.assert_close(length(one[1] - one[0])[inside], torch.full((int(inside.sum()),), 0.2), rtol=0, atol=1e-5)
    torch.testing.assert_close(length(two[1] - two[0])[inside], torch.full((int(inside.sum()),), 0.1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("rule", get_args(Rule))
def test_an_attack_is_the_descent_of_minus_f_by_autograd(rule):
    game = Game(Rules(rule=rule, steps=12), 1)
    for _ in range(3):
        game.attack()
        game.learn()
    path = game.attack()
    oracle = descend(on(game.net, binary), path[0], game.rules.dynamics(game.turn - 1))
    torch.testing.assert_close(path, torch.stack([state.x for state in oracle]), rtol=0, atol=1e-4)
    f = game.net(path[-1]).squeeze(1)
    energy, grad = game.energy.slope(path[-1])
    by_graph = slope(on(game.net, binary), path[-1])[1]
    torch.testing.assert_close(energy, -f.detach())
    torch.testing.assert_close(grad, by_graph, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(game.energy(path[-1]), -f)


@pytest.mark.parametrize("rule", ["maximin", "minimax"])
def test_learning_raises_u_on_the_points_in_play_and_counts_its_updates(rule):
    game = Game(Rules(rule=rule, inner=40), 1)
    game.attack()
    before = utility(game.net(game.x_data), game.net(game.moved)).item()
    data = game.x_data
    assert game.learn() > before + 0.05 and game.updates == 40 and game.turn == 1
    assert torch.equal(data, game.x_data) == (rule == "minimax")  # Algorithm 2 keeps its draws of p_data


def test_a_game_depends_on_its_seed_alone_and_spares_global_randomness():
    before = torch.get_rng_state()
    a, b, c = (play(Rules(), 3, seed) for seed in (1, 1, 2))
    assert torch.equal(a.path, b.path) and not torch.equal(a.path, c.path) and a.standing() == b.standing()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["rule", "objective", "negatives"])
def test_a_kind_of_game_that_there_is_not_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} is 'other'; choose "):
        Rules(**{name: "other"})


def test_langevin_negatives_are_the_thesis_chain_of_half_a_step_and_noise_of_its_root():
    rules = Rules(steps=4, step=0.02, negatives="langevin")
    game = Game(rules, 1)
    path = game.attack()
    again = Game(rules, 1)
    x = P0S["uniform"].sample(rules.count, again.generator).clamp(-BOX, BOX)
    for k in range(5):
        torch.testing.assert_close(path[k], x, rtol=0, atol=1e-5)
        up = -slope(on(again.net, binary), x)[1]
        x = (x + 0.01 * up + math.sqrt(0.02) * torch.randn(x.shape, generator=again.generator)).clamp(-BOX, BOX)


def gradients(objective):
    game = Game(Rules(objective=objective), 1)
    game.optimizer = torch.optim.SGD(game.net.parameters(), lr=1.0)
    game.attack()
    before = [w.detach().clone() for w in game.net.parameters()]
    game.learn()
    return game, [w.detach() - b for w, b in zip(game.net.parameters(), before, strict=True)]


@pytest.mark.parametrize("objective", ["logistic", "likelihood"])
def test_the_two_objectives_differ_by_the_scales_of_their_terms(objective):
    """(2.18): E[(1 - D) grad f] - E[D grad f], the scales held fast; (2.2): the same with both at 1."""
    game, raised = gradients(objective)
    net = Game(game.rules, 1).net  # as it was before
    f_data, f_moved = net(game.x_data), net(game.moved)
    scale = (1 - f_data.sigmoid(), f_moved.sigmoid()) if objective == "logistic" else (1.0, 1.0)
    by_hand = [torch.as_tensor(part).detach() for part in scale]
    expected = torch.autograd.grad((by_hand[0] * f_data).mean() - (by_hand[1] * f_moved).mean(), list(net.parameters()))
    for mine, its in zip(raised, expected, strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-3, atol=1e-5)


def test_the_guard_ends_a_game_whose_f_has_grown_or_is_not_finite():
    for bias in (GUARD * 1.1, math.nan):
        game = Game(Rules(), 1)
        with torch.no_grad():
            game.net[-1].bias.fill_(bias)
        with pytest.raises(Diverged, match="above 1000; reset and lower lr"):
            game.learn()
        assert game.updates == 0


# what they reach ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def maximin():
    return {p0: [play(Rules(p0=p0), 150, seed).standing() for seed in (0, 1, 2)] for p0 in ("uniform", "corner")}


@pytest.mark.slow
def test_maximin_reaches_minus_log_4_with_d_one_half_on_the_support(maximin):
    for s in maximin["uniform"]:
        assert abs(s.U + math.log(4)) <= 0.02 and abs(s.D_support - 0.5) <= 0.02


@pytest.mark.slow
def test_maximin_leaves_no_spurious_maxima_for_uniform_p0_but_for_a_corner(maximin):
    assert [s.spurious for s in maximin["uniform"]] == [0, 0, 0]
    assert sum(s.spurious for s in maximin["corner"]) / 3 > 0.05  # a seed may end without any


@pytest.mark.slow
def test_minimax_brings_p_t_within_twice_the_distance_of_two_data_draws():
    game = play(MINIMAX, 45, seed=1)
    draw = lambda n, seed: TOYS["gaussian"].sample(n, seeded(seed))  # noqa: E731
    of_draws = sum(energy_distance(draw(1024, 100 + s), draw(1000, 200 + s)) for s in range(10)) / 10
    assert game.standing().distance <= 2 * of_draws


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_one_weak_attack_explodes_under_the_ebm_objective_and_not_under_the_logistic_one(seed):
    with pytest.raises(Diverged):
        play(Rules(steps=5, step=0.05, objective="likelihood"), 150, seed)
    calm = play(Rules(steps=5, step=0.05), 150, seed).standing()
    assert abs(calm.gap) < 30 and calm.scale_data < 0.2  # told apart, and no longer pushed


@pytest.mark.slow
def test_the_ebm_objective_stays_finite_where_the_attack_reaches_the_data():
    assert abs(play(Rules(objective="likelihood"), 150).standing().gap) < 0.2


@pytest.mark.slow
def test_langevin_negatives_learn_the_density_and_the_attack_its_support_alone():
    langevin = Rules(steps=40, step=0.02, lr=1e-3, gain=1.0, objective="likelihood", negatives="langevin")
    assert play(langevin, 200).standing().variation < 0.12
    assert play(Rules(), 200).standing().variation > 0.6


@pytest.mark.parametrize(("change", "words"), [({"rule": "maxmin"}, "choose maximin or minimax"), ({"inner": 0}, "inner is 0")])
def test_rules_that_no_algorithm_has_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        Rules(**change)


def test_a_game_may_compute_on_one_core_and_leaves_other_threads_theirs():
    cores = lambda: int(re.search(r"omp_get_max_threads\(\) : (\d+)", torch.__config__.parallel_info())[1])  # noqa: E731
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(3)
    try:
        with one_core():
            assert cores() == 1
            other = Thread(target=lambda: seen.append((torch.get_num_threads(), cores())))
            other.start(), other.join()
        assert seen == [(3, 3)] and (torch.get_num_threads(), cores()) == (3, 3)
    finally:
        torch.set_num_threads(before)
