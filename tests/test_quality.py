"""Inception Score and Frechet distance: closed forms of known features, judges as extractors, untouched randomness."""

import pytest
import torch
from conftest import rand, randn, seeded, toy_classifier
from torch import nn

from cemviz.metrics import quality
from cemviz.metrics.quality import Bytes, Extractor, frechet, inception_score, judge

PLAIN = Extractor("judge-plain", nn.Identity(), nn.Linear(3, 3, bias=False).double())
with torch.no_grad():
    PLAIN.logits.weight.copy_(torch.eye(3))


def white(n: int, m: int, seed: int) -> torch.Tensor:
    """Points whose sample mean is 0 and whose sample covariance (over n - 1) is the identity, exactly."""
    x = randn(n, m, seed=seed)
    x = x - x.mean(0)
    return x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (n - 1))).T


def test_the_frechet_distance_of_axis_aligned_gaussians_has_the_closed_form():
    s, t, shift = torch.tensor([1.0, 2.0, 0.5]).double(), torch.tensor([3.0, 1.0, 0.5]).double(), torch.tensor([1.0, -2.0, 0.0])
    expected = (shift.square().sum() + (s - t).square().sum()).item()
    assert frechet(white(40, 3, 1) * s, white(70, 3, 2) * t + shift) == pytest.approx(expected, rel=1e-6)


def test_the_frechet_distance_of_covariances_that_do_not_commute():
    a, b = (torch.tensor(m).double() for m in ([[2.0, 0.0], [1.0, 1.0]], [[1.0, -1.0], [0.0, 3.0]]))
    s, t = a @ a.T, b @ b.T
    root = (torch.trace(s @ t) + 2 * torch.det(s @ t).sqrt()).sqrt()  # trace of a root of a 2x2 matrix
    found = frechet(white(30, 2, 3) @ a.T, white(30, 2, 4) @ b.T)
    assert found == pytest.approx((torch.trace(s) + torch.trace(t) - 2 * root).item(), rel=1e-6)


def test_a_set_has_no_distance_to_itself_even_with_fewer_images_than_features():
    x = randn(10, 24, seed=5)
    assert abs(frechet(x, x.flip(0))) < 1e-4 < 1 < frechet(x, x + 1)


def test_the_distance_is_biased_upwards_with_few_images():
    few, many = (frechet(randn(n, 8, seed=n), randn(n, 8, seed=n + 1)) for n in (20, 2000))
    assert few > 10 * many > 0


def test_a_covariance_needs_two_images():
    with pytest.raises(ValueError, match="there are 1 real and 5 generated images; a covariance needs at least 2"):
        frechet(randn(1, 3), randn(5, 3))


def test_the_inception_score_is_1_without_classes_and_their_number_where_each_is_certain():
    assert inception_score(PLAIN, torch.zeros(30, 3).double(), 1) == (pytest.approx(1), 0)
    same = torch.tensor([9.0, 0, 0]).double().expand(30, 3)
    assert inception_score(PLAIN, same, 1)[0] == pytest.approx(1)
    certain = 1000 * torch.eye(3).double()
    assert inception_score(PLAIN, certain.repeat(10, 1), 1)[0] == pytest.approx(3)
    assert inception_score(PLAIN, certain[:2].repeat(10, 1), 1)[0] == pytest.approx(2)  # a class that is never seen: no NaN


def test_the_inception_score_is_that_by_hand():
    f = randn(50, 3, seed=6)
    p = f.softmax(1)
    expected = (p * (p / p.mean(0)).log()).sum(1).mean().exp().item()
    assert inception_score(PLAIN, f, 1)[0] == pytest.approx(expected)
    doubled = Extractor("judge-doubled", nn.Identity(), nn.Linear(3, 3, bias=False).double())
    with torch.no_grad():
        doubled.logits.weight.copy_(2 * torch.eye(3))
    assert inception_score(doubled, f, 1)[0] == pytest.approx(inception_score(PLAIN, 2 * f, 1)[0])


def test_the_shuffle_comes_from_the_seed_and_leaves_the_global_randomness_alone():
    f, state = 3 * randn(60, 3, seed=7), torch.get_rng_state()
    a, b, c = (inception_score(PLAIN, f, 5, seed) for seed in (1, 1, 2))
    assert a == b != c and a[1] > 0 and torch.equal(state, torch.get_rng_state())
    ordered = torch.cat([1000 * torch.eye(3).double()[k].expand(20, 3) for k in range(3)])
    assert inception_score(PLAIN, ordered, 3)[0] > 2  # unshuffled, each split would hold one class and score 1


@pytest.mark.parametrize("splits", [0, 31])
def test_splits_out_of_range_are_refused(splits):
    with pytest.raises(ValueError, match=f"splits is {splits}; give a whole number from 1 to the number of images, 30"):
        inception_score(PLAIN, torch.zeros(30, 3), splits)


def test_splits_that_would_silently_be_fewer_are_refused():
    with pytest.raises(ValueError, match="splits is 10; 25 images fall into 9 equal parts, give 9"):
        inception_score(PLAIN, torch.zeros(25, 3), 10)
    for count in range(2, 60):
        inception_score(PLAIN, torch.zeros(count, 3), len(torch.zeros(count).chunk(10)))


def test_a_judge_s_features_are_the_input_of_its_last_layer():
    net, x = toy_classifier(), rand(7, 1, 4, 4, seed=8)
    seen = judge("toy", net)
    assert seen.name == "judge-toy" and seen(x).shape == (7, 16) and not seen(x).requires_grad
    torch.testing.assert_close(seen.logits(seen(x)), net(x))
    torch.testing.assert_close(seen(x, size=3), seen(x))


@pytest.mark.parametrize(
    "net", [nn.Linear(3, 2), nn.Sequential(nn.Linear(3, 2)), nn.Sequential(nn.Linear(3, 2), nn.Softmax(1))]
)
def test_a_net_of_another_form_cannot_judge(net):
    with pytest.raises(ValueError, match="model 'odd' cannot judge: give a classifier that ends in a linear layer"):
        judge("odd", net)


def test_inception_is_not_fetched_unasked(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert not quality.inception_here()
    with pytest.raises(LookupError, match=r"torch-fidelity|not on this machine"):
        quality.inception()
    monkeypatch.setattr(quality.importlib.util, "find_spec", lambda name: object())
    assert not quality.inception_here()
    with pytest.raises(LookupError, match="not on this machine; download them, or use a judge"):
        quality.inception()
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / quality.INCEPTION_WEIGHTS).touch()
    assert quality.inception_here()


@pytest.mark.parametrize("channels", [1, 3])
def test_inception_gets_three_channels_of_bytes(channels):
    pixels = torch.randint(256, (1, channels, 16, 16), generator=seeded(9))
    for off in (-0.4, 0.0, 0.4):
        seen = Bytes(nn.Identity())((pixels + off) / 255)
        assert seen.dtype == torch.uint8 and seen.shape == (1, 3, 16, 16)
        assert torch.equal(seen, pixels.byte().expand(1, 3, 16, 16))
