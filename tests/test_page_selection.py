"""The selection in a real browser: chosen in one tab, looked at in the others, and in the address under one name."""

import numpy as np
import pytest
from pages import IDLE, MARKS, SLOW, calm, drawn, open_tab
from PIL import Image
from test_page_digit import answered, draw, shown

pytestmark = MARKS


def chosen(page, which: str, words: str) -> None:
    """Choose in a menu of the selection."""
    page.locator(f"#sel-{which} input").click()
    page.get_by_role("option", name=words).first.click()


def panels(page) -> list[str]:
    return [page.locator(f"#land-title-{k}").inner_text() for k in range(2)]


def test_what_one_tab_chose_is_what_the_others_look_at(visit):
    page = visit("?tab=landscape&a=mnist-at&b=mnist-standard")
    drawn(page, "#land-plot-1")
    chosen(page, "a", "mnist-trades:")
    page.wait_for_function("() => document.querySelector('#land-title-0').innerText.includes('TRADES')")
    assert "a=mnist-trades" in page.url
    open_tab(page, "Sampling")
    page.locator("#samp-player").locator("[title^='mnist-trades,']").first.wait_for(timeout=SLOW)
    open_tab(page, "Robustness")
    page.locator("#rob-reading").get_by_text("PGD-20").wait_for(timeout=SLOW)
    assert page.locator("#sel-a input").input_value().startswith("mnist-trades")
    assert not page.locator("#sel-b").is_visible() and not page.locator("#sel-x").is_visible()  # one net, images of its own
    assert page.locator("#sel-y").is_visible()
    open_tab(page, "Results")
    assert not page.locator("#selection").is_visible()


def test_a_menu_that_one_leaves_by_keyboard_closes(visit):
    page = visit("?tab=sampling")
    calm(page)
    opened = "() => [...document.querySelectorAll('[role=combobox]')].filter((menu) => menu.ariaExpanded === 'true').length"
    page.locator("#sel-a input").focus()
    page.wait_for_function(f"() => ({opened})() === 1")
    for key in ("Tab", "Shift", "Tab", "Tab"):
        page.keyboard.press(key)
        page.evaluate(IDLE)
        assert page.evaluate(opened) == int(page.evaluate("() => document.activeElement.role === 'combobox'"))
    assert "a=" not in page.url


def test_of_nets_that_are_chosen_at_once_the_last_one_is_drawn(visit):
    page = visit("?tab=landscape&a=mnist-at&b=mnist-standard")
    drawn(page, "#land-plot-1")
    for words in ("mnist-jeat:", "mnist-at-cr:", "mnist-jeat:", "mnist-trades:"):
        chosen(page, "a", words)
    calm(page)
    assert page.locator("#sel-a input").input_value().startswith("mnist-trades") and "a=mnist-trades" in page.url
    assert "TRADES" in page.locator("#land-title-0").inner_text()


@pytest.mark.parametrize(
    ("tab", "stage", "menu", "choice"),
    [
        ("digit", "digit", "y", "7"), ("landscape", "land", "x", "digit 2, test"), ("restore", "restore", "x", "digit 2, test"),
        ("detect", "detect", "x", "digit 2, test"),
    ],
)  # fmt: skip
def test_a_tab_that_draws_by_itself_says_so_from_the_choice_on_until_it_is_drawn(visit, tab, stage, menu, choice):
    page = visit(f"?tab={tab}&x=grid:4")
    calm(page)
    busy = f"() => document.querySelector('#{stage}-stage').classList.contains('cem-busy')"
    page.wait_for_function(f"() => !({busy})()")
    for _ in range(2):  # the second time nothing is drawn
        chosen(page, menu, choice)
        assert page.evaluate(busy)
        page.wait_for_function(f"() => !({busy})()", timeout=SLOW)
    assert "x=grid" in page.url and ("y=7" in page.url) is (menu == "y")


def test_another_net_makes_the_samples_stale_until_they_are_asked_for(visit):
    page = visit("?tab=sampling&s.a=mnist-at&s.as=rcs&s.b=none&s.count=4&s.K=5", reduced_motion="reduce")
    page.locator("#samp-player").locator("[title^='mnist-at,']").first.wait_for(timeout=SLOW)
    calm(page)
    assert "a=mnist-at" in page.url and "s.a=" not in page.url, "the older name is gone once the new one is written"
    chosen(page, "a", "mnist-standard:")
    page.locator("#samp-stage.cem-stale").wait_for()
    assert "a=mnist-at" in page.url, "the address is of what is shown"
    page.wait_for_function("() => document.querySelector('#samp-steps input').value === '20'")  # the numbers follow the net
    page.locator("#samp-run").click()
    page.wait_for_function("() => location.search.includes('a=mnist-standard')")
    open_tab(page, "Landscape")
    drawn(page, "#land-plot-0")
    open_tab(page, "Sampling")
    assert not page.locator("#samp-stage.cem-stale").count()


def test_a_net_of_another_data_set_brings_its_opposite_and_its_pictures(visit):
    page = visit("?tab=landscape")
    drawn(page, "#land-plot-1")
    chosen(page, "a", "cifar10-at:")
    page.wait_for_function("() => document.querySelector('#land-title-1').innerText.startsWith('CIFAR-10')", timeout=SLOW)
    assert all(title.startswith("CIFAR-10") for title in panels(page))
    assert "digit" not in page.locator("#sel-x input").input_value()


def test_a_drawing_is_a_picture_of_the_landscape(visit):
    page = visit("?tab=digit")
    page.locator("#cem-digit[data-ready]").wait_for()
    calm(page)
    before = shown(page)
    page.get_by_role("button", name="Clear").click()
    draw(page)
    answered(page, before)
    open_tab(page, "Landscape")
    drawn(page, "#land-plot-1")
    page.wait_for_function("() => location.search.includes('x=drawn')")
    assert page.locator("#sel-x input").input_value() == "your drawing"
    calm(page)
    titles, link = panels(page), page.url
    again = visit("?" + link.split("?")[1])
    drawn(again, "#land-plot-1")
    assert panels(again) == titles and again.locator("#sel-x input").input_value() == "your drawing"


def test_a_picture_of_ones_own_is_sampled_from_and_its_link_shows_the_same(visit, tmp_path):
    query = "?tab=sampling&a=cifar10-at&b=none&s.as=cs&s.start=picture&s.count=1&s.K=2&s.eta=0"
    page = visit(query, reduced_motion="reduce")
    shot = "c => c.toDataURL()"
    before = page.locator("#samp-player .cem-panel canvas").first.evaluate(shot)
    calm(page)
    sheet = np.zeros((60, 100, 3), np.uint8)
    sheet[:, 40:60] = (255, 160, 0)
    Image.fromarray(sheet).save(tmp_path / "own.png")
    (tmp_path / "none.png").write_bytes(b"no picture")
    page.locator("#cem-upload input[type=file]").set_input_files(tmp_path / "none.png")
    page.get_by_text("is no image").first.wait_for()
    page.locator("#cem-upload input[type=file]").set_input_files(tmp_path / "own.png")
    page.locator("#sel-taken", has_text="100 × 60: the middle square of 60 was cut out").wait_for()
    page.locator("#samp-stage.cem-stale").wait_for()
    page.locator("#samp-run").click()
    page.wait_for_function("() => location.search.includes('x=upload')", timeout=SLOW)
    calm(page)
    own = page.locator("#samp-player .cem-panel canvas").first.evaluate(shot)
    again = visit("?" + page.url.split("?")[1], reduced_motion="reduce")
    again.locator("#samp-player .cem-panel").first.wait_for()
    calm(again)
    assert again.locator("#samp-player .cem-panel canvas").first.evaluate(shot) == own != before
    assert again.locator("#sel-x input").input_value() == "your picture"


def test_a_photograph_of_ones_own_has_the_four_answers_and_a_digit_s_net_brings_the_pad_back(visit, tmp_path):
    page = visit("?tab=digit&a=cifar10-at&x=gallery:8&y=ship", reduced_motion="reduce")
    page.locator("#digit-status", has_text="drawn by cifar10-at").wait_for(timeout=SLOW)
    calm(page)
    assert not page.locator("#cem-pad").is_visible() and page.locator("#sel-x").is_visible()
    assert page.locator("#sel-b input").input_value().startswith("cifar10-standard")
    before, pictures = shown(page), [shot.evaluate("c => c.toDataURL()") for shot in page.locator("#cem-digit .cem-one").all()]
    assert len(pictures) == 4 and pictures[2] != pictures[3]
    sheet = np.full((40, 40, 3), (60, 120, 220), np.uint8)
    sheet[22:32, 6:34] = (150, 30, 20)
    Image.fromarray(sheet).save(tmp_path / "ship.png")
    page.locator("#cem-upload input[type=file]").set_input_files(tmp_path / "ship.png")
    answered(page, before)
    page.locator("#digit-status", has_text="address of this page").wait_for()
    assert page.locator("#cem-digit .cem-one").first.evaluate("c => c.toDataURL()") != pictures[0] and "x=upload" in page.url
    chosen(page, "a", "mnist-jeat: JEAT (L∞ .2)")
    page.locator("#cem-pad canvas").first.wait_for()
    answered(page, before + 1)
    assert not page.locator("#sel-x").is_visible()
