"""Attacks that size their own steps: Auto-PGD against a slow transcription of its paper, PGD with torch's Adam."""

import math

import pytest
import torch
from climbs import NORMS, X, Y, loss, rugged
from conftest import rand, randn, seeded, toy_classifier

from cemviz.adaptive import adam_pgd, auto_pgd, checkpoints
from cemviz.attacks import ATTACKS, attack, perturb, threat
from cemviz.dynamics import Diverged, Dynamics, descend, slope
from cemviz.energies import on

ADAPTIVE = [name for name, row in ATTACKS.items() if row.run is auto_pgd and not row.targets]


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
