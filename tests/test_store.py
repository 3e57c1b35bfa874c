"""Stored models: what is read is what was written, and what does not match is refused."""

import json
from dataclasses import replace

import pytest
import torch
from conftest import rand, seeded

from cemviz.backend import store
from cemviz.backend.store import BrokenCheckpoint, Card
from cemviz.nets import build
from cemviz.starts import Gaussians

ARGS = {"mean": [0.5], "std": [0.25], "outputs": 3, "width": 8}


def card(name="toy", **changes):
    row = {
        "name": name, "title": "Toy", "kind": "classifier", "net": "small-resnet", "net_args": ARGS, "data": "stripes",
        "shape": (1, 8, 8), "classes": ("a", "b", "ü"), "recipe": "mnist-at", "scale": "laptop", "recipe_args": {"lr": 0.1},
        "norm": "l2", "radius": 0.5, "seed": 3, "steps": 7, "seconds": 1.5, "device": "CPU",
        "command": "python -m cemviz train",
        "created": "2024-01-01", "metrics": {"accuracy": {"value": 0.5}}, "notes": "",
    }  # fmt: skip
    return Card(**row | changes)


def net(seed=0):
    made = build("small-resnet", seed=seed, **ARGS)
    made(rand(8, 1, 8, 8, dtype=torch.float32))  # BatchNorm's statistics leave their initial values
    return made


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path))
    return tmp_path


def test_a_model_comes_back_with_its_card_its_weights_in_eval_mode_and_frozen(folder):
    path = store.save(net(), card())
    loaded, read = store.load("toy")
    assert path == folder / "toy.safetensors" and read == replace(card(), sha256=store.digest(path))
    assert not any(m.training for m in loaded.modules()) and not any(p.requires_grad for p in loaded.parameters())
    for (key, a), b in zip(net().state_dict().items(), loaded.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6, msg=key)  # half precision: 11 bits
    x = rand(4, 1, 8, 8, dtype=torch.float32)
    torch.testing.assert_close(net().eval()(x), loaded(x), rtol=0.01, atol=0.01)


def test_only_large_matrices_and_kernels_are_stored_in_half_precision(folder):
    held = store.read_tensors(store.save(net(), card()))
    for key, value in net().state_dict().items():
        halved = value.is_floating_point() and value.dim() > 1 and value.numel() > 64
        assert held[key].dtype == (torch.float16 if halved else value.dtype), key
        if not halved:
            assert torch.equal(held[key], value), key
    assert {torch.float16, torch.float32, torch.int64} <= {v.dtype for v in held.values()}


def test_a_state_dict_is_stored_like_its_net(folder):
    a = store.save(net(), card("a"))
    b = store.save(net().state_dict(), card("b"))
    assert store.digest(a) == store.digest(b)


def test_digest_is_the_sha256_of_the_bytes(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert store.digest(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_card_is_json_with_names_as_they_are_written(folder):
    store.save(net(), card())
    text = (folder / "toy.json").read_text()
    assert "ü" in text and json.loads(text)["classes"] == ["a", "b", "ü"]


def test_cards_lists_the_readable_models_by_name(folder):
    for name in ("b", "a.1"):
        store.save(net(), card(name))
    (folder / "broken.json").write_text("{")
    assert list(store.cards()) == ["a.1", "b"] and store.cards()["b"].name == "b"


# what is refused ---------------------------------------------------------------------------------------------------------


def test_a_stray_file_stops_nobody(folder):
    store.save(net(), card("a"))
    (folder / "a (1).json").write_text((folder / "a.json").read_text())
    assert list(store.cards()) == ["a"]


def test_changed_weights_are_refused_by_their_hash(folder):
    path = store.save(net(), card())
    held = bytearray(path.read_bytes())
    held[-1] ^= 1
    path.write_bytes(held)
    with pytest.raises(BrokenCheckpoint, match=r"toy.safetensors does not match its card.*or run: python -m cemviz train"):
        store.load("toy")


def test_truncated_weights_are_refused_even_with_a_matching_hash(folder):
    path = store.save(net(), card())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BrokenCheckpoint, match=r"changed or truncated"):
        store.load("toy")
    store.write_card(replace(store.read_card("toy"), sha256=store.digest(path)))
    with pytest.raises(BrokenCheckpoint, match=r"does not fit the net small-resnet"):
        store.load("toy")
    with pytest.raises(BrokenCheckpoint, match=r"cannot be read"):
        store.read_tensors(path)


def test_missing_weights_are_refused_with_the_command_that_makes_them(folder):
    store.save(net(), card()).unlink()
    with pytest.raises(
        BrokenCheckpoint, match=r"toy.safetensors is missing beside its card; restore it, or run: python -m cemviz"
    ):
        store.load("toy")


def test_weights_of_another_net_are_refused(folder):
    path = store.save(net(), card())
    store.write_card(card(net_args=ARGS | {"width": 4}, sha256=store.digest(path)))
    with pytest.raises(BrokenCheckpoint, match=r"does not fit the net small-resnet of its card"):
        store.load("toy")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"shape": 3, "classes": 4}', '{"shape": [1], "classes": [], "extra": 1}']
)
def test_an_unreadable_card_is_refused(folder, text):
    (folder / "toy.json").write_text(text)
    with pytest.raises(BrokenCheckpoint, match=r"the card toy.json cannot be read"):
        store.load("toy")


def test_an_unknown_model_is_refused_with_the_known_ones(folder):
    with pytest.raises(KeyError, match=r"no model 'x'.*there are none yet: train one"):
        store.load("x")
    store.save(net(), card())
    with pytest.raises(KeyError, match=r"no model 'x'.*there are toy"):
        store.load("x")


@pytest.mark.parametrize("name", ["", "../toy", "a/b", ".hidden", "-x", "a b", "x" * 65, "a\n", "naïve"])
def test_a_name_that_is_not_safe_as_a_files_is_refused_for_reading_and_writing(folder, name):
    with pytest.raises(ValueError, match=r"use letters, digits, dot, dash and underscore, at most 64"):
        store.load(name)
    with pytest.raises(ValueError, match=r"use letters, digits"):
        store.save(net(), card(name))
    assert list(folder.iterdir()) == []


# crashes -----------------------------------------------------------------------------------------------------------------


def test_a_crash_while_the_weights_are_written_leaves_the_old_model(folder, monkeypatch):
    store.save(net(), card())
    old = store.load("toy")[0].state_dict()

    def half_written(tensors, path):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(store, "save_file", half_written)
    with pytest.raises(OSError, match=r"disk full"):
        store.save(net(1), card())
    loaded, _ = store.load("toy")
    assert all(torch.equal(v, old[k]) for k, v in loaded.state_dict().items())


def test_a_crash_between_weights_and_card_is_noticed_and_never_loads_new_weights_under_the_old_card(folder, monkeypatch):
    store.save(net(), card())
    monkeypatch.setattr(store, "write_card", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match=r"disk full"):
        store.save(net(1), card())
    with pytest.raises(BrokenCheckpoint, match=r"does not match its card"):
        store.load("toy")


def test_a_crash_while_the_card_is_written_leaves_the_old_card(folder, monkeypatch):
    store.save(net(), card())
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match=r"disk full"):
        store.write_card(card(notes="new"))
    assert store.read_card("toy").notes == ""


# seeds -------------------------------------------------------------------------------------------------------------------


def test_gaussians_come_back_in_single_precision_and_none_where_there_are_none(folder):
    g = seeded()
    held = Gaussians(*(torch.rand(shape, generator=g) for shape in ((3, 6), (3, 6, 2), (3,))))
    assert store.load_gaussians("stripes") is None
    store.save_gaussians("stripes", held)
    read = store.load_gaussians("stripes")
    for key in ("means", "factors", "floors"):
        assert getattr(read, key).dtype == torch.float32
        torch.testing.assert_close(getattr(read, key), getattr(held, key), rtol=1e-3, atol=1e-6)
