"""Painting p_data and dragging p0 in a real browser: by mouse and keys, in the address, and what its scripts compute."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import torch
from pages import MARKS, calm, plane_drawn, violations

from cemviz.data.named import p_data
from cemviz.data.painted import CELLS, DEEPEST, PREFIX, depths_of, name_of
from cemviz.data.placed import place_of
from cemviz.data.toys import BOX

pytestmark = MARKS
PLAYGROUND = Path(__file__).parents[1] / "cemviz" / "ui" / "playground"


def opened(visit, query: str = "", **how):
    page = visit(f"?tab=playground{query}", **how)
    plane_drawn(page)
    calm(page)
    return page


def place(page, x: float, y: float) -> tuple[float, float]:
    """Where a point of the plane lies on the screen."""
    box = page.locator("#play-plane canvas").bounding_box()
    inner = box["width"] - 44
    return box["x"] + 34 + (x + BOX) / (2 * BOX) * inner, box["y"] + 8 + (BOX - y) / (2 * BOX) * inner


def drag(page, *points: tuple[float, float]) -> None:
    page.mouse.move(*place(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*place(page, *point), steps=4)
    page.mouse.up()


def asked(page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_what_is_painted_and_dragged_begins_a_game_whose_link_opens_it_again(visit):
    page = opened(visit)
    page.get_by_role("button", name="Paint p_data").click()
    drag(page, (-2, 1.5), (1, 1.5))
    page.locator("#play-status", has_text="what you painted").wait_for()
    page.wait_for_function("() => location.search.includes('p.data=painted')")
    once = depths_of(asked(page)["p.data"])
    inside = (
        p_data(name_of(once)).log_prob(torch.tensor([[-2, 1.5], [-0.5, 1.6], [1, 1.5], [1.8, 1.5], [-0.5, 1.0]])).isfinite()
    )
    assert inside.tolist() == [True, True, True, False, False] and once.max() == 1
    drag(page, (0, 1.5), (1, 1.5))
    page.wait_for_function("before => !location.search.includes(before)", arg=asked(page)["p.data"][-300:])
    calm(page)
    assert depths_of(asked(page)["p.data"]).max() == 2, "painted over twice"
    assert not violations(page)

    page.get_by_role("button", name="Drag p₀").click()
    drag(page, (0, 0), (-1, -1))
    page.locator("#play-status", has_text="starts elsewhere").wait_for()
    page.wait_for_function("() => location.search.includes('p.p0=uniform')")
    row, x, y, size = place_of(asked(page)["p.p0"])
    assert (row, x, y, size) == (
        "uniform",
        pytest.approx(-1, abs=0.05),
        pytest.approx(-1, abs=0.05),
        pytest.approx(0.66, abs=0.02),
    )
    calm(page)
    assert not violations(page)

    again = opened(visit, "&" + urlsplit(page.url).query.replace("tab=playground&", ""))
    assert asked(again)["p.data"] == asked(page)["p.data"] and asked(again)["p.p0"] == asked(page)["p.p0"]
    assert again.locator("#play-data input").input_value() == "Painted" and not again.locator("#notice").is_visible()
    again.get_by_role("button", name="Drag p₀").click()
    assert again.locator(".cem-grip").first.get_attribute("aria-label").startswith(f"middle of p₀ at (−{-x:.2f}, −{-y:.2f})")
    again.get_by_role("button", name="Paint p_data").click()
    again.get_by_role("button", name="Eraser").click()
    drag(again, (-2, 1.5), (-1, 1.5))
    again.locator("#play-status", has_text="what you painted").wait_for()
    again.wait_for_function("before => !location.search.includes(before)", arg=asked(page)["p.data"][-300:])
    less, before = depths_of(asked(again)["p.data"]), depths_of(asked(page)["p.data"])
    assert 0 < (less < before).sum() and not (less > before).any()


def test_keys_paint_erase_and_move_p0_and_an_empty_painting_changes_nothing(visit):
    page = opened(visit, reduced_motion="reduce")
    page.get_by_role("button", name="Paint p_data").focus()
    page.keyboard.press("Enter")
    page.get_by_role("application", name="Paint p_data").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.locator("#play-status", has_text="what you painted").wait_for()
    page.wait_for_function("() => location.search.includes('p.data=painted')")
    (name,) = [asked(page)["p.data"]]
    at = torch.tensor([[3.5 * 2 * BOX / CELLS, 0.5 * 2 * BOX / CELLS]])
    assert p_data(name).log_prob(at).isfinite().all() and (depths_of(name) > 0).sum() < 12
    page.keyboard.press("Backspace")  # which empties it
    page.locator(".cem-plane-line", has_text="Nothing is painted: p_data stays").wait_for()
    page.keyboard.press("Escape")
    assert page.get_by_role("application").count() == 0 and asked(page)["p.data"] == name
    page.get_by_role("button", name="Drag p₀").click()
    page.get_by_role("button", name="edge of p₀").focus()
    page.keyboard.press("Shift+ArrowLeft")
    page.locator("#play-status", has_text="starts elsewhere").wait_for()
    page.wait_for_function("() => location.search.includes('p.p0=uniform')")
    assert place_of(asked(page)["p.p0"]) == ("uniform", 0, 0, pytest.approx(2.5 / 3, abs=0.01))
    page.get_by_role("button", name="middle of p₀").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_function("() => decodeURIComponent(location.search).includes('@0,0.1')")


DEPTHS = torch.arange(CELLS * CELLS).reshape(CELLS, CELLS) * 7 // 5 % (DEEPEST + 1)

BRUSHED = """((strokes) => {
  const painting = new m.Painting();
  for (const [from, to, erase] of strokes) {
    painting.begin();
    painting.stroke({ x: from, y: 0 }, { x: to, y: 0 }, erase);
  }
  return Math.max(...painting.depths);
})"""
"""The deepest cell after some strokes along x."""

ARITHMETIC = [
    ("painting.js", f"[...m.depthsOf({json.dumps(name_of(DEPTHS).removeprefix(PREFIX))})]", DEPTHS.flatten().tolist()),
    ("painting.js", f"m.lettersOf(Uint8Array.from({DEPTHS.flatten().tolist()}))", name_of(DEPTHS).removeprefix(PREFIX)),
    ("painting.js", "m.depthsOf(null).every((d) => d === 0)", True),
    ("painting.js", "m.under(-3, -3).includes(0) && m.under(-3, -3).length", 3),
    ("painting.js", "m.under(0.09375, 0.09375).length", 9),
    ("painting.js", "m.under(3, 3).includes(1023)", True),
    ("painting.js", f"{BRUSHED}([[0, 1]])", 1),
    ("painting.js", f"{BRUSHED}([[0, 1], [1, 0]])", 2),
    ("painting.js", f"{BRUSHED}([[0, 0], [0, 0], [0, 0], [0, 0], [0, 0]])", DEEPEST),
    ("painting.js", f"{BRUSHED}([[0, 0], [0, 0], [0, 0, true]])", 0),
    ("grips.js", "m.fitted({x: 1, y: -1.5, size: 1}, {reach: 3, least: 0.07})", {"x": 1, "y": -1.5, "size": 0.5}),
    ("grips.js", "m.fitted({x: 9, y: 0, size: 1}, {reach: 0.5, least: 0.4})", {"x": 2.8, "y": 0, "size": 0.4}),
    ("grips.js", "m.fitted({x: 0, y: 0, size: -1}, {reach: 0.5, least: 0.4})", {"x": 0, "y": 0, "size": 0.4}),
    ("grips.js", "m.carried([1, 2], {x: 1, y: 1, size: 1}, {x: 0, y: -1, size: 2})", [0, 1]),
]  # fmt: skip


def test_the_arithmetic_of_its_scripts(visit):
    page = visit()
    for script, expression, expected in ARITHMETIC:
        call = f"async () => {{ const m = await import('./gradio_api/file={PLAYGROUND / script}'); return {expression} }}"
        came = page.evaluate(call)
        assert came == (pytest.approx(expected) if isinstance(expected, dict) else expected), expression[:100]
