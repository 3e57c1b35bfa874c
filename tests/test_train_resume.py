"""Runs that stop and go on: closed, killed, diverged, each to the weights of an unbroken one."""

import os
import random
import shutil
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import write_images
from runs import child, request, run

from cemviz.backend import store
from cemviz.backend.device import choose
from cemviz.backend.studio import Studio
from cemviz.backend.train import curves, states
from cemviz.backend.train import run as backend
from cemviz.backend.train.run import Trained, train
from cemviz.data.datasets import CIFAR10
from cemviz.dynamics import Diverged


@pytest.mark.parametrize("stop", [1, 5, 11])
@pytest.mark.slow
def test_a_run_closed_and_resumed_ends_bit_equal_to_an_unbroken_one(places, stop):
    for split in ("train", "test"):  # its views draw from a generator too
        write_images(places / "data" / "cifar10" / split, 3, 0, CIFAR10, side=32)
    asked = {"data": "cifar10", "batch": "10", "optimizer": "sgd" if stop == 5 else "adamw", "lr": "0.01"}
    run(request("whole", **asked))
    first = train(Studio(choose("cpu")), request("parts", **asked))
    for told in first:
        if told.done == stop:
            break
    first.close()
    assert int(store.read_tensors(states.path("parts"))["step"]) == stop
    told = run(request("parts", **asked, resume=True))
    assert [t.done for t in told] == list(range(stop + 1, 13))
    assert store.read_card("parts").sha256 == store.read_card("whole").sha256 and not states.path("parts").exists()


@pytest.mark.slow
def test_a_run_that_is_killed_resumes_from_its_last_periodic_save(places, monkeypatch):
    monkeypatch.setattr(states, "SAVE_EVERY", -1.0)
    for told in train(Studio(choose("cpu")), request("whole")):
        if isinstance(told, Trained) and told.done == 5:
            shutil.copy(states.path("whole"), places / "kept")
    states.path("parts").parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(places / "kept", states.path("parts"))
    told = run(request("parts", resume=True))
    assert told[0].done == 6 and store.read_card("parts").sha256 == store.read_card("whole").sha256


JEAT = {
    "objective": "jeat", "schedule": "warm-up", "norm": "linf", "attack": "energy", "net_args": "width:4,norm:none",
    "objective_args": "buffer:24,reinit:0.1,steps:2,step:1.0,noise:0.01", "average": "0",
}  # fmt: skip


BINARY = {
    "objective": "maximin", "kind": "binary", "p0": "uniform", "net_args": "width:4,norm:none,outputs:1",
    "objective_args": "auc_above:0.5,window:3,inside:1,inside_step:0.1", "attack_steps": "4", "average": "0.8",
}  # fmt: skip


MOMENTS = [(torch.Tensor, "backward"), (os, "fsync"), (Path, "replace"), (Path, "replace")]
"""In a step, while a file is written, before it has its name, and, the last, after."""


@pytest.mark.skipif(torch.cuda.is_available(), reason="autograd's threads of a GPU do not survive a fork")
@pytest.mark.parametrize("changes", [{}, JEAT, BINARY], ids=["at", "jeat", "binary"])
@pytest.mark.slow
def test_kills_at_any_moment_lose_only_the_steps_since_the_last_save(places, monkeypatch, changes):
    """SIGKILL lands in a step, in a save or between the two; weights and curves end as those of a run that nobody stopped."""
    changes, chance, steps = changes | {"steps": "50"}, random.Random(7), []
    run(request("whole", **changes))
    monkeypatch.setattr(states, "SAVE_EVERY", -1.0)
    for kill in range(7):
        process, said = child(
            request("parts", resume=kill > 0, **changes), (*MOMENTS[kill % 4], chance.randint(2, 5), kill % 4 == 3)
        )
        with suppress(EOFError):
            while True:
                steps.append(said.recv())
        process.join()
        assert process.exitcode == -signal.SIGKILL
    run(request("parts", resume=True, **changes))
    # a step is saved before it is told, so that no later process does it again, and at most the one being done is lost
    assert steps == sorted(set(steps)) and steps[-1] - len(steps) <= 7
    assert store.read_card("parts").sha256 == store.read_card("whole").sha256
    kept = [store.read_json(curves.path(name)) for name in ("parts", "whole")]
    for key in ("steps", "lr", "terms", "probes"):
        assert kept[0][key] == kept[1][key]
    left = [path for path in places.rglob("*") if path.suffix == ".part" or path == states.path("parts")]
    assert left == []


@pytest.mark.slow
def test_half_written_files_of_a_killed_run_do_no_harm_and_are_swept_away(places):
    first = train(Studio(choose("cpu")), request())
    next(first), first.close()
    run_folder, models = states.path("toy").parent, places / "models"
    whole = states.path("toy").read_bytes()
    ours = [run_folder / "toy.123.part", models / "toy.123.part", models / "toy.json.123.part"]
    others = [run_folder / "toy.2.123.part", run_folder / "toys.123.part"]  # of the models "toy.2" and "toys"
    for path in ours + others:
        path.write_bytes(whole[: len(whole) // 2])
    assert run(request(resume=True))[0].done == 2
    assert not any(path.exists() for path in ours) and all(path.exists() for path in others)


@pytest.mark.slow
def test_a_run_killed_after_its_last_step_still_gets_its_model(places, monkeypatch):
    monkeypatch.setattr(states, "SAVE_EVERY", -1.0)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(store, "save", lambda *_: 1 / 0)  # dies where it would store the model
        run(request())
    assert [t.done for t in run(request(resume=True))] == [12] and store.load("toy")


@pytest.mark.slow
def test_a_saved_state_needs_resume_and_resume_without_one_begins_anew(places):
    first = train(Studio(choose("cpu")), request())
    next(first), first.close()
    assert run(request())[0].done == 1 and run(request(resume=True))[0].done == 1


@pytest.mark.parametrize("change", [{"net_args": "width:8"}, {"lr": "0.5"}, {"steps": "4"}, {"seed": 9}])
def test_resuming_the_state_of_another_run_is_refused(places, change):
    first = train(Studio(choose("cpu")), request())
    next(first), first.close()
    with pytest.raises(ValueError, match="is of another run"):
        run(request(resume=True, **change))


def test_a_run_that_diverges_stores_no_model_and_keeps_its_last_good_state(places):
    with pytest.raises(Diverged, match=r"lower lr \(1e\+06\)"):
        run(request(lr="1e6", clip="inf", schedule="constant", optimizer="sgd"))
    assert not (places / "models" / "toy.json").exists()
    state = store.read_tensors(states.path("toy"))
    assert 0 < int(state["step"]) < 12 and all(v.isfinite().all() for v in state.values() if v.is_floating_point())


def test_a_retry_halves_the_rate_each_time_even_if_it_diverges_at_once(places, monkeypatch):
    rates = []
    real = backend.loop.fit

    def watched(net, goal, batches, steps, optimizer, **more):
        rates.append(optimizer.param_groups[0]["lr"])
        return real(net, goal, batches, steps, optimizer, **more)

    monkeypatch.setattr(backend.loop, "fit", watched)
    asked = request(lr="1e9", schedule="constant", optimizer="sgd", clip="1e30", average="0")
    with pytest.raises(Diverged):
        run(asked)
    for _ in range(2):
        with pytest.raises(Diverged):
            run(replace(asked, retry=True))
    assert rates == [1e9, 5e8, 2.5e8] and int(store.read_tensors(states.path("toy"))["retries"]) == 2


def test_a_retry_without_a_saved_state_is_refused(places):
    with pytest.raises(ValueError, match="no saved state of 'toy'"):
        run(replace(request(), retry=True))


def test_the_difference_of_a_state_is_named(places):
    first = train(Studio(choose("cpu")), request(lr="0.1"))
    next(first), first.close()
    with pytest.raises(
        states.AnotherRun, match=r"is of another run: lr is 0.2, not 0.1; give the same ones, or leave --resume"
    ):
        run(request(lr="0.2", resume=True))
    state = store.read_tensors(states.path("toy"))
    for key, value in (("run", torch.arange(32, dtype=torch.uint8)), ("run", None), ("history", None), ("step", None)):
        kept = {k: v for k, v in state.items() if k != key} | ({} if value is None else {key: value})
        store.write_tensors(states.path("toy"), kept)
        with pytest.raises(states.AnotherRun, match="another version of cemviz wrote it"):
            run(request(lr="0.1", resume=True))
