"""The binary net that ships: it draws whole digits of all classes, copies none, and D lies near one half on data."""

import pytest
import torch

from cemviz.backend.device import choose
from cemviz.backend.requests import SampleRequest
from cemviz.backend.sample.ascent import SURE
from cemviz.backend.sample.chains import prepared
from cemviz.backend.studio import Studio
from cemviz.data import images
from cemviz.metrics.detection import auc
from cemviz.metrics.neighbours import by_pixels

COUNT = 200


@pytest.fixture(scope="module")
def studio():
    return Studio(choose("cpu"))


@pytest.fixture(scope="module")
def run(studio):
    return prepared(studio, SampleRequest("mnist-binary", "ascent", start="gaussian", seed=3), COUNT)


@pytest.fixture(scope="module")
def drawn(run):
    return torch.cat(list(run.last()))


def read(studio, x):
    with torch.no_grad():
        p = studio.model("mnist-judge")[0](x).softmax(1)
    return p.amax(1), p.argmax(1)


def test_a_judge_that_never_saw_them_is_sure_of_most_samples(studio, run, drawn):
    sure, label = read(studio, drawn)
    begun, _ = read(studio, run.begin()[0])
    assert (sure >= SURE).float().mean() >= 0.8 > 0.4 >= (begun >= SURE).float().mean()
    assert set(label[sure >= SURE].tolist()) == set(range(10))


def test_the_net_takes_its_samples_for_data_and_not_their_starts(run, drawn):
    with torch.no_grad():
        start, end = (run.net(x).flatten() for x in (run.begin()[0], drawn))
    assert (end > start).all() and start.sigmoid().mean() < 0.45 < end.sigmoid().mean()


needs_images = pytest.mark.skipif(not images.available("mnist", "train"), reason="the images of MNIST are not here")


@pytest.mark.data
@needs_images
def test_no_sample_lies_nearer_to_a_training_image_than_a_held_out_digit_does(drawn):
    train, test = images.load("mnist", "train").pixels[:20_000], images.load("mnist", "test")
    of_samples, of_digits = (by_pixels(x, train, 1).value[:, 0] for x in (drawn[:100], test.floats(slice(100))))
    assert of_samples.median() >= of_digits.median() and of_samples.min() >= of_digits.min()


@pytest.mark.data
@needs_images
def test_d_tells_unseen_digits_from_starts_and_lies_near_one_half_on_them(run):
    with torch.no_grad():
        data, start = (run.net(x).flatten() for x in (images.load("mnist", "test").floats(slice(1000)), run.begin()[0]))
    assert auc(data, start) > 0.95 and 0.4 < data.sigmoid().mean() < 0.75
