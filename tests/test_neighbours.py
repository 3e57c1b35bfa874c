"""Nearest images: a planted copy is found first, by pixels, structure and features; values, order and chunks."""

import pytest
import torch
from conftest import rand, toy_classifier

from cemviz.metrics import neighbours
from cemviz.metrics.neighbours import by_features, by_pixels, by_structure

SET = rand(60, 1, 8, 8, seed=1)
X = SET[[41, 7]] + 0.01 * rand(2, 1, 8, 8, seed=2)
NET = toy_classifier((1, 8, 8))
WAYS = {
    "pixels": by_pixels,
    "structure": by_structure,
    "features": lambda x, images, k=10: by_features(x, images, NET, k),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_planted_copy_is_found_first_and_values_are_in_order(way):
    index, value = WAYS[way](X, SET, 5)
    assert index.shape == value.shape == (2, 5) and index[:, 0].tolist() == [41, 7]
    steps = value.diff(dim=1)
    assert (steps <= 0).all() if way == "structure" else (steps >= 0).all()
    assert all(len(set(row.tolist())) == 5 for row in index)


@pytest.mark.parametrize("way", WAYS)
def test_an_exact_copy_has_distance_0_or_similarity_1(way):
    value = WAYS[way](SET[3:4], SET, 1).value.item()
    assert value == pytest.approx(1.0 if way == "structure" else 0.0, abs=1e-9)


@pytest.mark.parametrize("way", ["pixels", "features"])
@pytest.mark.parametrize("size", [1, 7, 59, 100])
def test_a_search_in_chunks_is_a_sorted_search_of_all(way, size, monkeypatch):
    monkeypatch.setattr(neighbours, "CHUNK", size)
    seen = (lambda x: x.flatten(1)) if way == "pixels" else (lambda x: NET(x).detach())
    value, index = (seen(X)[:, None] - seen(SET)[None]).norm(dim=2).sort(1)
    found = WAYS[way](X, SET, 9)
    torch.testing.assert_close(found.value, value[:, :9])
    assert torch.equal(found.index, index[:, :9]) and not found.value.requires_grad


def test_bytes_and_floats_are_one_set():
    pixels = (SET * 255).byte()
    for way in (by_pixels, by_structure):
        a, b = way(X.float(), pixels, 4), way(X.float(), pixels.float() / 255, 4)
        assert torch.equal(a.index, b.index) and torch.equal(a.value, b.value)
    assert by_pixels(pixels.float() / 255, pixels, 1).value.max() == 0  # copies, in single precision


def test_structure_sees_past_a_shift_of_brightness_where_pixels_do_not():
    image = 0.2 + 0.6 * SET[:1]
    images = torch.cat([image + 0.15, image + 0.12 * (rand(1, 1, 8, 8, seed=9) - 0.5).sign()])
    assert by_pixels(image, images, 1).index.item() == 1 and by_structure(image, images, 1).index.item() == 0


def test_structure_compares_only_the_nearest_candidates():
    near = by_pixels(X, SET, 12).index
    found = by_structure(X, SET, 3, candidates=12).index
    assert all(set(f.tolist()) <= set(n.tolist()) for f, n in zip(found, near, strict=True))
    assert torch.equal(by_structure(X, SET, 3, candidates=3).index.sort(1).values, near[:, :3].sort(1).values)
    assert by_structure(X, SET, 60, candidates=500).index.sort(1).values.tolist() == [list(range(60))] * 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("k", [0, 61])
def test_a_number_of_neighbours_out_of_range_is_refused(way, k):
    with pytest.raises(ValueError, match=f"k is {k}; give a whole number from 1 to the number of images, 60"):
        WAYS[way](X, SET, k)


def test_structure_refuses_small_images_and_few_candidates():
    with pytest.raises(ValueError, match="images are 5x8; SSIM's window needs at least 6"):
        by_structure(X[:, :, :5], SET[:, :, :5], 1)
    with pytest.raises(ValueError, match="candidates is 2; give at least k, 3"):
        by_structure(X, SET, 3, candidates=2)
