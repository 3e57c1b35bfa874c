"""JEM and JEAT: Algorithm 1 line by line, and the buffer of chains: what is taken, put back, saved and restored."""

import itertools
import math

import pytest
import torch
from conftest import batchnorm_net, draw_weights, rand, seeded, toy_classifier
from torch.nn import functional as F

from cemviz.attacks import threat
from cemviz.dynamics import Diverged, Dynamics
from cemviz.nets import build
from cemviz.training.energy_based import JointEnergy, Replay
from cemviz.training.loop import fit
from cemviz.training.supervised import standard

X, Y = 0.2 + 0.6 * rand(6, 1, 8, 8), torch.arange(6) % 3  # no perturbation of .2 leaves the box, which the paper has not
SGLD = Dynamics(steps=4, step=0.05, noise=0.02, gradient="raw")
FGSM = threat("energy", "linf", 0.2, 1, 0.2)


def replay(size=10, dyn=SGLD, *, reinit=0.3, seed=5, shape=(1, 8, 8)):
    """Chains in float64; the generator stands where a fresh one has left it."""
    made = Replay(size, shape, dyn, reinit=reinit, generator=seeded(seed))
    made.chains = made.chains.double()
    return made


def gradients(net, terms):
    return torch.autograd.grad(sum(terms.values()), list(net.parameters()))


def close(a, b, tol=1e-10):
    for p, q in zip(a, b, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=tol)


# Algorithm 1 -----------------------------------------------------------------------------------------------------------------


def algorithm_1(net, seed, size, rho, attacked):
    """The paper's lines, one image at a time; returns the gradient of both parts, the buffer and the samples."""
    g = seeded(seed)
    buffer = [b[None] for b in torch.rand(size, 1, 8, 8, generator=g).double()]
    uniform = 2 * torch.rand(X.shape, generator=g, dtype=X.dtype) - 1 if attacked else None
    order = torch.randperm(size, generator=g).tolist()
    anew = torch.rand(len(X), generator=g) < rho
    fresh = torch.rand(X.shape, generator=g, dtype=X.dtype)
    noise = [torch.randn(X.shape, generator=g, dtype=X.dtype) for _ in range(4)]

    def slope(energy, x):
        x = x.detach().requires_grad_()
        return torch.autograd.grad(energy(x), x)[0]

    def of_x(x):  # E(x)
        return -net(x)[0].exp().sum().log()

    total, samples = [torch.zeros_like(p) for p in net.parameters()], []
    for i in range(len(X)):
        x, y = X[i : i + 1], Y[i]
        x_adv = x
        if attacked:
            delta = 0.2 * uniform[i]
            delta = delta + 0.2 * slope(lambda at, y=y: -net(at)[0, y], x + delta).sign()
            x_adv = x + delta.clamp(-0.2, 0.2)
        sample = fresh[i : i + 1] if anew[i] else buffer[order[i]]
        for t in range(4):
            sample = (sample - 0.05 * slope(of_x, sample) + 0.02 * noise[t][i]).clamp(0, 1)
        buffer[order[i]] = sample
        samples.append(sample)
        of_label = -net(x_adv)[0, y]
        first = torch.autograd.grad(of_label - of_x(x_adv), list(net.parameters()))
        second = torch.autograd.grad(of_x(x_adv) - of_x(sample), list(net.parameters()))
        total = [t + (a + b) / len(X) for t, a, b in zip(total, first, second, strict=True)]
    return total, torch.cat(buffer), torch.cat(samples)


@pytest.mark.parametrize("attacked", [False, True], ids=["jem", "jeat"])
def test_the_gradient_equals_a_literal_transcription(attacked):
    """U(-eps, eps) + eps sign grad E(x, y), clipped; SGLD on E(x) from B or anew; both gradients; the samples go back."""
    net = toy_classifier((1, 8, 8), 3)
    own = replay()
    objective = JointEnergy(own, FGSM if attacked else None, generator=own.generator)
    before = own.chains.clone()
    ours = gradients(net, objective(net, (X, Y), 0.0))
    expected, buffer, _ = algorithm_1(net, 5, 10, 0.3, attacked)
    close(ours, expected)
    torch.testing.assert_close(own.chains, buffer, rtol=0, atol=1e-10)
    assert (before != own.chains).flatten(1).any(1).sum() == 6


@pytest.mark.parametrize("attacked", [False, True], ids=["jem", "jeat"])
def test_the_energy_of_the_data_cancels_from_the_sum_of_the_terms(attacked):
    """grad [E(x', y) - E(x~)], and the terms are cross-entropy and E(x') - E(x~)."""
    net, buffer = toy_classifier((1, 8, 8), 3), replay()
    _, _, samples = algorithm_1(net, 5, 10, 0.3, attacked)
    seen = []
    handle = net.register_forward_pre_hook(lambda m, args: seen.append(args[0].detach()))
    terms = JointEnergy(buffer, FGSM if attacked else None, generator=buffer.generator)(net, (X, Y), 0.0)
    handle.remove()
    x, f, f_sampled = seen[-2], net(seen[-2]), net(samples)
    assert list(terms) == ["cross-entropy", "energy gap"]
    assert terms["cross-entropy"].item() == pytest.approx(F.cross_entropy(f, Y).item())
    assert terms["energy gap"].item() == pytest.approx((f_sampled.logsumexp(1) - f.logsumexp(1)).mean().item())
    alone = -f[torch.arange(6), Y].mean() + f_sampled.logsumexp(1).mean()
    close(gradients(net, terms), torch.autograd.grad(alone, list(net.parameters())))
    assert torch.equal(x, X) != attacked and (x - X).abs().max() <= 0.2 + 1e-12


def test_calm_adds_the_mean_squares_of_both_energies_and_0_adds_nothing():
    net, buffer = toy_classifier((1, 8, 8), 3), replay()
    terms = JointEnergy(buffer, calm=0.5, generator=buffer.generator)(net, (X, Y), 0.0)
    twin = replay()
    plain = JointEnergy(twin, generator=twin.generator)(net, (X, Y), 0.0)
    assert list(plain) == ["cross-entropy", "energy gap"] and all(torch.equal(terms[k], plain[k]) for k in plain)
    sampled = replay().negatives(net, len(X))
    by_hand = 0.5 * (net(X).logsumexp(1).square().mean() + net(sampled).logsumexp(1).square().mean())
    torch.testing.assert_close(terms["energy size"], by_hand)
    with pytest.raises(ValueError, match="calm is -1"):
        JointEnergy(replay(), calm=-1.0)


def test_a_gap_without_chain_steps_is_that_of_the_data_and_the_buffer():
    net, buffer = toy_classifier((1, 8, 8), 3), replay(6, Dynamics(0), reinit=0.0)
    gap = JointEnergy(buffer)(net, (X, Y), 0.0)["energy gap"]
    assert gap.item() == pytest.approx((net(buffer.chains).logsumexp(1) - net(X).logsumexp(1)).mean().item())


# the buffer ------------------------------------------------------------------------------------------------------------------


def test_chains_begin_as_uniform_noise_from_the_given_generator():
    assert torch.equal(Replay(7, (3, 4, 4), SGLD, generator=seeded(2)).chains, torch.rand(7, 3, 4, 4, generator=seeded(2)))


def test_chains_are_put_back_where_they_were_taken_and_picks_differ():
    net, buffer = toy_classifier((1, 8, 8), 3), replay(20, reinit=0.0)
    for _ in range(5):
        before = buffer.chains.clone()
        x = buffer.negatives(net, 8)
        moved = (buffer.chains != before).flatten(1).any(1).nonzero().flatten().tolist()
        assert len(moved) == 8 and {tuple(buffer.chains[i].flatten().tolist()) for i in moved} == {
            tuple(row.flatten().tolist()) for row in x
        }
        for i in moved:  # each stands near where it stood; two chains lie .33 a pixel apart
            assert (buffer.chains[i] - before[i]).abs().mean() < 0.15


def test_every_chain_is_used_when_the_batch_is_the_buffer():
    buffer = replay(8, reinit=0.0)
    before = buffer.chains.clone()
    buffer.negatives(toy_classifier((1, 8, 8), 3), 8)
    assert (buffer.chains != before).flatten(1).any(1).all()


def test_without_steps_and_fresh_starts_the_negatives_are_the_chains():
    buffer = replay(8, Dynamics(0), reinit=0.0)
    before = buffer.chains.clone()
    x = buffer.negatives(toy_classifier((1, 8, 8), 3), 8)
    assert torch.equal(buffer.chains, before) and torch.equal(x.flatten(1).sum(1).sort()[0], before.flatten(1).sum(1).sort()[0])


def test_reinit_1_never_looks_at_the_buffer_and_reinit_0_never_leaves_it():
    net = toy_classifier((1, 8, 8), 3)
    ends = {}
    for rho, filled in itertools.product((0.0, 1.0), (0.2, 0.8)):
        buffer = replay(8, reinit=rho)
        buffer.chains.fill_(filled)
        ends[rho, filled] = buffer.negatives(net, 8)
    assert torch.equal(ends[1.0, 0.2], ends[1.0, 0.8]) and not torch.equal(ends[0.0, 0.2], ends[0.0, 0.8])
    assert ends[1.0, 0.2].std() > 0.25 > 0.15 > ends[0.0, 0.8].std()


def test_the_share_of_fresh_chains_is_rho():
    buffer = replay(4000, Dynamics(0), reinit=0.2, shape=(1, 1, 1))
    buffer.chains.fill_(2.0)
    x = buffer.negatives(toy_classifier((1, 1, 1), 3), 4000)
    share = (x < 2).double().mean().item()
    assert share == pytest.approx(0.2, abs=4 * math.sqrt(0.2 * 0.8 / 4000))
    assert x[x < 2].mean().item() == pytest.approx(0.5, abs=0.05)


def test_negatives_have_lower_energy_and_no_graph():
    net, buffer = toy_classifier((1, 8, 8), 3), replay(8, Dynamics(20, 0.5, gradient="raw"), reinit=0.0)
    before = -net(buffer.chains).logsumexp(1).mean()
    x = buffer.negatives(net, 8)
    assert -net(x).logsumexp(1).mean() < before - 0.5 and not x.requires_grad and not buffer.chains.requires_grad


def test_points_of_the_plane_have_chains_too():
    buffer = replay(9, shape=(2,), reinit=0.5)
    assert buffer.negatives(toy_classifier((2,), 3), 5).shape == (5, 2)


def test_chains_run_in_eval_mode_and_move_no_statistics():
    net, buffer = batchnorm_net().train(), replay()
    net[0].eval()
    mean = net[1].running_mean.clone()
    buffer.negatives(net, 6)
    assert torch.equal(net[1].running_mean, mean) and net[1].num_batches_tracked == 0
    assert [m.training for m in net] == [False, True, True, True, True]
    assert all(p.grad is None for p in net.parameters())


def test_training_on_them_is_in_train_mode_and_leaves_global_randomness():
    net, buffer, seen, before = batchnorm_net().train(), replay(), [], torch.get_rng_state()
    net.register_forward_pre_hook(lambda m, args: seen.append(m.training))
    JointEnergy(buffer, FGSM, generator=buffer.generator)(net, (X, Y), 0.0)
    assert seen == [False] * 5 + [True] * 2 and torch.equal(torch.get_rng_state(), before)


def test_a_chain_that_meets_nan_stays_where_it_was():
    net, buffer = toy_classifier((1, 8, 8), 3), replay(reinit=0.0)
    before = buffer.chains.clone()
    with torch.no_grad():
        next(net.parameters()).fill_(math.nan)
    assert buffer.negatives(net, 6).isnan().all() and torch.equal(buffer.chains, before)


def test_more_negatives_than_chains_and_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="batch is 11, but the buffer holds 10 chains; raise buffer or lower batch"):
        replay().negatives(toy_classifier((1, 8, 8), 3), 11)
    with pytest.raises(ValueError, match=r"buffer \(number of chains\) is 0"):
        replay(0)
    for share in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"ρ \(reinit\) is"):
            replay(reinit=share)


# runs ------------------------------------------------------------------------------------------------------------------------


def batches(start=0):
    for k in itertools.count(start):
        yield rand(6, 1, 8, 8, seed=k), torch.arange(6) % 3


@pytest.mark.parametrize("dyn", [None, FGSM], ids=["jem", "jeat"])
def test_a_run_with_a_buffer_resumes_bit_equal_and_needs_it(dyn):
    def run(resume=None, stop=8):
        net = batchnorm_net().train()
        buffer = replay(10)
        done = int(resume["step"]) if resume else 0
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
        objective = JointEnergy(buffer, dyn, generator=buffer.generator)
        how = {"generators": {"draws": buffer.generator}, "resume": resume}
        for progress in fit(net, objective, batches(done), 8, optimizer, **how):
            if progress.step == stop:
                return progress.state()
        return None

    half, whole = run(stop=3), run()
    assert half["tensor.chains"].shape == (10, 1, 8, 8)
    assert not torch.equal(half["tensor.chains"], whole["tensor.chains"])  # and the state is a copy
    resumed = run(half)
    assert whole.keys() == resumed.keys()
    for key in whole:
        assert torch.equal(whole[key], resumed[key]), key
    other = run(half | {"tensor.chains": torch.rand_like(half["tensor.chains"])})
    assert not torch.equal(other["net.4.weight"], whole["net.4.weight"])
    with pytest.raises(ValueError, match="the saved state is of another run"):
        run({k: v for k, v in half.items() if k != "tensor.chains"})


def test_a_run_that_diverges_keeps_finite_chains():
    net, buffer = toy_classifier((1, 8, 8), 3), replay()

    def spoilt():
        yield next(batches())
        yield X * math.nan, Y

    run = fit(net, JointEnergy(buffer, generator=buffer.generator), spoilt(), 5, torch.optim.SGD(net.parameters(), lr=0.01))
    good = next(run)
    with pytest.raises(Diverged, match="energy gap nan"):
        next(run)
    assert all(v.isfinite().all() for v in good.state().values() if v.is_floating_point())


def mixture(n, seed):
    """Two blobs of the unit square, one a class."""
    y = torch.arange(n) % 2
    centres = torch.tensor([[0.3, 0.3], [0.7, 0.7]]).double()
    return (centres[y] + 0.06 * torch.randn(n, 2, generator=seeded(seed), dtype=torch.float64)).clamp(0, 1), y


@pytest.mark.parametrize("dyn", [None, threat("energy", "linf", 0.05, 1, 0.05)], ids=["jem", "jeat"])
def test_on_a_toy_cross_entropy_falls_gaps_stay_small_and_data_lies_lowest(dyn):
    net = draw_weights(build("mlp", outputs=2, width=32, depth=2).double(), 1)
    buffer = replay(256, Dynamics(10, 0.02, 0.05, gradient="raw"), reinit=0.05, shape=(2,))
    endless = (mixture(64, seed) for seed in itertools.count())
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    objective = JointEnergy(buffer, dyn, generator=buffer.generator)
    curves = [p.terms for p in fit(net, objective, endless, 300, optimizer)]
    assert curves[-1]["cross-entropy"] < 0.2 * curves[0]["cross-entropy"]
    assert max(abs(t["energy gap"]) for t in curves) < 5
    (x, y), everywhere = mixture(500, 10_000), torch.rand(500, 2, generator=seeded(9), dtype=torch.float64)
    assert standard(net, (x, y), 0.0)["cross-entropy"] < 0.15
    data, rest = (-net(at).logsumexp(1).mean().item() for at in (x, everywhere))
    assert data < rest - 0.5
