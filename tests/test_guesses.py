"""Guesses at what no file of a net says, from names, shapes and numbers of classes."""

import pytest

from cemviz.backend.device import choose
from cemviz.backend.foreign.guesses import IMAGENET, data_sets, scales, threat
from cemviz.backend.studio import Studio


@pytest.mark.parametrize(
    ("hint", "shape", "norm", "radius"),
    [
        ("cifar_linf_8", (3, 32, 32), "linf", 8 / 255), ("cifar_l2_0_5.pt", (3, 32, 32), "l2", 0.5),
        ("Linf/Rice.pt", (3, 32, 32), "linf", 8 / 255), ("m_l2_1.0", (3, 32, 32), "l2", 1.0), ("net", (1, 28, 28), "l2", 2.0),
        ("net", (3, 32, 32), "linf", 8 / 255), ("mnist_linf_0.3", (1, 28, 28), "linf", 0.3),
    ],
)  # fmt: skip
def test_a_threat_model_is_guessed_from_the_name(hint, shape, norm, radius):
    assert threat(hint, shape, None, None)[:2] == (norm, pytest.approx(radius))
    assert threat(hint, shape, "l2", 0.7) == ("l2", 0.7, "given")


def test_data_set_and_normalisations_are_guessed(here):
    studio = Studio(choose("cpu"))
    assert data_sets(studio, None, (1, 28, 28), 10, "net") == ["mnist", "fashionmnist"]
    assert data_sets(studio, None, (1, 28, 28), 10, "Fashion-MNIST_cnn") == ["fashionmnist"]
    assert data_sets(studio, None, (3, 32, 32), 100, "") == ["cifar100"]
    assert list(scales(None, None, "symmetric", "cifar10", 3)) == ["symmetric", "none", "set", "imagenet"]
    assert list(scales(None, None, "set", "mnist", 1)) == ["set", "none", "symmetric"]


def test_the_normalisation_of_a_library_is_tried_first_among_the_others(here):
    clip = ((0.48, 0.46, 0.41), (0.27, 0.26, 0.28))
    assert list(scales(None, None, "set", "cifar10", 3, clip)) == ["library", "none", "set", "imagenet", "symmetric"]
    assert scales(None, None, "set", "cifar10", 3, clip)["library"] == clip
    assert list(scales(None, None, "set", "cifar10", 3, IMAGENET)) == ["imagenet", "none", "set", "symmetric"]
    assert list(scales(IMAGENET, None, "set", "cifar10", 3, clip)) == ["file"], "what the file says is no guess"
