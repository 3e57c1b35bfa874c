"""The page's document is made once for all who reach the page by one address, and for nobody else."""

from types import SimpleNamespace

import pytest
from starlette.middleware.gzip import GZipMiddleware
from starlette.testclient import TestClient

from cemviz.ui import head
from cemviz.ui.head import Document, EarlyHead


@pytest.fixture
def page():
    """A client of a page that notes each document that it makes, behind the middleware that keeps them."""
    state = SimpleNamespace(made=[], status=200, app=SimpleNamespace(auth=None))

    async def made(scope, receive, send):
        state.made.append(scope["path"])
        body = b"<html><head></head>" + str(len(state.made)).encode() * 3000
        headers = [(b"content-type", b"text/html"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": state.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    whole = Document(GZipMiddleware(EarlyHead(made, "<meta>"), minimum_size=2000))

    async def served(scope, receive, send):
        await whole(scope | {"app": state.app}, receive, send)

    state.client = TestClient(served, headers={"accept-encoding": "gzip"})
    return state


def test_the_document_is_made_once_whatever_its_address_asks_for(page):
    first, *others = (page.client.get(f"/{query}") for query in ("", "?tab=landscape", "?x=y", ""))
    assert page.made == ["/"] and first.text.startswith("<html><head><meta></head>111")
    assert all(other.text == first.text and other.headers == first.headers for other in others)
    assert first.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    "headers",
    [{"host": "other"}, {"x-forwarded-host": "other"}, {"x-forwarded-proto": "https"}, {"accept-encoding": "identity"}],
    ids=lambda headers: next(iter(headers)),
)
def test_another_way_to_the_page_has_a_document_of_its_own(page, headers):
    page.client.get("/")
    for _ in range(2):
        told = page.client.get("/", headers=headers)
        assert "222" in told.text and ("content-encoding" in told.headers) == ("accept-encoding" not in headers)
    assert len(page.made) == 2 and "111" in page.client.get("/").text


@pytest.mark.parametrize("path", ["/x", "/?deep_link=a", "/config"])
def test_what_is_not_the_document_of_all_is_made_each_time(page, path):
    assert len({page.client.get(path).text for _ in range(2)}) == 2


def test_a_page_with_a_password_and_a_failure_are_not_kept(page, monkeypatch):
    page.status = 500
    page.client.get("/")
    page.status = 200
    assert "222" in page.client.get("/").text
    page.app.auth = {"a": "b"}
    assert "333" in page.client.get("/").text
    page.app.auth = None
    assert "222" in page.client.get("/").text
    monkeypatch.setattr(head, "MOST", 1)
    for count in ("444", "555"):
        assert count in page.client.get("/", headers={"host": "many"}).text
