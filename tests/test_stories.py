"""What the page's words claim of the models that ship, run as the stories run it: a claim that fails here misleads a reader."""

from dataclasses import replace
from pathlib import Path

import pytest

from cemviz.backend import assets, store
from cemviz.backend.attacked import attacked
from cemviz.backend.device import choose
from cemviz.backend.landscape import Panel, landscape
from cemviz.backend.presets import LANDSCAPE, SAMPLE
from cemviz.backend.requests import AttackedRequest
from cemviz.backend.sampling import Chains, sample
from cemviz.backend.studio import Studio


@pytest.fixture(autouse=True)
def shipped(monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(Path(__file__).parents[1] / "checkpoints"))


@pytest.fixture(scope="module")
def studio():
    return Studio(choose("cpu"))


def told(studio: Studio, key: str) -> list[Chains]:
    """The runs of a story."""
    return [list(sample(studio, request))[-1] for request in SAMPLE[key].runs]


def right(chains: Chains) -> float:
    return sum(a == b for a, b in zip(chains.predicted, chains.asked, strict=True)) / len(chains.asked)


def moved(chains: Chains) -> float:
    """Mean change of E(x) from the start to the end, nats."""
    return (chains.series["marginal"][-1] - chains.series["marginal"][0]).mean().item()


def test_rcs_and_ta_both_arrive_and_rcs_lies_lower(studio):
    rcs, ta = told(studio, "rcs-ta")
    assert right(rcs) == right(ta) == 1 and moved(rcs) < moved(ta) - 0.3 < -3


def test_from_uniform_noise_ta_pushes_the_energy_up_and_rcs_down(studio):
    rcs, ta = told(studio, "noise")
    assert moved(rcs) < -2 < 2 < moved(ta)
    assert right(rcs) < 0.3 and ta.confidence.mean() > 0.7


def test_cs_obeys_and_langevin_takes_what_is_near(studio):
    cs, langevin = told(studio, "cs-langevin")
    assert right(cs) == 1 and right(langevin) < 0.5 and moved(langevin) < moved(cs) - 1


def test_the_joint_energy_takes_the_marginal_along_and_the_cross_entropy_does_not(studio):
    cross_entropy, joint = told(studio, "jeat-16-17")
    assert abs(moved(cross_entropy)) < 1.5 and moved(joint) == pytest.approx(-8, abs=1)


def test_jeat_finds_a_way_from_noise_and_adversarial_training_alone_does_not(studio):
    jeat, at = told(studio, "jeat-noise")
    assert right(jeat) > 0.9 and moved(jeat) < 3 * min(moved(at), 0)


@pytest.mark.parametrize("name", ["mnist-standard", "mnist-standard-linf", "cifar10-standard"])
def test_pgd_lifts_the_marginal_less_than_the_label_s_energy_and_the_energy_attack_lifts_it_more(studio, name):
    found = {one.attack: one.means() for one in attacked(studio, AttackedRequest(name, "gallery", count=10))}
    joint, marginal, _ = found["pgd"]
    assert marginal < 0.7 * joint and marginal < found["energy"][1]
    assert (marginal < 0) == (name == "mnist-standard")


@pytest.mark.parametrize("directions", assets.KINDS)
def test_adversarial_training_flattens_the_window_and_leaves_less_below_the_image(directions):
    held, cards = assets.grids("mnist"), store.cards()
    for standard, robust in (("mnist-standard", "mnist-at"), ("mnist-standard-linf", "mnist-at-linf")):
        a, b = (held.averages(cards[name], directions, "joint") for name in (standard, robust))
        assert b["range"] < a["range"] and b["depth"] < a["depth"]


def test_attacks_in_training_flatten_the_window_of_pairs(studio):
    flatter = []
    for i in range(10):
        request = replace(LANDSCAPE["pairs"].request, image=f"gallery:{i}", directions="adversarial", side=21)
        simclr, uat = (item for item in landscape(studio, request) if isinstance(item, Panel))
        flatter.append(uat.shapes["joint"].range < simclr.shapes["joint"].range)
    assert sum(flatter) >= 9
