"""Attacks: exact steps, threat models that hold, rows and climbs of one's own."""

import math
from dataclasses import replace

import pytest
import torch
from climbs import NORMS, N, X, Y, loss, rugged
from conftest import randn, seeded, toy_classifier
from torch.nn import functional as F

from cemviz.adaptive import adam_pgd, auto_pgd
from cemviz.attacks import ATTACKS, Attack, attack, climb, conditional_of_target, perturb, threat, worst_of
from cemviz.dynamics import Diverged, Dynamics, State, descend, length, slope
from cemviz.energies import conditional, joint, negated, on
from cemviz.fab import fab
from cemviz.margins import lead, lead_ratio, margin, margin_ratio
from cemviz.starts import near

FIXED = [name for name, row in ATTACKS.items() if row.run is not auto_pgd]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ATTACKS)
def test_every_iterate_of_every_attack_stays_in_the_ball_and_in_the_box(name, norm):
    dyn = threat(name, norm, 0.2, steps=7)
    states = list(attack(name, toy_classifier(), X, Y, dyn, generator=seeded()))
    assert len(states) == 8
    for s in states:
        assert (length(s.x - X, norm) <= 0.2 + 1e-9).all() and s.x.min() >= 0 and s.x.max() <= 1
    assert ATTACKS[name].run is fab or length(states[-1].x - X, norm).max() > 0.19  # the ball is used, but by the nearest


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ATTACKS)
def test_the_first_state_is_random_in_the_ball_or_the_image_by_its_row(name, norm):
    first = next(attack(name, toy_classifier(), X, Y, threat(name, norm, 0.2), generator=seeded()))
    other = next(attack(name, toy_classifier(), X, Y, threat(name, norm, 0.2), generator=seeded(1)))
    if ATTACKS[name].random_start:
        assert (length(first.x - X, norm) > 0).all() and not torch.equal(first.x, other.x)
        assert (length(first.x - X, norm) <= 0.2 + 1e-9).all()
    else:
        assert torch.equal(first.x, X)
    assert (name in ("fgsm", "fab-t", "square")) != ATTACKS[name].random_start


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ATTACKS)
def test_perturb_is_the_last_x_of_attack_bitwise(name, norm):
    net, dyn = toy_classifier(), threat(name, norm, 0.2, steps=6)
    *_, last = attack(name, net, X, Y, dyn, generator=seeded(2))
    assert torch.equal(perturb(name, net, X, Y, dyn, generator=seeded(2)), last.x)


@pytest.mark.parametrize("name", ATTACKS)
def test_radius_0_returns_the_image(name):
    assert torch.equal(
        perturb(name, toy_classifier(), X, Y, threat(name, "l2", 0.0, ATTACKS[name].steps % 400), generator=seeded()), X
    )


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_reaches_its_goal_on_a_curved_classifier(name):
    net = toy_classifier()
    aim = (Y + 1) % 4 if ATTACKS[name].targeted else Y
    x = perturb(name, net, X, aim, threat(name, "linf", 0.2), generator=seeded())
    if ATTACKS[name].targeted:
        assert (loss(net, x, aim) < loss(net, X, aim)).all()
    elif name == "energy":
        assert (joint(net(x), Y) > joint(net(X), Y)).all()
    elif name == "apgd-dlr":
        assert (margin_ratio(net(x), Y) < margin_ratio(net(X), Y)).all()
    elif ATTACKS[name].targets or name == "square":
        now, before = margin(net(x), Y), margin(net(X), Y)
        assert ((now < before) | (before < 0)).float().mean() > 0.9 and (now < 0).sum() > (before < 0).sum() + N / 5
    else:
        assert (loss(net, x) > loss(net, X)).float().mean() > 0.95


def test_threat_takes_the_rows_steps_unless_given_and_the_norms_direction():
    assert threat("pgd", "linf", 0.4) == Dynamics(20, 0.1, 0.0, 0.4, "linf", "sign")
    assert threat("pgd", "l2", 0.5, 7, 0.1) == Dynamics(7, 0.1, 0.0, 0.5, "l2", "unit")
    assert threat("fgsm", "linf", 0.3) == Dynamics(1, 0.3, 0.0, 0.3, "linf", "sign")
    assert threat("apgd", "l2", 0.5) == Dynamics(100, 1.0, 0.0, 0.5, "l2", "unit")
    assert threat("pgd", "linf", 0.4, steps=0, step=0.0) == Dynamics(0, 0.0, 0.0, 0.4, "linf", "sign")


@pytest.mark.parametrize(
    ("args", "error", "said"),
    [
        (("cw", "l2", 0.5), KeyError, "no attack 'cw'; choose one of fgsm, pgd"),
        (("pgd", "l2", math.inf), ValueError, r"ε \(radius\) is inf; an attack needs a finite ball"),
        (("pgd", "l2", math.nan), ValueError, r"ε \(radius\) is nan"),
        (("pgd", "l2", -1.0), ValueError, "radius|step"),
        (("pgd", "l3", 0.5), ValueError, "norm is 'l3'"),
    ],
)
def test_a_bad_threat_model_is_refused(args, error, said):
    with pytest.raises(error, match=said):
        threat(*args)


def test_fgsm_is_one_sign_step_of_hand_written_autograd_exactly():
    net, x = toy_classifier(), X.clone().requires_grad_()
    (g,) = torch.autograd.grad(F.cross_entropy(net(x), Y, reduction="sum"), x)
    by_hand = (X + 0.1 * g.sign()).clamp(0, 1)
    torch.testing.assert_close(perturb("fgsm", net, X, Y, threat("fgsm", "linf", 0.1)), by_hand, rtol=0, atol=1e-14)


@pytest.mark.parametrize("norm", NORMS)
def test_pgd_equals_a_hand_written_loop_from_the_same_start(norm):
    net, dyn = toy_classifier(), threat("pgd", norm, 0.3, 5, 0.1)
    x = next(attack("pgd", net, X, Y, dyn, generator=seeded(4))).x
    for _ in range(5):
        x = x.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(net(x), Y, reduction="sum"), x)
        if norm == "linf":
            x = torch.min(torch.max(x + 0.1 * g.sign(), X - 0.3), X + 0.3).clamp(0, 1)
        else:
            d = (x + 0.1 * g / g.flatten(1).norm(dim=1).view(-1, 1, 1, 1) - X).flatten(1)
            d = d * (0.3 / d.norm(dim=1, keepdim=True)).clamp(max=1)
            x = (X + d.view_as(X)).clamp(0, 1)
    torch.testing.assert_close(perturb("pgd", net, X, Y, dyn, generator=seeded(4)), x.detach(), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "objective"),
    [
        ("fgsm", lambda f: -F.cross_entropy(f, Y, reduction="none")),
        ("pgd", lambda f: -F.cross_entropy(f, Y, reduction="none")),
        ("apgd", lambda f: -F.cross_entropy(f, Y, reduction="none")),
        ("energy", lambda f: f.gather(1, Y[:, None])[:, 0]),
        ("adam", lambda f: -F.cross_entropy(f, Y, reduction="none")),
        ("targeted", lambda f: F.cross_entropy(f, Y, reduction="none")),
        ("apgd-dlr", lambda f: margin_ratio(f, Y)),
        ("square", lambda f: margin(f, Y)),
    ],
)
def test_a_rows_energy_is_the_one_of_its_equation(name, objective):
    f = 3 * randn(N, 4)
    torch.testing.assert_close(ATTACKS[name].energy(f, Y), objective(f), rtol=0, atol=1e-12)


def test_margin_ratio_by_hand_when_the_label_wins_and_when_it_loses():
    f = torch.tensor([[5.0, 3.0, 1.0, 0.0], [5.0, 3.0, 1.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(
        margin_ratio(f, torch.tensor([0, 2])), torch.tensor([(5 - 3) / (5 - 1), (1 - 5) / (5 - 1)], dtype=torch.float64)
    )


def test_margin_ratio_does_not_depend_on_scale_and_shift_of_the_logits():
    f = randn(N, 5)
    torch.testing.assert_close(margin_ratio(7 * f + 3, Y), margin_ratio(f, Y), rtol=1e-9, atol=0)


def test_margin_ratio_refuses_fewer_than_three_classes():
    with pytest.raises(ValueError, match="at least 3 classes, the net has 2; use apgd"):
        margin_ratio(randn(4, 2), torch.zeros(4, dtype=torch.int64))


T = (Y + 1) % 4


def test_the_energies_towards_a_target_by_hand():
    f = torch.tensor([[5.0, 3.0, 1.0, 0.0], [5.0, 3.0, 1.0, 0.0]], dtype=torch.float64)
    y, t = torch.tensor([0, 2]), torch.tensor([3, 1])
    torch.testing.assert_close(lead(f, y, t), torch.tensor([5.0, -2.0], dtype=torch.float64))
    torch.testing.assert_close(lead_ratio(f, y, t), torch.tensor([5.0, -2.0], dtype=torch.float64) / 4.5)
    torch.testing.assert_close(margin(f, y), torch.tensor([2.0, -4.0], dtype=torch.float64))
    torch.testing.assert_close(conditional_of_target(f, y, t), -f.log_softmax(1)[torch.arange(2), t])
    f = randn(N, 5)
    torch.testing.assert_close(lead_ratio(7 * f + 3, Y, T), lead_ratio(f, Y, T), rtol=1e-9, atol=0)
    assert ATTACKS["apgd-t"].energy is lead_ratio and ATTACKS["fab-t"].energy is lead
    with pytest.raises(ValueError, match="targeted margin ratio needs at least 4 classes, the net has 3; use apgd"):
        lead_ratio(randn(4, 3), Y[:4] % 3, T[:4] % 3)


@pytest.mark.parametrize("name", ["apgd-t", "apgd-ce-t", "fab-t"])
def test_targets_are_the_likeliest_other_classes_and_the_lowest_end_counts(name):
    """One chain a target, from starts of their own; of two targets the third likeliest class is never aimed at."""
    net, dyn = toy_classifier(), threat(name, "linf", 0.1, 8)
    two = replace(ATTACKS[name], targets=2)
    *_, last = attack(two, net, X, Y, dyn, generator=seeded(6))
    f = net(X).detach()
    f[torch.arange(N), Y] = -math.inf
    order, g = f.argsort(1, descending=True), seeded(6)
    starts = [near(X, dyn, generator=g) if two.random_start else X for _ in range(2)]
    how = {"goal": on(net, margin, Y)} if name == "fab-t" else {}
    ends = [list(two.run(on(net, two.energy, Y, order[:, k]), X, dyn, start=starts[k], **how))[-1] for k in range(2)]
    best = torch.stack([end.energy for end in ends]).argmin(0)
    assert 0 < best.sum() < N
    for i, k in enumerate(best):
        assert torch.equal(last.x[i], ends[k].x[i]) and last.energy[i] == ends[k].energy[i]


def test_negated_cross_entropy_is_what_untargeted_attacks_descend():
    f = randn(N, 4)
    assert torch.equal(negated(conditional)(f, Y), ATTACKS["pgd"].energy(f, Y))


def two_nets(x):
    """A loss of two nets at once."""
    return sum(conditional(toy_classifier(seed=seed)(x), Y) for seed in (0, 1))


@pytest.mark.parametrize("run", [descend, auto_pgd, adam_pgd])
@pytest.mark.parametrize("norm", NORMS)
def test_climb_raises_an_energy_of_several_nets_within_the_ball(run, norm):
    dyn = threat("pgd", norm, 0.2, 10)
    states = list(climb(two_nets, X, dyn, run=run, generator=seeded(1)))
    assert len(states) == 11 and not torch.equal(states[0].x, X)
    for s in states:
        assert (length(s.x - X, norm) <= 0.2 + 1e-9).all() and s.x.min() >= 0 and s.x.max() <= 1
        torch.testing.assert_close(s.energy, -two_nets(s.x), rtol=0, atol=1e-12)  # the sign: a state holds what is descended
    assert (two_nets(states[-1].x) > two_nets(X)).float().mean() > 0.9
    first = next(climb(two_nets, X, dyn, run=run, start=X))
    assert torch.equal(first.x, X)


@pytest.mark.parametrize("name", [name for name, row in ATTACKS.items() if not (row.rivals or row.targets)])
def test_an_attack_is_a_climb_of_its_negated_energy(name):
    net, dyn, chosen = toy_classifier(), threat(name, "l2", 0.3, 4), ATTACKS[name]
    *_, a = attack(name, net, X, Y, dyn, generator=seeded(5))
    raised, start = on(net, negated(chosen.energy), Y), None if chosen.random_start else X
    *_, b = climb(raised, X, dyn, run=chosen.run, start=start, generator=seeded(5))
    assert torch.equal(a.x, b.x) and torch.equal(a.energy, b.energy)


def test_the_worst_of_several_starts_is_each_images_highest_single_climb():
    dyn, g = threat("pgd", "linf", 0.1, 1, 0.02), seeded(3)
    singles = [list(climb(rugged, X, dyn, generator=g))[-1] for _ in range(4)]
    best = worst_of(4, rugged, X, dyn, generator=seeded(3))
    winners = torch.stack([s.energy for s in singles]).argmin(0)
    assert len(winners.unique()) > 2  # no single start wins everywhere
    for i, k in enumerate(winners):
        assert torch.equal(best.x[i], singles[k].x[i]) and best.energy[i] == singles[k].energy[i]
        assert torch.equal(best.grad[i], singles[k].grad[i])
    torch.testing.assert_close(best.energy, -rugged(best.x), rtol=0, atol=1e-12)
    assert torch.equal(worst_of(1, rugged, X, dyn, generator=seeded(3)).x, singles[0].x)
    with pytest.raises(ValueError, match="restarts is 0; give at least 1"):
        worst_of(0, rugged, X, dyn)


@pytest.mark.parametrize("run", [descend, auto_pgd, adam_pgd])
def test_a_row_in_no_table_works_wherever_a_name_does(run):
    mine = Attack("Mine", negated(joint), 6, 0.5, "our choice", run=run)
    dyn = threat(mine, "linf", 0.2)
    assert (dyn.steps, dyn.step) == (6, 0.1)
    *_, last = attack(mine, toy_classifier(), X, Y, dyn, generator=seeded(1))
    assert torch.equal(perturb(mine, toy_classifier(), X, Y, dyn, generator=seeded(1)), last.x)
    twin = replace(ATTACKS["energy"], run=run)
    assert torch.equal(perturb(twin, toy_classifier(), X, Y, dyn, generator=seeded(1)), last.x)


def test_a_run_of_ones_own_takes_the_steps():
    def jump(energy, x0, dyn, *, start=None, generator=None):
        yield State(0, (x0 + dyn.radius).clamp(0, 1), *slope(energy, x0))

    mine = Attack("Jump", negated(conditional), 1, 1.0, "our choice", run=jump)
    assert torch.equal(perturb(mine, toy_classifier(), X, Y, threat(mine, "linf", 0.1)), (X + 0.1).clamp(0, 1))


def test_noise_of_the_dynamics_comes_from_the_generator():
    dyn = Dynamics(3, 0.05, 0.02, 0.2)
    before = torch.get_rng_state()
    a, b, c = (perturb("pgd", toy_classifier(), X, Y, dyn, generator=seeded(s)) for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c) and torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("run", [descend, auto_pgd, adam_pgd])
def test_a_start_that_is_not_finite_is_named_and_no_step_blamed(run):
    start = X.clone()
    start[3, 0, 0, 0] = math.nan
    with pytest.raises(Diverged, match="the start is not finite: 1 of 24 images") as seen:
        list(run(rugged, X, threat("pgd", "linf", 0.1, 3), start=start))
    with pytest.raises(
        Diverged, match=r"not finite at the start, before any step, for 24 of 24 images.*half precision"
    ) as other:
        list(run(lambda x: rugged(x) / 0, X, threat("pgd", "linf", 0.1, 3)))
    assert not any("α" in str(error.value) or "lower" in str(error.value) for error in (seen, other))
