"""The restore tab without a browser: controls to a request, a climb to the page, and words that say where it fails."""

import base64
import json
import re
from urllib.parse import parse_qsl

import numpy as np
import pytest
from stripes import binary, card
from tabs import first_view, page, wired

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.look.restore import Restored, restore
from cemviz.backend.requests import RestoreRequest
from cemviz.backend.studio import Studio
from cemviz.nets import build
from cemviz.ui.controls import Session
from cemviz.ui.restore import handlers as do
from cemviz.ui.restore import tab, words

CONTROLS = {
    "task": "denoise", "sigma": 0.2, "variant": words.FREE, "mask": "", "source": words.OWN, "number": 3,
    "blur": 0.5, "index": 2,
}  # fmt: skip


@pytest.fixture
def studio(places):
    net = build("small-resnet", seed=1, width=4, mean=[0.4] * 3, std=[0.3] * 3, outputs=3)
    store.save(net, card("labels"))
    store.save(*binary("tells"))
    store.save(*binary("tells-too"))
    return Studio(choose("cpu"))


def asked(studio, **changes) -> RestoreRequest:
    return do.read(studio, "tells", **{"x": "test:4", "seed": 7} | CONTROLS | changes)


def climbed(studio, **changes) -> Restored:
    *_, last = restore(studio, RestoreRequest("tells", **{"image": "test:4", "steps": 4, "step": 0.3} | changes))
    return last


def test_net_a_restores_where_it_can_and_else_one_of_its_data_set(studio):
    assert do.restorer(studio, "tells-too") == "tells-too"
    assert do.restorer(studio, "labels") in ("tells", "tells-too") and do.restorer(studio, None) in ("tells", "tells-too")
    for name in ("tells", "tells-too"):
        (store.folder() / f"{name}.json").unlink()
    assert do.restorer(studio, "labels") is None


def test_each_task_asks_for_its_own_controls_alone(studio):
    assert asked(studio) == RestoreRequest("tells", "denoise", "test:4", sigma=0.2, seed=7)
    hole = {"task": "inpaint", "mask": "1,1,3,3"}
    assert asked(studio, **hole) == RestoreRequest("tells", "inpaint", "test:4", mask="1,1,3,3", seed=7)
    assert asked(studio, **hole, variant=words.HELD).hold
    assert asked(studio, task="translate") == RestoreRequest("tells", "translate", "test:4", blur=0.5, seed=7)
    assert asked(studio, task="translate", source="stripes").image == "test:stripes/3"
    ends = asked(studio, task="interpolate")
    assert (ends.image, ends.other) == ("start:7", "start:8") and asked(studio, x="test").image == "test:2"
    for empty in ({"x": "test", "index": None}, {"seed": None}, {"task": "translate", "source": "stripes", "number": None}):
        with pytest.raises(BadInput, match="empty; give"):
            asked(studio, **empty)


def test_controls_of_another_task_are_not_shown():
    def shown(*given):
        return {name for name, change in do.fitted(*given).items() if change["visible"]}

    assert shown("denoise", "stripes", "grid:4") == {"sigma"} and shown("inpaint", words.OWN, "test") == {"variant", "index"}
    assert shown("translate", words.OWN, "test") == {"source", "blur", "index"}
    assert shown("translate", "stripes", "test") == {"source", "blur", "number"} and not shown("interpolate", words.OWN, "test")


@pytest.mark.parametrize(
    ("given", "steps", "step", "at"),
    [
        ({"sigma": 0.3}, 42, 0.5, 21), ({"sigma": 0.1}, 16, 0.5, 7), ({"sigma": 0.6}, 48, 0.875, 24),
        ({"task": "inpaint"}, 16, 0.5, 3), ({"task": "inpaint", "hold": True}, 18, 0.5, 9),
        ({"task": "translate"}, 20, 1.0, 10),
    ],
)  # fmt: skip
def test_a_climb_is_twice_as_long_as_suits_and_never_too_many_frames(given, steps, step, at):
    request, begin = do.lengthened(RestoreRequest("tells", **given), (1, 28, 28))
    assert (request.steps, request.step, begin) == (steps, step, at)


def test_a_climb_reaches_the_page_with_every_frame(studio):
    found = climbed(studio, task="inpaint", mask="2,2,3,3")
    sent = json.loads(words.payload(found, 2))
    frames = np.frombuffer(base64.b64decode(sent["frames"]), np.uint8).reshape(5, 1, 8, 8, 3)
    assert np.array_equal(frames, found.frames) and (sent["steps"], sent["at"], sent["count"]) == (4, 2, 1)
    assert np.frombuffer(base64.b64decode(sent["lost"]), np.uint8).reshape(8, 8).sum() == 9
    assert np.array_equal(np.frombuffer(base64.b64decode(sent["truth"]), np.uint8).reshape(8, 8, 3), found.truth)
    assert set(sent["series"]) == set(words.SERIES) and len(sent["series"]["ssim"][0]) == 5
    other = json.loads(words.payload(climbed(studio, task="translate"), 2))
    assert other["truth"] is None and other["lost"] is None and set(other["series"]) == {"D", "distance"}


def test_the_first_view_says_what_the_suited_strength_did(studio):
    _, built = page(tab, studio)
    held = Session()
    first, last = first_view(built, held, a="labels", x="test:4", seed=3)
    assert first["restore-status"] == words.CLIMBING and held.selections["restore"] == ("labels", "test:4", 3)
    sent = json.loads(last["restore-view"])
    assert "SSIM" in last["restore-status"] and f"After {sent['at']} steps" in last["restore-status"]
    assert "RestoreRequest(model='tells" in last["restore-script"] and last["restore-fails"] == ""


def test_without_a_binary_net_it_is_told_how_to_get_one(studio):
    _, built = page(tab, studio)
    for name in ("tells", "tells-too"):
        (store.folder() / f"{name}.json").unlink()
    *_, last = first_view(built, Session(), a="labels", x="test:4", seed=3)
    assert last["restore-view"] is None and "train mnist-binary" in last["restore-status"]


def test_what_cannot_be_restored_is_said_and_stays(studio):
    said = []
    with pytest.raises(Exception, match="all of the pixels"):
        for change in do.go(
            studio, Session(), a="tells", x="test:4", seed=0, **CONTROLS | {"task": "inpaint", "mask": "0,0,8,8"}
        ):
            said.append(change)
    assert "Nothing was restored" in said[-1]["status"]


def series(*ssim: float) -> dict[str, np.ndarray]:
    rows = np.array(ssim)[:, None]
    return {"ssim": rows, "D": np.linspace(0.2, 0.9, len(ssim))[:, None], "distance": np.arange(len(ssim))[:, None] * 1.0}


def said(studio, *ssim: float) -> str:
    found = climbed(studio)
    return words.summary(Restored(**{f: getattr(found, f) for f in found.__slots__} | {"series": series(*ssim)}), 2)


def test_the_words_are_honest_about_a_climb_that_makes_it_worse(studio):
    assert "SSIM rose: 0.300 → 0.500 (D 0.20 → 0.67)" in said(studio, 0.3, 0.4, 0.5, 0.2)
    assert "highest after 2 (0.500)" in said(studio, 0.3, 0.4, 0.5, 0.2)
    assert "SSIM **fell**: 0.300 → 0.200" in said(studio, 0.3, 0.4, 0.2, 0.1)
    assert "No strength helps this picture" in said(studio, 0.3, 0.2, 0.2, 0.1)


def test_how_often_it_fails_is_read_from_the_tables_of_this_model():
    row = {
        "name": "σ 0.3",
        "column": "fell",
        "ours": 0.07,
        "count": 100,
        "measure": "tells (shipped) fell sigma=0.3",
        "note": "",
    }
    tables = {"thesis-2.7": {"rows": [row, row | {"column": "gain"}]}}
    assert words.fails(tables, "tells").endswith("SSIM fell for 7 of 100 (noise of σ 0.3).")
    assert words.fails(tables, "tell") == "" and words.fails({}, "tells") == ""
    assert words.fails({"thesis-2.7": {"rows": [row | {"ours": None}]}}, "tells") == ""


def test_the_brush_and_every_control_ask_for_a_climb(studio):
    calls = wired(tab, studio)
    assert calls["restore-view.select"] == "send"
    for name in ("task.input", "known.input", "from.select", "sigma.release", "blur.release", "number.submit", "index.submit"):
        assert calls[f"restore-{name}"] == "go"
    assert do.painted(studio, Session(), hole="1,2,3,4") == {"mask": "1,2,3,4"}
    for hole in (7, "x" * 81, None):
        with pytest.raises(BadInput, match="at most 80 letters"):
            do.painted(studio, Session(), hole=hole)


def test_images_that_came_out_worse_are_a_press_away():
    row = {"column": "fell", "count": 100, "measure": "tells (shipped) fell"}
    noise = row | {"name": "σ 0.1", "ours": 0.02, "note": "it fell for test images 3, 15"}
    held = row | {
        "name": "Recovered (ours, known pixels held)",
        "ours": 0.08,
        "note": "it fell for test images 8, 9, ...",
    }
    other = row | {"name": "Recovered (NN by SSIM)", "ours": 0.01, "note": "it fell for test images 4"}
    told = words.fails({"thesis-2.7": {"rows": [noise]}, "thesis-2.8": {"rows": [held, other]}}, "tells")
    asked = [dict(parse_qsl(link)) for link in re.findall(r"\(\?([^)]*)\)", told)]
    begun = {"tab": "restore", "a": "tells", "x": "test"}
    assert asked == [
        begun | {"re.task": "denoise", "re.sigma": "0.1", "re.index": "3"},
        begun | {"re.task": "denoise", "re.sigma": "0.1", "re.index": "15"},
        begun | {"re.task": "inpaint", "re.known": "held", "re.index": "8"},
        begun | {"re.task": "inpaint", "re.known": "held", "re.index": "9"},
    ]
    assert "1 of 100 (a hole in the middle, Recovered (NN by SSIM))" in told
