"""Helpers for the browser tests: the page in a process of its own, and how to look at it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
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


def served(places: dict[str, str] | None = None) -> Iterator[str]:
    """The page as a user starts it, in a process of its own: yields its address.

    Args:
        places: environment variables to set.
    """
    command = [sys.executable, str(ROOT / "app.py"), "--no-browser", "--device", "cpu", "--port", str(free_port())]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"} | (places or {})
    log: list[str] = []
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as server:
        try:
            address = None
            for line in server.stdout:  # ends where the process does
                log.append(line)
                if address := re.search(r"http://127\.0\.0\.1:\d+", line):
                    break
            assert address, "".join(log)
            reader = threading.Thread(target=lambda: log.extend(server.stdout))
            reader.start()
            yield address[0]
        finally:
            server.terminate()
        server.wait(20)
        reader.join()
    assert not any("Traceback" in line for line in log), "".join(log)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def open_tab(page, name: str) -> None:
    tab = page.get_by_role("tab", name=name, exact=True)
    tab.click()
    page.wait_for_function("tab => tab.ariaSelected === 'true'", arg=tab.element_handle())


class Traffic:
    """Requests of a page that are still under way, and how many there were; the heartbeat never ends."""

    def __init__(self, page) -> None:
        self.open, self.count = set(), 0
        page.on("request", self.begun)
        for ended in ("requestfinished", "requestfailed"):
            page.on(ended, lambda request: self.open.discard(request))

    def begun(self, request) -> None:
        if "heartbeat" not in request.url:
            self.open.add(request)
            self.count += 1


TRAFFIC = WeakKeyDictionary()
"""Page -> its traffic, from before its first request."""

IDLE = """() => new Promise((resolve) => {
  let left = 10;
  const idle = () => (left-- ? requestAnimationFrame(() => requestIdleCallback(idle)) : resolve());
  idle();
})"""
"""Some frames, after each of which the page had nothing to do."""


def calm(page) -> None:
    """Wait until no request of the page is under way and none follows from the last answer; then for its transitions."""
    traffic, waits_until = TRAFFIC[page], time.monotonic() + SLOW / 1000
    while time.monotonic() < waits_until:
        before = traffic.count
        page.evaluate(IDLE)  # the events come in while it waits
        if not traffic.open and traffic.count == before:
            still(page)
            return
    raise AssertionError(f"the page never came to rest; under way: {[request.url for request in traffic.open]}")


def still(page) -> None:
    """Wait until the page's transitions have ended."""
    ended = "a => !(a instanceof CSSTransition) || a.playState === 'finished'"
    page.wait_for_function(f"() => document.getAnimations().every({ended})")


def stays(page, value: str, frames: int = 30) -> None:
    """Check that a value, in JavaScript, is the same in each of so many frames that the browser draws."""
    seen = page.evaluate(f"""() => new Promise((resolve) => {{
      const seen = [];
      const look = () => (seen.push(String({value})), seen.length < {frames} ? requestAnimationFrame(look) : resolve(seen));
      requestAnimationFrame(look);
    }})""")
    assert len(set(seen)) == 1, seen


def drawn(page, selector: str) -> None:
    page.locator(f"{selector} .js-plotly-plot .plot-container").first.wait_for()


def plane_drawn(page) -> None:
    page.locator(".cem-plane[data-turn]").first.wait_for()


def faults_in_light_and_dark(page) -> list:
    """Violations of WCAG AA as the page is, and of its colours when it is dark: nothing else differs there."""
    faults = [*violations(page)]
    page.evaluate("() => document.body.classList.add('dark')")
    calm(page)
    faults += [("dark", *fault) for fault in violations(page, ["color-contrast", "link-in-text-block"], "rule")]
    page.evaluate("() => document.body.classList.remove('dark')")
    calm(page)
    return faults


def width_on_a_phone(page) -> int:
    """Width of the document on a phone that is 400 pixels wide."""
    page.set_viewport_size({"width": 400, "height": 800})
    page.evaluate("() => scrollTo(0, 0)")
    calm(page)
    return page.evaluate("() => document.documentElement.scrollWidth")


def sampled(page) -> None:
    """Wait until chains of classifiers have ended."""
    page.wait_for_function("() => document.querySelector('#samp-status')?.innerText.includes('mean confidence')", timeout=SLOW)


WCAG_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


def violations(page, only: list[str] = WCAG_AA, of: str = "tag") -> list[tuple[str, list[str]]]:
    """Violations that axe finds on the page as it is: rule and elements; only of rules with these tags, or names."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(Path(find_spec("axe_playwright_python").origin).with_name("axe.min.js").read_text(encoding="utf-8"))
    outside = "{include: ['html'], exclude: ['math *']}"  # a formula's letters look as the formula does, and are thousands
    run = f"runOnly => axe.run({outside}, {{runOnly, resultTypes: ['violations']}})"
    report = page.evaluate(run, {"type": of, "values": only})
    return [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in report["violations"]]
