"""The sampling tab's plain functions: controls in, requests and words out."""

import json
import math
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from cemviz.backend import script, store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.presets import SAMPLE
from cemviz.backend.requests import SampleRequest
from cemviz.backend.sample.chains import Chains
from cemviz.backend.sample.crowd import SERIES as CROWD_AXES
from cemviz.backend.sample.split import SERIES as AXES
from cemviz.backend.studio import Studio
from cemviz.dynamics import Dynamics
from cemviz.nets import build
from cemviz.samplers import SAMPLERS
from cemviz.starts import STARTS
from cemviz.ui import selection
from cemviz.ui.controls import Session
from cemviz.ui.sampling import handlers
from cemviz.ui.sampling import tab as tab_sampling
from cemviz.ui.sampling.handlers import WRITERS, as_file, prose, read
from cemviz.ui.sampling.words import OWN, payload, summary
from cemviz.ui.views import Panel, player_payload

CONTROLS = ["mnist-at", "rcs", "none", "rcs", "uniform", "3, 7", 4, 0.5, 0.01, "6", 20, 1, "projection", "gallery:0", "none"]


def chains(asked=(0, 1), predicted=(0, 0), radius=2.0) -> Chains:
    card = store.Card(
        name="m", title="M", kind="classifier", net="small-resnet", net_args={"outputs": 2}, data="nowhere", shape=(1, 2, 2),
        classes=("ant", "bee"), recipe="", scale="", recipe_args={}, norm="l2", radius=1.0, seed=0, steps=0, seconds=0.0,
        device="", command="", created="",
    )  # fmt: skip
    series = {key: np.arange(6.0).reshape(3, 2) for key in AXES}
    return Chains(
        SampleRequest("m", seed=1), card, Dynamics(steps=2, radius=radius), np.array(asked),
        np.zeros((3, 2, 2, 2, 1), np.uint8),
        series, np.zeros((2, 1, 2, 2), np.float32), np.array(predicted), np.array([0.75, 0.25]), 0.1,
    )  # fmt: skip


def crowd(**changes) -> Chains:
    """Two chains of an encoder without a probe: they leave each other."""
    made = chains()
    series = {key: np.arange(6.0).reshape(3, 2) for key in CROWD_AXES}
    series["entropy"] = np.array([[-2.0, -2.0], [-1.5, -1.5], [-1.25, -1.25]])
    series["similarity"] = np.array([[1.0, 1.0], [0.5, 0.5], [-0.25, -0.75]])
    plane = np.array([[[0, 0], [0, 0]], [[0.5, 0], [-0.5, 0]], [[0.6, 0.8], [-1, 0]]])
    return replace(
        made, request=SampleRequest("m", "maxent", count=2, start="gaussian"), card=replace(made.card, kind="encoder"),
        series=series, predicted=None, confidence=None, dynamics=Dynamics(steps=2), plane=plane,
        landmarks=np.array([[0.1, 0.2], [0.0, -1.0]]),
    ) if not changes else replace(crowd(), **changes)  # fmt: skip


def test_controls_become_one_request_or_two_differing_in_model_and_sampler():
    (one,) = read(*CONTROLS)
    assert one == SampleRequest("mnist-at", "rcs", ("3", "7"), 4, "uniform", 0.5, 0.01, 6.0, 20, 1)
    a, b = read(*CONTROLS[:2], "mnist-standard", "ta", *CONTROLS[4:])
    assert a == one and b == replace(one, model="mnist-standard", sampler="ta")


def test_the_class_that_is_asked_for_stands_for_several(tab):
    assert read(*CONTROLS[:-1], "ant")[0].classes == ("ant",) and read(*CONTROLS)[0].classes == ("3", "7")


def test_an_infinite_ball_may_be_written_as_a_word():
    assert math.isinf(read(*CONTROLS[:9], "inf", *CONTROLS[10:])[0].radius)


@pytest.mark.parametrize(
    ("place", "value", "words"), [(9, "six", "β (radius) is 'six'"), (7, None, "α is empty"), (0, None, "Train")]
)
def test_what_cannot_be_read_is_named(place, value, words):
    with pytest.raises(BadInput) as caught:
        read(*CONTROLS[:place], value, *CONTROLS[place + 1 :])
    assert words in str(caught.value)


def test_the_player_gets_frames_labels_outcomes_and_the_ball():
    told = json.loads(payload([chains(), chains(predicted=(1, 1))]))
    assert told["steps"] == 3 and [panel["chains"] for panel in told["panels"]] == [2, 2]
    assert told["panels"][0]["labels"] == ["asked: ant", "asked: bee"] and told["panels"][1]["final"][0] == "bee (0.75)"
    assert told["limits"]["distance to x₀"]["value"] == 2.0
    assert told["panels"][0]["series"]["E(x, y)"] == [[0, 2, 4], [1, 3, 5]]  # chain by chain


def test_the_summary_counts_what_came_as_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path))
    monkeypatch.setenv("CEMVIZ_DATA", str(tmp_path))
    told = summary(Studio(choose("cpu")), [chains()])
    assert "+1·f_y +1·logsumexp" in told and "50% end in the asked class" in told and "moved 4.5 of β = 2" in told


def test_a_download_is_made_when_it_is_asked_for_in_the_visitor_s_own_folder():
    held = Session()
    with pytest.raises(BadInput, match="press Sample first"):
        as_file(None, held, suffix="png")
    held.state["chains"] = chains()
    for suffix in WRITERS:
        path = as_file(None, held, suffix=suffix)["file"]
        assert path.endswith(f".{suffix}") and path.startswith(held.state["files"].name)
        assert [str(left) for left in Path(held.state["files"].name).iterdir()] == [path], "one file a visitor"


# ---------------------------------------------------------------------------------------------------------- encoders


def test_an_encoders_panel_has_a_map_and_draws_the_entropy_once():
    told = json.loads(payload([crowd(), crowd(request=SampleRequest("m", "pgd", start="class-gaussian"))]))
    a, b = told["panels"]
    assert a["map"]["places"][0] == [[0, 0], [0.5, 0], [0.6, 0.8]]  # chain by chain, step by step
    assert a["map"]["landmarks"] == [{"name": "ant", "at": [0.1, 0.2]}, {"name": "bee", "at": [0.0, -1.0]}]
    assert a["series"]["entropy estimate"] == [[-2, -1.5, -1.25]] and len(a["series"]["crowding"]) == 2
    assert a["labels"] == ["no class asked"] * 2 and b["labels"] == ["start: ant", "start: bee"] and a["final"] is None
    assert told["limits"] == {} and set(told["axis"]) == set(told["charts"]) == {name for name, _ in CROWD_AXES.values()}


def test_a_probes_word_comes_with_its_class():
    told = json.loads(payload([crowd(predicted=np.array([1, 0]), confidence=np.array([0.9, 0.5]), judge="m-probe")]))
    assert told["panels"][0]["final"] == ["m-probe: bee (0.90)", "m-probe: ant (0.50)"]


def test_a_classifier_beside_an_encoder_keeps_its_curves_and_has_no_map():
    told = json.loads(payload([chains(radius=math.inf), crowd()]))
    assert told["panels"][0]["map"] is None and told["panels"][1]["map"]
    assert len(told["charts"]) == len(AXES) + len(CROWD_AXES) - 1  # they share the distance


def test_the_summary_of_a_batch_tells_entropy_similarity_and_counts(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path))
    monkeypatch.setenv("CEMVIZ_DATA", str(tmp_path))
    studio = Studio(choose("cpu"))
    told = summary(studio, [crowd()])
    assert "entropy estimate −2.00 → −1.25 nats, mean pairwise similarity 1.00 → −0.50" in told
    assert "No label was used; no class asked" in told and "No linear probe" in told and "moved 4.5 without a ball" in told
    held = replace(crowd(predicted=np.array([1, 1]), confidence=np.ones(2), judge="m-probe"), request=SampleRequest("m", "pgd"))
    told = summary(studio, [held])
    assert "takes the samples for 1 of 2 classes: bee ×2; 50% for what their start hints at." in told
    assert "starts hint at all 2 classes" in told and "starts hint at bee." in summary(
        studio, [replace(held, labels=np.array([1, 1]))]
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"plane": np.zeros((3, 1, 2))}, "plane has shape (3, 1, 2), expected (3, 2, 2)"),
        ({"plane": np.full((3, 2, 2), 0.9)}, "plane holds a place"),
        ({"plane": np.full((3, 2, 2), np.nan)}, "plane holds a place"),
        ({"plane": np.zeros((3, 2, 2)), "landmarks": {"ant": (0, 1, 0)}}, "landmark 'ant' holds"),
        ({"landmarks": {"ant": (0, 1)}}, "without a plane"),
        ({"series": {"s": np.zeros(2)}}, "expected (3, 2) or (3,)"),
    ],
)
def test_a_panel_refuses_places_that_do_not_fit_its_frames(change, words):
    with pytest.raises(ValueError) as caught:
        Panel("t", np.zeros((3, 2, 4, 4), np.uint8), **change)
    assert words in str(caught.value)


def test_a_series_of_the_batch_is_one_row_and_a_gap_stays_a_gap():
    frames = np.zeros((3, 2, 4, 4), np.uint8)
    told = json.loads(player_payload([Panel("t", frames, {"s": [1.0, math.nan, 3.0]})]))
    assert told["panels"][0]["series"]["s"] == [[1, None, 3]] and told["panels"][0]["map"] is None


def test_a_page_refuses_more_pictures_than_a_browser_unpacks():
    with pytest.raises(BadInput, match="256 chains of 1000 steps are too many pictures for a page; give 40 chains"):
        read(*CONTROLS[:6], 256, *CONTROLS[7:10], 1000, *CONTROLS[11:])
    assert read(*CONTROLS[:6], 36, *CONTROLS[7:10], 1000, *CONTROLS[11:])[0].count == 36


@pytest.fixture
def tab(tmp_path, monkeypatch):
    """The tab with a classifier and an encoder, and its studio."""
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path))
    monkeypatch.setenv("CEMVIZ_DATA", str(tmp_path))
    for name in ("mnist-at", "mnist-jeat"):
        store.write_card(replace(chains().card, name=name))
    args = {"width": 4, "depth": 1, "norm": "none", "projection": [4]}
    store.save(build("encoder", **args), replace(crowd().card, name="mnist-uat", net="encoder", net_args=args))
    studio = Studio(choose("cpu"))
    with gr.Blocks():
        return tab_sampling.build(gr.State(Session()), studio, selection.build(studio)), studio


def named(changes) -> dict:
    return {component.elem_id: value for component, value in changes.items()}


def test_an_encoder_brings_its_samplers_numbers_start_and_number_of_chains(tab):
    _, studio = tab

    def chosen(setting, a, by_a, b, by_b):
        return handlers.followed(studio, Session(), setting=setting, a=a, by_a=by_a, b=b, by_b=by_b)

    fitted = chosen("cem", "mnist-uat", "rcs", "none", "rcs")
    assert fitted["by_a"]["value"] == "maxent" and fitted["start"] == "gaussian" and fitted["count"] == 64
    assert [key for _, key in fitted["by_a"]["choices"]] == ["maxent", "pgd", "langevin-pairs"]
    assert (fitted["alpha"], fitted["steps"], fitted["beta"]) == (0.7, 30, "inf") and fitted["features"]["visible"] is True
    kept = chosen("suited", "mnist-uat", "pgd", "mnist-at", "pgd")
    assert kept["by_a"]["value"] == "pgd" and "count" not in kept  # it fitted; the visitor's numbers stay
    assert kept["by_b"]["value"] == "rcs"
    back = chosen("suited", "mnist-at", "pgd", "none", "rcs")
    assert (back["by_a"]["value"], back["count"], back["start"]) == ("rcs", 16, "class-gaussian")
    assert back["features"]["visible"] is False


def test_a_sampler_that_does_not_fit_is_shown_and_refused(tab):
    _, studio = tab
    steps = handlers.go(studio, Session(), story=None, **dict(zip(handlers.RUN[1:], ["mnist-uat", *CONTROLS[1:]], strict=True)))
    first = next(steps)
    assert first["by_a"]["value"] == "rcs" and ("RCS: CEM (15)", "rcs") in first["by_a"]["choices"]
    with pytest.raises(BadInput, match="'rcs' needs a classifier; 'mnist-uat' is an encoder"):
        list(steps)


def test_samplers_give_way_to_nets_that_another_tab_chose(tab):
    built, _ = tab
    held = Session()
    steps = built.draw[0](held, None, "mnist-uat", *CONTROLS[1:], "suited")
    taken = named(next(steps))
    fitted = {name: dict(change) if isinstance(change, dict) else change for name, change in taken.items()}
    for change in taken.values():
        if isinstance(change, dict):
            change.pop("value", None)  # as gradio does
    shown = named(next(steps))
    assert fitted["samp-sampler-a"]["value"] == shown["samp-sampler-a"]["value"] == "maxent"
    assert (fitted["samp-count"], fitted["samp-start"], fitted["samp-alpha"]) == (64, "gaussian", 0.7)
    assert held.selections["sampling"] == ("mnist-uat", "none", "gallery:0", "none", 1)


def test_what_this_machine_lacks_stays_on_the_page(tab):
    built, _ = tab
    go, _, _ = built.draw
    steps = go(Session(), None, "mnist-uat", "langevin-pairs", *CONTROLS[2:5], "", *CONTROLS[6:], "suited")
    said = []
    with pytest.raises(gr.Error, match="images of nowhere"):
        for changes in steps:
            said.append(named(changes).get("samp-status"))
    assert said[-1].startswith("**Nothing was sampled:**") and "images of nowhere, which are not on this machine" in said[-1]


@pytest.mark.parametrize(("key", "steps", "other"), [("maxent-pgd", 30, "pgd"), ("jeat-noise", 40, "jeat17")])
def test_a_story_sets_every_number_of_its_runs(tab, key, steps, other):
    run = SAMPLE[key].runs[0]
    asked = handlers.controls_of(tab[1], Session(), story=key)
    assert (asked["steps"], asked["count"], asked["start"]) == (steps, run.count, run.start)
    assert asked["by_b"]["value"] == other and asked["setting"] == "suited"
    assert (asked["features"]["visible"], asked["features"]["value"]) == (run.model == "mnist-uat", run.features)


def test_address_controls_are_the_tabs_and_the_script_repeats_the_picture(tab):
    built, _ = tab
    assert built.params.keys() == tab_sampling.NAMES.keys()
    request = SampleRequest("mnist-at", "cs", ("ant",), 2, "uniform", 0.5, 0.0, math.inf, 1)
    assert script.command(request) == (
        "python -m cemviz sample mnist-at --sampler cs --classes ant --count 2 --start uniform --step 0.5 --noise 0.0 "
        "--radius inf --steps 1"
    )


@pytest.mark.parametrize("key", SAMPLE)
def test_a_storys_words_stand_above_its_own_runs_only(key):
    runs = list(SAMPLE[key].runs)
    assert prose(key, runs) == SAMPLE[key].story
    assert prose(key, [replace(run, seed=9, count=2) for run in runs]) == SAMPLE[key].story
    free = [name for name in ("step", "noise", "radius", "steps") if getattr(runs[-1], name) is None]
    assert prose(key, [*runs[:-1], replace(runs[-1], **dict.fromkeys(free, 3))]) == SAMPLE[key].story
    own = {name: 7 for name in ("step", "noise", "radius", "steps") if name not in free}
    for name, other in (
        {"model": "mine", "sampler": "cs" if runs[-1].sampler != "cs" else "ta", "start": "data"} | own
    ).items():
        assert prose(key, [*runs[:-1], replace(runs[-1], **{name: other})]) == (OWN if len(runs) > 1 else "")
    assert prose(None, runs) == (OWN if len(runs) > 1 else "") and prose(key, [runs[0]] * 3) == OWN


def test_the_menu_names_no_story_beside_a_run_that_is_none(tab):
    built, _ = tab
    steps = map(named, built.draw[0](Session(), "rcs-ta", "mnist-uat", *CONTROLS[1:], "suited"))
    assert next(told["samp-preset"] for told in steps if "samp-preset" in told) is None


@pytest.mark.parametrize("name", SAMPLE)
def test_stories_name_what_there_is_and_share_all_but_model_and_sampler(name):
    first, *others = SAMPLE[name].runs
    assert all(replace(other, model=first.model, sampler=first.sampler) == first for other in others)
    assert all(run.sampler in SAMPLERS and run.start in STARTS for run in SAMPLE[name].runs)
