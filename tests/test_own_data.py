"""Data sets of one's own: what is amiss by name, what is copied and described, recipes that train, lists that show it."""

import json
import shutil

import numpy as np
import pytest
import torch
from conftest import CLASSES, write_images
from PIL import Image

from cemviz.backend import own as backend_own
from cemviz.backend import store
from cemviz.backend.requests import AddRequest, RunRequest
from cemviz.backend.studio import Studio
from cemviz.backend.train import checks
from cemviz.data import images, own
from cemviz.data.datasets import DATASETS, BadData, DataMissing
from cemviz.training.recipe import Recipe
from cemviz.training.recipes import MNIST_AT, RECIPES, recipe


@pytest.fixture
def folder(places):
    """A folder of one's own with both splits, and tables that forget what a test enters."""
    source = places / "mine"
    write_images(source / "train", 8, seed=1)
    write_images(source / "test", 3, seed=2)
    yield source
    for table in (DATASETS, RECIPES):
        for key in [key for key in table if key.startswith("leaves")]:
            del table[key]


def add(folder, name="leaves", **how):
    *_, added = backend_own.add(Studio(), AddRequest(name, str(folder), **how))
    return added


def test_a_folder_is_copied_described_and_read_back(folder, places):
    added = add(folder, title="My leaves")
    root = places / "data"
    assert added["counts"] == {"train": 24, "test": 9} and added["shape"] == (3, 8, 8) and added["warnings"] == []
    assert sorted(p.name for p in root.iterdir()) == ["leaves", "stripes"]  # nothing half done is left
    a, b = (images.load(name, "test", data=where) for name, where in (("leaves", None), ("mine", places)))
    assert torch.equal(a.pixels, b.pixels) and torch.equal(a.labels, b.labels) and a.classes == CLASSES
    row, x = own.read(root / "leaves", "leaves").row, images.load("leaves", "train").floats()
    assert row == DATASETS["leaves"] and (row.title, row.judge, row.gallery) == ("My leaves", "leaves-judge", "leaves-at")
    torch.testing.assert_close(torch.tensor(row.mean), x.mean((0, 2, 3)), rtol=0, atol=1e-4)
    torch.testing.assert_close(torch.tensor(row.std), x.std((0, 2, 3)), rtol=0, atol=1e-3)
    assert store.load_gaussians("leaves").means.shape == (4, 192)


def test_a_folder_of_classes_alone_tests_on_every_fifth_image(folder, places):
    added = add(folder / "train")
    assert added["counts"] == {"train": 21, "test": 3}
    names = {split: sorted(p.name for p in (places / "data/leaves" / split / "left").iterdir()) for split in ("train", "test")}
    assert names["test"] == ["004.png"] and len(names["train"]) == 7 and "004.png" not in names["train"]


def test_a_grey_set_has_one_channel_and_a_size_scales_it(folder):
    shutil.rmtree(folder)
    write_images(folder / "train", 8, seed=1, side=30, grey=True)
    write_images(folder / "test", 3, seed=2, side=24, grey=True)
    with pytest.raises(BadData, match=r"differ in size \(train 30 x 30, test 24 x 24 pixels\); give --size"):
        own.check("leaves", folder, folder.parent / "data")
    added = add(folder, size=12)
    assert recipe("leaves-at").radius == MNIST_AT.radius and DATASETS["leaves"].radius == DATASETS["mnist"].radius
    del DATASETS["leaves"]  # as where only the library is used
    assert added["shape"] == (1, 12, 12) and images.load("leaves", "test").pixels.shape == (9, 1, 12, 12)


def _broken(folder):
    (folder / "train" / "left" / "003.png").write_bytes(b"no image")


def _uneven(folder):
    Image.fromarray(np.zeros((9, 8, 3), np.uint8)).save(folder / "train" / "left" / "003.png")


def _large(folder):
    write_images(folder / "train", 8, seed=1, side=40)
    write_images(folder / "test", 3, seed=1, side=40)


FAULTS = {
    "no split": (lambda f: shutil.rmtree(f / "test"), "has train; it wants train and test, or class folders alone"),
    "a bad file": (_broken, r"has images that cannot be used: left/003.png is no image"),
    "one of another size": (_uneven, r"left/003.png has 8 x 9; scale all to one size, or give --size"),
    "too large": (_large, r"have 40 x 40 pixels in colour, more than 4096 numbers: give --size, such as --size 32"),
    "one class": (
        lambda f: [shutil.rmtree(f / split / label) for split in ("train", "test") for label in CLASSES[1:]],
        "holds images of fewer than 2 classes; give CLASS folders",
    ),
    "a class of one image": (
        lambda f: [p.unlink() for p in list((f / "train" / "left").iterdir())[1:]], "class 'left' has 1 image for training"
    ),
    "an unknown class": (lambda f: (f / "test" / "left").rename(f / "test" / "up"), "'up', which is no class that is known"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_amiss_with_a_folder_is_said_by_name(folder, places, fault):
    spoil, said = FAULTS[fault]
    spoil(folder)
    with pytest.raises(BadData, match=said):
        add(folder)
    assert "leaves" not in DATASETS and not (places / "data" / "leaves").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Leaves", "give small letters"), ("../x", "give small letters"), ("mnist", "known data set"), 
        ("stripes", "is there already"),
        ("leaves", "a recipe 'leaves-at' is there already"),
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_is_refused(folder, monkeypatch, name, said):
    if name == "leaves":
        monkeypatch.setitem(RECIPES, "leaves-at", {})
    with pytest.raises(BadData, match=said):
        add(folder, name)


def test_few_images_without_splits_and_no_folder_are_refused(folder):
    with pytest.raises(BadData, match="fewer than 5 images of class 'left'"):
        add(folder / "test")
    with pytest.raises(DataMissing, match="is no folder; give one that holds train/CLASS"):
        add(folder / "nowhere")


def test_a_copy_that_fails_leaves_nothing(folder, places, monkeypatch):
    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr("cemviz.data.own.shutil.copyfile", full)
    with pytest.raises(OSError, match="disk full"):
        add(folder)
    assert [p.name for p in (places / "data").iterdir()] == ["stripes"]


def test_a_set_whose_seeds_cannot_be_fitted_is_not_added(folder, places, monkeypatch):
    monkeypatch.setattr("cemviz.starts.fit", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        add(folder)
    assert [p.name for p in (places / "data").iterdir()] == ["stripes"] and "leaves" not in DATASETS


def test_a_broken_description_is_left_out_of_lists_and_refused_where_used(folder, places):
    add(folder)
    path = places / "data" / "leaves" / own.FILE
    about = json.loads(path.read_text())
    for bad in ("{", json.dumps(about | {"mean": [0.5]}), json.dumps(about | {"counts": {}}), "[]"):
        path.write_text(bad)
        assert dict(own.sets(places / "data")) == {}
        del DATASETS["leaves"]
        with pytest.raises(BadData, match=r"dataset\.json cannot be read .* add the data set anew"):
            images.load("leaves", "test")
        DATASETS["leaves"] = None
    del DATASETS["leaves"]


def test_recipes_of_a_small_set_have_a_batch_that_it_fills(folder):
    add(folder)
    for name in ("leaves-standard", "leaves-at"):
        assert set(RECIPES[name]) == {"evidence", "laptop", "shipped"}
        row = recipe(name, "evidence")
        assert (
            isinstance(row, Recipe) and (row.data, row.batch, row.radius) == ("leaves", 24, 0.5) and "our choice" in row.source
        )
    assert recipe("leaves-standard").objective == "standard" and recipe("leaves-at").objective == "adversarial"
    assert checks.row(RunRequest("leaves-at", steps=3)).steps == 3 and checks.missing(Studio(), "leaves") == ""


def test_from_a_folder_to_a_robust_net_by_two_commands(folder, call):
    status, out, err = call("data", "add", "leaves", folder, "--title", "My leaves")
    assert status == 0 and "3 classes, 24 train, 9 test images of 3 x 8 x 8" in out and "cemviz train leaves-at" in out
    for table in (DATASETS, RECIPES):  # as in another process
        for key in [key for key in table if key.startswith("leaves")]:
            del table[key]
    status, out, err = call("train", "leaves-at", "--steps", 3, "--json")
    assert status == 0, err
    assert json.loads(out)["robust"] <= 1 and store.read_card("leaves-at").data == "leaves"
    status, out, _ = call("list", "--json")
    listed = json.loads(out)
    assert {"name": "leaves", "title": "My leaves"} in listed["datasets"]
    assert {"leaves-standard", "leaves-at"} <= {row["name"] for row in listed["recipes"]}
    status, _, err = call("data", "add", "leaves", folder)
    assert status == 2 and err.count("\n") == 1 and "data/leaves is there already; remove it, or take another name" in err


def test_the_page_lists_it(folder):
    from cemviz.ui.page import build

    add(folder, title="My leaves")
    for key in ("leaves-standard", "leaves-at"):
        del RECIPES[key]
    del DATASETS["leaves"]
    page = build(Studio())
    menus = {block.elem_id: block for block in page.blocks.values() if getattr(block, "elem_id", None)}
    assert ("My leaves, adversarial (L2 radius 0.5)", "leaves-at") in menus["train-recipe"].choices
    assert ("My leaves", "leaves") in menus["restore-from"].choices
