"""Benchmarks against the two usual libraries of attacks, where they are installed: the same steps on the same net, as ratios.

Both sides take K gradient steps of one length inside the same L2 ball from a random start, on the same stored net: ours as
the studio keeps it, with its norms folded into the convolutions, theirs as its file has it. Neither library has RCS: there
their targeted PGD, which takes one gradient a step too, stands for it.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from ..attacks import perturb, threat
from ..dynamics import settle
from ..energies import on, reinforced
from ..samplers import suited
from . import store
from .bench import Bench, Work
from .checks import BadInput
from .device import Device
from .studio import Studio

Peer = Callable[[nn.Module, Tensor, Tensor, float, float, int, bool], Tensor]
"""(net, images, labels, radius, step, steps, towards the labels) -> images that a library found."""

LIMIT = 0.7
BATCH, STEPS = 16, 10
MODELS = ("mnist-at", "cifar10-at")


def torchattacks(net: nn.Module, x: Tensor, y: Tensor, radius: float, step: float, steps: int, towards: bool) -> Tensor:
    """PGD in L2 of torchattacks."""
    from torchattacks import PGDL2

    attack = PGDL2(net, eps=radius, alpha=step, steps=steps)
    if towards:
        attack.set_mode_targeted_by_label(quiet=True)
    return attack(x, y)


def foolbox(net: nn.Module, x: Tensor, y: Tensor, radius: float, step: float, steps: int, towards: bool) -> Tensor:
    """PGD in L2 of foolbox, without the passes that tell whether it succeeded."""
    from foolbox import PyTorchModel
    from foolbox.attacks import L2ProjectedGradientDescentAttack
    from foolbox.criteria import Misclassification, TargetedMisclassification

    attack = L2ProjectedGradientDescentAttack(abs_stepsize=step, steps=steps)
    criterion = (TargetedMisclassification if towards else Misclassification)(y)
    return attack.run(PyTorchModel(net, bounds=(0, 1), device=x.device), x, criterion, epsilon=radius)


PEERS: dict[str, Peer] = {"torchattacks": torchattacks, "foolbox": foolbox}


def beside(peer: Peer, model: str, sampling: bool, device: Device) -> tuple[Work, Work]:
    """Work of ours and of a peer: RCS from noise, or PGD within the model's threat model."""
    ours, card = Studio(device).model(model)
    theirs = store.load(model, device.torch)[0].to(memory_format=torch.contiguous_format)  # torchattacks takes no other
    x = torch.rand(BATCH, *card.shape, device=device.torch, generator=device.generator(0))
    y = torch.arange(BATCH, device=device.torch) % len(card.classes)
    generator = device.generator(1)
    chain, dyn = replace(suited("rcs", card.shape), steps=STEPS), threat("pgd", card.norm, card.radius, STEPS)

    def work() -> Tensor:
        if sampling:
            return settle(on(ours, reinforced, y), x, chain, generator=generator)
        return perturb("pgd", ours, x, y, dyn, generator=generator)

    numbers = (chain.radius, chain.step, chain.steps) if sampling else (dyn.radius, dyn.step, dyn.steps)
    return work, partial(peer, theirs, x, y, *numbers, sampling)


def rows() -> dict[str, Bench]:
    """A row for each library that is here, model and kind of work.

    Raises:
        BadInput: neither library is installed.
    """
    installed = {name: peer for name, peer in PEERS.items() if find_spec(name)}
    if not installed:
        raise BadInput("name", "peers needs one of torchattacks and foolbox; run: pip install torchattacks foolbox")
    return {
        f"{'rcs' if sampling else 'pgd'} {model} {name}": Bench(
            f"{'RCS' if sampling else 'PGD'} on {model} against {'targeted ' * sampling}PGD of {name}", LIMIT,
            partial(beside, peer, model, sampling),
        )
        for model in MODELS
        for sampling in (False, True)
        for name, peer in installed.items()
    }  # fmt: skip
