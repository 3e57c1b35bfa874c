"""Results that were computed once: the same request gets them without the device, another one does not."""

from dataclasses import dataclass

import gradio as gr
import numpy as np
import pytest
import torch

from cemviz.backend import remembered
from cemviz.backend.limits import Limits
from cemviz.backend.remembered import Remembered, sized
from cemviz.backend.use_case import Step
from cemviz.ui.controls import STOPPED, Session
from cemviz.ui.wiring import SAME, TimeLeft, Wiring, run


@dataclass(frozen=True)
class Result:
    pixels: np.ndarray
    latent: torch.Tensor
    name: str


def test_the_size_of_a_result_is_that_of_all_it_holds():
    result = Result(np.zeros((10, 10), np.uint8), torch.zeros(5), "abc")
    assert sized(result) == 100 + 20 + 3
    assert sized([result, {"a": (result, 1)}]) == 2 * 123 + 8


def test_the_least_asked_for_goes_first_and_what_is_large_is_not_kept(monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 250)
    monkeypatch.setattr(remembered, "LARGEST", 120)
    kept = Remembered()
    for name in "ab":
        kept.put(name, [np.zeros(100, np.uint8)])
    assert kept.get("a") is not None
    kept.put("c", [np.zeros(100, np.uint8)])
    assert [kept.get(name) is not None for name in "abc"] == [True, False, True]
    kept.put("d", [np.zeros(121, np.uint8)])
    assert kept.get("d") is None and kept.get("a") is not None


class Bench:
    """A studio's part that `run` uses."""

    def __init__(self, models=1):
        from cemviz.backend.jobs import Jobs

        self.jobs, self.remembered, self.models = Jobs(), Remembered(), models
        self.limits = Limits(time=5)

    def fingerprint(self):
        return self.models


def told(studio, log, asked, tab="tab", fails=False):
    def work():
        log.append(asked)
        yield Step(0, 1, "at work")
        yield np.arange(3)
        if fails:
            raise ValueError("no")

    return list(run(studio, Session(), tab, work(), title="Work", limit=10, requests=asked))


def test_the_same_request_is_computed_once_for_all_visitors():
    studio, log = Bench(), []
    first, second = told(studio, log, ["a"]), told(studio, log, ["a"])
    assert len(log) == 1 and first[-1] is second[-1] and len(first) == 2 and len(second) == 1
    for asked, tab in ((["b"], "tab"), (["a", "b"], "tab"), (["a"], "other")):
        told(studio, log, asked, tab)
    assert len(log) == 4
    studio.models = 2
    told(studio, log, ["a"])
    assert len(log) == 5, "another model may stand under the name"


def test_nothing_is_remembered_without_a_request_after_a_fault_or_a_stop():
    studio, log = Bench(), []
    for _ in range(2):
        told(studio, log, [])
        with pytest.raises(ValueError, match="no"):
            told(studio, log, ["a"], fails=True)
    assert len(log) == 4
    session = Session()

    def work():
        yield 1
        session.stops["tab"].set()
        yield 2
        yield 3

    for _ in range(2):
        assert list(run(studio, session, "tab", work(), title="Work", limit=10, requests=["stopped"])) == [
            1,
            2,
            STOPPED,
        ]


def test_what_is_at_work_for_one_visitor_is_waited_for_by_the_others(monkeypatch):
    monkeypatch.setattr("cemviz.ui.wiring.PATIENCE", 0.0)
    studio, log = Bench(), []

    def work(name):
        log.append(name)
        yield Step(0, 1, "at work")
        yield name

    visitors = [Session(), Session(), Session()]
    first, second, third = (
        run(studio, v, "tab", work(i), title="Work", limit=10, requests=["a"]) for i, v in enumerate(visitors)
    )
    assert "at work" in next(first) and next(second) == next(second) == next(third) == SAME
    visitors[2].stops["tab"].set()
    assert list(third) == [STOPPED]
    assert list(first) == [0] and list(second) == [0] and log == [0]


def test_who_leaves_hands_the_work_to_who_waits(monkeypatch):
    monkeypatch.setattr("cemviz.ui.wiring.PATIENCE", 0.0)
    studio = Bench()

    def work(name):
        yield Step(0, 1, f"{name} at work")
        yield name

    first, second = (run(studio, Session(), "tab", work(i), title="Work", limit=10, requests=["a"]) for i in range(2))
    next(first), next(second)
    first.close()
    assert "1 at work" in next(second) and list(second) == [1]


def test_a_newer_run_ends_one_whose_results_are_known():
    studio, session = Bench(), Session()
    studio.remembered.put(("tab", "'a'", studio.models), [1, 2, 3])
    items = run(studio, session, "tab", iter(()), title="Work", limit=10, requests=["a"])
    assert next(items) == 1
    session.stops["tab"].set()
    assert list(items) == [STOPPED]


def test_a_run_whose_place_a_newer_one_took_says_nothing_more():
    studio, session = Bench(), Session()
    wire = Wiring(gr.State(session, render=False), studio, parts := {"line": gr.Textbox(render=False)})

    def handler(studio, session):
        for item in run(studio, session, "tab", (letter for letter in "ab"), title="Work", limit=10):
            yield {"line": item}
        yield {"line": "the end"}

    older, newer = (wire.bound(handler, [])(session) for _ in range(2))
    assert next(older) == {parts["line"]: "a"}
    next(newer)  # waits for the device
    assert list(older) == [gr.skip()]
    assert list(newer)[-4:] == [*({parts["line"]: words} for words in ("a", "b", "the end")), gr.skip()]


def test_a_run_takes_no_longer_than_the_page_s_limit(monkeypatch):
    studio, given = Bench(), []
    monkeypatch.setattr(type(studio.jobs), "run", lambda self, work, **asked: given.append(asked["limit"]) or work)
    for limit in (3, 10):
        list(run(studio, Session(), "tab", (item for item in "a"), title="Work", limit=limit))
    assert given == [3, 5]


def test_the_time_that_is_left_is_told_at_the_pace_of_the_steps_that_are_done(monkeypatch):
    clock = iter([10.0, 12.0, 14.0, 20.0, 100.0])
    monkeypatch.setattr("cemviz.ui.wiring.time.monotonic", lambda: next(clock))
    left = TimeLeft()
    told = [left.after(Step(done, 20, "at work")) for done in (2, 2, 4, 19, 20)]
    assert told == ["", "", ", about 32 s left", "", ""]
    clock = iter([0.0, 60.0])
    left = TimeLeft()
    assert [left.after(Step(done, 11, "at work")) for done in (0, 1)] == ["", ", about 10 minutes left"]
