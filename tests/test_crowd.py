"""Chains of an encoder, which move as one batch: on a small net of its own, without shipped weights and without a data set."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import draw_weights, rand, seeded
from torch import nn
from torch.nn import functional as F

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.kinds import KINDS
from cemviz.backend.requests import SampleRequest
from cemviz.backend.sample import export
from cemviz.backend.sample.chains import Chains, offered, sample
from cemviz.backend.sample.crowd import REFERENCES, Crowd
from cemviz.backend.studio import Studio
from cemviz.draws import Each
from cemviz.dynamics import Dynamics, descend, settle
from cemviz.energies import against, crowding, joint, marginal, pair
from cemviz.nets import build
from cemviz.nets.instances import Instances
from cemviz.samplers import SAMPLERS
from cemviz.starts import STARTS, Source, draw, fit

SHAPE = (1, 8, 8)
ARGS = {"mean": [0.5], "std": [0.5], "width": 4, "depth": 1, "norm": "none", "activation": "silu", "projection": [8, 4]}
REQUEST = SampleRequest("tiny", "maxent", count=6, start="gaussian", steps=5, step=0.5, noise=0.02, seed=3)


def card(name: str, kind: str = "encoder", **changes) -> store.Card:
    values = {
        "name": name, "title": name.upper(), "kind": kind, "net": kind, "net_args": ARGS, "data": "toyset", "shape": SHAPE,
        "classes": ("ant", "bee", "cat"), "recipe": "", "scale": "", "recipe_args": {}, "norm": "l2", "radius": 1.0, "seed": 0,
        "steps": 0, "seconds": 0.0, "device": "", "command": "", "created": "",
    }  # fmt: skip
    return store.Card(**values | changes)


@pytest.fixture
def studio(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path))
    (tmp_path / "no-data").mkdir()
    monkeypatch.setenv("CEMVIZ_DATA", str(tmp_path / "no-data"))
    store.save(draw_weights(build("encoder", **ARGS), 1, 2.0), card("tiny"))
    store.save_gaussians("toyset", fit(torch.rand(90, *SHAPE, generator=seeded()), torch.arange(90) % 3, 3, rank=4))
    return Studio(choose("cpu"))


def run(studio: Studio, request: SampleRequest = REQUEST) -> Chains:
    *_, last = sample(studio, request)
    return last


def small() -> nn.Module:
    return draw_weights(build("encoder", **ARGS), 5, 2.0).double().eval().requires_grad_(False)


# ---------------------------------------------------------------------------------------------------------- records


def test_the_numbers_of_a_step_are_those_of_a_double_loop():
    net, x0 = small(), rand(4, *SHAPE)
    crowd = Crowd(net, SAMPLERS["maxent"], x0)
    for state in descend(crowd, x0, Dynamics(steps=3, step=0.8)):
        row, x = crowd.row(state), state.x
        f = [[float(net(a[None])[0] @ net(b[None])[0]) for b in x] for a in x]
        cosine = [[float(F.cosine_similarity(net(a[None]), net(b[None]))) for b in x] for a in x]
        for i in range(4):
            assert float(row["crowding"][i]) == pytest.approx(math.log(sum(map(math.exp, f[i]))))
            assert float(row["similarity"][i]) == pytest.approx(sum(cosine[i][j] for j in range(4) if j != i) / 3)
            assert float(row["own"][i]) == pytest.approx(float(F.cosine_similarity(net(x[i][None]), net(x0[i][None]))))
            assert float(row["distance"][i]) == pytest.approx(float((x[i] - x0[i]).norm()))
        entropy = -sum(math.log(sum(map(math.exp, f[i])) / 4) for i in range(4)) / 4
        assert row["entropy"].tolist() == pytest.approx([entropy] * 4)
        leaf = x.clone().requires_grad_()
        z = net(leaf)
        (grad,) = torch.autograd.grad((z @ z.T).exp().sum(1).log().sum(), leaf)
        torch.testing.assert_close(row["slope"], grad.flatten(1).norm(dim=1))
    assert cosine[0][1] < 0.999  # else all of this would hold for features that never differ


def test_the_plane_is_one_projection_of_all_steps_along_what_varies_most():
    net, x0 = small(), rand(5, *SHAPE)
    crowd = Crowd(net, SAMPLERS["maxent"], x0)
    for state in descend(crowd, x0, Dynamics(steps=4, step=1.0)):
        crowd.row(state)
    plane, marks = crowd.plane(rand(3, *SHAPE, seed=9))
    features = torch.cat([torch.stack(crowd.path).flatten(0, 1), F.normalize(net(rand(3, *SHAPE, seed=9)), dim=1)])
    shown = torch.cat([plane.flatten(0, 1), marks])
    assert plane.shape == (5, 5, 2) and marks.shape == (3, 2)
    axes = torch.linalg.lstsq(features, shown).solution  # one linear map, with orthonormal columns, for every step and mark
    torch.testing.assert_close(features @ axes, shown)
    torch.testing.assert_close(axes.T @ axes, torch.eye(2, dtype=axes.dtype))
    kept = shown.var(0, correction=0).sum()
    most = torch.linalg.eigvalsh(features.T.cov(correction=0))[-2:].sum()
    torch.testing.assert_close(kept, most)
    alone, none = crowd.plane(None)
    assert none is None and alone.shape == plane.shape and (alone.norm(dim=2) <= 1 + 1e-9).all()


# ----------------------------------------------------------------------------------------------------------- chains

BY_HAND = {
    "maxent": lambda z, start: crowding(z),
    "pgd": lambda z, start: against(z, z) - pair(z, start),
}


@pytest.mark.parametrize("features", ["projection", "trunk"])
@pytest.mark.parametrize("name", BY_HAND)
def test_chains_are_those_of_the_energy_run_by_hand(studio, name, features):
    chains = run(studio, replace(REQUEST, sampler=name, features=features))
    net, card = studio.model("tiny")
    g = net if features == "projection" else net.of_trunk
    x0 = draw("gaussian", studio.source(card), torch.zeros(6, dtype=torch.int64), Each(3, range(6)))
    start = g(x0)
    last = settle(lambda x: BY_HAND[name](g(x), start), x0, chains.dynamics, generator=Each(4, range(6)))
    np.testing.assert_allclose(chains.final, last, atol=1e-5)
    assert chains.dynamics == Dynamics(steps=5, step=0.5, noise=0.02) and chains.settings["features"] == features
    assert not np.array_equal(chains.pixels[0], chains.pixels[-1])


def test_langevin_against_data_needs_some_and_takes_it_for_references(studio, monkeypatch):
    request = replace(REQUEST, sampler="langevin-pairs")
    with pytest.raises(LookupError, match="images of toyset, which are not on this machine"):
        run(studio, request)
    images = torch.randint(256, (REFERENCES + 40, *SHAPE), generator=seeded(8), dtype=torch.uint8)
    gaussians = store.load_gaussians("toyset", "cpu")
    monkeypatch.setattr(Studio, "source", lambda self, card: Source(SHAPE, gaussians, images))
    chains = run(studio, request)
    net, _ = studio.model("tiny")
    picks = torch.randperm(len(images), generator=seeded(5))[:REFERENCES]
    refs = net(images[picks].float() / 255)
    x0 = draw("gaussian", Source(SHAPE, gaussians), torch.zeros(6, dtype=torch.int64), Each(3, range(6)))
    last = settle(lambda x: against(net(x), refs), x0, chains.dynamics, generator=Each(4, range(6)))
    np.testing.assert_allclose(chains.final, last, atol=1e-5)


def test_only_a_probe_of_this_encoder_says_what_the_samples_show(studio, tmp_path):
    chains = run(studio)
    assert chains.predicted is chains.confidence is chains.judge is None
    assert chains.landmarks.shape == (3, 2) and chains.plane.shape == (6, 6, 2)
    with np.load(export.save_npz(chains, tmp_path / "a.npz"), allow_pickle=False) as file:
        assert {"plane", "landmarks", "crowding", "entropy"} <= set(file) and not {"predicted", "confidence"} & set(file)
    plain = {k: v for k, v in ARGS.items() if k != "projection"} | {"outputs": 3}
    net = draw_weights(build("small-resnet", **plain), 2, 3.0)
    for encoder, reader in (("another", None), ("tiny", "tiny-probe")):
        probe = card(
            "tiny-probe", "classifier", net="small-resnet", net_args=plain, recipe_args={"encoder": encoder}, role="probe"
        )
        store.save(net, probe)
        assert run(Studio(choose("cpu"))).judge == reader
    chains = run(Studio(choose("cpu")))
    f = studio.model("tiny-probe")[0](torch.from_numpy(chains.final))
    assert chains.predicted.tolist() == f.argmax(1).tolist()
    np.testing.assert_allclose(chains.confidence, f.softmax(1).amax(1), atol=1e-6)


def test_every_kind_begins_with_what_fits_it_and_the_rest_is_refused(studio):
    for kind, row in KINDS.items():
        usual = row.usual
        assert (
            SAMPLERS[usual["sampler"]].needs == (row.stands_for or kind)
            and usual["start"] in STARTS
            and usual["sampler"] in offered(card("x", kind))
        )
    assert offered(card("x")) == ["maxent", "pgd", "langevin-pairs"]
    with pytest.raises(BadInput, match="'rcs' needs a classifier; 'tiny' is an encoder: it has maxent, pgd, langevin-pairs"):
        run(studio, replace(REQUEST, sampler="rcs"))
    with pytest.raises(BadInput, match="features is 'head'; choose one of projection, trunk"):
        run(studio, replace(REQUEST, features="head"))


# -------------------------------------------------------------------------------------------------------- instances


def test_an_encoder_with_anchors_is_a_classifier_of_instances():
    net, x, images = small(), rand(3, *SHAPE, seed=2), rand(7, *SHAPE, seed=4)
    scores, z, refs = Instances(net, images)(x), net(x), net(images)
    y = torch.tensor([6, 0, 2])
    torch.testing.assert_close(joint(scores, y), pair(z, refs[y]))
    torch.testing.assert_close(marginal(scores), against(z, refs))
    for i, k in ((0, 6), (2, 5)):
        assert float(scores[i, k]) == pytest.approx(float((z[i] * refs[k]).sum()))
