"""BatchNorm folded into convolutions: the same answers and gradients, on every shipped net, and fewer layers."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from cemviz.attacks import threat
from cemviz.backend import store
from cemviz.nets import build
from cemviz.nets.fold import Twin, fold, foldable
from cemviz.training.loop import Still
from cemviz.training.supervised import adversarial, consistent, trades

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


# the view of a net in training ---------------------------------------------------------------------------------------------


def trained(name="small-resnet", **args):
    """A net in train mode, and a step that changes its weights and statistics."""
    net = build(name, mean=MEAN, std=STD, outputs=5, width=8, **args).double().train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    g = torch.Generator().manual_seed(1)

    def step():
        x, y = torch.rand(8, 3, 16, 16, dtype=torch.float64, generator=g), torch.arange(8) % 5
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    return net, step


@pytest.mark.parametrize("args", [{}, {"norm": "double"}, {"norm": "none"}], ids=["batch", "double", "none"])
@pytest.mark.parametrize("name", ["small-resnet", "resnet18"])
def test_a_twin_sees_the_net_as_it_stands_after_every_step(name, args):
    net, step = trained(name, **args)
    twin, x = Twin(net), torch.rand(3, 3, 16, 16, dtype=torch.float64)
    for _ in range(3):
        step()
        view = twin()
        assert near(seen(view, x), seen(copy.deepcopy(net).eval(), x), 1e-12)
        assert all(module.training for module in net.modules()) and not any(module.training for module in view.modules())
        assert all(weight.requires_grad for weight in net.parameters()) and view is not net
    assert foldable(net) is (args == {}) and not any(weight.requires_grad for weight in view.parameters())


def test_a_convolution_with_a_bias_is_folded_with_it():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4)).double()
    lived(net)
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    assert near(seen(Twin(net)(), x), seen(net, x), 1e-12)


def test_attacks_see_a_folded_net_where_there_are_norms_and_else_the_net_in_eval_mode():
    still = Still()
    net, step = trained()
    with still(net) as first:
        assert not any(isinstance(module, nn.BatchNorm2d) for module in first.modules()) and net.training
    step()
    with still(net) as second:
        assert second is first, "one view for all steps"
    plain, _ = trained(norm="none")
    with still(plain) as view:
        assert view is plain and not any(module.training for module in plain.modules())
    assert all(module.training for module in plain.modules())


@pytest.mark.parametrize("make", [adversarial, partial(consistent, weight=0.1), trades], ids=["at", "at+cr", "trades"])
def test_the_attack_of_a_later_step_is_on_the_net_of_that_step(make):
    net, step = trained()
    batch = torch.rand(8, 3, 16, 16, dtype=torch.float64), torch.arange(8) % 5
    dyn, chance = threat("pgd", "l2", 2.0, 3), torch.Generator().manual_seed(0)
    goal = make(dyn, generator=chance)
    goal(net, batch, 0.0)
    step()
    again = torch.Generator().manual_seed(0)
    again.set_state(chance.get_state())
    now = copy.deepcopy(net)
    later, anew = goal(net, batch, 0.5), make(dyn, generator=again)(now, batch, 0.5)
    for name, term in later.items():
        assert term.item() == pytest.approx(anew[name].item(), rel=1e-9), name
