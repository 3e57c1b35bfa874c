"""The sampling use-case on a small model of its own: no shipped weights, no data set."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.kinds import KINDS
from cemviz.backend.requests import SampleRequest
from cemviz.backend.sample import export
from cemviz.backend.sample.chains import Chains, prepared, reach, sample, to_pixels
from cemviz.backend.sample.split import Split
from cemviz.backend.studio import Studio
from cemviz.draws import Each
from cemviz.dynamics import Dynamics, descend, length
from cemviz.energies import conditional, joint, marginal, odds, on
from cemviz.nets import build
from cemviz.samplers import SAMPLERS, Sampler
from cemviz.starts import fit
from cemviz.ui.sampling.words import summary

SHAPE = (1, 8, 8)
ARGS = {"mean": [0.5], "std": [0.5], "outputs": 3, "width": 4, "depth": 1, "norm": "none", "activation": "silu"}


@pytest.fixture
def studio(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path))
    (tmp_path / "no-data").mkdir()
    monkeypatch.setenv("CEMVIZ_DATA", str(tmp_path / "no-data"))
    card = store.Card(
        name="tiny", title="Tiny", kind="classifier", net="small-resnet", net_args=ARGS, data="toyset", shape=SHAPE,
        classes=("ant", "bee", "cat"), recipe="", scale="", recipe_args={}, norm="l2", radius=1.0, seed=0, steps=0, seconds=0.0,
        device="", command="python -m cemviz train tiny", created="2026-01-01",
    )  # fmt: skip
    store.save(build("small-resnet", seed=1, **ARGS), card)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(90, *SHAPE, generator=generator)
    store.save_gaussians("toyset", fit(images, torch.arange(90) % 3, 3, rank=4))
    return Studio(choose("cpu"))


def run(studio, request) -> Chains:
    *_, last = sample(studio, request)
    return last


REQUEST = SampleRequest("tiny", count=6, steps=5, step=0.5, noise=0.02, radius=2.0, seed=3)


@pytest.mark.parametrize("name", [name for name, row in SAMPLERS.items() if row.needs == "classifier"])
def test_the_two_gradient_parts_are_those_of_separate_backward_passes(studio, name):
    net, _ = studio.model("tiny")
    y = torch.tensor([0, 1, 2, 0])
    x = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(5)).requires_grad_()
    split = Split(net, SAMPLERS[name], y, x.detach())
    (grad,) = torch.autograd.grad(split(x).sum(), x)
    label, lse = split.parts(grad)
    (wanted_label,) = torch.autograd.grad(net(x)[torch.arange(4), y].sum(), x)
    (wanted_lse,) = torch.autograd.grad(net(x).logsumexp(1).sum(), x)
    torch.testing.assert_close(label, wanted_label, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(lse, wanted_lse, rtol=1e-4, atol=1e-6)
    a, b = SAMPLERS[name].climbs
    torch.testing.assert_close(-grad, a * wanted_label + b * wanted_lse, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("given", ["label", None, "start"])
def test_a_sampler_that_names_no_multiples_has_both_parts_measured(studio, given):
    net, _ = studio.model("tiny")
    energies = {
        "label": lambda f, y: odds(f, y),
        None: lambda f: f.square().sum(1),
        "start": lambda f, f0: (f - f0).square().sum(1),
    }
    row = Sampler("Mine", "classifier", energies[given], given, Dynamics(3, 0.1), "our choice", "Mine.")
    y, x0 = torch.tensor([0, 1, 2, 0]), torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(5))
    split = Split(net, row, y, x0)
    *_, last = descend(split, x0, row.defaults)
    x = last.x.requires_grad_()
    (label,) = torch.autograd.grad(net(x)[torch.arange(4), y].sum(), x)
    (lse,) = torch.autograd.grad(net(x).logsumexp(1).sum(), x)
    for part, wanted in zip(split.parts(last.grad), (label, lse), strict=True):
        torch.testing.assert_close(part, wanted, rtol=1e-4, atol=1e-6)
    (own,) = torch.autograd.grad(row.energy_on(net, x0, y)(x).sum(), x)
    torch.testing.assert_close(last.grad, own, rtol=1e-4, atol=1e-6)
    assert torch.equal(split.row(last)["label_slope"], split.parts(last.grad)[0].flatten(1).norm(dim=1))


def test_a_new_row_without_multiples_runs_and_is_told_by_its_title(studio, monkeypatch):
    mine = Sampler("Odds descent", "classifier", odds, "label", Dynamics(3, 0.1), "our choice", "Mine.")
    monkeypatch.setitem(SAMPLERS, "mine", mine)
    chains = run(studio, replace(REQUEST, sampler="mine"))
    assert np.isfinite(chains.series["angle"]).all() and "Odds descent (our choice)" in summary(studio, [chains])


def test_series_are_energies_and_distances_of_the_same_chain_run_by_hand(studio):
    chains = run(studio, REQUEST)
    net, card = studio.model("tiny")
    x0 = torch.from_numpy(chains.pixels[0]).permute(0, 3, 1, 2)  # only to compare with the drawn starts
    y = torch.from_numpy(chains.labels)
    from cemviz.starts import draw

    start = draw("class-gaussian", studio.source(card), y, Each(3, range(6)))
    assert (to_pixels(start) == x0.permute(0, 2, 3, 1).numpy()).all()
    energy = on(net, SAMPLERS["rcs"].energy, y)
    states = list(descend(energy, start, chains.dynamics, generator=Each(4, range(6))))
    for k, state in enumerate(states):
        f = net(state.x)
        np.testing.assert_allclose(chains.series["joint"][k], joint(f, y), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(chains.series["marginal"][k], marginal(f), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(chains.series["log_p"][k], -conditional(f, y), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(chains.series["distance"][k], length(state.x - start), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(chains.final, states[-1].x, atol=1e-5)


def test_two_samplers_with_one_seed_share_starts_and_noise(studio):
    a, b = run(studio, REQUEST), run(studio, replace(REQUEST, sampler="ta"))
    assert (a.pixels[0] == b.pixels[0]).all() and (a.pixels[-1] != b.pixels[-1]).any()
    still = replace(REQUEST, step=0.0)  # without a gradient step only the noise moves the chains
    assert np.array_equal(run(studio, still).pixels, run(studio, replace(still, sampler="ta")).pixels)


def test_the_same_request_gives_the_same_pictures_and_another_seed_others(studio):
    assert np.array_equal(run(studio, REQUEST).pixels, run(studio, REQUEST).pixels)
    assert not np.array_equal(run(studio, REQUEST).pixels[0], run(studio, replace(REQUEST, seed=4)).pixels[0])


def test_progress_comes_every_step_before_the_chains(studio):
    *steps, last = sample(studio, REQUEST)
    assert [(step.done, step.total) for step in steps] == [(k, 5) for k in range(5)] and isinstance(last, Chains)
    assert last.pixels.shape == (6, 6, 8, 8, 1)


def test_classes_by_name_and_number_go_to_the_chains_in_turn(studio):
    assert run(studio, replace(REQUEST, classes=("cat", "0"))).labels.tolist() == [2, 0, 2, 0, 2, 0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"step": -1}, ["α", "-1", "0 to 100"]),
        ({"step": math.nan}, ["α", "nan"]),
        ({"steps": 10**6}, ["K", "1000000", "1000"]),
        ({"steps": 2.5}, ["K", "2.5", "whole"]),
        ({"noise": 11}, ["η", "11"]),
        ({"radius": -2}, ["β", "-2"]),
        ({"count": 0}, ["count", "0", "1 to 256"]),
        ({"classes": ("dog",)}, ["'dog'", "ant, bee, cat"]),
        ({"classes": ("3",)}, ["'3'", "ant, bee, cat"]),
        ({"sampler": "nope"}, ["'nope'", "rcs"]),
        ({"start": "nope"}, ["'nope'", "uniform"]),
        ({"seed": -1}, ["seed", "-1"]),
    ],
)
def test_bad_input_names_the_value_and_the_range(studio, change, words):
    with pytest.raises(BadInput) as caught:
        run(studio, replace(REQUEST, **change))
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_start_that_needs_absent_data_says_so(studio):
    with pytest.raises(LookupError, match="images, which are not on this machine"):
        run(studio, replace(REQUEST, start="data"))


def test_a_start_from_a_picture_wants_one_that_is_here(studio):
    for picture, said in (("", "give grid:I"), ("test:0", "not on this machine"), ("drawn:AAAA", "made like mnist's")):
        with pytest.raises(BadInput, match=said):
            run(studio, replace(REQUEST, start="picture", picture=picture))


def test_an_infinite_ball_is_allowed_and_written_as_a_word(studio):
    chains = run(studio, replace(REQUEST, radius=math.inf))
    assert json.loads(json.dumps(chains.settings))["radius"] == "inf"


def test_reach_is_the_distance_to_the_nearest_class_mean_without_data(studio):
    chains = run(studio, replace(REQUEST, start="uniform"))
    distance, owner = reach(studio, chains)
    means = studio.source(chains.card).gaussians.means[:-1]
    x0 = torch.from_numpy(chains.pixels[0]).flatten(1).float() / 255
    assert distance == pytest.approx(float(torch.cdist(x0, means).amin(1).median())) and "class mean" in owner


def test_png_gif_and_npz_hold_the_chains(studio, tmp_path):
    chains = run(studio, REQUEST)
    with Image.open(export.save_png(chains, tmp_path / "a.png")) as grid:
        first = np.asarray(grid)[2 * 3 : 10 * 3 : 3, 2 * 3 : 10 * 3 : 3]
    assert np.array_equal(first, chains.pixels[-1, 0, :, :, 0])
    with Image.open(export.save_gif(chains, tmp_path / "a.gif")) as gif:
        assert gif.n_frames == 6
    with np.load(export.save_npz(chains, tmp_path / "a.npz"), allow_pickle=False) as file:
        assert np.array_equal(file["final"], chains.final)
        assert json.loads(str(file["run"]))["seed"] == 3


def test_sampling_leaves_the_net_and_the_global_random_state_alone(studio):
    net, _ = studio.model("tiny")
    before, weights = torch.get_rng_state(), {k: v.clone() for k, v in net.state_dict().items()}
    run(studio, REQUEST)
    assert torch.equal(torch.get_rng_state(), before) and not net.training
    assert all(torch.equal(v, weights[k]) for k, v in net.state_dict().items())


def test_a_chain_depends_on_seed_and_index_and_not_on_its_batch(studio, monkeypatch):
    """Those that the page draws, 150 at once, are those that a metric draws, a chunk at a time: 150 of 150."""
    request = replace(REQUEST, count=150, steps=3)
    page = run(studio, request)
    monkeypatch.setitem(KINDS, "classifier", replace(KINDS["classifier"], chunk=40))
    metric = torch.cat(list(prepared(studio, request).last())).numpy()
    np.testing.assert_allclose(page.final, metric, atol=1e-5)
    few = run(studio, replace(request, count=7))
    np.testing.assert_allclose(few.final, page.final[:7], atol=1e-5)
    assert len({image.tobytes() for image in page.pixels[-1]}) == 150  # and no two chains are the same
