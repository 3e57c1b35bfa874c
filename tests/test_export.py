"""Files of chains: written in one piece, whatever the disk does, and whatever the case of their suffix."""

import errno
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from cemviz.backend.sample import export
from cemviz.backend.sample.chains import SampleRequest
from cemviz.backend.stored.files import Unwritable

WRITERS = {"png": export.save_png, "gif": export.save_gif, "npz": export.save_npz}


def chains():
    """Three steps of four chains, as far as a file shows them."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 8, 8, 1)).astype(np.uint8)
    none = dict.fromkeys(("final", "predicted", "confidence", "plane", "landmarks"))
    return SimpleNamespace(
        pixels=pixels, labels=np.arange(4), series={"energy": np.zeros((3, 4))}, request=SampleRequest("m"), settings={},
        card=SimpleNamespace(sha256="0"), judge=None, **none,
    )  # fmt: skip


@pytest.mark.parametrize("suffix", ["png", "gif", "npz", "PNG", "Gif", "NPZ"])
def test_a_file_is_what_its_suffix_says_and_lies_where_it_was_asked(tmp_path, suffix):
    path = WRITERS[suffix.lower()](chains(), tmp_path / "new" / f"x.{suffix}")
    assert [p.name for p in path.parent.iterdir()] == [f"x.{suffix}"]
    if suffix.lower() == "npz":
        with np.load(path, allow_pickle=False) as file:
            assert file["pixels"].shape == (3, 4, 8, 8, 1) and file["energy"].shape == (3, 4)
    else:
        with Image.open(path) as picture:
            assert picture.format == suffix.upper() and getattr(picture, "n_frames", 1) == (3 if suffix.lower() == "gif" else 1)


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_full_disk_leaves_the_old_file_and_no_half_of_a_new_one(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(b"old")
    real = Path.open

    def full(self, mode="r", *args, **kwargs):
        if "w" in mode:
            with real(self, mode, *args, **kwargs) as file:
                file.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(Unwritable, match=rf"x.{suffix} cannot be written \(no space left on device\)"):
        WRITERS[suffix](chains(), path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name] and path.read_bytes() == b"old"
