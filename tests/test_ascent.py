"""Chains of a binary net: their record, their start from the net's own p0, and what a judge and the page say of them."""

from dataclasses import replace

import pytest
import torch
from stripes import binary as stored

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.kinds import KINDS
from cemviz.backend.requests import SampleRequest
from cemviz.backend.sample.chains import sample
from cemviz.backend.studio import Studio


@pytest.fixture
def studio(places):
    return Studio(choose("cpu"), str(places / "data"))


def chains(studio, **changes):
    request = SampleRequest("pair", "ascent", **{"start": "uniform", "count": 3, "steps": 4, "step": 0.3} | changes)
    return list(sample(studio, request))[-1]


@pytest.fixture
def pair(places):
    """A stored binary net whose p0 is a mixture of noise and its own images."""
    net, card = stored("pair")
    store.save(net, replace(card, recipe_args={"p0": "uniform+stripes"}))


def test_a_chain_records_its_energy_d_slope_and_distance(studio, pair):
    run = chains(studio)
    net, _ = studio.model("pair")
    with torch.no_grad():
        f = net(torch.from_numpy(run.final)).flatten()
    assert set(run.series) == set(KINDS["binary"].series) and run.series["energy"].shape == (5, 3)
    torch.testing.assert_close(torch.from_numpy(run.series["energy"][-1]), -f, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.from_numpy(run.series["D"][-1]), f.sigmoid(), rtol=1e-4, atol=1e-5)
    assert (run.series["energy"][-1] < run.series["energy"][0]).all() and (run.series["distance"][-1] <= 4 * 0.3 + 1e-4).all()
    assert run.judge is run.predicted is None
    assert "No judge of stripes is stored" in KINDS["binary"].summary(run) and "mean D" in KINDS["binary"].summary(run)


def test_chains_may_begin_at_the_p0_that_the_net_was_trained_to_move(studio, pair):
    one, other = chains(studio, start="p0", count=20), chains(studio, start="p0", count=20, seed=1)
    first = torch.from_numpy(one.pixels[0].astype("float32")) / 255
    rough = (first[:, :, 1:] - first[:, :, :-1]).abs().mean((1, 2, 3))
    assert rough.max() > 1.5 * rough.min() and (one.pixels[0] != other.pixels[0]).any()


def test_a_start_from_p0_is_refused_where_there_is_none(studio):
    store.save(*stored("pair"))
    with pytest.raises(BadInput, match=r"start 'p0' needs a binary net .* 'pair' is a binary net: begin elsewhere"):
        chains(studio, start="p0")


def test_a_p0_whose_images_are_not_here_is_named(studio):
    net, card = stored("pair")
    store.save(net, replace(card, recipe_args={"p0": "uniform+nowhere"}))
    with pytest.raises(BadInput, match=r"uniform\+nowhere of 'pair' is not on this machine"):
        chains(studio, start="p0")
