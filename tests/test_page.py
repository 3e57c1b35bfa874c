"""The page in a real browser: nothing leaves the machine, nothing breaks, pause stops, links reproduce, everyone can use it."""

import gc
import runpy
import sys
import urllib.request
from pathlib import Path

import pytest
from pages import MARKS, SLOW, calm, drawn, open_tab, plane_drawn, violations

from cemviz.backend.presets import LANDSCAPE, PLAY, SAMPLE

pytestmark = MARKS
TABS = ("Playground", "Landscape", "Sampling", "Training", "Results", "Equations")


def text_of(page, selector: str) -> str:
    return page.locator(selector).inner_text()


def sampled(page) -> None:
    page.wait_for_function("() => document.querySelector('#samp-status')?.innerText.includes('mean confidence')", timeout=SLOW)


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


def test_another_table_of_results_is_shown_and_is_in_the_address(visit):
    page = visit("?tab=results")
    page.locator("#results-table h3").wait_for()
    page.locator("#results-target input").click()
    page.get_by_role("option", name="JEAT Table 1").click()
    page.locator("#results-table h3").get_by_text("JEAT Table 1").wait_for()
    assert "r.table=jeat-1" in page.url
    again = visit("?tab=results&r.table=jeat-1")
    again.locator("#results-table h3").get_by_text("JEAT Table 1").wait_for()


def turns(page) -> int:
    return page.evaluate("() => +(document.querySelector('#play-numbers')?.innerText.match(/turn\\D*(\\d+)/i)?.[1] ?? -1)")


def test_pause_stops_the_game_and_keeps_the_same_plot(visit):
    page = visit("?tab=playground")
    plane_drawn(page)
    page.evaluate("() => { document.querySelector('#play-plane canvas').dataset.kept = 'yes' }")
    before = turns(page)
    page.locator("#play-run").click()
    page.wait_for_function(
        f"() => +(document.querySelector('#play-numbers').innerText.match(/turn\\D*(\\d+)/i)[1]) > {before} + 5"
    )
    page.locator("#play-pause").click()
    calm(page)
    stopped = turns(page)
    calm(page, 2)  # nothing happens for so long
    assert turns(page) == stopped > before
    assert page.locator("#play-plane canvas[data-kept=yes]").count() == 1


def test_an_address_of_a_game_opens_that_game_however_fast_the_page_loads(visit):
    for _ in range(2):
        page = visit("?tab=playground&p.preset=minimax-corner&p.inner=40")
        page.wait_for_function("() => document.querySelector('#play-status')?.innerText.includes('turns were played')")
        calm(page)
        assert text_of(page, "#play-story").startswith(PLAY["minimax-corner"].story[:40])
        assert turns(page) == 13 and page.locator("#play-K input[type=number]").is_disabled()


def test_another_tab_stops_the_game(visit):
    page = visit("?tab=playground")
    plane_drawn(page)
    before = turns(page)
    page.locator("#play-run").click()
    page.wait_for_function(
        f"() => +(document.querySelector('#play-numbers').innerText.match(/turn\\D*(\\d+)/i)[1]) > {before} + 2"
    )
    open_tab(page, "Equations")
    calm(page)
    open_tab(page, "Playground")
    stopped = turns(page)
    calm(page, 1.5)  # nothing happens for so long
    assert turns(page) == stopped


def test_chains_play_in_the_browser_without_a_request(visit):
    page = visit("?tab=sampling")
    sampled(page)
    calm(page)
    requests = []
    page.on("request", lambda r: requests.append(r.url) if "heartbeat" not in r.url else None)
    page.locator("#samp-player .cem-start").click()
    page.locator("#samp-player .cem-play").click()
    page.locator("#samp-player .cem-counter", has_text="step 40 / 40").wait_for()
    assert not [r for r in requests if not r.startswith(("data:", "blob:"))]


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


def test_a_link_shows_the_same_picture(visit):
    query = "?tab=sampling&s.seed=5&s.as=cs&s.b=none&s.count=4"
    pictures = []
    for _ in range(2):
        page = visit(query, reduced_motion="reduce")
        sampled(page)
        calm(page)
        pictures.append(page.locator("#samp-player canvas").first.evaluate("c => c.toDataURL()"))
        assert page.locator("#sel-seed input").input_value() == "5"
    assert pictures[0] == pictures[1]
    other = visit(query.replace("seed=5", "seed=6"), reduced_motion="reduce")
    sampled(other)
    calm(other)
    assert other.locator("#samp-player canvas").first.evaluate("c => c.toDataURL()") != pictures[0]


def test_the_address_is_that_of_the_picture_and_a_change_marks_it_stale(visit):
    page = visit("?tab=sampling&s.b=none&s.count=4&s.K=5")
    sampled(page)
    calm(page)
    stale = page.locator("#samp-stage.cem-stale")
    assert not stale.count()
    seed = page.locator("#sel-seed input")
    seed.fill("7")
    page.keyboard.press("Tab")
    stale.wait_for()
    assert "seed=" not in page.url
    page.locator("#samp-run").click()
    page.wait_for_function("() => location.search.includes('seed=7')")
    assert not stale.count() and "tab=sampling" in page.url
    seed.fill("8")
    page.keyboard.press("Tab")
    stale.wait_for()
    seed.fill("7")  # what is shown
    page.keyboard.press("Tab")
    stale.wait_for(state="hidden")


def test_the_curves_have_round_ticks(visit):
    page = visit("?tab=sampling&b=none&s.count=4&s.K=5", reduced_motion="reduce")
    sampled(page)
    calm(page)
    ticks = page.locator(".cem-chart-plot .cem-tick[text-anchor='end']").all_text_contents()
    values = [float(text.replace("−", "-")) for text in ticks if text != "5"]  # the last step stands at each curve's end
    assert len(values) > 6
    for value in values:
        digits = f"{abs(value):.3e}".split("e")[0].rstrip("0").rstrip(".")
        assert len(digits) <= 3, f"{value} is not round"


def test_a_press_is_answered_at_once_and_a_refusal_ends_it(visit):
    page = visit("?tab=sampling&s.b=none&s.count=4&s.K=5")
    sampled(page)
    calm(page)
    busy = "() => document.querySelector('#samp-stage').classList.contains('cem-busy')"
    assert page.evaluate(f"() => {{ document.querySelector('#samp-run').click(); return ({busy})() }}")
    page.wait_for_function(f"() => !({busy})()")
    page.locator("#samp-alpha input").fill("-1")
    page.keyboard.press("Tab")
    page.locator("#samp-run").click()
    page.locator("#samp-status", has_text="Nothing was sampled").wait_for()
    page.wait_for_function(f"() => !({busy})()")
    assert page.locator("#samp-stage.cem-stale").count()  # the picture is still of the old α


STAGES = {"playground": "#play-plane", "landscape": "#land-plot-0", "sampling": "#samp-player .cem-panels",
          "training": "#cem-frames .cem-frames-panels", "robustness": "#rob-rates", "lab": ".cem-lab-grid",
          "digit": "#cem-pad canvas", "start": "#cem-start .cem-start-stage"}  # fmt: skip
"""Tab -> its picture."""

PARTLY = {"robustness": 240, "lab": 400}
"""Tab whose picture is a table or a board -> how much of it is on the first screen, at least."""

BUTTONS = {"playground": "#play-run", "landscape": "#land-run", "sampling": "#samp-run", "training": "#train-start",
           "robustness": "#rob-run", "lab": "#lab-run", "digit": "#cem-pad canvas", "start": ".cem-start-next"}  # fmt: skip
"""Tab -> what makes its picture anew."""


@pytest.mark.parametrize("tab", STAGES)
def test_picture_and_main_button_are_on_the_first_screen(visit, tab):
    page = visit(f"?tab={tab}", width=1280, height=900, reduced_motion="reduce")
    page.locator(STAGES[tab]).first.wait_for()
    for width, height in ((1280, 900), (400, 800)):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("() => scrollTo(0, 0)")
        calm(page)
        picture = page.locator(STAGES[tab]).first.bounding_box()
        assert picture["y"] + min(picture["height"], PARTLY.get(tab, picture["height"])) <= height
        if width == 1280:
            button = page.locator(BUTTONS[tab]).first.bounding_box()
            assert button["y"] + button["height"] <= height
        if tab == "sampling":
            bar = page.locator("#samp-player .cem-transport").bounding_box()
            assert bar["y"] + bar["height"] <= height
            panels = [panel.bounding_box() for panel in page.locator("#samp-player .cem-panel").all()]
            assert panels[0]["y"] == panels[1]["y"] and panels[0]["x"] < panels[1]["x"]
        if tab == "landscape":
            first, second = (page.locator(f"#land-plot-{k}").bounding_box() for k in (0, 1))
            assert first["x"] < second["x"] and abs(first["y"] - second["y"]) < 60


def test_the_image_under_the_pointer_is_made_in_the_browser(visit):
    page = visit("?tab=landscape&l.image=gallery:4")
    drawn(page, "#land-plot-1")
    calm(page)
    requests = []
    page.on("request", lambda r: requests.append(r.url) if "heartbeat" not in r.url else None)
    box = page.locator("#land-plot-0 .cem-plot").bounding_box()
    glass = page.locator("#land-plot-0 .cem-glass")
    seen = set()
    for share in (0.3, 0.45, 0.6):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.5 * box["height"])
        seen.add(glass.evaluate("c => c.toDataURL()"))
    assert len(seen) == 3 and glass.is_visible() and not requests
    a, b = map(float, glass.get_attribute("data-at").split(","))
    page.locator("#land-plot-0 .cem-plot").click(position={"x": 0.6 * box["width"], "y": 0.5 * box["height"]})
    page.wait_for_function("() => document.querySelector('#land-a input').value !== '0'")
    told = [float(page.locator(f"#land-{name} input").input_value()) for name in ("a", "b")]
    assert abs(told[0] - a) < 0.3 and abs(told[1] - b) < 0.3  # the server's point is one of the grid's
    page.locator("#cem-roll[data-ready]").wait_for()  # the ball that the click released
    page.locator("#cem-roll output", has_text="step 20 of 20").wait_for()
    assert page.locator("#cem-roll figure").count() == 2
    page.mouse.move(5, 5)
    glass.wait_for(state="hidden")


def test_an_address_sets_all_of_its_story_and_its_other_names_override_it(visit):
    page = visit("?tab=sampling&s.story=maxent-hints&s.count=16&s.K=4")  # 16 is the default of other stories
    page.wait_for_function("() => document.querySelector('#samp-status')?.innerText.includes('entropy')", timeout=SLOW)
    model, sampler, steps = (
        page.locator(f"#{name} input").first.input_value() for name in ("sel-a", "samp-sampler-b", "samp-steps")
    )
    assert model.startswith("mnist-uat: ") and steps == "4" and sampler.startswith("PGD")
    assert page.locator("#samp-count input[type=number]").input_value() == "16"
    assert page.locator("#samp-story").inner_text().startswith(SAMPLE["maxent-hints"].story[:40])
    other = visit("?tab=landscape&l.story=pairs")
    drawn(other, "#land-plot-1")
    assert "UAT" in other.locator("#land-title-1").inner_text()
    assert LANDSCAPE["pairs"].story[:40] in other.locator("#land-lacking").inner_text()


def test_a_story_changed_back_to_defaults_is_changed_in_its_link_too(visit):
    page = visit("?tab=sampling&s.story=eta&s.count=4")
    sampled(page)
    page.wait_for_function("() => document.querySelectorAll('.cem-stale').length === 0")  # it is the story's picture
    page.locator("#samp-eta input").fill("0.01")  # the page's default, which this story is not at
    page.keyboard.press("Tab")
    page.locator("#samp-run").click()
    page.wait_for_function("() => location.search.includes('s.eta=0.01')")


def test_what_a_story_sets_of_a_hidden_control_is_in_the_address_too(visit):
    page = visit("?tab=landscape&l.story=standard-robust&l.anchor=gallery:3")
    drawn(page, "#land-plot-1")
    assert not page.locator("#land-anchor").is_visible()  # classifiers have no anchor
    page.locator("#land-preset input").click()
    page.get_by_role("option", name=LANDSCAPE["pairs"].title).click()
    page.locator("#land-anchor").wait_for(state="visible")
    page.wait_for_function("() => location.search.includes('l.anchor=self')")


def test_hostile_addresses_are_clamped_or_ignored(visit):
    page = visit("?tab=nope&s.count=99999&s.a=<script>&s.alpha=nan&s.K=1e9&p.K=-5&l.radius=abc&p.rule=x")
    page.locator("#start-place #cem-start").wait_for()  # the first tab stands for one that is not
    open_tab(page, "Sampling")
    # the tab may be open before the address is read
    page.wait_for_function("() => document.querySelector('#samp-count input[type=number]')?.value === '256'")
    assert page.locator("#sel-a input").input_value().startswith("mnist-jeat: JEAT")


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
    page = visit("?tab=playground")
    plane_drawn(page)
    turn = page.locator("#play-turn")
    for _ in range(3):
        turn.click()
        calm(page, 0.1)
    before = nodes(page)
    for _ in range(15):
        turn.click()
        calm(page, 0.1)
    assert nodes(page) - before < 400


@pytest.mark.parametrize("tab", TABS)
def test_axe_finds_no_violation_of_wcag_aa_and_nothing_is_wider_than_a_phone(visit, tab):
    page = visit(f"?__theme=light&tab={tab.lower()}")
    calm(page)
    assert not (found := violations(page)), found
    page.evaluate("() => document.body.classList.add('dark')")
    calm(page)
    assert not (found := violations(page)), found
    page.set_viewport_size({"width": 400, "height": 800})
    calm(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 400


def test_the_document_is_sent_compressed(url):
    asked = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(asked) as answer:
        assert answer.headers["Content-Encoding"] == "gzip" and len(answer.read()) < 250_000  # 110,000 of them are the opening


@pytest.mark.parametrize(
    ("words", "said"), [(["--port", "99999"], "port is 99999"), (["--host", "999.1.1.1"], "host is '999.1.1.1'")]
)
def test_an_address_that_cannot_be_is_refused_before_the_page_is_built(monkeypatch, capsys, words, said):
    monkeypatch.setattr(sys, "argv", ["app.py", *words])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(Path(__file__).parents[1] / "app.py"), run_name="__main__")
    assert stop.value.code == 2 and said in capsys.readouterr().err.splitlines()[-1]
    assert gc.isenabled()


def test_a_teacher_s_link_asks_a_question_and_hides_what_it_says(visit):
    page = visit("?tab=sampling&s.count=4&s.K=2")
    calm(page)
    page.get_by_text("For a class: a link").click()
    page.locator("#cem-class [name=ask]").fill("Which one is sure? <b>")
    for name in ("tabs", "controls", "large"):
        page.locator(f"#cem-class [name={name}]").check()
    made = page.locator(".cem-class-link").inner_text()
    assert made.startswith("http://127.0.0.1:") and "s.count=4" in made and "hide=tabs%2Ccontrols" in made
    other = visit("?" + made.split("?")[1], tabs=False)
    other.locator("#cem-asked", has_text="“Which one is sure? <b>”").wait_for()
    sampled(other)
    assert not other.get_by_role("tab", name="Results").is_visible()
    assert other.locator("#samp-run").is_visible() and not other.locator("#sel-seed").is_visible()
    assert other.evaluate("() => getComputedStyle(document.querySelector('.gradio-container')).zoom") == "1.3"
    assert not (found := violations(other)), found


def test_a_hostile_question_stays_text_and_short(visit):
    page = visit("?tab=equations&hide=everything,<b>&ask=" + "<img src=x onerror=alert(1)>" * 20)
    page.locator("#cem-asked").wait_for()
    assert page.locator("#cem-asked img").count() == 0 and len(text_of(page, "#cem-asked")) < 240
    assert page.get_by_role("tab", name="Results").is_visible()
