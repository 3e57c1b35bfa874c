"""Attacks on a classifier and the detectors behind it, against the equations written out, one image at a time."""

import pytest
import torch
from climbs import X, Y
from conftest import randn, seeded, toy_classifier

from cemviz.attacks import climb, threat
from cemviz.evasion import EVASIONS, both, evade, joined, rival, staged
from cemviz.margins import margin

F_, H = 3 * randn(40, 4, seed=1), 3 * randn(40, 4, seed=2)
LABELS = torch.arange(40) % 4


def others(row, y):
    return [float(value) for i, value in enumerate(row) if i != y]


def test_the_margin_is_the_lead_over_the_strongest_rival():
    expected = [float(f[y]) - max(others(f, y)) for f, y in zip(F_, LABELS, strict=True)]
    torch.testing.assert_close(margin(F_, LABELS), torch.tensor(expected).double())
    assert ((margin(F_, LABELS) > 0) == (F_.argmax(1) == LABELS)).all()


def test_the_rivals_energy_is_minus_the_highest_detector_of_another_class():
    expected = [-max(others(h, y)) for h, y in zip(H, LABELS, strict=True)]
    torch.testing.assert_close(rival(H, LABELS), torch.tensor(expected).double())


def test_the_joined_objective_is_that_of_the_classifier_with_a_class_more():
    expected = []
    for f, h, y in zip(F_, H, LABELS, strict=True):
        detected = (-max(others(h, y)) + 1) * max(map(float, f))  # (3.33)
        expected.append(max([*map(float, f), detected]) - max(others(f, y)))  # (3.34)
    torch.testing.assert_close(joined(F_, H, LABELS), torch.tensor(expected).double())


def test_the_staged_objective_turns_to_the_detectors_once_the_classifier_is_wrong():
    ours, lead = staged(F_, H, LABELS), margin(F_, LABELS)
    assert 0 < (lead < 0).sum() < len(lead)
    assert torch.equal(ours[lead >= 0], lead[lead >= 0]) and torch.equal(ours[lead < 0], rival(H, LABELS)[lead < 0])


@pytest.mark.parametrize("name", EVASIONS)
def test_every_row_is_an_energy_that_a_climb_of_its_negation_lowers(name):
    f, h = toy_classifier(), toy_classifier(seed=1)
    energy = both(EVASIONS[name].lowers, f, h, Y)
    *_, last = climb(lambda x: -energy(x), X, threat("pgd", "l2", 0.5, 20, 0.05), start=X, generator=seeded())
    above = energy(X) > 0 if name == "joined" else torch.ones_like(Y, dtype=torch.bool)  # which has arrived at 0
    assert above.sum() > 5 and (energy(last.x) < energy(X))[above].double().mean() > 0.7


@pytest.mark.parametrize("name", EVASIONS)
def test_an_attack_on_both_ends_where_the_climb_of_its_negation_does(name):
    f, h, dyn = toy_classifier(), toy_classifier(seed=1), threat("pgd", "linf", 0.2, 6)
    energy = both(EVASIONS[name].lowers, f, h, Y)
    *_, last = climb(lambda x: -energy(x), X, dyn, generator=seeded(2))
    assert torch.equal(evade(EVASIONS[name], f, h, X, Y, dyn, generator=seeded(2)), last.x)
