"""Nearest images: a planted copy is found first; values, order and chunks."""

import pytest
import torch
from conftest import rand

from cemviz.metrics import neighbours
from cemviz.metrics.neighbours import by_features, by_pixels, by_similarity
from cemviz.metrics.similarity import similarity

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


def test_where_some_pixels_count_the_others_do_not():
    where = torch.zeros(8, 8, dtype=torch.bool)
    where[1:4, 2:5] = True
    query = torch.where(where, SET[20:21], 1 - SET[20:21])
    index, value = by_pixels(query, SET, 1, where=where)
    assert index.item() == 20 and value.item() == 0 and by_pixels(query, SET, 1).value.item() > 1


def test_features_decide_where_they_are_asked_for():
    def brightness(x):
        return x.mean((1, 2, 3))[:, None]

    query = SET[33:34].flip(2)  # as bright, and another image
    assert by_features(query, SET, 1, features=brightness).index.item() == 33
    assert by_pixels(query, SET, 1).index.item() != 33


def test_the_most_similar_is_a_sorted_search_of_all():
    index, value = by_similarity(X, SET, 60)
    one_by_one = torch.stack([1 - similarity(x.expand_as(SET), SET) for x in X])
    torch.testing.assert_close(value, one_by_one.sort(1).values)
    assert index[:, 0].tolist() == [41, 7]
