"""The metric ood: the numbers of `outside`, what they rest on, and models and sets that have none."""

import json

import pytest
from detectors import DETECTORS, FRONTS, guarded
from stripes import binary
from windows import with_encoders

from cemviz.backend import store
from cemviz.backend.attack.outside import Outside, outside
from cemviz.backend.checks import BadInput
from cemviz.backend.evaluate import METRICS, evaluate
from cemviz.backend.requests import EvaluateRequest, OutsideRequest

QUICK = {"count": 12, "steps": 3, "restarts": 2}


@pytest.fixture
def studio(places):
    store.save(*binary("tells"))
    return with_encoders(guarded())


@pytest.mark.parametrize(("model", "score"), [(DETECTORS, "logit"), (FRONTS[0], "softmax"), ("tells", "binary")])
def test_the_value_is_the_auc_under_attack_beside_that_without(studio, model, score):
    *steps, result = evaluate(studio, EvaluateRequest(model, "ood", radius=0.4, seed=1, **QUICK))
    *_, found = outside(studio, OutsideRequest(model, radius=0.4, seed=1, **QUICK))
    assert isinstance(found, Outside) and steps
    worst, clean = found.rates(True), found.rates(False)
    pairs = {"value": worst["auc"], "spread": worst["spread"], "standard": clean["auc"], "fpr95": worst["fpr95"]}
    assert {name: result[name] for name in pairs} == pytest.approx(pairs, abs=1e-4) and result["value"] <= result["standard"]
    assert result["aupr"] == pytest.approx(worst["aupr"], abs=1e-4)
    own = store.read_card(model).norm
    rests = {
        "score": score,
        "norm": own,
        "radius": 0.4,
        "against": "uniform",
        "seen": False,
        "count": 12,
        "inside": 12,
        "seed": 1,
    }
    assert result | QUICK | rests | {"inside": 12} == result and json.loads(json.dumps(result)) == result


def test_the_score_and_the_ball_are_what_is_asked_for(studio):
    *_, plain = evaluate(studio, EvaluateRequest(FRONTS[0], "ood", **QUICK))
    *_, energy = evaluate(studio, EvaluateRequest(FRONTS[0], "ood", score="energy", norm="linf", radius=0.1, **QUICK))
    assert (plain["score"], energy["score"], energy["norm"], energy["radius"]) == ("softmax", "energy", "linf", 0.1)
    assert plain["standard"] != energy["standard"] and METRICS["ood"].better == "higher"


REFUSED = [
    ("stripes-uat", {}, "is an encoder, which scores no single input"),
    (FRONTS[0], {"score": "binary"}, "score is 'binary', 'stripes-standard' is a classifier; choose one of softmax"),
    ("tells", {"score": "energy"}, "is a binary net; choose one of binary"),
    (FRONTS[0], {"against": "stripes"}, "against is 'stripes', the data that 'stripes-standard' was trained on"),
    (FRONTS[0], {"against": "fashionmnist"}, "the images of fashionmnist (held-out) are not on this machine"),
    (FRONTS[0], {"sampler": "rcs"}, "metric 'ood' takes no sampler"),
    (FRONTS[0], {"count": 3}, "count is 3; give a whole number from 10"),
    (FRONTS[0], {"steps": 0}, "steps) is 0; give a whole number from 1"),
]


@pytest.mark.parametrize(("model", "given", "message"), REFUSED, ids=[f"{model}-{given}" for model, given, _ in REFUSED])
def test_what_has_no_score_or_does_not_fit_is_refused(studio, model, given, message):
    with pytest.raises(BadInput) as refused:
        list(evaluate(studio, EvaluateRequest(model, "ood", **given)))
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_other_metrics_take_none_of_its_fields(studio):
    with pytest.raises(BadInput, match="metric 'accuracy' takes no against; leave it out, or ask for the metric ood"):
        list(evaluate(studio, EvaluateRequest(FRONTS[0], against="fashionmnist")))
