"""The benchmark: its arithmetic on a clock of its own, and every row's work and bare passes on tiny settings."""

from dataclasses import replace

import pytest
import torch
from conftest import rand, randn

from cemviz.backend import bench as module
from cemviz.backend.bench import BENCHES, bench, interval, verdict
from cemviz.backend.device import choose
from cemviz.training.recipes import recipe


@pytest.fixture
def clock(monkeypatch):
    """A machine on which work costs 1.5 bare passes, and everything gets slower by a tenth each time."""
    cost = {"slow": 1.0}

    def seconds(run, device):
        cost["slow"] *= 1.1
        return run() * cost["slow"]

    monkeypatch.setattr(module, "_seconds", seconds)
    monkeypatch.setattr(module, "BENCHES", {"row": replace(BENCHES["split"], make=lambda device: (lambda: 1.5, lambda: 1.0))})


def test_a_machine_that_slows_down_slows_work_and_bare_runs_alike(clock):
    (row,) = bench(module.BENCHES, choose("cpu"))["rows"]
    alike = (1.1 + 1.1**2) / (1 + 1.1**3)  # a tenth slower with every run: the ratio is off by one per cent, not by ten
    assert row["ratio"] == row["low"] == row["high"] == round(1.5 * alike, 3)
    assert row["limit"] == 1.8 and row["verdict"] == "within"


def test_disturbed_rounds_change_nothing_and_a_high_ratio_is_above(clock, monkeypatch):
    rounds = [[1.0, 2.0, 2.0, 1.0]] * 9
    rounds[3], rounds[7] = [30.0, 2.0, 2.0, 1.0], [1.0, 2.0, 40.0, 1.0]
    spent = iter([1.0, *(seconds for each in rounds * 5 for seconds in each)])
    monkeypatch.setattr(module, "_seconds", lambda run, device: next(spent))
    (row,) = bench(module.BENCHES, choose("cpu"))["rows"]
    assert (row["ratio"], row["low"], row["high"], row["verdict"]) == (2.0, 2.0, 2.0, "above")


@pytest.mark.parametrize(("n", "k"), [(6, 1), (9, 2), (12, 3), (20, 6), (41, 14)])
def test_the_interval_has_the_ranks_of_the_published_tables(n, k):
    values = [v / 10 for v in range(n)]
    assert interval(values[::-1]) == (values[k - 1], values[n - k])


def test_the_interval_holds_the_median_as_often_as_it_says():
    draws = randn(2000, 14).exp()  # skewed, as disturbed times are; the median of the law is 1
    inside = [low <= 1.0 <= high for low, high in map(interval, draws.tolist())]
    assert sum(inside) / 2000 == pytest.approx(0.987, abs=0.01)  # 1 - 2 P(Binomial(14, 1/2) < 3); of the next ranks .943


def test_a_row_whose_interval_holds_the_limit_is_undecided():
    assert verdict(1.01, 1.05, 1.05) == "within" and verdict(1.051, 1.2, 1.05) == "above"
    assert verdict(1.05, 1.06, 1.05) == verdict(1.0, 1.2, 1.05) == "undecided"


def test_it_computes_on_one_core(clock, monkeypatch):
    threads = []
    monkeypatch.setattr(module, "_seconds", lambda run, device: threads.append(torch.get_num_threads()) or 1.0)
    torch.set_num_threads(2)
    try:
        bench(module.BENCHES, choose("cpu"))
        assert set(threads) == {1} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize(("bare", "rounds"), [(1e-6, 41), (0.25, 20), (100.0, 9)])
def test_short_work_is_repeated_more_often(clock, monkeypatch, bare, rounds):
    monkeypatch.setattr(module, "_seconds", lambda run, device: bare)
    assert bench(module.BENCHES, choose("cpu"))["rounds"] == rounds


@pytest.mark.parametrize("name", BENCHES)
def test_every_row_runs_its_work_and_the_passes_it_is_measured_against(monkeypatch, name):
    tiny = replace(recipe("mnist-at"), batch=4, attack_steps=3)
    monkeypatch.setattr(module, "CHAINS", 3)
    monkeypatch.setattr(module, "STEPS", 2)
    monkeypatch.setattr(module, "K", 1)
    monkeypatch.setattr(module, "CROWD", 3)
    monkeypatch.setattr(module, "DYN", replace(module.DYN, steps=2))
    monkeypatch.setattr(module, "recipe", lambda name: tiny if name == "mnist-at" else recipe(name))
    work, bare = BENCHES[name].make(choose("cpu"))
    backward, graph = [], torch.autograd.grad
    monkeypatch.setattr(torch.autograd, "grad", lambda *args, **kwargs: backward.append(1) or graph(*args, **kwargs))
    work()
    # a training step's last backward pass is `loss.backward()`; descend has one state more than steps, split two parts a state,
    # the playground its gradient by hand
    assert len(backward) == {"settle": 2, "fold": 2, "descend": 3, "split": 6, "train": 3, "maxent": 2, "play": 0}[name]
    backward.clear(), bare()
    assert len(backward) == {"train": 4, "play": 22}.get(name, 2)


def test_the_net_is_placed_as_a_stored_one_is():
    net = module._net(choose("cpu"))
    kernel = next(p for p in net.parameters() if p.dim() == 4 and p.shape[1] > 1)
    assert (
        kernel.is_contiguous(memory_format=torch.channels_last) and net(rand(1, 1, 28, 28, dtype=torch.float32)).shape[0] == 1
    )
