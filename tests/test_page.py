"""The page in a real browser: nothing leaves the machine, nothing breaks, pause stops, links reproduce, everyone can use it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

os.environ["GRADIO_IS_E2E_TEST"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path; set CHROMIUM to its executable"),
    pytest.mark.skipif(find_spec("playwright") is None, reason="playwright is not installed (requirements-dev.txt)"),
]
ROOT = Path(__file__).parents[1]
TABS = ("Playground", "Landscape", "Sampling", "Equations")
SLOW = 60_000  # milliseconds: a busy machine with two cores


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The page as a user starts it, in a process of its own."""
    command = [sys.executable, str(ROOT / "app.py"), "--no-browser", "--device", "cpu", "--port", str(free_port())]
    log = tmp_path_factory.mktemp("page") / "log"
    with log.open("w") as out, subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT) as server:
        try:
            for _ in range(600):
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


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, url):
    """Open the page; at the end no request may have left the origin and nothing may stand in the console."""
    opened, strays, errors = [], [], []

    def go(query: str = "", width: int = 1280, height: int = 1000, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(SLOW)
        page.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else strays.append(r.url))
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto(url + query)
        page.get_by_role("tab", name="Playground").wait_for()
        return page

    yield go
    for context in opened:
        context.close()
    assert not strays, f"requests left the machine: {strays}"
    assert not errors, errors


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()
    page.wait_for_timeout(500)


def text_of(page, selector: str) -> str:
    return page.locator(selector).inner_text()


def drawn(page, selector: str) -> None:
    page.locator(f"{selector} .js-plotly-plot .plot-container").first.wait_for()


def sampled(page) -> None:
    page.wait_for_function("() => document.querySelector('#samp-status')?.innerText.includes('mean confidence')", timeout=SLOW)


def test_every_tab_shows_something_without_a_click(visit):
    page = visit()
    drawn(page, "#play-plane")
    open_tab(page, "Landscape")
    for panel in range(2):
        drawn(page, f"#land-plot-{panel}")
    open_tab(page, "Sampling")
    sampled(page)
    assert page.locator("#samp-player canvas").count() >= 2
    open_tab(page, "Equations")
    page.locator(".cem-equation").get_by_text("CEM (15)").first.wait_for()


def turns(page) -> int:
    return page.evaluate("() => +(document.querySelector('#play-numbers')?.innerText.match(/turn\\D*(\\d+)/i)?.[1] ?? -1)")


def test_pause_stops_the_game_and_keeps_the_same_plot(visit):
    page = visit()
    drawn(page, "#play-plane")
    page.evaluate("() => { document.querySelector('#play-plane .js-plotly-plot').dataset.kept = 'yes' }")
    before = turns(page)
    page.locator("#play-run").click()
    page.wait_for_function(
        f"() => +(document.querySelector('#play-numbers').innerText.match(/turn\\D*(\\d+)/i)[1]) > {before} + 5"
    )
    page.locator("#play-pause").click()
    page.wait_for_timeout(1500)
    stopped = turns(page)
    page.wait_for_timeout(2000)
    assert turns(page) == stopped > before
    assert page.locator("#play-plane .js-plotly-plot[data-kept=yes]").count() == 1


def test_another_tab_stops_the_game(visit):
    page = visit()
    drawn(page, "#play-plane")
    before = turns(page)
    page.locator("#play-run").click()
    page.wait_for_function(
        f"() => +(document.querySelector('#play-numbers').innerText.match(/turn\\D*(\\d+)/i)[1]) > {before} + 2"
    )
    open_tab(page, "Equations")
    page.wait_for_timeout(1500)
    open_tab(page, "Playground")
    stopped = turns(page)
    page.wait_for_timeout(1500)
    assert turns(page) == stopped


def test_chains_play_in_the_browser_without_a_request(visit):
    page = visit("?tab=sampling")
    sampled(page)
    requests = []
    page.wait_for_timeout(1000)
    page.on("request", lambda r: requests.append(r.url) if "heartbeat" not in r.url else None)
    player = page.locator("#samp-player")
    player.get_by_role("button", name="Play", exact=False).first.click()
    page.wait_for_timeout(2500)
    assert not [r for r in requests if not r.startswith(("data:", "blob:"))]


def test_a_link_shows_the_same_picture(visit):
    query = "?tab=sampling&s.seed=5&s.as=cs&s.b=none&s.count=4"
    pictures = []
    for _ in range(2):
        page = visit(query)
        sampled(page)
        page.wait_for_timeout(800)
        pictures.append(page.locator("#samp-player canvas").first.evaluate("c => c.toDataURL()"))
        assert page.locator("#samp-seed input").input_value() == "5"
    assert pictures[0] == pictures[1]
    other = visit(query.replace("seed=5", "seed=6"))
    sampled(other)
    other.wait_for_timeout(800)
    assert other.locator("#samp-player canvas").first.evaluate("c => c.toDataURL()") != pictures[0]


def test_a_changed_control_is_written_to_the_address(visit):
    page = visit("?tab=sampling")
    sampled(page)
    page.locator("#samp-seed input").fill("7")
    page.keyboard.press("Tab")
    page.wait_for_function("() => location.search.includes('s.seed=7')")
    assert "tab=sampling" in page.url


def test_hostile_addresses_are_clamped_or_ignored(visit):
    page = visit("?tab=nope&s.count=99999&s.a=<script>&s.alpha=nan&s.K=1e9&p.K=-5&l.radius=abc&p.rule=x")
    drawn(page, "#play-plane")
    open_tab(page, "Sampling")
    assert page.locator("#samp-count input[type=number]").input_value() == "36"
    assert page.locator("#samp-model-a input").input_value() == "mnist-at"


@pytest.mark.parametrize(("field", "value", "words"), [("alpha", "-1", "α (step) is -1"), ("steps", "1000000", "K (steps)")])
def test_bad_numbers_get_a_message_and_the_page_goes_on(visit, field, value, words):
    page = visit("?tab=sampling&s.b=none&s.count=4")
    sampled(page)
    page.locator(f"#samp-{field} input").fill(value)
    page.keyboard.press("Tab")
    page.locator("#samp-run").click()
    page.get_by_text(words).first.wait_for()
    page.locator(f"#samp-{field} input").fill("1")
    page.keyboard.press("Tab")
    page.evaluate(
        "() => { document.querySelector('#samp-status').dataset.old = document.querySelector('#samp-status').innerText }"
    )
    page.locator("#samp-run").click()
    page.wait_for_function("() => { const s = document.querySelector('#samp-status'); return s.innerText !== s.dataset.old "
                           "&& s.innerText.includes('mean confidence') }", timeout=SLOW)  # fmt: skip


def nodes(page) -> int:
    devtools = page.context.new_cdp_session(page)
    devtools.send("HeapProfiler.collectGarbage")
    return devtools.send("Memory.getDOMCounters")["nodes"]


def test_redrawing_does_not_grow_the_page(visit):
    page = visit()
    drawn(page, "#play-plane")
    turn = page.locator("#play-turn")
    for _ in range(3):
        turn.click()
        page.wait_for_timeout(400)
    before = nodes(page)
    for _ in range(15):
        turn.click()
        page.wait_for_timeout(300)
    assert nodes(page) - before < 400


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
def test_axe_finds_no_violation_of_wcag_aa(visit, tab, theme):
    page = visit(f"?__theme={theme}&tab={tab.lower()}")
    page.wait_for_timeout(2500)
    axe = Path(find_spec("axe_playwright_python").origin).with_name("axe.min.js")
    page.evaluate(axe.read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
    assert not found["violations"], [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in found["violations"]]


@pytest.mark.parametrize("tab", TABS)
def test_nothing_is_wider_than_a_phone(visit, tab):
    page = visit(f"?tab={tab.lower()}", width=400, height=800)
    page.wait_for_timeout(2500)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
