"""GET /health: a line of facts without a visit; every other request goes on to the page."""

import threading

from conftest import awaited

from cemviz.backend.device import choose
from cemviz.backend.studio import Studio
from cemviz.ui.health import Health, health


def answered(path, method="GET", kind="http"):
    """The answer to a request, "page" where it was handed on."""
    sent = []

    async def page(scope, receive, send):
        sent.append("page")

    async def send(message):
        sent.append(message)

    app = Health(page, Studio(choose("cpu")))
    awaited(app({"type": kind, "method": method, "path": path, "headers": []}, None, send))
    return sent


def test_health_is_answered_at_its_own_path_alone():
    start, body = answered("/health")
    assert start["status"] == 200 and b'"line":0' in body["body"] and (b"cache-control", b"no-store") in start["headers"]
    assert answered("/base/health/")[0]["status"] == 200
    others = (("/", "GET", "http"), ("/health", "POST", "http"), ("/healthy", "GET", "http"), ("/health", "GET", "websocket"))
    for path, method, kind in others:
        assert answered(path, method, kind) == ["page"]


def test_it_tells_device_line_and_memory():
    studio = Studio(choose("cpu"))
    seen, go_on = threading.Event(), threading.Event()

    def work():
        yield 1
        seen.set()
        go_on.wait(10)
        yield 2

    running = threading.Thread(target=lambda: list(studio.jobs.run(work(), title="work")))
    running.start()
    assert seen.wait(10)
    facts = health(studio)
    go_on.set()
    running.join(10)
    assert facts["device"] == studio.device.title and facts["line"] == 1 and facts["training"] == [] and facts["memory"] > 10**8
    assert health(studio)["line"] == 0 and facts["version"]
