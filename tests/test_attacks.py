"""Attacks: exact steps, threat models that hold, and Auto-PGD against a slow transcription of its paper."""

import math
from dataclasses import replace

import pytest
import torch
from conftest import rand, randn, seeded, toy_classifier
from torch.nn import functional as F

from cemviz.adaptive import adam_pgd, auto_pgd, checkpoints
from cemviz.attacks import ATTACKS, Attack, attack, climb, margin_ratio, perturb, threat, worst_of
from cemviz.dynamics import Diverged, Dynamics, State, descend, length, slope
from cemviz.energies import conditional, joint, negated, on

NORMS = ["l2", "linf"]
N = 24
X, Y = rand(N, 1, 4, 4, seed=1), torch.arange(N) % 4
FIXED = [name for name, row in ATTACKS.items() if row.run is not auto_pgd]
ADAPTIVE = [name for name, row in ATTACKS.items() if row.run is auto_pgd]


def loss(net, x, y=Y):
    return F.cross_entropy(net(x), y, reduction="none").detach()


# the threat model ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ATTACKS)
def test_every_iterate_of_every_attack_stays_in_the_ball_and_in_the_box(name, norm):
    dyn = threat(name, norm, 0.2, steps=7)
    states = list(attack(name, toy_classifier(), X, Y, dyn, generator=seeded()))
    assert len(states) == 8
    for s in states:
        assert (length(s.x - X, norm) <= 0.2 + 1e-9).all() and s.x.min() >= 0 and s.x.max() <= 1
    assert length(states[-1].x - X, norm).max() > 0.19  # the ball is used


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
    assert (name == "fgsm") != ATTACKS[name].random_start


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ATTACKS)
def test_perturb_is_the_last_x_of_attack_bitwise(name, norm):
    net, dyn = toy_classifier(), threat(name, norm, 0.2, steps=6)
    *_, last = attack(name, net, X, Y, dyn, generator=seeded(2))
    assert torch.equal(perturb(name, net, X, Y, dyn, generator=seeded(2)), last.x)


@pytest.mark.parametrize("name", ATTACKS)
def test_radius_0_returns_the_image(name):
    assert torch.equal(perturb(name, toy_classifier(), X, Y, threat(name, "l2", 0.0), generator=seeded()), X)


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


# fixed steps ---------------------------------------------------------------------------------------------------------


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
    ],
)
def test_a_rows_energy_is_the_one_of_its_equation(name, objective):
    f = 3 * randn(N, 4)
    torch.testing.assert_close(ATTACKS[name].energy(f, Y), objective(f), rtol=0, atol=1e-12)


# margin ratio --------------------------------------------------------------------------------------------------------


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


# Auto-PGD ------------------------------------------------------------------------------------------------------------


def test_checkpoints_are_the_papers_for_100_steps():
    assert checkpoints(100) == [0, 22, 41, 57, 70, 80, 87, 93, 99]


@pytest.mark.parametrize("steps", [0, 1, 2, 7, 10, 20, 50, 300])
def test_checkpoints_are_the_exact_ceilings_within_the_run(steps):
    assert checkpoints(steps) == sorted({-(-p * steps // 100) for p in (0, 22, 41, 57, 70, 80, 87, 93, 99)})


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ADAPTIVE)
def test_auto_pgd_energies_never_rise_and_are_those_of_the_yielded_x(name, norm):
    net = toy_classifier()
    energy = on(net, ATTACKS[name].energy, Y)
    last = None
    for s in attack(name, net, X, Y, threat(name, norm, 0.3, 40), generator=seeded()):
        e, g = slope(energy, s.x)
        torch.testing.assert_close((s.energy, s.grad), (e, g), rtol=0, atol=1e-12)
        assert last is None or (s.energy <= last).all()
        last = s.energy


def rugged(x):
    """A bowl with ripples: steps must halve, at times of their own, to get to a minimum."""
    flat = x.flatten(1)
    return (flat - 0.6).square().sum(1) + (2 * flat * (1 + torch.arange(flat.shape[1]) % 5)).cos().sum(1) * 0.2


def slow_auto_pgd(energy, x0, start, radius, norm, step, steps):
    """Algorithm 1 of Croce & Hein 2020 for one sample, on f = -energy, line by line.

    The conditions are judged once f(x^(w_j)) is known, and x^(w_j) itself goes back to x_max, as in the authors' code.
    """

    def f_and_direction(x):
        x = x.clone().requires_grad_()
        f = -energy(x[None])[0]
        (g,) = torch.autograd.grad(f, x)
        return f.item(), g.sign() if norm == "linf" else g / g.norm()

    def project(x):
        d = x - x0
        d = d.clamp(-radius, radius) if norm == "linf" else d * min(1.0, radius / max(d.norm().item(), 1e-300))
        return (x0 + d).clamp(0, 1)

    shares = [0, 0.22]
    while len(shares) < 9:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    marks = [math.ceil(round(p * steps, 6)) for p in shares]
    x, eta, halvings = [start], step, 0
    f, direction = f_and_direction(start)
    fs, f_max, x_max = {0: f}, f, start
    eta_at, f_max_at, j = {0: eta}, {0: f}, 1
    for k in range(steps):
        z = project(x[k] + eta * direction)
        x.append(z if k == 0 else project(x[k] + 0.75 * (z - x[k]) + 0.25 * (x[k] - x[k - 1])))
        f, direction = f_and_direction(x[k + 1])
        fs[k + 1] = f
        if f > f_max:
            x_max, f_max = x[k + 1], f
        if j < len(marks) and k + 1 == marks[j]:
            w, w_before = marks[j], marks[j - 1]
            eta_at[w], f_max_at[w] = eta, f_max
            first = sum(fs[i + 1] > fs[i] for i in range(w_before, w)) < 0.75 * (w - w_before)
            second = eta_at[w_before] == eta_at[w] and f_max_at[w_before] == f_max_at[w]
            if first or second:
                eta, halvings = eta / 2, halvings + 1
                x[k + 1] = x_max
                fs[k + 1], direction = f_and_direction(x_max)
            j += 1
    return x_max, f_max, halvings


@pytest.mark.parametrize("norm", NORMS)
def test_auto_pgd_equals_a_slow_transcription_of_algorithm_1(norm):
    x0, radius = rand(6, 1, 3, 3, seed=3), 0.3 if norm == "linf" else 0.8
    dyn = threat("apgd", norm, radius, 50)
    start = (x0 + 0.1 * randn(6, 1, 3, 3, seed=4).clamp(-1, 1)).clamp(0, 1)
    *_, last = auto_pgd(rugged, x0, dyn, start=start)
    halvings = []
    for i in range(6):
        x, f, h = slow_auto_pgd(rugged, x0[i], start[i], radius, norm, 2 * radius, 50)
        torch.testing.assert_close(last.energy[i].item(), -f, rtol=0, atol=1e-9)
        torch.testing.assert_close(last.x[i], x, rtol=0, atol=1e-5)
        halvings.append(h)
    assert max(halvings) >= 3 and len(set(halvings)) > 1  # samples halve apart


def test_auto_pgd_treats_each_sample_apart():
    x0, dyn = rand(5, 1, 3, 3, seed=3), threat("apgd", "linf", 0.3, 40)
    *_, together = auto_pgd(rugged, x0, dyn)
    for i in range(5):
        *_, alone = auto_pgd(rugged, x0[i : i + 1], dyn)
        torch.testing.assert_close(together.x[i : i + 1], alone.x, rtol=0, atol=1e-9)


@pytest.mark.parametrize("norm", NORMS)
def test_auto_pgd_finds_at_least_the_loss_of_pgd_for_as_many_gradients(norm):
    radius = 0.15 if norm == "linf" else 0.5
    pgd = perturb("pgd", net := toy_classifier(scale=8.0), X, Y, threat("pgd", norm, radius, 41), generator=seeded(1))
    *_, best = attack("apgd", net, X, Y, threat("apgd", norm, radius, 40), generator=seeded(1))
    assert loss(net, best.x).mean() >= loss(net, pgd).mean() - 1e-6
    *_, best = auto_pgd(rugged, X, threat("apgd", norm, radius, 40))
    *_, fixed = descend(rugged, X, threat("pgd", norm, radius, 41))
    assert best.energy.mean() < fixed.energy.mean()


def test_auto_pgd_stops_with_diverged_on_nan():
    calls = []
    broken = lambda x: calls.append(1) or x.flatten(1).sum(1) * (math.nan if len(calls) > 3 else 1.0)  # noqa: E731
    with pytest.raises(Diverged, match="step 3 of 10 of Auto-PGD"):
        list(auto_pgd(broken, X, threat("apgd", "linf", 0.1, 10)))


def test_auto_pgd_stops_with_diverged_on_a_gradient_of_nan():
    calls = []
    kinked = lambda x: calls.append(1) or x.flatten(1).sum(1) + ((x - x).flatten(1).sum(1).sqrt() if len(calls) > 3 else 0)  # noqa: E731
    with pytest.raises(Diverged, match="gradient is no longer finite at step 3 of 10"):
        list(auto_pgd(kinked, X, threat("apgd", "linf", 0.1, 10)))


def test_negated_cross_entropy_is_what_untargeted_attacks_descend():
    f = randn(N, 4)
    assert torch.equal(negated(conditional)(f, Y), ATTACKS["pgd"].energy(f, Y))


# any energy, any row ----------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("name", ATTACKS)
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


# PGD with Adam -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1.0, 1e-13, 1e9])
def test_adam_pgd_is_torchs_adam_projected_after_each_step_at_any_scale(norm, scale):
    x0, radius, step = rand(6, 1, 3, 3, seed=3), 0.3 if norm == "linf" else 0.8, 0.02
    start = (x0 + 0.05 * randn(6, 1, 3, 3, seed=4).clamp(-1, 1)).clamp(0, 1)
    states = list(adam_pgd(lambda x: scale * rugged(x), x0, Dynamics(30, step, 0.0, radius, norm), start=start))
    for i in range(6):
        x = start[i : i + 1].clone().requires_grad_()
        optimizer = torch.optim.Adam([x], lr=step, eps=1e-300)
        for k in range(31):
            torch.testing.assert_close(states[k].x[i], x[0].detach(), rtol=0, atol=1e-6)
            optimizer.zero_grad()
            rugged(x).sum().backward()
            optimizer.step()
            with torch.no_grad():
                d = x - x0[i]
                d = d.clamp(-radius, radius) if norm == "linf" else d * min(1.0, radius / d.norm().item())
                x.copy_((x0[i] + d).clamp(0, 1))
    assert [s.k for s in states] == list(range(31))


def test_adam_pgd_stays_where_there_is_no_slope_and_diverges_on_nan():
    *_, last = adam_pgd(lambda x: 0 * x.flatten(1).sum(1), X, threat("adam", "l2", 0.5, 5))
    assert torch.equal(last.x, X)
    calls = []
    broken = lambda x: calls.append(1) or x.flatten(1).sum(1) * (math.nan if len(calls) > 3 else 1.0)  # noqa: E731
    with pytest.raises(Diverged, match="step 3 of 10 of PGD with Adam"):
        list(adam_pgd(broken, X, threat("adam", "linf", 0.1, 10)))


def test_the_row_of_adam_has_the_thesis_numbers_for_l_inf_point_3():
    dyn = threat("adam", "linf", 0.3)
    assert dyn.steps == 200 and dyn.step == pytest.approx(0.01) and not ATTACKS["adam"].targeted


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


def scripted(values):
    """Where Auto-PGD evaluates an energy that follows a script over 50 steps (checkpoints 11, 21, ...) on a constant slope."""
    seen = []

    def energy(x):
        seen.append(x.item())
        along = x.flatten(1).sum(1)
        return values[len(seen) - 1] + along - along.detach()

    list(auto_pgd(energy, torch.zeros(1, 1).double(), Dynamics(50, 1.0, gradient="unit", bounds=None)))
    return seen


FALLING_ABOVE = [10.0 - 0.5 * i for i in range(10)] + [5.0] * 40  # steps 12 ... 21 improve all the time, but not on the best


def test_auto_pgd_goes_back_to_its_best_point_if_an_interval_missed_it():
    """Condition 2 of Algorithm 1."""
    seen = scripted([-float(k) for k in range(12)] + FALLING_ABOVE)  # 0 ... 11: each step the best so far, nothing halves
    assert seen[21] < seen[11] - 8 and abs(seen[22] - seen[11]) < 3


def test_auto_pgd_judges_a_halved_step_only_after_a_whole_interval():
    seen = scripted([0.0, *[1.0, 2.0] * 5, 1.0, *FALLING_ABOVE])  # 0 ... 11: up and down, the step halves at 11
    assert seen[11] < -8 and abs(seen[12]) < 4  # back to the best point, 0, after 11
    assert seen[22] == pytest.approx(seen[21] - 0.5, abs=0.02) and seen[21] < -1  # on from 21, with the step as it was
