import threading
import time

import pytest

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
