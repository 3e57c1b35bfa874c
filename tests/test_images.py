"""Image folders, their cache, batches as a function of (seed, step), and augmentations with a draw for every sample."""

import itertools

import pytest
import torch
from conftest import CLASSES, rand, seeded, write_images
from PIL import Image

from cemviz.data import images, originals, views
from cemviz.data.images import DATASETS, BadData, DataMissing, available, batches, load, root


def take(iterator, n):
    return list(itertools.islice(iterator, n))


def first_batches(split, n, **how):
    return take(batches(split, **{"size": 8, "seed": 3} | how), n)


def same(a, b):
    return all(torch.equal(x, u) and torch.equal(y, v) for (x, y), (u, v) in zip(a, b, strict=True))


# folders -----------------------------------------------------------------------------------------------------------------


def test_a_folder_gives_every_class_in_turn_in_the_order_of_file_names(places):
    split = load("stripes", "train")
    assert split.classes == CLASSES and len(split) == 60 and split.labels[:7].tolist() == [0, 1, 2, 0, 1, 2, 0]
    for i, path in enumerate(["left/000", "middle/000", "right/000", "left/001"]):
        with Image.open(places / "data" / "stripes" / "train" / f"{path}.png") as image:
            pixels = torch.tensor(list(image.tobytes()), dtype=torch.uint8).view(8, 8, 3).permute(2, 0, 1)
        assert torch.equal(split.pixels[i], pixels)


def test_labels_go_with_their_pixels(places):
    split = load("stripes", "train")
    stripes = split.floats().mean((1, 2))[:, :6].view(-1, 3, 2).mean(2)
    assert torch.equal(stripes.argmax(1), split.labels)


def test_first_takes_the_start_of_the_split_with_every_class_in_turn(places):
    split = load("stripes")
    part = split.first(5)
    assert len(part) == 5 and part.labels.tolist() == [0, 1, 2, 0, 1] and torch.equal(part.pixels, split.pixels[:5])


def test_floats_are_the_pixels_over_255(places):
    split = load("stripes")
    index = torch.tensor([4, 2])
    assert torch.equal(split.floats(index) * 255, split.pixels[index].float()) and split.floats().max() <= 1


def test_a_known_set_keeps_its_label_order_its_channels_and_its_size(places):
    write_images(places / "data" / "fashionmnist" / "test", 1, 0, DATASETS["fashionmnist"].classes, side=30)
    split = load("fashionmnist", "test")
    assert split.classes == DATASETS["fashionmnist"].classes and split.classes[9] == "ankle boot"
    assert split.pixels.shape[1:] == (1, 28, 28)
    # class c has its c-th stripe bright: the label order is the known one, not the alphabet's
    stripes = split.floats().mean((1, 2))[:, [int(2.8 * c + 1.4) for c in range(10)]]
    assert stripes.argmax(1).tolist() == split.labels.tolist() == list(range(10))


# what is missing ---------------------------------------------------------------------------------------------------------


def test_an_unknown_set_says_what_is_known_and_where_a_folder_would_go(places):
    with pytest.raises(DataMissing, match=r"no data set 'cats': known are mnist, .*ROOT/cats/train/CLASS/\*\.png below --data"):
        load("cats", "train")


def test_a_known_set_that_is_not_here_says_what_to_do_without_download(places):
    with pytest.raises(
        DataMissing, match=r"MNIST \(test\) is not on this machine: set CEMVIZ_DATA or --data .*train a recipe .*11 MB"
    ):
        load("mnist", "test")


def test_a_folder_without_images_says_what_was_expected(places):
    (places / "data" / "void" / "train" / "a").mkdir(parents=True)
    with pytest.raises(DataMissing, match=r"holds no images; expected CLASS/\*\.png"):
        load("void", "train")


def test_available_is_true_where_load_succeeds_without_a_download(places):
    splits = {"train": True, "test": True, "validation": True, "train-rest": True, "held-out": False, "other": False}
    assert {split: available("stripes", split) for split in splits} == splits and not available("mnist")
    for split in (split for split, there in splits.items() if there):
        assert len(load("stripes", split))


def test_the_argument_beats_the_environment_for_the_root(places, tmp_path):
    write_images(tmp_path / "other" / "stripes" / "test", 2, seed=5)
    assert len(load("stripes", "test", data=tmp_path / "other")) == 6 and len(load("stripes", "test")) == 30


@pytest.mark.parametrize("split", ["validation", "held-out", "tset", "TEST"])
def test_a_split_that_torchvision_lacks_is_no_other_one(places, split, monkeypatch):
    stored = pytest.importorskip("torchvision").datasets
    monkeypatch.setattr(
        stored, "CIFAR10", lambda *a, train, **k: pytest.fail("a split was taken for another") if not train else _cifar()
    )
    if split == "validation":
        part = load("cifar10", split)
        assert len(part) == 20 and part.pixels.flatten(1).float().mean(1).tolist() == [18, 19] * 10
        return
    with pytest.raises(DataMissing, match=f"CIFAR-10 has no {split} split"):
        load("cifar10", split)


def _cifar():
    """CIFAR-10 as torchvision has it: 20 images a class, class by class, image i of a class all i."""
    from types import SimpleNamespace

    import numpy as np

    data = np.tile(np.arange(20, dtype=np.uint8), 10)[:, None, None, None] * np.ones((1, 32, 32, 3), np.uint8)
    return SimpleNamespace(data=data, targets=[k // 20 for k in range(200)], classes=DATASETS["cifar10"].classes)


def test_labels_of_an_original_follow_the_names_that_are_asked(places, monkeypatch):
    stored = pytest.importorskip("torchvision").datasets
    monkeypatch.setattr(stored, "CIFAR10", lambda *a, **k: _cifar())
    turned = ("truck", "ship", "horse", "frog", "dog", "deer", "cat", "bird", "car", "plane")
    assert load("cifar10", "test", classes=turned).labels.tolist() == [9 - k // 20 for k in range(200)]
    with pytest.raises(BadData, match=r"CIFAR-10 has 'automobile', .* and 'truck', which are no classes|'truck'"):
        load("cifar10", "test", classes=("plane", "bird"))


# where the data is -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["absent", "file", "blank", "long", "stranger"])
def test_an_environment_that_names_no_folder_is_refused_as_the_argument_is(places, monkeypatch, kind):
    (places / "file").write_text("")
    wrong = {"absent": "/no/such", "file": str(places / "file"), "blank": " ", "long": "a" * 5000, "stranger": "~nobody-here/x"}
    monkeypatch.setattr(originals, "read", lambda *a: pytest.fail("a download was tried"))
    monkeypatch.setenv("CEMVIZ_DATA", wrong[kind])
    for ask in (root, lambda: available("mnist"), lambda: load("mnist", "test", download=True)):
        with pytest.raises(
            DataMissing, match=r"^CEMVIZ_DATA is '.*', which is no folder; give one that holds NAME/SPLIT/CLASS"
        ):
            ask()
    with pytest.raises(DataMissing, match=r"^data is "):
        load("stripes", data=wrong[kind])
    assert root(places / "data") == places / "data"  # the argument is looked at first


def test_an_empty_environment_or_argument_is_none(places, monkeypatch):
    monkeypatch.setenv("CEMVIZ_DATA", "")
    assert root() is None and root("") is None
    (images.CACHE / "data").mkdir(parents=True)
    assert root() == images.CACHE / "data"


@pytest.mark.parametrize("name", ["../data/stripes", "/etc", "", ".", "..", "a/b", "a\\b", "a\0b"])
def test_the_name_of_a_set_or_split_stays_below_the_root(places, name):
    for asked in ((name, "train"), ("stripes", name)):
        assert not available(*asked)
        with pytest.raises(DataMissing, match="names of folders"):
            load(*asked)


# parts of a split --------------------------------------------------------------------------------------------------------


def test_validation_is_the_last_tenth_of_every_class_and_leaves_the_rest(places):
    write_images(places / "data" / "uneven" / "train", 30, seed=3)
    write_images(places / "data" / "uneven" / "train", 50, seed=4, classes=("left",))
    whole, last, rest = (load("uneven", split) for split in ("train", "validation", "train-rest"))
    assert last.labels.bincount().tolist() == [5, 3, 3] and rest.labels.bincount().tolist() == [45, 27, 27]
    assert (last.split, rest.split) == ("validation", "train-rest") and len(whole) == 110
    for label in range(3):
        of_class = [part.pixels[part.labels == label] for part in (rest, last)]
        assert torch.equal(torch.cat(of_class), whole.pixels[whole.labels == label])
    assert torch.equal(load("uneven", "validation").pixels, last.pixels)


def test_a_folder_named_validation_is_that_split_and_training_keeps_all(places):
    write_images(places / "data" / "stripes" / "validation", 2, seed=8)
    assert len(load("stripes", "validation")) == 6 and len(load("stripes", "train-rest")) == 60
    assert load("stripes", "train-rest").split == "train-rest"


def test_a_set_too_small_to_divide_says_so(places):
    write_images(places / "data" / "few" / "train", 3, seed=8)
    with pytest.raises(DataMissing, match="few has too few images for a validation split; give at least 10"):
        load("few", "validation")


def test_half_of_fashionmnist_s_test_split_is_held_out(places):
    write_images(places / "data" / "fashionmnist" / "test", 6, 0, DATASETS["fashionmnist"].classes, side=30)
    whole, unseen, rest = (load("fashionmnist", split) for split in ("test", "held-out", "test-rest"))
    assert len(whole) == 60 and torch.equal(unseen.pixels, whole.pixels[30:]) and torch.equal(rest.pixels, whole.pixels[:30])
    assert available("fashionmnist", "held-out") and not available("fashionmnist", "train")


def test_no_training_split_of_tinyimagenet32_holds_what_is_held_out(places):
    write_images(places / "data" / "tinyimagenet32" / "train", 125, 0, ("n1", "n2"), side=4)
    splits = ("train", "held-out", "validation", "train-rest")
    part = {split: {x.numpy().tobytes() for x in load("tinyimagenet32", split).pixels} for split in splits}
    assert len(part["train"]) == 220 and len(part["held-out"]) == 30  # the last 3,000 of 25,000
    assert not part["held-out"] & (part["train"] | part["validation"] | part["train-rest"])
    assert part["train"] == part["validation"] | part["train-rest"] and not part["validation"] & part["train-rest"]


@pytest.mark.data
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_the_normalisation_of_a_real_set_is_that_of_its_pixels(name):
    if not available(name):
        pytest.skip(f"{name}'s test split is not on this machine")
    x, row = load(name, "test").floats(), DATASETS[name]
    torch.testing.assert_close(x.mean((0, 2, 3)), torch.tensor(row.mean), rtol=0, atol=0.01)  # test split against train
    torch.testing.assert_close(x.std((0, 2, 3)), torch.tensor(row.std), rtol=0, atol=0.01)


# batches -----------------------------------------------------------------------------------------------------------------


def test_batches_are_a_function_of_the_seed_and_differ_between_seeds(places):
    split = load("stripes", "train")
    assert same(first_batches(split, 9), first_batches(split, 9))
    assert not same(first_batches(split, 9), first_batches(split, 9, seed=4))


@pytest.mark.parametrize("k", [1, 6, 7, 8, 20])
def test_a_run_restarted_at_batch_k_continues_as_if_it_had_not_stopped(places, k):
    split = load("stripes", "train")
    assert same(first_batches(split, 25)[k:], first_batches(split, 25 - k, start=k))


def test_an_epoch_holds_each_image_at_most_once_and_the_next_reorders(places):
    split = load("stripes", "train")
    epochs = first_batches(split, 14)
    one, two = (torch.cat([x for x, _ in part]).flatten(1) for part in (epochs[:7], epochs[7:]))
    assert len(one.unique(dim=0)) == len(two.unique(dim=0)) == 56 and not torch.equal(one, two)


def test_the_images_of_a_batch_do_not_depend_on_augmentation_draws(places):
    split = load("stripes", "train")
    plain = first_batches(split, 3)
    a, b = (first_batches(split, 3, view=views.flip, generator=seeded(s)) for s in (1, 2))
    assert not same(a, b)
    for (x, y), (u, v) in zip(plain, a, strict=True):
        assert torch.equal(y, v) and all(torch.equal(p, q) or torch.equal(p.flip(2), q) for p, q in zip(x, u, strict=True))


def test_a_batch_larger_than_the_set_is_refused_with_both_numbers(places):
    with pytest.raises(ValueError, match="batch size is 61, but the set holds 60 images"):
        next(batches(load("stripes", "train"), 61, seed=0))


@pytest.mark.parametrize("size", [0, -3])
def test_a_batch_of_no_images_is_refused(places, size):
    with pytest.raises(ValueError, match=f"batch size is {size}"):
        next(batches(load("stripes", "train"), size, seed=0))


# augmentations -----------------------------------------------------------------------------------------------------------


def test_flip_mirrors_about_half_of_the_samples_and_leaves_the_others():
    x = rand(400, 1, 4, 5)
    y = views.flip(x, seeded(1))
    mirrored = torch.tensor([torch.equal(a.flip(2), b) for a, b in zip(x, y, strict=True)])
    kept = torch.tensor([torch.equal(a, b) for a, b in zip(x, y, strict=True)])
    assert (mirrored ^ kept).all() and abs(mirrored.sum() - 200) < 5 * 10  # 5 sigma of 400 coins


def test_crop_shifts_each_sample_by_its_own_offset_with_black_outside():
    x = torch.zeros(500, 2, 12, 12)
    x[:, 0, 5, 6] = 1.0
    x[:, 1, 5, 6] = 0.5
    y = views.crop(x, seeded(1))
    places_, values = (y[:, 0] == 1).nonzero(), y.flatten(2).sum(2)
    assert len(places_) == 500 and torch.equal(values, torch.tensor([[1.0, 0.5]]).expand(500, 2))  # whole
    down, right = places_[:, 1] - 5, places_[:, 2] - 6
    assert set(down.tolist()) == set(right.tolist()) == set(range(-4, 5))
    assert abs(torch.corrcoef(torch.stack([down, right]).double())[0, 1]) < 5 / 500**0.5  # 5 sigma: drawn apart


def test_crop_pads_with_black_and_not_with_the_images_edge():
    y = views.crop(torch.ones(200, 1, 8, 8), seeded(2))
    whole = y.flatten(1).sum(1)
    shifts = {(8 - a) * (8 - b) for a in range(5) for b in range(5)}
    assert set(whole.long().tolist()) <= shifts and whole.min() < 64


@pytest.mark.parametrize("view", [views.flip, views.crop, views.crop_and_flip])
def test_a_view_draws_from_its_generator_alone(view):
    x, before = rand(20, 3, 8, 8), torch.get_rng_state()
    assert torch.equal(view(x, seeded(1)), view(x, seeded(1))) and not torch.equal(view(x, seeded(1)), view(x, seeded(2)))
    assert torch.equal(torch.get_rng_state(), before)


def test_an_empty_folder_of_a_failed_download_is_no_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("CEMVIZ_DATA", str(tmp_path))
    (tmp_path / "torchvision" / "mnist" / "MNIST" / "raw").mkdir(parents=True)
    assert not available("mnist")
    (tmp_path / "torchvision" / "mnist" / "MNIST" / "raw" / "t10k-images-idx3-ubyte").write_bytes(b"1")
    assert available("mnist")
