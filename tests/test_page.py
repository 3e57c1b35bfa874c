"""The page in a real browser: every tab shows something at once, whenever it is opened, and everyone can use it."""

import gc
import runpy
import sys
import urllib.request
from pathlib import Path

import pytest
from pages import MARKS, drawn, open_tab, plane_drawn, sampled

pytestmark = MARKS


def test_every_tab_shows_something_without_a_click(visit):
    page = visit()
    page.locator("#start-place #cem-start[data-ready='0']").wait_for()
    open_tab(page, "Playground")
    plane_drawn(page)
    open_tab(page, "Landscape")
    for panel in range(2):
        drawn(page, f"#land-plot-{panel}")
    open_tab(page, "Sampling")
    sampled(page)
    assert page.locator("#samp-player canvas").count() >= 2
    open_tab(page, "Results")
    page.locator("#results-table .cem-claims li").first.wait_for()
    assert page.locator("#results-table tbody tr").count() > 0
    page.locator("#results-overview").get_by_text("JEAT Table 2").wait_for()
    open_tab(page, "Equations")
    page.locator(".cem-equation").get_by_text("CEM (15)").first.wait_for()
    code = page.locator(".cem-equation details").first
    code.locator("summary").click()
    code.locator("code", has_text="def joint(f: Tensor, y: Tensor)").wait_for()


def test_a_tab_that_is_opened_before_the_address_was_read_is_drawn(visit):
    """The first answers of the server are held back until the tab is open: a slow line, or a quick visitor."""
    held = []
    released = False

    def hold(route) -> None:
        route.continue_() if released else held.append(route)

    page = visit(prepare=lambda page: page.route("**/run/predict*", hold))
    open_tab(page, "Playground")
    released = True
    for route in held:
        route.continue_()
    plane_drawn(page)


def test_a_first_view_is_never_empty(visit):
    """The server's answers are held back: what stands there has come with the page."""
    page = visit("?tab=sampling", prepare=lambda page: page.route("**/queue/join*", lambda route: None))
    shots = page.locator("#samp-player .cem-posters canvas")
    shots.nth(1).wait_for()
    pixels = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
    assert shots.first.evaluate(f"c => ({pixels})(c).filter((v) => v > 128).length") > 1000
    other = visit("?tab=sampling&a=mnist-at", prepare=lambda page: page.route("**/queue/join*", lambda route: None))
    other.wait_for_function("() => document.querySelector('#sel-a input')?.value.startsWith('mnist-at:')")
    other.locator("#samp-player .cem-empty").wait_for()
    assert not other.locator("#samp-player .cem-posters").count(), "of other nets nothing has come"


def test_the_document_is_sent_compressed(url):
    asked = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(asked) as answer:
        assert answer.headers["Content-Encoding"] == "gzip" and len(answer.read()) < 250_000  # 110,000 of them are the opening


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "99999"], "port is 99999"), (["--host", "999.1.1.1"], "host is '999.1.1.1'"),
        (["--visitors", "0"], "visitors is 0; give a number above 0"), (["--time", "nan"], "time is nan"),
        (["--memory", "-3"], "memory is -3"), (["--log", "/nowhere/page.log"], "log is '/nowhere/page.log'"),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_is_refused_before_the_page_is_built(monkeypatch, capsys, words, said):
    monkeypatch.setattr(sys, "argv", ["app.py", *words])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(Path(__file__).parents[1] / "app.py"), run_name="__main__")
    assert stop.value.code == 2 and said in capsys.readouterr().err.splitlines()[-1]
    assert gc.isenabled()
