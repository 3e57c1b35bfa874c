"""The rows of SAMPLERS: what each descends, the papers' numbers, and `sample`."""

import math
import re
from dataclasses import replace

import pytest
import torch
from conftest import rand, randn, seeded, toy_classifier

from cemviz.dynamics import Dynamics
from cemviz.energies import conditional, on
from cemviz.samplers import CEM_TABLE_5, JEAT_LANGEVIN, SAMPLERS, SANTURKAR, SETTINGS, Sampler, sample, suited

Y = torch.tensor([0, 1, 3])
SHORT = Dynamics(6, 0.1, 0.0, 1.0)

OBJECTIVES = {
    "rcs": lambda f: -f.gather(1, Y[:, None])[:, 0] - f.logsumexp(1),
    "cs": lambda f: -f.gather(1, Y[:, None])[:, 0],
    "ta": lambda f: torch.nn.functional.cross_entropy(f, Y, reduction="none"),
    "langevin": lambda f: -f.logsumexp(1),
    "jeat16": lambda f: torch.nn.functional.cross_entropy(f, Y, reduction="none"),
    "jeat17": lambda f: -f.gather(1, Y[:, None])[:, 0],
}
classifiers = pytest.mark.parametrize("name", [n for n, row in SAMPLERS.items() if row.needs == "classifier"])


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_samplers_energy_is_the_one_of_its_equation(name):
    net, x0 = toy_classifier(), rand(3, 1, 4, 4)
    for state in sample(name, net, x0, Y, SHORT):
        torch.testing.assert_close(state.energy, OBJECTIVES[name](net(state.x)), rtol=0, atol=1e-12)


@classifiers
def test_a_sampler_goes_down_its_energy_in_the_ball_and_the_box(name):
    net, x0 = toy_classifier(scale=2.0), rand(3, 1, 4, 4)
    states = list(sample(name, net, x0, Y, SHORT))
    assert len(states) == 7 and (states[-1].energy < states[0].energy).all()
    for s in states:
        assert (s.x - x0).flatten(1).norm(dim=1).max() <= 1 + 1e-9 and 0 <= s.x.min() and s.x.max() <= 1


@classifiers
def test_conditional_samplers_ask_for_a_class_and_the_others_ignore_it(name):
    net, x0 = toy_classifier(), rand(3, 1, 4, 4)
    if SAMPLERS[name].conditional:
        with pytest.raises(ValueError, match=f"{re.escape(SAMPLERS[name].title)}' needs the classes to sample"):
            sample(name, net, x0, None, SHORT)
        *_, a = sample(name, net, x0, Y, SHORT)
        *_, b = sample(name, net, x0, (Y + 1) % 4, SHORT)
        assert not torch.equal(a.x, b.x)
    else:
        *_, a = sample(name, net, x0, None, SHORT)
        *_, b = sample(name, net, x0, Y, SHORT)
        assert torch.equal(a.x, b.x)


@classifiers
def test_without_numbers_a_sampler_takes_the_shapes_and_the_seed_decides(name):
    net, x0 = toy_classifier(), rand(2, 1, 4, 4)
    *_, a = sample(name, net, x0, Y[:2], generator=seeded(1))
    *_, b = sample(name, net, x0, Y[:2], suited(name, (1, 4, 4)), generator=seeded(1))
    *_, c = sample(name, net, x0, Y[:2], generator=seeded(2))
    assert a.k == 20 and torch.equal(a.x, b.x) and not torch.equal(a.x, c.x)


def test_the_rows_hold_the_papers_numbers():
    assert Dynamics(20, 1.0, 0.01, 6.0, "l2", "unit", (0.0, 1.0)) == CEM_TABLE_5
    assert Dynamics(60, 0.5, 0.0, 30.0, "l2", "unit", (0.0, 1.0)) == SANTURKAR
    assert Dynamics(20, 1.0, 0.01, math.inf, "l2", "raw", (0.0, 1.0)) == JEAT_LANGEVIN
    assert Dynamics(10, 7.0, 0.0, math.inf, "l2", "unit", (0.0, 1.0)) == SAMPLERS["maxent"].defaults == SAMPLERS["pgd"].defaults
    assert all(SAMPLERS[name].defaults == CEM_TABLE_5 for name in ("rcs", "cs", "ta", "langevin"))
    assert all(SAMPLERS[name].defaults == JEAT_LANGEVIN for name in ("jeat16", "jeat17"))


def test_small_images_get_half_the_step_of_cem_and_all_of_jeats_numbers():
    assert suited("rcs", (3, 32, 32)) is CEM_TABLE_5
    assert suited("rcs", (1, 28, 28)) == Dynamics(20, 0.5, 0.01, 6.0) == SETTINGS["cem-mnist"].dynamics
    assert suited("jeat17", (1, 28, 28)) is JEAT_LANGEVIN


SMALL = {
    "rcs": Dynamics(20, 0.5, 0.01, 6.0), "cs": Dynamics(20, 0.5, 0.01, 6.0), "ta": Dynamics(20, 0.5, 0.01, 6.0),
    "langevin": Dynamics(20, 0.5, 0.01, 6.0), "jeat16": JEAT_LANGEVIN, "jeat17": JEAT_LANGEVIN,
    "maxent": Dynamics(30, 0.7), "pgd": Dynamics(30, 0.7), "langevin-pairs": Dynamics(30, 0.7, 0.01),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_the_numbers_of_small_images_are_those_they_have_always_been(name):
    assert suited(name, (1, 28, 28)) == suited(SAMPLERS[name], (1, 28, 28)) == SMALL[name]
    assert suited(name, (3, 32, 32)) == SAMPLERS[name].defaults


def own(dyn, **more):
    return Sampler("Mine", "classifier", conditional, "label", dyn, "our choice", "Mine.", **more)


@pytest.mark.parametrize(
    ("shape", "share"),
    [((1, 28, 28), math.sqrt(784 / 3072)), ((3, 16, 16), 0.5), ((1, 4, 4), 1 / math.sqrt(192)), ((3, 224, 224), 7)],
)
def test_a_new_rows_lengths_go_with_the_box_unless_it_has_its_own(shape, share):
    dyn = Dynamics(15, 2.0, 0.02, 8.0, "linf", "sign")
    got = suited(own(dyn), shape)
    assert (got.step, got.radius) == pytest.approx((2 * share, 8 * share))
    assert replace(got, step=2.0, radius=8.0) == dyn  # K, η and the rest stay
    assert suited(own(dyn), (3, 32, 32)) is dyn
    raw = suited(own(replace(dyn, gradient="raw", radius=math.inf)), shape)  # α is a factor there, and no ball stays none
    assert raw.step == 2 and raw.radius == math.inf
    small = Dynamics(3, 0.1)
    assert (suited(own(dyn, small=small), shape) is small) == (share < 1), "small numbers are for small images"


def test_a_row_in_no_table_samples_as_its_name_would():
    net, x0 = toy_classifier(), rand(3, 1, 4, 4)
    *_, a = sample(SAMPLERS["ta"], net, x0, Y, SHORT)
    *_, b = sample("ta", net, x0, Y, SHORT)
    *_, c = sample(own(SHORT), net, x0, Y, SHORT)
    assert torch.equal(a.x, b.x) and torch.equal(c.x, b.x)
    *_, d = sample(own(replace(SHORT, steps=2)), net, x0, Y)
    assert d.k == 2


def test_a_row_says_itself_that_its_batch_is_one_system():
    net, x0 = toy_classifier(), rand(1, 1, 4, 4)
    crowd = Sampler("Crowd", "encoder", lambda z: -(z @ z.mean(0)), None, SHORT, "our choice", "Mine.", together=True)
    with pytest.raises(ValueError, match="'Crowd' moves a whole batch; give at least 2 chains, not 1"):
        sample(crowd, net, x0)
    assert len(list(sample(replace(crowd, together=False), net, x0))) == 7
    assert {name for name, row in SAMPLERS.items() if row.together} == {"maxent", "pgd"}


@classifiers
def test_what_a_row_climbs_is_the_slope_of_its_energy(name):
    """An energy that is a sum of f_y and logsumexp has their multiples in its row: checked on random logits."""
    f = randn(3, 5).requires_grad_()
    (grad,) = torch.autograd.grad(
        on(lambda f: f, SAMPLERS[name].energy, *([Y] if SAMPLERS[name].conditional else []))(f).sum(), f
    )
    a, b = SAMPLERS[name].climbs
    torch.testing.assert_close(-grad, a * torch.nn.functional.one_hot(Y, 5) + b * f.softmax(1).detach())


def test_an_unknown_sampler_is_refused_with_the_known_ones():
    with pytest.raises(KeyError, match="no sampler 'nuts'; choose one of rcs, cs, ta"):
        sample("nuts", toy_classifier(), rand(1, 1, 4, 4))


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_row_names_its_source_and_says_what_it_does_in_a_sentence(name):
    row = SAMPLERS[name]
    assert row.source and row.about.endswith(".") and row.needs


def test_rcs_energy_binds_the_label_of_each_sample():
    net, x = toy_classifier(), rand(3, 1, 4, 4)
    e = on(net, SAMPLERS["rcs"].energy, Y)(x)
    for i in range(3):
        torch.testing.assert_close(e[i : i + 1], on(net, SAMPLERS["rcs"].energy, Y[i : i + 1])(x[i : i + 1]))


@pytest.mark.parametrize("name", ["maxent", "pgd"])
def test_a_batch_that_is_one_system_has_two_members_at_least(name):
    with pytest.raises(ValueError, match="give at least 2 chains, not 1"):
        next(sample(name, toy_classifier(), rand(1, 1, 4, 4)))
