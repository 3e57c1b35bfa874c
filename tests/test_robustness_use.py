"""Robustness as the page and the assets use it: rates against attacks run by hand, what ships, and images before and after."""

import json
from dataclasses import asdict, replace
from functools import cache

import numpy as np
import pytest
import torch
from conftest import CLASSES

from cemviz.attacks import perturb, threat
from cemviz.backend import assets, store
from cemviz.backend import robustness as rb
from cemviz.backend.attacked import FACTORS, AttackedRequest, amplified, attacked, fitting
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.robustness import COLUMNS, Rates, RobustnessRequest, groups, ready, robustness, shipped, within
from cemviz.backend.store import BrokenCheckpoint, Card
from cemviz.backend.studio import Studio
from cemviz.nets import build

FEW = ("none", "pgd")


def card(name: str, norm: str = "l2", radius: float = 0.5, data: str = "stripes", kind: str = "classifier") -> Card:
    return Card(
        name=name, title=name.upper(), kind=kind, net="small-resnet",
        net_args={"width": 4, "mean": [0.4] * 3, "std": [0.3] * 3, "outputs": 3},
        data=data, shape=(3, 8, 8), classes=CLASSES, recipe="none", scale="evidence", recipe_args={}, norm=norm, radius=radius,
        seed=0, steps=0, seconds=0.0, device="cpu", command="none", created="today",
    )  # fmt: skip


def save(name: str, seed: int, **kwargs) -> None:
    made = card(name, **kwargs)
    net = build(made.net, seed=seed, **made.net_args)
    if made.data == "stripes":
        net.load_state_dict(learned(seed))
    store.save(net, made)


@cache
def learned(seed: int) -> dict[str, torch.Tensor]:
    """Weights that are right on most stripes, so that attacks have something to break."""
    net = build("small-resnet", seed=seed, **card("any").net_args)
    test = Studio(choose("cpu")).test_images("stripes")
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    net.train()
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(test.floats()), test.labels).backward()
        optimizer.step()
    return net.state_dict()


@pytest.fixture
def studio(places, monkeypatch):
    """Two classifiers of the data set `stripes` within two threat models, and a gallery."""
    monkeypatch.setattr(assets, "PER_CLASS", 2)
    monkeypatch.setattr(rb, "SHIPPED", 24)
    monkeypatch.setattr(rb, "SIZE", 10)
    save("stripes-standard", 1)
    save("stripes-at", 2, norm="linf", radius=0.05)
    made = Studio(choose("cpu"))
    if GALLERY:
        for path, held in GALLERY.items():
            store.folder().joinpath(path).parent.mkdir(parents=True, exist_ok=True)
            store.folder().joinpath(path).write_bytes(held)
    else:
        list(assets.make(made, "stripes", only=("seeds", "gallery")))
        found = [path for kind in ("seeds", "gallery") for path in (store.folder() / kind).iterdir()]
        GALLERY.update({str(path.relative_to(store.folder())): path.read_bytes() for path in found})
    return made


GALLERY: dict[str, bytes] = {}
"""The files of seeds and gallery, made once: they are the same for every test."""


@pytest.fixture
def alone(studio, monkeypatch):
    """The same models on a machine without the data set."""
    studio.test_images("stripes")  # read before the set is gone: a test may want both machines
    empty = store.folder().parent / "nothing"
    empty.mkdir()
    monkeypatch.setenv("CEMVIZ_DATA", str(empty))
    return Studio(choose("cpu"))


def ask(*models: str, **kwargs) -> RobustnessRequest:
    return RobustnessRequest(models or ("stripes-standard",), **{"count": 20, "attacks": FEW, "curve": False, **kwargs})


def rows(studio: Studio, request: RobustnessRequest) -> list[Rates]:
    return [item for item in robustness(studio, request) if isinstance(item, Rates)]


# ------------------------------------------------------------------------------------------------------------ rates


def test_rates_are_those_of_the_attack_run_by_hand(studio):
    (row,) = rows(studio, ask("stripes-at", attacks=("fgsm",)))
    net, _ = studio.model("stripes-at")
    test = studio.test_images("stripes").first(20)
    x, y = test.floats(), test.labels
    x = x.requires_grad_()
    (slope,) = torch.autograd.grad(torch.nn.functional.cross_entropy(net(x), y, reduction="sum"), x)
    moved = (x + 0.05 * slope.sign()).clamp(0, 1)
    right = net(x).argmax(1) == y
    assert row.rates["none"] == pytest.approx(right.float().mean().item(), abs=1e-6) and row.rates["none"] > 0.5
    assert row.rates["fgsm"] == pytest.approx((right & (net(moved).argmax(1) == y)).float().mean().item())
    assert (row.norm, row.radius, row.own, row.classes, row.count) == ("linf", 0.05, ("linf", 0.05), 3, 20)


def test_no_attack_changes_the_draws_of_another(studio):
    (alone,) = rows(studio, ask(radius=0.3))
    (among,) = rows(studio, ask(radius=0.3, attacks=tuple(COLUMNS)))
    assert alone.rates["pgd"] == among.rates["pgd"] and list(among.rates) == list(COLUMNS)
    assert all(share <= among.rates["none"] for share in among.rates.values())
    assert among.rates["apgd"] <= among.rates["fgsm"]


def test_a_request_may_name_one_ball_for_all(studio):
    found = rows(studio, ask("stripes-standard", "stripes-at", norm="linf", radius=0.02))
    assert [(row.norm, row.radius) for row in found] == [("linf", 0.02)] * 2 and len(groups(found)) == 1
    apart = rows(studio, ask("stripes-standard", "stripes-at"))
    assert list(groups(apart)) == [("l2", 0.5), ("linf", 0.05)]


def test_the_curve_begins_clean_and_never_rises(studio):
    (row,) = rows(studio, ask(attacks=(), curve=True, radius=1.0))
    radii, shares = zip(*row.curve, strict=True)
    assert radii == rb.RADII and shares[0] == pytest.approx(row.rates["none"], abs=1e-6)  # radius 1: the multiples
    assert list(shares) == sorted(shares, reverse=True) and shares[-1] < shares[0]


def test_the_standard_error_is_that_of_a_share():
    row = Rates("m", "", "l2", 1.0, ("l2", 1.0), 3, {}, (), (), 25, 0)
    assert row.error(0.2) == pytest.approx(0.08) and row.error(1.0) == 0


def test_progress_counts_to_the_end(studio):
    request = ask("stripes-standard", "stripes-at", curve=True)
    told = [item for item in robustness(studio, request) if isinstance(item, dict)]
    assert [step["done"] for step in told] == list(range(1, told[0]["of"] + 1))
    assert told[0]["of"] == 2 * (2 + len(rb.RADII))  # two parts of ten images each, and the curve
    assert told[0] == {"model": "stripes-standard", "doing": "PGD-20", "done": 1, "of": told[0]["of"]}


def test_what_speaks_against_a_net_travels_with_its_rates(studio, monkeypatch):
    monkeypatch.setattr(rb, "preflight", lambda net, x, y: [f"{len(x)} images"])
    assert rows(studio, ask())[0].faults == ("20 images",)


@pytest.mark.parametrize(
    ("norm", "radius", "told"), [("l2", 2.0, "L2, ε = 2"), ("linf", 0.2, "L∞, ε = 0.2"), ("linf", 8 / 255, "L∞, ε = 8/255")]
)
def test_a_threat_model_in_words(norm, radius, told):
    assert within(norm, radius) == told


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"models": ()}, "0 models are chosen; choose 1 to 12"),
        ({"models": ("nobody",)}, "model is 'nobody'"),
        ({"models": ("stripes-at", "elsewhere")}, "'elsewhere' of mnist"),
        ({"models": ("judge",)}, "'judge' is a binary"),
        ({"attacks": ("targeted",)}, "attack is 'targeted'"),
        ({"norm": "l1"}, "norm is 'l1'; choose one of l2, linf"),
        ({"radius": 0}, "ε (radius) is 0; give a number from 0.001 to 100"),
        ({"count": 9}, "count is 9; give a whole number from 10 to 2000"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_input_names_value_and_range(studio, change, words):
    save("elsewhere", 5, data="mnist")
    save("judge", 6, kind="binary")
    with pytest.raises(BadInput) as raised:
        list(robustness(studio, replace(ask(), **change)))
    assert words in str(raised.value)


def test_without_test_images_it_says_what_to_do(alone):
    with pytest.raises(BadInput, match=r"not on this machine.*CEMVIZ_DATA"):
        rows(alone, ask())


# ------------------------------------------------------------------------------------------------------ what ships


def made(studio: Studio) -> list[dict]:
    return list(assets.make(studio, "stripes", only=("robustness",)))


def test_shipped_rates_equal_measured_ones_and_need_neither_images_nor_nets(studio, monkeypatch, tmp_path):
    told = made(studio)
    assert told[-1]["path"].endswith("robustness/stripes.json") and told[-1]["bytes"] > 0
    fresh = rows(studio, ask("stripes-standard", "stripes-at", attacks=tuple(COLUMNS), count=24, curve=True))
    monkeypatch.setattr(Studio, "model", lambda *a: pytest.fail("a model was loaded"))
    monkeypatch.setattr(Studio, "test_images", lambda *a: pytest.fail("images were looked for"))
    held, notes = ready(studio, ("stripes-standard", "stripes-at"))
    assert held == fresh and not notes and all(row.ready for row in held) and not any(row.ready for row in fresh)


def test_a_model_trained_anew_is_stale_and_only_it_is_measured_again(studio):
    made(studio)
    save("stripes-at", 9, norm="linf", radius=0.05)
    held, notes = ready(studio, ("stripes-standard", "stripes-at"))
    assert [row.model for row in held] == ["stripes-standard"]
    assert len(notes) == 1 and "anew" in notes[0] and "stripes-at" in notes[0]
    assert "python -m cemviz assets stripes --only robustness" in notes[0]
    assert {step["model"] for step in made(studio) if "model" in step} == {"stripes-at"}
    assert shipped("stripes")["stripes-at"].sha256 == store.read_card("stripes-at").sha256


def test_making_again_gives_the_same_bytes_and_forgets_models_that_are_gone(studio):
    made(studio)
    path = store.folder() / "robustness" / "stripes.json"
    before = path.read_bytes()
    path.unlink()
    made(studio)
    assert path.read_bytes() == before
    (store.folder() / "stripes-at.json").unlink()
    made(studio)
    assert list(shipped("stripes")) == ["stripes-standard"]


def test_what_was_never_measured_is_said(studio):
    held, notes = ready(studio, ("stripes-standard",))
    assert not held and "Not measured yet: stripes-standard" in notes[0] and shipped("nothing") == {}


@pytest.mark.parametrize("text", ["{", "{}", '{"rows": [{"model": "x"}]}'])
def test_a_spoiled_file_is_refused_with_the_cure(places, text):
    path = store.folder() / "robustness" / "stripes.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(BrokenCheckpoint, match="assets stripes --only robustness"):
        shipped("stripes")


def test_a_row_is_plain_json(studio):
    made(studio)
    text = (store.folder() / "robustness" / "stripes.json").read_text()
    row = json.loads(text)["rows"][0]
    assert set(row) == set(asdict(shipped("stripes")[row["model"]])) - {"ready"}


def test_making_says_what_it_skips(places):
    assert "no classifier" in made(Studio(choose("cpu")))[0]["skipped"]


# --------------------------------------------------------------------------------------------- images before and after


def looked(studio: Studio, **kwargs) -> dict:
    request = AttackedRequest(**{"model": "stripes-at", "source": "test", "count": 4, **kwargs})
    return {one.attack: one for one in attacked(studio, request)}


def test_an_example_holds_the_nets_own_energies_and_stays_in_the_ball(studio):
    found = looked(studio, radius=0.1)
    assert list(found) == [name for name in COLUMNS if name != "none"]
    test, (net, _) = studio.test_images("stripes"), studio.model("stripes-at")
    first = int((test.labels == 0).nonzero()[0])
    x, example = test.floats(torch.tensor([first])), found["energy"].examples[0]
    np.testing.assert_array_equal(example.image, test.pixels[first].permute(1, 2, 0).numpy())
    f, after = net(x)[0], torch.tensor(example.change).permute(2, 0, 1)[None] + x
    g = net(after)[0]
    assert example.before.joint == pytest.approx(-f[0].item(), abs=1e-4)
    assert example.after.marginal == pytest.approx(-g.logsumexp(0).item(), abs=1e-4)
    assert example.after.p == pytest.approx(g.softmax(0)[0].item(), abs=1e-5)
    assert example.after.predicted == CLASSES[int(g.argmax())]
    assert example.joint_change == pytest.approx((f[0] - g[0]).item(), abs=1e-3) and example.joint_change > 0
    assert example.marginal_change == pytest.approx((f.logsumexp(0) - g.logsumexp(0)).item(), abs=1e-3)
    assert np.abs(example.change).max() <= 0.1 + 1e-6


def test_pgd_climbs_the_difference_of_the_energies_and_the_energy_attack_the_joint_one(studio):
    found = {name: one.means() for name, one in looked(studio, count=9, radius=0.1).items()}
    assert found["energy"][0] > found["pgd"][0]  # E(x, y)
    assert found["pgd"][0] - found["pgd"][1] > found["energy"][0] - found["energy"][1]  # E(x, y) - E(x)


def test_means_are_over_the_images(studio):
    one = looked(studio)["pgd"]
    joint, marginal, fooled = one.means()
    assert joint == pytest.approx(np.mean([e.joint_change for e in one.examples]))
    assert marginal == pytest.approx(np.mean([e.marginal_change for e in one.examples]))
    assert fooled == np.mean([e.after.predicted != e.name for e in one.examples])


def test_images_are_the_classes_in_turn_or_those_of_one(studio):
    test = studio.test_images("stripes")
    found = looked(studio, first=2)["fgsm"].examples
    assert [e.name for e in found] == [*CLASSES, CLASSES[0]]
    of = (test.labels == 0).nonzero().squeeze(1)
    np.testing.assert_array_equal(found[0].image, test.pixels[of[2]].permute(1, 2, 0).numpy())
    np.testing.assert_array_equal(found[3].image, test.pixels[of[3]].permute(1, 2, 0).numpy())
    found = looked(studio, label="right", first=8)["fgsm"].examples
    assert [e.name for e in found] == ["right"] * 2  # ten a class: what is left


def test_the_gallery_needs_no_images_and_says_what_it_is(alone):
    one = looked(alone, source="gallery")["pgd"]
    assert "stripes-at drew" in one.origin and "not real" in one.origin and len(one.examples) == 4
    np.testing.assert_array_equal(one.examples[1].image, assets.gallery("stripes").images[1].permute(1, 2, 0).numpy())
    with pytest.raises(BadInput, match="not on this machine; choose 'drawn by a model"):
        looked(alone)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label": "up"}, "class is 'up'"),
        ({"first": 10}, "first is 10; give a whole number from 0 to 9"),
        ({"count": 13}, "count is 13; give a whole number from 1 to 12"),
        ({"source": "moon"}, "source is 'moon'"),
        ({"radius": float("nan")}, "ε (radius) is nan"),
        ({"norm": "l0"}, "norm is 'l0'"),
    ],
)
def test_bad_input_for_images_names_value_and_range(studio, change, words):
    with pytest.raises(BadInput) as raised:
        looked(studio, **change)
    assert words in str(raised.value)


def test_a_difference_is_grey_where_nothing_changed():
    change = np.array([[[0.0], [0.1], [-0.1], [0.2]]], np.float32)
    assert amplified(change, 5).ravel().tolist() == [128, 255, 0, 255]
    assert amplified(change, 1).ravel().tolist() == [128, 153, 102, 178]


def test_the_factor_that_fits_clips_nothing(studio):
    for radius, factor in ((0.05, 10), (0.11, 2), (0.004, 50)):
        one = looked(studio, radius=radius)["fgsm"]
        assert fitting(one) == factor and factor in FACTORS
        assert max(np.abs(e.change).max() for e in one.examples) * factor <= 0.5 + 1e-6


def test_the_same_seed_gives_the_same_attack(studio):
    same = [looked(studio, seed=3, count=1)["pgd"].examples[0].change for _ in range(2)]
    other = looked(studio, seed=4, count=1)["pgd"].examples[0].change
    assert np.array_equal(*same) and not np.array_equal(same[0], other)
    net, _ = studio.model("stripes-at")
    test = studio.test_images("stripes")
    x, y = test.floats(torch.tensor([0])), test.labels[:1]
    byhand = perturb("pgd", net, x, y, threat("pgd", "linf", 0.05), generator=torch.Generator().manual_seed(3)) - x
    np.testing.assert_allclose(same[0], byhand[0].permute(1, 2, 0).numpy(), atol=1e-7)
