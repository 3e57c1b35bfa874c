"""Accuracy, clean and under attack: counted by hand, attacked only where still correct; curves; faults found beforehand."""

import re

import pytest
import torch
from conftest import rand, seeded, toy_classifier
from torch import nn

from cemviz.attacks import ATTACKS, Attack, perturb, threat
from cemviz.energies import conditional, negated
from cemviz.metrics import answers
from cemviz.metrics.answers import LOST, RIGHT, WRONG, logits, lost, outcomes
from cemviz.metrics.preflight import preflight
from cemviz.metrics.robustness import accuracy, correct_under, curve, outcomes_under

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
def test_radius_0_leaves_clean_accuracy_and_a_ball_like_the_box_little(name):
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


RADII = [0.0, 0.02, 0.05, 0.1, 0.5]


def test_a_curve_starts_at_the_clean_accuracy_and_falls():
    points = list(curve("pgd", NET, X, Y, "linf", RADII, steps=10, generator=seeded()))
    assert [r for r, _ in points] == RADII and points[0][1] == 0.75
    shares = [s for _, s in points]
    assert shares == sorted(shares, reverse=True) and len(set(shares)) > 3 and shares[-1] < 0.2


def test_a_curve_of_one_radius_is_the_robust_accuracy_there():
    dyn = threat("fgsm", "linf", 0.1)
    ((_, share),) = curve("fgsm", NET, X, Y, "linf", [0.1], size=16)
    assert share == pytest.approx(counted("fgsm", dyn).double().mean().item())


def test_an_image_broken_at_a_smaller_radius_stays_so_and_is_skipped(monkeypatch):
    """Two radii break different images: the second point counts both."""
    seen = []

    def broken(name, net, x, y, dyn, **how):
        seen.append(x)
        yield torch.arange(len(x)) != (0 if dyn.radius == 0.1 else 4)

    monkeypatch.setattr("cemviz.metrics.robustness.correct_under", broken)
    assert list(curve("pgd", NET, X, Y, "l2", [0.1, 0.2])) == [(0.1, 29 / 40), (0.2, 28 / 40)]
    correct = X[NET(X).argmax(1) == Y]
    assert torch.equal(seen[0], correct) and torch.equal(seen[1], correct[1:])


def test_a_curve_goes_on_when_nothing_is_left():
    assert list(curve("fgsm", NET, X, (NET(X).argmax(1) + 1) % 4, "l2", [0.1, 0.2])) == [(0.1, 0.0), (0.2, 0.0)]


@pytest.mark.parametrize("radii", [[], [0.2, 0.1], [-0.1, 0.1]])
def test_radii_that_do_not_ascend_are_refused(radii):
    with pytest.raises(ValueError, match="give at least one, ascending from 0 or above"):
        list(curve("fgsm", NET, X, Y, "l2", radii))


class Then(nn.Module):
    """A net, and something that spoils its logits."""

    def __init__(self, spoil):
        super().__init__()
        self.net, self.spoil = NET, spoil

    def forward(self, x):
        return self.spoil(self.net(x))


class Crowded(nn.Module):
    """Logits less their mean over the batch, as a BatchNorm without running statistics gives them."""

    def forward(self, x):
        f = NET(x)
        return f - f.mean(0)


FAULTS = {
    "random": (lambda f: f + 0.01 * torch.randn_like(f), "two forward passes differ"),
    "probabilities": (lambda f: f.softmax(1), "the outputs are probabilities, not logits"),
    "saturated": (lambda f: f * 1e5, r"gradient is exactly zero for \d+ of 40 images"),
    "rounded": (lambda f: f.round(), "gradient is exactly zero for 40 of 40 images"),
    "cut": (lambda f: f.detach(), "gradient is exactly zero for 40 of 40 images"),
    "log-probabilities": (lambda f: f.log_softmax(1), r"outputs are log-probabilities: E\(x\) = -logsumexp is 0 everywhere"),
    "nan gradients": (lambda f: f + 0 * (f - f).sqrt(), "not finite for 40 of 40 images"),
    "nan logits": (lambda f: f / 0 - f / 0, "not finite for 40 of 40 images"),
    "input ignored": (lambda f: torch.arange(4.0).expand(len(f), 4).requires_grad_(), "exactly zero for 40 of 40 images"),
}


def test_a_sound_net_passes_before_flight():
    assert preflight(NET, X, Y) == []
    assert preflight(Then(lambda f: f - f.amin()).eval(), X, Y) == []  # no output below 0, and yet no probabilities
    assert preflight(Then(lambda f: f - f.mean(1, keepdim=True) + 0.25).eval(), X, Y) == []  # rows of sum 1, some below 0
    blind = toy_classifier()
    with torch.no_grad():
        blind[1].weight[:, 0] = 0  # a pixel that no one looks at is no zero gradient
    assert preflight(blind, X, Y) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_found_and_nothing_else(fault):
    spoil, said = FAULTS[fault]
    state = torch.get_rng_state()
    with torch.no_grad():  # a caller's context does not hide the gradients
        (line,) = preflight(Then(spoil).eval(), X, Y)
    assert re.search(said, line)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("count", [1, 2, 8, 9, 40])
def test_answers_that_depend_on_the_batch_are_found_in_a_batch_of_any_size(count):
    (fault,) = (
        preflight(Crowded().eval(), X[:count], Y[:count]) if count > 1 else preflight(Crowded().eval(), X[1:2], Y[1:2])[:1]
    )
    assert "answers depend on the rest of the batch" in fault
    assert preflight(NET, X[:count], Y[:count]) == []
    layer = nn.Sequential(NET, nn.BatchNorm1d(4, track_running_stats=False)).double().eval()
    assert count == 1 or "rest of the batch" in " ".join(preflight(layer, X[:count], Y[:count]))


def test_advice_against_zero_gradients_fits_the_net():
    sure = Then(lambda f: 1e5 * f).eval()
    assert "attack with apgd-dlr" in preflight(sure, X, Y)[-1]
    two = Then(lambda f: 1e5 * f[:, :2]).eval()
    (fault,) = preflight(two, X, Y % 2)
    assert "exactly zero" in fault and "dlr" not in fault and "compute in float64" in fault  # it wants three classes
    for spoil in (lambda f: f.round(), lambda f: f.detach(), lambda f: f[:, :2].sign()):
        (fault,) = preflight(Then(spoil).eval(), X, Y % 2)
        assert "dlr" not in fault and "cuts the graph" in fault  # its gradient is zero there too


def test_the_advice_against_zero_gradients_works():
    """Followed, it finds what cross-entropy does not."""
    sure = Then(lambda f: 1e5 * f).eval()
    y = sure(X).argmax(1)
    kept = {name: torch.cat(list(correct_under(name, sure, X, y, threat(name, "linf", 0.2), generator=seeded())))
            for name in ("apgd", "apgd-dlr")}  # fmt: skip
    assert kept["apgd-dlr"].sum() < kept["apgd"].sum()


def test_several_faults_are_told_at_once_and_nonfinite_hides_none():
    spoil = lambda f: torch.cat([f[:3] / 0, (1e5 * f[3:]).softmax(1)])  # noqa: E731
    faults = preflight(Then(lambda f: spoil(f) if len(f) == 40 else (1e5 * f).softmax(1)).eval(), X, Y)
    assert [bool(re.search(said, line)) for said, line in zip(
        ("not finite for 3 of 40 images", "probabilities", "exactly zero"), faults, strict=True)] == [True] * 3  # fmt: skip


def test_a_net_that_fails_is_told_in_a_sentence():
    (fault,) = preflight(nn.Sequential(nn.Flatten(), nn.Linear(16, 4)).half().eval(), X.float(), Y)
    assert "the images are float32, the net's weights float16; give one type" in fault and "\n" not in fault
    (fault,) = preflight(nn.Sequential(nn.Flatten(), nn.Linear(9, 4)).double().eval(), X, Y)
    assert "the net does not take images of shape (40, 1, 4, 4)" in fault
    (fault,) = preflight(lambda x: x[:, 9], X, Y)
    assert "the net fails on images of shape (40, 1, 4, 4)" in fault


# what is not finite is never right ---------------------------------------------------------------------------------------

SPOILS = {
    "nan": lambda f: torch.full_like(f, torch.nan),
    "one nan": lambda f: torch.cat([f[:, :3], f[:, 3:] * torch.nan], 1),
    "inf for the label": lambda f: f.scatter(1, f.argmax(1, keepdim=True), torch.inf),
    "-inf for another": lambda f: f.scatter(1, f.argmin(1, keepdim=True), -torch.inf),
    "all inf": lambda f: f * 0 + torch.inf,
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
@pytest.mark.parametrize("label", range(4))
def test_an_answer_that_is_not_finite_is_never_right_whatever_the_label(spoil, label):
    f = NET(X).detach()
    y = torch.full((N,), label)
    bad = torch.arange(N) % 3 == 0
    f[bad] = spoil(f[bad])
    seen = outcomes(f, y)
    assert (seen[bad] == LOST).all()
    assert torch.equal(seen[~bad] == RIGHT, f[~bad].argmax(1) == y[~bad]) and (seen[~bad] != LOST).all()
    assert lost(seen, "pictures") == [
        "the net's answers are not finite for 14 of 40 pictures (NaN or infinity), which count as wrong"
    ]
    assert lost(seen[~bad]) == []


@pytest.mark.parametrize("name", UNTARGETED)
def test_a_net_that_overflows_is_neither_right_nor_robust_under_any_attack(name):
    """The logits of a bright image overflow, as those of a net in half precision do."""
    bright = X[:, 0, 0, 0] > 0.6

    def overflowing(x):
        f = NET(x)
        return torch.where((x[:, 0, 0, 0] > 0.6)[:, None], f * 1e308 * 1e308, f)

    y, dyn = NET(X).argmax(1), threat(name, "linf", 0.0, 2)
    assert accuracy(overflowing, X, y) == pytest.approx(1 - bright.double().mean().item())
    seen = torch.cat(list(outcomes_under(name, overflowing, X, y, dyn, size=7, generator=seeded())))
    assert torch.equal(seen == LOST, bright) and torch.equal(seen == RIGHT, ~bright)
    ((_, share),) = curve(name, overflowing, X, y, "linf", [0.0])
    assert share == pytest.approx(1 - bright.double().mean().item())


def test_half_precision_that_overflows_is_wrong_where_float32_is_right():
    weights = torch.zeros(4, 16)
    weights[torch.arange(4), torch.arange(4)] = 9e4  # above 65504, the largest half
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 4, bias=False)).eval()
    with torch.no_grad():
        net[1].weight.copy_(weights)
    x = X.float() * 0.5 + 0.5
    y = net(x).argmax(1)
    assert accuracy(net, x, y) == 1 and accuracy(net.half(), x.half(), y) == 0
    assert sum(part.sum() for part in correct_under("fgsm", net, x.half(), y, threat("fgsm", "linf", 0.001))) == 0


def test_an_image_whose_gradient_is_nan_is_not_robust():
    spoiled = Then(lambda f: f + 0 * (f - f).sqrt()).eval()  # finite answers, NaN gradients
    seen = torch.cat(list(outcomes_under("pgd", spoiled, X, Y, threat("pgd", "linf", 0.1, 2), generator=seeded())))
    assert accuracy(spoiled, X, Y) == 0.75 and not (seen == RIGHT).any() and (seen == LOST).sum() == 30


def test_correct_is_a_right_outcome_and_nothing_else():
    dyn = threat("pgd", "linf", 0.05, 2)
    seen = torch.cat(list(outcomes_under("pgd", NET, X, Y, dyn, size=9, generator=seeded())))
    assert torch.equal(seen == RIGHT, counted("pgd", dyn, size=9)) and {RIGHT, WRONG} == set(seen.tolist())


def test_a_targeted_row_in_no_table_is_refused_by_its_title():
    mine = Attack("Mine", conditional, 1, 1.0, "our choice", targeted=True)
    with pytest.raises(ValueError, match="attack 'Mine' is targeted"):
        next(correct_under(mine, NET, X, Y, threat(mine, "l2", 0.5)))
    own = Attack("Mine", negated(conditional), 1, 1.0, "our choice", random_start=False)
    assert torch.equal(counted(own, threat(own, "linf", 0.1)), counted("fgsm", threat("fgsm", "linf", 0.1)))
    assert list(curve(own, NET, X, Y, "linf", [0.1])) == list(curve("fgsm", NET, X, Y, "linf", [0.1]))


@pytest.mark.parametrize("restarts", [0, -1])
def test_an_attack_that_never_runs_is_no_evidence(restarts):
    with pytest.raises(ValueError, match=f"restarts is {restarts}; give at least 1"):
        next(correct_under("pgd", NET, X, Y, threat("pgd", "l2", 0.5), restarts=restarts))


def test_zero_gradients_are_counted_image_by_image():
    hidden = Then(lambda f: torch.cat([f[:7].detach(), f[7:]]) if len(f) == 40 else f).eval()
    (fault,) = preflight(hidden, X, Y)
    assert "for 7 of 40 images" in fault


def test_a_net_in_train_mode_is_told_so_and_not_run():
    net = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(16, 4)).double().eval()
    net[0].train()  # one layer is enough
    (fault,) = preflight(net, X, Y)
    assert "train mode" in fault and net[0].num_batches_tracked == 0 and net[0].training


def test_an_answer_that_is_not_finite_is_read_as_no_class():
    f = torch.tensor([[1.0, 2.0], [float("nan"), 0.0], [float("inf"), 0.0]])
    assert answers.read(f, ("left", "right")) == ["right", answers.UNREADABLE, answers.UNREADABLE]
