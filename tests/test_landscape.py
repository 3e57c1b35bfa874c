"""The landscape of the page: windows and points against the net itself, what ships, and the tab's handlers."""

import json
from dataclasses import asdict, replace

import gradio as gr
import numpy as np
import pytest
import torch
from conftest import CLASSES, draw_weights, write_images

from cemviz.backend import assets, store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.landscape import ENERGIES, LandscapeRequest, Panel, landscape, point, precomputed
from cemviz.backend.store import BrokenCheckpoint, Card
from cemviz.backend.studio import Studio
from cemviz.backend.subjects import subject
from cemviz.energies import against, pair
from cemviz.nets import build
from cemviz.ui import tab_landscape, words_landscape
from cemviz.ui.controls import Session, Tab
from cemviz.ui.plots_landscape import legend, shared, surface

SMALL = {"radius": 2.0, "side": 7}
MADE = ("seeds", "grids", "gallery")  # accuracy under attack has tests of its own


def card(name: str, data: str = "stripes", kind: str = "classifier") -> Card:
    return Card(
        name=name, title=name.upper(), kind=kind, net="small-resnet",
        net_args={"width": 4, "mean": [0.4] * 3, "std": [0.3] * 3, "outputs": 3},
        data=data, shape=(3, 8, 8), classes=CLASSES, recipe="none", scale="evidence", recipe_args={}, norm="l2", radius=1.0,
        seed=0, steps=0, seconds=0.0, device="cpu", command="none", created="today",
    )  # fmt: skip


def save(name: str, seed: int, **kwargs) -> None:
    made = card(name, **kwargs)
    store.save(build(made.net, seed=seed, **made.net_args), made)


@pytest.fixture
def studio(places, monkeypatch):
    """Two classifiers of the data set `stripes` and its assets in a folder of their own: small windows, two samples a class."""
    monkeypatch.setattr(assets, "SIDE", SMALL["side"])
    monkeypatch.setitem(assets.RADIUS, "stripes", SMALL["radius"])
    monkeypatch.setattr(assets, "PER_CLASS", 2)
    save("stripes-standard", 1)
    save("stripes-at", 2)
    made = Studio(choose("cpu"))
    made.told = list(assets.make(made, "stripes", only=MADE))
    return made


@pytest.fixture
def alone(studio, monkeypatch):
    """The same models and assets on a machine without the data set."""
    empty = store.folder().parent / "nothing"
    empty.mkdir()
    monkeypatch.setenv("CEMVIZ_DATA", str(empty))
    return Studio(choose("cpu"))


def ask(image: str = "grid:1", *models: str, **kwargs) -> LandscapeRequest:
    return LandscapeRequest(models or ("stripes-standard", "stripes-at"), image, **{**SMALL, **kwargs})


def panels(studio: Studio, request: LandscapeRequest) -> list[Panel]:
    return [item for item in landscape(studio, request) if isinstance(item, Panel)]


# ---------------------------------------------------------------------------------------------------------- windows


@pytest.mark.parametrize("directions", assets.KINDS)
@pytest.mark.parametrize("image", ["test:4", "gallery:2"])
def test_a_window_holds_the_nets_own_energies(studio, directions, image):
    """Against logits computed point by point along directions drawn by hand."""
    request = ask(image, directions=directions, seed=3)
    it = subject(studio, "stripes", image)
    for panel in panels(studio, request):
        net, _ = studio.model(panel.model)
        g = torch.Generator().manual_seed(3)
        v, u = torch.randn(it.x.shape, generator=g), torch.randn(it.x.shape, generator=g)
        if directions == "adversarial":
            x = it.x[None].clone().requires_grad_()
            (u,) = torch.autograd.grad(torch.nn.functional.cross_entropy(net(x), torch.tensor([it.label])), x)
            u = u[0]
        u = u / u.norm()
        v = v - (u * v).sum() * u
        v = v / v.norm()
        for i, j in ((3, 3), (0, 6), (5, 1)):
            f = net((it.x + panel.axis[j] * u + panel.axis[i] * v)[None])[0]
            assert panel.grids["joint"][i, j] == pytest.approx(-f[it.label].item(), abs=2e-3)
            assert panel.grids["marginal"][i, j] == pytest.approx(-f.logsumexp(0).item(), abs=2e-3)
        assert not panel.precomputed and panel.label == it.label and panel.name == CLASSES[it.label]


def test_the_joint_energy_is_never_below_the_marginal(studio):
    for panel in panels(studio, ask("test:0")):
        assert (panel.grids["joint"] >= panel.grids["marginal"] - 1e-5).all()


def test_a_shape_describes_its_grid(studio):
    for panel in panels(studio, ask("test:5", directions="adversarial")):
        for energy in ENERGIES:
            grid, shape = panel.grids[energy], panel.shapes[energy]
            assert grid.max() - grid.min() == pytest.approx(shape.range, abs=1e-5)
            assert panel.here(energy) - grid.min() == pytest.approx(shape.depth, abs=1e-5)
            i, j = np.unravel_index(grid.argmin(), grid.shape)
            assert (shape.a, shape.b) == pytest.approx((panel.axis[j], panel.axis[i]))
            assert shape.offset == pytest.approx(np.hypot(shape.a, shape.b), abs=1e-5)


def test_random_directions_are_one_plane_for_all_models_and_adversarial_ones_are_not(studio):
    """The same net under two names gives one picture; another net's ascent gives another plane."""
    save("twin", 1)
    a, b = panels(studio, ask("test:1", "stripes-standard", "twin", directions="adversarial"))
    assert np.array_equal(a.grids["joint"], b.grids["joint"])
    at = {d: point(studio, ask("test:1", directions=d), 1.0, 0.5, "stripes-at").pixels for d in assets.KINDS}
    of = {d: point(studio, ask("test:1", directions=d), 1.0, 0.5, "stripes-standard").pixels for d in assets.KINDS}
    assert np.array_equal(at["random"], of["random"]) and not np.array_equal(at["adversarial"], of["adversarial"])


def test_the_ascent_raises_the_cross_entropy(studio):
    """Along u, log p(y | x) falls at the image, for every model."""
    for panel in panels(studio, ask("test:2", directions="adversarial", radius=0.03)):
        cross_entropy = panel.grids["joint"] - panel.grids["marginal"]
        assert cross_entropy[3, 4] > cross_entropy[3, 3] > cross_entropy[3, 2]


def test_progress_comes_before_each_panel(studio):
    items = list(landscape(studio, ask("test:0", side=31)))
    kinds = ["panel" if isinstance(item, Panel) else item["done"] for item in items]
    assert kinds == [512, 961, "panel", 512, 961, "panel"]


# ------------------------------------------------------------------------------------------------------ precomputed


@pytest.mark.parametrize("directions", assets.KINDS)
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
    held, cards = assets.grids("stripes"), store.cards()
    assert held.stale(cards) == ["stripes-at"]
    assert held.around(cards["stripes-at"], "random", 0) is None
    assert held.averages(cards["stripes-at"], "random", "joint") is None
    items = list(landscape(alone, ask()))
    assert [item.model if isinstance(item, Panel) else item["model"] for item in items] == ["stripes-standard", "stripes-at"]
    assert "assets stripes" in items[1]["missing"]
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


# ----------------------------------------------------------------------------------------------------------- points


@pytest.mark.parametrize("directions", assets.KINDS)
def test_a_point_agrees_with_the_grid(studio, directions):
    request = ask("test:3", directions=directions)
    for panel in panels(studio, request):
        found = point(studio, request, float(panel.axis[5]), float(panel.axis[1]), panel.model)
        row = next(r for r in found.rows if r.model == panel.model)
        assert row.joint == pytest.approx(panel.grids["joint"][1, 5], abs=1e-4)
        assert row.marginal == pytest.approx(panel.grids["marginal"][1, 5], abs=1e-4)
        assert row.joint_change == pytest.approx(row.joint - panel.here("joint"), abs=1e-4)
        assert row.p == pytest.approx(np.exp(row.marginal - row.joint), rel=1e-4)
        assert found.distance == pytest.approx(np.hypot(panel.axis[5], panel.axis[1]), rel=1e-5)


def test_a_points_picture_is_clamped_and_its_energies_are_not(studio):
    request = ask("test:3", "stripes-at", radius=40.0)
    it, found = subject(studio, "stripes", "test:3"), point(studio, request, 30.0, 0.0)
    g = torch.Generator().manual_seed(0)
    torch.randn(it.x.shape, generator=g)
    u = torch.randn(it.x.shape, generator=g)
    x = it.x + 30 * u / u.norm()
    outside = ((x < 0) | (x > 1)).float().mean().item()
    assert outside > 0.3 and found.outside == pytest.approx(outside, abs=0.02)
    np.testing.assert_array_equal(found.pixels, (x.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())
    np.testing.assert_array_equal(found.image, (it.x * 255).round().byte().permute(1, 2, 0).numpy())
    net, _ = studio.model("stripes-at")
    assert found.rows[0].joint == pytest.approx(-net(x[None])[0, it.label].item(), abs=2e-3)
    assert found.rows[0].joint != pytest.approx(-net(x[None].clamp(0, 1))[0, it.label].item(), abs=2e-2)


def test_the_image_itself_is_the_point_zero(studio):
    found = point(studio, ask("gallery:0"), 0, 0)
    assert found.distance == 0 and np.array_equal(found.pixels, found.image)
    assert all(row.joint_change == 0 and row.marginal_change == 0 for row in found.rows)


def test_without_pixels_a_point_is_the_nearest_of_the_grid(alone):
    request = ask()
    first = panels(alone, request)[0]
    found = point(alone, request, 0.7, -1.2)
    assert (found.a, found.b) == pytest.approx((first.axis[4], first.axis[1]))
    assert found.pixels is None and "not on this machine" in found.lacking
    assert found.rows[0].joint == first.grids["joint"][1, 4] and found.rows[0].predicted is None
    assert 0 <= found.rows[0].p <= 1 and len(found.rows) == 2
    only = point(alone, replace(request, directions="adversarial"), 0.7, -1.2, "stripes-at")
    assert [row.model for row in only.rows] == ["stripes-at"]  # the others' planes do not hold this point


# ----------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": ()}, "0 models are chosen; choose 1 to 4"),
        ({"models": ("stripes-at",) * 5}, "5 models"),
        ({"models": ("nobody",)}, "model is 'nobody'"),
        ({"models": ("stripes-at", "elsewhere")}, "'elsewhere' of mnist"),
        ({"models": ("judge",)}, "'judge' is a binary"),
        ({"radius": 0}, "radius is 0; give a number from 0.01 to 50"),
        ({"radius": 51}, "radius is 51"),
        ({"side": 8}, "side is 8; give an odd number from 3 to 101"),
        ({"side": 103}, "side is 103; give a whole number from 3 to 101"),
        ({"seed": -1}, "seed is -1"),
        ({"energy": "total"}, "energy is 'total'; choose one of joint, marginal"),
        ({"directions": "up"}, "directions is 'up'; choose one of random, adversarial"),
        ({"image": "grid:3"}, "image is '3'; give a whole number from 0 to 2"),
        ({"image": "test:30"}, "image is '30'; give a whole number from 0 to 29"),
        ({"image": "gallery:-1"}, "image is '-1'"),
        ({"image": "moon:1"}, "image is 'moon'; choose one of grid, test, gallery"),
        ({"image": ""}, "image is ''"),
    ],
)
def test_bad_input_names_value_and_range(studio, change, words):
    save("elsewhere", 5, data="mnist")
    save("judge", 6, kind="binary")
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


# ----------------------------------------------------------------------------------------------------------- assets


def test_make_tells_and_writes(studio):
    written = [step for step in studio.told if "path" in step]
    assert [step["asset"] for step in written] == ["seeds", "grids", "gallery"]
    grids = [step for step in studio.told if step["asset"] == "grids" and "done" in step]
    assert [step["done"] for step in grids] == list(range(1, 13)) and grids[0]["of"] == 12  # 2 models, 2 kinds, 3 images
    assert store.load_gaussians("stripes").means.shape == (4, 192)
    assert {path.suffix for path in store.folder().rglob("*") if path.is_file()} == {".safetensors", ".json"}


def test_make_gives_the_same_bytes_again(studio):
    files = sorted(path for kind in ("seeds", "grids", "gallery") for path in (store.folder() / kind).iterdir())
    before = [path.read_bytes() for path in files]
    assert len(files) == 5
    list(assets.make(studio, "stripes", only=MADE))
    assert before == [path.read_bytes() for path in files]


def test_grids_hold_one_test_image_a_class_and_no_pixels(studio):
    held, test = assets.grids("stripes"), studio.test_images("stripes")
    assert held.labels == (0, 1, 2) and held.classes == CLASSES and held.indices == (0, 1, 2)
    assert held.pixels == tuple(assets.fingerprint(test.pixels[i]) for i in held.indices)
    assert {t.dtype for t in held.tensors.values()} == {torch.float16} and len(held.tensors) == 8
    assert all(t.shape == (3, 7, 7) for t in held.tensors.values())
    assert held.models == {name: c.sha256 for name, c in store.cards().items()}


def test_averages_are_means_over_the_images(studio):
    held, cards = assets.grids("stripes"), store.cards()
    for energy in ENERGIES:
        mean = held.averages(cards["stripes-at"], "random", energy)
        shapes = [panels(studio, ask(f"grid:{i}", "stripes-at"))[0].shapes[energy] for i in range(3)]
        assert mean == pytest.approx({k: np.mean([asdict(s)[k] for s in shapes]) for k in mean}, rel=1e-5)


def test_the_gallery_is_what_the_model_drew(studio):
    held = assets.gallery("stripes")
    assert held.model == "stripes-at" and held.sha256 == store.read_card("stripes-at").sha256
    assert held.images.dtype == torch.uint8 and held.images.shape == (6, 3, 8, 8)
    assert held.labels.tolist() == [0, 1, 2] * 2 and held.classes == CLASSES * 2
    assert held.settings["sampler"] == "rcs" and held.settings["seed"] == 0


def test_make_says_what_it_skips(places):
    studio = Studio(choose("cpu"))
    told = list(assets.make(studio, "stripes", only=("grids", "gallery")))
    assert [("skipped" in step, step["asset"]) for step in told] == [(True, "grids"), (True, "gallery")]
    assert assets.grids("stripes") is None and assets.gallery("stripes") is None
    with pytest.raises(BadInput, match="only is 'moons'"):
        list(assets.make(studio, "stripes", only=("moons",)))


@pytest.mark.parametrize("spoil", ["tensors", "words", "exchanged"])
def test_spoiled_assets_are_refused_with_the_cure(studio, spoil):
    path = store.folder() / "grids" / "stripes.safetensors"
    if spoil == "tensors":
        path.write_bytes(path.read_bytes()[:-7])
    elif spoil == "words":
        path.with_suffix(".json").write_text("{")
    else:
        path.write_bytes((store.folder() / "gallery" / "stripes.safetensors").read_bytes())
    with pytest.raises(BrokenCheckpoint, match="python -m cemviz assets stripes"):
        assets.grids("stripes")


# -------------------------------------------------------------------------------------------------------------- tab


def page(studio: Studio) -> tuple[gr.Blocks, Tab]:
    with gr.Blocks() as blocks:
        tab = tab_landscape.build(gr.State(Session()), studio)
    return blocks, tab


def first_view(tab: Tab, held: Session, **changes) -> list[dict]:
    function, inputs, _ = tab.draw
    names = {id(component): name for name, component in tab.params.items()}
    values = [changes.get(names[id(c)], c.value) for c in inputs[1:]]
    return [{getattr(k, "elem_id", None) or k: v for k, v in changed.items()} for changed in function(held, *values)]


def test_the_first_view_is_precomputed(alone):
    _, tab = page(alone)
    held = Session()
    steps = first_view(tab, held)
    view = next(step for step in steps if "land-plot-0" in step)
    assert json.loads(view["land-plot-1"])["data"][0]["type"] == "contour"
    assert "precomputed" in view["land-caption-0"] and "Mean over all 3" in view["land-status"]
    assert "0 is the image" in view["land-scale"]
    assert "not on this machine" in steps[-1]["land-table"]
    assert len(held.held["landscape"][1]) == 2 and len(alone.jobs._line) == 0


def test_every_control_is_interactive_and_every_endpoint_private(studio):
    blocks, tab = page(studio)
    assert all(component.interactive for component in tab.params.values())
    assert all(name.startswith("l.") for name in tab.params)
    assert all(component.elem_id.startswith("land-") for component in tab.params.values())
    public = [fn.name for fn in blocks.fns.values() if fn.api_visibility != "private"]
    assert not public


def test_a_live_picture_shows_each_panel_as_it_comes(studio):
    _, tab = page(studio)
    steps = first_view(tab, Session(), **{"l.image": "gallery:1"})
    shown = [sum(step.get(f"land-plot-{k}") is not None for k in range(4)) for step in steps]
    assert [n for n in shown if n] == [1, 2, 2]
    assert any("points" in step.get("land-status", "") for step in steps)
    assert "by construction" in steps[-2]["land-status"] and steps[-1]["land-picture"].visible


def test_stop_keeps_what_is_there(studio):
    held = Session()
    items = tab_landscape.draw(studio, held, ask("gallery:0"))
    assert "points" in next(items)
    held.stops["landscape"].set()
    rest = list(items)
    assert [p.model for p in held.held["landscape"][1]] == ["stripes-standard"] and "Stopped." in held.held["landscape"][2]
    assert len(rest) == 1 and not studio.jobs._line  # the device is free again


def test_a_click_looks_at_the_point(studio):
    blocks, tab = page(studio)
    held = Session()
    first_view(tab, held, **{"l.dirs": "adversarial"})
    click = [fn.fn for fn in blocks.fns.values() if fn.name == "handler" and "event" in fn.fn.__code__.co_varnames]
    event = type("Event", (), {"x": 0.6667, "y": -1.3333})()
    changed = {getattr(k, "elem_id", None): v for k, v in click[1](held, "joint", "raw", event).items()}
    assert (changed["land-a"], changed["land-b"], changed["land-plane"]) == (0.667, -1.33, "stripes-at")
    assert "0.67" in changed["land-table"] and changed["land-picture"].visible
    rings = [len(json.loads(changed[f"land-plot-{k}"])["data"]) for k in (0, 1)]
    assert rings == [4, 6]  # the ring is in the plane that was clicked


def test_errors_reach_the_visitor(studio):
    _, tab = page(studio)
    with pytest.raises(gr.Error, match="give a whole number from 0 to 29"):
        first_view(tab, Session(), **{"l.image": "test", "l.index": 99})
    assert first_view(tab, Session(), **{"l.models": []}) == [{"land-status": "Choose at least one model."}]


def test_a_page_without_models_says_so(places):
    _, tab = page(Studio(choose("cpu")))
    assert "Train one" in first_view(tab, Session())[0]["land-status"]


def test_models_follow_the_last_chosen_data_set(studio):
    for seed, name in enumerate(("mnist-standard", "mnist-at")):
        save(name, seed, data="mnist")
    assert tab_landscape.follow(studio, ["stripes-at", "stripes-standard"]) == (["stripes-at", "stripes-standard"], None)
    assert tab_landscape.follow(studio, ["stripes-at", "mnist-at"]) == (["mnist-at", "mnist-standard"], "mnist")
    assert tab_landscape.follow(studio, []) == ([], None)


# ---------------------------------------------------------------------------------------------------------- encoders


@pytest.fixture
def pairs(studio):
    """The same machine with two encoders."""
    for seed, name in enumerate(("stripes-simclr", "stripes-uat")):
        args = {"width": 4, "depth": 1, "norm": "none", "projection": [4], "mean": [0.4] * 3, "std": [0.3] * 3}
        made = replace(card(name, kind="encoder"), net="encoder", net_args=args)
        store.save(draw_weights(build("encoder", **args), seed, 2.0), made)
    return studio


@pytest.mark.parametrize("anchor", ["self", "gallery:3", "test:9"])
def test_an_encoders_window_holds_the_energies_of_pairs(pairs, anchor):
    """Against features computed point by point, along directions drawn by hand."""
    request = ask("test:4", "stripes-simclr", "stripes-uat", seed=3, anchor=anchor)
    x = subject(pairs, "stripes", "test:4").x
    other = x if anchor == "self" else subject(pairs, "stripes", anchor).x
    held = assets.gallery("stripes").images.float() / 255
    g = torch.Generator().manual_seed(3)
    v, u = torch.randn(x.shape, generator=g), torch.randn(x.shape, generator=g)
    u = u / u.norm()
    v = v - (u * v).sum() * u
    v = v / v.norm()
    for panel in panels(pairs, request):
        net, _ = pairs.model(panel.model)
        refs = net(torch.cat([other[None], held]))
        for i, j in ((3, 3), (0, 6), (5, 1)):
            z = net((x + panel.axis[j] * u + panel.axis[i] * v)[None])
            assert panel.grids["joint"][i, j] == pytest.approx(pair(z, refs[:1]).item(), abs=2e-4)
            assert panel.grids["marginal"][i, j] == pytest.approx(against(z, refs).item(), abs=2e-4)
        assert panel.kind == "encoder" and not panel.precomputed
        if anchor == "self":  # nothing is more like the image than the image
            assert panel.shapes["joint"].offset == 0 and panel.here("joint") == pytest.approx(-2, abs=1e-4)


def test_a_point_tells_the_anchors_share_among_the_references(pairs):
    request = ask("gallery:1", "stripes-uat", anchor="gallery:0")
    found = point(pairs, request, 0.5, -1.0)
    row = found.rows[0]
    assert found.kind == "encoder" and row.p == pytest.approx(np.exp(row.marginal - row.joint), rel=1e-4)
    assert row.predicted.startswith("the anchor") or row.predicted.endswith("of the gallery")
    told = words_landscape.told(found)
    assert "E(x, x′) (change)" in told and "p(x′ | x)" in told and "p(y | x)" not in told
    assert point(pairs, ask("gallery:1", "stripes-uat"), 0, 0).rows[0].predicted.startswith("the anchor, ")


def test_labels_and_pairs_share_no_scale(pairs):
    with pytest.raises(BadInput, match="'stripes-at' is a classifier, 'stripes-uat' an encoder: drop one"):
        panels(pairs, ask("test:0", "stripes-at", "stripes-uat"))
    wanted = ["stripes-uat", "stripes-simclr"], "stripes"
    assert tab_landscape.follow(pairs, ["stripes-at", "stripes-standard", "stripes-uat"]) == wanted
    both = panels(pairs, ask("test:0", "stripes-simclr", "stripes-uat"))
    levels = shared(both, "joint", "relative")
    assert levels.name == "E(x, x′) − E(image, x′)" and levels.name in legend(levels)
    assert "E(x, x′) of the image: -2.00" in words_landscape.caption(both[0], "joint")


def test_without_the_data_set_an_encoder_wants_images_of_the_gallery(pairs, monkeypatch):
    (store.folder().parent / "empty").mkdir()
    monkeypatch.setenv("CEMVIZ_DATA", str(store.folder().parent / "empty"))
    there = Studio(choose("cpu"))
    with pytest.raises(BadInput, match=r"not on this machine.*choose an image of the gallery"):
        panels(there, ask("grid:1", "stripes-uat"))
    with pytest.raises(BadInput, match=r"not on this machine.*or an image of the gallery"):
        panels(there, ask("gallery:1", "stripes-uat", anchor="grid:1"))
    assert len(panels(there, ask("gallery:1", "stripes-uat", anchor="gallery:0"))) == 1


def test_the_page_offers_an_anchor_for_encoders_and_names_their_energies(pairs):
    _, tab = page(pairs)
    view = {"l.models": ["stripes-simclr", "stripes-uat"], "l.image": "gallery:1"}
    first, *_, last = first_view(tab, Session(), **view)
    assert first["land-anchor"]["visible"] and not first["land-other"]["visible"]
    assert [title for title, _ in first["land-energy"]["choices"]] == ["E(x, x′)", "E(x)"]
    assert "E(x, x′)" in last["land-table"]
    scales = [first_view(tab, Session(), **view, **{"l.levels": kind})[-2]["land-scale"] for kind in ("relative", "raw")]
    assert "E(x, x′) − E(image, x′)" in scales[0] and "cosine over τ" in scales[1]
    steps = first_view(tab, Session(), **view, **{"l.anchor": "test", "l.other": 3})
    assert steps[0]["land-other"]["visible"] and "another image" in steps[-2]["land-status"]
    told = first_view(tab, Session(), **view)[-2]["land-status"]
    assert "by construction" in told
    classifiers = first_view(tab, Session())[0]
    assert not classifiers["land-anchor"]["visible"] and dict(classifiers["land-energy"]["choices"])["E(x, y)"] == "joint"


# ---------------------------------------------------------------------------------------------------------- figures


@pytest.mark.parametrize("kind", ["relative", "raw"])
def test_all_panels_share_one_scale(studio, kind):
    graph_objects = pytest.importorskip("plotly.graph_objects")
    both = panels(studio, ask())
    levels = shared(both, "joint", kind)
    for panel in both:
        figure = json.loads(surface(panel, levels, "random", (0.5, 0.5)))
        graph_objects.Figure(figure)  # raises on a wrong property
        fill, line = figure["data"][:2]
        assert (fill["zmin"], fill["zmax"], fill["contours"]["size"]) == (levels.low, levels.high, levels.step)
        here = 0.0 if kind == "relative" else panel.here("joint")
        assert line["contours"]["start"] == pytest.approx(here, abs=1e-6)
        assert levels.low <= here <= levels.high and 5 <= (levels.high - levels.low) / levels.step <= 21
    assert levels.low == pytest.approx(min((p.grids["joint"] - levels.zero(p)).min() for p in both))
    assert levels.name.split(" [")[0] in legend(levels)


def test_a_constant_energy_can_be_drawn(studio):
    flat = replace(panels(studio, ask())[0], grids={k: np.ones((7, 7), np.float32) for k in ENERGIES})
    assert "contour" in surface(flat, shared([flat], "joint", "relative"), "random")


def test_captions_tell_an_edge_from_a_minimum(studio):
    panel = panels(studio, ask())[0]
    shape = panel.shapes["joint"]
    for a, told in ((2.0, "may lie farther"), (0.67, "0.7 away")):
        moved = replace(panel, shapes={"joint": replace(shape, a=a, b=0.0, offset=a, depth=1.25)})
        assert told in words_landscape.caption(moved, "joint")
    assert "image is the lowest" in words_landscape.caption(
        replace(panel, shapes={"joint": replace(shape, offset=0.0)}), "joint"
    )


def test_precomputed_is_empty_for_images_without_a_window(studio):
    assert precomputed(studio, ask("gallery:0")) == {} == precomputed(studio, ask(seed=1))
