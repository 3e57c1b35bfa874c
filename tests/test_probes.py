"""Probes of a run while it goes: the numbers are those of the papers, and looking changes nothing."""

import copy
import itertools
import math

import pytest
import torch
from conftest import batchnorm_net, rand, randn, seeded, toy_classifier
from torch.nn import functional as F

from cemviz.attacks import perturb, threat
from cemviz.dynamics import settle
from cemviz.energies import marginal, on
from cemviz.training.loop import evaluating, fit
from cemviz.training.probes import DESCENT, SHOWN, Probe, gradients
from cemviz.training.supervised import adversarial

X, Y = rand(6, 1, 8, 8), torch.arange(6) % 3
UNSEEN = rand(20, 1, 8, 8, seed=50), torch.arange(20) % 3
DYN = threat("pgd", "linf", 0.1, 3, 0.05)


def near(value):
    """Probes tell four digits."""
    return pytest.approx(value, rel=6e-4)


def probe(seed=7, *, dyn=DYN, chains=None):
    return Probe("pgd", dyn, UNSEEN, rand(5, 1, 8, 8, seed=51), seeded(seed), chains)


def batches():
    for k in itertools.count():
        yield rand(6, 1, 8, 8, seed=k), Y


def run(probe=None, **how):
    """Adversarial training of a net with BatchNorm; the attack's draws are the run's own."""
    net, g = batchnorm_net().train(), seeded(1)
    objective = adversarial(DYN, generator=g)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    return list(fit(net, objective, batches(), 6, optimizer, average=0.9, generators={"g": g}, probe=probe, **how))


@pytest.mark.parametrize("every", [1, 4])
def test_a_probed_run_ends_bit_equal_to_an_unprobed_one(every):
    before = torch.get_rng_state()
    plain, probed = run()[-1].state(), run(probe(), probe_every=every)[-1].state()
    assert plain.keys() == probed.keys()
    for key in plain:
        assert torch.equal(plain[key], probed[key]), key
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("training", [True, False])
def test_a_probe_leaves_modes_gradients_statistics_and_chains_alone(training):
    net, chains = batchnorm_net().train(training), rand(9, 1, 8, 8, seed=3)
    old, copied = copy.deepcopy(net.state_dict()), chains.clone()
    net[1].eval()
    probe(chains=chains)(net, (X, Y))(net)
    assert [m.training for m in net] == [training, False, training, training, training] and net.training == training
    assert all(p.grad is None and p.requires_grad for p in net.parameters()) and torch.equal(chains, copied)
    assert all(torch.equal(old[k], v) for k, v in net.state_dict().items())


def energies_of(net, x, y):
    """E(x, y) and E(x) in eval mode, one image at a time."""
    with evaluating(net), torch.no_grad():
        rows = [net(x[i : i + 1])[0] for i in range(len(x))]
    return {
        "joint": torch.stack([-f[k] for f, k in zip(rows, y, strict=True)]),
        "marginal": torch.stack([-f.exp().sum().log() for f in rows]),
    }


def test_delta_x_is_of_the_net_before_the_update_and_delta_theta_after_it():
    """JEAT (15)."""
    old, new = batchnorm_net().train(), batchnorm_net().train()
    with torch.no_grad():
        for p in new.parameters():
            p += 0.05 * randn(*p.shape, seed=p.numel())
    record = probe(7)(old, (X, Y))(new)
    with evaluating(old):
        x_adv = perturb("pgd", old, X, Y, DYN, generator=seeded(7))
    at_x, lifted, after = energies_of(old, X, Y), energies_of(old, x_adv, Y), energies_of(new, x_adv, Y)
    for kind in ("joint", "marginal"):
        for name, change in (("delta_x", lifted[kind] - at_x[kind]), ("delta_theta", after[kind] - lifted[kind])):
            assert record[name][kind] == near([change.mean().item(), change.std(correction=0).item()])
            assert abs(record[name][kind][0]) > 1e-3


def test_attacks_lift_the_joint_energy_and_adversarial_updates_lower_it():
    """JEAT Fig. 3, with a rate at which the update of this batch shows."""
    net, g = toy_classifier((1, 8, 8), 3, scale=2.0), seeded(1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    updates = list(fit(net, adversarial(DYN, generator=g), batches(), 20, optimizer, probe=probe(), probe_every=1))
    seen = [t.probe for t in updates]
    assert all(s["delta_x"]["joint"][0] > 0 > s["delta_theta"]["joint"][0] for s in seen)


def test_no_change_gives_delta_theta_0_and_a_ball_of_radius_0_delta_x_0():
    net = batchnorm_net().train()
    record = probe()(net, (X, Y))(net)
    assert record["delta_theta"] == {"joint": [0, 0], "marginal": [0, 0]} and record["delta_x"]["joint"][0] > 0.01
    record = probe(dyn=threat("pgd", "linf", 0.0, 2))(net, (X, Y))(net)
    assert record["delta_x"] == {"joint": [0, 0], "marginal": [0, 0]} and record["consistency"] == 0 < record["contrastive"]


# the two gradients -----------------------------------------------------------------------------------------------------------


def literal(net, x, x_adv, y):
    """CEM (11) logit by logit: the likelihood gradient, its consistency part and its contrastive part, as vectors."""

    def slope(value):
        grads = torch.autograd.grad(value, list(net.parameters()), retain_graph=True)
        return torch.cat([g.flatten() for g in grads])

    whole = consistency = contrastive = 0
    for i in range(len(x)):
        f, f_adv = net(x[i : i + 1])[0], net(x_adv[i : i + 1])[0]
        p = f_adv.detach().exp() / f_adv.detach().exp().sum()
        expected = sum(p[k] * slope(f_adv[k]) for k in range(len(p)))  # y^ ~ p(. | x^), exactly
        whole = whole + (slope(f[y[i]]) - expected) / len(x)
        consistency = consistency + (slope(f[y[i]]) - slope(f_adv[y[i]])) / len(x)
        contrastive = contrastive + (slope(f_adv[y[i]]) - expected) / len(x)
    return whole, consistency, contrastive


def test_both_parts_and_their_sum_are_the_likelihood_gradient_written_out():
    net = toy_classifier((1, 8, 8), 3)
    x_adv = perturb("pgd", net, X, Y, DYN, generator=seeded(2))
    record = gradients(net, X, x_adv, Y)
    whole, a, b = literal(net, X, x_adv, Y)
    assert record["consistency"] == near(a.norm().item()) and record["contrastive"] == near(b.norm().item())
    assert record["cosine"] == near(F.cosine_similarity(a, b, dim=0).item()) and abs(record["cosine"]) > 1e-3
    both = (
        record["consistency"] ** 2
        + record["contrastive"] ** 2
        + 2 * record["cosine"] * record["consistency"] * record["contrastive"]
    )
    assert both == pytest.approx(whole.square().sum().item(), rel=2e-3)


def test_the_contrastive_gradient_is_that_of_the_adversarial_cross_entropy():
    net = toy_classifier((1, 8, 8), 3)
    x_adv = perturb("pgd", net, X, Y, DYN, generator=seeded(2))
    grads = torch.autograd.grad(F.cross_entropy(net(x_adv), Y), list(net.parameters()))
    assert gradients(net, X, x_adv, Y)["contrastive"] == near(torch.cat([g.flatten() for g in grads]).norm().item())


def test_the_consistency_gradient_is_zero_where_the_attack_did_nothing():
    record = gradients(toy_classifier((1, 8, 8), 3), X, X, Y)
    assert record["consistency"] == record["cosine"] == 0 < record["contrastive"]


def test_frozen_weights_have_no_part_in_the_gradients():
    net = toy_classifier((1, 8, 8), 3)
    x_adv = (X + 0.1).clamp(0, 1)
    whole = gradients(net, X, x_adv, Y)["contrastive"]
    net[1].requires_grad_(False)
    assert 0 < gradients(net, X, x_adv, Y)["contrastive"] < whole


# what is shown ---------------------------------------------------------------------------------------------------------------


def test_energies_are_of_the_updated_net_on_data_attacked_and_drawn_points():
    old, new = batchnorm_net().train(), batchnorm_net().train()
    with torch.no_grad():
        new[4].weight.mul_(1.5)
    measured = probe(7)
    energies = measured(old, (X, Y))(new)["energies"]
    with evaluating(old):
        x_adv = perturb("pgd", old, X, Y, DYN, generator=seeded(7))
    with evaluating(new):
        sampled = settle(on(new, marginal), measured.starts, DESCENT)
        points = {"data": (X, Y), "adversarial": (x_adv, Y), "sampled": (sampled, new(sampled).argmax(1))}
    assert energies.keys() == points.keys()
    for name, (x, y) in points.items():
        for kind, expected in energies_of(new, x, y).items():
            assert energies[name][kind] == pytest.approx(expected.tolist(), abs=6e-3)
    moved = energies_of(new, measured.starts, points["sampled"][1])["marginal"].mean()
    assert sum(energies["sampled"]["marginal"]) / 5 < moved - 0.1


def test_an_objectives_own_chains_are_shown_where_it_keeps_some():
    net, chains = batchnorm_net(), rand(100, 1, 8, 8, seed=3)
    drawn = probe(chains=chains)(net, (X, Y))(net)["energies"]["sampled"]["marginal"]
    expected = energies_of(net, chains[:SHOWN], torch.zeros(SHOWN, dtype=torch.long))["marginal"]
    assert drawn == pytest.approx(expected.tolist(), abs=6e-3) and len(drawn) == SHOWN == 64


def test_rates_are_of_held_images_clean_and_under_ten_steps_of_pgd():
    net = toy_classifier((1, 8, 8), 3)
    y = net(UNSEEN[0]).argmax(1)
    y[:5] = (y[:5] + 1) % 3  # a quarter of them wrong
    record = Probe("energy", DYN, (UNSEEN[0], y), UNSEEN[0][:2], seeded(7))(net, (X, Y))(net)
    g = seeded(7)
    perturb("energy", net, X, Y, DYN, generator=g)
    attacked = perturb("pgd", net, UNSEEN[0], y, threat("pgd", "linf", 0.1, 10), generator=g)
    assert record["clean"] == 0.75 and record["robust"] == pytest.approx((net(attacked).argmax(1) == y).double().mean().item())
    assert record["robust"] < 0.75


def test_only_the_first_of_a_large_batch_are_seen_and_numbers_are_finite():
    net, x = batchnorm_net(), rand(80, 1, 8, 8, seed=9)
    record = probe()(net, (x, torch.arange(80) % 3))(net)
    assert len(record["energies"]["data"]["joint"]) == len(record["energies"]["adversarial"]["marginal"]) == SHOWN

    def numbers(value):
        if isinstance(value, dict):
            return [n for v in value.values() for n in numbers(v)]
        return [n for v in value for n in numbers(v)] if isinstance(value, list) else [value]

    assert all(type(n) is float and math.isfinite(n) for n in numbers(record))
