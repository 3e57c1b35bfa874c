"""Runs on a disk that is full or may not be written: what was saved stands, and what to do is said."""

import errno
import os
from pathlib import Path

import pytest
from runs import request, run

from cemviz.backend import store
from cemviz.backend.device import choose
from cemviz.backend.store import Unwritable
from cemviz.backend.studio import Studio
from cemviz.backend.train import curves, states
from cemviz.backend.train import run as backend
from cemviz.backend.train.run import train


def failing(patch, fault, where=""):
    """A disk that takes no file whose path has these words."""
    real = Path.open

    def guarded(self, mode="r", *args, **kwargs):
        if "w" in mode and where in str(self):
            raise OSError(fault, os.strerror(fault), str(self))
        return real(self, mode, *args, **kwargs)

    patch.setattr(Path, "open", guarded)


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS])
def test_a_failed_periodic_save_is_told_and_tried_again_as_the_run_goes_on(places, monkeypatch, fault):
    monkeypatch.setattr(states, "SAVE_EVERY", -1.0)
    going = train(Studio(choose("cpu")), request())
    assert next(going).unsaved == ""
    with monkeypatch.context() as patch:
        failing(patch, fault, "runs")
        told = next(going)
        assert os.strerror(fault).lower() in told.unsaved and "is saved up to step 1" in told.unsaved
        assert str(states.path("toy")) in told.unsaved
    assert next(going).unsaved == "" and int(store.read_tensors(states.path("toy"))["step"]) == 3
    assert list(going)[-1].name == "toy"


@pytest.mark.parametrize("where", ["toy@", "toy.json", "history"])
@pytest.mark.slow
def test_a_model_that_cannot_be_stored_is_kept_as_a_state_until_resumed(places, monkeypatch, where):
    run(request("whole"))
    with (
        monkeypatch.context() as patch,
        pytest.raises(Unwritable, match=r"no space left.*the run is saved: make room, and give"),
    ):
        failing(patch, errno.ENOSPC, where)
        run(request())
    monkeypatch.setattr("cemviz.training.loop.LIMIT", 0.0)  # no update would pass
    told = run(request(resume=True))
    assert [t.done for t in told] == [12] and told[0].terms
    assert store.read_card("toy").sha256 == store.read_card("whole").sha256 and not states.path("toy").exists()
    kept = [store.read_json(curves.path(name))["terms"] for name in ("toy", "whole")]
    assert kept[0] == kept[1]


@pytest.mark.slow
def test_on_a_full_disk_the_last_state_that_was_saved_stands(places, monkeypatch):
    monkeypatch.setattr(states, "SAVE_EVERY", -1.0)
    going = train(Studio(choose("cpu")), request())
    next(going), next(going)
    with monkeypatch.context() as patch:
        failing(patch, errno.ENOSPC)
        with pytest.raises(Unwritable, match=r"toy@.*no space left.*saved up to step 2: make room, and go on with --resume"):
            list(going)
    assert run(request(resume=True))[0].done == 3


def test_a_folder_that_may_not_be_written_is_refused_before_the_work(places, monkeypatch):
    monkeypatch.setattr(
        "cemviz.backend.stored.locks.os.open", lambda *_: (_ for _ in ()).throw(OSError(errno.EROFS, "Read-only"))
    )
    monkeypatch.setattr(backend, "prepare", lambda *_: pytest.fail("the images were loaded"))
    with pytest.raises(Unwritable, match=r"models/runs cannot be written \(read-only\); nothing was begun"):
        next(train(Studio(choose("cpu")), request()))
