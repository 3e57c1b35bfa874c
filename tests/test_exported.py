"""Nets of any architecture as lists of operations: the same logits and gradients, nothing run but what computes."""

import json

import pytest
import torch
import torchvision
from conftest import rand
from foreign import trained
from torch import nn

from cemviz.nets import build
from cemviz.nets.exported import disassembled, scores, scripted, traced
from cemviz.nets.graph import MOST_NUMBERS

SHAPE = (1, 8, 8)


class Course(nn.Module):
    """A net as in a first course, with a dropout, a view and a second output."""

    def __init__(self, also=None):
        super().__init__()
        self.also = also
        self.conv, self.norm, self.drop = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)
        self.head = nn.Linear(36, 3)
        self.register_buffer("scale", torch.tensor([2.0, 1.0, 0.5]))

    def forward(self, x):
        h = torch.max_pool2d(torch.relu_(self.norm(self.conv(x))), 2)
        f = self.head(self.drop(h.view(x.size(0), -1))) * self.scale
        return f if self.also is None else self.also(f, h)


def course(also=None):
    with torch.random.fork_rng(devices=[]):
        return trained(Course(also))


def graph(made, shape=SHAPE, outputs=3):
    """Our net of a program that has been a file."""
    program, tensors = made
    program = json.dumps(program, allow_nan=False)
    net = build("graph", mean=[0.0] * shape[0], std=[1.0] * shape[0], outputs=outputs, program=program)
    net.load_state_dict(tensors, strict=False)
    return net.eval()


def slopes(net, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(net(x).square().sum(), x)[0]


def alike(ours, theirs, shape=SHAPE, count=5):
    for size in (count, 1):
        x = rand(size, *shape, seed=size, dtype=torch.float32)
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(slopes(ours, x), slopes(theirs, x), rtol=1e-4, atol=1e-5)


def test_a_traced_net_has_the_logits_and_gradients_of_its_source():
    theirs = course()
    alike(graph(traced(theirs, SHAPE)), theirs)


def test_it_runs_with_channels_last_where_a_view_would_not():
    theirs = course()
    ours = graph(traced(theirs, SHAPE)).to(memory_format=torch.channels_last)
    alike(ours, theirs)


def test_a_net_of_another_package_needs_it_no_more():
    with torch.random.fork_rng(devices=[]):
        theirs = trained(torchvision.models.squeezenet1_1(weights=None, num_classes=4))
    alike(graph(traced(theirs, (3, 32, 32)), (3, 32, 32), 4), theirs, (3, 32, 32), 2)


def test_a_net_of_timm_is_taken_apart_too():
    timm = pytest.importorskip("timm")
    with torch.random.fork_rng(devices=[]):
        theirs = trained(timm.create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, depth=1, num_classes=4))
    alike(graph(traced(theirs, (3, 32, 32)), (3, 32, 32), 4), theirs, (3, 32, 32), 2)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("script", [torch.jit.script, torch.jit.trace], ids=["script", "trace"])
def test_torchscript_is_taken_apart(script):
    theirs = trained(nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)))
    made = script(theirs) if script is torch.jit.script else script(theirs, torch.rand(2, *SHAPE))
    alike(graph(scripted(made, SHAPE)), theirs)


@pytest.mark.parametrize(
    "also",
    [lambda f, h: (f, h), lambda f, h: [h, f], lambda f, h: {"features": h, "logits": f}, lambda f, h: {"a": h, "b": f}],
    ids=["first", "first-of-two-dimensions", "logits", "by-shape"],
)
def test_a_tuple_or_a_dict_gives_its_logits(also):
    alike(graph(traced(course(also), SHAPE)), course())


def test_an_output_without_logits_is_refused():
    with pytest.raises(ValueError, match="returns a tuple without a tensor of logits"):
        scores((torch.zeros(2, 3, 4), None, torch.zeros(2, 1)))


def test_a_file_of_torch_export_gives_the_same_program():
    theirs = course()
    exported = torch.export.export(theirs, (torch.rand(2, *SHAPE),), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    alike(graph(disassembled(exported)), theirs)


def test_train_mode_is_refused_before_and_after_the_export():
    with pytest.raises(ValueError, match=r"in train mode: .* call net\.eval"):
        traced(course().train(), SHAPE)
    exported = torch.export.export(nn.Sequential(nn.Dropout(0.5), nn.Flatten()).train(), (torch.rand(2, *SHAPE),))
    with pytest.raises(ValueError, match=r"exported in train mode, .* export net\.eval"):
        disassembled(exported)


def test_code_that_no_tracer_can_follow_is_refused_in_one_line():
    class Odd(nn.Module):
        def forward(self, x):
            return x.flatten(1) if float(x.sum()) > 0 else x.flatten(1) * 2

    with pytest.raises(ValueError, match=r"torch\.export cannot follow the net") as caught:
        traced(Odd().eval(), SHAPE)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def program(*steps, result="%a", **tensors):
    return {"steps": list(steps), "result": result, "tensors": tensors}


X = {"of": "%x"}
BAD = [
    (program(["%a", "from_file.default", ["/etc/passwd"], {}]), "operation from_file.default, which is not among"),
    (program(["%a", "_cslt_compress.default", [X], {}]), "_cslt_compress.default, which is not among"),
    (program(["%a", "relu", [X], {}]), "the operation relu, which is not among"),
    (program(["%a", "relu.__class__", [X], {}]), "operation relu.__class__, which is not among"),
    (program(["%a", "relu.default", [{"of": "%b"}], {}]), "step %a uses '%b', which nothing before it makes"),
    (program(["%a", "relu.default", [X], {}], result="%b"), "no step '%b'"),
    (program(), "0 steps; give 1 to"),
    (program(["%a", "add_.Tensor", [{"of": "w"}, 1], {}], w=[[3], "float32", False]), "would change the weights w"),
    (program(["%a", "relu.default", [X], {}], w=[[3], "Tensor", False]), "dtype is 'Tensor'"),
    ({"steps": []}, "has steps, result and tensors"),
]


@pytest.mark.parametrize(("odd", "said"), BAD, ids=[said[:30] for _, said in BAD])
def test_a_program_that_does_anything_else_is_refused_before_it_is_run(odd, said):
    with pytest.raises(ValueError, match=said):
        build("graph", program=json.dumps(odd))


def test_a_step_that_would_fill_the_memory_is_refused_by_its_shape():
    huge = program(["%a", "repeat.default", [X, [1, 1, 10**5, 10**5]], {}])
    with pytest.raises(RuntimeError, match=rf"step %a would make .* numbers an image, {MOST_NUMBERS:,} at most"):
        build("graph", program=json.dumps(huge))(torch.rand(1, 3, 4, 4))


@pytest.mark.parametrize("args", [["a"], [X, "b"], [], [[X, X]], [{"of": "%x", "by": 1}]])
def test_arguments_of_another_type_are_one_line(args):
    net = build("graph", program=json.dumps(program(["%a", "softmax.int", args, {}])))
    with pytest.raises(RuntimeError) as caught:
        net(torch.rand(1, 3, 4, 4))
    assert len(str(caught.value)) < 1000
