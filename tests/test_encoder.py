"""Encoders: what their outputs are, the two BatchNorms, and the linear probe."""

import pytest
import torch
from conftest import draw_weights, rand
from torch.nn import functional as F

from cemviz.nets import build
from cemviz.nets.encoder import encoder, probed, trunk_of
from cemviz.nets.layers import DoubleNorm, through

X = rand(6, 1, 8, 8, dtype=torch.float32)
SMALL = {"width": 4, "depth": 1}


def made(**args):
    return build("encoder", seed=1, **{"projection": (8, 3)} | SMALL | args)


def test_inner_products_are_cosines_over_the_temperature():
    net = made(temperature=0.2).eval()
    v = net.head(net.trunk(X))
    z = net(X)
    torch.testing.assert_close(z @ z.T, F.cosine_similarity(v[:, None], v[None], dim=2) / 0.2)


def test_without_unit_length_and_temperature_f_is_the_papers_inner_product():
    net = made(temperature=1.0, unit=False).eval()
    torch.testing.assert_close(net(X), net.head(net.trunk(X)))


def test_the_trunk_can_be_read_for_the_head_and_is_the_same_without_a_head():
    net, bare = made().eval(), made(projection=()).eval()
    torch.testing.assert_close(net.of_trunk(X), F.normalize(net.trunk(X), dim=1) / 0.5**0.5)
    assert net.of_trunk(X).shape != net(X).shape
    torch.testing.assert_close(bare.of_trunk(X), bare(X))


def test_the_head_is_linear_relu_linear_of_the_asked_widths():
    assert [type(layer).__name__ for layer in made().head] == ["Linear", "ReLU", "Linear"]
    assert made()(X).shape == (6, 3)


@pytest.mark.parametrize(
    ("args", "error", "said"),
    [
        ({"trunk": "vit"}, KeyError, "trunk is 'vit'; choose one of small-resnet, resnet18"),
        ({"temperature": 0.0}, ValueError, r"τ \(temperature\) is 0.0; give a number above 0"),
        ({"temperature": float("nan")}, ValueError, "τ"),
        ({"projection": (8, 0)}, ValueError, r"projection is \[8, 0\]; give widths of at least 1"),
    ],
)
def test_bad_arguments_are_refused_in_words(args, error, said):
    with pytest.raises(error, match=said):
        encoder(**SMALL | args)


# two BatchNorms ----------------------------------------------------------------------------------------------------------


def statistics(net, branch):
    return [m.norms[branch].running_mean.clone() for m in net.modules() if isinstance(m, DoubleNorm)]


def test_an_input_moves_only_the_statistics_of_the_branch_it_goes_through():
    net = made(norm="double").train()
    old = {branch: statistics(net, branch) for branch in ("clean", "adversarial")}
    with through(net, "clean"):
        net(X)
    assert all(not torch.equal(a, b) for a, b in zip(old["clean"], statistics(net, "clean"), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(old["adversarial"], statistics(net, "adversarial"), strict=True))


def test_inputs_take_the_adversarial_branch_unless_told_and_it_comes_back():
    net = draw_weights(made(norm="double"), 2).train()
    with through(net, "clean"):
        net(X + 3)
    net.eval()
    plain = net(X)
    with through(net, "adversarial"):
        torch.testing.assert_close(net(X), plain)
    with pytest.raises(RuntimeError), through(net, "clean"):
        assert not torch.allclose(net(X), plain)
        raise RuntimeError
    torch.testing.assert_close(net(X), plain)


def test_a_net_without_double_norms_has_one_branch():
    net = made().eval()
    with through(net, "clean"):
        clean = net(X)
    torch.testing.assert_close(net(X), clean)


# the probe ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["batch", "double"])
def test_a_probe_reads_the_trunk_and_only_its_last_layer_learns(norm):
    net_args = {"mean": (0.2,), "std": (0.5,), "projection": (8, 3), "temperature": 0.2, "norm": norm, **SMALL}
    trained = build("encoder", seed=3, **net_args).train()
    trained(X)  # statistics of its own
    trunk, args = trunk_of(net_args)
    assert trunk == "small-resnet" and args == {"norm": norm, **SMALL}
    net = probed(trained, build(trunk, seed=4, mean=(0.2,), std=(0.5,), outputs=5, **args).train())
    torch.testing.assert_close(net(X), net[-1](trained.eval().trunk(X)))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    F.cross_entropy(net(X), torch.arange(6) % 5).backward()
    assert all(p.grad is None for p in net[:-1].parameters()) and all(p.grad is not None for p in net[-1].parameters())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())  # no statistic moved in train mode


def test_the_trunk_of_a_named_one_is_its_own():
    assert trunk_of({"trunk": "resnet18", "width": 4, "mean": [0.5], "unit": False}) == ("resnet18", {"width": 4})
