import threading
import time
from itertools import count
from types import SimpleNamespace

import pytest

from cemviz.backend import jobs as module
from cemviz.backend.jobs import Jobs, TimedOut, Waiting


def counting(n, log, name="job", pause=0.0):
    try:
        for i in range(n):
            log.append((name, i))
            time.sleep(pause)
            yield i
    finally:
        log.append((name, "closed"))


def test_jobs_run_one_at_a_time_in_the_order_they_came():
    jobs, log = Jobs(), []
    first = jobs.run(counting(5, log, "first"), title="first")
    assert next(first) == 0
    second = jobs.run(counting(5, log, "second"), title="second")
    assert next(second) == Waiting(1)
    order = []
    thread = threading.Thread(target=lambda: order.extend(second))
    thread.start()
    assert list(first) == [1, 2, 3, 4]
    thread.join(5)
    assert [name for name, _ in log] == ["first"] * 6 + ["second"] * 6
    assert [item for item in order if not isinstance(item, Waiting)] == [0, 1, 2, 3, 4]


def test_closing_the_iteration_closes_the_work_and_then_hands_the_turn_on():
    jobs, log = Jobs(), []

    def waiting():
        try:
            yield from range(100)
        finally:
            log.append(len(jobs._line))

    work = waiting()  # a reference: nothing but the queue closes it
    running = jobs.run(work, title="left")
    next(running)
    running.close()
    assert log == [1] and not jobs._line
    assert list(jobs.run(counting(2, log), title="next")) == [0, 1]


def test_a_failed_job_passes_its_error_on_and_leaves_the_others_alone():
    def broken():
        yield 1
        raise ValueError("α is -1")

    jobs = Jobs()
    with pytest.raises(ValueError, match="α is -1"):
        list(jobs.run(broken(), title="broken"))
    assert list(jobs.run(counting(1, []), title="next")) == [0]


def test_a_job_over_its_time_limit_is_stopped_with_the_limit_named():
    jobs, log = Jobs(), []
    with pytest.raises(TimedOut, match=r"Sampling ran longer than 0.05 s"):
        list(jobs.run(counting(1000, log, pause=0.01), title="Sampling", limit=0.05))
    assert log[-1] == ("job", "closed") and len(log) < 100 and not jobs._line


def test_a_visitor_who_leaves_the_line_does_not_hold_it_up():
    jobs, log = Jobs(), []
    first = jobs.run(counting(100, log, "first"), title="first")
    assert next(first) == 0
    second = jobs.run(counting(3, log, "second"), title="second")
    third = jobs.run(counting(2, log, "third"), title="third")
    assert next(second) == Waiting(1) and str(next(third)) == "waiting: 2 before you"
    second.close()
    assert next(third) == Waiting(1)
    first.close()
    assert list(third) == [0, 1] and ("second", 0) not in log and not jobs._line


def test_stop_ends_a_run_at_its_next_item_and_a_waiting_one_at_once():
    jobs, log, stop = Jobs(), [], threading.Event()
    run = jobs.run(counting(100, log), title="long", stop=stop)
    assert [next(run), next(run)] == [0, 1]
    waiting = jobs.run(counting(1, log, "waiting"), title="waiting", stop=stop)
    assert next(waiting) == Waiting(1)
    stop.set()
    assert list(waiting) == [] and list(run) == [] and log[-1] == ("job", "closed") and not jobs._line
    assert ("waiting", 0) not in log


def go_on(jobs, log, name, **given):
    """A job that has joined the line; the first of all runs its first step."""
    items = jobs.run(counting(2, log, name), title=name, **given)
    return items, next(items)


def served(log):
    return [name for name, i in log if i == 0]


class Visitor:
    pass


def test_who_asks_for_much_stands_behind_who_asks_for_little():
    jobs, log, busy, calm = Jobs(), [], Visitor(), Visitor()
    many = [go_on(jobs, log, f"busy {i}", visitor=busy)[0] for i in range(5)]
    one, place = go_on(jobs, log, "calm", visitor=calm)
    assert place == Waiting(1), "behind the job that runs alone"
    other, place = go_on(jobs, log, "nobody")
    assert place == Waiting(2), "and each who comes stands behind who came before"
    for items in (many[0], one, other, *many[1:]):
        list(items)
    assert served(log) == ["busy 0", "calm", "nobody", *(f"busy {i}" for i in range(1, 5))]
    again, place = go_on(jobs, log, "busy again", visitor=busy)
    assert place == 0, "nobody waits: nobody is made to"
    list(again)


def test_the_round_goes_on_so_that_nobody_is_passed_for_ever():
    jobs, log, busy = Jobs(), [], Visitor()
    first, _ = go_on(jobs, log, "busy 0", visitor=busy)
    second, _ = go_on(jobs, log, "busy 1", visitor=busy)
    calm = [go_on(jobs, log, f"calm {i}", visitor=Visitor())[0] for i in range(2)]
    for items in (first, *calm):
        list(items)
    list(second)
    late, _ = go_on(jobs, log, "late", visitor=Visitor())
    list(late)
    assert served(log) == ["busy 0", "calm 0", "calm 1", "busy 1", "late"]


def test_long_work_gives_way_and_goes_on_where_it_was():
    jobs, log = Jobs(), []
    long = jobs.run(counting(4, log, "long"), title="long", turn=0.0)
    assert next(long) == 0
    short = jobs.run(counting(2, log, "short"), title="short")
    assert next(short) == Waiting(1) and next(long) == Waiting(1)
    assert list(short) == [0, 1]
    assert list(long) == [1, 2, 3] and log.count(("long", "closed")) == 1


def test_time_in_the_line_counts_for_no_limit(monkeypatch):
    clock, log = count(), []
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))  # a second later each time it is read
    jobs = Jobs()
    long = jobs.run(counting(3, log, "long"), title="long", turn=0.0, limit=20)
    assert next(long) == 0
    short = jobs.run(counting(1, log, "short"), title="short")
    assert next(short) == Waiting(1) and next(long) == Waiting(1)
    for _ in range(1000):
        next(clock)
    assert list(short) == [0] and [item for item in long if not isinstance(item, Waiting)] == [1, 2]


def test_all_work_computes_in_one_thread_of_the_device_and_closes_there():
    jobs, seen = Jobs(), []

    def work():
        try:
            for _ in range(3):
                seen.append(threading.current_thread().name)
                yield
        finally:
            seen.append(threading.current_thread().name)

    for _ in range(2):
        threads = [threading.Thread(target=lambda: list(jobs.run(work(), title="work"))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    left = jobs.run(work(), title="left")
    next(left), left.close()
    assert set(seen) == {"device_0"} and len(seen) == 6 * 4 + 2


def test_who_waits_is_told_about_how_long_by_the_jobs_before():
    jobs, log = Jobs(), []
    for _ in range(20):
        list(jobs.run(counting(1, log, pause=0.01), title="usual"))
    jobs._usual *= 1000  # as if they took ten seconds
    first, _ = go_on(jobs, log, "first")
    _, place = go_on(jobs, log, "second")
    assert 8 < place.seconds < 20 and str(place) == f"waiting: 1 before you, about {int(place.seconds) + 1} s"
    assert str(Waiting(2, 0.4)) == "waiting: 2 before you"
    list(first)


def test_a_change_of_the_place_is_told_at_once(monkeypatch):
    monkeypatch.setattr("cemviz.backend.jobs.PATIENCE", 60.0)
    jobs, log = Jobs(), []
    (first, _), (second, _), (third, place) = (go_on(jobs, log, name) for name in ("first", "second", "third"))
    assert place == Waiting(2)
    told = []
    thread = threading.Thread(target=lambda: told.append(next(third)))
    thread.start()
    second.close()
    thread.join(5)
    assert told == [Waiting(1)]
    first.close()
