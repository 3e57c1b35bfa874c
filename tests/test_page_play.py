"""The playground in a real browser: a canvas that moves, what it shows and says, and the arithmetic of its scripts."""

import json
from pathlib import Path

import pytest
from pages import MARKS, calm, plane_drawn

from cemviz.backend.frame import frame
from cemviz.backend.play import Playground
from cemviz.ui.playground import plots

pytestmark = MARKS
UI = Path(__file__).parents[1] / "cemviz" / "ui"


def opened(visit, query: str = "", **how):
    page = visit(f"?tab=playground{query}", **how)
    plane_drawn(page)
    calm(page)
    return page


def pixels(page) -> str:
    return page.locator("#play-plane canvas").evaluate("c => c.toDataURL()")


def told(page, script: str, expression: str, given=None):
    """Value of an expression of a script's exports, all named `m`."""
    asked = f"async (given) => {{ const m = await import('./gradio_api/file={UI / script}'); return {expression} }}"
    return page.evaluate(asked, given)


def test_frames_are_drawn_one_by_one_while_it_plays(visit):
    page = opened(visit)
    assert page.locator(".cem-plane").get_attribute("data-turn") == "400"  # a story opens settled
    turn, drawn = page.evaluate("() => { const { turn, drawn } = document.querySelector('.cem-plane').dataset; "
                                "return [+turn, +drawn] }")  # fmt: skip
    page.evaluate("""() => { window.seen = []; new MutationObserver(() =>
      window.seen.push(+document.querySelector('.cem-plane').dataset.turn)).observe(
      document.querySelector('.cem-plane'), {attributes: true, attributeFilter: ['data-turn']}) }""")
    page.locator("#play-run").click()
    page.wait_for_function(f"() => +document.querySelector('.cem-plane').dataset.drawn > {drawn + 20}")
    page.locator("#play-pause").click()
    page.locator("#play-status", has_text="Paused at turn").wait_for()
    calm(page)
    seen = page.evaluate("() => window.seen")
    assert all(later - earlier == 2 for earlier, later in zip([turn, *seen], seen[:15], strict=False))  # two turns a frame
    shown = int(page.locator(".cem-plane").get_attribute("data-turn"))
    assert f"Paused at turn {shown}." in page.locator("#play-status").inner_text()  # nothing older follows
    assert f"Turn {shown}: D is above one half on" in page.locator(".cem-plane-told").inner_text()


def test_frames_that_an_answer_to_pause_has_overtaken_are_left_out(visit):
    page = opened(visit)
    ground = Playground()
    sent = {}
    for name, turns in (("sent", 2), ("later", 2)):
        ground.both(turns)
        sent[name] = plots.plane(ground.picture(), live=True)
    ground.both(2)
    stands = plots.plane(ground.picture())
    turn = told(page, "playground/stage.js", """(async () => {
      const { sent, later, stands } = given, props = { value: sent, label: "a plane" };
      const block = document.querySelector("#play-plane").closest(".block").parentElement;
      const root = Object.assign(document.createElement("div"), { className: "block", id: "another" });
      root.innerHTML = '<div><div class="cem-plane" data-layers="contour" data-field="D"></div></div>';
      block.append(root);
      let take;
      m.mount(root.firstChild, props, (_, told) => (take = told), () => {});
      for (const value of [stands, later]) { props.value = value; take(); }
      for (let k = 0; k < 30; k += 1) await new Promise(requestAnimationFrame);
      const { turn } = root.querySelector(".cem-plane").dataset;
      root.remove();
      return turn;
    })()""", sent | {"stands": stands})  # fmt: skip
    assert turn == "6"


def test_a_link_opens_two_games_side_by_side_and_a_move_is_drawn_in_both(visit):
    page = opened(visit, "&p.beside=p0:corner")
    at = "() => [...document.querySelectorAll('.cem-plane')].map(({ dataset }) => +dataset.turn)"
    page.wait_for_function(f"() => ({at})().filter(Boolean).length === 2")
    page.locator("#play-turn").click()
    page.wait_for_function(f"() => ({at})().every((turn) => turn === 61)")
    assert pixels(page) != page.locator("#play-second canvas").evaluate("c => c.toDataURL()")


def test_colours_and_layers_change_at_once_without_a_request_and_are_in_the_address(visit):
    page = opened(visit)
    asked = []
    page.on("request", lambda r: asked.append(r.url) if "/run/" in r.url or "/queue/" in r.url else None)
    before = pixels(page)
    page.get_by_label("E = −f: lower is likelier").check()
    page.wait_for_function("before => document.querySelector('#play-plane canvas').toDataURL() !== before", arg=before)
    energy = pixels(page)
    page.get_by_label("p_data", exact=True).uncheck()
    page.wait_for_function("before => document.querySelector('#play-plane canvas').toDataURL() !== before", arg=energy)
    assert page.locator(".cem-key-data").is_hidden() and page.locator(".cem-key-p0").is_visible()
    page.wait_for_function("() => location.search.includes('p.field=E') && location.search.includes('p.show=')")
    less = pixels(page)
    again = opened(visit, "&" + page.url.split("?")[1].replace("tab=playground&", ""))
    assert pixels(again) == less


def test_the_plane_follows_the_page_into_the_dark_and_onto_a_phone(visit):
    page = opened(visit, "&__theme=light")
    light = pixels(page)
    page.evaluate("() => document.body.classList.add('dark')")
    page.wait_for_function("before => document.querySelector('#play-plane canvas').toDataURL() !== before", arg=light)
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_function("() => document.querySelector('#play-plane canvas').getBoundingClientRect().width < 380")
    box = page.locator("#play-plane canvas").bounding_box()
    assert box["height"] / box["width"] == pytest.approx(1.1, abs=0.1)


def test_a_turn_is_told_by_numbered_call_outs_in_order(visit):
    page = opened(visit)
    page.evaluate("""() => { window.said = []; new MutationObserver(() =>
      window.said.push(document.querySelector('.cem-plane-told').textContent)).observe(
      document.querySelector('.cem-plane-told'), {childList: true}) }""")
    page.locator("#play-turn").click()
    page.wait_for_function("() => window.said.at(-1)?.startsWith('Turn 401:')")
    said = list(dict.fromkeys(page.evaluate("() => window.said")))
    assert said[:2] == ["points start at p₀", "they climb f"] and said[2].startswith("the net answers: D ") and len(said) == 4
    assert "points lower it" in page.locator("#play-history canvas").get_attribute("aria-label")


def test_who_wants_no_motion_sees_where_a_move_ends(visit):
    page = opened(visit, reduced_motion="reduce")
    page.evaluate("""() => { window.said = []; new MutationObserver(() =>
      window.said.push(document.querySelector('.cem-plane-told').textContent)).observe(
      document.querySelector('.cem-plane-told'), {childList: true}) }""")
    page.locator("#play-attack").click()
    page.wait_for_function("() => window.said.at(-1)?.startsWith('Turn 401:')")
    assert "points start at p₀" not in page.evaluate("() => window.said")


def test_a_story_is_scrubbed_without_the_server_and_goes_on_from_where_one_stops(visit):
    page = opened(visit)
    asked = []
    page.on("request", lambda r: asked.append(r.url) if "/run/" in r.url or "/queue/" in r.url else None)
    scrub = page.locator("#cem-story .cem-start-scrub")
    assert scrub.input_value() == "6" and "turn 400 of 400" in page.locator("#cem-story").inner_text()
    curves = "document.querySelector('#play-history canvas').toDataURL()"
    settled = page.evaluate(f"() => {curves}")
    scrub.evaluate("e => { e.value = 1; e.dispatchEvent(new Event('input')) }")
    page.wait_for_function(f"settled => {curves} !== settled", arg=settled)  # they mark the turn
    page.wait_for_function("() => document.querySelector('.cem-plane').dataset.turn === '8'")
    assert not asked
    scrub.evaluate("e => e.dispatchEvent(new Event('change'))")
    page.locator("#play-status", has_text="Turn 8 of 400").wait_for()
    page.locator("#play-learn").click()
    page.locator("#play-numbers", has_text="9 updates of D").wait_for()
    page.locator("#cem-story").get_by_text("turn 8, played on").wait_for()
    page.locator("#cem-story").get_by_role("button", name="Replay").click()
    page.locator("#play-status", has_text="Turn 400 of 400").wait_for()
    page.locator("#play-data input").click()
    page.get_by_role("option", name="Two moons").click()
    page.locator("#cem-story").wait_for(state="hidden")  # a game of one's own has none


def test_what_lies_under_the_pointer_is_said(visit):
    page = opened(visit)
    box = page.locator("#play-plane canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    line = page.locator(".cem-plane-line").inner_text()
    assert line.startswith("at (") and " D = 0." in line
    page.mouse.move(5, 5)
    page.wait_for_function("() => document.querySelector('.cem-plane-line').textContent === ''")


def test_the_browser_reads_a_frame_as_it_was_packed(visit):
    page = visit()
    ground = Playground()
    ground.both(3)
    picture = ground.picture()
    read = told(page, "playground/frame.js", "(() => { const p = m.unpack(given); return {...p, f: [...p.f], data: [...p.data],"
                " path: [...p.path], heads: [...p.heads], at: m.valueAt(p, 3, -3), mid: m.valueAt(p, 0.05, -2.95)} })()",
                frame(picture))  # fmt: skip
    assert read["turn"] == 3 and read["side"] == 61 and read["ways"] == picture.path.shape[1]
    assert read["f"] == pytest.approx(picture.f.ravel().tolist(), rel=0.04, abs=0.02)
    assert read["data"] == pytest.approx(picture.data[:300].clip(-3, 3).ravel().tolist(), abs=1e-3)
    assert read["path"] == pytest.approx(picture.path.ravel().tolist(), abs=1e-3)
    assert read["heads"] == pytest.approx(picture.heads.ravel().tolist(), abs=5e-3)
    assert read["at"] == pytest.approx(read["f"][60]) and read["mid"] == pytest.approx(
        sum(read["f"][k] for k in (30, 31, 91, 92)) / 4, abs=1e-3
    )


WAYS = "{ways: 2, path: [9, 9, 0, 0,  9, 8, 1, 2,  9, 8, 3, 3]}"
"""Two points over three positions, of which the second goes farther."""

ARITHMETIC = [
    ("js/contour.js", "m.isolines([0, 1, 0, 1], 2, 0.25)", [0.25, 0, 0.25, 1]),
    ("js/contour.js", "m.isolines([0, 0, 1, 1], 2, 0.5).sort()", [0, 0.5, 0.5, 1]),
    ("js/contour.js", "m.isolines([1, 0, 0, 0], 2, 0.5)", [0.5, 0, 0, 0.5]),
    ("js/contour.js", "m.isolines([0, 0, 0, 1], 2, 0.5)", [0.5, 1, 1, 0.5]),
    ("js/contour.js", "m.isolines([2, 0, 0, 2], 2, 0.5)", [0.75, 0, 1, 0.25, 0.25, 1, 0, 0.75]),  # joined
    ("js/contour.js", "m.isolines([1, 0, 0, 1], 2, 0.9).map((v) => +v.toFixed(2))", [0.1, 0, 0, 0.1, 0.9, 1, 1, 0.9]),  # apart
    ("js/contour.js", "m.isolines([1, 1, 1, 1], 2, 0.5)", []),
    ("js/contour.js", "m.ticks(-3, 3)", [-3, -2, -1, 0, 1, 2, 3]),
    ("js/contour.js", "m.ticks(-0.13, 0.42, 3)", [0, 0.2, 0.4]),
    ("js/contour.js", "m.ticks(7, 7)", [7]),
    ("playground/frame.js", "m.range([-41, 3])", {"low": -10, "high": 50, "step": 10}),
    ("playground/frame.js", "m.sigmoid(0)", 0.5),
    ("playground/moves.js", "m.changed({f: [0, 0, 0, 0]}, {side: 2, f: [0.1, 0, -2, 1]}).x", -3),
    ("playground/moves.js", "m.changed({f: [0, 0, 0, 0]}, {side: 2, f: [0.1, 0, -2, 1]}).y", 3),
    ("playground/moves.js", "m.changed({f: [0, 0, 0, 0]}, {side: 2, f: [0.1, 0, -2, 1]}).change < 0", True),
    (
        "playground/moves.js",
        f"m.scenes('attack', {WAYS}).map(({{grown, note}}) => [grown, note.number, note.x, note.y])",
        [[1, 1, 0, 0], [2, 2, 1, 2], [3, 2, 3, 3], [3, 2, 3, 3]],
    ),
    ("playground/moves.js", f"m.scenes('learn', {WAYS}, null)", []),
    (
        "playground/moves.js",
        "m.scenes('learn', {side: 2, f: [0, 0, 0, -2]}, {f: [0, 0, 0, 1]})[0].note.text",
        "the net answers: D falls most here",
    ),
    ("playground/marks.js", f"[...m.heads({{...{WAYS}, moved: [5, 5]}}, 2)]", [9, 8, 1, 2]),
    ("playground/marks.js", f"[...m.heads({{...{WAYS}, moved: [5, 5]}}, 3)]", [5, 5]),
    (
        "playground/curves.js",
        "m.pushed({attack: -0.5}).map(([text]) => text)",
        ["▼ points lower it −0.500", "▲ the net raises it"],
    ),
    ("playground/curves.js", "m.range({values: [-2, -1], goal: -1.5})", {"bottom": -2, "top": -0.92}),
    ("playground/curves.js", "m.range({values: [0.5], goal: 0, low: 0, high: 1})", {"bottom": 0, "top": 1}),
    ("playground/curves.js", "m.range({values: [0], goal: 0, low: 0})", {"bottom": 0, "top": 0.108}),
]


def test_the_arithmetic_of_its_scripts(visit):
    page = visit()
    for script, expression, expected in ARITHMETIC:
        came = json.loads(told(page, script, f"JSON.stringify({expression})"))
        assert came == (pytest.approx(expected) if isinstance(expected, dict) else expected), expression
