"""The device's process: items and faults come over, what is closed is closed there, and a process that dies is started anew."""

import os
import signal
import time

import pytest
from conftest import equip, write_images

from cemviz.backend import own
from cemviz.backend.apart import Apart, Lost
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.requests import AddRequest
from cemviz.backend.studio import Studio
from cemviz.backend.use_case import Step
from cemviz.data.datasets import DATASETS
from cemviz.training.recipes import RECIPES


def counted(studio, path, most):
    """Steps, and a file where it was closed."""
    try:
        for k in range(most):
            yield Step(k, most, str(os.getpid()))
    finally:
        with open(path, "a") as file:
            file.write(f"closed after {k}\n")


def refused(studio, _):
    yield 1
    raise BadInput("count", "count is 0; give more")


def kept(studio, _):
    yield lambda: None  # what cannot be handed over


def died(studio, _):
    yield 1
    os.kill(os.getpid(), signal.SIGKILL)


def printed(studio, word):
    print(word)
    yield studio.data


def known(studio, name):
    yield name in DATASETS


@pytest.fixture(scope="module")
def apart(tmp_path_factory):
    root = tmp_path_factory.mktemp("apart")
    with pytest.MonkeyPatch.context() as patch:
        equip(root, patch)
        write_images(root / "mine", 10, seed=1)
        list(own.add(Studio(choose("cpu")), AddRequest("ferns", str(root / "mine"))))
        for table in (DATASETS, RECIPES):  # known to this process no more
            for key in [key for key in table if key.startswith("ferns")]:
                del table[key]
        patch.setenv("PYTHONPATH", os.path.dirname(__file__))  # these use-cases are of this file
        process = Apart("cpu", str(root / "data"))
        process.start()
        yield process
        process.close()


def test_items_come_over_one_by_one_from_another_process(apart, tmp_path):
    items = list(apart.run(counted, tmp_path / "told", 3))
    assert [(item.done, item.total) for item in items] == [(0, 3), (1, 3), (2, 3)]
    assert len(pids := {int(item.doing) for item in items}) == 1 and os.getpid() not in pids
    assert (tmp_path / "told").read_text() == "closed after 2\n"


def test_what_is_closed_here_is_closed_there_at_once_and_others_go_on(apart, tmp_path):
    one, other = apart.run(counted, tmp_path / "one", 9), apart.run(counted, tmp_path / "other", 9)
    assert [next(work).done for work in (one, other, one)] == [0, 0, 1]
    one.close()
    assert (tmp_path / "one").read_text() == "closed after 1\n" and not (tmp_path / "other").exists()
    assert [item.done for item in other] == list(range(1, 9))


def test_a_fault_is_raised_here_as_it_was_there_with_its_field(apart):
    work = apart.run(refused, None)
    assert next(work) == 1
    with pytest.raises(BadInput, match="count is 0; give more") as caught:
        next(work)
    assert caught.value.field == "count" and "in refused" in caught.value.__notes__[0]
    with pytest.raises((TypeError, AttributeError), match="pickle"):
        next(apart.run(kept, None))
    with pytest.raises((TypeError, AttributeError), match="pickle"):
        next(apart.run(printed, lambda: None))
    assert list(apart.run(printed, "not an answer")), "it goes on"


def test_it_has_the_page_s_data_and_what_is_printed_there_is_no_answer(apart):
    assert next(apart.run(printed, "hello")).endswith("/data")
    studio = Studio(choose("cpu"), apart=apart)
    assert next(studio.work(printed, "hello")).endswith("/data")
    assert next(studio.work(known, "ferns")), "a data set of one's own is known there"
    studio.apart = None
    assert next(studio.work(printed, "hello")) is None and not next(studio.work(known, "ferns"))


def test_a_process_that_dies_is_told_in_a_line_and_started_anew(apart, tmp_path):
    other = apart.run(counted, tmp_path / "lost", 9)
    next(other)
    work = apart.run(died, None)
    next(work)
    with pytest.raises(Lost, match="signal 9: was there memory for it"):
        next(work)
    again = apart.run(counted, tmp_path / "again", 9)
    pid = next(again).doing
    with pytest.raises(Lost, match="started anew"):
        next(other)
    assert len(list(again)) == 8, "what was lost leaves the new process alone"
    assert next(apart.run(counted, tmp_path / "same", 2)).doing == pid


def test_its_end_closes_what_is_at_work_and_a_signal_to_all_does_not_end_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(__file__))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "torch.py").write_text("raise SystemExit('a file of the folder that one happens to be in')")
    process = Apart("cpu", None)
    work = process.run(counted, tmp_path / "told", 9)
    pid = int(next(work).doing)
    for ending in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, ending)
    assert next(work).done == 1
    began = time.monotonic()
    process.close()
    assert (tmp_path / "told").read_text() == "closed after 1\n" and time.monotonic() - began < 5
    with pytest.raises(Lost):
        next(work)
