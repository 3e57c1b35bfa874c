"""Binary training at image scale: Algorithm 1 line by line, Algorithm 3's K, what the published code adds, and its limits."""

import pytest
import torch
from conftest import batchnorm_net, draw_weights, rand, seeded
from torch import nn
from torch.nn import functional as F

from cemviz.dynamics import Diverged, Dynamics
from cemviz.energies import binary, marginal
from cemviz.metrics.game import LOG4, utility
from cemviz.nets import build
from cemviz.nets.two_class import TwoClass
from cemviz.training.binary import Maximin
from cemviz.training.binary_probe import BinaryProbe, gradients
from cemviz.training.loop import averaged, fit

SHAPE = (1, 6, 6)
X, P0 = rand(5, *SHAPE, seed=1), rand(5, *SHAPE, seed=2)
Y = torch.zeros(5, dtype=torch.int64)
DYN = Dynamics(steps=4, step=0.3)


def curved(outputs: int = 1) -> nn.Module:
    """A curved binary net in float64, train mode, whose answers do not depend on the mode."""
    with torch.random.fork_rng(devices=[]):
        net = nn.Sequential(nn.Flatten(), nn.Linear(36, 12), nn.Tanh(), nn.Linear(12, outputs))
    return draw_weights(net.double(), 0, 3.0).train()


def game(**args) -> Maximin:
    return Maximin(lambda count, generator: P0[:count], args.pop("dyn", DYN), **args)


def climbed(net, x, steps, step, sign=1.0):
    """(2.8), one image and one step at a time, clamped to the box."""
    rows = []
    for row in x:
        for _ in range(steps):
            at = row.clone().requires_grad_()
            (slope,) = torch.autograd.grad(net(at[None]).sum(), at)
            row = (row + sign * step * slope / slope.pow(2).sum().sqrt()).clamp(0, 1)
        rows.append(row)
    return torch.stack(rows)


def gradient(net, loss):
    return torch.autograd.grad(loss, list(net.parameters()))


def agree(ours, theirs, tol=1e-11):
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=tol)


def test_the_gradient_equals_algorithm_1_line_by_line():
    net = curved()
    ours = game()(net, (X, Y), 0.0)
    moved = climbed(net, P0, 4, 0.3)
    payoff = net(X).sigmoid().log().mean() + (1 - net(moved).sigmoid()).log().mean()
    assert set(ours) == {"data", "p0"}
    torch.testing.assert_close(sum(ours.values()), -payoff, rtol=0, atol=1e-12)
    agree(gradient(net, sum(ours.values())), gradient(net, -payoff))


def test_the_gradient_is_that_of_an_energy_model_with_both_terms_scaled():
    """(2.18): (1 - D) grad f on data less D grad f on moved p0."""
    net = curved()
    ours = gradient(net, sum(game()(net, (X, Y), 0.0).values()))
    moved = climbed(net, P0, 4, 0.3)
    total = [torch.zeros_like(p) for p in net.parameters()]
    for points, sign in ((X, 1.0), (moved, -1.0)):
        for x in points:
            f = net(x[None]).squeeze()
            scale = (1 - f.sigmoid() if sign > 0 else f.sigmoid()).detach()
            total = [t - sign * scale * g / 5 for t, g in zip(total, gradient(net, f), strict=True)]
    agree(ours, total)


def test_the_penalty_is_half_its_weight_times_the_squared_slope_on_data():
    net = curved()
    terms = game(r1=0.7)(net, (X, Y), 0.0)
    slopes = []
    for x in X:
        at = x.clone().requires_grad_()
        slopes.append(torch.autograd.grad(net(at[None]).sum(), at, create_graph=True)[0].pow(2).sum())
    penalty = 0.35 * torch.stack(slopes).mean()
    torch.testing.assert_close(terms["R1"], penalty, rtol=0, atol=1e-12)
    weights = [p for p in net.parameters() if p.dim() == 2 or len(p) > 1]  # the last bias moves f, and no slope
    agree(*(torch.autograd.grad(part, weights) for part in (terms["R1"], penalty)))


def test_data_are_attacked_downwards_where_the_published_code_does():
    net = curved()
    ours = game(inside=3, inside_step=0.1)(net, (X, Y), 0.0)
    lowered = climbed(net, X, 3, 0.1, sign=-1.0)
    torch.testing.assert_close(ours["data"], -F.logsigmoid(net(lowered)).mean(), rtol=0, atol=1e-12)
    assert ours["data"] > game()(net, (X, Y), 0.0)["data"]


def test_the_energy_objective_is_the_difference_of_means():
    net = curved()
    terms = game(loss="likelihood")(net, (X, Y), 0.0)
    moved = climbed(net, P0, 4, 0.3)
    torch.testing.assert_close(sum(terms.values()), net(moved).mean() - net(X).mean(), rtol=0, atol=1e-12)


def test_no_image_of_p0_travels_farther_than_lambda_k():
    net, goal = curved(), game(dyn=Dynamics(steps=7, step=0.05, bounds=None))
    far = (goal.attacked(net.eval(), P0) - P0).flatten(1).norm(dim=1)
    assert (far <= 7 * 0.05 + 1e-12).all() and (far > 0.05).all()


@pytest.mark.parametrize(("progress", "steps"), [(0.0, 0), (0.119, 0), (0.121, 1), (0.479, 3), (0.481, 4), (0.7, 4), (0.99, 4)])
def test_k_grows_by_equal_shares_and_then_stays(progress, steps):
    goal = game(share=0.6)
    goal(curved(), (X, Y), progress)
    assert goal.steps == goal.planned(progress) == steps


def test_a_fixed_k_is_the_same_at_every_moment():
    assert {game().planned(p / 10) for p in range(10)} == {4}


def test_k_grows_by_one_when_the_mean_auc_of_the_window_is_high():
    goal = game(auc_above=0.8)
    assert goal.steps == 0
    for _ in range(100 - 1):
        goal._advance(1.0)
    assert goal.tensors["advance"][0] == 0
    goal._advance(1.0)
    assert goal.tensors["advance"][0] == 1
    for _ in range(3 * 100):
        goal._advance(0.8)
    assert goal.tensors["advance"][0] == 1  # .8 does not exceed .8


def test_k_stays_where_the_mean_auc_only_equals_the_bound():
    goal = game(auc_above=0.5)  # a number that floats hold exactly
    for _ in range(300):
        goal._advance(0.5)
    assert goal.tensors["advance"][0] == 0


def test_k_by_auc_stops_at_the_whole_attack():
    goal = game(auc_above=0.5)
    for _ in range(6 * 100):
        goal._advance(0.9)
    assert goal.tensors["advance"][0] == DYN.steps


def test_the_attack_runs_in_eval_mode_and_frozen_norms_never_move():
    net = batchnorm_net(1).train()
    images = rand(5, 1, 8, 8)
    goal = Maximin(lambda count, g: images, DYN, frozen=True)
    before = {k: v.clone() for k, v in net.named_buffers()}
    goal(net, (images, Y), 0.0)
    assert all(torch.equal(v, before[k]) for k, v in net.named_buffers()) and net.training
    Maximin(lambda count, g: images, DYN)(net, (images, Y), 0.0)
    assert int(net[1].num_batches_tracked) == 1  # one pass of data and moved p0 together, none of the attack


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"r1": -1.0}, "r1"), ({"share": 1.5}, "share"), ({"auc_above": -0.1}, "auc_above"), ({"loss": "hinge"}, "hinge"),
        ({"share": 0.5, "auc_above": 0.8}, "one of them"), ({"inside": -1}, "steps"), ({"window": 0}, "window"),
        ({"r1": float("nan")}, "r1"),
    ],
)  # fmt: skip
def test_rules_out_of_range_are_refused_by_name(args, word):
    with pytest.raises(ValueError, match=word):
        game(**args)


def run(goal, generator, steps=6, resume=None, net=None):
    net = net or build("small-cnn", seed=3, width=4, hidden=8, outputs=1, side=8)
    batches = ((torch.rand(4, 1, 8, 8, generator=seeded(k)), torch.zeros(4, dtype=torch.int64)) for k in range(99))
    for _ in range(0 if resume is None else int(resume["step"])):
        next(batches)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2, betas=(0.0, 0.99))
    return list(fit(net.train(), goal, batches, steps, optimizer, average=0.9, generators={"draws": generator}, resume=resume))


@pytest.mark.parametrize("args", [{"share": 0.8, "inside": 2}, {"auc_above": 0.2, "window": 2, "r1": 0.1}])
def test_a_run_that_was_cut_goes_on_bit_equal(args):
    def fresh():
        g = seeded(7)
        return Maximin(lambda count, generator: torch.rand(count, 1, 8, 8, generator=generator), DYN, generator=g, **args), g

    whole = averaged(run(*fresh())[-1].state())
    goal, g = fresh()
    net = build("small-cnn", seed=3, width=4, hidden=8, outputs=1, side=8)
    batches = ((torch.rand(4, 1, 8, 8, generator=seeded(k)), torch.zeros(4, dtype=torch.int64)) for k in range(99))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2, betas=(0.0, 0.99))
    for progress in fit(net.train(), goal, batches, 6, optimizer, average=0.9, generators={"draws": g}):
        if progress.step == 3:
            half = progress.state()
            break
    rest = averaged(run(*fresh(), resume=half)[-1].state())
    assert whole.keys() == rest.keys() and all(torch.equal(whole[k], rest[k]) for k in whole)


def test_the_energy_objective_is_stopped_by_the_guard_where_the_game_is_not():
    """Thesis 2.5.6: the same attack, net and rate; only the bounded objective stays finite."""
    images, easy = torch.rand(4, 1, 8, 8, generator=seeded(1)) / 4, Dynamics(steps=3, step=0.2)

    def play(loss):
        net = build("small-cnn", seed=3, width=8, hidden=16, outputs=1, side=8).train()
        goal = Maximin(lambda count, g: torch.rand(count, 1, 8, 8, generator=seeded(2)), easy, loss=loss)
        batches = iter(lambda: (images, Y[:4]), None)
        return [p.terms for p in fit(net, goal, batches, 150, torch.optim.Adam(net.parameters(), lr=0.02, betas=(0.0, 0.99)))]

    assert len(play("logistic")) == 150
    with pytest.raises(Diverged, match="lower lr"):
        play("likelihood")


def test_a_probe_measures_the_attack_and_the_update_and_leaves_no_trace():
    net, goal = curved(), game(share=0.5)
    goal(net, (X, Y), 0.3)
    old = [p.clone() for p in net.parameters()]
    finish = BinaryProbe(goal, (rand(8, *SHAPE, seed=5), Y), seeded())(net, (X, Y))
    with torch.no_grad():
        net[3].bias += 0.25
    seen = finish(net)
    moved = climbed(net, P0, goal.steps, 0.3)
    assert seen["game"]["K"] == 3 and 0.3 < seen["game"]["travel"] <= 0.9
    assert seen["delta_x"]["joint"][0] < 0  # the attack lowers E = -f
    assert seen["delta_theta"]["joint"] == pytest.approx([-0.25, 0.0], abs=1e-6)  # f rose by a quarter everywhere
    assert seen["game"]["D_moved"] == pytest.approx(net(moved).sigmoid().mean().item(), abs=1e-4)
    assert seen["clean"] >= seen["robust"] and set(seen["energies"]) == {"data", "adversarial", "sampled"}
    assert all(torch.equal(a, b) for a, b in zip(old[:3], list(net.parameters())[:3], strict=True)) and net.training


def test_the_two_parts_of_the_probe_are_those_of_the_payoff():
    net = curved()
    parts = gradients(net, X, P0)
    flat = [torch.cat([g.flatten() for g in gradient(net, u)]) for u in (
        net(X).sigmoid().log().mean(), (1 - net(P0).sigmoid()).log().mean()
    )]  # fmt: skip
    assert parts["consistency"] == pytest.approx(flat[0].norm().item(), rel=1e-3)
    assert parts["contrastive"] == pytest.approx(flat[1].norm().item(), rel=1e-3)
    assert parts["cosine"] == pytest.approx(torch.cosine_similarity(*flat, dim=0).item(), rel=1e-3)


def test_a_binary_net_read_as_two_classes_keeps_its_energy_and_the_attackers():
    net, read = curved(), TwoClass(curved())
    f = read(X)
    torch.testing.assert_close(-f[:, 0], binary(net(X)), rtol=0, atol=0)
    torch.testing.assert_close(marginal(f), (1 - net(X).sigmoid()).log().flatten(), rtol=0, atol=1e-12)  # (2.13)
    torch.testing.assert_close(f.softmax(1)[:, 0], net(X).sigmoid().flatten(), rtol=0, atol=1e-12)


def test_the_loss_of_a_solved_game_is_log_4():
    half = nn.Sequential(nn.Flatten(), nn.Linear(36, 1)).double()
    for p in half.parameters():
        nn.init.zeros_(p)
    loss = sum(game(dyn=Dynamics(steps=0)).__call__(half, (X, Y), 0.0).values()).item()
    assert loss == pytest.approx(LOG4) == -utility(torch.zeros(3), torch.zeros(3)).item()
