"""Checks of a caller's input where it enters: by every entrance, with what to do; what is sound passes."""

import numpy as np
import pytest
import torch
from conftest import batchnorm_net, rand, seeded, toy_classifier
from torch import nn

from cemviz.attacks import ATTACKS, attack, perturb, threat
from cemviz.dynamics import Dynamics
from cemviz.energies import binary, joint
from cemviz.inputs import check_images, checked, row
from cemviz.metrics.preflight import preflight
from cemviz.metrics.robustness import accuracy, correct_under, curve
from cemviz.samplers import CEM_TABLE_5, SAMPLERS, Sampler, sample

NET, X, Y = toy_classifier(), rand(6, 1, 4, 4, seed=1), torch.arange(6) % 4
DYN = threat("pgd", "linf", 0.1, 2)


def reported(net, x, y):
    """`preflight` tells where the others raise."""
    faults = preflight(net, x, y)
    if faults:
        raise ValueError(faults[0])


ENTRANCES = {
    "sample": lambda net, x, y: sample("rcs", net, x, y, Dynamics(1, 0.1)),
    "sample, suited": lambda net, x, y: sample("cs", net, x, y),
    "attack": lambda net, x, y: attack("pgd", net, x, y, DYN),
    "perturb": lambda net, x, y: perturb("energy", net, x, y, DYN),
    "auto": lambda net, x, y: perturb("apgd", net, x, y, DYN),
    "accuracy": accuracy,
    "correct_under": lambda net, x, y: next(correct_under("fgsm", net, x, y, DYN)),
    "curve": lambda net, x, y: next(curve("fgsm", net, x, y, "l2", [0.1])),
    "preflight": reported,
}
everywhere = pytest.mark.parametrize("enter", ENTRANCES.values(), ids=ENTRANCES)

NAN = X.clone()
NAN[2, 0, 1, 1], NAN[4] = torch.nan, torch.inf

BAD_IMAGES = {
    "bytes": ((X * 255).byte(), r"are uint8; give floats in \[0, 1\]: x.float\(\) / 255"),
    "integers": ((X * 255).long(), r"are int64; .*x.float\(\) / 255"),
    "booleans": (X > 0.5, r"are bool; .*x.float\(\)$"),
    "0 to 255": (X * 255, r"pixels lie in \[.*, 2\d\d.*\]; give \[0, 1\]: divide by 255"),
    "16 bits": (X * 65535, "divide by 65535"),
    "-1 to 1": (2 * X - 1, r"pixels lie in \[-0\.\d+, 0\.\d+\]; give \[0, 1\]: from \[-1, 1\] take \(x \+ 1\) / 2"),
    "normalised": ((X - 0.1307) / 0.3081, "undo their normalisation, which belongs into the net's first layer"),
    "above by noise": (X + 0.2, r"clamp them: x.clamp\(0, 1\)"),
    "not finite": (NAN, r"2 of 6 images hold pixels that are not finite"),
    "one image": (X[0], r"shape \(1, 4, 4\); give \(B, C, H, W\); of one image take x\[None\]"),
    "flat": (X.flatten(1), r"shape \(6, 16\); give \(B, C, H, W\); unflatten"),
    "channels last": (rand(6, 8, 8, 3), r"channels last; give \(B, C, H, W\): x.permute\(0, 3, 1, 2\)"),
    "grey, channels last": (rand(6, 28, 28, 1), "channels last"),
    "empty": (X[:0], "the batch is empty; give at least 1 image"),
    "an array": (np.zeros((6, 1, 4, 4)), "images are a ndarray; give a float tensor"),
}


@everywhere
@pytest.mark.parametrize("bad", BAD_IMAGES)
def test_images_that_are_none_are_refused_everywhere_with_what_to_do(enter, bad):
    x, said = BAD_IMAGES[bad]
    with pytest.raises(ValueError, match=said):
        enter(NET, x, Y)


@everywhere
def test_rounding_at_the_edge_of_the_box_is_no_fault(enter):
    x = X.clone()
    x[0, 0, 0, 0], x[0, 0, 0, 1] = -4e-7, 1 + 4e-7
    enter(NET, x, NET(x).argmax(1))
    check_images(torch.full((1, 1, 2, 2), 1.0, dtype=torch.bfloat16))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 1, 28, 28), (3, 3, 32, 32), (2, 3, 3, 3), (5, 2, 3, 4), (2, 16, 4, 4)])
def test_shapes_of_images_pass(shape):
    check_images(rand(*shape))


def test_a_box_of_ones_own_is_the_box_that_images_are_held_to():
    x = 2 * X - 1
    own, none = Dynamics(1, 0.1, bounds=(-1.0, 1.0)), Dynamics.langevin(1, 0.01)
    list(sample("rcs", NET, x, Y, own)), list(sample("langevin", NET, 3 * x, None, none, generator=seeded()))
    with pytest.raises(ValueError, match=r"give \[-1, 1\]: clamp them, or change the bounds"):
        sample("rcs", NET, 3 * x, Y, own)
    with pytest.raises(ValueError, match="not finite"):
        sample("langevin", NET, NAN, None, none)


BAD_LABELS = {
    "too large": (Y + 2, r"label 5 is beyond the net's 4 classes; give labels from 0 to 3"),
    "one too large": (torch.tensor([0, 0, 0, 0, 0, 4]), "label 4 is beyond"),
    "negative": (Y - 1, "label -1 is below 0"),
    "floats": (Y.double(), r"labels are float64; give whole numbers: y.long\(\)"),
    "32 bits": (Y.int(), "labels are int32"),
    "one-hot": (nn.functional.one_hot(Y), r"labels have shape \(6, 4\); 6 images want \(6,\)"),
    "too few": (Y[:5], r"labels have shape \(5,\); 6 images want"),
    "a list": (Y.tolist(), "labels are a list; give a tensor"),
}


@everywhere
@pytest.mark.parametrize("bad", BAD_LABELS)
def test_labels_that_are_none_are_refused_everywhere(enter, bad):
    y, said = BAD_LABELS[bad]
    with pytest.raises(ValueError, match=said):
        [*(enter(NET, X, y) or ())]


def test_a_sampler_that_asks_for_no_class_looks_at_no_label():
    list(sample("langevin", NET, X, Y + 100, Dynamics(1, 0.1)))


class Answering(nn.Module):
    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, x):
        return self.change(NET(x))


BAD_OUTPUTS = {
    "a tuple": (lambda f: (f, f), r"returns a tuple; .*lambda x: net\(x\)\[0\]"),
    "a dict": (lambda f: {"logits": f, "z": f}, r"returns a dict; .*net\(x\)\['logits'\], or whichever of logits, z"),
    "one number each": (lambda f: f[:, 0], r"returns shape \(6,\) for 6 images; give \(6, classes\): of one logit d"),
    "one column": (
        lambda f: f[:, :1],
        r"one output, of which the cross-entropy is always 0; of a binary logit d give \[0, d\]",
    ),
    "positions": (lambda f: f[:, :, None], r"returns shape \(6, 4, 1\) for 6 images; .*flatten\(1\)"),
    "a mean": (lambda f: f.mean(0, keepdim=True), r"returns shape \(1, 4\) for 6 images; give \(6, classes\): one row"),
}


@everywhere
@pytest.mark.parametrize("bad", BAD_OUTPUTS)
def test_a_net_whose_answers_are_no_scores_is_told_how_to_give_some(enter, bad):
    change, said = BAD_OUTPUTS[bad]
    with pytest.raises(ValueError, match=said):
        [*(enter(Answering(change).eval(), X, Y * 0) or ())]


DEAF = {
    "another type": (NET, X.float(), r"are float32, the net's weights float64; give one type: x.to\(torch.float64\)"),
    "its method": (NET.forward, X.float(), "give one type"),
    "another size": (NET, rand(6, 1, 5, 5), r"does not take images of shape \(6, 1, 5, 5\) \(.+\); give the channels, size"),
    "a function": (lambda x: NET(x), X.float(), r"does not take images of shape .*type that it was trained on"),
    "another device": (toy_classifier().to("meta"), X, r"images are on cpu, the net on meta; move one of them: x.to\('meta'\)"),
}


@everywhere
@pytest.mark.parametrize("deaf", DEAF)
def test_images_that_a_net_does_not_take_are_told_from_those_it_does(enter, deaf):
    net, x, said = DEAF[deaf]
    with pytest.raises(ValueError, match=said):
        [*(enter(net, x, Y) or ())]


def too_large(x):
    raise torch.OutOfMemoryError("of 3 GiB")


def test_memory_that_is_out_is_no_fault_of_the_images():
    with pytest.raises(torch.OutOfMemoryError):
        checked(too_large)(X)


@pytest.mark.parametrize("enter", ["sample", "attack", "perturb", "auto"])
@pytest.mark.parametrize("net", [lambda x: NET(x).detach(), torch.no_grad()(NET.forward)], ids=["detached", "no_grad"])
def test_a_net_without_a_gradient_is_refused_where_one_is_followed(enter, net):
    with pytest.raises(ValueError, match=r"scores carry no gradient to the images; take .detach\(\), torch.no_grad\(\)"):
        [*(ENTRANCES[enter](net, X, Y) or ())]
    assert len(checked(net)(X)) == len(X)  # to measure its answers none is asked for


def test_a_binary_net_may_give_its_logit_alone():
    row_ = Sampler("Binary ascent", "binary", binary, None, CEM_TABLE_5, "thesis (2.8)", "Climbs the logit.")
    for net in (lambda x: x.flatten(1).sum(1), lambda x: x.flatten(1).sum(1, keepdim=True)):
        *_, last = sample(row_, net, X, dyn=Dynamics(2, 0.1))
        assert (last.energy < binary(net(X))).all()


TRAINED = {
    "batch norm": lambda: batchnorm_net(4),
    "dropout": lambda: nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.Dropout()).double(),
    "plain": lambda: toy_classifier().train(),
    "one layer of many": lambda: nn.Sequential(toy_classifier(), nn.BatchNorm1d(4).double().train()),
}


@everywhere
@pytest.mark.parametrize("net", TRAINED.values(), ids=TRAINED)
def test_a_net_in_train_mode_is_refused_and_left_as_it_was(enter, net):
    net = net()
    net.train() if net.training else None
    modes, state = [m.training for m in net.modules()], {k: v.clone() for k, v in net.state_dict().items()}
    x = rand(6, 1, 8, 8) if isinstance(net[0], nn.Conv2d) else X
    for scores in (net, net.forward):  # a method has the mode of its net
        with pytest.raises(ValueError, match=r"the net is in train mode.*call net.eval\(\)"):
            enter(scores, x, Y)
    assert [m.training for m in net.modules()] == modes
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())


@everywhere
def test_a_plain_function_has_no_mode_and_is_taken(enter):
    enter(lambda x: NET(x), X, NET(X).argmax(1))


# rows where names may stand ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "kind"), [(ATTACKS, type(ATTACKS["pgd"])), (SAMPLERS, Sampler)])
def test_a_row_is_itself_a_name_its_row_and_anything_else_one_clear_error(table, kind):
    first = next(iter(table))
    assert row(first, table, kind) is table[first] and row(table[first], {}, kind) is table[first]
    with pytest.raises(KeyError, match=f"no {kind.__name__.lower()} 'nuts'; choose one of {first}, "):
        row("nuts", table, kind)
    for wrong in (None, 3, joint):
        with pytest.raises(TypeError, match=f"give a row, {kind.__name__}\\(...\\), or one of {first}, "):
            row(wrong, table, kind)


def test_checked_scores_are_the_nets_own():
    assert torch.equal(checked(NET, Y)(X), NET(X))
