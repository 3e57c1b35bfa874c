"""The lab in a real browser: a board without a press, moved over without a request, predicted, played, and swept anew."""

from pathlib import Path

import pytest
from pages import MARKS, SLOW, calm, faults_in_light_and_dark, width_on_a_phone
from PIL import Image

pytestmark = MARKS

BOARD_JS = Path(__file__).parents[1] / "cemviz" / "ui" / "lab" / "board.js"
BOARD = "?__theme=light&tab=lab&a=mnist-at&k.sampler=rcs"


def opened(visit, query: str = BOARD, **how):
    page = visit(query, **how)
    page.locator("#cem-board[data-ready]").wait_for(timeout=SLOW)
    calm(page)
    return page


def large(page) -> str:
    return page.locator(".cem-lab-large").evaluate("c => c.toDataURL()")


@pytest.fixture(scope="module")
def board(visit_once):
    """A board that ships, for the tests below one after another."""
    return opened(visit_once)


def test_moving_over_the_board_blends_its_pictures_without_a_request(board):
    page, requests = board, []
    chosen = page.locator(".cem-lab-tile[aria-pressed=true]")
    assert chosen.get_attribute("aria-label").startswith("η .01, K 20:"), "the paper's own setting comes first"
    page.on("request", lambda r: requests.append(r.url) if "heartbeat" not in r.url else None)
    tiles = page.locator(".cem-lab-tile")
    assert tiles.count() == 49
    seen = {large(page)}
    box, other = tiles.nth(45).bounding_box(), tiles.nth(46).bounding_box()
    place, numbers = page.locator(".cem-lab-place"), page.locator(".cem-lab-right .cem-numbers")
    words = [(place.inner_text(), numbers.inner_text())]
    for share in (0.0, 0.5, 1.0):  # from the middle of one cell to that of the next
        x = box["x"] + box["width"] / 2 + share * (other["x"] - box["x"])
        page.mouse.move(x, box["y"] + box["height"] / 2)
        seen.add(large(page))
        words.append((place.inner_text(), numbers.inner_text()))
    label = tiles.nth(46).get_attribute("aria-label").partition(":")[0]
    assert words[3][0] == label and len({pair[1] for pair in words}) == 3, "words and numbers are of what is shown"
    assert len(seen) == 4, "two cells, what lies between them, and the chosen one"
    page.mouse.move(5, 5)
    assert (place.inner_text(), numbers.inner_text()) == words[0] and large(page) in seen
    assert not requests


def test_the_curves_have_a_band_of_their_spread_over_seeds(board):
    page = board
    assert page.locator(".cem-lab-curve .cem-lab-spread").count() == 2
    assert "±" in page.locator(".cem-lab-right .cem-numbers").inner_text()
    ends = f"async () => (await import('./gradio_api/file={BOARD_JS}')).band([1, null, 3], [0.5, null, null])"
    assert page.evaluate(ends) == [[0.5, None, 3], [1.5, None, 3]]


@pytest.mark.parametrize(
    ("values", "column", "spreads", "shares"),
    [
        ([2, 4, 3, None], {"better": "higher", "unit": ""}, [0.1, 0.1, None, None], [0, 1, 0.5, None]),
        ([2, 4, 3], {"better": "lower", "unit": "nats"}, [None, None, None], [1, 0, 0.5]),
        ([0.12, 0.18, 0.15], {"better": "higher", "unit": ""}, [0.04, 0, 0], [0.5, 0.5, 0.5]),  # seeds differ as much
        ([0.12, 0.2], {"better": "higher", "unit": "share"}, [0, 0], [0.12, 0.2]),  # the best is no good either
    ],
)
def test_a_colour_claims_no_more_than_the_numbers_do(board, values, column, spreads, shares):
    told = f"async (given) => (await import('./gradio_api/file={BOARD_JS}')).goodness(...given)"
    assert board.evaluate(told, [values, column, spreads]) == shares


def test_another_number_colours_the_board_without_a_request(board):
    page = board
    tints = "() => [...document.querySelectorAll('.cem-lab-tile')].map(t => t.style.getPropertyValue('--tint')).join()"
    before = page.evaluate(tints)
    page.locator("#lab-by input").click()
    page.get_by_role("option", name="Distance to the nearest").click()
    page.wait_for_function(f"before => ({tints})() !== before", arg=before)
    assert "k.by=nearest" in page.url


def test_a_link_says_what_colours_the_board(visit):
    page = opened(visit, f"{BOARD}&k.by=nearest")
    assert "nearest" in page.locator("tr.cem-chosen").inner_text()


def test_predictions_hide_the_pictures_and_are_answered_with_the_law(board):
    page = board

    def predicted(symbol: str, cell: int) -> str:
        page.get_by_role("button", name=f"Predict first: {symbol}").click()
        for answer in (".cem-lab-tile canvas", ".cem-lab-large", ".cem-lab-curve", ".cem-lab-right .cem-numbers"):
            assert not page.locator(answer).first.is_visible()
        shown = large(page)
        page.locator(".cem-lab-tile[tabindex='0']").focus()
        page.keyboard.press("ArrowLeft")
        at = page.locator(".cem-lab-tile:focus")
        assert ":" not in at.get_attribute("aria-label") and large(page) == shown
        page.locator(".cem-lab-tile").nth(cell).click()
        assert page.locator(".cem-lab-tile canvas").first.is_visible()
        return page.locator(".cem-lab-told").inner_text()

    noise = predicted("η", 3 * 7 + 3)
    assert "You marked η = .01: whose noise is 0.28 long" in noise and "η√d reaches α = .5 at η = .02" in noise
    steps = predicted("K", 7 + 2)  # 12 steps of .5 reach β = 6
    assert "You marked K = 10: K steps of length α go at most Kα = 5.0 far" in steps and "reaches β = 6 at K = 20" in steps
    assert "Distance travelled" in steps


def test_where_no_law_is_known_what_the_judge_reads_is_predicted(visit):
    page = opened(visit, "?tab=lab&a=mnist-jeat&k.sampler=jeat17")
    assert page.get_by_role("button", name="Predict first").count() == 2
    page.get_by_role("button", name="Predict first: K").click()
    assert "half of the chains as asked" in page.locator(".cem-lab-told").inner_text()
    page.locator(".cem-lab-tile").nth(1).click()  # K 5 without noise
    said = page.locator(".cem-lab-told").inner_text()
    assert "You marked K = 5 (" in said and "half are read as asked first at K = " in said
    page.get_by_role("button", name="Predict first: η").click()
    page.locator(".cem-lab-tile").nth(6 * 7 + 6).click()
    assert "here no η takes half away" in page.locator(".cem-lab-told").inner_text()


def test_the_board_is_a_png_to_take_away(board):
    page = board
    with page.expect_download() as loaded:
        page.locator("#lab-png").click()
    picture = Image.open(loaded.value.path())
    assert loaded.value.suggested_filename == "mnist-at-rcs-noise-steps.png" and picture.format == "PNG"
    assert picture.width >= 7 * 56 and picture.height >= 7 * 56 and len(picture.convert("RGB").getcolors(1 << 20)) > 50


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_its_numbers_are_a_file_to_take_away(board, suffix):
    with board.expect_download() as loaded:
        board.locator(f"#lab-{suffix}").click()
    assert loaded.value.suggested_filename == f"mnist-at-rcs-noise-steps.{suffix}"
    assert "noise" in Path(loaded.value.path()).read_text(encoding="utf-8")


def test_everyone_can_use_the_lab_and_nothing_is_wider_than_a_phone(board):
    page = board
    assert not (faults := faults_in_light_and_dark(page)), faults
    assert width_on_a_phone(page) <= 400
    assert page.locator(".cem-lab-grid").bounding_box()["y"] < 400, "the board comes before its controls"


def test_keys_choose_a_cell_and_its_link_plays_it(visit):
    page = opened(visit)
    page.locator(".cem-lab-tile[aria-pressed=true]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.locator(".cem-lab-place").inner_text() == "η .02, K 40"
    assert page.locator(".cem-lab-curve").count() == 2
    page.get_by_role("link", name="Play this cell").click()
    page.locator("#samp-player .cem-counter", has_text="/ 40").wait_for(timeout=SLOW)
    assert page.locator("#samp-eta input").input_value() == "0.02" and "tab=sampling" in page.url


def test_a_sweep_that_does_not_ship_is_stale_until_it_is_run(visit):
    page = opened(visit, f"{BOARD}&k.first=0&k.second=0,2")
    assert page.locator(".cem-lab-tile").count() == 2
    page.get_by_text("Values of your own").click()
    assert page.locator("#lab-count input, #lab-count textarea").first.input_value() == "", "as usual"
    page.locator("#lab-second textarea, #lab-second input").first.fill("0, 1, 3")
    page.keyboard.press("Tab")
    page.locator("#lab-stage.cem-stale").wait_for()
    page.locator("#lab-run").click()
    page.wait_for_function("() => document.querySelectorAll('.cem-lab-tile').length === 3", timeout=SLOW)
    assert "k.second=0%2C+1%2C+3" in page.url and not page.locator("#lab-stage.cem-stale").count()
    page.locator("#lab-tried").get_by_text("Swept on this visit").wait_for()
