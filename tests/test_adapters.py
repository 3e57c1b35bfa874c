"""Foreign nets: each family, built as its project builds it, gives its own logits once it is one of ours."""

import pytest
import torch
import torchvision
from conftest import rand
from foreign import Attacked, Basic, Deep, Gowal, Jem, PreActive, ResNet, Trades, trained
from torch import nn

from cemviz.nets import NETS, build
from cemviz.nets.adapters import Unrecognised, recognise, weights

MEAN, STD = [0.49, 0.48, 0.45], [0.25, 0.24, 0.26]
PLAIN = {"mean": [0.0] * 3, "std": [1.0] * 3}


def tv(name, **how):
    return getattr(torchvision.models, name)(weights=None, num_classes=7, **how)


FOREIGN = {
    "robustness": (lambda: ResNet(Deep, (3, 4, 6, 3), "shortcut"), "robustness", {"block": "bottleneck", "stem": 3}),
    "robustness-18": (lambda: ResNet(Basic, (2, 2, 2, 2), "shortcut", width=6, classes=3), "robustness", {"width": 6}),
    "preact-raw": (lambda: ResNet(PreActive, (2, 2, 2, 2), True, first=False), "preact-resnet", {"shortcut": "raw"}),
    "preact-last": (lambda: ResNet(PreActive, (2, 2, 2, 2), False, first=False, last=True), "preact-resnet", {"last": True}),
    "trades": (Trades, "trades", {"depth": 16, "widen": 2}),
    "gowal": (Gowal, "gowal", {"pads": "after", "activation": "silu"}),
    "jem": (lambda: Jem(22, 1, 5), "jem", {"depth": 22, "outputs": 5, "shortcut": "raw", "halves": "second"}),
    "jem-wide": (Jem, "jem", {"depth": 16, "widen": 2, "norm": "none"}),
    "torchvision-18": (lambda: tv("resnet18", width_per_group=64), "torchvision", {"stem": 7, "pool": True, "outputs": 7}),
    "torchvision-50": (lambda: tv("resnet50"), "torchvision", {"block": "bottleneck", "repeats": [3, 4, 6, 3]}),
}


def ours(recognised, **choices):
    match = recognised.match
    mean, std = recognised.normalisation or (PLAIN["mean"][: recognised.channels], PLAIN["std"][: recognised.channels])
    args = match.args | {key: values[0] for key, values in match.open.items()} | choices
    net = build(match.net, **args, mean=mean, std=std)
    net.load_state_dict(recognised.state, strict=False)
    return net.eval()


def apart(a, b, x):
    """Largest difference of logits in units of their size."""
    with torch.no_grad():
        f, g = a(x), b(x)
    return ((f - g).abs().max() / f.abs().max()).item()


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_net_gives_its_own_logits_as_one_of_ours(name):
    make, family, known = FOREIGN[name]
    theirs = trained(make())
    recognised = recognise(theirs.state_dict())
    args = recognised.match.args
    chosen = {k: v for k, v in known.items() if k in recognised.match.open}
    assert recognised.family == family and {k: args[k] for k in known if k in args} == {k: known[k] for k in known if k in args}
    x = rand(2, 3, 32, 32, dtype=torch.float32)
    assert apart(theirs, ours(recognised, **chosen), x) < 1e-5


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("jem", {"shortcut": "active"}), ("jem", {"halves": "first"}), ("gowal", {"pads": "around"}), ("preact-raw", {})],
)
def test_shapes_prove_nothing_the_other_variant_fits_and_says_other_things(name, wrong):
    theirs = trained(FOREIGN[name][0]())
    x = rand(2, 3, 32, 32, dtype=torch.float32)
    assert apart(theirs, ours(recognise(theirs.state_dict()), **wrong), x) > 0.05


def test_what_no_shape_tells_is_left_open_and_the_usual_stands_first():
    preact = recognise(trained(FOREIGN["preact-last"][0]()).state_dict())
    assert preact.match.open == {"shortcut": ("active", "raw")}
    assert recognise(FOREIGN["gowal"][0]().state_dict()).match.open == {"activation": ("silu", "relu")}


def test_wrappers_copies_and_the_normalisation_are_taken_off():
    theirs = trained(ResNet(Basic, (1, 1, 1, 1), "shortcut"))
    file = {"model": nn.DataParallel(Attacked(theirs, MEAN, STD)).state_dict(), "epoch": 3, "optimizer": {"state": {}}}
    recognised = recognise(weights(file))
    mean, std = recognised.normalisation
    assert mean == pytest.approx(MEAN) and std == pytest.approx(STD)
    assert all(name.startswith("module.attacker.") for name in recognised.unused) and recognised.unused
    x = rand(2, 3, 32, 32, dtype=torch.float32)
    assert apart(Attacked(theirs, MEAN, STD), ours(recognised), x) < 1e-5
    compiled = {f"_orig_mod.module.{k}": v for k, v in theirs.state_dict().items()}
    assert recognise(weights({"state_dict": compiled})).unused == ()


class Mu(nn.Module):
    """A layer that normalises, by the names of TRADES' and AutoAttack's examples."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mu", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("sigma", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, x):
        return (x - self.mu) / self.sigma


class Held(nn.Module):
    """A net under a name of somebody's own, behind a layer of such a name."""

    def __init__(self, net, layer) -> None:
        super().__init__()
        self.norm_layer, self.backbone = layer, net

    def forward(self, x):
        return self.backbone(self.norm_layer(x))


@pytest.mark.parametrize("name", ["robustness-18", "trades", "jem", "torchvision-18"])
@pytest.mark.parametrize("around", [nn.Sequential, lambda layer, net: Held(net, layer)])
def test_a_net_behind_a_layer_that_normalises_is_recognised_whatever_their_names(name, around):
    make, family, known = FOREIGN[name]
    net = trained(make())
    theirs = around(Mu(), net).eval()
    recognised = recognise(nn.DataParallel(theirs).state_dict())
    assert recognised.family == family
    assert recognised.normalisation == (pytest.approx(MEAN), pytest.approx(STD))
    assert set(recognised.unused) == set(recognise(net.state_dict()).unused)
    chosen = {k: v for k, v in known.items() if k in recognised.match.open}
    assert apart(theirs, ours(recognised, **chosen), rand(2, 3, 32, 32, dtype=torch.float32)) < 1e-5


def test_a_net_behind_a_layer_without_tensors_is_recognised():
    theirs = trained(nn.Sequential(nn.Identity(), trained(Trades())))
    recognised = recognise(theirs.state_dict())
    assert recognised.family == "trades" and recognised.normalisation is None
    assert apart(theirs, ours(recognised), rand(2, 3, 32, 32, dtype=torch.float32)) < 1e-5


def test_unused_tensors_are_listed():
    state = recognise(Trades().state_dict())
    assert state.unused and all(name.startswith("sub_block1.layer.") for name in state.unused)
    jem = recognise(weights({"model_state_dict": Jem().state_dict(), "replay_buffer": torch.zeros(2, 3, 4, 4)}))
    assert set(jem.unused) == {"energy_output.weight", "energy_output.bias", "f.linear.weight", "f.linear.bias"}


def test_an_old_file_without_counters_of_batches_is_whole():
    theirs = trained(Trades())
    old = {k: v for k, v in theirs.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert apart(theirs, ours(recognise(old)), rand(2, 3, 32, 32, dtype=torch.float32)) < 1e-5


OWN = {
    "small-cnn": {"width": 8, "hidden": 16, "side": 8},
    "small-resnet": {"width": 4, "activation": "silu", "norm": "none"},
    "small-resnet-flat": {"width": 4, "depth": 1, "flat": 4},
    "resnet18": {"width": 4, "outputs": 3},
    "resnet50": {"width": 4, "norm": "double"},
    "resnet": {"width": 4, "stem": 7, "pool": True, "block": "pre-activated", "shortcut": "raw", "last": False},
    "wide-resnet": {"depth": 16, "widen": 2, "activation": "leaky"},
}


@pytest.mark.parametrize("name", OWN)
def test_a_net_of_this_project_is_recognised_without_its_card(name):
    args, grey = OWN[name], name.startswith("small")
    net = trained(build(name.removesuffix("-flat"), **args, mean=[0.1] if grey else MEAN, std=[0.3] if grey else STD))
    recognised = recognise(net.state_dict())
    assert recognised.family == "cemviz" and not recognised.unused
    chosen = {k: v for k, v in args.items() if k in recognised.match.open}
    assert all(v in recognised.match.open[k] for k, v in chosen.items())
    x = rand(2, 1 if grey else 3, *((8, 8) if grey else (32, 32)), dtype=torch.float32)
    assert apart(net, ours(recognised, **chosen), x) < 1e-6


def without(name):
    state = Trades().state_dict()
    del state[name]
    return state


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"a.weight": torch.zeros(3)}, "its tensors .a.weight. are of no family known here .robustness, torchvision"),
        (without("block2.layer.0.bn2.bias"), "looks like a WideResNet .TRADES.*but block2.layer.0.bn2.bias is missing"),
        (Trades().state_dict() | {"fc.bias": torch.zeros(9)}, r"but fc.bias has shape \[9\], not \[10\]"),
        (Trades().state_dict() | {"conv1.bias": torch.zeros(16)}, "but conv1.bias has no place in it"),
        (tv("wide_resnet50_2").state_dict(), r"like a ResNet of torchvision, but layer1.0.conv1.weight has shape \[128"),
    ],
)
def test_what_is_of_no_family_is_refused_by_what_it_looks_like(state, said):
    with pytest.raises(Unrecognised, match=said) as caught:
        recognise(state)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize("content", [{}, [torch.zeros(2)], {"state_dict": {}}, {"epoch": 3}, torch.zeros(3)])
def test_a_file_without_named_tensors_is_refused(content):
    with pytest.raises(Unrecognised, match=r"without named tensors; save net\.state_dict"):
        weights(content)


def test_every_family_s_net_is_one_of_ours():
    for name in FOREIGN:
        assert recognise(FOREIGN[name][0]().state_dict()).match.net in NETS


def test_a_state_that_holds_itself_ends():
    state = {"a.weight": torch.zeros(2)}
    state["state_dict"] = state
    assert weights(state).keys() == {"a.weight"}


@pytest.mark.parametrize(
    "state",
    [
        {f"{10**20}.weight": torch.zeros(2, 3), "1.weight": torch.zeros(4, 3, 3, 3)},
        {"²e.weight": torch.zeros(2), "1.weight": torch.zeros(4, 3, 3, 3)},
        {"1.weight": torch.zeros(4, 3, 3, 3), "9.weight": torch.zeros(2), "2.body.0.weight": torch.zeros(4, 4, 3, 3)},
        {"1.weight": torch.zeros(0, 0, 0, 0), "9.weight": torch.zeros(0, 0), "2.body.0.weight": torch.zeros(0)},
        {"conv1.weight": torch.zeros(2), "layer1.0.conv1.weight": torch.zeros(2), "fc.weight": torch.zeros(())},
        {"block1.layer.0.conv1.weight": torch.zeros(()), "fc.weight": torch.zeros(3), "conv1.weight": torch.zeros(1)},
    ],
)  # fmt: skip
def test_tensors_of_odd_names_and_shapes_are_no_net_in_one_line(state):
    with pytest.raises(Unrecognised) as caught:
        recognise(state)
    assert "\n" not in str(caught.value)
