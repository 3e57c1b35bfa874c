"""The command line: one JSON object on standard output, progress on standard error, one line and an exit code for errors."""

import importlib
import io
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import foreign
import pytest
import torch
from conftest import CLASSES, equip, seeded
from PIL import Image
from stripes import binary

from cemviz import cli
from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.data.images import DataMissing
from cemviz.dynamics import Diverged
from cemviz.nets import build
from cemviz.starts import fit

TINY = ["mnist-at", "--out", "toy", "--steps", "3"]
for change in ("data=stripes", "net_args=width:4", "batch=12", "radius=0.3", "attack_steps=1", "attack_step=0.3"):
    TINY += ["--set", change]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of models after `train`, run once."""
    with pytest.MonkeyPatch.context() as patch:
        root = equip(tmp_path_factory.mktemp("trained"), patch)
        patch.setattr(sys, "argv", ["cemviz", "train", *TINY])
        cli.main()
    return root / "models"


@pytest.fixture
def toy(places, trained):
    """A root with the model `toy`."""
    shutil.copytree(trained, places / "models")
    return places


def one_object(out):
    assert out.endswith("}\n") and out.count("\n") == 1
    return json.loads(out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_train_prints_one_json_object_tells_progress_apart_and_measures(places, call):
    status, out, err = call("train", *TINY, "--json")
    result = one_object(out)
    assert status == 0 and "step 3/3" in err and "measuring robust" in err
    card = store.read_card("toy")
    assert (result["model"], result["steps"], result["path"]) == ("toy", 3, str(store.weights_path(card)))
    assert card.metrics["accuracy"]["value"] == result["accuracy"] and card.metrics["robust"]["value"] == result["robust"]
    assert card.metrics["robust"] | {"attack": "apgd", "norm": "l2", "radius": 0.3, "steps": 100} == card.metrics["robust"]
    assert card.metrics["robust"]["count"] == 30 and result["robust"] <= result["accuracy"]


def test_evaluate_prints_the_fields_of_the_contract(toy, call):
    status, out, _ = call("evaluate", "toy", "--json")
    result = one_object(out)
    assert status == 0
    assert {"model", "metric", "value", "spread", "count", "split", "seed", "extractor"} <= result.keys()
    assert (result["metric"], result["count"], result["split"], result["extractor"]) == ("accuracy", 30, "test", None)
    assert result["spread"] == pytest.approx((result["value"] * (1 - result["value"]) / 30) ** 0.5, abs=1e-4)
    args = (
        "--metric",
        "robust",
        "--attack",
        "pgd",
        "--norm",
        "linf",
        "--radius",
        0.1,
        "--steps",
        2,
        "--count",
        12,
        "--seed",
        5,
    )
    robust = one_object(call("evaluate", "toy", *args, "--json")[1])
    expected = {"metric": "robust", "attack": "pgd", "norm": "linf", "radius": 0.1, "steps": 2, "count": 12, "seed": 5}
    assert robust | expected == robust and 0 <= robust["value"] <= 1
    assert one_object(call("evaluate", "toy", *args, "--json")[1]) == robust


@pytest.mark.slow
def test_robust_takes_auto_pgd_in_the_cards_threat_and_is_at_most_accuracy(places, call):
    call("train", *TINY[:4], "40", *TINY[5:], "--set", "lr=0.02")
    clean = one_object(call("evaluate", "toy", "--json")[1])["value"]
    robust = one_object(call("evaluate", "toy", "--metric", "robust", "--json")[1])
    assert (robust["attack"], robust["norm"], robust["radius"]) == ("apgd", "l2", 0.3) and robust["value"] <= clean
    none = one_object(call("evaluate", "toy", "--metric", "robust", "--radius", 0, "--json")[1])["value"]
    assert none == clean > 0.5


def test_a_sweep_prints_a_cell_a_setting(toy, call):
    store.save_gaussians("stripes", fit(torch.rand(30, 3, 8, 8, generator=seeded()), torch.arange(30) % 3, 3, rank=4))
    asked = ("sweep", "toy", "--over", "noise,steps", "--values", "0,.05;0,2,4", "--seeds", 2, "--count", 5)
    status, out, err = call(*asked, "--metric", "own,distance", "--json")
    result = one_object(out)
    assert status == 0 and "Traceback" not in err and (result["model"], result["sampler"]) == ("toy", "rcs")
    assert result["over"] == ["noise", "steps"] and result["metric"] == "own" and result["seeds"] == 2
    assert [(c["settings"]["noise"], c["settings"]["steps"]) for c in result["cells"]] == [
        (noise, steps) for noise in (0, 0.05) for steps in (0, 2, 4)
    ]
    assert all(0 <= c["value"] <= 1 and c["spread"] >= 0 and c["seconds"] > 0 for c in result["cells"])
    lines = call(*asked, "--metric", "own,distance")[1].splitlines()
    assert len(lines) == 7 and lines[0].split() == ["η", "K", "own", "distance", "seconds"]
    status, out, err = call("sweep", "toy", "--over", "noise", "--values", "0;1")
    assert (
        status == 2
        and not out
        and err == ("cemviz: values has 2 lists, and 1 numbers are swept; give one list each, with semicolons between\n")
    )


def test_sampling_an_encoder_fits_it_and_has_no_confidence_without_a_probe(places, call):
    card = encoder_of("stripes")
    store.save_gaussians("stripes", fit(torch.rand(30, *card.shape, generator=seeded()), torch.arange(30) % 3, 3, rank=4))
    status, out, _ = call("sample", "toy", "--steps", "2", "--out", places / "grid.png", "--json")
    result = one_object(out)
    assert status == 0 and (places / "grid.png").is_file()
    assert result["sampler"] == "maxent" and result["settings"]["start"] == "gaussian" and len(result["energy"]) == 64
    assert result["confidence"] == result["predicted"] == result["classes"] == [None] * 64
    assert all(0 < distance <= 2 * result["settings"]["step"] + 1e-4 for distance in result["distance"])
    # of 64 images, in units of cosine / .5: crowding lies between log(64) - 2 and log(64) + 2
    assert all(abs(energy - math.log(64)) <= 2.001 for energy in result["energy"])
    status, out, _ = call(
        "sample", "toy", "--count", 4, "--start", "class-gaussian", "--features", "trunk", "--out", places / "a.npz", "--json"
    )
    result = one_object(out)
    assert result["classes"] == [*CLASSES, CLASSES[0]] and result["settings"]["features"] == "trunk"


def encoder_of(data):
    args = {"width": 4, "depth": 1, "norm": "none", "projection": [4]}
    card = store.Card(
        name="toy", title="Toy", kind="encoder", net="encoder", net_args=args, data=data, shape=(3, 8, 8), classes=CLASSES,
        recipe="", scale="", recipe_args={}, norm="l2", radius=1.0, seed=0, steps=0, seconds=0.0, device="", command="",
        created="",
    )  # fmt: skip
    args |= {"mean": [0.5] * 3, "std": [0.5] * 3}
    store.save(build("encoder", **args), card)
    return card


def test_without_json_the_result_is_a_line_a_field(toy, call):
    _, out, _ = call("evaluate", "toy")
    assert "metric: accuracy" in out.splitlines() and not out.startswith("{")


def test_list_names_every_table_once_as_json(places, call):
    result = one_object(call("list", "--json")[1])
    named = {"models", "samplers", "attacks", "recipes", "datasets", "presets", "experiments", "metrics", "columns"}
    assert result.keys() == named
    assert all(row.keys() == {"name", "title"} for rows in result.values() for row in rows)
    assert {row["name"] for row in result["attacks"]} >= {"fgsm", "pgd", "apgd"} and result["models"] == []


def test_a_net_from_elsewhere_goes_from_its_file_to_a_grid_by_two_commands(places, call, monkeypatch):
    monkeypatch.chdir(places)
    torch.save(foreign.trained(foreign.Trades(depth=10, widen=1, classes=3)).state_dict(), "net.pt")
    status, out, err = call("import", "net.pt", "--as", "mine", "--dataset", "stripes", "--scale", "none", "--json")
    result = one_object(out)
    assert status == 0 and "Traceback" not in err and result["model"] == "mine" and result["data"] == "stripes"
    assert result["next"].split()[:5] == ["python", "-m", "cemviz", "sample", "mine"]
    command = [*result["next"].split()[3:], "--steps", "2", "--out", "grid.png", "--json"]
    assert one_object(call(*command)[1])["model"] == "mine" and Image.open("grid.png").size[0] > 8
    lines = call("import", "net.pt", "--dataset", "stripes", "--scale", "none")[1].splitlines()
    assert lines[0] == "net: a WideResNet (TRADES, RobustBench), by block1.layer.0 and fc"
    assert any(line.startswith("left aside: 12 tensors, such as sub_block1") for line in lines)


@pytest.mark.slow
def test_a_cnn_of_another_package_goes_to_a_grid_by_two_commands(places, call, monkeypatch):
    """digit-recognizer-py, an MNIST CNN under MIT whose weights and code lie in the package."""
    package = Path(pytest.importorskip("digit_recognizer").__file__).parent
    monkeypatch.chdir(places)
    source, code = package / "models" / "handwriting_model.pth", f"{package / 'model.py'}:CNN"
    result = one_object(call("import", source, "--code", code, "--as", "digits", "--json")[1])
    assert (result["data"], result["shape"], result["classes"]) == ("mnist", [1, 28, 28], 10)
    assert one_object(call(*result["next"].split()[3:], "--out", "grid.png", "--json")[1])["model"] == "digits"
    assert Image.open("grid.png").size[0] > 100
    theirs = importlib.import_module("digit_recognizer").CNN()
    theirs.load_state_dict(torch.load(source, weights_only=True))
    x, scale = torch.rand(4, 1, 28, 28, generator=seeded()), result["normalisation"]
    expected = theirs.eval()((x - scale["mean"][0]) / scale["std"][0])
    torch.testing.assert_close(store.load("digits")[0](x), expected, rtol=0, atol=5e-3 * expected.abs().max().item())


def test_a_file_with_code_in_it_is_one_line_and_exit_code_2(places, call, monkeypatch):
    monkeypatch.chdir(places)
    torch.save({"net": torch.nn.Linear(2, 2)}, "net.pt")
    status, out, err = call("import", "net.pt")
    assert status == 2 and not out and err.startswith("cemviz: net.pt holds more than tensors") and err.count("\n") == 1


BAD = [
    (["import", "net.pt", "--radius", "-1"], "ε (radius) is -1"),
    (["import", "net.pt", "--side", "2"], "side is 2; give a whole number from 4 to 1024"),
    (["import"], "source"),
    (["pull", "someone/toy"], "repository is 'someone/toy'; give hf:USER/REPO"),
    (["publish", "nothing", "hf:a/b"], "no model 'nothing'"),
    (["evaluate", "nothing"], "no model 'nothing'"),
    (["evaluate", "../x"], "model name is '../x'"),
    (["evaluate", "toy", "--metric", "speed"], "metric is 'speed'; choose one of accuracy, robust"),
    (["evaluate", "toy", "--metric", "robust", "--attack", "targeted"], "attack is 'targeted'; choose one of fgsm, pgd"),
    (["evaluate", "toy", "--metric", "robust", "--norm", "l1"], "norm is 'l1'; choose one of l2, linf"),
    (["evaluate", "toy", "--metric", "robust", "--radius", "nan"], "ε (radius) is nan; give a number from 0 to inf"),
    (["evaluate", "toy", "--metric", "robust", "--radius", "-1"], "ε (radius) is -1; give a number from 0 to inf"),
    (["evaluate", "toy", "--metric", "robust", "--steps", "0"], "K (steps) is 0; give a whole number from 1"),
    (["evaluate", "toy", "--count", "0"], "count is 0; give a whole number from 1"),
    (["evaluate", "toy", "--count", "many"], "count is 'many'; give a whole number from 1 to 1000000"),
    (["evaluate", "toy", "--seed", "1.5"], "seed is 1.5; give a whole number from 0 to 2147483647"),
    (["evaluate", "toy", "--seed", "2147483648"], "seed is 2147483648; give a whole number from 0 to 2147483647"),
    (["sample", "toy", "--noise", ""], "η (noise) is ''; give a number from 0 to 10"),
    (["sample", "toy", "--start", "uniform", "--classes", "²"], "class is '²'; toy knows"),
    (["evaluate", "toy", "--device", "tpu"], "device is 'tpu'; choose cuda"),
    (["evaluate"], "model"),
    (["evaluate", "toy", "--colour"], "--colour"),
    (["paint"], "paint"),
    (["restore", "toy", "--image", "test:0"], "'toy' is a classifier; a binary net restores: none yet"),
    (["restore", "toy", "--task", "mend"], "task is 'mend'; choose one of denoise, inpaint, translate"),
    (["restore", "toy", "--hold"], "known pixels are held by inpaint; the task is denoise"),
    (["restore", "toy", "--out", "a.gif"], "out is '.gif'; choose one of .png"),
    (["train", "mnist"], "recipe is 'mnist'; choose one of"),
    (["train", "mnist-at", "--scale", "huge"], "scale is 'huge'; choose one of evidence"),
    (["train", "mnist-at", "--set", "lr"], "--set is 'lr'; give field=value"),
    (["train", "mnist-at", "--set", "lr=fast"], "lr is 'fast'; give a number"),
    (["train", "mnist-at", "--set", "optimizer=adam"], "optimizer is 'adam'; choose one of adamw, adam-game, sgd"),
    (["train", "mnist-at", "--set", "data=cats"], "no data set 'cats'"),
    (["train", "mnist-at", "--steps", "0"], "steps is 0; give at least 1"),
    (["train", "mnist-at", "--set", "data=stripes", "--set", "batch=100"], "batch size is 100, but the set holds 60 images"),
]


@pytest.mark.parametrize(("words", "said"), BAD)
def test_bad_input_is_one_line_on_standard_error_and_exit_code_2(toy, call, words, said):
    status, out, err = call(*words, "--json")
    assert status == 2 and out == "" and said in err and err.startswith("cemviz: ") and err.count("\n") == 1


def test_a_run_that_diverges_is_one_line_and_exit_code_1(places, call):
    status, out, err = call("train", *TINY, "--set", "lr=1e6", "--set", "clip=inf", "--set", "optimizer=sgd",
                            "--set", "schedule=constant", "--steps", "20", "--json")  # fmt: skip
    assert status == 1 and out == "" and "cemviz: training diverged" in err.splitlines()[-1] and "Traceback" not in err


def test_broken_weights_are_one_line_and_exit_code_2(toy, call):
    store.weights_path(store.read_card("toy")).write_bytes(b"broken")
    status, out, err = call("evaluate", "toy")
    assert status == 2 and out == "" and "does not match its card" in err and "Traceback" not in err


def test_debug_raises_the_error_itself(places, call, monkeypatch):
    monkeypatch.setenv("CEMVIZ_DEBUG", "1")
    with pytest.raises(KeyError, match="nothing"):
        call("evaluate", "nothing")


@pytest.mark.slow
def test_the_module_runs_as_a_program(places):
    asked = [sys.executable, "-m", "cemviz", "evaluate", "nothing", "--json"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    assert done.stdout == "" and "Traceback" not in done.stderr and "no model 'nothing'" in done.stderr
    assert done.returncode == 2


def test_no_command_shows_the_help(call):
    status, out, err = call()
    assert "Usage" in out + err and "NoArgs" not in err and status in (0, 2)


def test_help_is_not_an_error(call):
    status, out, _ = call("--help")
    assert status == 0 and "evaluate" in out


@pytest.mark.parametrize("task", ["denoise", "inpaint", "translate"])
def test_restore_prints_the_fields_of_the_contract(places, call, task):
    store.save(*binary("toy"))
    place = places / "r.png"
    status, out, _ = call("restore", "toy", "--task", task, "--image", "test:4", "--steps", 2, "--out", place, "--json")
    result = one_object(out)
    known = {} if task == "translate" else {"ssim_before", "ssim_after"}
    assert status == 0 and {"model", "task", "image", "steps", "out", *known} <= result.keys()
    assert "ssim_before" in known or "ssim_before" not in result
    assert (result["model"], result["task"], result["image"], result["steps"]) == ("toy", task, "test:4", 2)
    assert Image.open(place).height == 36 and all(-1 <= result[name] <= 1 for name in known)


def test_an_interrupt_says_how_to_go_on_and_exits_with_130(places, call, monkeypatch):
    monkeypatch.setattr("cemviz.cli.models.choose", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    status, out, err = call("evaluate", "toy")
    assert status == 130 and out == "" and "--resume" in err


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (BadInput("x", "m"), 2), (KeyError("k"), 2), (ValueError("v"), 2), (DataMissing("d"), 2),
        (store.BrokenCheckpoint("b"), 2), (Diverged("d"), 1), (RuntimeError("r"), 1), (OSError("disk full"), 1),
    ],
)  # fmt: skip
def test_exit_codes_tell_bad_input_from_failed_runs(error, expected):
    assert cli.code(error) == expected


@pytest.mark.slow
def test_a_model_of_another_run_is_not_replaced_unasked(places, call):
    tiny = ["train", *TINY[:1], *TINY[3:]]  # no --out
    assert call(*tiny)[0] == 0 and call(*tiny)[0] == 0  # the same run again
    status, _, err = call(*tiny, "--seed", "1")
    assert status == 2 and "a model 'mnist-at' of another run is stored" in err and "--out my-mnist-at" in err
    assert store.read_card("mnist-at").seed == 0
    assert call(*tiny, "--seed", "1", "--out", "mnist-at")[0] == 0 and store.read_card("mnist-at").seed == 1


def test_a_folder_of_data_that_is_none_is_named(places, call):
    status, _, err = call("train", *TINY, "--data", "/no/such/folder")
    assert status == 2 and "data is '/no/such/folder', which is no folder" in err


@pytest.mark.parametrize("suffix", ["png", "gif", "npz", "PNG"])
def test_samples_are_written_into_a_new_folder(toy, call, suffix):
    out = toy / "new" / "folder" / f"x.{suffix}"
    assert call("sample", "toy", "--start", "uniform", "--count", "2", "--steps", "1", "--out", out)[0] == 0 and out.is_file()


def test_a_place_for_a_result_is_looked_at_before_the_work(toy, call, monkeypatch):
    (toy / "x.png").mkdir()
    monkeypatch.setattr("cemviz.cli.pictures.sample", lambda *_: pytest.fail("work was begun"))
    status, _, err = call("sample", "toy", "--start", "uniform", "--count", "1", "--out", toy / "x.png")
    assert status == 1 and "x.png cannot be written (a folder stands there)" in err


def test_a_result_of_training_or_of_a_table_needs_its_place(places, call, monkeypatch):
    (places / "file").write_text("")
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(places / "file"))
    for words in (("train", *TINY), ("reproduce", "jeat-1")):
        status, _, err = call(*words)
        assert status == 1 and f"cannot be written ({places / 'file'} is no folder)" in err


def test_options_without_a_say_are_said(toy, call):
    words = ("sample", "toy", "--start", "uniform", "--count", "2", "--steps", "1", "--out", toy / "x.png")
    status, _, err = call(*words, "--sampler", "langevin", "--classes", "1", "--features", "trunk")
    assert status == 0 and "--classes has no say" in err and "--features has no say" in err
    status, _, err = call(*words, "--sampler", "rcs", "--classes", "1")
    assert status == 0 and "no say" not in err


def test_a_folder_of_models_that_is_not_there_is_named(places, call, monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(places / "none"))
    status, _, err = call("list")
    assert status == 0 and f"there is no folder {places / 'none'}" in err


def test_a_card_that_cannot_be_read_is_said_beside_the_list(places, call):
    (places / "models" / "dir.json").mkdir(parents=True)
    (places / "models" / "odd.json").write_text("[" * 100_000)
    status, out, err = call("list", "--json")
    assert status == 0 and json.loads(out)["models"] == []
    assert len(err.splitlines()) == 2 and "dir.json cannot be read (is a directory)" in err and "odd.json" in err


@pytest.mark.parametrize("words", [["list"], ["list", "--json"], ["evaluate", "--help"]])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_output_that_is_no_utf_8_loses_a_letter_and_not_the_answer(places, call, monkeypatch, encoding, words):
    (places / "models").mkdir()
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding, write_through=True))
    status, _, err = call(*words)
    assert status == 0 and err == "" and out.getvalue()
    if "--json" in words:
        recipes = one_object(out.getvalue().decode(encoding).replace("\r", ""))["recipes"]
        assert any("L∞" in row["title"] for row in recipes)  # JSON keeps every letter
