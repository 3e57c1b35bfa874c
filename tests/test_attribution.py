"""Integrated gradients: exact where a net is linear, complete where it is not, of the class that is asked for."""

import sys

import pytest
import torch
from conftest import rand, toy_classifier
from detectors import DETECTORS, FRONTS, guarded

from cemviz.backend.checks import BadInput
from cemviz.backend.look.attribution import attribution, integrated_gradients
from cemviz.backend.look.pictures import shaped
from cemviz.backend.requests import AttributionRequest
from cemviz.backend.use_case import Step


def test_a_linear_logit_gives_its_weights_times_the_pixels():
    x, w = rand(1, 3, 3), rand(1, 3, 3, seed=1) - 0.5
    pixels, rise = integrated_gradients(lambda at: (at * w).flatten(1).sum(1) + 7, x, 4)
    assert torch.allclose(pixels, w * x) and rise == pytest.approx(float((w * x).sum()))


def test_the_pixels_sum_to_the_rise_of_a_curved_logit():
    net, x = toy_classifier(), rand(1, 4, 4)
    pixels, rise = integrated_gradients(lambda at: net(at)[:, 2], x, 64)
    ends = net(torch.stack([x, torch.zeros_like(x)]))[:, 2].detach()
    assert rise == pytest.approx(float(ends[0] - ends[1])) and float(pixels.sum()) == pytest.approx(rise, abs=1e-4)
    assert not pixels[x == 0].any() and not pixels.requires_grad


def test_every_net_explains_the_picture_s_class_or_the_one_asked_for(places):
    studio = guarded()
    *steps, found = attribution(studio, AttributionRequest((FRONTS[0], DETECTORS), "test:4"))
    assert len(steps) == 2 and all(isinstance(step, Step) for step in steps) and found.label == "middle"
    assert [mask.card.name for mask in found.masks] == [FRONTS[0], DETECTORS]
    net, card = studio.model(DETECTORS)
    x = shaped(studio, card, "test:4").x
    for label in ("middle", "right"):
        *_, asked = attribution(studio, AttributionRequest((DETECTORS,), "test:4", label))
        (mask,), k = asked.masks, card.classes.index(label)
        with torch.no_grad():
            ends = net(torch.stack([x, torch.zeros_like(x)]))[:, k]
        assert mask.pixels.shape == (8, 8) and mask.rise == pytest.approx(float(ends[0] - ends[1]), abs=1e-5)
        assert mask.pixels.sum() == pytest.approx(mask.rise + mask.gap, abs=1e-5) and abs(mask.gap) < 0.05 * abs(mask.rise)


def test_what_cannot_be_explained_is_refused(places, monkeypatch):
    studio = guarded()
    for models, label, message in ((("none",), "", "models is 'none'"), ((DETECTORS,), "up", "label is 'up'")):
        with pytest.raises(BadInput, match=message):
            list(attribution(studio, AttributionRequest(models, "test:4", label)))
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(BadInput, match="pip install captum"):
        list(attribution(studio, AttributionRequest((DETECTORS,), "test:4")))
