"""The game in a real browser: it plays when asked, stops at a pause and when one leaves, and its address opens it."""

import pytest
from pages import MARKS, calm, open_tab, plane_drawn, stays

from cemviz.backend.presets import PLAY

pytestmark = MARKS
TURN = "+(document.querySelector('#play-numbers')?.innerText.match(/turn\\D*(\\d+)/i)?.[1] ?? -1)"


@pytest.fixture(scope="module")
def game(visit_once):
    """A game that has not begun, for tests that play some turns of it and stop."""
    page = visit_once("?tab=playground")
    plane_drawn(page)
    return page


def turns(page) -> int:
    return page.evaluate(f"() => {TURN}")


def play(page, some: int) -> int:
    """Play for so many turns and go on; returns how many were played before."""
    before = turns(page)
    page.locator("#play-run").click()
    page.wait_for_function(f"() => {TURN} > {before} + {some}")
    return before


def test_pause_stops_the_game_and_keeps_the_same_plot(game):
    page = game
    page.evaluate("() => { document.querySelector('#play-plane canvas').dataset.kept = 'yes' }")
    before = play(page, 5)
    page.locator("#play-pause").click()
    calm(page)  # the server has told its last
    stays(page, TURN)
    assert turns(page) > before
    assert page.locator("#play-plane canvas[data-kept=yes]").count() == 1


def test_another_tab_stops_the_game(game):
    page = game
    play(page, 2)
    open_tab(page, "Equations")
    calm(page)
    open_tab(page, "Playground")
    calm(page)
    stays(page, TURN)


def nodes(page) -> int:
    devtools = page.context.new_cdp_session(page)
    devtools.send("HeapProfiler.collectGarbage")
    return devtools.send("Memory.getDOMCounters")["nodes"]


def test_redrawing_does_not_grow_the_page(game):
    page = game

    def turn() -> None:
        before = turns(page)
        page.locator("#play-turn").click()
        page.wait_for_function(f"() => {TURN} > {before}")

    for _ in range(3):
        turn()
    before = nodes(page)
    for _ in range(15):
        turn()
    assert nodes(page) - before < 400


def test_an_address_of_a_game_opens_that_game(visit):
    page = visit("?tab=playground&p.preset=minimax-corner&p.inner=40")
    page.wait_for_function("() => document.querySelector('#play-status')?.innerText.includes('turns were played')")
    calm(page)
    assert page.locator("#play-story").inner_text().startswith(PLAY["minimax-corner"].story[:40])
    assert turns(page) == 13 and page.locator("#play-K input[type=number]").is_disabled()
