"""Tables of the thesis' third chapter: their own measures, on small nets and against counts by hand."""

import copy
from dataclasses import replace

import pytest
import torch
from conftest import equip
from fitted import stored

from cemviz.attacks import perturb, threat
from cemviz.backend import store
from cemviz.backend.device import choose
from cemviz.backend.studio import Studio
from cemviz.backend.tables import detectors, evaded, generative, outside
from cemviz.metrics.detection import auc, threshold_at
from cemviz.metrics.detection import generative as answers


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    stored(equip(tmp_path_factory.mktemp("tables"), patch), patch)
    patch.setattr(evaded, "CLASSIFIER", "stripes-standard")
    yield Studio(choose("cpu"))
    patch.undo()


def value(measure, model="each", seed=0):
    return measure.run(model, choose("cpu"), None, seed)


@pytest.mark.parametrize("k", [0, 2])
def test_a_detector_is_told_by_its_clean_class_against_the_attacked_others(studio, k):
    ours = value(evaded.alone(k, "l2", 0.5, 10, 0.1, count=15))
    test, net = studio.test_images("stripes").first(30), studio.model("each")[0]
    x, y = test.floats(), test.labels
    others = x[y != k][:15]
    # descending the cross-entropy of class k alone would move other members too: the attack is on d_k
    at = perturb("targeted", lambda x: torch.stack([net.only(k)(x), torch.zeros(len(x))], 1), others,
                 torch.zeros(len(others), dtype=torch.int64), threat("pgd", "l2", 0.5, 10, 0.1),
                 generator=torch.Generator().manual_seed(0))  # fmt: skip
    with torch.no_grad():
        theirs = auc(net.only(k)(x[y == k]), net.only(k)(at))
    assert ours["value"] == pytest.approx(theirs, abs=0.02) and ours["count"] == 15 and ours["error"] >= 0


def test_more_restarts_only_lower_the_auc(studio):
    one, five = (value(evaded.alone(1, "linf", 0.2, 4, 0.05, restarts=r, count=15))["value"] for r in (1, 5))
    assert five <= one


def test_random_search_goes_on_where_square_rests_and_raises_a_score_without_its_gradient():
    """An energy that begins below 0, where Square holds still."""
    x = torch.full((3, 1, 6, 6), 0.5)
    dyn = threat("pgd", "linf", 0.1, 60, 0.6)

    def energy(at):
        assert not torch.is_grad_enabled()
        return -10.0 - at.flatten(1).sum(1)

    states = list(evaded.random_search(energy, x, dyn, generator=torch.Generator().manual_seed(0)))
    last = states[-1]
    assert len(states) == 61 and ((last.x - x).abs() <= 0.1 + 1e-6).all()
    assert last.energy.tolist() == pytest.approx(energy_of(last.x), abs=1e-4)
    assert (last.energy < states[1].energy).all() and (last.energy < states[0].energy - 1).all()  # at most 3.6 lower


def energy_of(x):
    return (-10.0 - x.flatten(1).sum(1)).tolist()


def test_random_search_is_a_weaker_attack_on_a_detector_than_steps_are(studio):
    values = [
        value(evaded.alone(1, "linf", 0.4, steps, step, run=run, count=15))["value"]
        for run, steps, step in (("steps", 40, 0.02), ("random", 200, 0.6), ("random", 2, 0.6))
    ]
    assert values == sorted(values) and values[0] < values[1] < values[2]


def test_a_stronger_attack_lowers_the_auc_of_the_same_images_and_a_weaker_one_raises_it(studio, monkeypatch):
    monkeypatch.setattr(evaded, "PLAIN", {"steps": 20, "step": 0.02})
    plain = value(evaded.alone(1, "linf", 0.4, 20, 0.02, count=15))["value"]
    for how in ({"steps": 40, "step": 0.02}, {"steps": 1, "step": 0.01}, {"steps": 20, "step": 0.02, "restarts": 3}):
        told = value(evaded.lowered(1, "linf", 0.4, **how, count=15))
        assert told["value"] == pytest.approx(plain - value(evaded.alone(1, "linf", 0.4, **how, count=15))["value"], abs=0.1)
        assert (told["value"] < 0) == (how["steps"] == 1) and told["count"] == 15


def test_a_ways_rate_counts_what_passes_as_another_class(studio):
    for way, evasion in detectors.WAYS.values():
        none = value(evaded.passed(way, evasion, 12, steps=1))["value"]
        assert 0 <= none <= 1
    strong = value(evaded.passed("integrated", "staged", 12, steps=10))["value"]
    weak = value(evaded.passed("integrated", "classifier", 12, steps=10))["value"]
    assert strong >= weak


def test_the_smallest_change_passes_and_lies_in_what_was_searched(studio, monkeypatch):
    monkeypatch.setattr(evaded, "COUNT", 30)
    monkeypatch.setattr(evaded, "SEARCH", 15)
    monkeypatch.setattr(evaded, "HALVINGS", 5)
    result = value(evaded.distortion(4))
    assert 0 < result["value"] <= evaded.LONGEST and result["count"] == 4
    net, x = studio.model("each")[0], studio.test_images("stripes").first(30).floats()
    with torch.no_grad():
        limit = threshold_at(0.95, answers(net(x)).score)
    monkeypatch.setattr(evaded, "threshold_at", lambda *_: limit + 5)
    assert value(evaded.distortion(4))["value"] > result["value"]  # a higher bar takes a longer way


def test_other_images_are_told_apart_worse_in_the_worst_case(studio, monkeypatch):
    monkeypatch.setattr(outside, "STEPS", 8)
    clean, worst = (value(outside.told_apart("uniform", attacked, radius=1.0)) for attacked in (False, True))
    assert worst["value"] <= clean["value"] and worst["split"] is None
    assert value(outside.told_apart("other", False), "single")["note"] == "training saw other images of this set"


def test_constants_are_taken_away_and_told_beside_the_logits(studio):
    net, card = studio.model("each")
    shifted = copy.deepcopy(net)
    shifted.constants.copy_(torch.tensor([1e4, 0.0, 0.0]))
    store.save(shifted.state_dict(), replace(card, name="shifted"))
    assert value(generative.clean(False, "test"), "shifted")["value"] == value(generative.clean(True, "test"))["value"] > 0.5
    assert value(generative.clean(True, "test"), "shifted")["value"] == pytest.approx(1 / 3)  # all are taken for class 0
    told = value(generative.constant(0), "shifted")
    assert told["value"] == 1e4 and told["note"].startswith("d_0 is ")
