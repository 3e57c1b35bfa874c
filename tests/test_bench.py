"""The benchmark: its arithmetic on a clock of its own, and every row's work and bare passes on tiny settings."""

from dataclasses import replace

import pytest
import torch
from conftest import rand

from cemviz.backend import bench as module
from cemviz.backend.bench import BENCHES, bench
from cemviz.backend.device import choose
from cemviz.training.recipes import recipe


@pytest.fixture
def clock(monkeypatch):
    """A machine on which work costs 1.5 bare passes, and everything gets slower by a tenth each time."""
    held = {"slow": 1.0}

    def seconds(run, device):
        held["slow"] *= 1.1
        return run() * held["slow"]

    monkeypatch.setattr(module, "_seconds", seconds)
    monkeypatch.setattr(module, "BENCHES", {"row": replace(BENCHES["split"], make=lambda device: (lambda: 1.5, lambda: 1.0))})


def test_the_ratio_is_that_to_the_bare_runs_just_before_and_after(clock):
    (row,) = bench(["row"], choose("cpu"))["rows"]
    between = 2 * 1.1 / (1 + 1.1**2)  # a machine that slows down by a tenth a run costs half a per cent, not a tenth
    assert row["ratio"] == row["low"] == row["high"] == round(1.5 * between, 3) and row["limit"] == 1.8 and row["holds"]


def test_one_disturbed_round_changes_nothing_and_a_high_ratio_fails(clock, monkeypatch):
    spent = iter([1.0] + [2.0, 1.0] * 4 + [2.0, 30.0] + [2.0, 1.0] * 40)
    monkeypatch.setattr(module, "_seconds", lambda run, device: next(spent))
    (row,) = bench(["row"], choose("cpu"))["rows"]
    assert row["ratio"] == 2.0 and not row["holds"]


@pytest.mark.parametrize(("bare", "rounds"), [(1e-6, 41), (0.1, 24), (100.0, 9)])
def test_short_work_is_repeated_more_often(clock, monkeypatch, bare, rounds):
    monkeypatch.setattr(module, "_seconds", lambda run, device: bare)
    assert bench(["row"], choose("cpu"))["rounds"] == rounds


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
    assert len(backward) == {"settle": 2, "descend": 3, "split": 6, "train": 3, "maxent": 2, "play": 0}[name]
    backward.clear(), bare()
    assert len(backward) == {"train": 4, "play": 22}.get(name, 2)


def test_the_net_is_placed_as_a_stored_one_is():
    net = module._net(choose("cpu"))
    kernel = next(p for p in net.parameters() if p.dim() == 4 and p.shape[1] > 1)
    assert (
        kernel.is_contiguous(memory_format=torch.channels_last) and net(rand(1, 1, 28, 28, dtype=torch.float32)).shape[0] == 1
    )
