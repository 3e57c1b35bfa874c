"""The shipped nets a class: what they tell of digits under attack, measured again on test images."""

import pytest
import torch

from cemviz.backend.device import choose
from cemviz.backend.studio import Studio
from cemviz.backend.tables.evaded import L2, LINF, alone
from cemviz.data import images

pytestmark = [
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.usefixtures("shipped"),
    pytest.mark.skipif(not images.available("mnist", "test"), reason="the test images of MNIST are not here"),
]


@pytest.mark.parametrize(("model", "norm", "radius"), [(LINF, "linf", 0.3), (L2, "l2", 2.5)])
@pytest.mark.parametrize("k", [0, 1])
def test_the_first_two_detectors_tell_clean_digits_from_attacked_others(model, norm, radius, k):
    result = alone(k, norm, radius, 40, radius / 10, count=100).run(model, choose("cpu"), None, 0)
    assert result["value"] > 0.995 and result["count"] == 100


@pytest.mark.parametrize("model", [LINF, L2])
def test_constants_are_calibrated(model):
    studio = Studio(choose("cpu"))
    net, card = studio.model(model)
    unseen = studio.split("mnist", "validation", card.classes).first(2000)
    with torch.no_grad():
        p = net(unseen.floats()).softmax(1).mean(0)
    share = torch.bincount(unseen.labels, minlength=10) / len(unseen)
    assert (p - share).abs().max() < 0.01 and net.constants.abs().max() > 0
