"""The detect tab in a real browser: a threshold dragged without a request, its arithmetic, its link, and how it reads."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import torch
from conftest import randn
from pages import MARKS, SLOW, calm, violations

from cemviz.backend import store
from cemviz.backend.attack.detection import fresh
from cemviz.metrics import detection

MODEL = "mnist-detectors-l2"
pytestmark = [*MARKS, pytest.mark.skipif(MODEL not in store.cards(), reason=f"{MODEL} is not stored here")]
UI = Path(__file__).parents[1] / "cemviz" / "ui"
OWN = f"?tab=detect&a={MODEL}&x=gallery:2"  # whose pixels ship


def opened(visit, query: str = "", **how):
    page = visit(OWN + query, **how)
    page.wait_for_function("() => +document.querySelector('#cem-detect')?.dataset.ready > 0", timeout=SLOW)
    page.locator("#cem-scores[data-ready]").wait_for()
    calm(page)
    return page


def verdicts(page) -> list[str]:
    return page.locator("#cem-detect .cem-verdict b").all_inner_texts()


def said(page) -> list[float]:
    """T, TPR, FPR and AUC as they are read."""
    numbers = page.locator(".cem-scores-said b").all_inner_texts()
    return [float(text.removeprefix("T = ").replace("−", "-")) for text in numbers]


def rates(threshold: float) -> list[float]:
    """The same from what ships, of integrated detection under the attack on both in turn."""
    rows = fresh("mnist", store.cards()).rates
    row = next(row for row in rows if row.model == MODEL)
    clean, attacked = row.clean["integrated"], row.attacked["staged"]["integrated"]
    return [
        sum(score >= threshold for score in clean) / len(clean),
        sum(score is not None and score >= threshold for score in attacked) / len(attacked),
    ]


def test_the_threshold_is_dragged_without_a_request(visit):
    page = opened(visit, height=900, reduced_motion="reduce")
    for part in ("#cem-detect canvas", "#cem-scores select"):
        assert page.locator(part).first.bounding_box()["y"] < 900, f"{part} is on the first screen"
    sent = []
    page.on("request", lambda request: sent.append(request.url) if "heartbeat" not in request.url else None)
    slider, first = page.get_by_role("slider", name="threshold T"), verdicts(page)
    assert len(first) == 10 and first[0].startswith("passes as 2")
    plot = page.locator(".cem-scores-plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 60, steps=5)
    page.mouse.up()
    dragged = float(slider.get_attribute("aria-valuenow"))
    low, high = (float(slider.get_attribute(f"aria-value{end}")) for end in ("min", "max"))
    assert abs((dragged - low) / (high - low) - 0.5) < 0.02
    assert said(page)[1:3] == pytest.approx(rates(float(parse_qs(urlsplit(page.url).query)["de.T"][0])), abs=6e-4)
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert float(slider.get_attribute("aria-valuenow")) == pytest.approx(dragged + (high - low) / 200, rel=0.02)
    page.keyboard.press("End")
    assert said(page)[1:3] == [0, 0] and not any("passes" in text for text in verdicts(page)[::2]), "none passes any more"
    assert verdicts(page)[1::2] == first[1::2], "the other way has its own threshold"
    page.keyboard.press("Home")
    assert said(page)[1] == 1 and all("passes" in text for text in verdicts(page)[::2])
    page.get_by_label("what is told from test images").select_option("others")
    page.get_by_label("attack", exact=True).select_option("worst")
    assert "others" in page.url and "worst" in page.url and "de.T" not in page.url and not sent
    page.get_by_role("link", name="Counterfactuals in Sampling").click()
    page.wait_for_function("() => location.search.includes('tab=sampling')")
    page.locator(f"#samp-player [title^='{MODEL},']", has_text="by CS").first.wait_for(timeout=SLOW)
    assert page.locator("#sel-x input").input_value().startswith("digit 2")


def test_its_arithmetic_is_that_of_the_metrics(visit):
    page = visit()

    def told(expression: str, given=None):
        module = f"await import('./gradio_api/file={UI / 'detect' / 'rates.js'}')"
        return page.evaluate(f"async (given) => {{ const m = {module}; return {expression} }}", given)

    inside = (randn(60, seed=1) + 1).round(decimals=1)
    outside = randn(40, seed=2).round(decimals=1)
    both = [inside.tolist(), outside.tolist()]
    assert told("m.auc(...given)", both) == pytest.approx(detection.auc(inside, outside))
    assert told("m.thresholdAt(0.95, given)", both[0]) == pytest.approx(detection.threshold_at(0.95, inside))
    assert told("m.passing(given, 0.5)", both[0]) == int((inside >= 0.5).sum())
    curve = torch.tensor(told("m.curve(...given)", both))
    assert curve[0].tolist() == [0, 0] and curve[-1].tolist() == [1, 1]
    assert torch.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(detection.auc(inside, outside), abs=1e-6)
    # still read right: among the images, never a false positive, below all
    assert told("m.auc([1, 2], [null, 1])") == (1 + 1 + 0.5 + 1) / 4 and told("m.passing([null, 1, 3], 1)") == 2
    assert told("m.curve([1], [null, 0]).at(-1)") == [0.5, 1]
    assert told("m.bins([0, 0.5, 1, null, 9], [0, 2], 4)") == [1, 1, 1, 1]
    axis = told("m.axis([-1.2, null, 3.4])")
    assert axis["low"] <= -1.2 and axis["high"] > 3.4 and axis["step"] == 1
    version = {"answer": 1, "scores": [2, -1, 0]}
    ways = [told(f"m.decided(given, ['a', 'b', 'c'], '{way}', 0)", version) for way in ("integrated", "generative")]
    assert ways == [{"answer": "b", "score": -1, "passes": False}, {"answer": "a", "score": 2, "passes": True}]
    looks = {
        (passes, right, attacked): told(f"m.verdict({{answer: '{'a' if right else 'b'}', passes: {str(passes).lower()}}}, 'a', "
                                        f"{str(attacked).lower()})")["look"]
        for passes in (True, False) for right in (True, False) for attacked in (True, False)
    }  # fmt: skip
    assert [key for key, look in looks.items() if look == "bad"] == [
        (True, False, True),
        (True, False, False),
        (False, True, False),
    ]
    assert [key for key, look in looks.items() if look == "plain"] == [(False, True, True)]


def test_it_has_no_violation_of_wcag_aa_and_is_in_its_address(visit):
    shown = "&de.plot=generative,detectors&de.T=0.2&de.why=true&__theme=light"
    page = opened(visit, shown, width=400, height=900)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
    assert page.locator("#cem-detect canvas").first.bounding_box()["y"] < 700
    assert page.get_by_label("attack", exact=True).input_value() == "detectors" and said(page)[0] == 0.2
    page.locator("#detect-masks img").nth(2).wait_for()
    for dark in ("false", "true"):
        page.evaluate(f"() => document.body.classList.toggle('dark', {dark})")
        calm(page)
        assert not (found := violations(page)), (dark, found)
