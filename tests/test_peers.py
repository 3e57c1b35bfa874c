"""The benchmark against other libraries: both sides take the same steps in the same ball, and no library is a clear line."""

import pytest
import torch

from cemviz.attacks import perturb, threat
from cemviz.backend import peers, store
from cemviz.backend.checks import BadInput
from cemviz.backend.device import choose

CPU = choose("cpu")


@pytest.fixture
def gradients(monkeypatch):
    """Gradients that are taken, of any library."""
    taken, graph, backward = [], torch.autograd.grad, torch.Tensor.backward
    monkeypatch.setattr(torch.autograd, "grad", lambda *args, **kwargs: taken.append(1) or graph(*args, **kwargs))
    monkeypatch.setattr(torch.Tensor, "backward", lambda *args, **kwargs: taken.append(1) or backward(*args, **kwargs))
    return taken


def test_no_library_is_one_line_with_what_to_install(monkeypatch):
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match="run: pip install torchattacks foolbox"):
        peers.rows()


def test_there_is_a_row_for_each_model_work_and_library_that_is_here(monkeypatch):
    monkeypatch.setattr(peers, "find_spec", lambda name: name == "foolbox")
    assert list(peers.rows()) == [f"{work} {model} foolbox" for model in peers.MODELS for work in ("pgd", "rcs")]


@pytest.mark.parametrize("sampling", [False, True], ids=["pgd", "rcs"])
def test_ours_takes_k_gradients_and_a_peer_gets_the_same_numbers_and_net(gradients, sampling):
    given = []
    work, theirs = peers.beside(lambda *args: given.append(args), "mnist-at", sampling, CPU)
    work(), theirs()
    assert len(gradients) == peers.STEPS
    ((net, x, y, radius, step, steps, towards),) = given
    assert (steps, towards, x.shape, len(y)) == (peers.STEPS, sampling, (peers.BATCH, 1, 28, 28), peers.BATCH)
    assert (radius, step) == ((6.0, 0.5) if sampling else (2.0, threat("pgd", "l2", 2.0, peers.STEPS).step))
    assert torch.allclose(net(x), store.load("mnist-at")[0](x), atol=1e-4)
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())  # as its file has it


@pytest.mark.parametrize("name", peers.PEERS)
@pytest.mark.parametrize("sampling", [False, True], ids=["pgd", "rcs"])
def test_a_peer_that_is_here_takes_k_gradients_and_stays_in_the_ball(gradients, name, sampling):
    pytest.importorskip(name)
    _, theirs = peers.beside(peers.PEERS[name], "mnist-at", sampling, CPU)
    found, x = theirs(), theirs.args[1]
    assert len(gradients) == peers.STEPS
    assert (found - x).flatten(1).norm(dim=1).max() <= (6.0 if sampling else 2.0) + 1e-4


def test_torchattacks_finds_what_pgd_finds_from_the_same_start():
    torchattacks = pytest.importorskip("torchattacks")
    net, card = store.load("mnist-at")
    net = net.to(memory_format=torch.contiguous_format)
    x, y = torch.rand(8, *card.shape, generator=torch.Generator().manual_seed(0)), torch.arange(8)
    dyn = threat("pgd", "l2", 2.0, 10)
    ours = perturb("pgd", net, x, y, dyn, generator=torch.Generator().manual_seed(1))
    theirs = torchattacks.PGDL2(net, eps=2.0, alpha=dyn.step, steps=10)(x, y)
    with torch.no_grad():
        ends = [torch.nn.functional.cross_entropy(net(at), y).item() for at in (ours, theirs)]
    assert ends[0] == pytest.approx(ends[1], rel=0.02)
