"""A net a class as one classifier: its logits, its constants, its attack and its training, one member a turn."""

from dataclasses import replace

import pytest
import torch
from climbs import NORMS, X, Y
from conftest import draw_weights, rand, randn, seeded, toy_classifier
from torch import nn
from torch.nn import functional as F

from cemviz.attacks import ATTACKS, Attack, attack, perturb, rivals, threat
from cemviz.dynamics import length
from cemviz.energies import binary, joint, on
from cemviz.inputs import checked
from cemviz.metrics.robustness import correct_under
from cemviz.nets import build
from cemviz.nets.one_vs_rest import OneVsRest, calibrated, only
from cemviz.training.in_out import EachVsRest, InOut
from cemviz.training.loop import averaged, fit

DYN = threat("pgd", "l2", 0.4, 3)


def three(side: int = 4) -> OneVsRest:
    net = OneVsRest([toy_classifier((1, side, side), 1, seed=k) for k in range(3)]).double()
    net.constants.copy_(torch.tensor([0.5, -1.0, 0.5]))
    return net.eval()


def test_the_logits_are_those_of_the_members_and_their_constants():
    net = three()
    rows = [net.members[k](X).squeeze(1) + c for k, c in enumerate((0.5, -1.0, 0.5))]
    assert torch.equal(net(X), torch.stack(rows, 1)) and net.outputs == 3
    for k in range(3):
        assert torch.equal(net.only(k)(X), rows[k])


def test_one_class_of_a_net_asks_no_other_member():
    net, asked = three(), []
    for k, member in enumerate(net.members):
        member.register_forward_hook(lambda *_, k=k: asked.append(k))
    only(checked(net, Y), 1)(X)
    assert asked == [1]
    whole = toy_classifier()
    assert torch.equal(only(whole, 2)(X), whole(X)[:, 2])


def test_calibration_minimises_the_cross_entropy_and_knows_the_shift_it_undoes():
    y = torch.arange(3000) % 3
    truth = randn(3000, 3, seed=1) + 2.0 * F.one_hot(y, 3)
    shift = torch.tensor([3.0, -1.0, -2.0]).double()
    c = calibrated(truth + shift, y)
    assert c.sum().abs() < 1e-9
    torch.testing.assert_close(c, calibrated(truth, y) - shift, rtol=0, atol=1e-6)
    free = c.clone().requires_grad_()
    (slope,) = torch.autograd.grad(F.cross_entropy(truth + shift + free, y), free)
    assert slope.abs().max() < 1e-8


def test_calibration_of_logits_far_apart_converges():
    y = torch.arange(300) % 3
    d = 30 * randn(300, 3, seed=2) + 20 * F.one_hot(y, 3) + torch.tensor([50.0, 0.0, -50.0])
    c = calibrated(d, y)
    assert F.cross_entropy(d + c, y) < F.cross_entropy(d, y)
    assert c[0] < c[1] < c[2]


def test_a_class_without_an_image_is_not_calibrated():
    with pytest.raises(ValueError, match="no image of class 1"):
        calibrated(torch.zeros(4, 3), torch.tensor([0, 2, 0, 2]))


@pytest.mark.parametrize("norm", NORMS)
def test_the_attack_on_rivals_takes_the_class_whose_own_climb_ends_highest(norm):
    net, y, dyn = three(), Y % 3, threat("rivals", norm, 0.3, 6)
    ends = torch.full((3, len(X)), -torch.inf, dtype=X.dtype)
    towards = Attack("towards a class", joint, 6, 0.25, "", targeted=True)
    for k in range(3):
        x = perturb(towards, net, X, torch.full_like(y, k), dyn, generator=seeded(4))
        ends[k] = torch.where(y == k, -torch.inf, net(x)[:, k])
    *_, last = attack("rivals", net, X, y, dyn, generator=seeded(4))
    torch.testing.assert_close(-last.energy, ends.amax(0))
    best = ends.argmax(0)
    torch.testing.assert_close(net(last.x).gather(1, best[:, None]).squeeze(1), ends.amax(0))
    assert torch.equal(perturb("rivals", net, X, y, dyn, generator=seeded(4)), last.x)
    assert (length(last.x - X, norm) <= 0.3 + 1e-9).all()


def test_a_list_of_energies_may_stand_for_the_net():
    net, y = three(), Y % 3
    energies = [on(net.only(k), binary) for k in range(3)]
    *_, ours = rivals(energies, X, y, DYN, start=X)
    *_, theirs = attack(replace(ATTACKS["rivals"], random_start=False), net, X, y, DYN)
    assert torch.equal(ours.x, theirs.x)


def test_robust_accuracy_by_rivals_is_that_of_the_last_points():
    net, y, dyn = three(), three()(X).argmax(1), threat("rivals", "l2", 0.5, 5)
    right = torch.cat(list(correct_under("rivals", net, X, y, dyn, generator=seeded(1))))
    assert 0 < right.double().mean() < 1


def climbed(net, x, y_sign, radius, steps, step, start):
    """Normalised steps projected into the ball around x and the box, by hand."""
    at = start
    for _ in range(steps):
        at = at.clone().requires_grad_()
        (g,) = torch.autograd.grad(y_sign * net(at).sum(), at)
        at = at + step * g / g.flatten(1).norm(dim=1)[:, None, None, None]
        away = at - x
        away = away * (radius / away.flatten(1).norm(dim=1).clamp(min=1e-12)).clamp(max=1)[:, None, None, None]
        at = (x + away).clamp(0, 1).detach()
    return at


def test_the_loss_is_that_of_both_sides_at_the_end_of_their_own_attacks():
    net, other = toy_classifier((1, 4, 4), 1), rand(*X.shape, seed=9)
    goal = InOut(lambda n, g: other[:n], DYN, inside_radius=0.2, inside_steps=3, generator=seeded(3))
    terms = goal(net.train(), (X, Y), 0.0)
    g = seeded(3)
    from cemviz.starts import near

    out = climbed(net, other, 1, 0.4, 3, DYN.step, near(other, DYN, generator=g))
    inside = replace(DYN, radius=0.2, step=0.05)
    data = climbed(net, X, -1, 0.2, 3, 0.05, near(X, inside, generator=g))
    torch.testing.assert_close(terms["in"], -net(data).sigmoid().log().mean())
    torch.testing.assert_close(terms["out"], -(1 - net(out).sigmoid()).log().mean())
    assert goal.steps == 3 and net.training


def test_without_a_radius_data_stay_as_they_are():
    net = toy_classifier((1, 4, 4), 1)
    terms = InOut(lambda n, g: X[:n], DYN, generator=seeded())(net, (X, Y), 0.0)
    torch.testing.assert_close(terms["in"], -net(X).sigmoid().log().mean())


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.1), (0.01, 0.1), (0.15, 0.5), (0.3, 1.0), (0.9, 1.0)])
def test_an_eased_attack_grows_over_its_share_of_the_run(progress, share):
    goal = EachVsRest(DYN, ease=0.3)
    eased = goal.eased(DYN, progress)
    assert (eased.radius, eased.step) == pytest.approx((0.4 * share, DYN.step * share))


@pytest.mark.parametrize(
    ("args", "word"), [({"ease": 1.0}, "ease"), ({"inside_radius": -1.0}, "radius"), ({"inside_steps": -1}, "steps")]
)
def test_numbers_out_of_range_are_refused_by_name(args, word):
    with pytest.raises(ValueError, match=word):
        EachVsRest(DYN, **args)


def test_each_update_trains_the_next_member_on_its_class_against_the_rest():
    net = three().train()
    goal, y = EachVsRest(threat("pgd", "l2", 1e-9, 1), generator=seeded()), torch.arange(len(X)) % 3
    for turn in range(4):
        k = turn % 3
        assert int(goal.tensors["turn"]) == k
        terms = goal(net, (X, y), 0.0)
        inside, outside = X[y == k], X[y != k][: (y == k).sum()]
        torch.testing.assert_close(terms["in"], -net.members[k](inside).sigmoid().log().mean())
        torch.testing.assert_close(terms["out"], -(1 - net.members[k](outside).sigmoid()).log().mean(), rtol=0, atol=1e-6)
        sum(terms.values()).backward()
        for j, member in enumerate(net.members):
            assert all((p.grad is not None) == (j == k) for p in member.parameters())
        net.zero_grad(set_to_none=True)


def test_a_batch_without_the_class_has_no_term_of_it():
    terms = EachVsRest(DYN, generator=seeded())(three().train(), (X, torch.ones_like(Y)), 0.0)
    assert terms["in"] == 0 and terms["out"] > 0


def test_a_run_that_was_cut_between_two_members_goes_on_bit_equal():
    def run(steps_done=0, resume=None):
        with torch.random.fork_rng(devices=[]):
            net = OneVsRest([draw_weights(nn.Sequential(nn.Flatten(), nn.Linear(16, 1)), k) for k in range(3)]).float().train()
        g = seeded(5)
        goal = EachVsRest(DYN, generator=g)
        batches = ((rand(6, 1, 4, 4, seed=k, dtype=torch.float32), torch.arange(6) % 3) for k in range(steps_done, 99))
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
        return fit(net, goal, batches, 8, optimizer, generators={"draws": g}, resume=resume)

    whole = averaged(list(run())[-1].state())
    half = next(p.state() for p in run() if p.step == 4)
    rest = averaged(list(run(4, half))[-1].state())
    assert all(torch.equal(whole[k], rest[k]) for k in whole) and whole.keys() == rest.keys()


@pytest.mark.parametrize("args", [{"trunk": "mlp"}, {"outputs": 1}])
def test_a_net_that_is_none_is_refused(args):
    with pytest.raises((KeyError, ValueError), match=r"mlp|at least 2"):
        build("one-vs-rest", **args)
