"""First views in a real browser: files that no handler runs for, what goes on from one, a plane before plotly.js is there."""

import json
import time
from urllib.request import urlopen

import pytest
from pages import MARKS, SLOW, calm, drawn, open_tab, stays

pytestmark = MARKS

FILED = {
    "Your digit": "#digit-results figure", "Landscape": "#land-plot-1 .main-svg", "Sampling": "#samp-player .cem-counter",
    "Lab": "#lab-board canvas", "Robustness": "#rob-rates td", "Restore": "#restore-stage canvas",
    "Detect": "#detect-stage canvas",
}  # fmt: skip
"""Tab -> what its first view shows."""


@pytest.fixture(scope="module")
def warm(url):
    """The page once each of its first views has its file."""
    began = time.monotonic()
    for tab in ("digit", "landscape", "sampling", "lab", "robustness", "restore", "detect"):
        while urlopen(f"{url}/first/{tab}.json").status != 200:
            assert time.monotonic() - began < SLOW / 1000, tab
            time.sleep(0.2)


@pytest.fixture
def asked(warm, visit):
    """Open the page's first tab; returns it, and the runs that it asks the server for from then on."""

    def begin(query="", **how):
        page = visit(query, **how)
        calm(page)
        runs = []
        page.on("request", lambda request: runs.append(request.post_data_json) if "queue/join" in request.url else None)
        return page, runs

    return begin


def test_the_tabs_that_all_see_alike_are_shown_without_a_run_and_stay(asked):
    page, runs = asked()
    files = []
    page.on("request", lambda request: files.append(request.url) if "/first/" in request.url else None)
    for tab, shown in FILED.items():
        open_tab(page, tab)
        page.locator(shown).first.wait_for()
        calm(page)
    for tab in ("Lab", "Landscape"):  # again: what is there stays
        open_tab(page, tab)
        calm(page)
        assert page.locator(FILED[tab]).first.is_visible()
    assert runs == [] and len(files) == len(FILED)
    with urlopen(page.url.split("?")[0] + "first/landscape.json") as file:
        assert file.headers["etag"] and json.load(file)


def test_a_view_from_a_file_plays_from_its_first_step(asked):
    page, runs = asked()
    open_tab(page, "Sampling")
    counter = page.locator("#samp-player .cem-counter")
    page.wait_for_function("c => parseInt(c.innerText.split(' ')[1]) > 3", arg=counter.element_handle())
    open_tab(page, "Lab")
    stays(page, "document.querySelector('#samp-player .cem-counter').innerText")
    open_tab(page, "Sampling")
    stays(page, "document.querySelector('#samp-player .cem-counter').innerText")  # paused where it was, and not begun anew
    assert runs == []


def test_what_follows_goes_on_from_the_file_s_view(asked):
    page, runs = asked()
    open_tab(page, "Landscape")
    drawn(page, "#land-plot-1")
    page.locator("#land-energy").get_by_text("E(x)", exact=True).click()
    page.locator("#land-caption-0", has_text="E(x) of the image").wait_for()
    assert runs == []
    open_tab(page, "Robustness")
    page.locator(FILED["Robustness"]).first.wait_for()
    calm(page)
    assert "FGSM" not in page.locator("#rob-reading").inner_text()
    page.locator("#rob-attack").get_by_text("FGSM", exact=False).first.click()
    page.locator("#rob-reading", has_text="FGSM").wait_for()
    assert runs == []


def test_what_is_another_picture_than_the_file_s_is_drawn(asked):
    page, runs = asked("?x=gallery:7")
    open_tab(page, "Landscape")
    drawn(page, "#land-plot-1")
    calm(page)
    assert len(runs) == 1 and "x=gallery" in page.url
    page, runs = asked("?tab=start&l.energy=marginal&r.count=7")
    open_tab(page, "Lab")  # of which the address says nothing
    page.locator(FILED["Lab"]).first.wait_for()
    calm(page)
    assert runs == []
    open_tab(page, "Landscape")
    page.locator("#land-caption-0", has_text="E(x) of the image").wait_for()
    assert len(runs) == 1
    page, runs = asked()
    open_tab(page, "Restore")
    page.locator(FILED["Restore"]).first.wait_for()
    page.locator("#sel-seed input").fill("5")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#restore-stage').classList.contains('cem-busy')")
    page.wait_for_function("() => !document.querySelector('#restore-stage').classList.contains('cem-busy')", timeout=SLOW)
    assert len(runs) == 1
    open_tab(page, "Detect")
    page.locator(FILED["Detect"]).first.wait_for()
    assert len(runs) == 2


def test_a_plane_is_there_before_plotly_is_and_gives_way_to_it(asked):
    page, _ = asked()
    late = []
    page.route("**/plotly.min.js", lambda route: late.append(route))
    open_tab(page, "Landscape")
    rough = page.locator("#land-plot-0 .cem-sketch")
    rough.wait_for()
    colours = """canvas => {
      const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return new Set(Array.from({length: data.length / 4}, (_, i) => data.slice(4 * i, 4 * i + 4).join())).size;
    }"""
    assert rough.evaluate(colours) > 50
    box = rough.bounding_box()
    while not late:
        page.wait_for_timeout(50)
    late[0].continue_()
    drawn(page, "#land-plot-0")
    plane = page.locator("#land-plot-0 .nsewdrag").first.bounding_box()
    assert rough.count() == 0 and box["x"] < plane["x"] and plane["x"] + plane["width"] <= box["x"] + box["width"] + 1
