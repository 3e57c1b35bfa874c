"""Addresses in a real browser: one makes its picture again, stories and classes have their own, hostile ones do no harm."""

import pytest
from pages import MARKS, SLOW, calm, drawn, open_tab, sampled, violations

from cemviz.backend.presets import LANDSCAPE, SAMPLE

pytestmark = MARKS


@pytest.fixture(scope="module")
def samples(visit_once):
    """Four chains that no other setting is drawn beside, for tests that end with what is shown."""
    page = visit_once("?tab=sampling&s.seed=6&s.as=cs&s.b=none&s.count=4", reduced_motion="reduce")
    sampled(page)
    calm(page)
    return page


def seed(page, text: str) -> None:
    page.locator("#sel-seed input").fill(text)
    page.keyboard.press("Tab")


def picture(page) -> str:
    calm(page)
    return page.locator("#samp-player canvas").first.evaluate("c => c.toDataURL()")


def draw_at(page, text: str) -> str:
    """Sample at another seed; returns the picture."""
    seed(page, text)
    page.locator("#samp-run").click()
    page.wait_for_function(f"() => location.search.includes('seed={text}')")
    return picture(page)


def test_a_link_shows_the_same_picture(samples, visit):
    first, second = draw_at(samples, "5"), draw_at(samples, "8")
    link = samples.url.replace("seed=8", "seed=5")
    page = visit(link[link.index("?") :], reduced_motion="reduce")
    sampled(page)
    assert picture(page) == first != second
    assert page.locator("#sel-seed input").input_value() == "5"


def test_the_address_is_that_of_the_picture_and_a_change_marks_it_stale(samples):
    page, stale = samples, samples.locator("#samp-stage.cem-stale")
    draw_at(page, "5")
    assert not stale.count()
    seed(page, "7")
    stale.wait_for()
    assert "seed=5" in page.url
    page.locator("#samp-run").click()
    page.wait_for_function("() => location.search.includes('seed=7')")
    assert not stale.count() and "tab=sampling" in page.url
    seed(page, "8")
    stale.wait_for()
    seed(page, "7")  # what is shown
    stale.wait_for(state="hidden")


def test_a_teacher_s_link_asks_a_question_and_hides_what_it_says(samples, visit):
    page = samples
    page.get_by_text("For a class: a link").click()
    page.locator("#cem-class [name=ask]").fill("Which one is sure? <b>")
    for name in ("tabs", "controls", "large"):
        page.locator(f"#cem-class [name={name}]").check()
    assert page.locator("#cem-class [name=large]").evaluate("box => getComputedStyle(box).appearance") == "auto", (
        "it has a tick"
    )
    made = page.locator(".cem-class-link").inner_text()
    assert made.startswith("http://127.0.0.1:") and "s.count=4" in made and "hide=tabs%2Ccontrols" in made
    other = visit("?" + made.split("?")[1], tabs="attached")
    other.locator("#cem-asked", has_text="“Which one is sure? <b>”").wait_for()
    sampled(other)
    assert not other.get_by_role("tab", name="Results").is_visible()
    assert other.locator("#samp-run").is_visible() and not other.locator("#sel-seed").is_visible()
    assert other.evaluate("() => getComputedStyle(document.querySelector('.gradio-container')).zoom") == "1.3"
    assert not (found := violations(other)), found


def test_an_address_sets_all_of_its_story_and_its_other_names_override_it(visit):
    page = visit("?tab=sampling&s.story=maxent-hints&s.count=16&s.K=4")  # 16 is the default of other stories
    page.wait_for_function("() => document.querySelector('#samp-status')?.innerText.includes('entropy')", timeout=SLOW)
    model, sampler, steps = (
        page.locator(f"#{name} input").first.input_value() for name in ("sel-a", "samp-sampler-b", "samp-steps")
    )
    assert model.startswith("mnist-uat: ") and steps == "4" and sampler.startswith("PGD")
    assert page.locator("#samp-count input[type=number]").input_value() == "16"
    assert page.locator("#samp-story").inner_text().startswith(SAMPLE["maxent-hints"].story[:40])


def test_a_story_changed_back_to_defaults_is_changed_in_its_link_too(visit):
    page = visit("?tab=sampling&s.story=eta&s.count=4")
    sampled(page)
    page.wait_for_function("() => document.querySelectorAll('.cem-stale').length === 0")  # it is the story's picture
    page.locator("#samp-eta input").fill("0.01")  # the page's default, which this story is not at
    page.keyboard.press("Tab")
    page.locator("#samp-run").click()
    page.wait_for_function("() => location.search.includes('s.eta=0.01')")


def test_what_a_story_sets_of_a_hidden_control_is_in_the_address_too(visit):
    page = visit("?tab=landscape&l.story=pairs&l.anchor=gallery:3")
    anchor = page.locator("#land-anchor")
    anchor.wait_for(state="visible")
    drawn(page, "#land-plot-1")
    assert "UAT" in page.locator("#land-title-1").inner_text() and "l.anchor=gallery" in page.url
    assert LANDSCAPE["pairs"].story[:40] in page.locator("#land-lacking").inner_text()
    calm(page)
    choose(page, "standard-robust")
    anchor.wait_for(state="hidden")  # classifiers have none
    choose(page, "pairs")
    anchor.wait_for(state="visible")
    page.wait_for_function("() => location.search.includes('l.anchor=self')")


def choose(page, story: str) -> None:
    """Choose a story of Landscape."""
    page.locator("#land-preset input").click()
    page.get_by_role("option", name=LANDSCAPE[story].title).click()


def test_of_stories_that_are_chosen_at_once_the_last_one_is_shown(visit):
    page = visit("?tab=landscape&l.story=pairs")
    drawn(page, "#land-plot-1")
    for story in ("standard-robust", "pairs", "standard-robust", "pairs"):
        choose(page, story)
    calm(page)
    page.locator("#land-title-1").get_by_text("UAT").wait_for()
    page.locator("#land-anchor").wait_for(state="visible")
    assert page.locator("#land-preset input").input_value() == LANDSCAPE["pairs"].title
    assert all(part in page.url for part in ("l.story=pairs", "l.dirs=random", "x=gallery"))


def test_another_table_of_results_is_shown_and_is_in_the_address(visit):
    page = visit("?tab=results&r.table=jeat-1")
    heading = page.locator("#results-table h3")
    heading.get_by_text("JEAT Table 1").wait_for()
    page.locator("#results-target input").click()
    page.get_by_role("option", name="JEAT Table 2").click()
    heading.get_by_text("JEAT Table 2").wait_for()
    assert "r.table=jeat-2" in page.url
    page.go_back()
    heading.get_by_text("JEAT Table 1").wait_for()
    assert "r.table=jeat-1" in page.url


def test_another_task_is_a_place_that_back_leaves(visit):
    page = visit("?tab=restore")
    task = page.locator("#restore-task input:checked")
    page.locator("#restore-task").get_by_text("fill a hole").click()
    page.wait_for_function("() => location.search.includes('re.task=inpaint')")
    page.go_back()
    page.wait_for_function("() => !location.search.includes('re.task')")
    page.wait_for_function("() => document.querySelector('#restore-task input:checked').value === 'denoise'")
    assert "tab=restore" in page.url and task.count() == 1


def test_the_last_update_of_a_run_is_not_said_in_the_address(visit):
    page = visit("?tab=training")
    drawn(page, "#train-loss")
    look = page.locator("#cem-frames input[type=range]")
    assert int(look.get_attribute("max")) > 10 and "t.at" not in page.url
    assert not page.locator("#train-look").is_visible(), "one slider for one number"
    look.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => location.search.includes('t.at=')")
    page.keyboard.press("End")
    page.wait_for_function("() => !location.search.includes('t.at=')")


def test_hostile_addresses_are_clamped_or_ignored(visit):
    page = visit("?tab=nope&tour=99&s.count=99999&s.a=<script>&s.alpha=nan&s.K=1e9&p.K=-5&l.radius=abc&p.rule=x")
    page.locator("#start-place #cem-start").wait_for()  # the first tab stands for one that is not
    told = page.locator("#notice").inner_text()
    assert "tab=nope" in told and "tour=99" in told and "a=..." in told
    open_tab(page, "Sampling")
    # the tab may be open before the address is read
    page.wait_for_function("() => document.querySelector('#samp-count input[type=number]')?.value === '256'")
    assert page.locator("#sel-a input").input_value().startswith("mnist-jeat: JEAT")


def test_a_hostile_question_stays_text_and_short(visit):
    page = visit("?tab=equations&hide=everything,<b>&ask=" + "<img src=x onerror=alert(1)>" * 20)
    asked = page.locator("#cem-asked")
    asked.wait_for()
    assert asked.locator("img").count() == 0 and len(asked.inner_text()) < 240
    assert page.get_by_role("tab", name="Results").is_visible()
