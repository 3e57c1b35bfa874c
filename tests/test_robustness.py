"""Accuracy, clean and under attack: counted by hand, attacked only where still correct, the worst restart counts."""

import pytest
import torch
from conftest import rand, seeded, toy_classifier

from cemviz.attacks import ATTACKS, perturb, threat
from cemviz.metrics.robustness import accuracy, correct_under, logits

N = 40
X = rand(N, 1, 4, 4, seed=1)
NET = toy_classifier(scale=4.0)
Y = NET(X).argmax(1)
Y[::4] = (Y[::4] + 1) % 4  # a quarter of the labels is wrong
UNTARGETED = [name for name, row in ATTACKS.items() if not row.targeted]


def counted(name, dyn, **how):
    return torch.cat(list(correct_under(name, NET, X, Y, dyn, generator=seeded(), **how)))


def test_accuracy_is_the_share_of_images_whose_label_wins():
    assert accuracy(NET, X, Y) == pytest.approx(0.75)


@pytest.mark.parametrize("size", [1, 7, 40, 100])
def test_logits_in_chunks_are_those_of_the_whole_and_keep_no_graph(size):
    f = logits(NET, X, size)
    torch.testing.assert_close(f, NET(X).detach())
    assert not f.requires_grad


@pytest.mark.parametrize("name", UNTARGETED)
def test_radius_0_leaves_the_clean_accuracy_and_a_ball_as_large_as_the_box_leaves_little(name):
    assert counted(name, threat(name, "linf", 0.0, 2)).double().mean() == 0.75
    assert counted(name, threat(name, "linf", 1.0, 20)).double().mean() < 0.3


@pytest.mark.parametrize("name", UNTARGETED)
def test_what_is_wrong_without_an_attack_is_never_counted_as_correct(name):
    assert not counted(name, threat(name, "linf", 0.05, 2))[::4].any()


def test_correct_under_equals_attacking_the_correct_images_by_hand():
    dyn = threat("fgsm", "linf", 0.1)
    by_hand = (NET(X).argmax(1) == Y) & (NET(perturb("fgsm", NET, X, Y, dyn)).argmax(1) == Y)
    assert torch.equal(counted("fgsm", dyn), by_hand) and 0 < by_hand.sum() < 30


def test_chunks_come_in_order_and_do_not_change_the_count():
    dyn = threat("fgsm", "linf", 0.1)
    parts = list(correct_under("fgsm", NET, X, Y, dyn, size=16))
    assert [len(p) for p in parts] == [16, 16, 8] and torch.equal(torch.cat(parts), counted("fgsm", dyn))


def test_only_images_that_are_still_correct_are_attacked(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "cemviz.metrics.robustness.perturb",
        lambda name, net, x, y, dyn, generator=None: seen.append(len(x)) or perturb(name, net, x, y, dyn, generator=generator),
    )
    correct = counted("pgd", threat("pgd", "linf", 0.1, 1), restarts=3)
    assert seen[0] == 30 and seen == sorted(seen, reverse=True) and seen[2] < 30 and correct.sum() <= seen[2]


def test_more_restarts_never_find_fewer_and_the_worst_counts():
    dyn = threat("pgd", "linf", 0.08, 1, 0.02)
    one, five = counted("pgd", dyn), counted("pgd", dyn, restarts=5)
    assert (five <= one).all() and five.sum() < one.sum()


def test_a_targeted_attack_is_refused():
    with pytest.raises(ValueError, match="attack 'targeted' is targeted: robust accuracy wants an untargeted one"):
        next(correct_under("targeted", NET, X, Y, threat("targeted", "l2", 0.5)))
