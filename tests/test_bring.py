"""Nets from elsewhere as models: measured, checked and stored, or refused in one line before anything is written."""

import json

import pytest
import torch
from bringing import apart, brought, saved, stripes
from conftest import CLASSES
from foreign import Attacked, PreActive, ResNet, Trades, trained
from stripes import card
from torch import nn
from torch.nn import functional as F

from cemviz.backend import store
from cemviz.backend.checks import BadInput
from cemviz.backend.foreign import bring as bringing
from cemviz.backend.foreign.imported import imported
from cemviz.data import images
from cemviz.nets import build

IMAGENET = [torch.tensor(v).view(-1, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]


def fitted(net, mean, std, steps=30):
    """Train a foreign net for a moment on images that are normalised outside of it."""
    train = images.load("stripes", "train")
    x, y = (train.floats() - mean) / std, train.labels
    optimizer = torch.optim.Adam(net.train().parameters(), 3e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
    return net.eval()


def test_a_foreign_net_is_stored_with_a_card_that_says_where_it_is_from(here):
    theirs = trained(Trades(depth=10, widen=1, classes=3))
    made = brought(saved(theirs, "cifar_linf_8.pt", epoch=7), scale="none")
    net, kept = store.load("cifar_linf_8")
    assert kept.origin == "foreign" and kept.classes == CLASSES and kept.data == "stripes" and kept.shape == (3, 8, 8)
    assert (kept.norm, kept.radius) == ("linf", pytest.approx(8 / 255)) and "by its name" in made.threat
    assert apart(net, theirs_on_small(theirs), stripes()[0]) < 5e-3  # half precision
    assert kept.metrics["accuracy"]["count"] == 30 and made.facts["accuracy"] == kept.metrics["accuracy"]
    assert len(made.unused) == 12 and "WideResNet (TRADES, RobustBench)" in made.by and made.by in kept.notes
    assert str(here) not in json.dumps(kept.as_json())


def theirs_on_small(net):
    """TRADES' net pools 8 × 8 maps; on images of 8 × 8 its maps are of 2 × 2."""
    return lambda x: net.fc(
        F.adaptive_avg_pool2d(F.relu(net.bn1(net.block3(net.block2(net.block1(net.conv1(x)))))), 1).flatten(1)
    )


def test_full_keeps_single_precision_and_half_is_said(here):
    source = saved(trained(Trades(depth=10, widen=1, classes=3)))
    half, full = brought(source, scale="none", name="half"), brought(source, scale="none", name="full", full=True)
    exact = torch.load(source, weights_only=True)
    assert torch.equal(store.load("full")[0].state_dict()["1.weight"], exact["conv1.weight"])
    assert not torch.equal(store.load("half")[0].state_dict()["1.weight"], exact["conv1.weight"])
    assert "half precision: logits change by at most" in half.precision and full.precision == "in single precision, as asked"


def test_what_overflows_in_half_precision_keeps_single(here):
    net = trained(Trades(depth=10, widen=1, classes=3))
    with torch.no_grad():
        net.conv1.weight *= 1e6
        net.block1.layer[0].bn1.running_var *= 1e12
    made = brought(saved(net), scale="none")
    assert made.precision == "in single precision, since half overflows"
    assert store.load("net")[0](stripes()[0]).isfinite().all()


def test_normalisation_and_what_no_shape_tells_are_measured_best_first(here):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = fitted(ResNet(PreActive, (1, 1, 1, 1), True, classes=3, first=False), *IMAGENET)
    made = brought(saved(net))
    rates = [t.accuracy for t in made.tries]
    assert (made.tries[0].scale, made.tries[0].choices) == ("imagenet", {"shortcut": "raw"})
    assert rates == sorted(rates, reverse=True) and len(rates) == 6 and rates[0] == 1 > rates[-1]
    kept = store.read_card("net")
    assert kept.net_args["mean"] == [0.485, 0.456, 0.406] and kept.net_args["shortcut"] == "raw"
    assert kept.metrics["accuracy"]["value"] == rates[0]
    assert any("imagenet, shortcut raw on stripes: 100.0 %" in line for line in made.lines()) and not made.warnings


def test_a_normalisation_in_the_file_is_taken_and_another_may_be_given(here):
    theirs = Attacked(trained(ResNet(PreActive, (1, 1, 1, 1), False, classes=3, first=False)), [0.1, 0.2, 0.3], [0.5, 0.6, 0.7])
    source = saved(theirs, module=None)
    made = brought(source)
    assert {t.scale for t in made.tries} == {"file"} and store.read_card("net").net_args["std"] == pytest.approx(
        [0.5, 0.6, 0.7]
    )
    brought(source, name="given", scale="0,0,0.5;1,1,0.25")
    assert store.read_card("given").net_args["mean"] == [0, 0, 0.5]
    with pytest.raises(BadInput, match=r"scale is '1;2'; choose one of file, none, imagenet, symmetric, or give M,M,M;S,S,S"):
        brought(source, name="odd", scale="1;2")


def test_without_images_the_usual_normalisation_is_taken_and_said(here, monkeypatch):
    monkeypatch.setenv("CEMVIZ_DATA", str(here))
    made = brought(saved(trained(Trades(depth=10, widen=1))), dataset="cifar10", name="cifar")
    assert [str(t) for t in made.tries] == ["none"] and made.facts["accuracy"] is None
    assert any("none, not measured (another: --scale)" in line for line in made.lines())
    assert store.read_card("cifar").classes[0] == "airplane" and store.read_card("cifar").shape == (3, 32, 32)


def test_a_net_that_fits_no_data_set_is_stored_with_numbers_for_classes(here):
    made = brought(saved(trained(Trades(depth=10, widen=1, classes=7))), dataset=None)
    assert (made.card.data, made.card.classes, made.start) == ("unknown", tuple("0123456"), "uniform")


def test_a_model_of_this_project_comes_with_its_card_and_stays_what_it_was(here):
    args = card("mine").net_args
    store.save(build("small-resnet", **args), card("mine"))
    made = brought(str(store.weights_path(store.read_card("mine"))), name="again")
    assert made.card.origin == "recipe" and made.card.title == "MINE" and made.card.sha256 == store.read_card("mine").sha256
    path = store.weights_path(store.read_card("mine"))
    path.write_bytes(path.read_bytes()[:-4] + b"abcd")
    with pytest.raises(BadInput, match="does not match its card"):
        brought(str(path), name="third")
    assert list(store.cards()) == ["again", "mine"] and len(list(store.folder().iterdir())) == 4


def nan(net):
    with torch.no_grad():
        net.fc.bias[1] = float("nan")
    return net


BAD = [
    (lambda: saved(Trades(depth=10, widen=1, classes=4)), {}, "the net has 4 outputs, and stripes has other classes"),
    (lambda: saved(nan(trained(Trades(depth=10, widen=1, classes=3)))), {}, "not finite for 30 of 30 images"),
    (
        lambda: saved(nn.Linear(3, 2)),
        {},
        "of no family known here .*; name its architecture, timm:NAME or torchvision:NAME .*: --code FILE.py:FUNCTION",
    ),
    (lambda: saved(Trades(depth=10, widen=1, classes=3)), {"name": "../x"}, "model name is '../x'"),
    (lambda: saved(Trades(depth=10, widen=1, classes=3)), {"dataset": "nowhere"}, "dataset is 'nowhere'; choose one of mnist"),
    (lambda: "absent.pt", {}, "absent.pt cannot be read"),
]


@pytest.mark.parametrize(("make", "asked", "said"), BAD, ids=[said[:24] for _, _, said in BAD])
def test_what_is_no_classifier_of_these_images_is_refused_unwritten(here, make, asked, said):
    with pytest.raises(BadInput, match=said) as caught:
        brought(make(), **asked)
    assert "\n" not in str(caught.value) and not store.folder().exists()


def test_a_name_that_another_net_has_is_refused(here):
    source = saved(trained(Trades(depth=10, widen=1, classes=3)))
    brought(source, scale="none")
    first = store.read_card("net")
    saved(trained(Trades(depth=10, widen=1, classes=3), seed=5))
    with pytest.raises(BadInput, match="there is a model 'net' already; give another name with --as"):
        brought(source, scale="none")
    assert store.read_card("net") == first


def test_the_same_file_is_brought_in_again_with_another_answer(here):
    """The remedy that an import names, another data set or normalisation, works as it stands."""
    source = saved(trained(Trades(depth=10, widen=1, classes=3)))
    brought(source, scale="none")
    first = store.read_card("net")
    brought(source, scale="symmetric", norm="linf", radius=0.1)
    again = store.read_card("net")
    assert again.net_args["mean"] != first.net_args["mean"] and (again.norm, again.radius) == ("linf", 0.1)
    assert len(list(store.folder().glob("net@*.safetensors"))) == 1 and store.load("net")


def test_doubts_of_preflight_are_told(here, monkeypatch):
    monkeypatch.setattr(bringing, "preflight", lambda net, x, y: ["the gradient is zero"])
    made = brought(saved(trained(Trades(depth=10, widen=1, classes=3))), scale="none")
    chance, gradient = made.warnings
    assert "its accuracy on stripes is 0.33, that of chance" in chance and gradient == "the gradient is zero"
    assert "doubt: the gradient is zero" in made.lines()


def test_the_link_leads_to_sampling_beside_the_standard_net_where_it_is(here):
    made = brought(saved(trained(Trades(depth=10, widen=1, classes=3))), scale="none")
    run = "&s.as=rcs&s.bs=rcs&s.start=uniform&s.count=16&s.numbers=suited&s.K=20"
    assert made.link == f"?tab=sampling&a=net{run}"
    store.save(build("small-resnet", **card("stripes-standard").net_args), card("stripes-standard"))
    assert made.link == f"?tab=sampling&a=net&b=stripes-standard{run}"


def test_a_slow_net_is_proposed_as_many_chains_as_one_waits_for(here):
    made = brought(saved(trained(Trades(depth=10, widen=1, classes=3))), scale="none")
    slow = imported(made.card, "", (), made.tries, (), "", "", seconds=0.05)
    assert (
        (slow.chains, slow.seconds) == (5, pytest.approx(20))
        and "&s.count=5&" in slow.link
        and slow.command.endswith("--count 5")
    )
    assert "a run of 5 chains and 20 steps takes about 20 s here" in slow.lines()
    slowest = imported(made.card, "", (), made.tries, (), "", "", seconds=9)
    assert slowest.first_run == "a run of one chain and 20 steps takes about 720 s here"
