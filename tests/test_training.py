"""Training on the page: what is refused, runs that stop and go on to the same weights, and the curves that they leave."""

import json
import threading
from dataclasses import replace

import pytest
import torch
from conftest import write_images

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.jobs import Waiting
from cemviz.backend.requests import RunRequest
from cemviz.backend.store import BrokenCheckpoint, Unwritable
from cemviz.backend.stored.locks import Lock
from cemviz.backend.studio import Studio
from cemviz.backend.train import curves, runs, states
from cemviz.backend.train import live as training
from cemviz.backend.train.checks import checked, missing, proposed
from cemviz.backend.train.live import Update, discard, run
from cemviz.backend.train.runs import histories, read_history, unfinished
from cemviz.data.images import DataMissing
from cemviz.dynamics import Diverged
from cemviz.training.recipes import RECIPES

DIGITS = tuple("0123456789")
ROW = replace(
    RECIPES["mnist-standard"]["evidence"], net_args={"width": 4}, steps=8, batch=10, images=None, objective="adversarial",
    radius=0.3, attack_steps=1, attack_step=0.3, schedule="constant",
)  # fmt: skip
with pytest.MonkeyPatch.context() as table:  # a request is checked when it is made
    table.setitem(RECIPES, "tiny", {"evidence": ROW})
    ASKED = RunRequest("tiny", name="my-run")


@pytest.fixture
def studio(places, monkeypatch):
    """A tiny MNIST, a tiny recipe, two probes a run, and no thinning."""
    for split, seed in (("train", 1), ("test", 2)):
        write_images(places / "data" / "mnist" / split, 3, seed, DIGITS, side=28, grey=True)
    monkeypatch.setitem(RECIPES, "tiny", {"evidence": ROW, "paper": ROW})
    monkeypatch.setattr(training, "RATE", 1e9)
    monkeypatch.setattr("cemviz.backend.train.run.curves.PROBES", 1)  # at the first update and the last one: probes take long
    return Studio(choose("cpu"))


def go(studio, request, stop_at=None) -> list[Update]:
    """All updates of a run; `stop` is set at a step."""
    stop, told = threading.Event(), []
    for update in run(studio, request, stop):
        told.append(update)
        if stop_at is not None and update.step >= stop_at:
            stop.set()
    return told


def weights(name: str) -> dict[str, torch.Tensor]:
    return store.load(name)[0].state_dict()


def test_a_run_becomes_a_model_with_curves_and_leaves_nothing_else(studio):
    told = go(studio, ASKED)
    assert [u.step for u in told] == list(range(1, 9)) and {u.state for u in told[:-1]} == {"running"}
    assert told[-1].state == "done" and told[-1].left == 0 and told[-1].steps == 8
    assert "my-run" in store.cards() and not unfinished() and not list((store.folder() / "runs").iterdir())
    assert histories() == ["my-run"] and read_history("my-run")["steps"] == list(range(1, 9))
    assert read_history("my-run")["probes"][-1]["step"] == 8 and told[-1].history["terms"] == read_history("my-run")["terms"]


def test_paused_and_resumed_it_ends_with_the_same_weights_as_in_one_go(studio, monkeypatch):
    go(studio, replace(ASKED, name="my-whole"))
    monkeypatch.setattr(training, "TURN", 0.0)  # it gives the device away after every update
    first = go(studio, ASKED, stop_at=3)
    assert (first[-1].state, first[-1].step, first[-1].why) == ("paused", 3, "")
    assert unfinished()["my-run"].step == 3 and unfinished()["my-run"].request == ASKED
    assert read_history("my-run")["steps"] == [1, 2, 3]  # of an unfinished run, from its state
    second = go(studio, replace(unfinished()["my-run"].request, mode="resume"))
    assert [u.step for u in second] == [4, 5, 6, 7, 8] and second[-1].history["steps"] == list(range(1, 9))
    whole, parts = weights("my-whole"), weights("my-run")
    assert all(torch.equal(whole[k], parts[k]) for k in whole) and not unfinished()


def test_a_closed_page_keeps_the_state_and_frees_the_device_and_the_name(studio):
    going = run(studio, ASKED, threading.Event())
    next(going), next(going)
    going.close()
    assert unfinished()["my-run"].step == 2
    assert next(studio.jobs.run((n for n in (1,)), title="next")) == 1
    assert go(studio, replace(ASKED, mode="resume"))[-1].state == "done"


def test_the_limit_of_a_hosted_page_pauses_and_loses_nothing(studio, monkeypatch):
    monkeypatch.setattr(training, "LIMIT", -1.0)
    told = go(studio, ASKED)
    assert told[-1].state == "paused" and told[-1].step == 1 and "limit of this page" in told[-1].why
    monkeypatch.setattr(training, "LIMIT", 1e9)
    assert go(studio, replace(ASKED, mode="resume"))[-1].state == "done"


def test_others_get_the_device_between_turns_and_waiting_runs_tell_places(studio, monkeypatch):
    monkeypatch.setattr(training, "TURN", 0.0)
    going = run(studio, ASKED, threading.Event())
    next(going)
    other = studio.jobs.run((n for n in (1, 2)), title="other")
    assert next(other) == Waiting(1)
    told = [next(going) for _ in range(2)]
    assert [u.state for u in told] == ["waiting", "waiting"] and told[0].waiting == 1 and told[0].step == 1
    assert list(other) == [1, 2] and next(going).step == 2
    other = studio.jobs.run((n for n in (1,)), title="other")
    assert next(other) == Waiting(1)
    next(going), going.close()  # closed in the queue, it leaves it
    assert list(other) == [1] and unfinished()["my-run"].step == 2


def test_updates_are_thinned_but_probes_and_the_end_always_come(studio, monkeypatch):
    monkeypatch.setattr(training, "RATE", 1e-6)
    assert [u.step for u in go(studio, ASKED)] == [1, 8]
    monkeypatch.setattr(training, "RATE", 1e9)
    assert [u.step for u in go(studio, replace(ASKED, name="my-other"))] == list(range(1, 9))


def test_a_diverged_run_keeps_its_last_good_state_and_resumes_at_half_rate(studio, monkeypatch):
    going = run(studio, ASKED, threading.Event())
    next(going), next(going)
    with monkeypatch.context() as patch, pytest.raises(Diverged, match="lower lr"):
        patch.setattr("cemviz.training.loop.LIMIT", 0.0)  # every loss is beyond it
        next(going)
    kept = unfinished()["my-run"]
    assert "diverged at step 3" in kept.diverged and kept.step == 2
    again = run(studio, replace(kept.request, mode="retry"), threading.Event())
    told = next(again)
    again.close()
    assert told.step == 3 and told.history["lr"] == [ROW.lr, ROW.lr, ROW.lr / 2]
    assert unfinished()["my-run"].diverged == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipe": "nothing"}, "choose one of"), ({"scale": "huge"}, "choose one of evidence, laptop"),
        ({"seed": -1}, "seed is -1"), ({"seed": 0.5}, "whole number"), ({"steps": 0}, "steps is 0"),
        ({"steps": 10**9}, "from 1 to 100000"), ({"name": "../x"}, "slash"), ({"name": ""}, "letters, digits"),
        ({"name": "mnist-at"}, "take 'my-tiny'"), ({"scale": "paper"}, "accelerator"),
        ({"mode": "resume"}, "no unfinished run"), ({"mode": "retry"}, "no unfinished run"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_with_what_to_do(studio, change, words):
    with pytest.raises(BadInput, match=words):
        checked(studio, replace(ASKED, **change))
    assert not (store.folder() / "runs").exists()


def test_no_run_overwrites_a_model_or_another_run(studio):
    go(studio, ASKED)
    with pytest.raises(BadInput, match="is the name of another model"):
        checked(studio, ASKED)
    other = replace(ASKED, name="my-other")
    going = run(studio, other, threading.Event())
    next(going)
    for clash in (other, replace(other, mode="resume")):
        with pytest.raises(BadInput, match=r"going on|no unfinished run"):
            next(run(studio, clash, threading.Event()))
    going.close()
    with pytest.raises(BadInput, match="unfinished; resume it"):
        checked(studio, other)


def test_proposed_names_are_free(studio):
    assert proposed("tiny") == "my-tiny"
    go(studio, replace(ASKED, name="my-tiny"))
    go(studio, replace(ASKED, name="my-tiny-2"), stop_at=1)
    assert proposed("tiny") == "my-tiny-3"


def test_another_number_of_updates_is_a_change_on_the_card_the_rows_not(studio):
    assert checked(studio, replace(ASKED, steps=8)).changes is None
    assert go(studio, replace(ASKED, steps=2))[-1].steps == 2 and "steps=2" in store.read_card("my-run").command


def test_missing_images_are_said_and_never_fetched_unasked(studio, monkeypatch, tmp_path):
    monkeypatch.setenv("CEMVIZ_DATA", str(tmp_path / "empty"))
    monkeypatch.setattr("cemviz.data.images.CACHE", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr("cemviz.backend.train.prepared.images.load", lambda *a, **k: pytest.fail("the images were loaded"))
    with pytest.raises(DataMissing, match=r"download MNIST \(11 MB\)"):
        next(run(studio, ASKED, threading.Event()))
    assert missing(studio, "mnist") and checked(studio, replace(ASKED, download=True))


def test_discarding_deletes_an_unfinished_run_and_only_such(studio):
    go(studio, ASKED, stop_at=2)
    discard("my-run")
    assert not unfinished() and not states.path("my-run").exists() and not list((store.folder() / "runs").iterdir())
    with pytest.raises(BadInput, match="no unfinished run"):
        discard("my-run")


def test_a_run_is_not_discarded_while_it_goes_on(studio, monkeypatch):
    monkeypatch.setattr("cemviz.backend.train.run.states.SAVE_EVERY", -1.0)
    going = run(studio, ASKED, threading.Event())
    next(going)
    with pytest.raises(BadInput, match="pause it first"):
        discard("my-run")
    going.close()


def test_broken_files_are_named_or_left_out(studio):
    assert read_history("nobody") is None
    go(studio, ASKED)
    path = curves.path("my-run")
    for text in ("{", "[]", json.dumps({"steps": [1], "lr": [], "terms": {}, "probes": []})):
        path.write_text(text)
        with pytest.raises(BrokenCheckpoint, match="my-run"):
            read_history("my-run")
    go(studio, replace(ASKED, name="my-half"), stop_at=2)
    runs.beside("my-half").write_text("{")
    assert not unfinished()


def test_where_training_is_switched_off_nothing_is_trained(studio, monkeypatch):
    monkeypatch.setattr(training, "OPEN", False)
    for mode in ("start", "resume", "retry"):
        with pytest.raises(BadInput, match="training is switched off on this page"):
            next(run(studio, replace(ASKED, mode=mode), threading.Event()))


def test_with_training_switched_off_nobody_discards_or_resumes_a_run(studio, monkeypatch):
    go(studio, ASKED, stop_at=2)
    monkeypatch.setattr(training, "OPEN", False)
    for act in (lambda: discard("my-run"), lambda: next(run(studio, replace(ASKED, mode="resume"), threading.Event()))):
        with pytest.raises(BadInput, match="training is switched off on this page"):
            act()
    assert unfinished()["my-run"].step == 2


# a page that closes, and other processes -----------------------------------------------------------------------------------


@pytest.fixture
def closing(monkeypatch):
    monkeypatch.setattr(training, "_closing", threading.Event())


def test_a_page_that_closes_saves_the_runs_that_nobody_looks_at(studio, closing):
    going = [run(studio, replace(ASKED, name=name), threading.Event()) for name in ("my-a", "my-b")]
    for each in going:
        next(each), next(each)
    assert training.halt(5) == [] == training.going()
    assert {name: kept.step for name, kept in unfinished().items()} == {"my-a": 2}  # the other one waited for the device
    assert [u.state for u in going[0]] == ["paused"] and [u.state for u in going[1]][-1] == "paused"


def test_a_page_that_closes_waits_for_the_update_that_is_computed(studio, closing, monkeypatch):
    monkeypatch.setattr(training, "RATE", 1e9)
    told, begun = [], threading.Event()

    def look():
        for update in run(studio, replace(ASKED, steps=100_000), threading.Event()):
            told.append(update)
            begun.set()

    looking = threading.Thread(target=look)
    looking.start()
    assert begun.wait(60) and training.halt(60) == []
    looking.join(60)
    assert (told[-1].state, told[-1].why) == ("paused", "because the page is closing")
    assert unfinished()["my-run"].step == told[-1].step


def test_a_run_of_another_process_is_not_begun_discarded_or_renamed(studio):
    go(studio, ASKED, stop_at=2)
    kept = runs.beside("my-run").read_text()
    other = Lock(states.path("my-run").with_suffix(".lock"))  # a lock of its own, as a process has
    for act in (lambda: discard("my-run"), lambda: next(run(studio, replace(ASKED, mode="resume"), threading.Event()))):
        with pytest.raises(BadInput, match="is going on"):
            act()
    assert runs.beside("my-run").read_text() == kept and unfinished()["my-run"].step == 2 and training.going() == []
    other.release()
    discard("my-run")
    assert not unfinished()


def test_a_save_that_fails_is_told_and_the_run_goes_on(studio, monkeypatch):
    monkeypatch.setattr("cemviz.backend.train.run.states.SAVE_EVERY", -1.0)
    monkeypatch.setattr(training, "RATE", 1e-6)
    with monkeypatch.context() as patch:
        patch.setattr("cemviz.backend.train.run.states.Saver.save", lambda *_: (_ for _ in ()).throw(Unwritable("disk full")))
        going = run(studio, ASKED, threading.Event())
        assert next(going).unsaved.startswith("disk full; the run goes on") and next(going).step == 2
    assert list(going)[-1].state == "done"


@pytest.mark.parametrize(
    "spoil", ["{", "[]", '{"request": {"recipe": ["tiny"]}, "diverged": ""}', '{"request": 3}', "[" * 10**5]
)
def test_a_request_that_cannot_be_read_is_left_out(studio, spoil):
    go(studio, ASKED, stop_at=2)
    runs.beside("my-run").write_text(spoil)
    assert not unfinished() and proposed("tiny") == "my-tiny"


def test_a_request_of_a_later_version_can_go_on(studio):
    go(studio, ASKED, stop_at=2)
    held = json.loads(runs.beside("my-run").read_text())
    held["request"]["later"] = 1
    runs.beside("my-run").write_text(json.dumps(held))
    assert unfinished()["my-run"].request == ASKED


def test_the_name_of_a_model_whose_card_is_broken_is_taken(studio):
    store.folder().mkdir(parents=True, exist_ok=True)
    (store.folder() / "my-run.json").write_text("{")
    (store.folder() / "my-tiny.json").write_text("{")
    with pytest.raises(BadInput, match="is the name of another model; take 'my-tiny-2'"):
        checked(studio, ASKED)
