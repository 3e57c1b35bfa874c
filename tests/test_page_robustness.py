"""The robustness tab in a real browser: a first view without a click, images under another attack, its link, everyone's use."""

import pytest
from pages import MARKS, SLOW, calm, drawn, faults_in_light_and_dark, width_on_a_phone

from cemviz.ui.robustness.words import ORIGINS

pytestmark = MARKS


def shown(page) -> None:
    page.wait_for_function("() => document.querySelectorAll('#rob-grid article').length > 0", timeout=SLOW)


@pytest.fixture(scope="module")
def table(visit_once):
    """The tab as it opens, for tests that change what they name."""
    page = visit_once("?__theme=light&tab=robustness")
    shown(page)
    return page


def test_rates_curve_and_images_are_there_without_a_click(table):
    page = table
    page.locator("#rob-rates table").wait_for()
    drawn(page, "#rob-stage")
    assert page.locator("#rob-grid article").count() == 6
    page.locator("#rob-effects tbody tr").nth(3).wait_for(timeout=SLOW)  # the shown attack comes first


def test_axe_finds_no_violation_of_wcag_aa_and_nothing_is_wider_than_a_phone(table):
    page = table
    page.locator("#rob-effects tbody tr").nth(3).wait_for(timeout=SLOW)
    for listing in page.locator("#rob-stage, #rob-look").get_by_text("The Python of this picture").all():
        listing.click()
    calm(page)
    assert "RobustnessRequest(models=" in page.locator("#rob-script").inner_text()
    assert "AttackedRequest(model=" in page.locator("#rob-look-script").inner_text()
    assert not (faults := faults_in_light_and_dark(page)), faults
    assert width_on_a_phone(page) <= 400
    page.set_viewport_size({"width": 1280, "height": 1000})


def test_another_attack_redraws_the_images_and_is_in_the_address(table, visit):
    page = table
    before = page.locator("#rob-grid").inner_html()
    page.locator("#rob-attack").get_by_label("Energy attack").check()
    page.wait_for_function("() => document.querySelector('#rob-reading').innerText.startsWith('Energy attack')", timeout=SLOW)
    assert page.locator("#rob-grid").inner_html() != before and "r.attack=energy" in page.url
    again = visit("?tab=robustness&r.attack=energy")
    shown(again)
    again.wait_for_function("() => document.querySelector('#rob-reading').innerText.startsWith('Energy attack')", timeout=SLOW)


def test_a_bad_number_gets_a_message_and_the_page_goes_on(table):
    page = table
    page.locator("#rob-first input").fill("99")
    page.locator("#rob-first input").press("Enter")
    page.get_by_text("first is 99; give a whole number from 0").first.wait_for()
    before = page.locator("#rob-grid").inner_html()
    page.locator("#rob-first input").fill("1")
    page.locator("#rob-first input").press("Enter")
    page.wait_for_function("before => document.querySelector('#rob-grid').innerHTML !== before", arg=before, timeout=SLOW)
    shown(page)


def test_rates_to_be_measured_here_are_stale_until_they_are(visit):
    page = visit("?tab=robustness&r.models=mnist-jeat&r.attacks=fgsm&r.count=20")
    page.locator("#rob-rates table").wait_for()
    calm(page)
    stale = page.locator("#rob-stage.cem-stale")
    assert not stale.count()
    page.get_by_role("radio", name=ORIGINS["here"]).click()
    stale.wait_for()
    assert "r.from=here" not in page.url, "the address is of what is shown"
    page.locator("#rob-run").click()
    stale.wait_for(state="hidden", timeout=SLOW)
    page.wait_for_function("() => location.search.includes('r.from=here')")
    assert "measured here" in page.locator("#rob-caption").inner_text()
