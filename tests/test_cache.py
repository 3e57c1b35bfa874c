"""The cache of decoded pixels: it is only of the very same files, or it is none."""

import os
import stat
from pathlib import Path

import pytest
import torch
from conftest import write_images
from pictures import plain
from PIL import Image

from cemviz.data import cache, folders
from cemviz.data.images import load


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
    bars = load("bars", "train")
    with Image.open(places / "data" / "bars" / "train" / "left" / "000.png") as image:
        assert bars.pixels[0, :, 0, 0].tolist() == list(image.getpixel((0, 0)))


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
