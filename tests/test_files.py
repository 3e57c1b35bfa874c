"""Files that no kill and no full disk can halve: at every moment one whole model is there."""

import errno
import json
import lzma
import multiprocessing
import os
import signal
import stat
from itertools import count
from pathlib import Path

import pytest
import torch
from cards import card, net

from cemviz.backend import store
from cemviz.backend.store import BrokenCheckpoint, Unwritable
from cemviz.backend.stored import files, models

CALLS = ((Path, "open"), (os, "fsync"), (Path, "replace"), (Path, "unlink"))
"""Every call by which a save changes the disk."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def at_call(patch, number, act):
    """Do something instead of the `number`-th of CALLS; returns how many there were."""
    calls = count(1)
    made = []

    def watched(real):
        def call(*args, **kwargs):
            made.append(next(calls))
            return act() if made[-1] == number else real(*args, **kwargs)

        return call

    for place, name in CALLS:
        patch.setattr(place, name, watched(getattr(place, name)))
    return made


def weights(name="toy"):
    return {k: v.clone() for k, v in store.load(name)[0].state_dict().items()}


def alike(a, b):
    return all(torch.equal(a[k], b[k]) for k in a)


def both(folder):
    """Weights of the old and of the new model as they are read; the old one is stored."""
    store.save(net(1), card(notes="new"))
    new = weights()
    store.save(net(0), card(notes="old"))
    return weights(), new


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(torch.cuda.is_available(), reason="autograd's threads of a GPU do not survive a fork")
@pytest.mark.parametrize("shipped", [False, True], ids=["hashed", "shipped"])
def test_a_kill_at_any_call_of_a_save_leaves_the_old_model_or_the_new(folder, monkeypatch, shipped):
    old, new = both(folder)
    seen = []
    for number in count(1):
        store.save(net(0), card(notes="old"))
        if shipped:  # as it lies in the repository
            store.weights_path(store.read_card("toy")).rename(folder / "toy.safetensors")

        def save(number=number):
            at_call(pytest.MonkeyPatch(), number, kill)
            store.save(net(1), card(notes="new"))

        process = multiprocessing.get_context("fork").Process(target=save)
        process.start(), process.join()
        notes = store.read_card("toy").notes
        assert alike(weights(), {"old": old, "new": new}[notes])
        models.sweep("toy")
        assert len(list(folder.iterdir())) == 2 and alike(weights(), {"old": old, "new": new}[notes])
        seen.append(notes)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
    assert seen == sorted(seen, reverse=True) and seen.count("old") >= 5 and seen.count("new") >= 2


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EROFS, errno.EACCES], ids=["full", "read-only", "forbidden"])
def test_a_write_that_fails_at_any_call_names_the_file_and_harms_no_model(folder, fault):
    old, new = both(folder)
    number = 0
    while True:
        number += 1

        def fail():
            raise OSError(fault, os.strerror(fault))

        with pytest.MonkeyPatch.context() as patch:
            made = at_call(patch, number, fail)
            try:
                store.save(net(1), card(notes="new"))
            except Unwritable as error:
                assert str(folder / "toy") in str(error) and os.strerror(fault).lower() in str(error)
        assert alike(weights(), {"old": old, "new": new}[store.read_card("toy").notes])
        assert not list(folder.glob("*.part"))
        if number > len(made):
            break
        store.save(net(0), card(notes="old"))
    assert number > 6


def test_a_reader_between_card_and_weights_of_a_save_gets_the_new_model(folder, monkeypatch):
    _, new = both(folder)
    real, done = store.read_card, []

    def overtaken(name):
        read = real(name)
        if not done:
            done.append(store.save(net(1), card(notes="new")))  # trained anew just after the card was read
        return read

    monkeypatch.setattr(models, "read_card", overtaken)
    loaded, read = store.load("toy")
    assert read.notes == "new" and alike(loaded.state_dict(), new)


def test_the_same_weights_stored_again_stay_in_their_place(folder):
    path = store.save(net(), card())
    assert store.save(net(), card(notes="again")) == path and sorted(p.name for p in folder.iterdir()) == [
        "toy.json",
        path.name,
    ]


def test_a_save_removes_the_old_weights_and_nobody_else_s(folder):
    for name in ("toy", "toy-2", "toy.2"):
        store.save(net(), card(name))
    store.save(net(1), card())
    assert len(list(folder.iterdir())) == 6 and all(store.load(name) for name in ("toy", "toy-2", "toy.2"))


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_files_get_the_permissions_that_the_umask_gives(folder, umask):
    before = os.umask(umask)
    try:
        store.save(net(), card())
        files.write_tensors(folder / "seeds" / "x.safetensors", {"a": torch.zeros(2)})
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}
    assert modes == {0o666 & ~umask}


def test_leftovers_of_killed_writers_are_swept_and_other_names_stay(folder):
    path = store.save(net(), card())
    ours = [
        "toy.json.12-0.part",
        f"{path.name}.12-3.part",
        "toy.12.part",
        "toy.safetensors.9-1.part",
        "toy@0123456789ab.safetensors",
    ]
    others = ["toys.json.12-0.part", "toy.2.12.part", "toy@x.safetensors", "notes.txt"]
    for name in (*ours, *others):
        (folder / name).write_bytes(b"half")
    models.sweep("toy")
    assert sorted(p.name for p in folder.iterdir()) == sorted([*others, "toy.json", path.name])


def test_a_sweep_leaves_the_weights_of_a_card_that_cannot_be_read(folder):
    path = store.save(net(), card())
    (folder / "toy.json").write_text("{")
    models.sweep("toy")
    assert path.is_file()


def test_a_sweep_removes_weights_whose_card_was_never_written(folder):
    path = store.save(net(), card())
    (folder / "toy.json").unlink()
    (folder / "toy.safetensors").write_bytes(path.read_bytes())  # of somebody who lost the card
    models.sweep("toy")
    assert [p.name for p in folder.iterdir()] == ["toy.safetensors"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expecting value"), ("{", "Expecting"), ("[1]", "holds a list, not an object"), ("null", "NoneType"),
        ('{"a": ' * 33 + "1" + "}" * 33, "nested more than 32"), ("[" * 100_000, "nested more than 32"),
        ('{"a": "\\ud800"}', "surrogates"), (f'{{"a": {"1" * 5000}}}', "Exceeds the limit"),
        ('{"a": "' + "x" * 2000 + '"}', "larger than 1,000 bytes"),
    ],
)  # fmt: skip
def test_json_that_cannot_be_right_is_refused_with_the_fault(tmp_path, text, said):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(BrokenCheckpoint, match=said):
        files.read_json(tmp_path / "x.json", 1000 if "xxx" in text else files.LARGEST)


def test_json_as_deep_as_is_allowed_is_read(tmp_path):
    (tmp_path / "x.json").write_text('{"a": ' * 31 + "1" + "}" * 31)
    assert files.read_json(tmp_path / "x.json")


def test_a_folder_and_a_broken_link_are_named_a_missing_file_is_missing(tmp_path):
    (tmp_path / "dir.json").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "gone")
    for name, said in (("dir", "is a directory"), ("link", "a link to .*gone, which is not there")):
        with pytest.raises(BrokenCheckpoint, match=said):
            files.read_json(tmp_path / f"{name}.json")
    with pytest.raises(FileNotFoundError):
        files.read_json(tmp_path / "x.json")


def test_json_is_written_as_it_is_read(tmp_path):
    files.write_json(tmp_path / "new" / "x.json", {"ü": [1, None]})
    assert files.read_json(tmp_path / "new" / "x.json") == json.loads('{"ü": [1, null]}')


# compressed tensors ----------------------------------------------------------------------------------------------------


def squeezed(folder):
    """A compressed pair, and its tensors."""
    tensors = {"a": torch.linspace(0, 1, 5000).half().repeat(4, 1), "b": torch.arange(3)}
    return files.write_pair(folder / "grid.json", tensors, lambda sha256: {"tensors": sha256}, squeeze=True), tensors


def test_compressed_tensors_are_smaller_and_read_as_they_were(tmp_path):
    path, tensors = squeezed(tmp_path)
    assert path.stat().st_size < len(files.packed(tensors)) / 2
    assert alike(files.read_tensors(path), tensors)
    assert files.packed(tensors, squeeze=True) == path.read_bytes()  # the same tensors, the same bytes


@pytest.mark.parametrize("length", [6, 100, -1], ids=lambda length: f"{length} bytes")
def test_compressed_tensors_that_are_cut_off_are_broken(tmp_path, length):
    path, _ = squeezed(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(BrokenCheckpoint, match="cannot be read"):
        files.read_tensors(path)


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(tmp_path):
    (tmp_path / "bomb.safetensors").write_bytes(lzma.compress(bytes(files.LARGEST + 1)))
    with pytest.raises(BrokenCheckpoint, match="larger than"):
        files.read_tensors(tmp_path / "bomb.safetensors")


# the place of a result, before the work ---------------------------------------------------------------------------------


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    for place, said in {
        tmp_path: "a folder stands there",
        tmp_path / "file" / "x.png": f"{tmp_path / 'file'} is no folder",
        tmp_path / "file" / "deep" / "x.png": "is no folder",
    }.items():
        with pytest.raises(Unwritable, match=f"^{place} cannot be written .*{said}.*; name another place"):
            files.check_place(place)
    monkeypatch.chdir(tmp_path)
    for place in ("x.png", "new/folder/x.png", "file"):
        files.check_place(Path(place))
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]  # nothing was made
    monkeypatch.setattr(files.os, "access", lambda *_: False)
    with pytest.raises(Unwritable, match=f"the folder {tmp_path} may not be written"):
        files.check_place(Path("new/x.png"))
