"""A picture before detectors: the picture at once, attacks within their ball, verdicts by the shipped thresholds, refusals."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from detectors import DETECTORS, FRONTS, detecting, guarded, rates, ship
from stripes import binary

from cemviz import cli
from cemviz.backend import store
from cemviz.backend.attack.detect import Detected, detect
from cemviz.backend.attack.detection import fresh
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.look.pictures import shaped
from cemviz.backend.requests import DetectRequest
from cemviz.backend.studio import Studio
from cemviz.backend.use_case import Step
from cemviz.evasion import EVASIONS


@pytest.fixture
def studio(places) -> Studio:
    return guarded()


def ask(studio: Studio, **given) -> list[Detected]:
    asked = DetectRequest(DETECTORS, **{"image": "test:4", "steps": 8} | given)
    return [item for item in detect(studio, asked) if not isinstance(item, Step)]


def test_the_picture_is_answered_before_it_is_attacked(studio):
    first, whole = ask(studio)
    assert [v.key for v in first.versions] == [""] and [v.key for v in whole.versions] == ["", *EVASIONS]
    assert first.versions[0] is whole.versions[0] and first.versions[0].distance == 0
    assert [len(one.versions) for one in ask(studio, attacked=False)] == [1]


def test_attacks_stay_in_their_ball_and_lower_their_function(studio):
    _, found = ask(studio, radius=0.2)
    clean = found.versions[0]
    rivals = {v.key: max(s for name, s in v.scores.items() if name != found.label) for v in found.versions}
    leads = {v.key: 2 * v.classifier[found.label] - 1 for v in found.versions}
    assert found.label == shaped(studio, found.card, "test:4").name == "middle" and found.radius == 0.2
    for version in found.versions[1:]:
        assert 0.1 < version.distance <= 0.2 + 1e-5
        assert np.abs(version.pixels.astype(int) - clean.pixels).max() <= 52
    assert rivals["detectors"] > rivals[""] and leads["classifier"] < leads[""]
    assert ask(studio, radius=0.2)[1].facts == found.facts
    assert ask(studio, radius=0.2, seed=1)[1].versions[1].scores != found.versions[1].scores
    named = ask(studio, label="right", radius=0.2)[1]
    assert named.label == "right" and named.versions[2].scores != found.versions[2].scores


def test_verdicts_are_of_the_answer_s_detector_and_the_shipped_threshold(studio):
    _, found = ask(studio)
    net, card = studio.model(DETECTORS)
    with torch.no_grad():
        scores = net(shaped(studio, card, "test:4").x[None])[0].tolist()
    assert list(found.versions[0].scores.values()) == pytest.approx(scores) and found.threshold == {
        "integrated": -19.0,
        "generative": -18.0,
    }
    for version in found.versions:
        told = version.integrated
        assert told.answer == max(version.classifier, key=version.classifier.__getitem__)
        assert told.score == version.scores[told.answer] and told.passes
        assert version.generative.score == max(version.scores.values()) == version.scores[version.generative.answer]
    ways = {"integrated": (99.0,) * 20, "generative": (-99.0,) * 20}
    ship(rates(store.read_card(DETECTORS), store.read_card(FRONTS[0]), validation=ways))
    _, strict = ask(studio)
    assert not any(v.integrated.passes for v in strict.versions) and all(v.generative.passes for v in strict.versions)
    assert ask(studio)[1].facts["decision"] == strict.versions[0].generative.answer


def test_the_rate_sets_the_threshold(studio):
    assert ask(studio, rate=0.5, attacked=False)[0].threshold == {"integrated": -10.0, "generative": -9.0}


def test_the_command_prints_the_fields_of_the_contract(studio, monkeypatch, capsys):
    def call(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["cemviz", "detect", DETECTORS, "--image", "test:4", "--steps", "2", *words])
        cli.main()
        return capsys.readouterr().out

    result = json.loads(call("--json"))
    assert result.keys() >= {"model", "image", "scores", "decision", "threshold"} and result["image"] == "test:4"
    assert set(result["scores"]) == {"left", "middle", "right"} and set(result["attacked"]) == set(EVASIONS)
    assert result["decision"] == max(result["scores"], key=result["scores"].get) and result["threshold"] == -18
    plain = json.loads(call("--json", "--no-attacked", "--classifier", FRONTS[1]))
    assert plain["attacked"] == {} and plain["classifier"] == FRONTS[1]
    lines = call().splitlines()
    assert len(lines) == 2 + len(EVASIONS) and "integrated detection -19" in lines[0] and lines[1].startswith("as it is")


REFUSED = [
    ({"model": FRONTS[0]}, f"'{FRONTS[0]}' is a classifier; a net a class detects: {DETECTORS}"),
    ({"classifier": "tells"}, "binary net; detection wants a classifier"),
    ({"classifier": DETECTORS}, f"no thresholds of '{DETECTORS}' behind '{DETECTORS}' ship, but behind: {', '.join(FRONTS)}"),
    ({"label": "up"}, "label is 'up'; choose one of left, middle, right"),
    ({"image": "test:99"}, "from 0 to 29"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[str(given) for given, _ in REFUSED])
def test_what_does_not_fit_is_refused_in_a_line(studio, given, message):
    store.save(*binary("tells"))
    with pytest.raises(BadInput) as refused:
        list(detect(studio, DetectRequest(**{"model": DETECTORS, "image": "test:4"} | given)))
    assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("which", [0, 1], ids=["detectors", "classifier"])
def test_thresholds_of_other_weights_are_refused_and_not_shown(studio, which):
    cards = [store.read_card(DETECTORS), store.read_card(FRONTS[0])]
    cards[which] = replace(cards[which], sha256="0" * 64)
    ship(rates(*cards))
    with pytest.raises(BadInput, match=r"was trained anew since .* --only detection"):
        ask(studio)
    assert not fresh("stripes", studio.cards()).rates and fresh("stripes", {}).rates


def test_without_a_net_a_class_it_is_told_how_to_train_one(places):
    detecting()
    (store.folder() / f"{DETECTORS}.json").unlink()
    store.save(*binary("tells"))
    with pytest.raises(BadInput, match=r"none yet; train one with: python -m cemviz train mnist-detectors"):
        list(detect(Studio(choose("cpu")), DetectRequest("tells")))
