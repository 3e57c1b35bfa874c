"""Sweeps of alpha, beta, eta, K: the same chains under every setting, columns by hand, boards that know when they are stale."""

import base64
import io
import json
import math
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch
from conftest import draw_weights, seeded, write_images
from PIL import Image
from stripes import card, elsewhere

from cemviz.backend import store
from cemviz.backend.assets import make as make_assets
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.kinds import KINDS
from cemviz.backend.requests import SampleRequest, SweepRequest
from cemviz.backend.sample import boards
from cemviz.backend.sample.chains import prepared, sample
from cemviz.backend.sample.columns import COLUMNS, Column
from cemviz.backend.sample.sweep import FACTORS, axes_of, sweep
from cemviz.backend.sample.swept import Sweep, as_json
from cemviz.backend.studio import Studio
from cemviz.backend.use_case import Step
from cemviz.data import images
from cemviz.dynamics import Dynamics, length
from cemviz.metrics import quality
from cemviz.nets import build
from cemviz.samplers import SAMPLERS
from cemviz.starts import fit

ASK = SweepRequest("stripes-at", over=("noise", "steps"), values=((0, 0.05), (0, 3, 6)), count=6, seeds=1, step=0.3, radius=2.0)


def keep(name: str, seed: int, **changes) -> None:
    made = replace(card(name), **changes)
    store.save(draw_weights(build(made.net, seed=seed, **made.net_args), seed, 2.0), made)


@pytest.fixture
def studio(places):
    """Two classifiers, a judge, two encoders of which one has a probe, class Gaussians, and a validation split."""
    write_images(places / "data" / "stripes" / "validation", 50, seed=5)
    keep("stripes-at", 1), keep("stripes-judge", 3, role="judge")
    args = {"width": 4, "depth": 1, "norm": "none", "projection": [4], "mean": [0.4] * 3, "std": [0.3] * 3}
    keep("stripes-uat", 2, kind="encoder", net="encoder", net_args=args)
    train = images.load("stripes", "train")
    store.save_gaussians("stripes", fit(train.floats(), train.labels, 3, rank=4))
    return Studio(choose("cpu"))


def swept(studio, request=ASK, **changes) -> Sweep:
    *_, last = sweep(studio, replace(request, **changes))
    return last


def at(found: Sweep, **settings):
    (cell,) = (c for c in found.cells if settings.items() <= c.settings.items())
    return cell


def drawn(studio, settings, request=ASK, seed=0) -> torch.Tensor:
    """The last images of separate chains of one setting."""
    asked = SampleRequest(request.model, request.sampler, count=request.count, start=request.start, seed=seed, **settings)
    return torch.cat(list(prepared(studio, asked).last()))


@pytest.fixture
def ends(monkeypatch):
    """Ends of chains that the columns look at, cell by cell."""
    seen = []
    spy = Column("Spy", "", None, lambda ends: (seen.append(ends) or 1.0, None))
    monkeypatch.setitem(COLUMNS, "spy", spy)
    return seen


# the chains ---------------------------------------------------------------------------------------------------------------


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


# the columns --------------------------------------------------------------------------------------------------------------


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
    assert set(row.needs) <= {"judge", "net", "real", "train", "labels"}


# bad input ----------------------------------------------------------------------------------------------------------------


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


# JSON, boards, what is kept -----------------------------------------------------------------------------------------------


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


@pytest.fixture
def small(monkeypatch):
    """Boards of few short chains."""
    monkeypatch.setattr("cemviz.backend.sample.sweep.FACTORS", {name: (0.5, 1) for name in FACTORS})
    monkeypatch.setattr(boards, "SAMPLERS", {"{gallery}": ("rcs",), "{data}-uat": ("maxent",)})
    row = Dynamics(2, 0.3, 0.02, 2.0)
    for name in ("rcs", "maxent"):
        monkeypatch.setitem(SAMPLERS, name, replace(SAMPLERS[name], defaults=row, small=row))


def test_assets_make_boards_once_and_anew_where_a_model_or_the_request_changed(studio, small, monkeypatch):
    def made():
        return [item for item in make_assets(studio, "stripes", only=("sweeps",)) if isinstance(item, Step)]

    assert made()
    names = list(boards.requests("stripes", studio.cards()))
    assert names == [f"stripes-{m}-{p}" for m in ("at-rcs", "uat-maxent") for p in ("noise-steps", "step-radius")]
    board = boards.board("stripes-at-rcs-noise-steps")
    assert board.head["shown"] == "right" and len(board.head["cells"]) == 4 and board.head["judge"] == "stripes-judge"
    assert not made(), "what is there and rests on what is stored is not made again"
    keep("stripes-judge-clean", 9, role="judge")
    assert len({step.doing.split(":")[0] for step in made()}) == 4, "another judge, another request"
    keep("stripes-at", 12)
    assert board.stale(studio.cards()) == ["stripes-at"]
    assert {step.doing.split(":")[0] for step in made()} == {f"sweeps {name}" for name in names[:2]}
    assert boards.board("stripes-at-rcs-noise-steps").stale(studio.cards()) == []


def test_boards_of_a_set_without_models_are_skipped(places):
    (told,) = make_assets(Studio(choose("cpu")), "stripes", only=("sweeps",))
    assert "skipped" in told


def test_a_sweep_is_kept_until_a_model_or_the_request_changes(studio, monkeypatch):
    runs = []
    monkeypatch.setattr(boards, "sweep", lambda *given: runs.append(1) or sweep(*given))
    ask = replace(ASK, metric=("own",))
    *_, first = boards.stored_sweep(studio, ask)
    *_, again = boards.stored_sweep(studio, ask)
    assert len(runs) == 1 and again.head == first.head
    *_, other = boards.stored_sweep(studio, replace(ask, seed=1))
    assert len(runs) == 2 and other.head["cells"] != first.head["cells"]
    keep("stripes-at", 11)
    assert first.stale(studio.cards()) == ["stripes-at"]
    *_, anew = boards.stored_sweep(studio, ask)
    assert len(runs) == 3 and anew.head["cells"] != first.head["cells"]
    path = next((store.folder() / boards.KEPT).glob("*.json"))
    path.write_text("{")
    assert all(list(boards.stored_sweep(studio, each))[-1].head["cells"] for each in (ask, replace(ask, seed=1)))


def test_an_artefact_is_stale_by_its_request(studio):
    held = swept(studio, metric=("own",)).artefact()
    assert held.stale(studio.cards(), as_json(replace(ASK, metric=("own",)))) == []
    assert held.stale(studio.cards(), as_json(replace(ASK, metric=("own",), step=0.4))) == ["request"]
    assert json.loads(json.dumps(held.head["request"])) == as_json(replace(ASK, metric=("own",)))
