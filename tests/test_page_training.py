"""The training tab in a browser, on a tiny set: a run started, paused, resumed, finished, and its model in other menus."""

import shutil

import pytest
from conftest import write_images
from pages import MARKS, ROOT, SLOW, drawn, faults_in_light_and_dark, open_tab, served, width_on_a_phone

pytestmark = MARKS
WAIT = 3 * SLOW


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The page with a tiny MNIST and models without curves."""
    root = tmp_path_factory.mktemp("training")
    for split, count in (("train", 15), ("test", 2)):
        write_images(root / "data" / "mnist" / split, count, count, tuple("0123456789"), side=28, grey=True)
    shutil.copytree(ROOT / "checkpoints", root / "models", ignore=shutil.ignore_patterns("history", "runs"))
    yield from served({"CEMVIZ_DATA": str(root / "data"), "CEMVIZ_CHECKPOINTS": str(root / "models")})


def says(page, words: str) -> None:
    page.wait_for_function(f"() => document.querySelector('#train-status')?.innerText.includes({words!r})", timeout=WAIT)


@pytest.mark.slow
def test_a_run_is_started_paused_resumed_finished_and_in_the_other_menus(visit):
    page = visit("?tab=training&t.recipe=mnist-standard&t.steps=16")  # enough to be paused on the way, however busy the machine
    says(page, "No curves are here yet")
    page.locator("#train-name input, #train-name textarea").fill("my-first")
    page.locator("#train-start").click()
    says(page, "my-first trains")
    page.locator("#train-pause").click()
    says(page, "my-first is paused")
    drawn(page, "#train-loss")
    page.locator("#train-resume").click()
    says(page, "my-first is trained")
    drawn(page, "#train-energies")
    page.wait_for_function("() => document.querySelector('#train-a input').value === 'my-first'")
    assert "update looked at" in page.locator("#train-numbers").inner_text()
    page.locator("#cem-frames .cem-frames-tiles canvas").nth(9).wait_for()
    assert page.locator("#cem-frames output").inner_text() == "update 16 of 16"
    page.locator("#cem-frames input[type=range]").focus()
    page.keyboard.press("Home")
    assert page.locator("#cem-frames output").inner_text() == "update 1 of 16"
    page.wait_for_function("() => document.querySelector('#train-look input[type=number]').value === '1'")  # figures follow
    open_tab(page, "Sampling")
    page.locator("#sel-a input").click()
    page.get_by_role("option", name="my-first").wait_for()
    page.keyboard.press("Escape")

    again = visit("?__theme=light&tab=training&t.a=my-first&t.at=1")  # the address knows a model that is newer than the page
    drawn(again, "#train-energies")
    assert again.locator("#train-look input[type=number]").input_value() == "1"
    assert not (faults := faults_in_light_and_dark(again)), faults
    assert width_on_a_phone(again) <= 400
