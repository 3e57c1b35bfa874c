"""The landscape in a real browser: the image under the pointer, a point that is chosen, and the ball released there."""

from pages import MARKS, SLOW, calm, drawn

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


def test_a_point_by_keys_has_a_ball_its_numbers_stand_under_the_panels_and_its_link_shows_both(visit):
    page = visit("?tab=landscape&x=gallery:4")
    drawn(page, "#land-plot-1")
    calm(page)
    page.locator("#land-a input").fill("1.5")
    page.keyboard.press("Enter")
    page.locator("#cem-roll[data-ready]").wait_for()
    numbers = [page.locator(f"#land-spot-{k}").inner_text() for k in range(2)]
    assert all(line.startswith("a = 1.50, b = 0.00: E(x, y)") for line in numbers) and numbers[0] != numbers[1]
    calm(page)
    again = visit("?" + page.url.split("?")[1])
    again.locator("#cem-roll[data-ready]").wait_for()
    calm(again)
    assert [again.locator(f"#land-spot-{k}").inner_text() for k in range(2)] == numbers
    assert again.locator("#cem-roll figure").count() == 2 and again.evaluate("scrollY") == 0
    sampling_is_on_top(again)


def sampling_is_on_top(page) -> None:
    """The link to the same chains under Sampling shows them, wherever the page was scrolled to."""
    page.get_by_role("link", name="Open in Sampling").click()
    page.wait_for_function("() => document.querySelector('button[role=tab][aria-selected=true]').innerText === 'Sampling'")
    calm(page)
    assert -1 < page.locator("#tabs [role=tablist]").bounding_box()["y"] < 200
    assert page.locator("#samp-stage").bounding_box()["y"] < 500


def test_on_a_phone_both_films_of_a_ball_stand_beside_each_other(visit):
    page = visit("?tab=landscape&x=gallery:4&l.a=2", width=400, height=800)
    page.locator("#cem-roll[data-ready]").wait_for()
    first, second = (page.locator("#cem-roll figure canvas").nth(k).bounding_box() for k in range(2))
    assert first["y"] == second["y"] and first["x"] + first["width"] <= second["x"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    sampling_is_on_top(page)


def test_a_slider_that_is_moved_by_keys_is_drawn_as_it_says(visit):
    page = visit("?tab=landscape")
    drawn(page, "#land-plot-1")
    calm(page)
    page.locator("#land-radius input[type=range]").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    widest = "() => document.querySelector('#land-plot-0 .js-plotly-plot').layout.xaxis.range[1]"
    page.wait_for_function(f"() => ({widest})() > 6.9", timeout=SLOW)
    assert page.evaluate(widest) == 7 and "l.radius=7" in page.url
    page.locator("#land-radius input[type=number]").fill("3.5")
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => ({widest})() < 4.5", timeout=SLOW)
    assert "l.radius=3.5" in page.url
