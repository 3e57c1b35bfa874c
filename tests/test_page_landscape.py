"""The landscape in a real browser: the image under the pointer, a point that is chosen, and the ball released there."""

from pages import MARKS, calm, drawn

pytestmark = MARKS


def test_the_image_under_the_pointer_is_made_in_the_browser(visit):
    page = visit("?tab=landscape&l.image=gallery:4")
    drawn(page, "#land-plot-1")
    calm(page)
    requests = []
    page.on("request", lambda r: requests.append(r.url) if "heartbeat" not in r.url else None)
    box = page.locator("#land-plot-0 .cem-plot").bounding_box()
    glass = page.locator("#land-plot-0 .cem-glass")
    seen = set()
    for share in (0.3, 0.45, 0.6):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.5 * box["height"])
        seen.add(glass.evaluate("c => c.toDataURL()"))
    assert len(seen) == 3 and glass.is_visible() and not requests
    a, b = map(float, glass.get_attribute("data-at").split(","))
    page.locator("#land-plot-0 .cem-plot").click(position={"x": 0.6 * box["width"], "y": 0.5 * box["height"]})
    page.wait_for_function("() => document.querySelector('#land-a input').value !== '0'")
    told = [float(page.locator(f"#land-{name} input").input_value()) for name in ("a", "b")]
    assert abs(told[0] - a) < 0.3 and abs(told[1] - b) < 0.3  # the server's point is one of the grid's
    page.locator("#cem-roll[data-ready]").wait_for()  # the ball that the click released
    page.locator("#cem-roll output", has_text="step 20 of 20").wait_for()
    assert page.locator("#cem-roll figure").count() == 2
    page.mouse.move(5, 5)
    glass.wait_for(state="hidden")
