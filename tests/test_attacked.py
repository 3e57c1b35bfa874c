"""Images before and after an attack, with the energies that it climbed."""

import numpy as np
import pytest
import rates
import torch
from conftest import CLASSES
from stripes import elsewhere

from cemviz.attacks import perturb, threat
from cemviz.backend.attack.examples import FACTORS, amplified, attacked, fitting
from cemviz.backend.attack.rates import COLUMNS
from cemviz.backend.checks import BadInput
from cemviz.backend.requests import AttackedRequest
from cemviz.backend.stored import assets
from cemviz.backend.studio import Studio


@pytest.fixture
def studio(places, monkeypatch):
    return rates.equipped(monkeypatch)


@pytest.fixture
def alone(studio, monkeypatch):
    studio.test_images("stripes")  # read before the set is gone: a test may want both machines
    return elsewhere(monkeypatch)


def looked(studio: Studio, **kwargs) -> dict:
    request = AttackedRequest(**{"model": "stripes-at", "source": "test", "count": 4, **kwargs})
    return {one.attack: one for one in attacked(studio, request)}


@pytest.mark.slow
def test_an_example_holds_the_nets_own_energies_and_stays_in_the_ball(studio):
    views = looked(studio, radius=0.1)
    assert list(views) == [name for name in COLUMNS if name != "none"]
    test, (net, _) = studio.test_images("stripes"), studio.model("stripes-at")
    first = int((test.labels == 0).nonzero()[0])
    x, example = test.floats(torch.tensor([first])), views["energy"].examples[0]
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


@pytest.mark.slow
def test_pgd_climbs_joint_minus_marginal_and_the_energy_attack_the_joint(studio):
    means = {name: one.means() for name, one in looked(studio, count=9, radius=0.1).items()}
    assert means["energy"][0] > means["pgd"][0]  # E(x, y)
    assert means["pgd"][0] - means["pgd"][1] > means["energy"][0] - means["energy"][1]  # E(x, y) - E(x)


def test_means_are_over_the_images(studio):
    one = looked(studio)["pgd"]
    joint, marginal, fooled = one.means()
    assert joint == pytest.approx(np.mean([e.joint_change for e in one.examples]))
    assert marginal == pytest.approx(np.mean([e.marginal_change for e in one.examples]))
    assert fooled == np.mean([e.after.predicted != e.name for e in one.examples])


def test_images_are_the_classes_in_turn_or_those_of_one(studio):
    test = studio.test_images("stripes")
    examples = looked(studio, first=2)["fgsm"].examples
    assert [e.name for e in examples] == [*CLASSES, CLASSES[0]]
    zeros = (test.labels == 0).nonzero().squeeze(1)
    np.testing.assert_array_equal(examples[0].image, test.pixels[zeros[2]].permute(1, 2, 0).numpy())
    np.testing.assert_array_equal(examples[3].image, test.pixels[zeros[3]].permute(1, 2, 0).numpy())
    examples = looked(studio, label="right", first=8)["fgsm"].examples
    assert [e.name for e in examples] == ["right"] * 2  # ten a class: what is left


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


def test_one_picture_may_be_attacked(studio):
    (example,) = looked(studio, source="picture", picture="gallery:1")["pgd"].examples
    held = assets.gallery("stripes")
    assert (
        np.array_equal(example.image, held.images[1].permute(1, 2, 0).numpy()) and example.name == held.classes[held.labels[1]]
    )
    with pytest.raises(BadInput, match="needs a picture"):
        looked(studio, source="picture")
