"""Rows of data sets: complete, with the names that folders really have."""

import unicodedata

import pytest

from cemviz.data.datasets import CIFAR100, DATASETS, DIGITS, Dataset, Part, dataset

CLASSED = [name for name, row in DATASETS.items() if row.classes]


@pytest.mark.parametrize("name", DATASETS)
def test_a_row_is_whole(name):
    row = DATASETS[name]
    assert len(row.mean) == len(row.std) == row.shape[0] and all(0 < v < 1 for v in row.mean + row.std)
    assert bool(row.torchvision) == bool(row.megabytes) and row.radius > 0 and row.rank > 0
    assert row.judge in ("", f"{name}-judge") and row.gallery in ("", f"{name}-at") and row.title != name


@pytest.mark.parametrize("name", DATASETS)
def test_parts_lie_in_stored_splits_and_validation_with_its_rest_trains(name):
    parts = DATASETS[name].parts
    assert all(part.split in ("train", "test") and 0 <= part.start < part.stop <= 1 for part in parts.values())
    rest, last = parts["train-rest"], parts["validation"]
    assert rest.split == last.split == "train" and rest.stop == last.start and rest.apart == "validation"
    assert (rest.start, last.stop) == ((whole := parts.get("train", Part("train", 0, 1))).start, whole.stop)
    if "held-out" in parts:
        unseen = parts["held-out"]
        assert unseen.stop == 1 and (unseen.split == "test" or unseen.start >= last.stop)


@pytest.mark.parametrize("name", CLASSED)
def test_every_class_is_known_by_its_name_and_by_its_label_in_any_spelling(name):
    row = DATASETS[name]
    assert len(set(row.classes)) == len({row.canonical(one) for one in row.classes}) == len(row.classes)
    numbers = range(len(row.classes))
    for spelled in (
        row.classes, [one.upper() for one in row.classes], [one.replace(" ", "_") for one in row.classes],
        [one.replace("-", " ").replace("_", "-") for one in row.classes], [f" {one} " for one in row.classes],
        [str(k) for k in numbers], [f"{k:02}" for k in numbers], [f"{k:05}" for k in numbers],
    ):  # fmt: skip
        assert row.labels(spelled, row.classes) == list(numbers)
    assert row.labels([str(len(row.classes)), f"0{len(row.classes)}", "extra", "9999", "-1", "1.5"], row.classes) == [None] * 6


@pytest.mark.parametrize(
    ("name", "spelled", "one"),
    [
        ("mnist", "Zero", "0"), ("mnist", "nine", "9"), ("svhn", "7 - seven", "7"), ("mnist", "digit_4", "4"),
        ("cifar10", "plane", "airplane"), ("cifar10", "Aeroplane", "airplane"), ("cifar10", "CAR", "automobile"),
        ("cifar10", "Horses", "horse"), ("cifar10", "trucks", "truck"), ("fashionmnist", "T-shirt_top", "T-shirt"),
        ("fashionmnist", "tshirt", "T-shirt"), ("fashionmnist", "Trousers", "trouser"),
        ("fashionmnist", "Ankle-Boots", "ankle boot"),
        ("fashionmnist", "Shirt", "shirt"), ("cifar100", "Aquarium Fish", "aquarium_fish"),
    ],
)  # fmt: skip
def test_usual_synonyms_mean_their_class(name, spelled, one):
    row = DATASETS[name]
    assert row.classes[row.labels([spelled], row.classes)[0]] == one


def test_labels_are_places_among_the_asked_classes_however_spelled():
    row = DATASETS["cifar10"]
    assert row.labels(["automobile", "plane", "cat", "3"], ("Car", "CAT", "airplane")) == [0, 2, 1, 1]


def test_a_set_of_one_s_own_has_defaults_and_names_alike_up_to_spelling():
    row = dataset("mine")
    assert row == Dataset("mine", judge="mine-judge", gallery="mine-at") and row.radius > 0 and row.rank > 0 and not row.mean
    accent = unicodedata.normalize("NFD", "Caf\u00e9")
    assert row.labels([accent, "old_house", "01"], ("caf\u00e9", "Old house", "1")) == [0, 1, None]
    assert row.labels(["Cat", "cat"], ("cat", "Cat")) == [1, 0]  # the exact name first


def test_cifar100_has_its_hundred_classes_in_order_of_the_alphabet():
    assert len(CIFAR100) == 100 and list(CIFAR100) == sorted(CIFAR100) and DIGITS == tuple(map(str, range(10)))
