"""Helpers for the browser tests: the page in a process of its own, and how to look at it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from weakref import WeakKeyDictionary

import pytest

os.environ["GRADIO_IS_E2E_TEST"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
MARKS = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path; set CHROMIUM to its executable"),
    pytest.mark.skipif(find_spec("playwright") is None, reason="playwright is not installed (requirements-dev.txt)"),
]
ROOT = Path(__file__).parents[1]
SLOW = 120_000  # milliseconds: a busy machine with two cores


def served(folder: Path, places: dict[str, str] | None = None) -> Iterator[str]:
    """The page as a user starts it, in a process of its own: yields its address.

    Args:
        folder: for its log.
        places: environment variables to set.
    """
    command = [sys.executable, str(ROOT / "app.py"), "--no-browser", "--device", "cpu", "--port", str(free_port())]
    log, environment = folder / "log", os.environ | (places or {})
    with (
        log.open("w") as out,
        subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env=environment) as server,
    ):
        try:
            for _ in range(1500):
                address = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
                if address or server.poll() is not None:
                    break
                time.sleep(0.2)
            assert address, log.read_text()
            yield address[0]
        finally:
            server.terminate()
        server.wait(20)
    assert "Traceback" not in log.read_text(), log.read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def open_tab(page, name: str) -> None:
    tab = page.get_by_role("tab", name=name, exact=True)
    tab.click()
    page.wait_for_function("tab => tab.ariaSelected === 'true'", arg=tab.element_handle())


class Traffic:
    """Requests of a page that are still under way, and when the last one came or went; the heartbeat never ends."""

    def __init__(self, page) -> None:
        self.open, self.last = set(), time.monotonic()
        page.on("request", lambda request: self.seen(self.open.add, request))
        for ended in ("requestfinished", "requestfailed"):
            page.on(ended, lambda request: self.seen(self.open.discard, request))

    def seen(self, note, request) -> None:
        if "heartbeat" not in request.url:
            note(request)
            self.last = time.monotonic()


TRAFFIC = WeakKeyDictionary()
"""Page -> its traffic, from before its first request."""


def calm(page, seconds: float = 0.8) -> None:
    """Wait until no request of the page is under way, and none was for so long; then until its transitions have ended."""
    traffic = TRAFFIC[page]
    for _ in range(SLOW // 100):
        page.wait_for_timeout(100)  # the events come in while it waits
        if not traffic.open and time.monotonic() - traffic.last > seconds:
            still(page)
            return
    raise AssertionError(f"the page never came to rest; under way: {[request.url for request in traffic.open]}")


def still(page) -> None:
    """Wait until the page's transitions have ended."""
    page.wait_for_function("() => document.getAnimations().every(a => !(a instanceof CSSTransition))")


def drawn(page, selector: str) -> None:
    page.locator(f"{selector} .js-plotly-plot .plot-container").first.wait_for()


def plane_drawn(page) -> None:
    page.locator(".cem-plane[data-turn]").first.wait_for()


def violations(page) -> list[tuple[str, list[str]]]:
    """Violations of WCAG AA that axe finds on the page as it is: rule and elements."""
    axe = Path(find_spec("axe_playwright_python").origin).with_name("axe.min.js")
    page.evaluate(axe.read_text(encoding="utf-8"))
    report = page.evaluate("() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
    return [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in report["violations"]]
