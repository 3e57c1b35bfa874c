"""Detection on small nets of its own: verdicts, attacked versions, scores that ship and thresholds learned from them."""

import json
import math
import shutil

import pytest
import torch
from conftest import equip
from fitted import CLASSES, stored

from cemviz.backend import store
from cemviz.backend.attack import detection
from cemviz.backend.attack.detect import Detected, detect
from cemviz.backend.attack.detection import Rates
from cemviz.backend.attack.outside import Outside, outside
from cemviz.backend.attack.rates import robustness
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.evaluate import evaluate
from cemviz.backend.kinds import compared
from cemviz.backend.requests import DetectRequest, EvaluateRequest, OutsideRequest, RobustnessRequest, SampleRequest
from cemviz.backend.sample.chains import sample
from cemviz.backend.stored import artefacts
from cemviz.backend.studio import Studio
from cemviz.evasion import EVASIONS
from cemviz.metrics.detection import auc, generative, integrated
from cemviz.nets import build


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    places = equip(tmp_path_factory.mktemp("detect"), patch)
    stored(places, patch)
    *_, last = detection.make(Studio(choose("cpu")), "stripes")
    assert last["path"].endswith("detection/stripes.json")
    yield places
    patch.undo()


@pytest.fixture(scope="module")
def studio(root):
    return Studio(choose("cpu"))


@pytest.fixture
def copied(root, tmp_path, monkeypatch):
    """The same models and scores, to be changed."""
    shutil.copytree(root / "models", tmp_path / "models")
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path / "models"))
    return Studio(choose("cpu"))


def shown(studio, **asked) -> Detected:
    *_, last = detect(studio, DetectRequest(**{"model": "each", "image": "test:4", "steps": 5} | asked))
    return last


def test_a_picture_is_shown_to_both_nets_and_every_attack_stays_in_its_ball(studio):
    result = shown(studio)
    net, other = studio.model("each")[0], studio.model("stripes-standard")[0]
    x = studio.test_images("stripes").floats(4)[None]
    with torch.no_grad():
        f, h = other(x), net(x)
    first, *rest = result.versions
    assert list(first.scores.values()) == pytest.approx(h[0].tolist()) and first.distance == 0
    assert list(first.classifier.values()) == pytest.approx(f.softmax(1)[0].tolist())
    for verdict, decided in ((first.integrated, integrated(f, h)), (first.generative, generative(h))):
        assert verdict.answer == CLASSES[int(decided.answer)] and verdict.score == pytest.approx(float(decided.score))
    assert first.integrated.passes == (first.integrated.score >= result.threshold["integrated"])
    assert [version.key for version in rest] == list(EVASIONS)
    assert all(0 < version.distance <= 1.0 + 1e-5 for version in rest)
    assert result.label == studio.test_images("stripes").classes[int(studio.test_images("stripes").labels[4])]


def test_each_attack_lowers_its_own_objective(studio):
    result = shown(studio, steps=30, radius=2.0)
    first, *rest = result.versions

    def lowered(version, name):
        f = torch.tensor([list(version.classifier.values())]).log()  # logits up to a constant, which no margin sees
        h = torch.tensor([list(version.scores.values())])
        return float(EVASIONS[name].lowers(f, h, torch.tensor([CLASSES.index(result.label)])))

    for version in rest:
        if version.key in ("classifier", "detectors"):
            assert lowered(version, version.key) < lowered(first, version.key)


def test_the_command_lines_answer_is_that_of_generative_detection(studio):
    facts = shown(studio, rate=1.0, attacked=False).facts
    assert facts.keys() >= {"model", "image", "scores", "decision", "threshold"} and facts["attacked"] == {}
    best = max(facts["scores"], key=facts["scores"].get)
    assert facts["decision"] == (best if facts["scores"][best] >= facts["threshold"] else "rejected")
    json.dumps(facts)


def test_thresholds_let_the_asked_share_of_validation_images_pass(studio):
    row = detection.rates_of(*(studio.cards()[name] for name in ("each", "stripes-standard")))
    for way in detection.WAYS:
        scores = torch.tensor(row.validation[way])
        for rate in (0.5, 0.8, 1.0):
            share = (scores >= row.threshold(way, rate)).double().mean().item()
            assert rate <= share < rate + 2 / len(scores) + 0.1


def test_only_attacked_images_that_are_taken_for_another_class_have_a_score(studio):
    row = detection.rates_of(*(studio.cards()[name] for name in ("each", "stripes-standard")))
    for scores in row.attacked.values():
        for way in detection.WAYS:
            assert len(scores[way]) == row.count == 12
    assert any(score is None for way in row.attacked["classifier"].values() for score in way)
    assert all(score is not None for score in (*row.clean["integrated"], *row.clean["generative"]))


def test_what_is_measured_is_not_measured_again_and_a_model_trained_anew_is(copied):
    before = detection.shipped("stripes")
    assert {(row.model, row.classifier) for row in before.rates} == {("each", "stripes-standard"), ("each", "stripes-at")}
    assert {row.against for row in before.outsiders} == {"uniform", "other"}
    assert {row.model for row in before.outsiders} == {"each", "single", "stripes-standard", "stripes-at"}
    assert [type(item) for item in detection.make(copied, "stripes")] == [dict]
    card = copied.cards()["each"]
    store.save(build("one-vs-rest", seed=9, **card.net_args), card)
    fresh = Studio(choose("cpu"))
    with pytest.raises(BadInput, match="trained anew"):
        shown(fresh)
    for _ in detection.make(fresh, "stripes"):
        pass
    after = detection.shipped("stripes")
    assert all(row.sha256 == fresh.cards()["each"].sha256 for row in after.rates) and len(after.rates) == 2
    assert [row for row in after.outsiders if row.model == "single"] == [
        row for row in before.outsiders if row.model == "single"
    ]


def test_without_a_net_a_class_nothing_is_made(copied):
    for path in store.folder().glob("each*"):
        path.unlink()
    assert [item.get("skipped") for item in detection.make(Studio(choose("cpu")), "stripes")] == [
        "there is no net a class of stripes yet, or no classifier that it stands behind"
    ]


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"model": "single"}, "model", "a net a class detects: each"),
        ({"classifier": "single"}, "classifier", "wants a classifier"),
        ({"label": "up"}, "label", "choose one of left"),
        ({"norm": "linf"}, "radius", "give ε"),
        ({"image": "test:999"}, "image", "999"),
        ({"rate": 0.2}, "rate", "from 0.5 to 1"),
    ],
)
def test_a_request_that_cannot_be_is_refused_by_field(studio, asked, field, words):
    with pytest.raises(BadInput, match=words) as error:
        shown(studio, **asked)
    assert error.value.field == field


def test_without_thresholds_it_is_said_how_to_make_them(copied):
    artefacts.path("detection", "stripes").unlink()
    with pytest.raises(BadInput, match="assets stripes --only detection"):
        shown(copied)


def told(studio, **asked) -> Outside:
    given = {"model": "each", "against": "uniform", "steps": 6, "restarts": 2, "count": 12}
    *_, last = outside(studio, OutsideRequest(**given | asked))
    return last


@pytest.mark.parametrize(("model", "score"), [("each", "logit"), ("stripes-at", "softmax"), ("single", "binary")])
def test_every_kind_has_its_score_and_an_attack_only_raises_it(studio, model, score):
    result = told(studio, model=model)
    assert result.score == score and len(result.inside) == len(result.clean) == len(result.worst) == 12
    assert (result.worst >= result.clean).all() and (result.worst > result.clean).float().mean() > 0.5
    rates = result.rates(True)
    assert rates["auc"] == auc(result.inside, result.worst) <= result.rates(False)["auc"]
    assert rates.keys() == {"auc", "spread", "fpr95", "aupr"}


def test_another_score_of_a_classifier_may_be_asked_for(studio):
    net = studio.model("stripes-at")[0]
    result = told(studio, model="stripes-at", score="energy")
    x = studio.test_images("stripes").first(12).floats()
    torch.testing.assert_close(result.inside, net(x).logsumexp(1).detach())


def test_images_of_another_set_are_brought_into_shape_and_a_set_of_training_is_marked(studio):
    result = told(studio, against="other", model="single", radius=0.5)
    assert result.part == "test" and result.seen and result.radius == 0.5
    assert not told(studio, against="other").seen
    assert told(studio, model="single").seen and told(studio).part == ""


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"against": "stripes"}, "against", "give another set"),
        ({"against": "nowhere"}, "against", "not on this machine"),
        ({"model": "single", "score": "softmax"}, "score", "choose one of binary"),
        ({"score": "binary"}, "score", "choose one of softmax, energy, logit"),
        ({"radius": math.inf}, "radius", "from 0.001 to 100"),
    ],
)
def test_a_measurement_that_cannot_be_is_refused_by_field(studio, asked, field, words):
    with pytest.raises(BadInput, match=words) as error:
        told(studio, **asked)
    assert error.value.field == field


def test_rates_are_plain_data():
    row = Rates("a", "0", "b", "1", "l2", 1.0, 3, 2, 0, {"generative": (1.0, 2.0, 3.0, 4.0)}, {}, {})
    assert row.threshold("generative", 0.75) == 2.0


def test_its_robust_accuracy_is_by_the_attack_that_is_strong_against_it(studio):
    *_, own = evaluate(studio, EvaluateRequest("each", "robust", count=12, radius=4, steps=20))
    *_, usual = evaluate(studio, EvaluateRequest("stripes-at", "robust", count=12, steps=5))
    assert (own["attack"], usual["attack"]) == ("rivals", "apgd") and own["value"] < 1


def test_rates_by_weaker_attacks_say_so(studio):
    *_, row = robustness(studio, RobustnessRequest(("each",), ("none", "fgsm"), count=12, curve=False))
    assert any("weak" in fault and "--metric robust" in fault for fault in row.faults)
    *_, other = robustness(studio, RobustnessRequest(("stripes-at",), ("none", "fgsm"), count=12, curve=False))
    assert not any("weak;" in fault for fault in other.faults)
    assert "each" not in {card.name for card in compared("stripes")}


def test_it_is_sampled_from_as_a_classifier_is(studio):
    *_, chains = sample(studio, SampleRequest("each", "rcs", start="uniform", count=3, steps=4))
    assert chains.pixels.shape == (5, 3, 8, 8, 3)
