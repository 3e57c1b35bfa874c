"""The restore tab in a real browser: a painted hole and a box reach the net, the slider needs nobody, and it reads well."""

import pytest
from pages import MARKS, SLOW, calm, faults_in_light_and_dark, width_on_a_phone

from cemviz.backend import store
from cemviz.backend.look.holes import hole

pytestmark = [
    *MARKS,
    pytest.mark.skipif("mnist-binary" not in store.cards(), reason="mnist-binary is not stored here"),
]
GALLERY = "&a=mnist-binary&x=gallery:4"  # whose pixels ship


def opened(visit, query: str = "", **how):
    page = visit(f"?tab=restore{GALLERY}{query}", **how)
    page.locator("#cem-restore[data-ready]").wait_for()
    calm(page)
    return page


def climbed(page, before: int) -> None:
    page.wait_for_function(f"() => +document.querySelector('#cem-restore').dataset.ready > {before}", timeout=SLOW)


def ready(page) -> int:
    return int(page.locator("#cem-restore").get_attribute("data-ready"))


def picture(page, title: str) -> str:
    return page.get_by_role("img", name=title, exact=True).evaluate("c => c.toDataURL()")


@pytest.fixture(scope="module")
def picture_with_a_hole(visit_once):
    """A picture whose hole is filled, for the tests below one after another."""
    return opened(visit_once, "&re.task=inpaint&__theme=light")


def test_a_hole_is_painted_or_boxed_and_strength_scrubs_without_a_request(picture_with_a_hole):
    page, sent = picture_with_a_hole, []
    page.on("request", lambda request: sent.append(request.url) if "queue/join" in request.url else None)
    scrub, first = page.get_by_role("slider", name="strength, in steps"), picture(page, "restored")
    scrub.focus()
    page.keyboard.press("End")
    page.locator("#cem-restore output", has_text="step 16 of 16").wait_for()
    assert picture(page, "restored") != first and not sent
    before, box = ready(page), page.get_by_role("img", name="its hole").bounding_box()
    page.get_by_role("button", name="Clear").click()
    for k, x in enumerate((0.2, 0.5, 0.8)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + 0.25 * box["height"], steps=4)
        if not k:
            page.mouse.down()
    page.mouse.up()
    climbed(page, before)
    page.wait_for_function("() => location.search.includes('re.hole=cells-')")
    lost = hole(page.evaluate("() => new URLSearchParams(location.search).get('re.hole')"), (28, 28))
    assert lost[7, 6:23].all() and not lost[12:].any() and not lost[:, :2].any()
    before = ready(page)
    page.get_by_text("or set a box").click()
    page.get_by_role("slider", name="height of the box").focus()
    page.keyboard.press("Home")
    climbed(page, before)
    page.wait_for_function("() => /re.hole=\\d+(,|%2C)\\d+(,|%2C)1(,|%2C)/.test(location.search)")


def test_it_has_no_violation_of_wcag_aa_and_fits_a_phone(picture_with_a_hole):
    assert width_on_a_phone(picture_with_a_hole) <= 400
    assert not (faults := faults_in_light_and_dark(picture_with_a_hole)), faults
