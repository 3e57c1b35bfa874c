"""Nets: built from their own seed, published sizes, normalisation inside, every row differentiable and trainable."""

from inspect import signature

import pytest
import torch
from conftest import rand, randn
from torch.nn import functional as F

from cemviz.nets import NETS, build, parameters
from cemviz.nets.layers import Normalize
from cemviz.nets.mlp import slope

SMALL = {
    "mlp": {},
    "small-resnet": {"mean": [0.1307], "std": [0.3081], "width": 4, "outputs": 3},
    "resnet18": {"width": 4, "outputs": 3},
    "resnet50": {"width": 4, "outputs": 3},
    "resnet": {"width": 4, "outputs": 3, "block": "pre-activated", "repeats": [1, 2], "shortcut": "raw"},
    "wide-resnet": {"depth": 10, "widen": 1, "outputs": 3},
    "encoder": {"mean": [0.1307], "std": [0.3081], "width": 4, "projection": [8, 3], "unit": False},
    "one-vs-rest": {"mean": [0.1307], "std": [0.3081], "trunk": "small-resnet", "width": 4, "outputs": 3},
}
GREY = (1, 12, 12)
every = pytest.mark.parametrize("name", NETS)


def args(name):
    """Small arguments of a net; those of a row that is not listed are its own."""
    return SMALL.get(name, {"outputs": 3})


def takes(name, argument):
    return argument in signature(NETS[name]).parameters or name in ("encoder", "one-vs-rest")  # which pass it on


def inputs(name, n=4):
    own = signature(NETS[name]).parameters
    side = own["side"].default if "side" in own else 16
    channels = len(own["mean"].default) if "mean" in own else 3
    shape = {"mlp": (2,), "small-resnet": GREY, "encoder": GREY, "one-vs-rest": GREY}.get(name, (channels, side, side))
    return rand(n, *shape, dtype=torch.float32)


@every
def test_weights_follow_the_seed_alone_and_spare_the_global_random_state(name):
    before = torch.get_rng_state()
    a, b, c = (build(name, seed=s, **args(name)).state_dict() for s in (1, 1, 2))
    assert all(torch.equal(a[k], b[k]) for k in a) and any(not torch.equal(a[k], c[k]) for k in a)
    assert torch.equal(torch.get_rng_state(), before)


@every
def test_a_net_in_eval_mode_scores_each_sample_apart(name):
    net, x = build(name, **args(name)).eval(), inputs(name)
    f = net(x)
    assert f.shape == (4, 1 if name == "mlp" else 3)
    torch.testing.assert_close(torch.cat([net(row[None]) for row in x]), f, rtol=1e-4, atol=1e-5)


@every
def test_every_weight_gets_a_gradient_and_so_does_the_input(name):
    net, x = build(name, **args(name)), inputs(name).requires_grad_()
    net(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters()) and x.grad.abs().sum() > 0


@every
def test_a_few_steps_of_adam_lower_the_loss(name):
    net, x, y = build(name, **args(name)), inputs(name, 12), torch.arange(12) % 3
    loss = lambda: F.mse_loss(net(x)[:, 0], y.float()) if name == "mlp" else F.cross_entropy(net(x), y)  # noqa: E731
    optimizer, first = torch.optim.Adam(net.parameters(), 5e-3), loss().item()
    for _ in range(25):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert loss().item() < 0.7 * first


@every
def test_a_net_does_not_change_its_input_in_place(name):
    net, x = build(name, **args(name), **({"norm": "none"} if takes(name, "norm") else {})), inputs(name)
    before = x.clone()
    net(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", [n for n in NETS if takes(n, "norm")])
def test_normalisation_is_the_first_layer_and_norm_none_has_no_batchnorm(name):
    net = build(name, **args(name), norm="none", activation="silu")
    first = {"encoder": "trunk", "one-vs-rest": "members.0"}.get(name)
    first = (net.get_submodule(first) if first else net)[0]
    assert isinstance(first, Normalize) and not any(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules())
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in build(name, **args(name)).modules())
    f, x = net.eval()(inputs(name)), inputs(name)
    torch.testing.assert_close(net.train()(x), f)  # without a norm, train and eval mode agree


def test_normalize_subtracts_the_mean_and_divides_by_the_deviation():
    x = rand(2, 2, 3, 3, dtype=torch.float32)
    y = Normalize([0.2, 0.5], [0.1, 0.25])(x)
    torch.testing.assert_close(y[:, 0], (x[:, 0] - 0.2) / 0.1)
    torch.testing.assert_close(y[:, 1], (x[:, 1] - 0.5) / 0.25)


@pytest.mark.parametrize(
    ("name", "args", "millions"),
    [
        ("resnet18", {}, 11.17),
        ("resnet18", {"width": 32}, 2.80),
        ("resnet18", {"width": 16}, 0.70),
        ("resnet50", {}, 23.52),
        ("wide-resnet", {}, 36.48),
        ("resnet", {"repeats": [3, 4, 6, 3]}, 21.28),
        ("resnet", {"block": "pre-activated"}, 11.17),
        ("resnet", {"block": "bottleneck", "repeats": [3, 4, 6, 3], "stem": 7, "pool": True, "outputs": 1000}, 25.56),
        ("small-resnet", {}, 0.073),
    ],
)
def test_a_net_has_its_published_number_of_weights(name, args, millions):
    with torch.device("meta"):
        net = NETS[name](**args)
    assert parameters(net) / 1e6 == pytest.approx(millions, rel=0.005)


def test_the_mlps_gain_scales_every_initial_weight():
    plain, scaled = build("mlp", seed=1), build("mlp", seed=1, gain=2.25)
    for a, b in zip(plain.parameters(), scaled.parameters(), strict=True):
        torch.testing.assert_close(b, 2.25 * a)


@pytest.mark.parametrize(
    ("name", "args", "error", "said"),
    [
        ("vgg", {}, KeyError, "no net 'vgg'; choose one of mlp, small-cnn, small-resnet"),
        ("wide-resnet", {"depth": 11}, ValueError, r"depth is 11; a wide residual net has 6 n \+ 4"),
        ("wide-resnet", {"depth": 4}, ValueError, "depth is 4"),
        ("small-resnet", {"depth": 0}, ValueError, "depth is 0; give at least 1"),
        ("small-resnet", {"norm": "layer"}, ValueError, "norm is 'layer'; choose one of batch, double, none"),
        ("resnet", {"block": "plain"}, ValueError, "block is 'plain'; choose one of basic, bottleneck, pre-activated"),
        ("resnet", {"stem": 5}, ValueError, "stem is 5 and repeats are .*; give 3 or 7"),
        ("resnet", {"repeats": [2, 0]}, ValueError, "at least 1 block a stage"),
        ("wide-resnet", {"shortcut": "none"}, ValueError, "shortcut is 'none'; choose one of active, raw"),
        ("mlp", {"depth": 0}, ValueError, "depth is 0; give at least 1"),
        ("small-cnn", {"side": 30}, ValueError, "side 30; give at least 2, 1, and a multiple of 4"),
    ],
)
def test_bad_names_and_sizes_are_refused_in_words(name, args, error, said):
    with pytest.raises(error, match=said):
        build(name, **args)


@pytest.mark.parametrize(("inputs", "depth"), [(2, 3), (5, 1)])
def test_the_gradient_of_an_mlp_by_hand_is_autograd_s(inputs, depth):
    net = build("mlp", inputs=inputs, width=8, depth=depth, gain=2.0, seed=3).double()
    x = randn(7, inputs, seed=4).requires_grad_()
    f, grad = slope(net, x)
    torch.testing.assert_close(f, net(x).detach())
    torch.testing.assert_close(grad, torch.autograd.grad(net(x).sum(), x)[0])
    assert not f.requires_grad and not grad.requires_grad


@pytest.mark.parametrize("other", [{"activation": "tanh"}, {"outputs": 3}])
def test_the_gradient_by_hand_refuses_a_net_whose_it_is_not(other):
    with pytest.raises(ValueError, match="give an mlp of one output whose activation is silu"):
        slope(build("mlp", **other), torch.zeros(2, 2))
