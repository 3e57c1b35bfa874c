"""The log: one line an event, however it ended, in files that do not grow for ever."""

import logging
import re
from contextlib import closing

import pytest

from cemviz.backend import diary
from cemviz.backend.jobs import Jobs


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setattr(diary.LOG, "disabled", False)  # what another test has left
    monkeypatch.setattr(logging.root.manager, "disable", 0)
    handler = diary.keep(tmp_path / "page.log")
    yield tmp_path / "page.log"
    diary.LOG.removeHandler(handler)
    diary.LOG.setLevel(logging.NOTSET)
    handler.close()


def work(fault=None):
    yield 1
    if fault:
        raise fault
    yield 2


def test_every_run_is_one_line_that_says_how_it_ended(log):
    jobs = Jobs()
    list(jobs.run(work(), title="Sampling"))
    with closing(jobs.run(work(), title="Landscape")) as items:
        next(items)
    with pytest.raises(ValueError, match="no"):
        list(jobs.run(work(ValueError("no\nmore")), title="Restoring"))
    lines = log.read_text().splitlines()
    said = [re.sub(r"^\S+ ", "", line) for line in lines]
    assert [re.sub(r", ran .*", "", line) for line in said] == [
        "Sampling: done",
        "Landscape: left",
        "Restoring: ValueError: no more",
    ]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", line) for line in lines)


def test_a_large_log_is_begun_anew_and_three_older_ones_stay(log):
    (handler,) = (each for each in diary.LOG.handlers if getattr(each, "maxBytes", 0))
    handler.maxBytes = 200
    for k in range(60):
        diary.LOG.info("event %d", k)
    assert sorted(path.name for path in log.parent.iterdir()) == ["page.log", "page.log.1", "page.log.2", "page.log.3"]
    assert max(path.stat().st_size for path in log.parent.iterdir()) <= 200
