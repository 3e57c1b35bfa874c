"""BatchNorm folded into convolutions: the same answers and gradients, on every shipped net, and fewer layers."""

import pytest
import torch
from torch import nn

from cemviz.backend import store
from cemviz.nets import build
from cemviz.nets.fold import fold

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.25)


def lived(net):
    """A net whose norms have seen data and whose scales are not one."""
    g = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.running_mean, -1, 1), (module.running_var, 0.2, 3), (module.weight, -2, 2), (module.bias, -1, 1)
            ):  # fmt: skip
                tensor.data.uniform_(low, high, generator=g)
    return net.eval()


def seen(net, x):
    x = x.clone().requires_grad_()
    f = net(x)
    (slope,) = torch.autograd.grad(f.square().sum(), x)
    return f.detach(), slope


def near(one, other, tolerance=1e-5):
    return all((a - b).abs().max() <= tolerance * b.abs().max() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", ["small-resnet", "resnet18", "resnet50", "wide-resnet"])
def test_a_folded_net_answers_as_before(name):
    torch.manual_seed(0)
    sized = {"depth": 10, "widen": 1} if name == "wide-resnet" else {"width": 8}
    net = lived(build(name, mean=MEAN, std=STD, outputs=5, **sized).double())
    x = torch.rand(3, 3, 32, 32, dtype=torch.float64)
    before, norms = seen(net, x), sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    assert fold(net) is net and near(seen(net, x), before, 1e-12)
    left = sum(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    assert left < norms and (left == 0 or name == "wide-resnet"), "one that stands before its convolution stays"


def test_a_net_in_train_mode_is_refused_and_a_folded_one_is_frozen():
    net = build("small-resnet", mean=MEAN, std=STD, outputs=5, width=8)
    with pytest.raises(ValueError, match="train mode"):
        fold(net.train())
    assert not any(weight.requires_grad for weight in fold(lived(net)).parameters())
    assert not any(module.training for module in net.modules()), "what is put in the place of a norm, too"


def test_double_norms_and_those_without_statistics_stay():
    net = lived(build("small-resnet", mean=MEAN, std=STD, outputs=5, width=8, norm="double"))
    kinds = [type(module) for module in net.modules()]
    assert [type(module) for module in fold(net).modules()] == kinds
    bare = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)).eval()
    assert isinstance(fold(bare)[1], nn.BatchNorm2d)


def test_every_shipped_net_answers_as_before(shipped):
    g = torch.Generator().manual_seed(0)
    for name in store.cards():
        net, card = store.load(name)
        x = torch.rand(4, *card.shape, generator=g)
        before = net(x)
        assert near([fold(net)(x)], [before]), name
