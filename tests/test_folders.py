"""Folders of images: labels by name, what is amiss by name, and a cache that is only of the very same files."""

import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CLASSES, write_images
from PIL import Image

from cemviz.data import cache, folders
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


def plain(path: Path, grey: int, side: int = 28) -> None:
    Image.fromarray(np.full((side, side), grey, np.uint8)).save(path)


def right(held) -> bool:
    """Whether every label is its image's."""
    return bool((held.pixels[:, 0, 0, 0] // 20 == held.labels).all())


# labels ------------------------------------------------------------------------------------------------------------------


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
    held = load("mnist", "test", classes=classes)
    assert len(held) == 30 and right(held) and held.classes == DIGITS
    told = f"{digits} has {SAID.get(stray)}, passed over: read are .png, .webp and .jpg in CLASS folders"
    assert held.warnings == ((told,) if stray in SAID else ())


@pytest.mark.parametrize("other", ["00", "0003", "zero"])
def test_two_folders_of_one_class_are_taken_together_and_said(digits, other):
    d = {"00": "0", "0003": "3", "zero": "0"}[other]
    (digits / other).mkdir()
    plain(digits / other / "a.png", 20 * int(d) + 9)
    held = load("mnist", "test")
    assert len(held) == 31 and right(held)
    first, second = sorted([d, other])
    assert held.warnings == (
        f"{digits} has the folders {first!r} and {second!r}, which name one class: their images are taken together",
    )


@pytest.mark.parametrize("gone", [{"0"}, {"5"}, {"9"}, {"1", "2", "8"}])
@pytest.mark.parametrize("empty", [False, True])
def test_a_missing_class_is_said_and_no_other_label_moves(digits, gone, empty):
    for d in gone:
        shutil.rmtree(digits / d)
        if empty:
            (digits / d).mkdir()
    held = load("mnist", "test")
    assert right(held) and held.classes == DIGITS and set(held.labels.tolist()) == {int(d) for d in set(DIGITS) - gone}
    assert held.warnings == (f"mnist (test) has no images of {', '.join(sorted(gone))}",)
    assert held.first(4).warnings == held.warnings


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
    held = load("mnist", "test")
    assert (
        right(held)
        and (held.labels == 7).sum() == 4
        and held.pixels[held.labels == 7][:, 0, 0, 0].tolist() == [145, 140, 141, 142]
    )


def test_a_model_s_own_order_of_the_classes_decides(digits):
    turned = DIGITS[::-1]
    held = load("mnist", "test", classes=turned)
    assert held.classes == turned and bool((held.pixels[:, 0, 0, 0] // 20 == 9 - held.labels).all())
    assert torch.equal(held.pixels, load("mnist", "test").pixels)  # image 17 is the same for every model


def test_a_set_of_one_s_own_goes_by_the_names_on_the_card(places):
    folder = places / "data" / "stripes" / "test"
    shutil.rmtree(folder / "left")
    (folder / "middle").rename(folder / "Middle")
    held = load("stripes", "test", classes=CLASSES)
    stripes = held.floats().mean((1, 2))[:, :6].view(-1, 3, 2).mean(2)
    assert torch.equal(stripes.argmax(1), held.labels) and set(held.labels.tolist()) == {1, 2}
    assert held.warnings == ("stripes (test) has no images of left",)
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


# images ------------------------------------------------------------------------------------------------------------------


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


# cache -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that were decoded."""
    names, real = [], folders.decode
    monkeypatch.setattr(folders, "decode", lambda path, shape: names.append(path.name) or real(path, shape))
    return names


def test_a_second_load_reads_the_cache_and_not_the_images(places, decoded):
    once = load("stripes", "train")
    assert len(decoded) == 60
    again = load("stripes", "train")
    assert len(decoded) == 60 and torch.equal(once.pixels, again.pixels) and torch.equal(once.labels, again.labels)


def test_another_order_of_the_classes_needs_no_decoding(places, decoded):
    once, turned = load("stripes", "train"), load("stripes", "train", classes=("right", "left", "middle"))
    assert len(decoded) == 60 and turned.labels[:4].tolist() == [1, 2, 0, 1] and torch.equal(turned.pixels, once.pixels)


def _kept_times(path: Path, change) -> None:
    before = path.stat()
    change(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _blacken(path: Path) -> None:
    """Black pixels in a file of the very same size."""
    size = path.stat().st_size
    Image.new("RGB", (8, 8)).save(path)
    with path.open("ab") as file:
        file.write(b"\0" * (size - path.stat().st_size))


def _swap(a: Path, b: Path) -> None:
    a.rename(a.with_name("aside")), b.rename(a), a.with_name("aside").rename(b)


CHANGES = {
    "all overwritten": lambda f: [_blacken(p) for p in f.rglob("*.png")],
    "one overwritten": lambda f: Image.new("RGB", (8, 8)).save(f / "right" / "019.png"),
    "one overwritten, size and time kept": lambda f: _kept_times(f / "right" / "019.png", _blacken),
    "renamed": lambda f: (f / "left" / "000.png").rename(f / "left" / "zzz.png"),
    "moved to another class": lambda f: (f / "left" / "000.png").rename(f / "right" / "x.png"),
    "two swapped": lambda f: _swap(f / "left" / "000.png", f / "left" / "001.png"),
    "classes swapped": lambda f: _swap(f / "left", f / "right"),
    "one deleted, one added": lambda f: ((f / "left" / "000.png").unlink(), write_images(f, 1, 9, ("left",))),
    "one deleted": lambda f: (f / "middle" / "003.png").unlink(),
    "one added": lambda f: Image.new("RGB", (8, 8)).save(f / "middle" / "003a.png"),
    "class added": lambda f: write_images(f, 2, 9, ("zebra",)),
    "class renamed": lambda f: (f / "left").rename(f / "west"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_the_files_is_decoded_again_and_replaces_the_cache(places, change, decoded, monkeypatch):
    folder = places / "data" / "stripes" / "train"
    load("stripes", "train")
    CHANGES[change](folder)
    now = load("stripes", "train")
    assert len(decoded) > 100
    monkeypatch.setattr(cache, "read", lambda *a: None)
    fresh = load("stripes", "train")
    assert torch.equal(now.pixels, fresh.pixels) and torch.equal(now.labels, fresh.labels) and now.classes == fresh.classes
    monkeypatch.undo()


def test_classes_of_like_files_that_swap_their_names_are_decoded_again(places, decoded):
    folder = places / "data" / "plain" / "train"
    for name, grey in (("a", 10), ("b", 200)):
        (folder / name).mkdir(parents=True)
        plain(folder / name / "0.png", grey)
        with (folder / name / "0.png").open("ab") as file:
            file.write(b"\0" * (200 - file.tell()))
        os.utime(folder / name / "0.png", ns=(0, 0))
    assert load("plain").pixels[:, 0, 0, 0].tolist() == [10, 200]
    _swap(folder / "a", folder / "b")
    assert load("plain").pixels[:, 0, 0, 0].tolist() == [200, 10]


def test_a_cache_of_a_folder_that_moved_is_not_taken_for_another_s(places):
    load("stripes", "train")
    (places / "data" / "stripes").rename(places / "data" / "bars")
    write_images(places / "data" / "bars" / "train", 20, seed=9)
    held = load("bars", "train")
    with Image.open(places / "data" / "bars" / "train" / "left" / "000.png") as image:
        assert held.pixels[0, :, 0, 0].tolist() == list(image.getpixel((0, 0)))


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077, 0o027])
def test_the_cache_honours_the_umask_and_leaves_nothing_beside_it(places, mask):
    before = os.umask(mask)
    try:
        load("stripes", "train")
    finally:
        os.umask(before)
    file = places / "data" / "stripes" / ".train.safetensors"
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~mask
    assert {p.name for p in file.parent.iterdir()} == {"train", "test", ".train.safetensors"}


def _foreign(path: Path) -> None:
    cache.save_file({"other": torch.zeros(3)}, path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p.write_bytes(b""), lambda p: p.write_bytes(b"x" * 999), lambda p: p.write_bytes(p.read_bytes()[:2000]),
        lambda p: (p.unlink(), p.mkdir()), lambda p: (p.unlink(), _foreign(p)), lambda p: (p.unlink(), p.symlink_to("/none/x")),
    ],
    ids=["empty", "noise", "half", "folder", "foreign", "dangling"],
)  # fmt: skip
def test_a_cache_that_cannot_be_read_is_no_cache(places, spoil, decoded):
    once = load("stripes", "train")
    spoil(places / "data" / "stripes" / ".train.safetensors")
    for expected in (120, 120):  # decoded again once, and kept somewhere
        again = load("stripes", "train")
        assert torch.equal(once.pixels, again.pixels) and torch.equal(once.labels, again.labels) and len(decoded) == expected


def test_a_cache_without_the_pixels_that_its_key_promises_is_no_cache(places, decoded):
    once = load("stripes", "train")
    file = places / "data" / "stripes" / ".train.safetensors"
    with cache.safe_open(file, "pt") as opened:
        about = opened.metadata()
    for wrong in ({"pixels": once.pixels[:5]}, {"pixels": once.pixels.float()}, {"other": once.pixels}):
        cache.save_file(wrong, file, metadata=about)
        assert torch.equal(load("stripes", "train").pixels, once.pixels)


def test_where_the_folder_is_read_only_the_cache_goes_to_the_users_folder(places, monkeypatch, decoded):
    real = cache.save_file

    def refuse(tensors, path, **kw):
        if "cache" not in str(path):
            raise PermissionError(path)
        real(tensors, path, **kw)

    monkeypatch.setattr(cache, "save_file", refuse)
    load("stripes", "train"), load("stripes", "train")
    assert (places / "cache" / "decoded" / "stripes-train.safetensors").is_file() and len(decoded) == 60
    assert {p.name for p in (places / "data" / "stripes").iterdir()} == {"train", "test"}


def test_where_no_cache_can_be_written_the_images_are_read_all_the_same(places, monkeypatch):
    def full(tensors, path, **kw):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "save_file", full)
    with pytest.warns(UserWarning, match="could not cache the decoded images"):
        assert len(load("stripes", "train")) == 60
    assert not [p for p in places.rglob("*") if "safetensors" in p.name]
