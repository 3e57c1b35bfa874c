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
SLOW = 60_000  # milliseconds: a busy machine with two cores


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
                found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
                if found or server.poll() is not None:
                    break
                time.sleep(0.2)
            assert found, log.read_text()
            yield found[0]
        finally:
            server.terminate()
        server.wait(20)
    assert "Traceback" not in log.read_text(), log.read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()
    page.wait_for_timeout(500)


def calm(page, seconds: float = 1.5) -> None:
    """Wait until the page has asked the server for nothing for so long."""
    last = [time.monotonic()]
    page.on("request", lambda r: last.append(time.monotonic()) if "heartbeat" not in r.url else None)
    for _ in range(SLOW // 250):
        page.wait_for_timeout(250)
        if time.monotonic() - last[-1] > seconds:
            return
    raise AssertionError("the page never came to rest")


def drawn(page, selector: str) -> None:
    page.locator(f"{selector} .js-plotly-plot .plot-container").first.wait_for()


def violations(page) -> list[tuple[str, list[str]]]:
    """Violations of WCAG AA that axe finds on the page as it is: rule and elements."""
    axe = Path(find_spec("axe_playwright_python").origin).with_name("axe.min.js")
    page.evaluate(axe.read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
    return [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in found["violations"]]
