"""Stored models: what is read is what was written, and what does not match is refused."""

import json
from dataclasses import replace

import pytest
import torch
from cards import ARGS, card, net
from conftest import rand, seeded

from cemviz.backend import store
from cemviz.backend.store import BrokenCheckpoint
from cemviz.starts import Gaussians


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMVIZ_CHECKPOINTS", str(tmp_path))
    return tmp_path


def test_a_model_comes_back_with_card_and_weights_frozen_in_eval_mode(folder):
    path = store.save(net(), card())
    loaded, read = store.load("toy")
    sha256 = store.digest(path)
    assert path == folder / f"toy@{sha256[:12]}.safetensors" and read == replace(card(), sha256=sha256)
    assert not any(m.training for m in loaded.modules()) and not any(p.requires_grad for p in loaded.parameters())
    for (key, a), b in zip(net().state_dict().items(), loaded.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6, msg=key)  # half precision: 11 bits
    x = rand(4, 1, 8, 8, dtype=torch.float32)
    torch.testing.assert_close(net().eval()(x), loaded(x), rtol=0.01, atol=0.01)


def test_only_large_matrices_and_kernels_are_stored_in_half_precision(folder):
    tensors = store.read_tensors(store.save(net(), card()))
    for key, value in net().state_dict().items():
        halved = value.is_floating_point() and value.dim() > 1 and value.numel() > 64
        assert tensors[key].dtype == (torch.float16 if halved else value.dtype), key
        if not halved:
            assert torch.equal(tensors[key], value), key
    assert {torch.float16, torch.float32, torch.int64} <= {v.dtype for v in tensors.values()}


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
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BrokenCheckpoint, match=r"toy@\w+.safetensors does not match its card.*or run: python -m cemviz train"):
        store.load("toy")


def test_truncated_weights_are_refused_even_with_a_matching_hash(folder):
    path = store.save(net(), card())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BrokenCheckpoint, match=r"changed or truncated"):
        store.load("toy")
    store.write_card(replace(store.read_card("toy"), sha256=store.digest(path)))
    path.rename(store.weights_path(store.read_card("toy")))
    with pytest.raises(BrokenCheckpoint, match=r"toy.safetensors cannot be read .*or run: python -m cemviz train"):
        store.load("toy")


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


def test_an_unknown_model_is_refused_with_the_known_ones(folder):
    with pytest.raises(KeyError, match=r"no model 'x'.*there are none yet: train one"):
        store.load("x")
    store.save(net(), card())
    with pytest.raises(KeyError, match=r"no model 'x'.*there are toy"):
        store.load("x")


@pytest.mark.parametrize("name", ["", "../toy", "a/b", ".hidden", "-x", "a b", "x" * 65, "a\n", "naïve"])
def test_a_name_unsafe_as_a_files_is_refused_for_reading_and_writing(folder, name):
    with pytest.raises(ValueError, match=r"use letters, digits, dot, dash and underscore, at most 64"):
        store.load(name)
    with pytest.raises(ValueError, match=r"use letters, digits"):
        store.save(net(), card(name))
    assert list(folder.iterdir()) == []


# seeds -------------------------------------------------------------------------------------------------------------------


def test_gaussians_come_back_in_single_precision_or_none_if_there_are_none(folder):
    g = seeded()
    gaussians = Gaussians(*(torch.rand(shape, generator=g) for shape in ((3, 6), (3, 6, 2), (3,))))
    assert store.load_gaussians("stripes") is None
    store.save_gaussians("stripes", gaussians)
    read = store.load_gaussians("stripes")
    for key in ("means", "factors", "floors"):
        assert getattr(read, key).dtype == torch.float32
        torch.testing.assert_close(getattr(read, key), getattr(gaussians, key), rtol=1e-3, atol=1e-6)
