"""Sweeps of alpha, beta, eta, K: the same chains under every setting, their seeds and seconds, and their JSON."""

import base64
import io
import json
import math
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch
from PIL import Image
from sweeps import ASK, drawn, sweepable, swept

from cemviz.backend.kinds import KINDS
from cemviz.backend.requests import SampleRequest, SweepRequest
from cemviz.backend.sample.chains import sample
from cemviz.backend.sample.columns import COLUMNS, Column
from cemviz.backend.sample.sweep import FACTORS, axes_of, sweep
from cemviz.backend.use_case import Step
from cemviz.dynamics import Dynamics, length


@pytest.fixture
def studio(places):
    return sweepable(places)


@pytest.fixture
def ends(monkeypatch):
    """Ends of chains that the columns look at, cell by cell."""
    seen = []
    spy = Column("Spy", "", None, lambda ends: (seen.append(ends) or 1.0, None))
    monkeypatch.setitem(COLUMNS, "spy", spy)
    return seen


def test_a_sweep_of_k_equals_separate_runs_bit_for_bit(studio, ends):
    found = swept(studio, metric=("spy",))
    assert [cell.settings["steps"] for cell in found.cells] == [0, 3, 6, 0, 3, 6]
    for cell, end in zip(found.cells, ends, strict=True):
        assert torch.equal(end.x, drawn(studio, cell.settings)), cell.settings


def test_k_is_swept_with_one_chain(studio, monkeypatch):
    gradients = []
    plain = torch.autograd.grad
    monkeypatch.setattr("torch.autograd.grad", lambda *a, **k: gradients.append(1) or plain(*a, **k))
    list(sweep(studio, replace(ASK, metric=("distance",))))
    assert len(gradients) == 2 * (6 + 1)  # of each noise one chain of six steps, its last state among it


def test_the_same_chains_run_under_every_setting(studio, ends):
    swept(studio, over=("step", "radius"), values=((0.1, 0.4), (0.5, 1.0, math.inf)), step=None, radius=None, metric=("spy",))
    assert len(ends) == 6 and all(torch.equal(end.x0, ends[0].x0) for end in ends)
    assert all(torch.equal(end.labels, ends[0].labels) for end in ends)
    assert len({end.x.numpy().tobytes() for end in ends}) == 6
    for end, radius in zip(ends, (0.5, 1.0, math.inf) * 2, strict=True):
        assert length(end.x - end.x0).amax() <= min(radius, 0.4 * 20) + 1e-5


def test_noise_is_the_same_too_where_only_alpha_differs(studio, ends):
    swept(studio, over=("step",), values=((0, 1e-9),), noise=0.1, step=None, steps=4, metric=("spy",))
    torch.testing.assert_close(ends[0].x, ends[1].x, atol=1e-6, rtol=0)
    assert length(ends[0].x - ends[0].x0).amin() > 0.1


def test_seeds_begin_other_chains_and_make_mean_and_spread(studio, ends):
    found = swept(studio, seeds=3, seed=4, values=((0.05,), (6,)), metric=("distance", "spy"))
    assert [end.seed for end in ends] == [4, 5, 6] and not torch.equal(ends[0].x0, ends[1].x0)
    each = torch.stack([length(end.x - end.x0).mean() for end in ends])
    value = found.cells[0].columns["distance"]
    assert value.value == pytest.approx(each.mean().item(), rel=1e-3)
    assert value.spread == pytest.approx(each.std().item(), rel=1e-3)
    errors = [length(end.x - end.x0).std().item() / 6**0.5 for end in ends]
    assert value.error == pytest.approx(np.mean(np.square(errors)) ** 0.5, rel=1e-3)
    assert found.cells[0].columns["spy"].error is None
    assert swept(studio, values=((0.05,), (6,)), metric=("distance",)).cells[0].columns["distance"].spread is None


def test_chunks_of_chains_are_put_together(studio, ends, monkeypatch):
    swept(studio, metric=("spy",))
    monkeypatch.setitem(KINDS, "classifier", replace(KINDS["classifier"], chunk=4))
    told = [step for step in sweep(studio, replace(ASK, metric=("spy",))) if isinstance(step, Step)]
    for whole, parts in zip(ends[:6], ends[6:], strict=True):
        torch.testing.assert_close(whole.x, parts.x, atol=1e-5, rtol=0)
        assert parts.seconds > 0 and len(parts.energy) == 6
    assert len(told) == 2 * 2 * 7 and all(step.done < step.total for step in told) and told[-1].doing == "η 0.05, seed 0"


def test_seconds_are_those_of_every_chunk_until_it_is_there(studio, ends, monkeypatch):
    """A clock that moves by one between the beginning and the end of a step."""
    ticks = count()
    monkeypatch.setattr("cemviz.backend.sample.sweep.time.process_time", lambda: float(next(ticks)))
    monkeypatch.setitem(KINDS, "classifier", replace(KINDS["classifier"], chunk=4))
    swept(studio, values=((0.05,), (0, 3, 6)), metric=("spy",))
    assert [end.seconds for end in ends] == [2 * (k + 1) for k in (0, 3, 6)]


def test_the_picture_of_a_cell_is_the_first_chain_that_sample_draws(studio):
    found = swept(studio, classes=("right", "left"), seeds=2)
    for cell, pixels in zip(found.cells, found.pixels, strict=True):
        *_, alone = sample(studio, SampleRequest("stripes-at", classes=("right",), count=1, **cell.settings))
        assert np.abs(alone.pixels[-1][0].astype(int) - pixels).max() <= 1
    assert found.label == "right" and swept(studio, sampler="langevin", start="uniform").label is None


def test_the_default_values_are_multiples_of_the_sampler_s_own():
    own = Dynamics(20, 0.5, 0.01, 6.0)
    asked = SweepRequest("m", over=("noise", "steps"))
    assert axes_of(asked, own) == {"noise": (0, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08), "steps": (0, 5, 10, 20, 40, 80, 160)}
    still = Dynamics(10, 7.0, 0.0, math.inf)
    found = axes_of(SweepRequest("m", over=("radius", "noise")), still)
    assert found["radius"] == (0.75, 1.5, 3, 4.5, 6, 9, math.inf) and found["noise"][3] == 0.01
    assert all(len(set(axes_of(SweepRequest("m", over=(axis,)), own)[axis])) == 7 and 1 in FACTORS[axis] for axis in FACTORS)
    assert axes_of(SweepRequest("m", over=("steps",), values=((4, 2),)), own) == {"steps": (4, 2)}


def test_the_table_is_the_contract_s_and_json(studio):
    found = swept(studio, over=("radius",), values=((1.0, math.inf),), radius=None, metric=("distance", "own"), seeds=2)
    table = json.loads(json.dumps(found.table(), allow_nan=False))
    assert {"model", "sampler", "over", "cells"} <= table.keys() and table["over"] == ["radius"]
    assert [cell["settings"]["radius"] for cell in table["cells"]] == [1.0, "inf"] and table["axes"] == {"radius": [1.0, "inf"]}
    for cell in table["cells"]:
        assert {"settings", "value", "spread", "seconds"} <= cell.keys() and cell["settings"].keys() == FACTORS.keys()
        assert {k: cell["columns"]["distance"][k] for k in ("value", "spread")} == {k: cell[k] for k in ("value", "spread")}
        assert cell["seconds"] == cell["columns"]["seconds"]["value"] > 0
    head, *lines = found.lines()
    assert head.split() == ["β", "distance", "own", "seconds"] and len(lines) == 2 and lines[1].split()[0] == "inf"


def test_the_sprite_has_the_first_axis_in_its_rows(studio):
    found = swept(studio)
    sheet = Image.open(io.BytesIO(base64.b64decode(found.artefact().head["sprite"].split(",")[1])))
    assert sheet.size == (3 * 8, 2 * 8)
    pixels = np.asarray(sheet)
    for i in range(6):
        row, column = divmod(i, 3)
        assert np.array_equal(pixels[8 * row : 8 * row + 8, 8 * column : 8 * column + 8], found.pixels[i])
