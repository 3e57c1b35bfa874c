"""Probes of a run without labels: energies of pairs before and after an update, both halves of the gradient, neighbours."""

import copy
import itertools

import pytest
import torch
from conftest import draw_weights, rand, seeded
from torch.nn import functional as F

from cemviz.data.views import affine
from cemviz.dynamics import Dynamics, settle
from cemviz.energies import infonce, negated, on
from cemviz.nets import build
from cemviz.starts import near
from cemviz.training.contrastive import all_adversarial
from cemviz.training.loop import evaluating, fit
from cemviz.training.pair_probe import PairProbe, gradients

X, Y = rand(6, 1, 8, 8, dtype=torch.float32), torch.arange(6) % 3
UNSEEN = rand(9, 1, 8, 8, seed=50, dtype=torch.float32), torch.arange(9) % 3
BANK = rand(30, 1, 8, 8, seed=51, dtype=torch.float32), torch.arange(30) % 3
DYN = Dynamics(3, 0.3, radius=0.6)


def encoder(norm="batch"):
    return build("encoder", seed=2, width=4, depth=1, projection=(8, 3), norm=norm).train()


def probe(seed=7, dyn=DYN, unseen=UNSEEN):
    return PairProbe(dyn, affine, unseen, BANK, seeded(seed))


def close(value):
    return pytest.approx(value, rel=2e-3, abs=2e-4)


def run(probe=None):
    net, g = encoder(), seeded(1)
    batches = ((rand(6, 1, 8, 8, seed=k, dtype=torch.float32), Y) for k in itertools.count())
    goal = all_adversarial(DYN, affine, generator=g)
    return list(
        fit(net, goal, batches, 4, torch.optim.AdamW(net.parameters(), 0.01), generators={"g": g}, probe=probe, probe_every=2)
    )


def test_a_probed_run_ends_bit_equal_to_an_unprobed_one():
    plain, probed = run()[-1].state(), run(probe())[-1].state()
    assert plain.keys() == probed.keys() and all(torch.equal(plain[k], probed[k]) for k in plain)


@pytest.mark.parametrize("norm", ["batch", "double"])
def test_a_probe_leaves_modes_gradients_and_statistics_alone(norm):
    net = encoder(norm)
    old = copy.deepcopy(net.state_dict())
    probe()(net, (X, Y))(net)
    assert all(m.training for m in net.modules()) and all(p.grad is None for p in net.parameters())
    assert all(torch.equal(old[k], v) for k, v in net.state_dict().items())


def pairs(net, v, other):
    """E(x, x') and E(x) against the other views, pair by pair."""
    with evaluating(net), torch.no_grad():
        z, refs = net(v), net(other)
        joint = torch.stack([-(a @ b) for a, b in zip(z, refs, strict=True)])
        marginal = torch.stack([-torch.stack([(a @ b).exp() for b in refs]).sum().log() for a in z])
    return {"joint": joint, "marginal": marginal}


def test_changes_are_of_the_net_before_and_after_at_equal_attacked_views():
    before, after = encoder(), encoder()
    with torch.no_grad():
        for p in after.parameters():
            p.mul_(1.1)
    record = probe()(before, (X, Y))(after)
    g = seeded(7)
    v, other = affine(X, g), affine(X, g)
    with evaluating(before):
        refs = before(other).detach()
        v_adv = settle(on(before, negated(infonce), refs, refs), v, DYN, start=near(v, DYN, generator=g))
    clean, lifted, lowered = pairs(before, v, other), pairs(before, v_adv, other), pairs(after, v_adv, other)
    for k in ("joint", "marginal"):
        for name, change in (("delta_x", lifted[k] - clean[k]), ("delta_theta", lowered[k] - lifted[k])):
            assert record[name][k] == [close(change.mean().item()), close(change.std(correction=0).item())]
    assert record["delta_x"]["joint"][0] > 0
    assert record["energies"]["data"]["joint"] == [close(round(e, 2)) for e in pairs(after, v, other)["joint"].tolist()]


def test_both_halves_are_those_of_the_likelihood_of_pairs_written_out():
    net = encoder().eval()
    v, v_adv, other = X, (X + 0.1).clamp(0, 1), X.flip(3)
    weights = list(net.parameters())

    def flat(loss):
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights)])

    def f(a, b):
        return net(a) @ net(b).T

    consistency = flat((f(v, other).diagonal() - f(v_adv, other).diagonal()).mean())
    scores = f(v_adv, other)
    contrastive = flat((scores.diagonal() - (scores.softmax(1).detach() * scores).sum(1)).mean())
    record = gradients(net, v, v_adv, other)
    assert record["consistency"] == close(consistency.norm().item())
    assert record["contrastive"] == close(contrastive.norm().item())
    assert record["cosine"] == close(F.cosine_similarity(consistency, contrastive, 0).item())


def test_rates_are_of_the_nearest_labelled_neighbour_clean_and_attacked():
    net = encoder()
    known = (BANK[0][:9], BANK[1][:9])
    record = probe(unseen=known)(net, (X, Y))(net)
    assert record["clean"] == 1.0  # each image is its own neighbour
    wrong = (BANK[0][:9], (BANK[1][:9] + 1) % 3)
    assert probe(unseen=wrong)(net, (X, Y))(net)["clean"] == 0.0
    far = probe(unseen=known, dyn=Dynamics(20, 1.0, radius=8.0))(net, (X, Y))(net)
    assert far["clean"] == 1.0 > far["robust"]


def test_sampled_points_go_down_the_energy_against_the_views():
    net = draw_weights(encoder(), 2, 3.0).eval()  # a fresh net sees all images alike
    record = probe()(net, (X, Y))(net)
    g = seeded(7)
    _, other = affine(X, g), affine(X, g)
    noise = torch.rand(X.shape, generator=seeded(3))
    assert sum(record["energies"]["sampled"]["marginal"]) / 6 < pairs(net, noise, other)["marginal"].mean() - 0.02
    assert all(len(e) == 6 for both in record["energies"].values() for e in both.values())
