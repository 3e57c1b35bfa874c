"""Visits end some minutes after their page was closed, and take with them all that they held; others go on."""

import gc
import threading
import weakref
from datetime import datetime, timedelta

import gradio as gr
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from cemviz.ui import visits
from cemviz.ui.controls import Session
from cemviz.ui.door import Door


@pytest.fixture
def page():
    with gr.Blocks() as page:
        page.visitor = gr.State(Session(), delete_callback=Session.leave)
    page.launch(prevent_thread_lock=True, quiet=True, share=False)
    yield page
    page.close()


def come(page, name):
    state = page.state_holder[name]
    state[page.visitor._id] = session = Session()
    session.state["file"] = None
    session.state["something"] = name
    return session


def test_a_closed_visit_ends_after_minutes_and_an_open_one_never(page):
    there, gone, back = (come(page, name) for name in ("there", "gone", "back"))
    for name in ("gone", "back"):
        page.state_holder.session_data[name].is_closed = True
    now = datetime.now()
    assert visits.sweep(page, now) == 0, "who comes back in time finds all as it was"
    page.state_holder.time_last_used["back"] = now + visits.AFTER
    assert visits.sweep(page, now + visits.AFTER + timedelta(seconds=1)) == 1
    assert list(page.state_holder.session_data) == ["there", "back"]
    assert not gone.state and gone.stops is not None and there.state and back.state
    assert visits.sweep(page, now + 3 * visits.AFTER) == 1 and there.state and not back.state


def test_what_an_ended_visit_held_in_cycles_is_given_back(page, monkeypatch):
    class Held:
        """An object that leads back to itself."""

    held = Held()
    held.self, seen = held, weakref.ref(held)
    come(page, "gone").state["something"] = held
    del held
    page.state_holder.session_data["gone"].is_closed = True
    for name, value in (("LOOK", 0.01), ("AFTER", timedelta(0))):
        monkeypatch.setattr(visits, name, value)
    given, stop = threading.Event(), threading.Event()
    own = visits.give_back
    monkeypatch.setattr(visits, "give_back", lambda: (own(), given.set()))
    gc.disable()
    try:
        visits.watch(page, stop, 10**6)
        assert given.wait(30) and seen() is None
    finally:
        stop.set()
        gc.enable()


def test_what_still_runs_ends_with_its_visit(page):
    session = come(page, "gone")
    stop = session.stops["sampling"]
    page.state_holder.session_data["gone"].is_closed = True
    visits.sweep(page, datetime.now() + 2 * visits.AFTER)
    assert stop.is_set()


def test_a_full_page_asks_who_comes_to_come_back_and_serves_who_is_there(page):
    answer = [Route(path, lambda request: PlainTextResponse("here"), methods=["GET", "POST"]) for path in ("/", "/queue/join")]
    app = Starlette(routes=answer, middleware=[Middleware(Door, visitors=2)])
    app.get_blocks = lambda: page
    client = TestClient(app)
    come(page, "first")
    assert client.get("/").text == "here"
    come(page, "second")
    full = client.get("/?tab=sampling")
    assert full.status_code == 503 and full.headers["retry-after"] == "60" and "as it takes (2)" in full.text
    assert client.post("/queue/join").text == "here"
    page.state_holder.session_data["first"].is_closed = True
    assert client.get("/").text == "here"


def test_where_the_server_holds_too_much_closed_visits_end_at_once(page, monkeypatch):
    assert visits.full(1) and not visits.full(10**9)
    asked, stop = [], threading.Event()

    def sweep(page, now=None, after=visits.AFTER):
        asked.append(after)
        if len(asked) == 2:
            stop.set()
        return 0

    monkeypatch.setattr(visits, "LOOK", 0.01)
    monkeypatch.setattr(visits, "sweep", sweep)
    monkeypatch.setattr(visits, "full", lambda memory: memory == 7 and not asked)
    visits.watch(page, stop, 7)
    assert stop.wait(5) and asked[:2] == [visits.LEAST, visits.AFTER]


def test_a_closed_visit_has_half_a_minute_in_any_case(page):
    come(page, "gone")
    page.state_holder.session_data["gone"].is_closed = True
    now = datetime.now()
    page.state_holder.time_last_used["gone"] = now
    assert visits.sweep(page, now + timedelta(seconds=29), visits.LEAST) == 0
    assert visits.sweep(page, now + timedelta(seconds=31), visits.LEAST) == 1
