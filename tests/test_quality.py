"""Inception Score and Frechet distance: closed forms of known features, judges as extractors, untouched randomness."""

import pytest
import torch
from conftest import rand, randn, seeded, toy_classifier
from torch import nn

from cemviz.metrics import quality
from cemviz.metrics.quality import (
    Bytes,
    Extractor,
    frechet,
    frechet_error,
    inception_score,
    judge,
    kernel_distance,
    precision_recall,
)

PLAIN = Extractor("judge-plain", nn.Identity(), nn.Linear(3, 3, bias=False).double())
with torch.no_grad():
    PLAIN.logits.weight.copy_(torch.eye(3))


def white(n: int, m: int, seed: int) -> torch.Tensor:
    """Points whose sample mean is 0 and whose sample covariance (over n - 1) is the identity, exactly."""
    x = randn(n, m, seed=seed)
    x = x - x.mean(0)
    return x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (n - 1))).T


def test_the_frechet_distance_of_aligned_gaussians_has_the_closed_form():
    s, t, shift = torch.tensor([1.0, 2.0, 0.5]).double(), torch.tensor([3.0, 1.0, 0.5]).double(), torch.tensor([1.0, -2.0, 0.0])
    expected = (shift.square().sum() + (s - t).square().sum()).item()
    assert frechet(white(40, 3, 1) * s, white(70, 3, 2) * t + shift) == pytest.approx(expected, rel=1e-6)


def test_the_frechet_distance_of_covariances_that_do_not_commute():
    a, b = (torch.tensor(m).double() for m in ([[2.0, 0.0], [1.0, 1.0]], [[1.0, -1.0], [0.0, 3.0]]))
    s, t = a @ a.T, b @ b.T
    root = (torch.trace(s @ t) + 2 * torch.det(s @ t).sqrt()).sqrt()  # trace of a root of a 2x2 matrix
    distance = frechet(white(30, 2, 3) @ a.T, white(30, 2, 4) @ b.T)
    assert distance == pytest.approx((torch.trace(s) + torch.trace(t) - 2 * root).item(), rel=1e-6)


def test_a_set_has_no_distance_to_itself_with_fewer_images_than_features():
    x = randn(10, 24, seed=5)
    assert abs(frechet(x, x.flip(0))) < 1e-4 < 1 < frechet(x, x + 1)


def test_the_distance_is_biased_upwards_with_few_images():
    few, many = (frechet(randn(n, 8, seed=n), randn(n, 8, seed=n + 1)) for n in (20, 2000))
    assert few > 10 * many > 0


def test_a_covariance_needs_two_images():
    with pytest.raises(ValueError, match="there are 1 real and 5 generated images; a covariance needs at least 2"):
        frechet(randn(1, 3), randn(5, 3))


@pytest.mark.parametrize(("n", "m", "features"), [(60, 40, 8), (30, 50, 64), (100, 100, 3)])
def test_the_frechet_distance_is_that_of_torchmetrics(n, m, features):
    from torchmetrics.image.fid import _compute_fid

    real, drawn = randn(n, features, seed=1), 1.3 * randn(m, features, seed=2) + 0.2
    theirs = _compute_fid(real.mean(0), real.T.cov(), drawn.mean(0), drawn.T.cov())
    assert frechet(real, drawn) == pytest.approx(theirs.item(), rel=1e-4, abs=1e-4)


def test_features_of_single_precision_far_from_zero_lose_nothing():
    x, y = (1000 + 0.01 * randn(60, 4, seed=seed) for seed in (1, 2))
    assert frechet(x.float(), y.float()) == pytest.approx(frechet(x.float().double(), y.float().double()), rel=1e-9)
    assert frechet(x, y) == pytest.approx(frechet(x - 1000, y - 1000), rel=1e-6)


def test_the_error_is_the_jackknife_by_hand():
    real, drawn = randn(43, 4, seed=3), 2 * randn(61, 4, seed=4)
    parts = [[torch.tensor([j for j in range(len(x)) if j * 10 // len(x) != i]) for i in range(10)] for x in (real, drawn)]
    left = [frechet(real[a], drawn[b]) for a, b in zip(*parts, strict=True)]
    mean = sum(left) / 10
    expected = (9 / 10 * sum((d - mean) ** 2 for d in left)) ** 0.5
    assert frechet_error(real, drawn) == pytest.approx(expected, rel=1e-4)


def test_the_error_is_the_deviation_over_new_draws():
    draws = [(randn(300, 4, seed=k), 1.5 * randn(300, 4, seed=1000 + k) + 0.3) for k in range(60)]
    deviation = torch.tensor([frechet(*pair) for pair in draws]).std().item()
    errors = torch.tensor([frechet_error(*pair) for pair in draws])
    assert errors.mean().item() == pytest.approx(deviation, rel=0.3)


def test_the_error_leaves_no_class_out_where_classes_come_in_turn():
    turn = 5 * torch.eye(10).double().repeat(30, 1) + 0.01 * randn(300, 10, seed=5)
    assert frechet_error(turn, turn + 0.01 * randn(300, 10, seed=6)) < 0.01


def test_few_images_have_no_error():
    assert frechet_error(randn(19, 3), randn(50, 3)) is frechet_error(randn(50, 3), randn(19, 3)) is None
    assert frechet_error(randn(20, 3, seed=1), randn(20, 3, seed=2)) > 0


def test_the_kernel_distance_is_that_by_hand_and_that_of_torchmetrics():
    from torchmetrics.image.kid import poly_mmd

    real, drawn = randn(9, 5, seed=1), randn(7, 5, seed=2) + 0.5

    def mean(pairs):
        return sum((sum(p * q for p, q in zip(a.tolist(), b.tolist(), strict=True)) / 5 + 1) ** 3 for a, b in pairs) / len(
            pairs
        )

    expected = (
        mean([(a, b) for i, a in enumerate(real) for j, b in enumerate(real) if i != j])
        + mean([(a, b) for i, a in enumerate(drawn) for j, b in enumerate(drawn) if i != j])
        - 2 * mean([(a, b) for a in real for b in drawn])
    )
    assert kernel_distance(real, drawn) == pytest.approx(expected)
    assert kernel_distance(real[:7], drawn) == pytest.approx(poly_mmd(real[:7], drawn).item())


def test_the_kernel_distance_is_not_raised_by_few_images():
    pairs = [(randn(8, 4, seed=k), randn(8, 4, seed=500 + k)) for k in range(200)]
    values = torch.tensor([kernel_distance(*pair) for pair in pairs])
    assert abs(values.mean().item()) < 3 * values.std().item() / 200**0.5 and values.min() < 0
    with pytest.raises(ValueError, match="1 real and 8 generated images; pairs need at least 2 of each"):
        kernel_distance(randn(1, 4), randn(8, 4))


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_and_recall_are_those_by_hand(k):
    real, drawn = randn(25, 2, seed=3), 0.8 * randn(18, 2, seed=4) + 0.7

    def share(points, members):
        reach = [sorted((a - b).norm().item() for j, b in enumerate(members) if i != j)[k - 1] for i, a in enumerate(members)]
        inside = [any((p - a).norm().item() <= r for a, r in zip(members, reach, strict=True)) for p in points]
        return sum(inside) / len(inside)

    assert precision_recall(real, drawn, k) == (pytest.approx(share(drawn, real)), pytest.approx(share(real, drawn)))


def test_precision_falls_with_strays_and_recall_with_missing_classes():
    far, one = 100 + randn(40, 3, seed=5), randn(40, 3, seed=6)
    real = torch.cat([one, far])
    assert precision_recall(real, torch.cat([one, -100 + randn(40, 3, seed=7)])) == (0.5, 0.5)
    assert precision_recall(real, one + 1e-6) == (1.0, 0.5) and precision_recall(real, real) == (1.0, 1.0)


@pytest.mark.parametrize("k", [0, 5, 9])
def test_neighbours_that_a_set_has_not_are_refused(k):
    with pytest.raises(ValueError, match=f"k is {k}; give a whole number from 1 to 4"):
        precision_recall(randn(9, 2), randn(5, 2), k)


def test_the_inception_score_is_1_without_classes_or_their_number_if_sure():
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


def test_the_shuffle_comes_from_the_seed_and_spares_global_randomness():
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


def test_inception_with_random_weights_sees_images_and_reads_them_without_a_bias(monkeypatch):
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    monkeypatch.setattr(fidelity, "load_state_dict_from_url", lambda *given, **more: {})
    monkeypatch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda self, weights: None)
    monkeypatch.setattr(quality, "inception_here", lambda: True)
    with torch.random.fork_rng(devices=[]):
        eye = quality.inception()
    x = rand(2, 3, 32, 32).float()
    features, net = eye(x), eye.features.net
    assert eye.name == "inception" and features.shape == (2, 2048) and not torch.equal(features[0], features[1])
    net.features_list = ["logits_unbiased"]
    expected = net((x * 255).round().byte())
    torch.testing.assert_close(eye.logits(features.float()), expected)
    assert net.fc.bias.abs().max() > 0 and eye.logits.weight.shape == (1008, 2048)


@pytest.mark.parametrize("channels", [1, 3])
def test_inception_gets_three_channels_of_bytes(channels):
    pixels = torch.randint(256, (1, channels, 16, 16), generator=seeded(9))
    for off in (-0.4, 0.0, 0.4):
        seen = Bytes(nn.Identity())((pixels + off) / 255)
        assert seen.dtype == torch.uint8 and seen.shape == (1, 3, 16, 16)
        assert torch.equal(seen, pixels.byte().expand(1, 3, 16, 16))
