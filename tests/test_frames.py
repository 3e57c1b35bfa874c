"""Frames of a run: what its net draws at every probe, by the one drawer of chains, without a trace in the run."""

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CLASSES
from PIL import Image
from runs import request, run

from cemviz.backend import store
from cemviz.backend.device import choose
from cemviz.backend.requests import SampleRequest, TrainRequest
from cemviz.backend.sample.chains import sample, to_pixels
from cemviz.backend.stored import models
from cemviz.backend.studio import Studio
from cemviz.backend.train import again, curves, frames, runs
from cemviz.backend.train.run import train
from cemviz.dynamics import Diverged
from cemviz.training.recipes import RECIPES, recipe


def pixels(frame):
    """A frame's pictures, (SHOWN, 8, 8, 3)."""
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(frame["sprite"].split(",")[1]))))
    return sheet.reshape(8, frames.SHOWN, 8, 3).swapaxes(0, 1)


def test_the_last_frame_is_what_the_stored_model_draws(places):
    run(request(steps="4"))
    history = runs.read_history("toy")
    assert [probe["step"] for probe in history["probes"]] == [1, 2, 3, 4] and all(p["frame"] for p in history["probes"])
    about = history["frames"]
    assert about["classes"] == list(CLASSES * 4)[: frames.SHOWN] and about["judge"] == "" and about["start"] == "uniform"
    given = {name: about[name] for name in ("sampler", "start", "seed", "count", "steps", "step", "noise")}
    *_, chains = sample(Studio(choose("cpu")), SampleRequest("toy", **given))
    expected = to_pixels(torch.from_numpy(chains.final[: frames.SHOWN])).astype(int)
    assert np.abs(pixels(history["probes"][-1]["frame"]) - expected).max() <= 255 / (frames.LEVELS - 1) / 2 + 1
    first, last = (pixels(history["probes"][k]["frame"]) for k in (0, -1))
    assert not np.array_equal(first, last), "the weights that are averaged move"


def test_frames_leave_no_trace_in_the_run(places, monkeypatch):
    run(request("drawn"))
    monkeypatch.setattr(frames.Film, "frame", lambda film, weights: None)
    run(request("plain"))
    assert store.read_card("drawn").sha256 == store.read_card("plain").sha256
    assert "frame" not in runs.read_history("plain")["probes"][0]


def test_a_run_that_goes_on_keeps_its_frames(places):
    work = train(Studio(choose("cpu")), request(steps="6"))
    for _ in range(3):
        next(work)
    work.close()
    early = [probe["frame"] for probe in runs.read_history("toy")["probes"]]
    run(request(steps="6", resume=True))
    assert len(early) == 3 and [probe["frame"] for probe in runs.read_history("toy")["probes"]][:3] == early


def test_chains_that_meet_nan_give_no_frame_and_stop_no_run(places, monkeypatch):
    def lost(chains):
        raise Diverged("chain 3 met NaN")
        yield

    monkeypatch.setattr(frames.Run, "last", lost)
    assert run(request(steps="2"))[-1].done == 2
    assert "frame" not in runs.read_history("toy")["probes"][0]


@pytest.mark.parametrize("right", [0, 7, frames.COUNT])
def test_the_judge_s_count_is_of_the_class_asked_for(places, right):
    run(request(steps="1"))
    studio = Studio(choose("cpu"))
    net, card = studio.model("toy")
    film = frames.film(studio, card, net)
    said = torch.eye(3)[torch.where(torch.arange(frames.COUNT) < right, film.chains.asked, (film.chains.asked + 1) % 3)]
    judged = frames.Film(film.chains, lambda x: said, "judge")
    assert judged.frame(net.state_dict())["read"] == right
    assert judged.about["judge"] == "judge" and judged.about["count"] == frames.COUNT


def test_a_run_made_again_gives_the_curves_of_the_stored_model_and_leaves_it_alone(places, monkeypatch):
    monkeypatch.setitem(again.PAIRS, "stripes", ("toy", "none"))
    row = recipe("mnist-at", **request(steps="3").changes)
    monkeypatch.setitem(RECIPES, "toy", {"laptop": row})
    *_, model = train(Studio(choose("cpu")), TrainRequest("toy", seed=3))
    weights, history = Path(model.path), curves.path("toy")
    before, made, studio = weights.read_bytes(), history.read_bytes(), Studio(choose("cpu"))

    def told():
        items = list(again.make(studio, "stripes"))
        return [item for item in items if isinstance(item, dict)], [i.done for i in items if not isinstance(i, dict)]

    (first, second), steps = told()
    assert "rest on the model" in first["skipped"] and "none is not stored" in second["skipped"] and steps == []
    history.unlink()
    (first, _), steps = told()
    assert first["path"] == str(history) and steps == [1, 2, 3]
    assert history.read_bytes() == made and weights.read_bytes() == before
    monkeypatch.setattr(frames, "SHOWN", 4)  # frames of other settings
    assert told()[1] == [1, 2, 3] and history.read_bytes() != made
    monkeypatch.setitem(RECIPES, "toy", {"laptop": replace(row, lr=0.5)})
    history.unlink()
    assert "lr is 0.5, not" in told()[0][0]["skipped"] and not history.exists()


def test_curves_of_a_run_that_ends_in_other_weights_are_not_kept(places, monkeypatch):
    monkeypatch.setitem(again.PAIRS, "stripes", ("toy",))
    monkeypatch.setitem(RECIPES, "toy", {"laptop": recipe("mnist-at", **request(steps="2").changes)})
    run(TrainRequest("toy", seed=3))
    curves.path("toy").unlink()
    alike = models.alike
    monkeypatch.setattr(models, "alike", lambda state, card: alike({k: v + 1e-3 for k, v in state.items()}, card))
    *_, last = again.make(Studio(choose("cpu")), "stripes")
    assert "ends in other weights" in last["skipped"] and not curves.path("toy").exists()
