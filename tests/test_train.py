"""Training end to end on tiny sets on disk: stored models, and cards that make them again."""

import re
import shlex
import sys

import pytest
import torch
from conftest import CLASSES
from runs import request, run

from cemviz import cli
from cemviz.backend import store
from cemviz.backend.device import choose
from cemviz.backend.requests import TrainRequest
from cemviz.backend.studio import Studio
from cemviz.backend.train import states
from cemviz.backend.train.prepared import statistics
from cemviz.backend.train.provenance import command
from cemviz.backend.train.run import train
from cemviz.data import images
from cemviz.data.datasets import DATASETS, dataset
from cemviz.metrics.robustness import accuracy
from cemviz.training.recipes import recipe


def test_a_run_tells_every_step_and_stores_a_model_with_its_card(places):
    *told, model = train(Studio(choose("cpu")), request(seed=3))
    assert [t.done for t in told] == list(range(1, 13)) and {t.total for t in told} == {12}
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
    assert args["mean"] == pytest.approx([x[:, c].mean().item() for c in range(3)])
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
