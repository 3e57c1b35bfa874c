"""Image folders, their cache, batches as a function of (seed, step), and augmentations with a draw for every sample."""

import itertools

import pytest
import torch
from conftest import CLASSES, rand, seeded, write_images
from PIL import Image
from safetensors.torch import load_file

from cemviz.data import images, views
from cemviz.data.images import DATASETS, DataMissing, available, batches, load


def take(iterator, n):
    return list(itertools.islice(iterator, n))


def first_batches(held, n, **how):
    return take(batches(held, **{"size": 8, "seed": 3} | how), n)


def same(a, b):
    return all(torch.equal(x, u) and torch.equal(y, v) for (x, y), (u, v) in zip(a, b, strict=True))


# folders -----------------------------------------------------------------------------------------------------------------


def test_a_folder_gives_every_class_in_turn_in_the_order_of_file_names(places):
    held = load("stripes", "train")
    assert held.classes == CLASSES and len(held) == 60 and held.labels[:7].tolist() == [0, 1, 2, 0, 1, 2, 0]
    for i, path in enumerate(["left/000", "middle/000", "right/000", "left/001"]):
        with Image.open(places / "data" / "stripes" / "train" / f"{path}.png") as image:
            pixels = torch.tensor(list(image.tobytes()), dtype=torch.uint8).view(8, 8, 3).permute(2, 0, 1)
        assert torch.equal(held.pixels[i], pixels)


def test_labels_go_with_their_pixels(places):
    held = load("stripes", "train")
    stripes = held.floats().mean((1, 2))[:, :6].view(-1, 3, 2).mean(2)
    assert torch.equal(stripes.argmax(1), held.labels)


def test_first_takes_the_start_of_the_split_with_every_class_in_turn(places):
    held = load("stripes")
    part = held.first(5)
    assert len(part) == 5 and part.labels.tolist() == [0, 1, 2, 0, 1] and torch.equal(part.pixels, held.pixels[:5])


def test_floats_are_the_pixels_over_255(places):
    held = load("stripes")
    index = torch.tensor([4, 2])
    assert torch.equal(held.floats(index) * 255, held.pixels[index].float()) and held.floats().max() <= 1


def test_a_known_set_keeps_its_label_order_its_channels_and_its_size(places):
    write_images(places / "data" / "fashionmnist" / "test", 1, 0, DATASETS["fashionmnist"].classes, side=30)
    held = load("fashionmnist", "test")
    assert held.classes == DATASETS["fashionmnist"].classes and held.classes[9] == "ankle boot"
    assert held.pixels.shape[1:] == (1, 28, 28)
    # class c has its c-th stripe bright: the label order is the known one, not the alphabet's
    stripes = held.floats().mean((1, 2))[:, [int(2.8 * c + 1.4) for c in range(10)]]
    assert stripes.argmax(1).tolist() == held.labels.tolist() == list(range(10))


@pytest.mark.parametrize("name", DATASETS)
def test_a_row_of_datasets_has_one_mean_and_deviation_a_channel_inside_0_1(name):
    row = DATASETS[name]
    assert len(row.mean) == len(row.std) == row.shape[0] and all(0 < v < 1 for v in row.mean + row.std)


# cache -------------------------------------------------------------------------------------------------------------------


def test_a_second_load_reads_the_cache_and_not_the_images(places, monkeypatch):
    once = load("stripes", "train")
    monkeypatch.setattr(images, "_decode", lambda *_: pytest.fail("decoded again"))
    again = load("stripes", "train")
    assert torch.equal(once.pixels, again.pixels) and torch.equal(once.labels, again.labels) and once.classes == again.classes


def test_a_changed_number_of_files_makes_the_cache_stale(places):
    load("stripes", "train")
    (places / "data" / "stripes" / "train" / "left" / "000.png").unlink()
    held = load("stripes", "train")
    assert len(held) == 59 and (held.labels == 0).sum() == 19


def test_a_moved_folder_does_not_trust_the_old_cache(places):
    load("stripes", "train")
    (places / "data" / "stripes").rename(places / "data" / "bars")
    write_images(places / "data" / "bars" / "train", 20, seed=9)
    assert not torch.equal(load("bars", "train").pixels, load_file(places / "data/bars/.train.safetensors")["pixels"] + 1)
    assert load("bars", "train").pixels[0, 0, 0, 0] == first_pixel(places / "data/bars/train/left/000.png")


def first_pixel(path):
    with Image.open(path) as image:
        return image.getpixel((0, 0))[0]


def test_where_the_folder_is_read_only_the_cache_goes_to_the_users_folder(places, monkeypatch):
    real = images.save_file

    def refuse(tensors, path, **kw):
        if "cache" not in str(path):
            raise PermissionError(path)
        real(tensors, path, **kw)

    monkeypatch.setattr(images, "save_file", refuse)
    load("stripes", "train")
    assert (places / "cache" / "decoded" / "stripes-train.safetensors").is_file()
    assert not (places / "data" / "stripes" / ".train.safetensors").exists()


# what is missing ---------------------------------------------------------------------------------------------------------


def test_an_unknown_set_says_what_is_known_and_where_a_folder_would_go(places):
    with pytest.raises(DataMissing, match=r"no data set 'cats': known are mnist, .*ROOT/cats/train/CLASS/\*\.png below --data"):
        load("cats", "train")


def test_a_known_set_that_is_not_here_says_what_to_do_and_is_not_downloaded(places):
    with pytest.raises(DataMissing, match=r"MNIST \(test\) is not on this machine: allow the download, or set CEMVIZ_DATA"):
        load("mnist", "test")


def test_a_folder_without_images_says_what_was_expected(places):
    (places / "data" / "void" / "train" / "a").mkdir(parents=True)
    with pytest.raises(DataMissing, match=r"holds no images; expected CLASS/\*\.png"):
        load("void", "train")


def test_available_is_true_where_load_succeeds_without_a_download(places):
    assert available("stripes", "test") and not available("stripes", "validation") and not available("mnist")


def test_the_argument_beats_the_environment_for_the_root(places, tmp_path):
    write_images(tmp_path / "other" / "stripes" / "test", 2, seed=5)
    assert len(load("stripes", "test", data=tmp_path / "other")) == 6 and len(load("stripes", "test")) == 30


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
    held = load("stripes", "train")
    assert same(first_batches(held, 9), first_batches(held, 9))
    assert not same(first_batches(held, 9), first_batches(held, 9, seed=4))


@pytest.mark.parametrize("k", [1, 6, 7, 8, 20])
def test_a_run_restarted_at_batch_k_continues_as_if_it_had_not_stopped(places, k):
    held = load("stripes", "train")
    assert same(first_batches(held, 25)[k:], first_batches(held, 25 - k, start=k))


def test_an_epoch_holds_each_image_at_most_once_and_the_next_one_another_order(places):
    held = load("stripes", "train")
    epochs = first_batches(held, 14)
    one, two = (torch.cat([x for x, _ in part]).flatten(1) for part in (epochs[:7], epochs[7:]))
    assert len(one.unique(dim=0)) == len(two.unique(dim=0)) == 56 and not torch.equal(one, two)


def test_the_images_of_a_batch_do_not_depend_on_the_augmentations_generator(places):
    held = load("stripes", "train")
    plain = first_batches(held, 3)
    a, b = (first_batches(held, 3, view=views.flip, generator=seeded(s)) for s in (1, 2))
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
