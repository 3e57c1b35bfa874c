"""Nets from elsewhere whose architecture comes from code, a library or a program, and what is said where it is unknown."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from bringing import apart, brought, saved, stripes
from conftest import CLASSES
from foreign import Normalizer, trained
from torch import nn

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose
from cemviz.backend.foreign.reading import read
from cemviz.backend.foreign.sources import foreign
from cemviz.backend.requests import ImportRequest
from cemviz.backend.studio import Studio
from cemviz.data.datasets import DATASETS

CODE = """
from torch import nn
from beside import widths

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(widths, 3)

    def forward(self, x):
        h = self.conv(x).relu().flatten(1)
        return {"features": h, "logits": self.head(h)}

def broken():
    raise OSError("no disk")

def number():
    return 3
"""


@pytest.fixture
def code(here):
    (here / "own").mkdir()
    (here / "own" / "model.py").write_text(CODE)
    (here / "own" / "beside.py").write_text("widths = 144")
    theirs = nn.ModuleDict({"conv": nn.Conv2d(3, 4, 3), "head": nn.Linear(144, 3)})
    return theirs, saved(theirs, "net.pt", epoch=1)


def test_an_unknown_net_comes_with_its_code_and_needs_it_no_more(code, here):
    theirs, source = code
    made = brought(source, code="own/model.py:Net", scale="none")
    (here / "own" / "model.py").unlink()
    net, kept = store.load("net")
    assert kept.net == "graph" and made.by == "built by model.py:Net"
    assert apart(net, lambda x: theirs["head"](theirs["conv"](x).relu().flatten(1)), stripes()[0]) < 5e-3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("own/model.py:broken", r"model.py:broken fails \(OSError: no disk\)"),
        ("own/model.py:number", "returns a int; let it return a torch.nn.Module"),
        ("own/model.py:absent", r"model.py:absent fails \(AttributeError"),
        ("own/model.py", "give FILE.py:FUNCTION"),
        ("own/none.py:Net", "a file that is there"),
    ],
)
def test_code_that_builds_no_net_is_one_line(code, given, said):
    with pytest.raises(BadInput, match=said):
        brought(code[1], code=given)


def test_a_hosted_page_runs_no_code_of_a_visitor(code, here, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/space")
    (here / "own" / "model.py").write_text("import pathlib; pathlib.Path('ran.txt').touch()")
    with pytest.raises(BadInput, match="a hosted page runs no code of a visitor's"):
        brought(code[1], code="own/model.py:Net")
    assert not Path("ran.txt").exists()


def test_a_net_of_torchvision_comes_by_its_name(here):
    from torchvision import models

    with torch.random.fork_rng():
        theirs = trained(models.squeezenet1_1(weights=None, num_classes=3))
    made = brought(saved(theirs), arch="torchvision:squeezenet1_1", dataset=None, side=32, scale="imagenet", full=True)
    mean, std = (torch.tensor(made.card.net_args[k]).view(-1, 1, 1) for k in ("mean", "std"))
    x = torch.rand(2, 3, 32, 32)
    assert made.card.shape == (3, 32, 32) and apart(store.load("net")[0], lambda x: theirs((x - mean) / std), x) < 1e-4
    with pytest.raises(BadInput, match="arch is 'torchvision:resnet999'"):
        brought("net.pt", arch="torchvision:resnet999", name="other")
    with pytest.raises(BadInput, match="give timm:NAME or torchvision:NAME"):
        brought("net.pt", arch="resnet18", name="other")


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.slow
def test_a_net_of_torchvision_is_found_by_its_shapes(here, behind):
    from torchvision import models

    with torch.random.fork_rng():
        theirs = trained(models.mobilenet_v3_small(weights=None, num_classes=3))
    if behind:
        theirs = nn.Sequential(Normalizer([0.4] * 3, [0.2] * 3), theirs).eval()
    made = brought(saved(theirs), dataset=None, side=32, full=True, scale=None if behind else "none")
    assert made.by == "torchvision:mobilenet_v3_small, by the names and shapes of its tensors"
    assert apart(store.load("net")[0], theirs, torch.rand(2, 3, 32, 32)) < 1e-4


@pytest.mark.slow
def test_a_net_of_almost_torchvision_s_shapes_is_not_taken_for_one(here):
    from torchvision import models

    state = models.squeezenet1_1(weights=None, num_classes=3).state_dict()
    state["features.3.squeeze.weight"] = torch.zeros(8, 64, 1, 1)
    torch.save(state, "net.pt")
    with pytest.raises(BadInput, match="of no family known here"):
        brought("net.pt", side=32)


def test_a_net_of_timm_comes_by_its_name_with_its_normalisation(here):
    timm = pytest.importorskip("timm")
    with torch.random.fork_rng():
        theirs = trained(timm.create_model("test_resnet", num_classes=3))
    safetensors.torch.save_file(theirs.state_dict(), "net.safetensors")
    made = brought("net.safetensors", arch="timm:test_resnet", dataset=None, full=True)
    about = theirs.pretrained_cfg
    assert made.card.shape == tuple(about["input_size"]) and made.card.net_args["mean"] == pytest.approx(list(about["mean"]))
    x = torch.rand(2, *made.card.shape)
    mean, std = (torch.tensor(about[k]).view(-1, 1, 1) for k in ("mean", "std"))
    assert apart(store.load("net")[0], lambda x: theirs((x - mean) / std), x) < 1e-4


def test_a_program_is_stored_and_one_of_a_single_batch_size_refused(here):
    theirs = trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)))
    x = torch.rand(2, 3, 8, 8)
    torch.export.save(torch.export.export(theirs, (x,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)), "free.pt2")
    torch.export.save(torch.export.export(theirs, (x,)), "fixed.pt2")
    brought("free.pt2", full=True, scale="none")
    assert apart(store.load("free")[0], theirs, stripes()[0]) < 1e-5
    with pytest.raises(BadInput, match="exported for batches of 2 alone; export it with dynamic_shapes"):
        brought("fixed.pt2")


def test_who_has_weights_of_an_unknown_net_is_told_a_line_that_makes_a_file_which_is_read(here):
    net = trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Flatten(), nn.Linear(144, 3)))
    with pytest.raises(BadInput, match="of no family known here") as caught:
        brought(saved(net))
    line = re.search(r"torch\.export\.save\(.*'net\.pt2'\)", str(caught.value))[0]
    exec(line, {"torch": torch, "net": net, "x": torch.rand(4, 3, 8, 8)})
    brought("net.pt2", name="mine", full=True, scale="none")
    assert apart(store.load("mine")[0], net, stripes()[0]) < 1e-5


def test_a_hosted_page_names_no_way_that_it_refuses(here, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/space")
    with pytest.raises(BadInput, match="import it on your own machine") as caught:
        brought(saved(nn.Linear(3, 2)))
    assert "torch.export" not in str(caught.value) and "--code" not in str(caught.value)


def test_a_net_that_cannot_be_built_without_memory_is_told_another_way(here):
    torch.save({"fc.weight": torch.zeros(10, 440), "fc.bias": torch.zeros(10)}, "net.pt")
    with pytest.raises(BadInput, match=r"regnet_y_400mf cannot be built without memory, .*; save the net with its program"):
        brought("net.pt", arch="torchvision:regnet_y_400mf")


def test_a_net_with_the_classes_of_small_images_is_measured_on_them(here, monkeypatch):
    """A ResNet of torchvision is as often of CIFAR-10 as of ImageNet; here that has three classes."""
    from torchvision import models

    monkeypatch.setitem(DATASETS, "cifar10", replace(DATASETS["cifar10"], classes=CLASSES))
    for count, shape in ((3, (3, 32, 32)), (4, (3, 224, 224))):
        with torch.random.fork_rng():
            saved(models.resnet18(weights=None, num_classes=count))
        net = foreign(Studio(choose("cpu")), ImportRequest("net.pt"), read(Path("net.pt")))
        assert (net.outputs, net.shape) == (count, shape)
