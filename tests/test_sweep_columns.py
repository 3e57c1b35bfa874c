"""Columns of a sweep: what judges, net and images say of the ends of chains, and what is refused before any work."""

import math
from dataclasses import replace

import pytest
import torch
from conftest import seeded
from stripes import elsewhere
from sweeps import ASK, at, drawn, keep, sweepable, swept

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.sample.columns import COLUMNS, Column
from cemviz.data import images
from cemviz.dynamics import length
from cemviz.metrics import quality


@pytest.fixture
def studio(places):
    return sweepable(places)


def test_columns_are_what_judge_net_and_images_say(studio):
    found = swept(studio, count=120, values=((0.05,), (0, 6)), seed=3)
    x, x0 = (drawn(studio, at(found, steps=k).settings, replace(ASK, count=120), seed=3) for k in (6, 0))
    y = torch.arange(120) % 3
    columns = {name: value.value for name, value in at(found, steps=6).columns.items()}
    assert list(columns) == list(COLUMNS), "all columns are there with so many chains"
    net, own = store.load("stripes-judge")[0], store.load("stripes-at")[0]
    p, q = net(x).softmax(1), own(x).softmax(1)

    def near(value: float):
        return pytest.approx(value, rel=2e-3, abs=1e-6)

    assert columns["confidence"] == near(p[range(120), y].mean().item())
    assert columns["own"] == near(q[range(120), y].mean().item())
    assert columns["accuracy"] == near((p.argmax(1) == y).float().mean().item())
    clean = store.load("stripes-judge-clean")[0](x).argmax(1)
    assert columns["clean"] == near((clean == y).float().mean().item()) != columns["accuracy"]
    assert found.models.keys() == {"stripes-at", "stripes-judge", "stripes-judge-clean"}
    train = images.load("stripes", "train").floats()
    assert columns["nearest"] == near(torch.cdist(x.flatten(1), train.flatten(1)).amin(1).mean().item())
    assert columns["distance"] == near(length(x - x0).mean().item()) and columns["distance"] > 0
    assert columns["energy"] == near((-own(x)[range(120), y] - own(x).logsumexp(1)).mean().item())  # RCS
    judge, held = quality.judge("stripes-judge", net), images.load("stripes", "validation")
    picks = torch.randperm(150, generator=seeded(3))[:120]
    real, seen = judge(held.floats(picks)), judge(x)
    assert len(held) == 150 and columns["kid"] == near(quality.kernel_distance(real, seen))
    assert columns["fid"] == near(quality.frechet(real, seen))
    assert (columns["precision"], columns["recall"]) == tuple(map(near, quality.precision_recall(real, seen)))
    assert columns["is"] == near(quality.inception_score(judge, seen, 10, 3)[0]) and columns["seconds"] > 0


def test_precision_and_recall_of_points_counted_by_hand():
    """Balls reach to the nearest other member: real 0, 1, 3 reach 1, 1, 2; generated 2.5, 10, 14 reach 7.5, 4, 4."""
    real, made = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[2.5], [10.0], [14.0]])
    assert quality.precision_recall(real, made, k=1) == (pytest.approx(1 / 3), 1.0)
    assert quality.precision_recall(real, torch.tensor([[20.0], [21.0], [22.0]]), k=1) == (0.0, 0.0)


def test_without_a_class_the_likeliest_counts_and_nothing_is_read_as_asked(studio):
    found = swept(studio, sampler="langevin", start="uniform", values=((0.05,), (6,)))
    x = drawn(studio, found.cells[0].settings, replace(ASK, sampler="langevin", start="uniform"))
    columns = found.cells[0].columns
    judge = store.load("stripes-judge")[0]
    assert columns["confidence"].value == pytest.approx(judge(x).softmax(1).amax(1).mean().item(), rel=2e-3)
    assert "accuracy" not in columns and {"kid", "fid", "is"}.isdisjoint(columns)


def test_an_encoder_is_swept_as_one_batch_and_read_by_its_probe_alone(studio):
    ask = replace(ASK, model="stripes-uat", sampler="maxent", start="gaussian")
    found = swept(studio, ask)
    assert "own" not in found.cells[0].columns and set(found.models) == {"stripes-uat", "stripes-judge"}
    keep("stripes-uat-probe", 6, role="probe", recipe_args={"encoder": "stripes-uat"})
    found = swept(studio, ask)
    probe = store.load("stripes-uat-probe")[0]
    x = drawn(studio, at(found, noise=0.05, steps=6).settings, ask)
    assert at(found, noise=0.05, steps=6).columns["own"].value == pytest.approx(
        probe(x).softmax(1).amax(1).mean().item(), rel=2e-3
    )
    assert set(found.models) == {"stripes-uat", "stripes-judge", "stripes-uat-probe"}


def test_a_machine_without_images_or_judge_leaves_their_columns_out(studio, monkeypatch):
    alone = elsewhere(monkeypatch)
    found = swept(alone, count=120, values=((0.05,), (2,)))
    assert {"confidence", "own", "is"} <= set(found.cells[0].columns)
    assert {"nearest", "kid", "fid", "precision", "recall"}.isdisjoint(found.cells[0].columns)
    (store.folder() / "stripes-judge.json").unlink()
    found = swept(alone, values=((0.05,), (2,)))
    assert found.judge is None and list(found.cells[0].columns) == ["own", "distance", "energy", "seconds"]
    with pytest.raises(BadInput, match="metric 'confidence' cannot be measured: there is no judge of stripes; train it with"):
        swept(alone, metric=("confidence",))


def test_a_number_that_is_not_finite_is_none(studio, monkeypatch):
    monkeypatch.setitem(COLUMNS, "spy", Column("Spy", "", None, lambda ends: (math.nan if ends.seed else 1.0, 0.1)))
    value = swept(studio, seeds=2, metric=("spy",)).cells[0].columns["spy"]
    assert (value.value, value.spread, value.error) == (None, None, None)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_has_title_and_direction(name):
    row = COLUMNS[name]
    assert row.title and row.better in ("higher", "lower", None) and row.least >= 1
    assert set(row.needs) <= {"judge", "clean", "net", "real", "train", "labels"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"over": ("alpha",)}, "over is 'alpha'; choose one of step, radius, noise, steps"),
        ({"over": ()}, "over is empty; give one or two of step, radius, noise, steps"),
        ({"over": ("noise", "noise")}, "over is noise, noise; give one or two"),
        ({"over": ("noise", "steps", "step")}, "over is noise, steps, step; give one or two"),
        ({"values": ((0.1,),)}, "values has 1 lists, and 2 numbers are swept; give one list each"),
        ({"values": ((), (1,))}, "noise has 0 values; give 1 to 20"),
        ({"values": ((0.1, 0.1), (1,))}, "noise has 2 values; give 1 to 20, each once"),
        ({"values": (tuple(i / 100 for i in range(21)), (1,))}, "noise has 21 values"),
        ({"values": ((11,), (1,))}, r"η \(noise\) is 11; give a number from 0 to 10"),
        ({"values": ((0.1,), (1001,))}, r"K \(steps\) is 1001; give a whole number from 0 to 1000"),
        ({"values": ((0.1,), (1.5,))}, r"K \(steps\) is 1.5; give a whole number"),
        ({"values": (("x",), (1,))}, "values is 'x'"),
        ({"noise": 0.1}, "noise is swept; leave it out"),
        ({"metric": ("beauty",)}, "metric is 'beauty'; choose one of confidence"),
        ({"metric": ("fid",)}, r"chains \(count\) is 6; metric 'fid' needs at least 100"),
        ({"judge": "stripes-at"}, "judge is 'stripes-at'; choose one of stripes-judge"),
        ({"model": "stripes-judge"}, "'stripes-judge' is a judge of stripes"),
        (
            {"metric": ("accuracy",), "sampler": "langevin", "start": "uniform"},
            "metric 'accuracy' cannot be measured: no class",
        ),
        ({"seeds": 0}, "seeds is 0; give a whole number from 1 to 20"),
    ],
)
def test_bad_input_is_one_line_before_any_work(studio, change, words, monkeypatch):
    monkeypatch.setattr("cemviz.backend.sample.chains.descend", lambda *a, **k: pytest.fail("chains ran"))
    with pytest.raises(BadInput, match=words) as error:
        swept(studio, **change)
    assert "\n" not in str(error.value)
