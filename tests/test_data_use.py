"""Numbers from folders of images: rates that are right or refused, and nothing fetched unasked."""

import json
import shutil

import pytest
import torch
from conftest import CLASSES, write_images
from stripes import card
from torch import nn

from cemviz.backend import store
from cemviz.backend.assets import make as make_assets
from cemviz.backend.assets import one_a_class
from cemviz.backend.attack.examples import attacked
from cemviz.backend.attack.rates import Rates, robustness
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.evaluate import evaluate
from cemviz.backend.look.pictures import subject
from cemviz.backend.requests import AttackedRequest, EvaluateRequest, RobustnessRequest, RunRequest, TrainRequest
from cemviz.backend.stored import assets
from cemviz.backend.studio import Studio
from cemviz.backend.tables.measures import window
from cemviz.backend.train import checks as checks_of_visitors
from cemviz.backend.train import checks as training
from cemviz.backend.train.run import train
from cemviz.backend.use_case import Step
from cemviz.data import images, originals
from cemviz.data.datasets import DATASETS, BadData, DataMissing, Dataset
from cemviz.training.recipes import RECIPES

TEN = tuple("abcdefghij")
TINY = {"net_args": "width:4", "steps": "2", "batch": "6", "radius": "0.3", "attack_steps": "1", "attack_step": "0.3"}


class Brightest(nn.Module):
    """A true classifier of `write_images`: the stripe that is bright."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        width = x.shape[3] // self.classes
        return 20 * x.mean((1, 2))[:, : width * self.classes].unflatten(1, (self.classes, width)).mean(2)


@pytest.fixture
def oracle(places, monkeypatch):
    """Models whose true accuracy is 1: `three` of the stripes, `ten` of ten stripes, by the classes of their cards."""
    made = {"three": card("three"), "ten": card("ten", data="bars"), "turned": card("turned", data="bars")}
    made["ten"] = store.Card(**vars_of(made["ten"]) | {"classes": TEN, "shape": (3, 20, 20)})
    made["turned"] = store.Card(**vars_of(made["turned"]) | {"classes": TEN[::-1], "shape": (3, 20, 20)})
    write_images(places / "data" / "bars" / "test", 4, 5, TEN, side=20)

    class Turned(Brightest):
        def forward(self, x):
            return super().forward(x).flip(1)

    nets = {"three": Brightest(3), "ten": Brightest(10), "turned": Turned(10)}
    monkeypatch.setattr(store, "load", lambda name, device="cpu": (nets[name].eval(), made[name]))
    monkeypatch.setattr(store, "read_card", lambda name: made[name])
    monkeypatch.setattr(store, "cards", lambda: made)
    return places / "data"


def vars_of(one: store.Card) -> dict:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def measured(model: str, metric: str = "accuracy", **how):
    *_, last = evaluate(Studio(choose("cpu")), EvaluateRequest(model, metric, **how))
    return last


# numbers -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["ten", "turned"])
@pytest.mark.parametrize("gone", ["", "a", "f", "j", "bdg"])
@pytest.mark.parametrize("beside", ["", "__MACOSX", ".ipynb_checkpoints"])
def test_a_true_accuracy_of_1_is_1_whatever_is_missing_or_beside(oracle, model, gone, beside):
    for name in gone:
        shutil.rmtree(oracle / "bars" / "test" / name)
    if beside:
        write_images(oracle / "bars" / "test", 3, 6, (beside,), side=20)
    last = measured(model)
    order = TEN if model == "ten" else TEN[::-1]
    assert last["value"] == 1.0 and last["count"] == 40 - 4 * len(gone)
    passed = [f"{oracle / 'bars' / 'test'} has '{beside}', passed over: read are .png, .webp and .jpg in CLASS folders"]
    absent = [f"bars (test) has no images of {', '.join(c for c in order if c in gone)}"]
    assert last["warnings"] == passed * bool(beside) + absent * bool(gone)
    *_, rates = (item for item in robustness(Studio(choose("cpu")), RobustnessRequest((model,), ("none",), curve=False)))
    assert rates.rates["none"] == 1.0 and set(last["warnings"]) <= set(rates.faults)


@pytest.mark.parametrize("name", ["10", "k", "background"])
def test_an_extra_folder_is_refused_by_every_use(oracle, name):
    write_images(oracle / "bars" / "test", 1, 6, (name,), side=20)
    studio = Studio(choose("cpu"))
    uses = (
        lambda: measured("ten"),
        lambda: list(robustness(studio, RobustnessRequest(("ten",), ("none",)))),
        lambda: list(attacked(studio, AttackedRequest("ten", source="test"))),
        lambda: subject(studio, "bars", "test:0", TEN),
        lambda: window("depth", count=2, side=3).run("ten", choose("cpu"), None, 0),
        lambda: list(make_assets(studio, "bars", only=("grids",))),
    )
    for use in uses:
        with pytest.raises(BadData, match=f"'{name}', which is no class"):
            use()


def test_models_of_one_set_are_each_measured_by_their_own_order(oracle):
    asked = RobustnessRequest(("ten", "turned"), ("none",), curve=False)
    rows = [item for item in robustness(Studio(choose("cpu")), asked) if isinstance(item, Rates)]
    assert [rates.rates["none"] for rates in rows] == [1.0, 1.0]


@pytest.mark.parametrize("metric", ["accuracy", "robust"])
def test_a_rate_of_one_class_or_of_one_image_says_so(oracle, metric):
    how = {"attack": "fgsm"} if metric == "robust" else {}
    assert not any("one" in text for text in measured("three", metric, **how)["warnings"])
    assert any("one image" in text for text in measured("three", metric, count=1, **how)["warnings"])
    for name in ("left", "right"):
        shutil.rmtree(oracle / "stripes" / "test" / name)
    said = measured("three", metric, **how)["warnings"]
    assert said[0] == "stripes (test) has no images of left, right"
    assert any("all 30 images" not in text and "are of one class, 'middle'" in text for text in said)


def test_images_of_another_size_than_the_model_s_are_refused(oracle):
    shutil.rmtree(oracle / "bars" / "test")
    write_images(oracle / "bars" / "test", 1, 5, TEN, side=30)
    with pytest.raises(BadInput, match="images of bars are 3 x 30 x 30 here, and 'ten' takes 3 x 20 x 20"):
        measured("ten")


def test_a_studio_keeps_one_copy_of_the_images_of_an_order(oracle):
    studio = Studio(choose("cpu"))
    one = studio.test_images("bars", TEN)
    assert studio.test_images("bars") is one is studio.test_images("bars", TEN)
    turned = studio.test_images("bars", TEN[::-1])
    assert turned is studio.test_images("bars", TEN[::-1]) and torch.equal(turned.pixels, one.pixels)
    assert turned.classes == TEN[::-1] and torch.equal(turned.labels, 9 - one.labels)


def test_overwritten_images_change_the_accuracy(oracle):
    assert measured("three")["value"] == 1.0
    for label, name in enumerate(CLASSES):
        write_images(oracle / "stripes" / "test", 10, label, (name, "x", "y"))
    for name in ("x", "y"):
        shutil.rmtree(oracle / "stripes" / "test" / name)
    assert measured("three")["value"] == pytest.approx(1 / 3, abs=1e-3)


# where the data is -------------------------------------------------------------------------------------------------------


COMMANDS = {
    "list": ["list"], "train": ["train", "mnist-at", "--steps", 1], "evaluate": ["evaluate", "three"],
    "sample": ["sample", "three", "--count", 1, "--start", "uniform"], "sweep": ["sweep", "three"],
    "play": ["play", "--steps", 1], "assets": ["assets", "mnist"],
    "reproduce": ["reproduce", "cem-3", "--shipped"], "bench": ["bench", "chain"],
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_an_environment_that_names_no_folder(oracle, call, monkeypatch, command):
    monkeypatch.setenv("CEMVIZ_DATA", "/no/such/folder")
    monkeypatch.setattr(originals, "read", lambda *a: pytest.fail("a download was tried"))
    status, out, err = call(*COMMANDS[command])
    assert (status, out) == (2, "")
    assert err == "cemviz: CEMVIZ_DATA is '/no/such/folder', which is no folder; give one that holds NAME/SPLIT/CLASS/*.png\n"


def test_a_studio_and_so_the_page_refuses_a_mistyped_folder_at_once(places, monkeypatch):
    with pytest.raises(DataMissing, match="data is '/no/such'"):
        Studio(choose("cpu"), "/no/such")
    monkeypatch.setenv("CEMVIZ_DATA", "/no/such")
    with pytest.raises(DataMissing, match="CEMVIZ_DATA is '/no/such'"):
        Studio(choose("cpu"))


@pytest.mark.parametrize("tick", [False, True])
def test_a_visitor_s_training_downloads_by_the_tick_box_alone(places, monkeypatch, tick):
    monkeypatch.setattr(checks_of_visitors, "missing", lambda *a: "")
    asked = training.checked(Studio(choose("cpu")), RunRequest("mnist-at", name="my-run", download=tick))
    assert asked.download is tick and TrainRequest("mnist-at").download


def test_only_training_downloads(oracle, monkeypatch, tmp_path):
    asked = []

    def read(name, row, split, root, download):
        asked.append(download)
        raise DataMissing("not here")

    monkeypatch.setattr(originals, "read", read)
    mine = store.Card(**vars_of(card("three")) | {"data": "mnist", "classes": DATASETS["mnist"].classes})
    monkeypatch.setattr(store, "load", lambda name, device="cpu": (Brightest(3).eval(), mine))
    for use in (
        lambda: measured("three"),
        lambda: window("depth").run("three", choose("cpu"), None, 0),
        lambda: list(make_assets(Studio(choose("cpu")), "mnist", only=("seeds",))),
        lambda: list(train(Studio(choose("cpu")), TrainRequest("mnist-at", out="toy", download=False))),
    ):
        with pytest.raises(DataMissing):
            use()
    assert asked == [False] * 4 and Studio(choose("cpu")).test_images("mnist") is None
    with pytest.raises(DataMissing):
        list(train(Studio(choose("cpu")), TrainRequest("mnist-at", out="toy")))
    assert asked == [False] * 4 + [True]


# a set of one's own ------------------------------------------------------------------------------------------------------


def test_an_own_set_without_a_test_split_is_refused_before_training(places, call):
    write_images(places / "data" / "mine" / "train", 4, 1)
    words = [word for key, value in ({"data": "mine"} | TINY).items() for word in ("--set", f"{key}={value}")]
    status, out, err = call("train", "mnist-at", "--out", "toy", *words)
    assert (status, out) == (2, "") and "mine has no test split" in err and "mine/test/CLASS/*.png" in err and "step" not in err
    assert err.count("\n") == 1 and not list((places / "models").rglob("*.json"))


def test_a_known_set_without_a_test_split_says_so_and_is_trained(places, monkeypatch):
    write_images(places / "data" / "mnist" / "train", 2, 1, DATASETS["mnist"].classes, side=28, grey=True)
    monkeypatch.setattr(originals, "read", lambda *a: pytest.fail("a download was tried"))
    work = train(Studio(choose("cpu")), TrainRequest("mnist-at", out="toy", changes=TINY))
    with pytest.warns(UserWarning, match="mnist has no test split on this machine"):
        first = next(work)
    assert first.done == 1 and list(work)[-1].name == "toy"


def test_a_class_that_training_lacks_is_warned_of_and_on_the_card(places):
    write_images(places / "data" / "mnist" / "train", 2, 1, DATASETS["mnist"].classes, side=28, grey=True)
    write_images(places / "data" / "mnist" / "test", 1, 1, DATASETS["mnist"].classes, side=28, grey=True)
    shutil.rmtree(places / "data" / "mnist" / "train" / "3")
    with pytest.warns(UserWarning, match=r"mnist \(train\) has no images of 3"):
        list(train(Studio(choose("cpu")), TrainRequest("mnist-at", out="toy", changes=TINY)))
    made = store.read_card("toy")
    assert "mnist (train) has no images of 3" in made.notes and len(made.classes) == 10


def test_a_recipe_of_one_s_own_set_does_not_break_the_training_tab(places, monkeypatch):
    row = RECIPES["mnist-at"]["evidence"]
    studio = Studio(choose("cpu"))
    for name, said in (("stripes", ""), ("nowhere", "nowhere is not on this machine. Set CEMVIZ_DATA")):
        monkeypatch.setitem(
            RECIPES, "own", {"evidence": type(row)(**{k: getattr(row, k) for k in row.__dataclass_fields__} | {"data": name})}
        )
        assert training.missing(studio, name).startswith(said) and bool(training.missing(studio, name)) == bool(said)
    write_images(places / "data" / "mine" / "train", 1, 1)
    assert "mine/test/CLASS/*.png" in training.missing(studio, "mine")


def test_a_new_row_brings_its_window_its_rank_and_its_gallery(places, monkeypatch):
    row = Dataset("Stripes", (3, 8, 8), CLASSES, radius=1.25, rank=5, gallery="stripes-own")
    monkeypatch.setitem(DATASETS, "stripes", row)
    monkeypatch.setattr("cemviz.backend.assets.SIDE", 3)
    from windows import save

    save("stripes-own", 1)
    steps = list(make_assets(Studio(choose("cpu")), "stripes", only=("seeds", "grids", "gallery")))
    assert not any("skipped" in item for item in steps if not isinstance(item, Step))
    assert assets.grids("stripes").radius == 1.25 and assets.gallery("stripes").model == "stripes-own"
    assert store.load_gaussians("stripes").factors.shape[-1] == 5
    assert json.loads((store.folder() / "grids" / "stripes.json").read_text())["classes"] == list(CLASSES)


def test_windows_are_of_the_classes_that_there_are(oracle):
    shutil.rmtree(oracle / "stripes" / "test" / "left")
    places = one_a_class(images.load("stripes", "test", classes=CLASSES))
    assert places == [0, 1]
