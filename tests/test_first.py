"""First views as files: what they hold, when there is one, and what the server draws for a visitor who was shown one."""

import asyncio
import gzip
import json
from copy import deepcopy
from threading import Event
from types import SimpleNamespace

import gradio as gr
import pytest
from conftest import awaited
from starlette.testclient import TestClient

from cemviz.backend.limits import Limits
from cemviz.backend.remembered import Remembered
from cemviz.backend.stored import artefacts
from cemviz.ui import first
from cemviz.ui.controls import NotYet, Session, Tab
from cemviz.ui.first import FirstFiles, FirstViews, first_view
from cemviz.ui.manners import Page
from cemviz.ui.wiring import Wiring, run


class Studio:
    """The part of a studio that first views need; `models` stands for those that are stored."""

    def __init__(self):
        self.models, self.limits, self.remembered = 1, Limits(), Remembered()
        self.jobs = SimpleNamespace(length=0, run=lambda work, **_: iter_closing(work))

    def fingerprint(self):
        return self.models


def iter_closing(work):
    yield from work


def look(studio, session, *, seed, size):
    """A handler of three words, whose second is what the device computes."""
    session.selections["view"] = (seed,)
    yield {"line": "at work", "size": gr.update(maximum=9)}
    for item in run(studio, session, "view", iter([(seed,)]), title="A view", limit=9, requests=[seed]):
        session.state["picture"] = item
        yield {"line": f"picture of {item[0]:g}"}
    yield {"size": gr.update(visible=False), "seed": gr.skip()}


@pytest.fixture
def views():
    """A page of one tab, whose only view is `look`."""
    studio = Studio()
    views = FirstViews(studio)
    with Page() as page:
        session = gr.State(Session(views))
        parts = {"seed": gr.Number(3), "size": gr.Slider(1, 5, value=2), "line": gr.Markdown("")}
        wire = Wiring(session, studio, parts)
        tab = Tab(parts, wire.first(look, ["seed", "size"], ["line", "size", "seed"]), alike=True)
        event = gr.Number().change(*tab.draw)
    views.add("view", tab, event)
    return SimpleNamespace(views=views, studio=studio, tab=tab, page=page, parts=parts)


def made(views):
    return awaited(views.views.file("view", views.page))


def test_a_view_is_all_that_its_handler_told_the_last_word_first(views):
    told = first_view(views.tab, Session())
    assert told == {views.parts["line"]: "picture of 3", views.parts["size"]: gr.update(maximum=9, visible=False)}


def test_there_is_no_file_before_its_results_are_known_and_then_it_is_what_a_browser_is_told(views):
    assert made(views) is None
    views.views.warm(Event())
    data = json.loads(gzip.decompress(made(views).body))
    assert data == [
        "picture of 3",
        {"maximum": 9, "visible": False, "__type__": "update"},
        {"__type__": "update"},
    ]


def test_nothing_is_drawn_beforehand_for_a_page_that_closes_and_what_fails_is_its_visitors(views, monkeypatch):
    closed = Event()
    closed.set()
    views.views.warm(closed)
    assert made(views) is None
    faults = {gr.Error("no"): None, RuntimeError("no new work"): RuntimeError}
    for fault, raised in faults.items():
        monkeypatch.setattr(first, "first_view", lambda *given, fault=fault: (_ for _ in ()).throw(fault))
        if raised is None:
            views.views.warm(Event())
        else:
            with pytest.raises(raised):
                views.views.warm(Event())


def test_a_file_is_made_once_and_anew_when_models_or_numbers_changed_or_it_is_old(views, monkeypatch, places):
    views.views.warm(Event())
    whole, count = first.first_view, []
    monkeypatch.setattr(first, "first_view", lambda *given: count.append(1) or whole(*given))

    async def thrice():
        return await asyncio.gather(*(views.views.file("view", views.page) for _ in range(3)))

    assert len({file.tag for file in awaited(thrice())}) == 1 and len(count) == 1
    monkeypatch.setattr(first, "AGE", -1.0)
    assert made(views) is not None and len(count) == 2
    monkeypatch.setattr(first, "AGE", 1800.0)
    artefacts.write("history", "a", artefacts.Artefact({"of": "a run"}))  # no first view shows one
    assert made(views) is not None and len(count) == 2
    artefacts.write("sweeps", "a", artefacts.Artefact({"of": "a board"}))
    assert made(views) is not None and made(views) is not None and len(count) == 3
    views.studio.models = 2
    assert made(views) is None  # its results are of other models


def test_a_file_has_a_tag_by_which_a_browser_keeps_it(views):
    async def nothing(scope, receive, send):
        raise AssertionError(scope["path"])

    views.page.get_blocks = lambda: views.page  # as gradio's app has it
    client = TestClient(app(FirstFiles(nothing, views.views), views.page))
    empty = client.get("/first/view.json")
    assert (empty.status_code, empty.content, empty.headers["cache-control"]) == (204, b"", "no-store")
    views.views.warm(Event())
    whole, plain = (client.get("/below/first/view.json", headers={"accept-encoding": of}) for of in ("gzip", "identity"))
    assert whole.json() == plain.json() and whole.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers and whole.headers["cache-control"] == "no-cache"
    again = client.get("/first/view.json", headers={"if-none-match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for other in ("/first/none.json", "/first/view.json/x", "/"):
        with pytest.raises(AssertionError, match=other):
            client.get(other)


def app(middleware, page):
    async def served(scope, receive, send):
        await middleware(scope | {"app": page}, receive, send)

    return served


def test_a_visitor_who_was_shown_a_file_is_caught_up_with_once(views):
    session = deepcopy(Session(views.views))
    session.catch_up("view")
    assert "picture" not in session.state and "view" not in session.selections  # it is not known yet
    views.views.warm(Event())
    session.catch_up("view")
    assert session.state["picture"] == (3,) and session.selections["view"] == (3,)
    session.state.clear()
    session.catch_up("view")
    session.catch_up("no such tab")
    assert not session.state


def test_a_session_that_does_not_wait_gets_what_is_known_and_nothing_else():
    studio, how = Studio(), {"title": "x", "limit": 9}
    hasty = Session(waits=False)
    with pytest.raises(NotYet):
        list(run(studio, hasty, "view", iter(["a"]), requests=[1], **how))
    assert list(run(studio, Session(), "view", iter([1.5]), requests=[1], **how)) == [1.5]
    assert list(run(studio, hasty, "view", iter([]), requests=[1], **how)) == [1.5]
    with pytest.raises(NotYet):
        list(run(studio, hasty, "view", iter([2.5]), **how))  # of results that nothing decides none are known
