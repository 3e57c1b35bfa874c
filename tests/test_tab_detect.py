"""The detect tab without a browser: controls to a request, the picture before its attacks, scores that ship, and its words."""

import base64
import json
from dataclasses import replace
from urllib.parse import parse_qs

import numpy as np
import pytest
from detectors import DETECTORS, FRONTS, detecting, guarded, rates, ship
from stripes import card
from tabs import first_view, page, wired

from cemviz.backend import store
from cemviz.backend.attack.detect import Detected, detect
from cemviz.backend.attack.detection import fresh
from cemviz.backend.checks import BadInput
from cemviz.backend.requests import DetectRequest
from cemviz.evasion import EVASIONS
from cemviz.nets import build
from cemviz.ui.controls import Session
from cemviz.ui.detect import handlers as do
from cemviz.ui.detect import tab, words

CONTROLS = {"front": FRONTS[0], "times": 1, "label": words.OWN, "index": 2, "why": False}
SEEN = {"a": FRONTS[0], "x": "test:4", "seed": 3}


@pytest.fixture
def studio(places):
    return guarded()


def shown(studio, held=None, **given) -> list[dict]:
    return list(do.go(studio, held or Session(), **SEEN | CONTROLS | given))


def found(studio, **given) -> Detected:
    *_, last = detect(studio, DetectRequest(DETECTORS, **{"image": "test:4", "steps": 4} | given))
    return last


def test_net_a_detects_where_it_can_and_else_one_of_its_data_set(studio):
    detecting("another")
    assert do.model_of(studio, "another") == "another" and do.model_of(studio, FRONTS[0]) in ("another", DETECTORS)
    elsewhere = card("far", data="mnist")
    store.save(build(elsewhere.net, seed=1, **elsewhere.net_args), elsewhere)
    assert do.model_of(studio, "far") == do.model_of(studio, None) == do.model_of(studio, "gone")
    assert do.fronts(studio, DETECTORS) == list(FRONTS) and do.fronts(studio, "another") == []


def test_controls_become_a_request_and_name_what_is_empty(studio):
    made = store.read_card(DETECTORS)

    def read(**changes) -> DetectRequest:
        return do.read(made, **{"x": "test:4", "seed": 7} | CONTROLS | changes)

    assert read() == DetectRequest(DETECTORS, "test:4", FRONTS[0], steps=do.STEPS, seed=7)
    assert read(times=0.5).radius == pytest.approx(0.15) and read(label="right").label == "right"
    assert read(x="test").image == "test:2"
    for empty in ({"x": "test", "index": None}, {"seed": None}):
        with pytest.raises(BadInput, match="empty; give"):
            read(**empty)


def test_the_picture_is_there_before_its_attacks_which_are_announced(studio):
    held = Session()
    begun, *updates = shown(studio, held)
    assert held.selections["detect"] == (SEEN["a"], "test:4", 3) and begun["status"] == words.LOOKING
    sent = [json.loads(change["view"]) for change in updates if "view" in change]
    assert [len(each["versions"]) for each in sent] == [1, 1 + len(EVASIONS)]
    assert sent[0]["waiting"] == [row.title for row in EVASIONS.values()] and not sent[1]["waiting"]
    assert updates[0]["status"].endswith("Attacking ...") and "DetectRequest(model='stripes-det" in updates[-2]["script"]


def test_versions_reach_the_page_with_pixels_answers_and_every_logit(studio):
    whole = found(studio)
    sent = json.loads(words.payload(whole))
    assert sent["threshold"] == whole.threshold and sent["label"] == "middle" and sent["front"] == FRONTS[0]
    for told, version in zip(sent["versions"], whole.versions, strict=True):
        pixels = np.frombuffer(base64.b64decode(told["pixels"]), np.uint8).reshape(sent["shape"])
        assert np.array_equal(pixels, version.pixels) and sent["classes"][told["answer"]] == version.integrated.answer
        assert told["scores"] == pytest.approx(list(version.scores.values()), rel=1e-3)
        assert told["p"] == pytest.approx(max(version.classifier.values()), rel=1e-3)
    assert [told["source"] for told in sent["versions"]] == ["no attack", "(3.30)", "(3.32)", "(3.33), (3.34)", "(3.35)"]


def test_only_a_test_image_that_is_rejected_is_a_false_alarm(studio):
    whole = found(studio)
    drawn = replace(whole, request=replace(whole.request, image="gallery:1"))
    assert json.loads(words.payload(whole))["clean"] and not json.loads(words.payload(drawn))["clean"]
    assert "may well reject" in words.summary(drawn) and "may well reject" not in words.summary(whole)


def test_scores_ship_to_the_page_once_and_without_those_of_other_weights(studio):
    held = Session()
    begun = shown(studio, held)[0]
    assert "scores" in begun and "scores" not in shown(studio, held, x="test:5")[0]
    sent = json.loads(begun["scores"])
    assert [row["name"] for row in sent["fronts"]] == list(FRONTS) and sent["ways"].keys() == {"integrated", "generative"}
    one = sent["fronts"][0]["scores"]["integrated"]
    assert one["threshold"] == -19 and one["clean"] == [0, 1, 2, 3] and one["attacked"]["staged"] == [None, 1, 2, 3]
    assert [row["key"] for row in sent["others"]] == [f"{DETECTORS} logit", f"{FRONTS[0]} softmax"]
    assert sent["others"][1]["scoreTitle"].startswith("log-odds") and sent["others"][0]["againstTitle"] == "uniform noise"
    stale = replace(store.read_card(FRONTS[0]), sha256="0" * 64)
    ship(rates(store.read_card(DETECTORS), stale))
    assert words.scores("stripes", DETECTORS, fresh("stripes", studio.cards())) is None and do.fronts(studio, DETECTORS) == []


def test_the_link_leads_to_sampling_from_this_picture_on_both_nets(studio):
    whole = found(studio)
    told = json.loads(words.counterfactual(whole, "test:4", FRONTS[1]))
    link = {name: values[0] for name, values in parse_qs(told["href"].removeprefix("?")).items()}
    assert (link["tab"], link["a"], link["b"], link["x"], link["s.start"]) == (
        "sampling", DETECTORS, FRONTS[1], "test:4", "picture",
    )  # fmt: skip
    scores = whole.versions[0].scores
    assert told["first"] == max(scores.keys() - {"middle"}, key=scores.get) and told["classes"] == list(scores)
    assert "b=none" in json.loads(words.counterfactual(whole, "test:4", None))["href"]
    by_number = [json.loads(change["link"]) for change in shown(studio, x="test") if change.get("link")]
    assert "x=upload%3A" in by_number[-1]["href"], "a picture chosen by its number is in the address itself"


def test_the_sentence_counts_what_was_fooled_and_what_passed(studio):
    whole = found(studio)
    first, *attacked = whole.versions

    def told(*answers: str, passes: bool, own: str = "middle") -> str:
        versions = [
            replace(
                version,
                integrated=replace(version.integrated, answer=answer, passes=passes),
                generative=replace(version.generative, answer=own, passes=passes),
            )
            for version, answer in zip(attacked, answers, strict=True)
        ]
        return words.summary(replace(whole, versions=(first, *versions)))

    wrong = ("left", "right", "middle", "left")
    assert "fooled by 3 of 4, of which integrated detection lets none pass" in told(*wrong, passes=False, own="left")
    assert "fooled by 3 of 4, of which integrated detection lets 3 of 3 pass" in told(*wrong, passes=True)
    assert "deceived by 4 of 4." in told(*wrong, passes=True, own="left") and "by none." in told(*wrong, passes=True)
    assert "the classifier is fooled by none; generative" in told(*["middle"] * 4, passes=True)


def test_pixels_are_explained_when_asked_for_and_gone_with_the_picture(studio):
    held = Session()
    *_, last = shown(studio, held, why=True)
    assert last["masks"].count("<img") == 3 and "class middle" in last["reading"] and "AttributionRequest" in last["script"]
    assert shown(studio, held)[0]["masks"] == "" and shown(studio, held)[-1] == {"masks": "", "reading": ""}
    (none,) = do.explain(studio, Session(), why=True)
    assert none == {"masks": "", "reading": ""}
    *_, again = do.explain(studio, held, why=True)
    assert again["masks"] == last["masks"]


def test_colours_tell_for_from_against_and_the_largest_is_full():
    blue, white, pale = words.coloured(np.array([[2.0, 0.0, -1.0]]))[0]
    assert blue.tolist() == [0, 94, 160] and white.tolist() == [255, 255, 255]
    assert pale.tolist() == [228, 168, 128] and words.coloured(np.zeros((2, 2))).min() == 255


def test_without_detectors_or_thresholds_it_is_told_how_to_get_them(studio):
    _, built = page(tab, studio)
    ship()
    with pytest.raises(Exception, match="--only detection"):
        shown(studio)
    (store.folder() / f"{DETECTORS}.json").unlink()
    *_, last = first_view(built, Session(), **SEEN)
    assert last["detect-view"] is None and "train mnist-detectors" in last["detect-status"]


def test_what_cannot_be_looked_at_is_said_and_stays(studio):
    said = []
    with pytest.raises(BadInput, match="from 0 to 29"):
        for change in do.go(studio, Session(), **SEEN | CONTROLS | {"x": "test:99"}):
            said.append(change)
    assert "Nothing more was found" in said[-1]["status"]


def test_menus_follow_the_detectors_and_a_newer_run_takes_the_place(studio):
    known = list(FRONTS)
    begun = shown(studio, front="gone", label="9")[0]
    assert (begun["front"]["value"], begun["front"]["choices"], begun["label"]["value"]) == (FRONTS[0], known, words.OWN)
    assert not begun["index"]["visible"] and shown(studio, x="test")[0]["index"]["visible"]
    held = Session()
    run = do.go(studio, held, **SEEN | CONTROLS | {"why": True})
    next(run), next(run)
    held.stops["detect"].set()
    assert not [change for change in run if "masks" in change], "another picture is on its way"


def test_every_control_asks_for_the_picture_and_the_box_for_its_pixels(studio):
    calls = wired(tab, studio)
    for name in ("front.input", "class.select", "times.release", "index.submit"):
        assert calls[f"detect-{name}"] == "go"
    assert calls["detect-why.input"] == "explain"
