"""Refusals of a training before any work: names that are taken, models of another run, images and nets that are not there."""

import os
import signal
import time
from dataclasses import replace

import pytest
import torch
from runs import TINY, child, request, run

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.requests import TrainRequest
from cemviz.backend.studio import Studio
from cemviz.backend.train import states
from cemviz.backend.train.plan import plan
from cemviz.backend.train.prepared import prepare
from cemviz.backend.train.provenance import card_of
from cemviz.backend.train.run import train
from cemviz.backend.train.team import Team
from cemviz.data import images
from cemviz.data.datasets import DATASETS, DataMissing, dataset
from cemviz.dynamics import Diverged
from cemviz.nets import build
from cemviz.training.recipes import recipe


@pytest.mark.parametrize("out", ["../toy", "a b", ".x"])
def test_a_bad_name_is_refused_before_the_work(places, out):
    with pytest.raises(ValueError, match="model name is"):
        next(train(Studio(choose("cpu")), request(out)))
    assert not (places / "models").exists()


def test_missing_images_are_said_before_the_work(places):
    with pytest.raises(DataMissing, match="no data set 'cats'"):
        run(request(data="cats"))


@pytest.mark.parametrize(
    ("name", "said"),
    [("nobody", "there is no encoder 'nobody' to probe; train it"), ("plain", "encoder is 'plain', a classifier of stripes")],
)
@pytest.mark.slow
def test_a_probe_without_its_encoder_is_refused(places, name, said):
    run(request("plain"))
    with pytest.raises(BadInput, match=said):
        run(request("probe", objective="standard", attack_steps=0, encoder=name))


OURS = TINY | {"steps": "2"}


def named(**changes):
    """The same run without --out."""
    how = {key: changes.pop(key) for key in ("seed", "scale", "precision", "out") if key in changes}
    return TrainRequest("mnist-at", changes=OURS | changes, **how)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": "3"}, "steps is 3, not 2"), ({"lr": "0.5"}, "lr is 0.5, not 0.004"), ({"seed": 4}, "seed is 4, not 0"),
        ({"net_args": "width:8"}, "net_args is .*8.*, not .*4"), ({"precision": "bf16"}, "precision is bf16, not fp32"),
        ({"objective": "standard"}, "objective is standard"),
        ({"batch": "6", "average": "0"}, "batch is 6, not 12, average is 0"),
    ],
)  # fmt: skip
def test_a_stored_model_is_not_replaced_unasked_by_another_run(places, change, said):
    made = named()
    store.save(build("small-resnet", width=4, outputs=3, mean=[0.5] * 3, std=[0.2] * 3), made_card(made))
    before = store.read_card("mnist-at")
    with pytest.raises(
        BadInput, match=rf"a model 'mnist-at' of another run is stored \({said}.*--out my-mnist-at, or say --out"
    ):
        next(train(Studio(choose("cpu")), named(**change)))
    assert store.read_card("mnist-at") == before and store.load("mnist-at")


def made_card(asked):
    """The card that a run would leave."""
    row = recipe(asked.recipe, asked.scale, **asked.changes)
    held, team = images.load("stripes", "train"), Team(choose("cpu"))
    args = {"width": 4, "outputs": 3, "mean": [0.5] * 3, "std": [0.2] * 3}
    return card_of(asked, row, asked.out or asked.recipe, args, held, 1.0, team)


def test_the_same_run_replaces_its_model_and_another_does_when_told_to(places):
    run(named()), run(named(title="other words"))  # words change no number
    run(named(out="mnist-at", seed=5))
    assert store.read_card("mnist-at").seed == 5
    (places / "models" / "mnist-at.json").write_text("{")
    with pytest.raises(BadInput, match=r"a model 'mnist-at' is stored, and the card mnist-at.json cannot be read"):
        run(named())


def test_a_shipped_card_is_that_of_its_recipe_and_two_more_steps_are_not(monkeypatch):
    monkeypatch.delenv("CEMVIZ_CHECKPOINTS", raising=False)
    assert plan(TrainRequest("mnist-judge", "shipped")).row.role == "judge"
    assert plan(TrainRequest("mnist-uat-probe", "shipped")).name == "mnist-uat-probe"
    for asked in (TrainRequest("mnist-judge", "shipped", changes={"steps": 2}), TrainRequest("mnist-uat-probe", "laptop")):
        with pytest.raises(BadInput, match="of another run is stored"):
            plan(asked)


@pytest.mark.parametrize("seed", [-1, 2**31, 0.5])
def test_a_seed_out_of_range_is_refused_before_the_work(places, seed):
    with pytest.raises(BadInput, match="from 0 to 2147483647"):
        next(train(Studio(choose("cpu")), request(seed=seed)))


def test_a_second_run_of_a_name_is_refused_and_the_name_is_free_afterwards(places):
    first = train(Studio(choose("cpu")), request())
    next(first)
    with pytest.raises(BadInput, match=r"a run 'toy' is going on; wait for it, pause it, or name yours: --out my-toy"):
        next(train(Studio(choose("cpu")), request()))
    other = train(Studio(choose("cpu")), request("other"))
    next(other), other.close(), first.close()
    assert run(request(resume=True))[0].done == 2
    assert not list((places / "models").rglob("*.lock"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="autograd's threads of a GPU do not survive a fork")
def test_a_run_in_another_process_holds_the_name_until_it_dies(places):
    process, said = child(request(steps="100000"))
    said.recv()
    with pytest.raises(BadInput, match=rf"a run 'toy' is going on \(process {process.pid}\)"):
        next(train(Studio(choose("cpu")), request()))
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert (states.path("toy").with_suffix(".lock")).is_file() and run(request(steps="2"))  # what it left is taken over
    assert not list((places / "models").rglob("*.lock"))


@pytest.mark.parametrize("args", [{"width": 10**9}, {"depth": 10**6}, {"width": -1}, {"wings": 2}])
def test_a_net_that_cannot_be_built_is_refused_before_it_is(places, args):
    began = time.perf_counter()
    with pytest.raises(BadInput, match="net_args"):
        run(request("toy", net_args=args))
    assert time.perf_counter() - began < 5


def test_what_is_done_to_the_data_is_done_to_p0_too(places, monkeypatch):
    """Else a net that is to tell the two apart says which of them was cropped."""
    seen = DATASETS | {"stripes": replace(dataset("stripes"), views=lambda x, generator=None: torch.zeros_like(x))}
    monkeypatch.setattr("cemviz.data.datasets.DATASETS", seen)
    asked = request(
        "told", objective="maximin", kind="binary", p0="uniform", objective_args="share:1.0", net_args="width:4,outputs:1"
    )
    work = prepare(plan(asked), Team(choose("cpu")))
    x, _ = next(work.batches(0, 0, torch.Generator().manual_seed(0)))
    assert not x.any() and not work.source.p0(5, torch.Generator().manual_seed(0)).any()


@pytest.mark.slow
def test_the_energy_objective_has_a_recipe_that_the_guard_stops(places):
    """Thesis 2.5.6: nothing bounds E f on p0 less E f on data; the bounded game of the same net goes on."""
    small = {"data": "stripes", "p0": "uniform", "net_args": "width:4,hidden:16,side:8,outputs:1", "batch": "8", "lr": "0.05"}
    told = {}
    for name in ("mnist-binary-ebm", "mnist-binary"):
        try:
            told[name] = len([*train(Studio(choose("cpu")), TrainRequest(name, "evidence", changes=small | {"steps": "400"}))])
        except Diverged as error:
            told[name] = str(error)
    assert "diverged at step" in str(told["mnist-binary-ebm"]) and told["mnist-binary"] == 401
