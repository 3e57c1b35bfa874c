"""Foreign files: read within bounds, refused by their headers, and no code in them is run."""

import json
import pickle
import struct
import zipfile
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from cemviz.backend.checks import BadInput
from cemviz.backend.foreign import reading
from cemviz.backend.foreign.reading import Unmade, read

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.zeros(2)}
RAN = "ran.txt"


class Code:
    """An object that runs something when it is unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path(RAN),))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPACE_ID", raising=False)
    return tmp_path


def refused(path, said):
    with pytest.raises(BadInput, match=said) as caught:
        read(Path(path))
    line = str(caught.value)
    assert caught.value.field == "source" and "\n" not in line and len(line) < 400 and not Path(RAN).exists()


def header(path, value):
    text = json.dumps(value).encode()
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text)


def test_tensors_are_read_from_every_kind_of_file(folder):
    safetensors.torch.save_file(STATE, "a.safetensors")
    torch.save({"state_dict": STATE, "epoch": 3}, "a.pt")
    torch.save(nn.Linear(3, 2).state_dict(), "a.pth")
    assert torch.equal(read(Path("a.safetensors")).value["a.weight"], STATE["a.weight"])
    assert torch.equal(read(Path("a.pt")).value["state_dict"]["a.weight"], STATE["a.weight"])
    assert read(Path("a.pth")).value["weight"].shape == (2, 3)
    assert len(read(Path("a.pt")).sha256) == 64 and read(Path("a.pt")).form == "tensors"


@pytest.mark.parametrize("hidden", [Code(), {"net": Code()}, nn.Linear(2, 2), {"args": Path("a")}])
def test_a_file_with_code_in_it_is_refused_before_anything_runs(folder, hidden):
    torch.save(hidden, "a.pt")
    refused(
        "a.pt",
        r"holds more than tensors .*; where you trust it, save its weights alone: import torch; d = torch.load\('a.pt'",
    )


def test_what_training_scripts_store_beside_tensors_is_read_past(folder):
    beside = {"best": np.float64(0.9), "curve": np.arange(6.0).reshape(2, 3), "args": Namespace(lr=0.1), "n": np.int64(3)}
    torch.save({"model": STATE, "epoch": 3, **beside, "history": [np.float32(1)]}, "run.pt")
    found = read(Path("run.pt")).value
    assert torch.equal(found["model"]["a.weight"], STATE["a.weight"]) and found["epoch"] == 3
    assert all(isinstance(found[name], Unmade) for name in beside)


def test_an_array_that_claims_to_be_huge_takes_no_memory(folder):
    class Huge:
        def __reduce__(self):
            return np.ones(1).__reduce__()[0], (np.ndarray, (2**40,), b"d")

    torch.save({"state_dict": STATE, "curve": Huge()}, "huge.pt")
    assert isinstance(read(Path("huge.pt")).value["curve"], Unmade)


def test_an_old_or_plain_pickle_is_refused_unread(folder):
    torch.save(STATE, "old.pt", _use_new_zipfile_serialization=False)
    Path("plain.pt").write_bytes(pickle.dumps(Code()))
    for name in ("old.pt", "plain.pt"):
        refused(name, r"no archive of torch.save \(before 1.6 it wrote others\)")


@pytest.mark.parametrize("name", ["notes.txt", "photo.png", "net"])
def test_a_file_of_another_kind_is_told_which_are_read(folder, name):
    Path(name).write_bytes(b"hello, this is no net")
    refused(name, f"{name} is no file of a net; give one of .safetensors, .pt, .pth, .pt2")


def test_the_line_that_a_refusal_gives_makes_a_file_that_is_read(folder):
    torch.save(STATE, "old.pt", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": STATE, "args": Path("a")}, "args.pt")
    torch.save({"model": STATE, "args": Path("a")}, "model.pt")
    net = nn.Linear(3, 2)
    torch.save(net, "net.pt")
    ours = [(name, "a.weight", STATE["a.weight"]) for name in ("old.pt", "args.pt", "model.pt")]
    for name, key, weight in (*ours, ("net.pt", "weight", net.weight)):
        with pytest.raises(BadInput) as caught:
            read(Path(name))
        exec(str(caught.value).partition(": ")[2])
        assert torch.equal(read(Path("new.pt")).value[key], weight)


def test_a_header_that_claims_more_than_the_file_holds_is_refused(folder):
    header("shape.safetensors", {"a": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4]}})
    header("size.safetensors", {"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}})
    Path("length.safetensors").write_bytes(struct.pack("<Q", 2**60))
    for name in ("shape", "size", "length"):
        refused(f"{name}.safetensors", "is no safetensors file, or is cut")
    torch.save({"a": torch.zeros(1).expand(10**6, 10**6)}, "wide.pt")
    refused("wide.pt", r"names a tensor of shape \[1000000, 1000000\] and holds 4 bytes of it")


def test_an_archive_that_unpacks_to_much_more_than_it_is_is_refused(folder):
    with zipfile.ZipFile("a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\0" * 50_000_000)
    refused("a.pt", "unpacks to 1 parts with 50,000,000 bytes")


def test_sizes_and_numbers_of_tensors_are_bounded(folder, monkeypatch):
    torch.save(STATE, "a.pt")
    safetensors.torch.save_file(STATE, "a.safetensors")
    monkeypatch.setattr(reading, "MOST_PARTS", 1)
    refused("a.safetensors", "names 2 tensors; 1 at most are read")
    refused("a.pt", "unpacks to")
    monkeypatch.setattr(reading, "LARGEST", 10)
    refused("a.pt", r"has [\d,]+ bytes; 10 at most are read")


@pytest.mark.parametrize("text", [b"", b"PK\x03\x04broken", b"{}", b"\x80\x02cut"])
def test_a_broken_file_is_one_line(folder, text):
    for name in ("a.pt", "a.safetensors"):
        Path(name).write_bytes(text)
        refused(name, r"a\.(pt|safetensors) is ")
    refused("missing.pt", r"missing\.pt cannot be read \(no such file or directory\)")


@pytest.fixture
def exported(folder):
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval()
    made = torch.export.export(net, (torch.rand(2, 1, 2, 2),), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    torch.export.save(made, "a.pt2")
    return folder


def rewritten(old, new, change):
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(new, "w") as target:
        for part in source.infolist():
            target.writestr(part, change(part.filename, source.read(part)))


def test_a_program_is_read_here_and_refused_on_a_hosted_page(exported, monkeypatch):
    assert read(Path("a.pt2")).form == "exported"
    monkeypatch.setenv("SPACE_ID", "someone/space")
    refused("a.pt2", "is a program, and a hosted page runs none; give the weights")


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_torchscript_is_read_here_and_refused_on_a_hosted_page(folder, monkeypatch):
    torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(4, 3))).save("a.pt")
    assert read(Path("a.pt")).form == "script"
    monkeypatch.setenv("SPACE_ID", "someone/space")
    refused("a.pt", "hosted page runs none")


EVIL = [
    (lambda name, text: text.replace(b"Symbol('", b"eval('"), "holds the expression .*, which is no size"),
    (lambda name, text: text.replace(b'"use_pickle": false', b'"use_pickle": true'), "holds pickled tensors"),
    (lambda name, text: pickle.dumps(Code(), 2) if "sample_inputs" in name else text, "holds more than tensors"),
]


@pytest.mark.parametrize(("change", "said"), EVIL, ids=["expression", "pickled", "inputs"])
def test_code_in_a_program_s_file_is_refused_before_torch_reads_it(exported, change, said):
    rewritten("a.pt2", "b.pt2", change)
    assert Path("a.pt2").read_bytes() != Path("b.pt2").read_bytes()
    refused("b.pt2", said)


def test_a_compiled_library_is_refused(exported):
    rewritten("a.pt2", "b.pt2", lambda name, text: text)
    with zipfile.ZipFile("b.pt2", "a") as archive:
        archive.writestr("a/data/aotinductor/model/x.so", b"")
    refused("b.pt2", "holds a compiled library")


def itself():
    held = []
    held.append(held)
    return held


def laughing():
    held = [0] * 10
    for _ in range(12):
        held = [held] * 10
    return held


@pytest.mark.parametrize("more", [itself(), laughing()], ids=["holds itself", "the same many times over"])
def test_a_file_whose_parts_hold_themselves_is_read_once(folder, more):
    """A walk that follows every mention would never end, or end after ten to the twelfth."""
    torch.save(STATE | {"more": more}, "a.pt")
    assert torch.equal(read(Path("a.pt")).value["a.weight"], STATE["a.weight"])


def test_a_file_of_too_many_values_is_refused(folder, monkeypatch):
    monkeypatch.setattr(reading, "MOST_PARTS", 30)
    torch.save(STATE | {"more": [[i] for i in range(300, 340)]}, "a.pt")
    refused("a.pt", "names more than 30 tensors or values")
