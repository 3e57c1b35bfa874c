"""Folders of images: labels by the names of their folders, and what is amiss by name."""

import shutil
from pathlib import Path

import pytest
import torch
from conftest import CLASSES, write_images
from pictures import plain
from PIL import Image

from cemviz.data import folders
from cemviz.data.images import DATASETS, BadData, DataMissing, load

DIGITS = DATASETS["mnist"].classes


@pytest.fixture
def digits(places):
    """MNIST's test split in small: image i of digit d is of grey 20 d + i alone."""
    folder = places / "data" / "mnist" / "test"
    for d in DIGITS:
        (folder / d).mkdir(parents=True)
        for i in range(3):
            plain(folder / d / f"{i}.png", 20 * int(d) + i)
    return folder


def right(split) -> bool:
    """Whether every label is its image's."""
    return bool((split.pixels[:, 0, 0, 0] // 20 == split.labels).all())


def _junk(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    plain(folder / name / "x.png", 255)


STRAYS = {
    "hidden": lambda f: _junk(f, ".ipynb_checkpoints"),
    "macosx": lambda f: _junk(f, "__MACOSX"),
    "python": lambda f: _junk(f, "__pycache__"),
    "windows": lambda f: _junk(f, "System Volume Information"),
    "synology": lambda f: _junk(f, "@eaDir"),
    "file": lambda f: (f / "labels.csv").write_text("x"),
    "picture": lambda f: plain(f / "overview.png", 255),
    "resource fork": lambda f: (f / "0" / "._0.png").write_bytes(b"\0\5\x16\7"),
    "thumbnails": lambda f: (f / "3" / "Thumbs.db").write_bytes(b"x"),
    "folder in a class": lambda f: _junk(f / "3", "old.png"),
    "dangling link": lambda f: (f / "4" / "gone.png").symlink_to(f / "nowhere"),
    "another format": lambda f: plain(f / "5" / "scan.TIFF", 255),
    "a moving picture": lambda f: plain(f / "6" / "wave.gif", 255),
}

SAID = {
    "hidden": "'.ipynb_checkpoints'", "macosx": "'__MACOSX'", "python": "'__pycache__'", "synology": "'@eaDir'",
    "windows": "'System Volume Information'", "folder in a class": "'3/old.png'", "another format": "'5/scan.TIFF'",
    "a moving picture": "'6/wave.gif'",
}  # fmt: skip
"""Strays that may have been meant for images."""


@pytest.mark.parametrize("stray", STRAYS)
@pytest.mark.parametrize("classes", [None, DIGITS])
def test_what_lies_beside_the_classes_changes_no_label(digits, stray, classes):
    STRAYS[stray](digits)
    split = load("mnist", "test", classes=classes)
    assert len(split) == 30 and right(split) and split.classes == DIGITS
    caution = f"{digits} has {SAID.get(stray)}, passed over: read are .png, .webp and .jpg in CLASS folders"
    assert split.warnings == ((caution,) if stray in SAID else ())


@pytest.mark.parametrize("other", ["00", "0003", "zero"])
def test_two_folders_of_one_class_are_taken_together_and_said(digits, other):
    d = {"00": "0", "0003": "3", "zero": "0"}[other]
    (digits / other).mkdir()
    plain(digits / other / "a.png", 20 * int(d) + 9)
    split = load("mnist", "test")
    assert len(split) == 31 and right(split)
    first, second = sorted([d, other])
    assert split.warnings == (
        f"{digits} has the folders {first!r} and {second!r}, which name one class: their images are taken together",
    )


@pytest.mark.parametrize("gone", [{"0"}, {"5"}, {"9"}, {"1", "2", "8"}])
@pytest.mark.parametrize("empty", [False, True])
def test_a_missing_class_is_said_and_no_other_label_moves(digits, gone, empty):
    for d in gone:
        shutil.rmtree(digits / d)
        if empty:
            (digits / d).mkdir()
    split = load("mnist", "test")
    assert right(split) and split.classes == DIGITS and set(split.labels.tolist()) == {int(d) for d in set(DIGITS) - gone}
    assert split.warnings == (f"mnist (test) has no images of {', '.join(sorted(gone))}",)
    assert split.first(4).warnings == split.warnings


@pytest.mark.parametrize("names", [["10"], ["cats", "extra"], ["-1"], [f"x{k:02}" for k in range(14)]])
def test_folders_that_are_no_class_are_refused_by_name(digits, names):
    for name in names:
        _junk(digits, name)
    with pytest.raises(BadData, match="known are 0, 1, 2") as raised:
        load("mnist", "test")
    assert all(repr(name) in str(raised.value) for name in names[:10]) and str(digits) in str(raised.value)
    assert ("4 more" in str(raised.value)) == (len(names) == 14)


@pytest.mark.parametrize("spelled", ["0{}", "000{}", " {} ", "digit_{}", "WORD"])
def test_digits_are_known_in_their_usual_spellings(digits, spelled):
    words = "ZERO One two THREE four five six seven Eight nine".split()
    for d in DIGITS:
        (digits / d).rename(digits / (words[int(d)] if spelled == "WORD" else spelled.format(d)))
    assert right(load("mnist", "test"))


def test_two_folders_of_one_known_class_are_one(digits):
    (digits / "07").mkdir()
    plain(digits / "07" / "0.png", 145)
    split = load("mnist", "test")
    assert (
        right(split)
        and (split.labels == 7).sum() == 4
        and split.pixels[split.labels == 7][:, 0, 0, 0].tolist() == [145, 140, 141, 142]
    )


def test_a_model_s_own_order_of_the_classes_decides(digits):
    turned = DIGITS[::-1]
    split = load("mnist", "test", classes=turned)
    assert split.classes == turned and bool((split.pixels[:, 0, 0, 0] // 20 == 9 - split.labels).all())
    assert torch.equal(split.pixels, load("mnist", "test").pixels)  # image 17 is the same for every model


def test_a_set_of_one_s_own_goes_by_the_names_on_the_card(places):
    folder = places / "data" / "stripes" / "test"
    shutil.rmtree(folder / "left")
    (folder / "middle").rename(folder / "Middle")
    split = load("stripes", "test", classes=CLASSES)
    stripes = split.floats().mean((1, 2))[:, :6].view(-1, 3, 2).mean(2)
    assert torch.equal(stripes.argmax(1), split.labels) and set(split.labels.tolist()) == {1, 2}
    assert split.warnings == ("stripes (test) has no images of left",)
    write_images(folder, 1, 0, ("stray",))
    with pytest.raises(BadData, match="has 'stray', which is no class that is known here; known are left, middle, right"):
        load("stripes", "test", classes=CLASSES)


def test_two_folders_that_one_name_means_are_refused_where_no_card_decides(places):
    write_images(places / "data" / "stripes" / "train", 1, 0, ("LEFT",))
    with pytest.raises(BadData, match="'LEFT' and 'left', which name one class"):
        load("stripes", "train")


def test_a_folder_without_any_image_is_missing_data(digits):
    for d in DIGITS:
        shutil.rmtree(digits / d)
    with pytest.raises(DataMissing, match="holds no images"):
        load("mnist", "test")


@pytest.mark.parametrize("bad", [1, 4, 10, 25])
def test_bad_images_are_named_up_to_ten_in_one_line(places, bad):
    folder = places / "data" / "stripes" / "train"
    paths = sorted(folder.rglob("*.png"))[:bad]
    for k, path in enumerate(paths):
        path.write_bytes([b"", b"no image", path.read_bytes()[:90]][k % 3])
    with pytest.raises(BadData) as raised:
        load("stripes", "train")
    text = str(raised.value)
    assert "\n" not in text and str(folder) in text and text.endswith("Mend or remove them")
    assert [f"left/{k:03}.png" in text for k in range(20)] == [k < min(bad, 10) for k in range(20)]
    assert not (folder.parent / ".train.safetensors").exists()


@pytest.mark.parametrize("odd", [(8, 9), (9, 8), (4, 4)])
def test_images_of_mixed_sizes_name_two_files_and_their_sizes(places, odd):
    path = places / "data" / "stripes" / "train" / "middle" / "007.png"
    Image.new("RGB", odd).save(path)
    with pytest.raises(BadData, match=rf"left/000.png has 8 x 8 pixels, middle/007.png has {odd[0]} x {odd[1]}; scale all"):
        load("stripes", "train")


def test_a_known_set_is_brought_to_its_own_size(digits):
    plain(digits / "4" / "0.png", 80, side=64)
    assert load("mnist", "test").pixels.shape == (30, 1, 28, 28)


def test_a_split_that_does_not_fit_in_memory_is_refused_at_its_first_image(places, monkeypatch):
    monkeypatch.setattr(folders, "MOST_BYTES", 60 * 3 * 64 - 1)
    with pytest.raises(BadData, match="60 images of 8 x 8 pixels, more than"):
        load("stripes", "train")
    assert len(load("stripes", "test")) == 30
