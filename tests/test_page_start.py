"""The first tab in a real browser: it moves before the page is there, is walked by keyboard, and costs the server nothing."""

import json
from pathlib import Path

import pytest
from pages import MARKS, SLOW, calm, drawn, faults_in_light_and_dark, open_tab, plane_drawn

from cemviz.backend.presets import SAMPLE

pytestmark = MARKS
LAST = 7
JS = Path(__file__).parents[1] / "cemviz" / "ui" / "js"


def ready(page, station: int) -> None:
    page.locator(f"#start-place #cem-start[data-ready='{station}']").wait_for()


def heading(page) -> str:
    return page.locator("#cem-start h2").inner_text()


def opened_tab(page) -> str:
    return page.locator("button[role=tab][aria-selected=true]").inner_text()


@pytest.fixture(scope="module")
def opening(visit_once):
    """The page as a visitor first sees it."""
    page = visit_once()
    ready(page, 0)
    calm(page)
    return page


def test_the_opening_plays_by_itself_and_asks_the_server_for_nothing(opening):
    page, asked = opening, []
    page.on("request", lambda r: None if "heartbeat" in r.url or r.url.startswith("data:") else asked.append(r.url))
    page.locator(".cem-start-count", has_text="step 40 of 40").wait_for()
    assert "reads 10 of 10" in page.locator("#cem-start").inner_text()
    page.get_by_role("button", name="Play", exact=True).first.click()
    page.wait_for_function("() => document.querySelector('.cem-start-count').textContent !== 'step 40 of 40'")
    assert not asked


def test_plotly_is_fetched_when_a_figure_is_first_looked_at(opening):
    page = opening
    assert not page.evaluate("() => performance.getEntriesByType('resource').some((r) => r.name.includes('plotly'))")
    open_tab(page, "Playground")
    plane_drawn(page)
    assert not page.evaluate("() => performance.getEntriesByType('resource').some((r) => r.name.includes('plotly'))")
    open_tab(page, "Landscape")
    drawn(page, "#land-plot-0")
    assert page.evaluate("() => performance.getEntriesByType('resource').filter((r) => r.name.includes('plotly')).length") == 1


def test_it_is_painted_before_the_page_around_it_is_there(visit):
    page = visit(
        tabs=None,
        prepare=lambda page: page.add_init_script("""new MutationObserver(() => {
      if (document.getElementById('cem-start')?.dataset.ready) window.painted ??= document.getElementById('tabs') === null;
    }).observe(document, {childList: true, subtree: true, attributes: true})"""),
    )
    page.wait_for_function("() => window.painted !== undefined", timeout=SLOW)
    assert page.evaluate("() => window.painted")


def fits(page, width: int, height: int) -> None:
    """Check that a station's pictures stand side by side and, with the bar below them, on the first screen."""
    page.set_viewport_size({"width": width, "height": height})
    panels = [panel.bounding_box() for panel in page.locator("#cem-start .cem-view").all()]
    assert len(panels) == 2 and panels[0]["y"] == panels[1]["y"] and panels[0]["x"] < panels[1]["x"]
    assert max(panel["y"] + panel["height"] for panel in panels) <= height
    bar = page.locator("#cem-start .cem-start-bar").bounding_box()
    assert bar["y"] + bar["height"] <= height
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width


def working(page):
    """A clock that goes while the page's own thread computes, in seconds: other programs have no say in it."""
    tools = page.context.new_cdp_session(page)
    tools.send("Performance.enable", {"timeDomain": "threadTicks"})
    return lambda: {one["name"]: one["value"] for one in tools.send("Performance.getMetrics")["metrics"]}["TaskDuration"]


def test_every_station_is_reached_by_keyboard_at_once_and_fits_the_screen(visit):
    page = visit(width=1280, height=900)
    ready(page, 0)
    calm(page)
    page.keyboard.press("Tab")  # the skip link
    skip = page.locator(".cem-skip")
    assert skip.evaluate("a => a === document.activeElement") and skip.bounding_box()["x"] > 0
    page.keyboard.press("Enter")
    assert page.locator("#cem-start .cem-start-next").evaluate("a => a === document.activeElement")
    page.evaluate("() => document.activeElement.blur()")  # as on a page where nothing was pressed yet
    titles, busy = {heading(page)}, working(page)
    for station in range(1, LAST + 1):  # station 5 after five presses
        before, asked = busy(), []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.keyboard.press("ArrowRight")
        ready(page, station)
        assert busy() - before < 0.5, "seconds of the page's own thread; .02 to .05 as a rule"
        assert not [url for url in asked if "/queue/" in url or "/run/" in url], "neither a queue nor a device"
        titles.add(heading(page))
        fits(page, 400, 800)
        fits(page, 1280, 900)
    assert len(titles) == LAST + 1 and f"tour={LAST}" in page.url
    page.keyboard.press("ArrowLeft")
    ready(page, LAST - 1)
    page.keyboard.press("ArrowRight")
    ready(page, LAST)
    page.get_by_role("button", name="Draw your own digit").click()
    page.locator("#cem-pad canvas").first.wait_for()


@pytest.fixture(scope="module")
def unmoved(visit_once):
    """The page of a visitor who wants no motion."""
    page = visit_once("?__theme=light", reduced_motion="reduce")
    ready(page, 0)
    return page


def test_who_wants_no_motion_sees_where_it_leads(unmoved):
    assert unmoved.locator(".cem-start-count").inner_text() == "step 40 of 40"


def test_axe_finds_no_violation_of_wcag_aa_at_any_station(unmoved):
    page = unmoved
    for station in range(LAST + 1):
        ready(page, station)
        if station:
            page.locator(".cem-start-answers button").first.click()
        assert not (faults := faults_in_light_and_dark(page)), (station, faults)
        if station < LAST:
            page.keyboard.press("ArrowRight") if station else page.locator(".cem-start-next").click()


@pytest.fixture(scope="module")
def attack(visit_once):
    """The first station of the tour."""
    page = visit_once("?tour=1")
    ready(page, 1)
    return page


def test_a_symbol_tells_its_meaning_on_focus_and_escape_hides_it(attack):
    attack.locator(".cem-symbol", has_text="ε").first.focus()
    attack.locator("#cem-meaning", has_text="how far an attack may move").wait_for()
    attack.keyboard.press("Escape")
    attack.locator("#cem-meaning").wait_for(state="hidden")


def test_answers_are_judged_and_stay_in_the_address(attack, visit):
    page = attack
    assert "changes its mind at" not in page.locator(".cem-start-told").inner_text()
    page.get_by_role("button", name="at about 0.02").click()
    page.get_by_text("Not quite").wait_for()
    page.get_by_role("button", name="Next station").click()
    ready(page, 2)
    page.get_by_role("button", name="as deep as the deepest").click()
    page.get_by_text("Yes.").wait_for()
    assert "said=0-1-" in page.url
    page.get_by_text("For a class: a link").click()
    page.locator(".cem-class-link", has_text="tour=2").wait_for()
    assert "said" not in page.locator(".cem-class-link").inner_text(), "a class answers for itself"
    again = visit("?" + page.url.split("?")[1])
    ready(again, 2)
    assert again.get_by_role("button", name="as deep as the deepest").get_attribute("aria-pressed") == "true"
    again.go_back() if again.evaluate("() => history.length") > 2 else again.get_by_role("button", name="Back").first.click()
    ready(again, 1)
    again.get_by_text("Not quite").wait_for()


@pytest.mark.parametrize("query", ["?tour=99&said=9-9-9", "?tour=-3&said=<b>", "?tour=x&said=1-1-1-1-1-1-1-1-1-1-1"])
def test_a_hostile_address_opens_a_station_that_there_is(visit, query):
    page = visit(query, tabs=None)
    page.locator("#cem-start[data-ready]").wait_for()
    assert heading(page)


LOADED = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, entry) => sum + entry.transferSize, 0)"""


def test_a_first_load_is_at_most_1_2_megabytes(browser, url):
    context = browser.new_context()  # with nothing in its cache
    page = context.new_page()
    page.goto(url)
    ready(page, 0)
    page.locator("button[role=tab]").first.wait_for()
    page.evaluate("async () => { await document.fonts.ready; }")
    loaded = page.evaluate(LOADED)
    context.close()
    assert 300_000 < loaded <= 1_200_000


def test_links_act_in_place_and_back_and_forward_return(visit):
    page, sessions = visit(), set()
    ready(page, 0)
    calm(page)
    page.on("request", lambda r: sessions.add(r.url.split("session_hash=")[1]) if "session_hash=" in r.url else None)
    page.locator("#cem-start .cem-start-link").click()
    told = page.locator("#samp-story")
    told.get_by_text(SAMPLE["jeat-hero"].story[:40]).wait_for()
    page.locator("#samp-status", has_text="mean confidence").wait_for(timeout=SLOW)
    assert opened_tab(page) == "Sampling" and page.locator("#sel-b input").input_value().startswith("mnist-standard-linf:")
    told.locator("a[href*=jeat-noise]").click()
    told.get_by_text(SAMPLE["jeat-noise"].story[:40]).wait_for()
    calm(page)
    page.go_back()
    told.get_by_text(SAMPLE["jeat-hero"].story[:40]).wait_for()
    assert "s.story=jeat-hero" in page.url
    calm(page)
    page.go_back()
    ready(page, 0)
    page.wait_for_function("() => document.querySelector('button[role=tab][aria-selected=true]').innerText === 'Start'")
    page.go_forward()
    page.wait_for_function("() => document.querySelector('button[role=tab][aria-selected=true]').innerText === 'Sampling'")
    calm(page)
    open_tab(page, "Results")
    calm(page)
    page.go_back()
    page.wait_for_function("() => document.querySelector('button[role=tab][aria-selected=true]').innerText === 'Sampling'")
    assert len(sessions) <= 1


ARITHMETIC = [
    ("due(2, 450, 100, 9)", {"frame": 6, "ended": False}),
    ("due(2, 4500, 100, 9)", {"frame": 8, "ended": True}),
    ("[band(-9, 0, 4, 4), band(0, 0, 4, 4), band(2.9, 0, 4, 4), band(4, 0, 4, 4), band(1, 1, 1, 4)]", [0, 0, 2, 3, 0]),
    ("valueOf(255, {low: -2, high: 3})", 3),
    ("softmax([1000, 1000])", [0.5, 0.5]),
    ("+marginal([0, 0]).toFixed(6)", -0.693147),
    ("marginal([1e4, 0])", -10000),
    ("largest([1, 5, 2])", 1),
    ("[...bytes('AP8Q')]", [0, 255, 16]),
    ("ramp(['#000000', '#ffffff'], 3)", [[0, 0, 0], [128, 128, 128], [255, 255, 255]]),
    ("plain(-1.26)", "−1.3"),
    ("clamp(5, 0, 3)", 3),
]


def test_the_arithmetic_of_its_modules(opening):
    names = "{due, band, valueOf, softmax, marginal, largest, bytes, ramp, plain, clamp}"
    for expression, expected in ARITHMETIC:
        address = f"gradio_api/file={JS / 'draw.js'}"
        told = opening.evaluate(
            f"async () => {{ const {names} = await import('./{address}'); return JSON.stringify({expression}) }}"
        )
        assert json.loads(told) == expected, expression
