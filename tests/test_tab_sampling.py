"""The sampling tab's plain functions: controls in, requests and words out."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.presets import SAMPLE
from cemviz.backend.sampling import Chains, SampleRequest
from cemviz.backend.studio import Studio
from cemviz.dynamics import Dynamics
from cemviz.samplers import SAMPLERS
from cemviz.starts import STARTS
from cemviz.ui.controls import Session
from cemviz.ui.tab_sampling import AXES, files, payload, read, summary

CONTROLS = ["mnist-at", "rcs", "none", "rcs", "uniform", "3, 7", 4, 0.5, 0.01, "6", 20, 1]


def chains(asked=(0, 1), predicted=(0, 0), radius=2.0) -> Chains:
    card = store.Card(
        name="m", title="M", kind="classifier", net="small-resnet", net_args={}, data="nowhere", shape=(1, 2, 2),
        classes=("ant", "bee"), recipe="", scale="", recipe_args={}, norm="l2", radius=1.0, seed=0, steps=0, seconds=0.0,
        device="", command="", created="",
    )  # fmt: skip
    series = {key: np.arange(6.0).reshape(3, 2) for key in AXES}
    return Chains(
        SampleRequest("m", seed=1), card, Dynamics(steps=2, radius=radius), np.array(asked),
        np.zeros((3, 2, 2, 2, 1), np.uint8),
        series, np.zeros((2, 1, 2, 2), np.float32), np.array(predicted), np.array([0.75, 0.25]), 0.1,
    )  # fmt: skip


def test_controls_become_one_request_or_two_that_differ_in_model_and_sampler_alone():
    (one,) = read(*CONTROLS)
    assert one == SampleRequest("mnist-at", "rcs", ("3", "7"), 4, "uniform", 0.5, 0.01, 6.0, 20, 1)
    a, b = read(*CONTROLS[:2], "mnist-standard", "ta", *CONTROLS[4:])
    assert a == one and b == replace(one, model="mnist-standard", sampler="ta")


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


def test_downloads_are_written_to_the_visitor_s_own_folder():
    held = Session()
    paths = files(held, chains())
    assert [path.rsplit(".", 1)[1] for path in paths] == ["png", "gif", "npz"]
    assert all(path.startswith(held.held["files"].name) for path in paths)


@pytest.mark.parametrize("name", SAMPLE)
def test_stories_name_what_there_is_and_share_all_but_model_and_sampler(name):
    first, *others = SAMPLE[name].runs
    assert all(replace(other, model=first.model, sampler=first.sampler) == first for other in others)
    assert all(run.sampler in SAMPLERS and run.start in STARTS for run in SAMPLE[name].runs)
