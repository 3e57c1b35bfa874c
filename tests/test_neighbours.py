"""Nearest images: a planted copy is found first; values, order and chunks."""

import pytest
import torch
from conftest import rand

from cemviz.metrics import neighbours
from cemviz.metrics.neighbours import by_pixels

SET = rand(60, 1, 8, 8, seed=1)
X = SET[[41, 7]] + 0.01 * rand(2, 1, 8, 8, seed=2)


def test_a_planted_copy_is_found_first_and_values_are_in_order():
    index, value = by_pixels(X, SET, 5)
    assert index.shape == value.shape == (2, 5) and index[:, 0].tolist() == [41, 7]
    assert (value.diff(dim=1) >= 0).all() and all(len(set(row.tolist())) == 5 for row in index)


def test_an_exact_copy_has_distance_0():
    assert by_pixels(SET[3:4], SET, 1).value.item() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("size", [1, 7, 59, 100])
def test_a_search_in_chunks_is_a_sorted_search_of_all(size, monkeypatch):
    monkeypatch.setattr(neighbours, "CHUNK", size)
    value, index = (X.flatten(1)[:, None] - SET.flatten(1)[None]).norm(dim=2).sort(1)
    nearest = by_pixels(X, SET, 9)
    torch.testing.assert_close(nearest.value, value[:, :9])
    assert torch.equal(nearest.index, index[:, :9])


def test_bytes_and_floats_are_one_set():
    pixels = (SET * 255).byte()
    a, b = by_pixels(X.float(), pixels, 4), by_pixels(X.float(), pixels.float() / 255, 4)
    assert torch.equal(a.index, b.index) and torch.equal(a.value, b.value)
    assert by_pixels(pixels.float() / 255, pixels, 1).value.max() == 0  # copies, in single precision


@pytest.mark.parametrize("k", [0, 61])
def test_a_number_of_neighbours_out_of_range_is_refused(k):
    with pytest.raises(ValueError, match=f"k is {k}; give a whole number from 1 to the number of images, 60"):
        by_pixels(X, SET, k)
