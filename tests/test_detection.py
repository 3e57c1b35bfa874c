"""Measures of detection, against counts by hand and another library's."""

import pytest
import torch
from conftest import randn
from torchmetrics.functional.classification import binary_auroc

from cemviz.metrics.detection import auc


def test_the_auc_counts_pairs_and_halves_ties():
    inside, outside = torch.tensor([3.0, 1.0, 2.0]), torch.tensor([[1.0], [0.0]])
    assert auc(inside, outside) == pytest.approx((2 + 1.5 + 2) / 6)
    assert auc(outside, inside) == pytest.approx(0.5 / 6)
    assert auc(inside, inside) == 0.5


def test_the_auc_equals_that_of_torchmetrics():
    inside, outside = (randn(300, seed=1) + 0.7).round(decimals=1), randn(200, seed=2).round(decimals=1)
    scores, targets = torch.cat([inside, outside]), torch.arange(500) < 300
    assert auc(inside, outside) == pytest.approx(binary_auroc(scores.sigmoid(), targets.long()).item(), abs=1e-6)


@pytest.mark.parametrize("values", [torch.tensor([]), torch.tensor([1.0, float("nan")]), torch.tensor([float("inf")])])
def test_scores_that_are_none_are_refused(values):
    with pytest.raises(ValueError, match="score"):
        auc(values, torch.zeros(3))
