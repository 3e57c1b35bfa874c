"""Fisher scores against closed forms and brute-force Hessians; Hutchinson's estimate and its error; equal logit norm."""

import pytest
import torch
from conftest import batchnorm_net, draw_weights, rand, randn, seeded, toy_classifier
from torch import nn

from cemviz.energies import joint, marginal
from cemviz.metrics.fisher import Fisher, gather, logit_norm, piecewise_linear, score
from cemviz.nets import build

X, Y = rand(6, 1, 4, 4, seed=1), torch.tensor([0, 1, 2, 3, 0, 1])


def relu_net(activation: nn.Module | None = None, gain: float = 3.0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        net = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), activation or nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(16, 4)
        )
    return draw_weights(net.double(), 2, gain).eval()


def scores(net, x=X, y=None, **how) -> Fisher:
    return gather(score(net, x, y, **how))


def by_hessian(net, x, y=None) -> Fisher:
    """Square and trace of each image from the whole Hessian."""
    squares, traces = [], []
    for i in range(len(x)):

        def energy(flat, i=i):
            f = net(flat.view(1, *x.shape[1:]))
            return (marginal(f) if y is None else joint(f, y[i : i + 1])).sum()

        flat = x[i].flatten()
        squares.append(torch.autograd.functional.jacobian(energy, flat).square().sum() / 2)
        traces.append(-torch.autograd.functional.hessian(energy, flat).trace())
    return Fisher(torch.stack(squares), torch.stack(traces), torch.zeros(len(x)))


def test_a_linear_net_has_the_closed_form():
    net = toy_classifier()[:1].append(nn.Linear(16, 4).double()).eval()
    w = net[1].weight.detach()
    p = net(X).softmax(1).detach()
    mean = p @ w
    result = scores(net)
    torch.testing.assert_close(result.square, mean.square().sum(1) / 2)
    torch.testing.assert_close(result.trace, p @ w.square().sum(1) - mean.square().sum(1))
    torch.testing.assert_close(scores(net, y=Y).value, w[Y].square().sum(1) / 2)


@pytest.mark.parametrize("activation", [nn.ReLU(inplace=True), nn.LeakyReLU(0.2, inplace=True)])
@pytest.mark.parametrize("y", [None, Y])
def test_exact_scores_of_piecewise_linear_nets_equal_the_whole_hessians(activation, y):
    net = relu_net(activation)
    result, expected = scores(net, y=y, method="exact"), by_hessian(net, X, y)
    torch.testing.assert_close(result.square, expected.square)
    torch.testing.assert_close(result.trace, expected.trace)
    assert not result.error.any() and (y is not None or (result.trace > 0).all())


@pytest.mark.parametrize("y", [None, Y])
def test_hutchinson_meets_the_whole_hessian_within_its_own_error(y):
    net = toy_classifier()
    expected = by_hessian(net, X, y)
    result = scores(net, y=y, probes=400, generator=seeded(3))
    torch.testing.assert_close(result.square, expected.square)
    z = (result.trace - expected.trace) / result.error
    assert z.abs().max() < 4 and (expected.trace.abs() > 8 * result.error).any()  # a flipped sign could not hide
    many = torch.stack([(s := scores(net, y=y, generator=seeded(i))).trace.sub(expected.trace) / s.error for i in range(60)])
    assert 0.8 < many.square().mean().sqrt() < 1.4  # 16 probes: Student's t, a little wider than 1


@pytest.mark.parametrize("y", [None, Y])
def test_hutchinson_agrees_with_the_exact_trace_of_a_relu_net(y):
    net = relu_net()
    exact, result = scores(net, y=y), scores(net, y=y, method="hutchinson", probes=400, generator=seeded())
    torch.testing.assert_close(result.square, exact.square)
    assert ((result.trace - exact.trace).abs() <= 4 * result.error + 1e-12).all()


class Quadratic(nn.Module):
    """f = (x^T A x / 2, 0)."""

    def __init__(self, a):
        super().__init__()
        self.register_buffer("a", a)

    def forward(self, x):
        value = ((x.flatten(1) @ self.a) * x.flatten(1)).sum(1) / 2
        return torch.stack([value, 0 * value], 1)


def test_random_signs_know_a_diagonal_hessian_exactly():
    result = scores(Quadratic(torch.diag(rand(16, seed=4))).eval(), y=torch.zeros(6, dtype=torch.int64), probes=2)
    torch.testing.assert_close(result.trace, rand(16, seed=4).sum().expand(6))  # E = -f, so that -tr grad^2 E = tr A
    assert result.error.max() < 1e-12


def test_the_error_of_a_trace_is_that_of_random_signs():
    a = randn(16, 16, seed=5)
    a = a + a.T
    probes = 2000
    result = scores(Quadratic(a).eval(), y=torch.zeros(6, dtype=torch.int64), probes=probes, generator=seeded())
    expected = (2 * (a.square().sum() - a.diagonal().square().sum()) / probes).sqrt()  # Var v^T A v = 2 sum_{i != j} A_ij^2
    torch.testing.assert_close(result.error, expected.expand(6), rtol=0.1, atol=0)


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_the_joint_score_grows_with_the_square_of_the_logits(factor):
    net, louder = relu_net(), relu_net()
    with torch.no_grad():
        louder[-1].weight *= factor
        louder[-1].bias *= factor
    torch.testing.assert_close(scores(louder, y=Y).value, factor**2 * scores(net, y=Y).value)
    torch.testing.assert_close(scores(louder, scale=factor).value, scores(net).value)


@pytest.mark.parametrize("make", [relu_net, toy_classifier])
@pytest.mark.parametrize("y", [None, Y])
def test_at_equal_logit_norm_the_scale_of_the_logits_does_not_matter(make, y):
    net, louder = make(), make()
    with torch.no_grad():
        louder[-1].weight *= 7.0
        louder[-1].bias *= 7.0
    a, b = (scores(n, y=y, scale=logit_norm(n, X), generator=seeded()).value for n in (net, louder))
    torch.testing.assert_close(a, b)
    assert not torch.allclose(scores(net, y=y, generator=seeded()).value, scores(louder, y=y, generator=seeded()).value)


def test_the_logit_norm_is_of_centred_logits():
    net = relu_net()
    f = net(X).detach()
    expected = torch.stack([(row - row.mean()).norm() for row in f]).mean().item()
    assert logit_norm(net, X) == pytest.approx(expected) and logit_norm(net, X, size=4) == pytest.approx(expected)
    with torch.no_grad():
        net[-1].bias += 5.0  # the same for all classes: no energy's shape changes
    assert logit_norm(net, X) == pytest.approx(expected)
    with torch.no_grad():
        net[-1].weight.zero_()
        net[-1].bias.zero_()
    with pytest.raises(ValueError, match="the mean centred logit norm is 0"):
        logit_norm(net, X)


def test_a_nearly_certain_net_keeps_its_small_trace_in_single_precision():
    net = relu_net(gain=8.0)
    exact = scores(net).trace
    assert exact.min() < 1e-10 and exact.max() > 1e3
    torch.testing.assert_close(scores(net.float(), X.float()).trace.double(), exact, rtol=1e-3, atol=0)


@pytest.mark.parametrize("size", [1, 4, 6, 100])
@pytest.mark.parametrize("make", [relu_net, toy_classifier])
def test_chunks_come_in_order_and_join_to_the_whole(make, size):
    net = make()
    parts = list(score(net, X, Y, size=size, probes=300, generator=seeded()))
    assert sum(len(p.value) for p in parts) == 6 and len(parts) == -(-6 // size)
    torch.testing.assert_close(gather(parts).square, scores(net, y=Y).square)
    assert ((gather(parts).trace - by_hessian(net, X, Y).trace).abs() <= 5 * gather(parts).error).all()


def test_mean_and_spread_are_over_images():
    f = Fisher(torch.tensor([1.0, 2.0, 6.0]), torch.tensor([0.0, 1.0, 2.0]), torch.zeros(3))
    assert f.value.tolist() == [1, 3, 8] and f.mean == 4
    assert f.spread == pytest.approx((((9 + 1 + 16) / 2) / 3) ** 0.5)
    assert Fisher(*torch.ones(3, 1)).spread == 0


NETS = [
    ("small-resnet", {}, True), ("small-resnet", {"flat": 7}, True), ("small-resnet", {"activation": "leaky"}, True),
    ("small-resnet", {"activation": "silu", "norm": "none"}, False), ("resnet18", {"width": 2}, True),
    ("resnet50", {"width": 2}, True), ("wide-resnet", {"depth": 10, "widen": 1}, True),
    ("mlp", {"activation": "tanh"}, False), ("mlp", {"activation": "relu"}, True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "expected"), NETS)
def test_nets_are_told_apart_by_their_layers(name, args, expected):
    assert piecewise_linear(build(name, **args).eval()) is expected


def test_a_train_mode_net_or_an_unknown_layer_is_not_piecewise_linear():
    assert piecewise_linear(relu_net()) and not piecewise_linear(batchnorm_net()) and not piecewise_linear(relu_net().train())
    assert not piecewise_linear(relu_net().append(nn.Softmax(1)).eval()) and not piecewise_linear(Quadratic(X).eval())


def test_a_shipped_silu_net_with_in_place_layers_has_its_hessian_too():
    net = draw_weights(build("small-resnet", width=2, activation="silu", norm="none").double(), 5, 2.0).eval()
    x = rand(2, 1, 8, 8, seed=6)
    result, expected = scores(net, x, probes=300, generator=seeded()), by_hessian(net, x)
    torch.testing.assert_close(result.square, expected.square)
    assert ((result.trace - expected.trace).abs() <= 4 * result.error).all() and result.error.min() > 0


def test_scores_touch_neither_the_net_nor_images_nor_global_randomness():
    for net in (relu_net(), toy_classifier()):
        x, before, state = X.clone(), {k: v.clone() for k, v in net.state_dict().items()}, torch.get_rng_state()
        with torch.no_grad():  # a caller's context does not matter
            a, b = (scores(net, x, generator=seeded(1)) for _ in range(2))
        assert torch.equal(a.value, b.value) and torch.equal(x, X) and not a.value.requires_grad
        assert torch.equal(state, torch.get_rng_state()) and all(p.grad is None for p in net.parameters())
        assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert not torch.equal(a.value, scores(net, generator=seeded(2)).value)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"method": "exact"}, "the net is not piecewise linear"), ({"method": "guess"}, "method is 'guess'; choose exact"),
        ({"scale": 0.0}, "scale is 0.0; give a number above 0"), ({"probes": 1}, "probes is 1; give at least 2"),
    ],
)  # fmt: skip
def test_bad_numbers_are_refused(how, said):
    with pytest.raises(ValueError, match=said):
        next(score(toy_classifier(), X, **how))
