"""Training end to end on tiny sets on disk: stored models, cards that make them again, runs that stop and go on."""

import json
import multiprocessing
import os
import random
import shlex
import shutil
import signal
import sys
import time
from dataclasses import replace

import pytest
import torch
from conftest import CLASSES, write_images

from cemviz import cli
from cemviz.backend import curves, states, store
from cemviz.backend import train as backend
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.provenance import TrainRequest, command
from cemviz.backend.train import statistics, train, with_metric
from cemviz.data import images
from cemviz.data.datasets import CIFAR10, DATASETS, DataMissing, dataset
from cemviz.dynamics import Diverged
from cemviz.metrics.robustness import accuracy
from cemviz.training.recipes import recipe

TINY = {
    "data": "stripes", "net_args": "width:4", "steps": "12", "batch": "12", "average": "0.8",
    "radius": "0.3", "attack_steps": "1", "attack_step": "0.3",
}  # fmt: skip


def request(out="toy", **changes):
    resume, seed = changes.pop("resume", False), changes.pop("seed", 0)
    return TrainRequest("mnist-at", out=out, seed=seed, changes=TINY | changes, resume=resume)


def run(asked):
    return list(train(asked, choose("cpu")))


def test_a_run_tells_every_step_and_stores_a_model_with_its_card(places):
    told = run(request(seed=3))
    assert [t["step"] for t in told] == list(range(1, 13)) and {t["steps"] for t in told} == {12}
    assert all("adversarial cross-entropy" in t["terms"] and t["left"] >= 0 for t in told) and told[-1]["left"] == 0
    assert told[-1]["model"] == "toy" and told[-1]["path"] == str(places / "models" / "toy.safetensors")
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
    assert card.sha256 == store.digest(places / "models" / "toy.safetensors") and len(card.created) == 10
    assert not states.path("toy").exists()


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


def test_the_seed_decides_the_weights(places):
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(request(out, seed=seed))
    digests = [store.read_card(name).sha256 for name in "abc"]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("stop", [1, 5, 11])
def test_a_run_that_is_closed_and_resumed_ends_bit_equal_to_one_that_was_not(places, stop):
    write_images(places / "data" / "cifar10" / "train", 3, 0, CIFAR10, side=32)  # its views draw from a generator too
    asked = {"data": "cifar10", "batch": "10", "optimizer": "sgd" if stop == 5 else "adamw", "lr": "0.01"}
    run(request("whole", **asked))
    first = train(request("parts", **asked), choose("cpu"))
    for told in first:
        if told["step"] == stop:
            break
    first.close()
    assert int(store.read_tensors(states.path("parts"))["step"]) == stop
    told = run(request("parts", **asked, resume=True))
    assert [t["step"] for t in told] == list(range(stop + 1, 13))
    assert store.read_card("parts").sha256 == store.read_card("whole").sha256 and not states.path("parts").exists()


def test_a_run_that_is_killed_resumes_from_its_last_periodic_save(places, monkeypatch):
    monkeypatch.setattr(states, "SAVE_EVERY", -1.0)
    for told in train(request("whole"), choose("cpu")):
        if told["step"] == 5:
            shutil.copy(states.path("whole"), places / "kept")
    states.path("parts").parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(places / "kept", states.path("parts"))
    told = run(request("parts", resume=True))
    assert told[0]["step"] == 6 and store.read_card("parts").sha256 == store.read_card("whole").sha256


def child(asked):
    """A process that trains, saves after every step and says each one; forked, since a fresh one loads torch for seconds."""
    context = multiprocessing.get_context("fork")
    said, told = context.Pipe(duplex=False)
    process = context.Process(target=lambda: [told.send(t["step"]) for t in train(asked, choose("cpu"))])
    process.start()
    told.close()
    return process, said


JEAT = {
    "objective": "jeat", "schedule": "warm-up", "norm": "linf", "attack": "energy", "net_args": "width:4,norm:none",
    "objective_args": "buffer:24,reinit:0.1,steps:2,step:1.0,noise:0.01", "average": "0",
}  # fmt: skip


@pytest.mark.skipif(torch.cuda.is_available(), reason="autograd's threads of a GPU do not survive a fork")
@pytest.mark.parametrize("changes", [{}, JEAT], ids=["at", "jeat"])
def test_ten_kills_at_any_moment_lose_nothing_but_the_steps_since_the_last_save(places, monkeypatch, changes):
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


def test_half_written_files_of_a_killed_run_do_no_harm_and_are_swept_away(places):
    first = train(request(), choose("cpu"))
    next(first), first.close()
    run_folder, models = states.path("toy").parent, places / "models"
    whole = states.path("toy").read_bytes()
    ours = [run_folder / "toy.123.part", models / "toy.123.part", models / "toy.json.123.part"]
    others = [run_folder / "toy.2.123.part", run_folder / "toys.123.part"]  # of the models "toy.2" and "toys"
    for path in ours + others:
        path.write_bytes(whole[: len(whole) // 2])
    assert run(request(resume=True))[0]["step"] == 2
    assert not any(path.exists() for path in ours) and all(path.exists() for path in others)


def test_a_run_killed_after_its_last_step_still_gets_its_model(places, monkeypatch):
    monkeypatch.setattr(states, "SAVE_EVERY", -1.0)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(store, "save", lambda *_: 1 / 0)  # dies where it would store the model
        run(request())
    assert [t["step"] for t in run(request(resume=True))] == [12] and store.load("toy")


def test_without_resume_a_saved_state_is_not_used_and_with_resume_and_none_the_run_begins_anew(places):
    first = train(request(), choose("cpu"))
    next(first), first.close()
    assert run(request())[0]["step"] == 1 and run(request(resume=True))[0]["step"] == 1


@pytest.mark.parametrize("change", [{"net_args": "width:8"}, {"lr": "0.5"}, {"steps": "4"}, {"seed": 9}])
def test_resuming_the_state_of_another_run_is_refused(places, change):
    first = train(request(), choose("cpu"))
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
def test_training_learns_an_easy_set_and_the_stored_net_knows_it(places, objective):
    told = run(request(objective=objective, steps="60", lr="0.02", batch="30"))
    losses = [sum(t["terms"].values()) for t in told]
    assert sum(losses[-5:]) / 5 < 0.5 * losses[0]
    held = images.load("stripes", "test")
    net, _ = store.load("toy")
    assert accuracy(net, held.floats(), held.labels) > 0.9


def test_images_limits_the_set_to_its_first(places):
    with pytest.raises(ValueError, match="batch size is 12, but the set holds 9 images"):
        run(request(images="9"))


def test_a_folder_of_its_own_gets_its_own_normalisation_and_a_known_set_the_published_one(places):
    held = images.load("stripes", "train")
    x, args = held.floats(), statistics(dataset("stripes"), held)
    assert args["mean"] == pytest.approx([x[:, c].mean().item() for c in range(3)]) and args["outputs"] == 3
    assert args["std"] == pytest.approx([x[:, c].std().item() for c in range(3)])
    known = statistics(DATASETS["cifar10"], held)
    assert known["mean"] == [0.4914, 0.4822, 0.4465] and known["std"] == [0.2470, 0.2435, 0.2616]


def test_with_metric_adds_to_the_card_and_keeps_the_rest(places):
    run(request(steps="1"))
    before = store.read_card("toy")
    with_metric("toy", "accuracy", {"value": 0.5})
    with_metric("toy", "robust", {"value": 0.25})
    after = store.read_card("toy")
    assert after.metrics == {"accuracy": {"value": 0.5}, "robust": {"value": 0.25}} and after.sha256 == before.sha256
    assert store.load("toy")


@pytest.mark.parametrize("out", ["../toy", "a b", ".x"])
def test_a_bad_name_is_refused_before_the_work(places, out):
    with pytest.raises(ValueError, match="model name is"):
        next(train(request(out), choose("cpu")))
    assert not (places / "models").exists()


def test_missing_images_are_said_before_the_work(places):
    with pytest.raises(DataMissing, match="no data set 'cats'"):
        run(request(data="cats"))


def test_training_leaves_the_global_random_state_alone(places):
    before = torch.get_rng_state()
    run(request(steps="2"))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_linear_probe_trains_one_layer_on_the_frozen_trunk_of_a_stored_encoder(places):
    encoder = {
        "kind": "encoder", "net": "encoder", "net_args": {"width": 4, "projection": (8, 4)}, "objective": "contrastive",
        "objective_args": {"views": "colour"}, "attack_steps": 0,
    }  # fmt: skip
    told = run(request("enc", **encoder))
    card = store.read_card("enc")
    assert card.kind == "encoder" and "outputs" not in card.net_args and told[-1]["probe"]["clean"] <= 1
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
def test_a_probe_without_its_encoder_is_refused(places, name, said):
    run(request("plain"))
    with pytest.raises(BadInput, match=said):
        run(request("probe", objective="standard", attack_steps=0, encoder=name))


def test_a_retry_halves_the_rate_again_each_time_even_when_it_diverges_at_once(places, monkeypatch):
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
