"""Training end to end on tiny sets on disk: stored models, cards that make them again, runs that stop and go on."""

import errno
import json
import multiprocessing
import os
import random
import re
import shlex
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import CLASSES, write_images

from cemviz import cli
from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.requests import TrainRequest
from cemviz.backend.store import Unwritable
from cemviz.backend.studio import Studio
from cemviz.backend.train import curves, states
from cemviz.backend.train import run as backend
from cemviz.backend.train.interrupt import Interrupt
from cemviz.backend.train.plan import plan
from cemviz.backend.train.prepared import statistics
from cemviz.backend.train.provenance import card_of, command
from cemviz.backend.train.run import Model, Trained, train
from cemviz.backend.train.team import Team
from cemviz.data import images
from cemviz.data.datasets import CIFAR10, DATASETS, DataMissing, dataset
from cemviz.dynamics import Diverged
from cemviz.metrics.robustness import accuracy
from cemviz.nets import build
from cemviz.training.recipes import recipe

TINY = {
    "data": "stripes", "net_args": "width:4", "steps": "12", "batch": "12", "average": "0.8",
    "radius": "0.3", "attack_steps": "1", "attack_step": "0.3",
}  # fmt: skip


def request(out="toy", **changes):
    resume, seed = changes.pop("resume", False), changes.pop("seed", 0)
    return TrainRequest("mnist-at", out=out, seed=seed, changes=TINY | changes, resume=resume)


def run(asked):
    """The updates of a run."""
    *updates, model = train(Studio(choose("cpu")), asked)
    assert isinstance(model, Model) and model.end is updates[-1]
    return updates


def test_a_run_tells_every_step_and_stores_a_model_with_its_card(places):
    *told, model = train(Studio(choose("cpu")), request(seed=3))
    assert [t.done for t in told] == list(range(1, 13)) and {t.of for t in told} == {12}
    assert all("adversarial cross-entropy" in t.terms and t.left >= 0 for t in told) and told[-1].left == 0
    line = r"step 12/12  adversarial cross-entropy \d\.\d{4}  lr \d\.\d\de-\d\d  0\.0 min left"
    assert re.fullmatch(line, str(told[-1]))
    path = store.weights_path(store.read_card("toy"))
    assert (model.name, model.path, model.end) == ("toy", str(path), told[-1]) and path.parent == places / "models"
    _, card = store.load("toy")
    assert (card.name, card.kind, card.net, card.data, card.shape) == (
        "toy",
        "classifier",
        "small-resnet",
        "stripes",
        (3, 8, 8),
    )
    assert card.classes == CLASSES and (card.recipe, card.scale, card.seed, card.steps) == ("mnist-at", "laptop", 3, 12)
    assert (card.norm, card.radius) == ("l2", 0.3) and card.recipe_args["batch"] == 12 and card.device.startswith("CPU")
    assert card.net_args["width"] == 4 and card.net_args["outputs"] == 3 and len(card.net_args["mean"]) == 3
    assert card.sha256 == store.digest(path) and len(card.created) == 10
    assert not states.path("toy").exists()


@pytest.mark.slow
def test_the_command_on_a_card_makes_the_same_weights_again(places, monkeypatch, capsys):
    run(request(seed=3))
    card = store.read_card("toy")
    words = shlex.split(card.command)
    assert words[:3] == ["python", "-m", "cemviz"]
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(places / "elsewhere"))
    monkeypatch.setattr(sys, "argv", ["cemviz", *words[3:]])
    cli.main()
    assert store.read_card("toy").sha256 == card.sha256
    assert store.read_card("toy").command == card.command


@pytest.mark.parametrize(
    "changes", [{"net_args": {"width": 4}}, {"lr": 0.001, "steps": 3, "norm": "linf"}, {"title": "two words"}]
)
def test_a_command_line_says_values_as_the_command_line_reads_them(changes):
    words = shlex.split(command(TrainRequest("mnist-at", "evidence", "m", 2, changes)))
    told = dict(words[i + 1].split("=", 1) for i, w in enumerate(words) if w == "--set")
    assert recipe("mnist-at", "evidence", **told) == recipe("mnist-at", "evidence", **changes)
    assert words[3:10] == ["train", "mnist-at", "--scale", "evidence", "--seed", "2", "--out"] and words[10] == "m"


@pytest.mark.slow
def test_the_seed_decides_the_weights(places):
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(request(out, seed=seed))
    digests = [store.read_card(name).sha256 for name in "abc"]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("stop", [1, 5, 11])
@pytest.mark.slow
def test_a_run_closed_and_resumed_ends_bit_equal_to_an_unbroken_one(places, stop):
    for split in ("train", "test"):  # its views draw from a generator too
        write_images(places / "data" / "cifar10" / split, 3, 0, CIFAR10, side=32)
    asked = {"data": "cifar10", "batch": "10", "optimizer": "sgd" if stop == 5 else "adamw", "lr": "0.01"}
    run(request("whole", **asked))
    first = train(Studio(choose("cpu")), request("parts", **asked))
    for told in first:
        if told.done == stop:
            break
    first.close()
    assert int(store.read_tensors(states.path("parts"))["step"]) == stop
    told = run(request("parts", **asked, resume=True))
    assert [t.done for t in told] == list(range(stop + 1, 13))
    assert store.read_card("parts").sha256 == store.read_card("whole").sha256 and not states.path("parts").exists()


@pytest.mark.slow
def test_a_run_that_is_killed_resumes_from_its_last_periodic_save(places, monkeypatch):
    monkeypatch.setattr(states, "SAVE_EVERY", -1.0)
    for told in train(Studio(choose("cpu")), request("whole")):
        if isinstance(told, Trained) and told.done == 5:
            shutil.copy(states.path("whole"), places / "kept")
    states.path("parts").parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(places / "kept", states.path("parts"))
    told = run(request("parts", resume=True))
    assert told[0].done == 6 and store.read_card("parts").sha256 == store.read_card("whole").sha256


def tell(asked, told):
    for item in train(Studio(choose("cpu")), asked):
        if isinstance(item, Trained):
            told.send(item.done)


def child(asked):
    """A process that trains, saves after every step and says each one; forked, since a fresh one loads torch for seconds."""
    context = multiprocessing.get_context("fork")
    said, told = context.Pipe(duplex=False)
    process = context.Process(target=tell, args=(asked, told))
    process.start()
    told.close()
    return process, said


JEAT = {
    "objective": "jeat", "schedule": "warm-up", "norm": "linf", "attack": "energy", "net_args": "width:4,norm:none",
    "objective_args": "buffer:24,reinit:0.1,steps:2,step:1.0,noise:0.01", "average": "0",
}  # fmt: skip


@pytest.mark.skipif(torch.cuda.is_available(), reason="autograd's threads of a GPU do not survive a fork")
@pytest.mark.parametrize("changes", [{}, JEAT], ids=["at", "jeat"])
@pytest.mark.slow
def test_ten_kills_at_any_moment_lose_only_the_steps_since_the_last_save(places, monkeypatch, changes):
    """SIGKILL lands in a step, in a save or between the two; weights and curves end as those of a run that nobody stopped."""
    changes, chance, steps = changes | {"steps": "80"}, random.Random(7), []
    run(request("whole", **changes))
    monkeypatch.setattr(states, "SAVE_EVERY", -1.0)
    for kill in range(10):
        process, said = child(request("parts", resume=kill > 0, **changes))
        steps += [said.recv() for _ in range(chance.randint(1, 4))]
        time.sleep(chance.uniform(0, 0.02))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        while said.poll():  # what it did between the last word read and the kill
            try:
                steps.append(said.recv())
            except EOFError:
                break
        assert process.exitcode == -signal.SIGKILL
    run(request("parts", resume=True, **changes))
    # a step is saved before it is told, so that no later process does it again, and at most the one being done is lost
    assert steps == sorted(set(steps)) and steps[-1] - len(steps) <= 10
    assert store.read_card("parts").sha256 == store.read_card("whole").sha256
    kept = [json.loads(curves.path(name).read_text()) for name in ("parts", "whole")]
    for key in ("steps", "lr", "terms", "probes"):
        assert kept[0][key] == kept[1][key]
    left = [path for path in places.rglob("*") if path.suffix == ".part" or path == states.path("parts")]
    assert left == []


@pytest.mark.slow
def test_half_written_files_of_a_killed_run_do_no_harm_and_are_swept_away(places):
    first = train(Studio(choose("cpu")), request())
    next(first), first.close()
    run_folder, models = states.path("toy").parent, places / "models"
    whole = states.path("toy").read_bytes()
    ours = [run_folder / "toy.123.part", models / "toy.123.part", models / "toy.json.123.part"]
    others = [run_folder / "toy.2.123.part", run_folder / "toys.123.part"]  # of the models "toy.2" and "toys"
    for path in ours + others:
        path.write_bytes(whole[: len(whole) // 2])
    assert run(request(resume=True))[0].done == 2
    assert not any(path.exists() for path in ours) and all(path.exists() for path in others)


@pytest.mark.slow
def test_a_run_killed_after_its_last_step_still_gets_its_model(places, monkeypatch):
    monkeypatch.setattr(states, "SAVE_EVERY", -1.0)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(store, "save", lambda *_: 1 / 0)  # dies where it would store the model
        run(request())
    assert [t.done for t in run(request(resume=True))] == [12] and store.load("toy")


@pytest.mark.slow
def test_a_saved_state_needs_resume_and_resume_without_one_begins_anew(places):
    first = train(Studio(choose("cpu")), request())
    next(first), first.close()
    assert run(request())[0].done == 1 and run(request(resume=True))[0].done == 1


@pytest.mark.parametrize("change", [{"net_args": "width:8"}, {"lr": "0.5"}, {"steps": "4"}, {"seed": 9}])
def test_resuming_the_state_of_another_run_is_refused(places, change):
    first = train(Studio(choose("cpu")), request())
    next(first), first.close()
    with pytest.raises(ValueError, match="is of another run"):
        run(request(resume=True, **change))


def test_a_run_that_diverges_stores_no_model_and_keeps_its_last_good_state(places):
    with pytest.raises(Diverged, match=r"lower lr \(1e\+06\)"):
        run(request(lr="1e6", clip="inf", schedule="constant", optimizer="sgd"))
    assert not (places / "models" / "toy.json").exists()
    state = store.read_tensors(states.path("toy"))
    assert 0 < int(state["step"]) < 12 and all(v.isfinite().all() for v in state.values() if v.is_floating_point())


@pytest.mark.parametrize("objective", ["standard", "adversarial"])
@pytest.mark.slow
def test_training_learns_an_easy_set_and_the_stored_net_knows_it(places, objective):
    told = run(request(objective=objective, steps="60", lr="0.02", batch="30"))
    losses = [sum(t.terms.values()) for t in told]
    assert sum(losses[-5:]) / 5 < 0.5 * losses[0]
    held = images.load("stripes", "test")
    net, _ = store.load("toy")
    assert accuracy(net, held.floats(), held.labels) > 0.9


def test_images_limits_the_set_to_its_first(places):
    with pytest.raises(ValueError, match="batch size is 12, but the set holds 9 images"):
        run(request(images="9"))


def test_an_own_folder_gets_its_own_normalisation_a_known_set_the_usual(places):
    held = images.load("stripes", "train")
    x, args = held.floats(), statistics(dataset("stripes"), held)
    assert args["mean"] == pytest.approx([x[:, c].mean().item() for c in range(3)]) and args["outputs"] == 3
    assert args["std"] == pytest.approx([x[:, c].std().item() for c in range(3)])
    known = statistics(DATASETS["cifar10"], held)
    assert known["mean"] == [0.4914, 0.4822, 0.4465] and known["std"] == [0.2470, 0.2435, 0.2616]


def test_with_metric_adds_to_the_card_and_keeps_the_rest(places):
    run(request(steps="1"))
    before = store.read_card("toy")
    store.with_metric("toy", "accuracy", {"value": 0.5})
    store.with_metric("toy", "robust", {"value": 0.25})
    after = store.read_card("toy")
    assert after.metrics == {"accuracy": {"value": 0.5}, "robust": {"value": 0.25}} and after.sha256 == before.sha256
    assert store.load("toy")


@pytest.mark.parametrize("out", ["../toy", "a b", ".x"])
def test_a_bad_name_is_refused_before_the_work(places, out):
    with pytest.raises(ValueError, match="model name is"):
        next(train(Studio(choose("cpu")), request(out)))
    assert not (places / "models").exists()


def test_missing_images_are_said_before_the_work(places):
    with pytest.raises(DataMissing, match="no data set 'cats'"):
        run(request(data="cats"))


def test_training_leaves_the_global_random_state_alone(places):
    before = torch.get_rng_state()
    run(request(steps="2"))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_a_linear_probe_trains_one_layer_on_a_stored_encoders_frozen_trunk(places):
    encoder = {
        "kind": "encoder", "net": "encoder", "net_args": {"width": 4, "projection": (8, 4)}, "objective": "contrastive",
        "objective_args": {"views": "colour"}, "attack_steps": 0,
    }  # fmt: skip
    told = run(request("enc", **encoder))
    card = store.read_card("enc")
    assert card.kind == "encoder" and "outputs" not in card.net_args and told[-1].probe["clean"] <= 1
    standard = {"objective": "standard", "attack_steps": 0, "encoder": "enc"}
    run(request("enc-probe", **standard))
    net, probe = store.load("enc-probe")
    trunk = store.load("enc")[0].trunk
    assert probe.kind == "classifier" and probe.net == "small-resnet" and probe.recipe_args["encoder"] == "enc"
    assert card.sha256[:12] in probe.notes
    assert all(torch.equal(a, b) for a, b in zip(net[:-1].state_dict().values(), trunk.state_dict().values(), strict=True))


@pytest.mark.parametrize(
    ("name", "said"),
    [("nobody", "there is no encoder 'nobody' to probe; train it"), ("plain", "encoder is 'plain', a classifier of stripes")],
)
@pytest.mark.slow
def test_a_probe_without_its_encoder_is_refused(places, name, said):
    run(request("plain"))
    with pytest.raises(BadInput, match=said):
        run(request("probe", objective="standard", attack_steps=0, encoder=name))


def test_a_retry_halves_the_rate_each_time_even_if_it_diverges_at_once(places, monkeypatch):
    rates = []
    real = backend.loop.fit

    def watched(net, goal, batches, steps, optimizer, **more):
        rates.append(optimizer.param_groups[0]["lr"])
        return real(net, goal, batches, steps, optimizer, **more)

    monkeypatch.setattr(backend.loop, "fit", watched)
    asked = request(lr="1e9", schedule="constant", optimizer="sgd", clip="1e30", average="0")
    with pytest.raises(Diverged):
        run(asked)
    for _ in range(2):
        with pytest.raises(Diverged):
            run(replace(asked, retry=True))
    assert rates == [1e9, 5e8, 2.5e8] and int(store.read_tensors(states.path("toy"))["retries"]) == 2


def test_a_retry_without_a_saved_state_is_refused(places):
    with pytest.raises(ValueError, match="no saved state of 'toy'"):
        run(replace(request(), retry=True))


# what is not replaced, and what is said -----------------------------------------------------------------------------------

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


def test_the_difference_of_a_state_is_named(places):
    first = train(Studio(choose("cpu")), request(lr="0.1"))
    next(first), first.close()
    with pytest.raises(
        states.AnotherRun, match=r"is of another run: lr is 0.2, not 0.1; give the same ones, or leave --resume"
    ):
        run(request(lr="0.2", resume=True))
    state = store.read_tensors(states.path("toy"))
    for key, value in (("run", torch.arange(32, dtype=torch.uint8)), ("run", None), ("history", None), ("step", None)):
        kept = {k: v for k, v in state.items() if k != key} | ({} if value is None else {key: value})
        store.write_tensors(states.path("toy"), kept)
        with pytest.raises(states.AnotherRun, match="another version of cemviz wrote it"):
            run(request(lr="0.1", resume=True))


@pytest.mark.parametrize("seed", [-1, 2**31, 0.5])
def test_a_seed_out_of_range_is_refused_before_the_work(places, seed):
    with pytest.raises(BadInput, match="from 0 to 2147483647"):
        next(train(Studio(choose("cpu")), request(seed=seed)))


# two at once, and full disks ------------------------------------------------------------------------------------------------


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


def failing(patch, fault, where=""):
    """A disk that takes no file whose path has these words."""
    real = Path.open

    def guarded(self, mode="r", *args, **kwargs):
        if "w" in mode and where in str(self):
            raise OSError(fault, os.strerror(fault), str(self))
        return real(self, mode, *args, **kwargs)

    patch.setattr(Path, "open", guarded)


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS])
def test_a_failed_periodic_save_is_told_and_tried_again_as_the_run_goes_on(places, monkeypatch, fault):
    monkeypatch.setattr(states, "SAVE_EVERY", -1.0)
    going = train(Studio(choose("cpu")), request())
    assert next(going).unsaved == ""
    with monkeypatch.context() as patch:
        failing(patch, fault, "runs")
        told = next(going)
        assert os.strerror(fault).lower() in told.unsaved and "is saved up to step 1" in told.unsaved
        assert str(states.path("toy")) in told.unsaved
    assert next(going).unsaved == "" and int(store.read_tensors(states.path("toy"))["step"]) == 3
    assert list(going)[-1].name == "toy"


@pytest.mark.parametrize("where", ["toy@", "toy.json", "history"])
@pytest.mark.slow
def test_a_model_that_cannot_be_stored_is_kept_as_a_state_until_resumed(places, monkeypatch, where):
    run(request("whole"))
    with (
        monkeypatch.context() as patch,
        pytest.raises(Unwritable, match=r"no space left.*the run is saved: make room, and give"),
    ):
        failing(patch, errno.ENOSPC, where)
        run(request())
    monkeypatch.setattr("cemviz.training.loop.LIMIT", 0.0)  # no update would pass
    told = run(request(resume=True))
    assert [t.done for t in told] == [12] and told[0].terms
    assert store.read_card("toy").sha256 == store.read_card("whole").sha256 and not states.path("toy").exists()
    kept = [json.loads(curves.path(name).read_text())["terms"] for name in ("toy", "whole")]
    assert kept[0] == kept[1]


@pytest.mark.slow
def test_on_a_full_disk_the_last_state_that_was_saved_stands(places, monkeypatch):
    monkeypatch.setattr(states, "SAVE_EVERY", -1.0)
    going = train(Studio(choose("cpu")), request())
    next(going), next(going)
    with monkeypatch.context() as patch:
        failing(patch, errno.ENOSPC)
        with pytest.raises(Unwritable, match=r"toy@.*no space left.*saved up to step 2: make room, and go on with --resume"):
            list(going)
    assert run(request(resume=True))[0].done == 3


def test_a_folder_that_may_not_be_written_is_refused_before_the_work(places, monkeypatch):
    monkeypatch.setattr(
        "cemviz.backend.stored.locks.os.open", lambda *_: (_ for _ in ()).throw(OSError(errno.EROFS, "Read-only"))
    )
    monkeypatch.setattr(backend, "prepare", lambda *_: pytest.fail("the images were loaded"))
    with pytest.raises(Unwritable, match=r"models/runs cannot be written \(read-only\); nothing was begun"):
        next(train(Studio(choose("cpu")), request()))


# signals ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_command_after_an_update_whose_state_is_kept(places, monkeypatch, capsys, number):
    run(request("whole", steps="6"))
    real = backend.loop.fit

    def struck(*args, **kwargs):
        for progress in real(*args, **kwargs):
            yield progress
            if progress.step == 3:
                os.kill(os.getpid(), number)  # while the next update is computed

    words = ["train", "mnist-at", "--out", "toy"] + [f"--set={k}={v}" for k, v in (TINY | {"steps": "6"}).items()]
    before = signal.getsignal(number)
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as stopped:
        patch.setattr(backend.loop, "fit", struck)
        patch.setattr(sys, "argv", ["cemviz", *words])
        cli.main()
    assert stopped.value.code == 130 and "can be resumed with --resume" in capsys.readouterr().err
    assert signal.getsignal(number) == before and int(store.read_tensors(states.path("toy"))["step"]) == 4
    assert [t.done for t in run(request(steps="6", resume=True))] == [5, 6]
    assert store.read_card("toy").sha256 == store.read_card("whole").sha256


def test_a_second_signal_or_one_before_the_first_update_stops_at_once():
    with Interrupt() as interrupt:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        interrupt.armed = True
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("args", [{"width": 10**9}, {"depth": 10**6}, {"width": -1}, {"wings": 2}])
def test_a_net_that_cannot_be_built_is_refused_before_it_is(places, args):
    began = time.perf_counter()
    with pytest.raises(BadInput, match="net_args"):
        run(request("toy", net_args=args))
    assert time.perf_counter() - began < 5
