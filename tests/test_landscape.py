"""Energies around an image: windows and points against the net itself, precomputed or not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import windows
from conftest import CLASSES, write_images
from stripes import elsewhere
from windows import ask, panels, save

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.look.landscape import ENERGIES, Panel, landscape, point, precomputed
from cemviz.backend.look.pictures import subject
from cemviz.backend.requests import DIRECTIONS
from cemviz.backend.stored import assets
from cemviz.backend.studio import Studio
from cemviz.ui.landscape import words


@pytest.fixture
def studio(places, monkeypatch):
    return windows.equipped(monkeypatch)


@pytest.fixture
def alone(studio, monkeypatch):
    return elsewhere(monkeypatch)


# ---------------------------------------------------------------------------------------------------------- windows


@pytest.mark.parametrize("directions", DIRECTIONS)
@pytest.mark.parametrize("image", ["test:4", "gallery:2"])
def test_a_window_holds_the_nets_own_energies(studio, directions, image):
    """Against logits computed point by point along directions drawn by hand."""
    request = ask(image, directions=directions, seed=3)
    centre = subject(studio, "stripes", image)
    for panel in panels(studio, request):
        net, _ = studio.model(panel.model)
        g = torch.Generator().manual_seed(3)
        v, u = torch.randn(centre.x.shape, generator=g), torch.randn(centre.x.shape, generator=g)
        if directions == "adversarial":
            x = centre.x[None].clone().requires_grad_()
            (u,) = torch.autograd.grad(torch.nn.functional.cross_entropy(net(x), torch.tensor([centre.label])), x)
            u = u[0]
        u = u / u.norm()
        v = v - (u * v).sum() * u
        v = v / v.norm()
        for i, j in ((3, 3), (0, 6), (5, 1)):
            f = net((centre.x + panel.axis[j] * u + panel.axis[i] * v)[None])[0]
            assert panel.grids["joint"][i, j] == pytest.approx(-f[centre.label].item(), abs=2e-3)
            assert panel.grids["marginal"][i, j] == pytest.approx(-f.logsumexp(0).item(), abs=2e-3)
        assert not panel.precomputed and panel.label == centre.label and panel.name == CLASSES[centre.label]


def test_another_class_may_be_asked_for(studio):
    """One image under two classes: E(x) is the same, E(x, y) is that class's, and no window of it is precomputed."""
    for own, other in zip(panels(studio, ask("grid:1")), panels(studio, ask("grid:1", label="right")), strict=True):
        net, _ = studio.model(own.model)
        f = net(subject(studio, "stripes", "grid:1").x[None])[0]
        assert (own.name, other.name, other.label) == ("middle", "right", 2) and own.precomputed and not other.precomputed
        assert other.centre_energy("joint") == pytest.approx(-f[2].item(), abs=2e-3)
        np.testing.assert_allclose(own.grids["marginal"], other.grids["marginal"], rtol=2**-10, atol=2e-3)
    assert all(panel.precomputed for panel in panels(studio, ask("grid:1", label="middle")))
    with pytest.raises(BadInput, match="class is 'up'"):
        panels(studio, ask("grid:1", label="up"))


def test_the_joint_energy_is_never_below_the_marginal(studio):
    for panel in panels(studio, ask("test:0")):
        assert (panel.grids["joint"] >= panel.grids["marginal"] - 1e-5).all()


def test_a_shape_describes_its_grid(studio):
    for panel in panels(studio, ask("test:5", directions="adversarial")):
        for energy in ENERGIES:
            grid, shape = panel.grids[energy], panel.shapes[energy]
            assert grid.max() - grid.min() == pytest.approx(shape.range, abs=1e-5)
            assert panel.centre_energy(energy) - grid.min() == pytest.approx(shape.depth, abs=1e-5)
            i, j = np.unravel_index(grid.argmin(), grid.shape)
            assert (shape.a, shape.b) == pytest.approx((panel.axis[j], panel.axis[i]))
            assert shape.offset == pytest.approx(np.hypot(shape.a, shape.b), abs=1e-5)


def test_random_directions_are_one_plane_for_all_adversarial_ones_are_not(studio):
    """The same net under two names gives one picture; another net's ascent gives another plane."""
    save("twin", 1)
    a, b = panels(studio, ask("test:1", "stripes-standard", "twin", directions="adversarial"))
    assert np.array_equal(a.grids["joint"], b.grids["joint"])
    at = {d: point(studio, ask("test:1", directions=d), 1.0, 0.5, "stripes-at").pixels for d in DIRECTIONS}
    pixels = {d: point(studio, ask("test:1", directions=d), 1.0, 0.5, "stripes-standard").pixels for d in DIRECTIONS}
    assert np.array_equal(at["random"], pixels["random"]) and not np.array_equal(at["adversarial"], pixels["adversarial"])


def test_the_ascent_raises_the_cross_entropy(studio):
    """Along u, log p(y | x) falls at the image, for every model."""
    for panel in panels(studio, ask("test:2", directions="adversarial", radius=0.03)):
        cross_entropy = panel.grids["joint"] - panel.grids["marginal"]
        assert cross_entropy[3, 4] > cross_entropy[3, 3] > cross_entropy[3, 2]


def test_progress_comes_before_each_panel(studio):
    items = list(landscape(studio, ask("test:0", side=31)))
    kinds = ["panel" if isinstance(item, Panel) else item.done for item in items]
    assert kinds == [512, 961, "panel", 512, 961, "panel"]


# ------------------------------------------------------------------------------------------------------ precomputed


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_precomputed_equals_computed(studio, directions):
    """To half precision: relative 2^-11."""
    i = assets.grids("stripes").indices[2]
    ready = panels(studio, ask("grid:2", directions=directions))
    fresh = panels(studio, ask(f"test:{i}", directions=directions))
    for a, b in zip(ready, fresh, strict=True):
        assert a.precomputed and not b.precomputed and a.model == b.model
        assert np.array_equal(a.axis, b.axis)
        for energy in ENERGIES:
            np.testing.assert_allclose(a.grids[energy], b.grids[energy], rtol=2**-11, atol=1e-4)


def test_precomputed_windows_open_no_data_set_and_no_model(alone, monkeypatch):
    monkeypatch.setattr(Studio, "model", lambda *a: pytest.fail("a model was loaded"))
    monkeypatch.setattr(Studio, "test_images", lambda *a: pytest.fail("images were looked for"))
    assert [panel.model for panel in panels(alone, ask())] == ["stripes-standard", "stripes-at"]


def test_another_radius_is_computed_where_the_pixels_are(alone, monkeypatch):
    with pytest.raises(BadInput, match="radius 2, side 7, seed 0"):
        panels(alone, ask(radius=1.0))
    monkeypatch.setenv("CEMVIZ_DATA", str(store.folder().parent / "data"))
    assert not any(panel.precomputed for panel in panels(Studio(choose("cpu")), ask(radius=1.0)))


def test_a_model_trained_anew_makes_its_grids_stale(alone):
    save("stripes-at", 9)
    grids, cards = assets.grids("stripes"), store.cards()
    assert grids.stale(cards) == ["stripes-at"]
    assert grids.around(cards["stripes-at"], "random", 0) is None
    assert grids.averages(cards["stripes-at"], "random", "joint") is None
    items = list(landscape(alone, ask()))
    assert [item.model for item in items] == ["stripes-standard", "stripes-at"]
    assert "assets stripes" in items[1].why
    with pytest.raises(BadInput, match="python -m cemviz assets stripes"):
        panels(alone, ask("grid:0", "stripes-at"))


def test_stale_grids_are_computed_anew_where_the_pixels_are(studio):
    save("stripes-at", 9)
    assert [panel.precomputed for panel in panels(studio, ask())] == [True, False]


def test_pixels_of_another_image_are_not_taken_for_the_precomputed_one(studio, monkeypatch):
    other = store.folder().parent / "other"
    write_images(other / "stripes" / "test", 3, seed=77)
    monkeypatch.setenv("CEMVIZ_DATA", str(other))
    assert subject(Studio(choose("cpu")), "stripes", "grid:0").x is None
    assert subject(studio, "stripes", "grid:0").x is not None


def test_precomputed_is_empty_for_images_without_a_window(studio):
    assert precomputed(studio, ask("gallery:0")) == {} == precomputed(studio, ask(seed=1))


# ----------------------------------------------------------------------------------------------------------- points


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_a_point_agrees_with_the_grid(studio, directions):
    request = ask("test:3", directions=directions)
    for panel in panels(studio, request):
        spot = point(studio, request, float(panel.axis[5]), float(panel.axis[1]), panel.model)
        row = next(r for r in spot.rows if r.model == panel.model)
        assert row.joint == pytest.approx(panel.grids["joint"][1, 5], abs=1e-4)
        assert row.marginal == pytest.approx(panel.grids["marginal"][1, 5], abs=1e-4)
        assert row.joint_change == pytest.approx(row.joint - panel.centre_energy("joint"), abs=1e-4)
        assert row.p == pytest.approx(np.exp(row.marginal - row.joint), rel=1e-4)
        assert spot.distance == pytest.approx(np.hypot(panel.axis[5], panel.axis[1]), rel=1e-5)


def test_a_points_picture_is_clamped_and_its_energies_are_not(studio):
    request = ask("test:3", "stripes-at", radius=40.0)
    centre, spot = subject(studio, "stripes", "test:3"), point(studio, request, 30.0, 0.0)
    g = torch.Generator().manual_seed(0)
    torch.randn(centre.x.shape, generator=g)
    u = torch.randn(centre.x.shape, generator=g)
    x = centre.x + 30 * u / u.norm()
    outside = ((x < 0) | (x > 1)).float().mean().item()
    assert outside > 0.3 and spot.outside == pytest.approx(outside, abs=0.02)
    np.testing.assert_array_equal(spot.pixels, (x.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())
    np.testing.assert_array_equal(spot.image, (centre.x * 255).round().byte().permute(1, 2, 0).numpy())
    net, _ = studio.model("stripes-at")
    assert spot.rows[0].joint == pytest.approx(-net(x[None])[0, centre.label].item(), abs=2e-3)
    assert spot.rows[0].joint != pytest.approx(-net(x[None].clamp(0, 1))[0, centre.label].item(), abs=2e-2)


def test_the_image_itself_is_the_point_zero(studio):
    spot = point(studio, ask("gallery:0"), 0, 0)
    assert spot.distance == 0 and np.array_equal(spot.pixels, spot.image)
    assert all(row.joint_change == 0 and row.marginal_change == 0 for row in spot.rows)


def test_without_pixels_a_point_is_the_nearest_of_the_grid(alone):
    request = ask()
    first = panels(alone, request)[0]
    spot = point(alone, request, 0.7, -1.2)
    assert (spot.a, spot.b) == pytest.approx((first.axis[4], first.axis[1]))
    assert spot.pixels is None and "not on this machine" in spot.lacking
    assert "No ball rolls: the picture's pixels are not here" in words.spot(spot, spot.rows[0], "joint")
    assert spot.rows[0].joint == first.grids["joint"][1, 4] and spot.rows[0].predicted is None
    assert 0 <= spot.rows[0].p <= 1 and len(spot.rows) == 2
    only = point(alone, replace(request, directions="adversarial"), 0.7, -1.2, "stripes-at")
    assert [row.model for row in only.rows] == ["stripes-at"]  # the others' planes do not hold this point


# ----------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": ()}, "0 models are chosen; choose 1 to 4"),
        ({"models": ("stripes-at",) * 5}, "5 models"),
        ({"models": ("nobody",)}, "models is 'nobody'"),
        ({"models": ("stripes-at", "elsewhere")}, "'elsewhere' of mnist"),
        ({"models": ("judge",)}, "'judge' is of kind 'spectral', which is unknown here"),
        ({"radius": 0}, "radius is 0; give a number from 0.01 to 50"),
        ({"radius": 51}, "radius is 51"),
        ({"side": 8}, "side is 8; give an odd number from 3 to 101"),
        ({"side": 103}, "side is 103; give a whole number from 3 to 101"),
        ({"seed": -1}, "seed is -1"),
        ({"energy": "total"}, "energy is 'total'; choose one of joint, marginal"),
        ({"directions": "up"}, "directions is 'up'; choose one of random, adversarial"),
        ({"image": "grid:3"}, "image is 3; give a whole number from 0 to 2"),
        ({"image": "test:30"}, "image is 30; give a whole number from 0 to 29"),
        ({"image": "gallery:-1"}, "image is -1"),
        ({"image": "moon:1"}, "image is 'moon'; choose one of grid, test, gallery"),
        ({"image": ""}, "image is ''"),
    ],
)
def test_bad_input_names_value_and_range(studio, change, words):
    save("elsewhere", 5, data="mnist")
    save("judge", 6, kind="spectral")
    with pytest.raises(BadInput) as raised:
        list(landscape(studio, replace(ask(), **change)))
    assert words in str(raised.value)


@pytest.mark.parametrize("at", [(2.1, 0), (0, float("nan")), (None, 0)])
def test_a_point_outside_the_window_is_refused(studio, at):
    with pytest.raises(BadInput, match="-2 to 2"):
        point(studio, ask(), *at)


def test_test_images_that_are_not_here(alone):
    with pytest.raises(BadInput, match="not on this machine"):
        panels(alone, ask("test:0"))
