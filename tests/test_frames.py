"""Frames of a run: what its net draws while it is trained, by the one drawer of chains, without a trace in the run."""

import base64
import io
from dataclasses import replace

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
from cemviz.backend.stored import artefacts
from cemviz.backend.studio import Studio
from cemviz.backend.train import curves, frames, pair, runs
from cemviz.backend.train.plan import plan
from cemviz.backend.train.run import train
from cemviz.dynamics import Diverged
from cemviz.training.recipes import RECIPES, recipe
from cemviz.ui.training import words


def pixels(frame):
    """A frame's pictures, (SHOWN, 8, 8, 3)."""
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(frame["sprite"].split(",")[1]))))
    return sheet.reshape(8, frames.SHOWN, 8, 3).swapaxes(0, 1)


def test_the_last_frame_is_what_the_stored_model_draws(places):
    run(request(steps="4"))
    history = runs.read_history("toy")
    about = history["frames"]
    assert [shot["step"] for shot in about["shots"]] == [1, 2, 3, 4]
    assert about["classes"] == list(CLASSES * 4)[: frames.SHOWN] and about["judge"] == "" and about["start"] == "uniform"
    given = {name: about[name] for name in ("sampler", "start", "seed", "count", "steps", "step", "noise")}
    *_, chains = sample(Studio(choose("cpu")), SampleRequest("toy", **given))
    expected = to_pixels(torch.from_numpy(chains.final[: frames.SHOWN])).astype(int)
    assert np.abs(pixels(about["shots"][-1]) - expected).max() <= 255 / (frames.LEVELS - 1) / 2 + 1
    first, last = (pixels(about["shots"][k]) for k in (0, -1))
    assert not np.array_equal(first, last), "the weights that are averaged move"


@pytest.mark.parametrize("steps", [1, 2, 12, 468, 1874, 100_000])
def test_frames_are_few_and_close_together_at_the_beginning(steps):
    at = sorted(frames.due(steps))
    assert (at[0], at[-1]) == (1, steps) and len(at) <= frames.FRAMES
    gaps = np.diff(at)
    assert steps < 100 or (len(at) > 20 and (np.diff(gaps) >= -1).all() and gaps[-1] > 10 * gaps[0])


def test_frames_leave_no_trace_in_the_run(places, monkeypatch):
    run(request("drawn"))
    monkeypatch.setattr(frames.Film, "frame", lambda film, weights: None)
    run(request("plain"))
    assert store.read_card("drawn").sha256 == store.read_card("plain").sha256
    assert runs.read_history("plain")["frames"]["shots"] == []


def test_a_run_that_goes_on_keeps_its_frames(places):
    work = train(Studio(choose("cpu")), request(steps="6"))
    for _ in range(3):
        next(work)
    work.close()
    early = runs.read_history("toy")["frames"]["shots"]
    run(request(steps="6", resume=True))
    late = runs.read_history("toy")["frames"]["shots"]
    assert len(early) == 3 and late[:3] == early and [shot["step"] for shot in late] == [1, 2, 3, 4, 5, 6]


def test_chains_that_meet_nan_give_no_frame_and_stop_no_run(places, monkeypatch):
    def lost(chains):
        raise Diverged("chain 3 met NaN")
        yield

    monkeypatch.setattr(frames.Run, "last", lost)
    assert run(request(steps="2"))[-1].done == 2
    assert runs.read_history("toy")["frames"]["shots"] == []


@pytest.mark.parametrize("right", [0, 7, frames.COUNT])
def test_the_judge_s_count_is_of_the_class_asked_for(places, right):
    run(request(steps="1"))
    studio = Studio(choose("cpu"))
    net, card = studio.model("toy")
    film = frames.film(studio, card, net)
    said = torch.eye(3)[torch.where(torch.arange(frames.COUNT) < right, film.chains.labels, (film.chains.labels + 1) % 3)]
    judged = frames.Film(film.chains, lambda x: said, "judge")
    assert judged.frame(net.state_dict())["read"] == right
    assert judged.about["judge"] == "judge" and judged.about["count"] == frames.COUNT


@pytest.fixture
def tiny(places, monkeypatch):
    """A pair of one tiny recipe."""
    monkeypatch.setitem(pair.PAIRS, "stripes", ("toy",))
    row = recipe("mnist-at", **request(steps="3").changes)
    monkeypatch.setitem(RECIPES, "toy", {pair.SCALE: row})
    return row


def made():
    """The pair made: what was told of its files, and the steps."""
    items = list(pair.make(Studio(choose("cpu")), "stripes"))
    return [item for item in items if isinstance(item, dict)], [item.done for item in items if not isinstance(item, dict)]


def test_a_run_of_the_pair_is_that_of_its_recipe_and_keeps_no_model(tiny):
    (told,), steps = made()
    at = curves.path("toy-evidence")
    assert told["path"] == str(at) and steps == [1, 2, 3] and pair.names() == runs.histories() == ["toy-evidence"]
    head, mine = artefacts.read("history", "toy-evidence", "").head, TrainRequest("toy", pair.SCALE, "mine", pair.SEED)
    assert not store.cards() and head["run"]["steps"] == 3
    run(mine)
    assert head["sha256"] == store.read_card("mine").sha256 and head["frames"] == runs.read_history("mine")["frames"]
    assert runs.histories() == ["toy-evidence", "mine"]


def test_the_pair_is_made_again_when_recipe_or_frames_are_others(tiny, monkeypatch):
    made()
    at = curves.path("toy-evidence")
    before = at.read_bytes()
    (told,), steps = made()
    assert "stands" in told["skipped"] and not steps
    at.unlink()
    assert made()[1] and at.read_bytes() == before, "the same bytes"
    monkeypatch.setattr(frames, "SHOWN", 4)
    assert made()[1] and not made()[1]
    monkeypatch.setitem(RECIPES, "toy", {pair.SCALE: replace(tiny, lr=0.001)})
    assert made()[1] and not made()[1]
    assert list(pair.make(Studio(choose("cpu")), "moons")) == [{"skipped": "there is no pair of moons"}]


# ------------------------------------------------------------------------------------------------------- the pair that ships


@pytest.fixture
def reads(shipped):
    """Chains that the judge reads as asked over the runs of the pair: with attacks, and without."""
    drawn = [artefacts.read("history", pair.name_of(name), "").head["frames"] for name in pair.PAIRS["mnist"]]
    assert {(each["judge"], each["count"]) for each in drawn} == {("mnist-judge", 20)}
    return [[shot["read"] for shot in each["shots"]] for each in drawn]


def test_digits_appear_over_the_run_with_attacks_and_less_over_the_one_without(reads):
    attacked, standard = reads
    assert len(attacked) == len(standard) > 20
    assert max(attacked[:3]) <= 6 and max(standard[:3]) <= 6, "at first as chance has it: 2 of 20, and a Gaussian of digits"
    assert min(attacked[-5:]) >= 18 and max(standard[-5:]) <= attacked[-1] - 8
    text = words.learned()
    assert f"**{attacked[-1]} of 20** of A's chains" in text and f"**{standard[-1]} of 20** of B's" in text


def test_the_pair_that_ships_is_of_its_recipes_and_differs_in_the_attack_alone(shipped):
    heads = [artefacts.read("history", pair.name_of(name), "").head for name in pair.PAIRS["mnist"]]
    for name, head in zip(pair.PAIRS["mnist"], heads, strict=True):
        assert head["run"] == plan(TrainRequest(name, pair.SCALE, pair.name_of(name), pair.SEED)).identity
        assert len(head["sha256"]) == 64 and curves.path(pair.name_of(name)).stat().st_size < 250_000
    apart = {key for key, value in heads[0]["run"].items() if heads[1]["run"][key] != value}
    assert apart == {"recipe", "objective", "attack_steps", "attack_step"}


@pytest.mark.parametrize(("sampler", "name"), [(sampler, name) for sampler, row in words.HEADS.items() for name in row])
def test_words_on_other_heads_and_steps_are_what_the_stored_models_draw(shipped, monkeypatch, sampler, name):
    setting = {"sampler": sampler, "start": "gaussian"} | ({"steps": 40} if sampler == "jeat17" else {})
    monkeypatch.setattr(frames, "SETTINGS", {"classifier": setting})
    studio = Studio(choose("cpu"))
    net, card = studio.model(name)
    assert abs(frames.film(studio, card, net).frame(net.state_dict())["read"] - words.HEADS[sampler][name]) <= 1
    assert frames.COUNT == 20
