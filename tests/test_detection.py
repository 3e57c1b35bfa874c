"""Measures of detection, against counts by hand and another library's."""

import math

import pytest
import torch
from conftest import randn
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from cemviz.energies import marginal
from cemviz.metrics.detection import (
    auc,
    auc_drop,
    auc_error,
    average_precision,
    deceiving,
    fpr_at,
    generative,
    integrated,
    passing,
    threshold_at,
)
from cemviz.metrics.scores import SCORES, confidence

INSIDE, OUTSIDE = (randn(300, seed=1) + 0.7).round(decimals=1), randn(200, seed=2).round(decimals=1)
TARGETS = (torch.arange(500) < 300).long()


def test_the_auc_counts_pairs_and_halves_ties():
    inside, outside = torch.tensor([3.0, 1.0, 2.0]), torch.tensor([[1.0], [0.0]])
    assert auc(inside, outside) == pytest.approx((2 + 1.5 + 2) / 6)
    assert auc(outside, inside) == pytest.approx(0.5 / 6)
    assert auc(inside, inside) == 0.5


def test_areas_equal_those_of_torchmetrics():
    scores = torch.cat([INSIDE, OUTSIDE]).sigmoid()
    assert auc(INSIDE, OUTSIDE) == pytest.approx(binary_auroc(scores, TARGETS).item(), abs=1e-6)
    assert average_precision(INSIDE, OUTSIDE) == pytest.approx(binary_average_precision(scores, TARGETS).item(), abs=1e-6)


def test_areas_equal_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    scores = torch.cat([INSIDE, OUTSIDE]).numpy()
    assert auc(INSIDE, OUTSIDE) == pytest.approx(metrics.roc_auc_score(TARGETS, scores))
    assert average_precision(INSIDE, OUTSIDE) == pytest.approx(metrics.average_precision_score(TARGETS, scores))
    false, true, thresholds = metrics.roc_curve(TARGETS, scores, drop_intermediate=False)
    for fpr, tpr, t in zip(false[1:], true[1:], thresholds[1:], strict=True):
        assert (passing(OUTSIDE, t), passing(INSIDE, t)) == pytest.approx((fpr, tpr))


def test_the_error_of_the_auc_is_its_spread_over_draws():
    draws = [(randn(60, seed=2 * k) + 0.7, randn(80, seed=2 * k + 1)) for k in range(300)]
    spread = torch.tensor([auc(*draw) for draw in draws]).std().item()
    told = torch.tensor([auc_error(*draw) for draw in draws]).mean().item()
    assert told == pytest.approx(spread, rel=0.15)


def test_sets_that_lie_wholly_apart_have_an_error_that_falls_with_their_numbers():
    """A share of n in n is not known to be certain; where one is out of place, the spread is the placements'."""
    errors = [auc_error(torch.ones(n), torch.zeros(2 * n)) for n in (10, 40, 160)]
    assert errors == pytest.approx([math.sqrt((n + 1) / (n + 2) ** 3) for n in (10, 40, 160)])
    assert auc_error(torch.zeros(10), torch.ones(10)) == pytest.approx(errors[0])  # an AUC of 0
    mixed = torch.cat([torch.ones(39), -torch.ones(1)])
    assert auc_error(mixed, torch.zeros(80)) == pytest.approx(
        (torch.cat([torch.ones(39), torch.zeros(1)]).std() / 40**0.5).item()
    )


def test_the_drop_of_the_auc_has_a_paired_error():
    """The error leaves out the scatter that both attacks share."""
    draws = [(randn(60, seed=3 * k) + 2, randn(80, seed=3 * k + 1), 0.2 * randn(80, seed=3 * k + 2)) for k in range(300)]
    drops = [auc_drop(inside, outside, outside + 0.1 + more) for inside, outside, more in draws]
    values, errors = (torch.tensor(part) for part in zip(*drops, strict=True))
    assert errors.mean().item() == pytest.approx(values.std().item(), rel=0.15)
    inside, outside, more = draws[0]
    assert drops[0][0] == pytest.approx(auc(inside, outside) - auc(inside, outside + 0.1 + more))
    assert drops[0][1] < 0.5 * math.hypot(auc_error(inside, outside), auc_error(inside, outside + 0.1 + more))
    assert auc_drop(inside, outside, outside) == (0, 0)
    with pytest.raises(ValueError, match="80 outside inputs, 79 under attack"):
        auc_drop(inside, outside, outside[1:])


@pytest.mark.parametrize("values", [torch.tensor([]), torch.tensor([1.0, float("nan")]), torch.tensor([float("inf")])])
def test_scores_that_are_none_are_refused(values):
    for measure in (auc, auc_error, average_precision):
        with pytest.raises(ValueError, match="score"):
            measure(values, torch.zeros(3))


def test_a_threshold_is_the_highest_that_lets_the_share_pass():
    scores = torch.tensor([5.0, 1.0, 4.0, 2.0, 3.0])
    assert [threshold_at(rate, scores) for rate in (0.2, 0.4, 0.41, 0.6, 1.0)] == [5, 4, 3, 3, 1]
    assert passing(scores, 3.0) == 0.6
    hundred = torch.arange(100.0)
    assert threshold_at(0.95, hundred) == 5 and fpr_at(0.95, hundred, torch.tensor([4.0, 5.0, 6.0])) == pytest.approx(2 / 3)
    for rate in (0.0, 1.1, math.nan):
        with pytest.raises(ValueError, match="rate is"):
            threshold_at(rate, scores)


def test_only_what_deceives_the_classifier_is_a_false_positive():
    f = torch.tensor([[2.0, 1.0], [0.0, 1.0], [0.0, 1.0], [3.0, 0.0]])
    h = torch.tensor([[-1.0, 9.0], [9.0, 4.0], [9.0, -2.0], [5.0, 9.0]])
    y = torch.tensor([0, 0, 0, 0])
    seen = integrated(f, h)
    assert seen.answer.tolist() == [0, 1, 1, 0] and seen.score.tolist() == [-1, 4, -2, 5]
    assert deceiving(seen, y).tolist() == [-math.inf, 4, -2, -math.inf]
    assert passing(deceiving(seen, y), 0.0) == 0.25  # (3.29) counts over all images
    own = generative(h)
    assert own.answer.tolist() == [1, 0, 0, 1] and own.score.tolist() == [9, 9, 9, 9]
    assert passing(deceiving(own, y), 0.0) == 0.5


def test_confidence_orders_as_the_largest_probability_and_never_fades():
    f = 4 * randn(50, 5, seed=3)
    torch.testing.assert_close(confidence(f).sigmoid(), f.softmax(1).amax(1))
    sure = torch.tensor([[60.0, 0.0, 0.0]], requires_grad=True)
    confidence(sure).sum().backward()
    assert sure.grad.abs().max() > 0.5


def test_rows_are_high_where_their_energy_is_low():
    f = 4 * randn(50, 5, seed=3)
    torch.testing.assert_close(SCORES["energy"].function(f), -marginal(f))
    assert torch.equal(SCORES["logit"].function(f), f.amax(1))
    assert torch.equal(SCORES["binary"].function(f[:, :1]), f[:, 0])
