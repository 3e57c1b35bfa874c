"""The pad in a real browser: pen, keys and files reach four answers, and a link is the drawing."""

import numpy as np
import pytest
from pages import MARKS, SLOW, calm, faults_in_light_and_dark, width_on_a_phone
from PIL import Image

pytestmark = MARKS

THREE = [
    (0.3, 0.25),
    (0.45, 0.15),
    (0.62, 0.2),
    (0.65, 0.35),
    (0.5, 0.47),
    (0.66, 0.58),
    (0.67, 0.75),
    (0.5, 0.86),
    (0.3, 0.78),
]


def shown(page) -> int:
    """How often answers were drawn."""
    return int(page.locator("#cem-digit").get_attribute("data-ready") or 0)


def opened(visit, query: str = "", **how):
    page = visit(f"?tab=digit{query}", **how)
    page.locator("#cem-digit[data-ready]").wait_for()
    calm(page)
    return page


def answered(page, before: int) -> None:
    page.wait_for_function(f"() => +document.querySelector('#cem-digit').dataset.ready > {before}", timeout=SLOW)


def small(page) -> str:
    return page.locator("canvas.cem-pad-small").evaluate("c => c.toDataURL()")


def draw(page, places=THREE) -> None:
    box = page.locator("#cem-pad canvas").first.bounding_box()
    for k, (x, y) in enumerate(places):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        if not k:
            page.mouse.down()
    page.mouse.up()


def test_a_digit_drawn_by_pen_reaches_four_answers_and_its_link_shows_the_same(visit):
    page = opened(visit)
    before = shown(page)
    page.get_by_role("button", name="Clear").click()
    draw(page)
    answered(page, before)
    cards = page.locator("#cem-digit section")
    assert cards.count() == 4 and "Both see a 3" in cards.first.inner_text()
    slider = page.get_by_role("slider", name="An attack that grows")
    slider.focus()
    page.keyboard.press("End")
    assert page.locator("#cem-digit .cem-wrong").count() >= 1  # .3 in each pixel
    page.wait_for_function("() => location.search.includes('d.x=drawn')")
    again = opened(visit, "&" + page.url.split("?")[1].replace("tab=digit&", ""))
    assert small(again) == small(page)
    assert again.locator("#cem-digit section").first.inner_text() == cards.first.inner_text()


OLD = "() => document.querySelector('#cem-digit').classList.contains('cem-old')"


def test_the_answers_are_dimmed_while_they_are_not_of_what_stands_on_the_pad(visit):
    page = opened(visit)
    said = page.locator(".cem-pad-said")
    page.get_by_role("button", name="Clear").click()
    draw(page)
    assert page.evaluate(OLD), "from the first stroke on"
    page.wait_for_function(f"() => !({OLD})()", timeout=SLOW)
    assert said.inner_text() == "" and "Both see a 3" in page.locator("#cem-digit section").first.inner_text()
    page.get_by_role("button", name="Clear").click()
    assert page.evaluate(OLD) and "Cleared" in said.inner_text()
    page.get_by_role("button", name="Undo").click()
    assert page.evaluate(OLD)
    page.wait_for_function(f"() => !({OLD})()", timeout=SLOW)  # the same drawing has the same answers
    assert said.inner_text() == ""


def test_a_link_s_drawing_takes_the_pad(visit):
    page = opened(visit)
    first = page.url
    begun = small(page)
    page.get_by_role("button", name="Clear").click()
    draw(page)
    page.wait_for_function(f"() => !({OLD})()", timeout=SLOW)
    mine = page.url
    assert mine != first and small(page) != begun
    ink = "() => document.querySelector('#cem-pad canvas').toDataURL()"
    pad = page.evaluate(ink)
    query = "?tab=digit&d.x=" + page.evaluate("() => new URLSearchParams(location.search).get('d.x')")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('a'), {href: '?tab=digit', id: 'way', text: 'way'}))"
    )
    page.locator("#way").click()
    page.wait_for_function(f"(before) => ({ink})() !== before", arg=pad)
    calm(page)
    assert small(page) == begun and not page.evaluate(OLD)
    page.evaluate("(query) => document.querySelector('#way').setAttribute('href', query)", query)
    page.locator("#way").click()
    page.wait_for_function("(before) => document.querySelector('canvas.cem-pad-small').toDataURL() !== before", arg=begun)
    calm(page)
    assert "Both see a 3" in page.locator("#cem-digit section").first.inner_text() and not page.evaluate(OLD)


@pytest.fixture(scope="module")
def pad(visit_once):
    """The pad, for the tests below one after another."""
    return opened(visit_once, "&__theme=light")


def test_a_digit_drawn_by_keys_reaches_the_nets(pad):
    page = pad
    before = shown(page)
    page.get_by_role("button", name="Clear").click()  # leaves the focus on the pad
    page.keyboard.press(" ")
    for _ in range(18):
        page.keyboard.press("ArrowDown")
    assert "Pen down at column 15, row 25" in page.locator(".cem-pad-said").inner_text()
    page.keyboard.press("Enter")
    answered(page, before)
    assert "see a 1" in page.locator("#cem-digit section").first.inner_text()


def test_a_file_is_decoded_by_the_server_and_one_that_is_none_is_told(pad, tmp_path):
    sheet = np.full((200, 150), 255, np.uint8)
    sheet[30:170, 70:85] = 0
    Image.fromarray(sheet).save(tmp_path / "one.png")
    (tmp_path / "two.png").write_bytes(b"no picture")
    page = pad
    page.get_by_role("button", name="Clear").click()
    before = shown(page)
    page.locator("#cem-pad input[type=file]").set_input_files(tmp_path / "one.png")
    answered(page, before)
    assert "see a 1" in page.locator("#cem-digit section").first.inner_text()
    page.locator("#cem-pad input[type=file]").set_input_files(tmp_path / "two.png")
    page.get_by_text("is no image").first.wait_for()
    (tmp_path / "three.png").write_bytes(b"\0" * (5 * 2**20 + 1))
    page.locator("#cem-pad input[type=file]").set_input_files(tmp_path / "three.png")
    page.get_by_text("more than 5 MB").wait_for()


def test_another_class_is_rolled_into_and_is_in_the_address(pad):
    page = pad
    before = shown(page)
    slider = page.get_by_role("slider", name="An attack that grows")
    slider.fill("3")
    page.locator("#sel-y input").click()
    page.get_by_role("option", name="7", exact=True).click()
    answered(page, before)
    page.locator("#cem-digit section").last.get_by_text("E(x, 7)").first.wait_for()
    page.wait_for_function("() => location.search.includes('y=7')")
    assert slider.input_value() == "3", "the attack stays as large as one chose"


@pytest.mark.parametrize("query", ["&d.x=drawn:AAAA", "&d.x=<script>", "&d.a=nope&y=77"])
def test_a_hostile_address_shows_a_line_or_the_first_drawing(visit, query):
    page = visit(f"?tab=digit{query}")
    words = "['#digit-status', '#cem-digit'].map((id) => document.querySelector(id)?.innerText ?? '').join()"
    page.wait_for_function(f"() => /give drawn:|Both see/.test({words})", timeout=SLOW)


def test_axe_finds_no_violation_of_wcag_aa(pad):
    pad.locator(".toast-header").wait_for(state="detached")  # gradio's own, of an error before
    assert not (faults := faults_in_light_and_dark(pad)), faults


def test_the_pad_is_on_a_phone_s_first_screen_and_nothing_is_wider(pad):
    assert width_on_a_phone(pad) <= 400
    box = pad.locator("#cem-pad canvas").first.bounding_box()
    assert box["y"] + box["height"] <= 800
