"""Attacks: exact steps, threat models that hold, and Auto-PGD against a slow transcription of its paper."""

import math

import pytest
import torch
from conftest import rand, randn, seeded, toy_classifier
from torch.nn import functional as F

from cemviz.attacks import ATTACKS, attack, auto_pgd, checkpoints, margin_ratio, perturb, threat
from cemviz.dynamics import Diverged, Dynamics, descend, length, slope
from cemviz.energies import conditional, joint, negated, on

NORMS = ["l2", "linf"]
N = 24
X, Y = rand(N, 1, 4, 4, seed=1), torch.arange(N) % 4
FIXED = [name for name, row in ATTACKS.items() if not row.adaptive]
ADAPTIVE = [name for name, row in ATTACKS.items() if row.adaptive]


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
def test_the_first_state_is_a_random_point_of_the_ball_where_the_row_says_so_and_the_image_elsewhere(name, norm):
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


def test_threat_takes_steps_and_step_of_the_row_unless_given_and_the_direction_of_the_norm():
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
def test_auto_pgd_energies_never_rise_and_are_consistent_with_the_yielded_x(name, norm):
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
def test_auto_pgd_finds_at_least_the_loss_of_pgd_for_the_same_number_of_gradients(norm):
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


def test_auto_pgd_goes_back_to_its_best_point_when_an_interval_of_improvements_did_not_better_it():
    """Condition 2 of Algorithm 1."""
    seen = scripted([-float(k) for k in range(12)] + FALLING_ABOVE)  # 0 ... 11: each step the best so far, nothing halves
    assert seen[21] < seen[11] - 8 and abs(seen[22] - seen[11]) < 3


def test_auto_pgd_gives_a_step_that_has_just_halved_a_whole_interval_before_condition_2_judges_it():
    seen = scripted([0.0, *[1.0, 2.0] * 5, 1.0, *FALLING_ABOVE])  # 0 ... 11: up and down, the step halves at 11
    assert seen[11] < -8 and abs(seen[12]) < 4  # back to the best point, 0, after 11
    assert seen[22] == pytest.approx(seen[21] - 0.5, abs=0.02) and seen[21] < -1  # on from 21, with the step as it was
