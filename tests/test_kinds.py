"""KINDS: nothing else compares a kind, every row is whole, and a kind added by one row works or is refused in one line."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from stripes import card

from cemviz import cli
from cemviz.backend import kinds, store
from cemviz.backend.attack.examples import attacked
from cemviz.backend.attack.rates import robustness
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.evaluate import METRICS, evaluate
from cemviz.backend.kinds import KINDS
from cemviz.backend.look.landscape import landscape
from cemviz.backend.requests import AttackedRequest, EvaluateRequest, LandscapeRequest, RobustnessRequest, SampleRequest
from cemviz.backend.sample.chains import sample
from cemviz.backend.studio import Studio
from cemviz.nets import build
from cemviz.samplers import SAMPLERS
from cemviz.starts import STARTS, fit

SOURCE = Path(kinds.__file__).parents[1]


def test_no_code_outside_the_table_compares_a_kind():
    for path in SOURCE.rglob("*.py"):
        if path.name != "kinds.py":
            found = re.findall(r".*\bkind\b [!=]= .*", path.read_text(encoding="utf-8"))
            assert not found, f"{path.relative_to(SOURCE)}: {found}"


def test_every_sampler_runs_on_a_kind_that_there_is():
    assert {row.needs for row in SAMPLERS.values()} <= KINDS.keys()


@pytest.mark.parametrize("name", KINDS)
def test_a_row_names_its_own_sampler_and_a_way_out_if_it_does_not_classify(name):
    row = KINDS[name]
    assert (
        SAMPLERS[row.usual["sampler"]].needs == (row.stands_for or name)
        and row.usual["start"] in STARTS
        and row.usual["count"] >= 1
    )
    assert set(row.whole) <= set(row.series) and "distance" in row.series
    assert row.classifies or "{name}" in row.instead
    assert row.view is None or set(row.view.energies) == {"joint", "marginal"}


def keep(name: str, kind: str) -> None:
    net = build("small-resnet", seed=1, width=4, mean=[0.4] * 3, std=[0.3] * 3, outputs=3)
    store.save(net, card(name, kind=kind))


@pytest.fixture
def studio(places):
    keep("odd", "toy")
    images = torch.rand(30, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    store.save_gaussians("stripes", fit(images, torch.arange(30) % 3, 3, rank=4))
    return Studio(choose("cpu"))


USES = {
    "sample": lambda studio: sample(studio, SampleRequest("odd")),
    "landscape": lambda studio: landscape(studio, LandscapeRequest(("odd",), "test:0", side=5)),
    "robustness": lambda studio: robustness(studio, RobustnessRequest(("odd",), count=10, curve=False)),
    "attacked": lambda studio: attacked(studio, AttackedRequest("odd", "test")),
} | {metric: lambda studio, m=metric: evaluate(studio, EvaluateRequest("odd", m, count=10)) for metric in METRICS}


@pytest.mark.parametrize("use", USES)
def test_a_kind_that_is_not_in_the_table_is_one_clear_error_everywhere(studio, use):
    with pytest.raises(BadInput) as refused:
        list(USES[use](studio))
    known = ", ".join(KINDS)
    assert str(refused.value) == f"model 'odd' is of kind 'toy', which is unknown here; known are {known}"


@pytest.fixture
def toy(studio, monkeypatch):
    """A third kind by one row: its models draw by a sampler of their own, and neither classify nor have a landscape."""
    monkeypatch.setitem(SAMPLERS, "toy-walk", replace(SAMPLERS["langevin"], title="Toy walk", needs="toy"))
    row = replace(
        KINDS["classifier"], title="toy", usual={"sampler": "toy-walk", "start": "uniform", "count": 3}, classifies=False,
        instead="look at {name} in Sampling", view=None,
    )  # fmt: skip
    monkeypatch.setitem(KINDS, "toy", row)
    return studio


def test_a_kind_added_by_one_row_is_sampled(toy):
    *steps, chains = sample(toy, SampleRequest("odd", "toy-walk", start="uniform", count=3, steps=2))
    assert len(steps) == 2 and chains.pixels.shape == (3, 3, 8, 8, 3) and chains.series["joint"].shape == (3, 3)
    assert "no class asked" in KINDS["toy"].summary(chains)


@pytest.mark.parametrize("use", ["landscape", "robustness", "attacked", "accuracy", "robust", "jfs"])
def test_a_kind_that_does_not_classify_says_what_to_do_instead(toy, use):
    with pytest.raises(BadInput) as refused:
        list(USES[use](toy))
    wanted = "wants a classifier or an encoder" if use == "landscape" else "look at odd in Sampling"
    assert "'odd' is a toy" in str(refused.value) and wanted in str(refused.value)


def test_the_command_line_samples_a_kind_of_one_row_with_its_usual_values(toy, places, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["cemviz", "sample", "odd", "--steps", "2", "--out", str(places / "odd.png"), "--json"])
    cli.main()
    assert '"sampler": "toy-walk"' in capsys.readouterr().out and (places / "odd.png").is_file()
