"""Encoders on the page in a real browser: chains with a map of their features, energies of pairs, what the machine lacks."""

from dataclasses import replace

import pytest
import torch
from conftest import draw_weights, seeded
from pages import MARKS, ROOT, SLOW, calm, drawn, faults_in_light_and_dark, served, width_on_a_phone

from cemviz.backend import store
from cemviz.nets import build
from cemviz.starts import fit

pytestmark = MARKS


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The page with one small encoder, the gallery that ships, and no data set."""
    root = tmp_path_factory.mktemp("encoders")
    args = {"width": 4, "depth": 1, "norm": "none", "projection": [8]}
    with pytest.MonkeyPatch.context() as patch:
        shipped = store.read_card("mnist-at")
        patch.setenv("CEMVIZ_CHECKPOINTS", str(root / "models"))
        store.save(
            draw_weights(build("encoder", **args), 1, 2.0),
            replace(shipped, name="mnist-tiny", title="Tiny", kind="encoder", net="encoder", net_args=args, metrics={}),
        )
        images = torch.rand(60, *shipped.shape, generator=seeded())
        store.save_gaussians("mnist", fit(images, torch.arange(60) % 10, 10, rank=4))
    (root / "models" / "gallery").symlink_to(ROOT / "checkpoints" / "gallery")
    (root / "data").mkdir()
    yield from served({"CEMVIZ_DATA": str(root / "data"), "CEMVIZ_CHECKPOINTS": str(root / "models")})


QUERY = "?tab=sampling&s.a=mnist-tiny&s.as=maxent&s.b=none&s.start=gaussian&s.count=40&s.K=6&s.alpha=2"


def sampled(page) -> None:
    page.wait_for_function("() => document.querySelector('#samp-status')?.innerText.includes('entropy estimate')", timeout=SLOW)


def dots(page) -> list[tuple[str, str]]:
    return page.locator("#samp-player .cem-chain").evaluate_all(
        "all => all.map(c => [c.getAttribute('cx'), c.getAttribute('cy')])"
    )


@pytest.fixture(scope="module")
def chains(visit_once):
    """Chains of the encoder and the map of their features."""
    page = visit_once(f"{QUERY}&__theme=light")
    sampled(page)
    calm(page)
    return page


def test_the_map_plays_without_a_request_and_a_clicked_dot_picks_its_chain(chains):
    page, player = chains, chains.locator("#samp-player")
    player.locator(".cem-counter", has_text="6 / 6").wait_for()  # it has played by itself
    assert len(dots(page)) == 40 == player.locator(".cem-tile").count()
    assert player.locator(".cem-landmark").count() == 10
    requests = []
    page.on("request", lambda r: requests.append(r.url) if "heartbeat" not in r.url else None)
    last = dots(page)
    player.get_by_role("button", name="To the start").click()
    first = dots(page)
    assert first != last
    player.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("() => document.querySelector('#samp-player .cem-counter').innerText.includes('6 / 6')")
    assert dots(page) == last and not [r for r in requests if not r.startswith(("data:", "blob:"))]

    chosen = 7
    box = player.locator(".cem-chain").nth(chosen).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    place = player.locator("[role=option][aria-selected=true]").evaluate("t => [...t.parentNode.children].indexOf(t)")
    assert last[place] == last[chosen]  # the one that was clicked, or one that lies exactly there
    ring = player.locator(".cem-ring")
    assert [ring.get_attribute("cx"), ring.get_attribute("cy")] == last[place]
    assert player.locator(".cem-trail").get_attribute("d").count("L") == 6


def test_axe_finds_no_violation_of_wcag_aa_beside_the_map(chains):
    assert not (faults := faults_in_light_and_dark(chains)), faults


def test_a_phone_shows_the_map_below_the_tiles(chains):
    page = chains
    assert width_on_a_phone(page) <= 400
    grid, sphere = (page.locator(f"#samp-player {name}").bounding_box() for name in (".cem-grid", ".cem-map-plot"))
    assert sphere["y"] >= grid["y"] + grid["height"] and sphere["width"] >= 200
    tile = page.locator("#samp-player .cem-picture").first.bounding_box()
    assert tile["width"] >= 28


def test_a_sampler_that_does_not_fit_gives_way_and_is_not_in_the_menu(visit):
    page = visit(QUERY.replace("maxent", "rcs"))
    sampled(page)
    page.get_by_label("sampler A").click()
    page.get_by_role("option", name="MAXENT").wait_for()
    assert not page.get_by_role("option", name="RCS").count()


def test_data_that_is_not_here_is_said_and_stays_on_the_page(visit):
    page = visit(QUERY.replace("maxent", "langevin-pairs"))
    page.locator("#samp-status").get_by_text("images of mnist, which are not on this machine").wait_for(timeout=SLOW)


def test_the_landscape_of_a_pair_is_drawn_around_an_image_of_the_gallery(visit):
    page = visit("?tab=landscape&l.models=mnist-tiny&l.image=gallery:4&l.anchor=gallery:3")
    drawn(page, "#land-plot-0")
    page.get_by_text("E(x, x′) of the image").first.wait_for(timeout=SLOW)
    page.get_by_text("The anchor is another image").first.wait_for()
    assert page.get_by_label("anchor x′").first.is_visible()
