"""Every tab on a screen and on a phone: its picture and button come first, nothing is too wide, and axe finds no fault."""

import pytest
from pages import MARKS, calm, faults_in_light_and_dark, open_tab, width_on_a_phone

from cemviz.ui.page import TABS

pytestmark = MARKS

STAGES = {"playground": "#play-plane", "landscape": "#land-plot-0", "sampling": "#samp-player .cem-panels",
          "training": "#cem-frames .cem-frames-panels", "robustness": "#rob-rates", "lab": ".cem-lab-grid",
          "digit": "#cem-pad canvas", "start": "#cem-start .cem-start-stage", "restore": "#cem-restore canvas",
          "detect": "#detect-stage canvas"}  # fmt: skip
"""Tab -> its picture."""

PARTLY = {"robustness": 240, "lab": 400}
"""Tab whose picture is a table or a board -> how much of it is on the first screen, at least."""

BUTTONS = {
    "playground": "#play-run",
    "landscape": "#land-run",
    "sampling": "#samp-run",
    "training": "#train-start",
    "robustness": "#rob-run",
    "lab": "#lab-run",
    "digit": "#cem-pad canvas",
    "start": ".cem-start-next",
    "restore": "#restore-task",
    "detect": "#detect-controls",
}
"""Tab -> what makes its picture anew."""

CHECKED = ("playground", "landscape", "sampling", "training", "results", "equations")
"""Tabs that axe looks at here; the others have tests of their own that do."""


@pytest.fixture(scope="module")
def walk(visit_once):
    """The page, for tests that open a tab each."""
    return visit_once("?__theme=light", height=900, reduced_motion="reduce")


def opened(page, tab: str):
    """The page with a tab open, on a screen."""
    page.set_viewport_size({"width": 1280, "height": 900})
    open_tab(page, TABS[tab][0])
    if tab in STAGES:
        page.locator(STAGES[tab]).first.wait_for()
    page.evaluate("() => scrollTo(0, 0)")
    calm(page)
    return page


@pytest.mark.parametrize("tab", STAGES)
def test_picture_and_main_button_are_on_the_first_screen(walk, tab):
    page = opened(walk, tab)
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


PLACES = {"sampling": "samp", "landscape": "land", "robustness": "rob", "playground": "play", "training": "train"}
"""Tab with a column of controls -> its letters."""


@pytest.mark.parametrize("tab", PLACES)
def test_the_picture_and_the_button_stay_in_sight_at_the_last_control(walk, tab):
    page = opened(walk, tab)
    controls = page.locator(f"#{PLACES[tab]}-controls")
    controls.locator(":is(input, button):visible").last.scroll_into_view_if_needed()
    controls.evaluate("c => c.scrollTo(0, c.scrollHeight)")
    calm(page)
    for place in (STAGES[tab], BUTTONS[tab]):
        box = page.locator(place).first.bounding_box()
        assert box["y"] >= 0 and box["y"] + min(box["height"], 240) <= 900, place
    controls.evaluate("c => c.scrollTo(0, 0)")


@pytest.mark.parametrize("tab", CHECKED)
def test_axe_finds_no_violation_of_wcag_aa_and_nothing_is_wider_than_a_phone(walk, tab):
    page = opened(walk, tab)
    assert not (faults := faults_in_light_and_dark(page)), faults
    assert width_on_a_phone(page) <= 400


@pytest.mark.parametrize("width", [1280, 400])
def test_the_selection_stands_under_the_tabs_and_does_not_move_them(walk, width):
    page = opened(walk, "start")
    page.set_viewport_size({"width": width, "height": 800})
    page.locator("#selection").wait_for(state="hidden")
    strip = page.get_by_role("tablist")
    before = strip.bounding_box()
    open_tab(page, "Landscape")
    page.locator("#sel-a").wait_for(state="visible")
    after, row = strip.bounding_box(), page.locator("#selection").bounding_box()
    assert (after["y"], after["height"]) == (before["y"], before["height"]) and row["y"] >= after["y"] + after["height"]
    assert row["x"] + row["width"] <= width


@pytest.mark.parametrize(
    ("tab", "place", "word"),
    [
        ("landscape", "#land-scale .cem-symbol >> nth=1", "unit of energies"),
        ("restore", "#cem-restore figcaption.cem-symbol >> nth=0", "probability that a point is real"),
        ("sampling", "#samp-controls .cem-symbol >> nth=0", "where a chain starts"),
        ("detect", "#detect-controls .cem-symbol >> nth=0", "one number for each class"),
    ],
)
def test_a_symbol_tells_its_meaning_wherever_it_stands(walk, tab, place, word):
    page = opened(walk, tab)
    page.locator(place).focus()
    meaning = page.locator("#cem-meaning")
    meaning.wait_for()
    assert len(meaning.inner_text()) > 10 and word in meaning.inner_text()
