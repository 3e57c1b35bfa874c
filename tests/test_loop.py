"""The training loop: resuming is bit-equal, the guard keeps the last good state, schedules and averages are what they say."""

import itertools
import math

import pytest
import torch
from conftest import batchnorm_net, draw_weights, rand, seeded
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from cemviz.training.loop import Diverged, averaged, constant, evaluating, fit, late_cosine, multi_step, one_cycle, warm_up

OPTIMIZERS = {
    "adamw": lambda net: torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.1),
    "sgd": lambda net: torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9),
}


def noisy_loss(generator):
    """Cross-entropy on inputs with noise: its draws are part of a run's state."""

    def objective(net, batch, progress):
        x, y = batch
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        return {"ce": F.cross_entropy(net(x + 0.1 * noise), y), "decay": 1e-3 * next(net.parameters()).square().sum()}

    return objective


def batches(start=0):
    for k in itertools.count(start):
        yield rand(6, 1, 8, 8, seed=k), torch.arange(6) % 3


def linear():
    """A net without statistics: f = w x."""
    with torch.random.fork_rng(devices=[]):
        return draw_weights(nn.Linear(4, 3).double(), 1)


def plain(net, batch, progress):
    x, y = batch
    return {"ce": F.cross_entropy(net(x), y)}


def vectors(start=0):
    for k in itertools.count(start):
        yield rand(6, 4, seed=k), torch.arange(6) % 3


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_resumed_from_a_file_is_bit_equal_to_one_never_stopped(tmp_path, optimizer, average):
    def run(resume=None, stop=10):
        net, g = batchnorm_net().train(), seeded(1)
        done = int(resume["step"]) if resume else 0
        how = {"schedule": one_cycle, "average": average, "clip": 1.0, "generators": {"noise": g}, "resume": resume}
        for progress in fit(net, noisy_loss(g), batches(done), 10, OPTIMIZERS[optimizer](net), **how):
            if progress.step == stop:
                return progress.state()
        return None

    save_file(run(stop=4), tmp_path / "state.safetensors")
    whole, resumed = run(), run(load_file(tmp_path / "state.safetensors"))
    assert whole.keys() == resumed.keys() and int(whole["step"]) == 10
    assert {k.split(".")[0] for k in whole} == {"net", "optimizer", "generator", "step"} | ({"average"} if average else set())
    for key in whole:
        assert torch.equal(whole[key], resumed[key]), key


def test_a_state_is_a_copy_that_later_steps_do_not_change():
    net = linear()
    run = fit(net, plain, vectors(), 3, OPTIMIZERS["adamw"](net), average=0.5)
    state = next(run).state()
    copied = {k: v.clone() for k, v in state.items()}
    next(run)
    assert all(torch.equal(state[k], copied[k]) for k in state)


def test_fit_minimises_the_sum_of_the_terms_as_gradient_descent_by_hand():
    net, by_hand = linear(), linear()
    objective = lambda net, batch, progress: {"a": net(batch[0]).sum(), "b": net(batch[0]).square().mean()}  # noqa: E731
    list(fit(net, objective, vectors(), 2, torch.optim.SGD(net.parameters(), lr=0.05), schedule=lambda p: 1 - p))
    for k, rate in enumerate([0.05, 0.025]):
        f = by_hand(rand(6, 4, seed=k))
        grads = torch.autograd.grad(f.sum() + f.square().mean(), list(by_hand.parameters()))
        with torch.no_grad():
            for p, g in zip(by_hand.parameters(), grads, strict=True):
                p -= rate * g
    for a, b in zip(net.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_progress_tells_step_terms_and_rate_and_objectives_get_the_share():
    net, shares = linear(), []
    objective = lambda net, batch, progress: shares.append(progress) or plain(net, batch, progress)  # noqa: E731
    updates = list(fit(net, objective, vectors(), 4, torch.optim.SGD(net.parameters(), lr=0.5), schedule=multi_step(0.5)))
    assert shares == [0, 0.25, 0.5, 0.75]
    assert [p.step for p in updates] == [1, 2, 3, 4] and {p.steps for p in updates} == {4}
    assert [p.lr for p in updates] == pytest.approx([0.5, 0.5, 0.05, 0.05])
    first = F.cross_entropy(linear()(rand(6, 4, seed=0)), torch.arange(6) % 3).item()
    assert updates[0].terms == {"ce": pytest.approx(first)}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1001.0, -1001.0])
def test_a_bad_term_stops_the_run_and_leaves_the_state_before_that_step(bad):
    net = batchnorm_net().train()

    def objective(net, batch, progress):
        x, y = batch
        spoilt = progress >= 0.2
        scores = net(x * math.nan if spoilt else x)  # NaN reaches BatchNorm's statistics
        return {"ce": F.cross_entropy(scores.nan_to_num(), y), "gap": scores.new_tensor(bad if spoilt else 1.0)}

    run = fit(net, objective, batches(), 10, OPTIMIZERS["adamw"](net), average=0.9)
    next(run)
    good = next(run)
    before = good.state()
    with pytest.raises(Diverged, match=r"diverged at step 3 of 10 \(ce .*gap .*\); lower lr \(0\.01\)"):
        next(run)
    after = good.state()
    for key in before:
        assert torch.equal(after[key], before[key]), key


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_not_finite_before_any_update_is_not_blamed_on_the_rate(bad):
    net = linear()
    objective = lambda net, batch, progress: {"gap": bad * plain(net, batch, progress)["ce"]}  # noqa: E731
    with pytest.raises(
        Diverged, match=r"diverged at step 1 of 10 \(gap .*\): the loss is not finite before any update"
    ) as seen:
        next(fit(net, objective, vectors(), 10, OPTIMIZERS["adamw"](net)))
    assert "lower lr" not in str(seen.value)


def test_a_term_just_below_the_limit_does_not_stop_a_run():
    net = linear()
    objective = lambda net, batch, progress: plain(net, batch, progress) | {"gap": torch.tensor(-999.0)}  # noqa: E731
    assert len(list(fit(net, objective, vectors(), 2, OPTIMIZERS["sgd"](net)))) == 2


@pytest.mark.parametrize("clip", [1e-3, math.inf])
def test_clip_bounds_the_whole_gradients_norm_and_keeps_its_direction(clip):
    net, old = linear(), linear()
    next(fit(net, plain, vectors(), 1, torch.optim.SGD(net.parameters(), lr=1.0), clip=clip))
    moved = torch.cat([(a - b).flatten() for a, b in zip(old.parameters(), net.parameters(), strict=True)]).detach()
    grads = torch.autograd.grad(plain(old, next(vectors()), 0)["ce"], list(old.parameters()))
    g = torch.cat([x.flatten() for x in grads])
    expected = g if math.isinf(clip) else g * clip / g.norm()
    torch.testing.assert_close(moved, expected, rtol=1e-3 if math.isfinite(clip) else 1e-9, atol=1e-12)


def test_the_average_is_the_exponential_moving_average_of_the_weights():
    net, decay, slow = linear(), 0.8, None
    progress = None
    for progress in fit(net, plain, vectors(), 5, OPTIMIZERS["sgd"](net), average=decay):  # noqa: B007
        now = net.weight.detach().clone()
        slow = now if slow is None else decay * slow + (1 - decay) * now
    state = averaged(progress.state())
    torch.testing.assert_close(state["weight"], slow)
    assert state.keys() == net.state_dict().keys() and not torch.equal(state["weight"], net.weight)


def test_averaged_without_an_average_returns_the_last_weights():
    net = linear()
    *_, last = fit(net, plain, vectors(), 2, OPTIMIZERS["sgd"](net))
    state = averaged(last.state())
    assert state.keys() == net.state_dict().keys() and torch.equal(state["weight"], net.weight)


def test_a_state_of_another_net_or_without_an_asked_average_is_refused():
    net = linear()
    *_, last = fit(net, plain, vectors(), 1, OPTIMIZERS["sgd"](net))
    other = batchnorm_net()
    with pytest.raises(ValueError, match="the saved state is of another run"):
        next(fit(other, plain, batches(), 2, OPTIMIZERS["sgd"](other), resume=last.state()))
    with pytest.raises(ValueError, match="the saved state is of another run"):
        next(fit(net, plain, vectors(), 2, OPTIMIZERS["sgd"](net), resume=last.state(), average=0.9))


def test_a_finished_run_yields_nothing_more():
    net = linear()
    *_, last = fit(net, plain, vectors(), 2, OPTIMIZERS["sgd"](net))
    assert list(fit(net, plain, vectors(), 2, OPTIMIZERS["sgd"](net), resume=last.state())) == []


def test_fit_leaves_the_nets_mode_and_the_global_random_state_alone():
    net, before = batchnorm_net().eval(), torch.get_rng_state()
    list(fit(net, noisy_loss(seeded()), batches(), 2, OPTIMIZERS["adamw"](net), average=0.5))
    assert not net.training and torch.equal(torch.get_rng_state(), before)


# what an objective keeps, and what a probe sees -----------------------------------------------------------------------------


class Counting:
    """An objective with something to remember: a tensor that grows and enters the loss."""

    def __init__(self):
        self.tensors = {"memory": torch.zeros(3).double()}

    def __call__(self, net, batch, progress):
        self.tensors["memory"] += torch.tensor([1.0, 2.0, 3.0])
        return {"ce": F.cross_entropy(net(batch[0]) * self.tensors["memory"], batch[1])}


def test_an_objectives_tensors_are_copied_into_the_state_and_put_back():
    def run(steps, resume=None):
        net, objective = linear(), Counting()
        own = objective.tensors["memory"]
        done = int(resume["step"]) if resume else 0
        *_, last = fit(net, objective, vectors(done), steps, OPTIMIZERS["sgd"](net), resume=resume)
        assert objective.tensors["memory"] is own
        return last.state()

    half, whole = run(2), run(5)
    assert half["tensor.memory"].tolist() == [2, 4, 6] and whole["tensor.memory"].tolist() == [5, 10, 15]
    resumed = run(5, half)
    assert half["tensor.memory"].tolist() == [2, 4, 6]  # the file's copy is not what grows
    assert whole.keys() == resumed.keys() and all(torch.equal(whole[k], resumed[k]) for k in whole)


def test_an_objectives_tensors_grow_on_without_changing_an_earlier_state():
    net = linear()
    run = fit(net, Counting(), vectors(), 2, OPTIMIZERS["sgd"](net))
    state = next(run).state()
    next(run)
    assert state["tensor.memory"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("kept", [None, torch.zeros(4).double()], ids=["missing", "of another size"])
def test_a_state_whose_kept_tensors_do_not_fit_is_refused(kept):
    net = linear()
    *_, last = fit(net, Counting(), vectors(), 1, OPTIMIZERS["sgd"](net))
    state = {k: v for k, v in last.state().items() if k != "tensor.memory"}
    if kept is not None:
        state["tensor.memory"] = kept
    with pytest.raises(ValueError, match="the saved state is of another run"):
        next(fit(net, Counting(), vectors(), 2, OPTIMIZERS["sgd"](net), resume=state))


def test_a_probe_sees_net_and_batch_before_the_update_and_the_net_after():
    net, seen = linear(), []

    def probe(net, batch):
        before = net.weight.detach().clone()
        seen.append(batch[0])
        return lambda net: {"moved": (net.weight - before).norm().item()}

    run = fit(net, plain, vectors(), 2, OPTIMIZERS["sgd"](net), probe=probe, probe_every=1)
    for k in range(2):
        before = net.weight.detach().clone()
        progress = next(run)
        assert progress.probe == {"moved": pytest.approx((net.weight - before).norm().item())}
        assert progress.probe["moved"] > 0 and torch.equal(seen[k], rand(6, 4, seed=k))


@pytest.mark.parametrize(("steps", "every", "expected"), [(10, 4, [1, 5, 9, 10]), (3, 100, [1, 3]), (2, 1, [1, 2])])
def test_a_probe_looks_at_the_first_update_every_so_many_and_the_last(steps, every, expected):
    net = linear()
    probe = lambda net, batch: lambda net: {"clean": 1.0}  # noqa: E731
    run = fit(net, plain, vectors(), steps, OPTIMIZERS["sgd"](net), probe=probe, probe_every=every)
    assert [p.step for p in run if p.probe is not None] == expected


def test_without_a_probe_nothing_is_probed():
    net = linear()
    assert [p.probe for p in fit(net, plain, vectors(), 2, OPTIMIZERS["sgd"](net))] == [None, None]


# schedules ---------------------------------------------------------------------------------------------------------------


def test_constant_is_one():
    assert constant(0.0) == constant(0.99) == 1.0


def test_a_late_cosine_stays_for_half_of_the_run_and_then_falls_to_nothing():
    assert [late_cosine(p) for p in (0.0, 0.3, 0.5)] == [1.0, 1.0, 1.0]
    assert late_cosine(0.75) == pytest.approx(0.5) and late_cosine(0.999) < 1e-4
    assert late_cosine(0.9, start=0.8) == pytest.approx(0.5)


def test_one_cycle_rises_linearly_for_a_quarter_and_falls_along_a_cosine():
    assert one_cycle(0.0) == pytest.approx(0.04) and one_cycle(0.125) == pytest.approx(0.52)
    assert one_cycle(0.25) == pytest.approx(1.0) and one_cycle(0.625) == pytest.approx(0.5)
    assert one_cycle(0.99999) == pytest.approx(0.0, abs=1e-8)
    assert one_cycle(0.4) == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.2)))


def test_warm_up_rises_linearly_over_its_share_and_stays():
    assert warm_up(0.0) == pytest.approx(0.04) and warm_up(0.025) == pytest.approx(0.52)
    assert warm_up(0.05) == warm_up(0.5) == warm_up(0.99) == 1.0
    assert warm_up(0.1, share=0.2) == pytest.approx(0.52) and warm_up(0.2, share=0.2) == pytest.approx(1.0)


def test_multi_step_drops_tenfold_at_each_milestone_and_not_before():
    rate = multi_step(150 / 350, 200 / 350)
    assert [rate(e / 350) for e in (0, 149, 150, 199, 200, 349)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


# modes -------------------------------------------------------------------------------------------------------------------


def test_evaluating_sets_eval_mode_and_restores_parts_even_after_an_error():
    net = batchnorm_net().train()
    net[1].eval()  # a frozen part
    with pytest.raises(RuntimeError, match="inside"), evaluating(net):
        assert not any(m.training for m in net.modules())
        raise RuntimeError("inside")
    assert [m.training for m in net] == [True, False, True, True, True] and net.training
