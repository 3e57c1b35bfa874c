"""A visitor's own net in a real browser: one file dropped, and it is in Sampling and in every menu, for this visitor alone."""

import pytest
import safetensors.torch
import torch
from pages import MARKS, SLOW, calm, open_tab

from cemviz.backend import store

pytestmark = MARKS


@pytest.fixture
def file(shipped, tmp_path):
    """A robust net as somebody else would have it: tensors alone, in a file with a name of its own."""
    net, _ = store.load("mnist-at")
    torch.save({"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}}, tmp_path / "course_l2_1_5.pt")
    return tmp_path / "course_l2_1_5.pt"


def dropped(page, file):
    page.locator("#yours > button").click()
    page.locator("#yours-file input[type=file]").set_input_files(file)


def test_a_dropped_net_is_sampled_from_and_in_the_menus_of_its_visitor_alone(visit, file):
    page = visit("?tab=equations", reduced_motion="reduce")
    dropped(page, file)
    page.wait_for_function("() => location.search.includes('tab=sampling')", timeout=SLOW)
    page.locator("#samp-player").get_by_text("course_l2_1_5, by RCS").first.wait_for(timeout=SLOW)
    assert not page.locator("#yours-go").is_visible(), "the panel lies above the picture no more"
    assert page.locator("#sel-a input").input_value() == "course_l2_1_5: imported"
    assert page.locator("#sel-b input").input_value().startswith("mnist-standard:")
    page.locator("#yours > button").click()
    told = page.locator("#yours-status").inner_text()
    assert "a net of this project" in told and "threat model: l2 1.5, by its name" in told and "data set: mnist" in told
    page.locator("#yours > button").click()
    open_tab(page, "Robustness")  # menus are listed anew when a tab is opened
    page.locator("#sel-a input").click()
    assert page.get_by_role("option", name="course_l2_1_5").count() == page.get_by_role("option", name="mnist-at:").count() == 1
    stranger = visit("?tab=equations")
    calm(stranger)
    open_tab(stranger, "Robustness")
    stranger.locator("#sel-a input").click()
    stranger.get_by_role("option", name="mnist-at:").wait_for()
    assert not stranger.get_by_role("option", name="course_l2_1_5").count()


def test_what_is_no_net_is_refused_in_a_line_and_the_next_file_is_taken(visit, file, tmp_path):
    bad = tmp_path / "photo.safetensors"
    bad.write_bytes(b"not a net")
    lone = tmp_path / "lone.safetensors"
    safetensors.torch.save_file({"weight": torch.rand(3, 3)}, lone)
    page = visit("?tab=equations")
    dropped(page, bad)
    status = page.locator("#yours-status")
    status.get_by_text("No net was brought in: photo.safetensors is no safetensors file").wait_for(timeout=SLOW)
    page.get_by_label("Remove", exact=False).or_(page.get_by_label("Clear")).first.click()
    page.locator("#yours-file input[type=file]").set_input_files(lone)
    status.get_by_text("of no family known here").wait_for(timeout=SLOW)
    page.locator("#yours-hub textarea, #yours-hub input").first.fill("/etc/passwd")
    page.get_by_label("Remove", exact=False).or_(page.get_by_label("Clear")).first.click()
    page.locator("#yours-go").click()
    status.get_by_text("give hf:USER/REPO").wait_for(timeout=SLOW)
    assert "tab=equations" in page.url


def test_the_panel_fits_a_phone_and_is_closed_by_its_own_button(visit):
    page = visit("?tab=equations", width=400, height=800)
    button = page.locator("#yours > button")
    box = button.bounding_box()
    assert box["x"] + box["width"] <= 400 and box["y"] < 60
    before = page.locator("#tabs button[role=tab]").first.bounding_box()
    button.click()
    page.locator("#yours-go").wait_for()
    panel = page.locator("#yours").bounding_box()
    assert panel["x"] >= 0 and panel["x"] + panel["width"] <= 400 and panel["height"] <= 800
    assert page.locator("#tabs button[role=tab]").first.bounding_box() == before, "it moves nothing"
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    button.click()
    page.locator("#yours-go").wait_for(state="hidden")
