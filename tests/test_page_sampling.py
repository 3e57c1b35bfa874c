"""Sampling in a real browser: chains play without a request, curves read well, and a bad number is refused at once."""

import pytest
from pages import MARKS, SLOW, calm, sampled

pytestmark = MARKS


@pytest.fixture(scope="module")
def samples(visit_once):
    """Four short chains of one net."""
    page = visit_once("?tab=sampling&s.b=none&s.count=4&s.K=5")
    sampled(page)
    calm(page)
    return page


def test_chains_play_in_the_browser_without_a_request(samples):
    page, requests = samples, []
    page.on("request", lambda r: requests.append(r.url) if "heartbeat" not in r.url else None)
    page.locator("#samp-player .cem-start").click()
    page.locator("#samp-player .cem-counter", has_text="step 0 / 5").wait_for()
    page.locator("#samp-player .cem-play").click()
    page.locator("#samp-player .cem-counter", has_text="step 5 / 5").wait_for()
    assert not [r for r in requests if not r.startswith(("data:", "blob:"))]


def test_the_curves_have_round_ticks(samples):
    ticks = samples.locator(".cem-chart-plot .cem-tick[text-anchor='end']").all_text_contents()
    values = [float(text.replace("−", "-")) for text in ticks if text != "5"]  # the last step stands at each curve's end
    assert len(values) > 6
    for value in values:
        digits = f"{abs(value):.3e}".split("e")[0].rstrip("0").rstrip(".")
        assert len(digits) <= 3, f"{value} is not round"


@pytest.mark.parametrize(("field", "value", "words"), [("alpha", "-1", "α (step) is -1"), ("steps", "1000000", "K (steps)")])
def test_a_press_is_answered_at_once_and_a_bad_number_ends_it(samples, field, value, words):
    page, number = samples, samples.locator(f"#samp-{field} input")
    busy = "() => document.querySelector('#samp-stage').classList.contains('cem-busy')"
    good = number.input_value()
    number.fill(value)
    page.keyboard.press("Tab")
    assert page.evaluate(f"() => {{ document.querySelector('#samp-run').click(); return ({busy})() }}")
    page.get_by_text(words).first.wait_for()
    page.locator("#samp-status", has_text="Nothing was sampled").wait_for()
    page.wait_for_function(f"() => !({busy})()")
    assert page.locator("#samp-stage.cem-stale").count()  # the picture is still of the number before
    number.fill(good)
    page.keyboard.press("Tab")
    page.locator("#samp-run").click()
    page.locator("#samp-status", has_text="mean confidence").wait_for(timeout=SLOW)


@pytest.mark.parametrize("suffix", ["png", "npz"])
def test_a_run_is_taken_away_as_a_file_that_is_made_then(samples, suffix):
    with samples.expect_download() as loaded:
        samples.locator(f"#samp-{suffix}").click()
    name = loaded.value.suggested_filename
    assert name.endswith(f"-seed0.{suffix}") and loaded.value.path().stat().st_size > 1000
