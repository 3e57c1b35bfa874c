"""Parts that a run trains with: images, the net, the objective and the probe that looks at both."""

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ...attacks import threat
from ...data import images
from ...data.datasets import Dataset, dataset
from ...data.views import View
from ...mixtures import parts, sets
from ...nets import build
from ...nets.encoder import Encoder, probed, trunk_of
from ...starts import Source, fit
from ...training import loop
from ...training.binary_probe import BinaryProbe
from ...training.pair_probe import PairProbe
from ...training.precision import Mixed
from ...training.probes import Probe
from ...training.recipe import Recipe, objective
from .. import kinds, store
from ..checks import BadInput, article
from ..device import Device
from ..p0 import mixture
from ..stored.fields import check_net
from .plan import Plan
from .team import Team

Draw = Callable[[int, torch.Generator | None], Tensor]
"""(count, generator) -> images, (count, C, H, W) in [0, 1]."""

HELD = 100
"""Test images of a probe's accuracies."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that a run needs and that its saved state does not hold.

    Attributes:
        row: of the recipe; of a linear probe, with its encoder's trunk for the net.
        net, net_args: in train mode, and what made it.
        images: of the training split.
        source: the same, with their shape and, for a binary net, its p0.
        unseen: a few images that training does not see.
        held_out: images of the validation split, on which a model of this kind is finished, or None.
        encoder: hash of the weights of the encoder that a linear probe reads, or "".
    """

    row: Recipe
    net: nn.Module
    net_args: dict[str, Any]
    images: images.Images
    source: Source
    unseen: images.Images
    held_out: images.Images | None = None
    encoder: str = ""

    def objective(self, draws: torch.Generator, dtype: torch.dtype | None) -> loop.Objective:
        """Objective that is minimised, drawing from `draws`."""
        goal = objective(self.row, self.source, draws)
        return goal if dtype is None else Mixed(goal, dtype)

    def finished(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weights that are stored of those that training ends with: what a kind learns afterwards is set in them."""
        finish = kinds.KINDS[self.row.kind].finish
        if finish is None:
            return weights
        net = copy.deepcopy(self.net).eval()
        net.load_state_dict(weights)
        finish(net, self.held_out)
        return net.state_dict()

    def batches(self, seed: int, start: int, views: torch.Generator) -> Any:
        """Endless batches from this update on, of the whole team."""
        view = dataset(self.row.data).views
        return images.batches(self.images, self.row.batch, seed=seed, start=start, view=view, generator=views)


def prepare(plan: Plan, team: Team) -> Prepared:
    """Load the images and build the net.

    Raises:
        DataMissing: the training images are not here.
        BadInput: an encoder that is none, or a loss that several processes cannot share.
    """
    row, data = plan.row, dataset(plan.row.data)
    with team.in_turn():
        where: dict[str, Any] = {
            "data": plan.request.data, "device": team.device.torch, "download": plan.request.download,
        }  # fmt: skip
        train = images.load(row.data, row.split, **where)
        test = _unseen(train, where)
        held_out = images.load(row.data, "validation", **where) if kinds.KINDS[row.kind].finish else None
    if row.images is not None:
        train = train.first(row.images)
    if team.leads:
        for caution in train.cautions():
            warnings.warn(caution, stacklevel=2)
    trained, sha256 = None, ""
    if row.encoder is not None:
        trained, row, sha256 = _encoder(row, team.device)
    source = _source(row, train, where)
    net_args = row.net_args | statistics(data, train)
    if kinds.KINDS[row.kind].classifies:  # else its own arguments decide
        net_args["outputs"] = len(train.classes)
    if not kinds.KINDS[row.kind].shared:
        _whole(team)
    try:
        check_net(row.net, net_args)
    except store.BrokenCheckpoint as error:
        raise BadInput("net_args", str(error)) from None
    net = team.device.place(build(row.net, seed=plan.request.seed, **net_args)).train()
    if trained is not None:
        probed(trained, net)
    return Prepared(row, net, net_args, train, source, test.first(HELD), held_out, sha256)


def _unseen(train: images.Images, where: dict[str, Any]) -> images.Images:
    """The test images; where they are missing it is said before the work, not after it."""
    if dataset(train.name).torchvision and not images.available(train.name, "test", data=where["data"]):
        warnings.warn(
            f"{train.name} has no test split on this machine: probes look at training images, and nothing is measured",
            stacklevel=3,
        )
        return train
    return images.load(train.name, "test", classes=train.classes, **where)


def _source(row: Recipe, train: images.Images, where: dict[str, Any]) -> Source:
    """Images of training with their shape and, for a binary net, its p0: its Gaussians are the seeds that ship, or are fitted.

    Raises:
        BadInput: images of p0 are not here.
    """
    shape = tuple(train.pixels.shape[1:])
    if not row.p0:
        return Source(shape, images=train.pixels)
    seeds = store.load_gaussians(row.data, where["device"])
    if seeds is None and {"gaussian", "class-gaussian"} & {part.name for part in parts(row.p0)}:
        seeds = fit(train.floats(), train.labels, len(train.classes), dataset(row.data).rank)

    def pixels(name: str, split: str) -> Tensor | None:
        if not images.available(name, split, data=where["data"]) and not where["download"]:
            return None
        return images.load(name, split, **where).pixels

    source = Source(shape, seeds, train.pixels)
    density = mixture(row.p0, source, pixels)
    if density is None:
        missing = ", ".join(f"{name} ({dataset(name).outside})" for name in sets(row.p0))
        raise BadInput("p0", f"p0 is {row.p0!r}; not all of its images are on this machine: {missing} (see README, Data)")
    return replace(source, p0=viewed(density, dataset(row.data).views))


def viewed(p0: Draw, view: View) -> Draw:
    """p0 in the views that training has of the data: else a net that is to tell them apart tells the views from none.

    Shifted images of CIFAR-10 are black along an edge, and where p0's are not, D says how black an edge is.
    """
    return lambda count, generator=None: view(p0(count, generator), generator)


def statistics(data: Dataset, train: images.Images) -> dict[str, Any]:
    """Arguments of a net that come from its data: channel means and deviations."""
    if data.mean:
        mean, std = data.mean, data.std
    else:
        x = train.floats()
        mean, std = x.mean((0, 2, 3)).tolist(), x.std((0, 2, 3)).tolist()
    return {"mean": list(mean), "std": list(std)}


def _encoder(row: Recipe, device: Device) -> tuple[Encoder, Recipe, str]:
    """The stored encoder that a linear probe reads, the probe's row with that encoder's trunk for its net, and its hash."""
    try:
        net, card = store.load(row.encoder, device.torch)
    except KeyError as error:
        raise BadInput(
            "encoder", f"there is no encoder {row.encoder!r} to probe; train it, or name another: --set encoder=NAME"
        ) from error
    if not isinstance(net, Encoder) or card.data != row.data:
        raise BadInput(
            "encoder", f"encoder is {row.encoder!r}, {article(card.kind)} of {card.data}; give an encoder of {row.data}"
        )
    trunk, args = trunk_of(card.net_args)
    return net, replace(row, net=trunk, net_args=args), card.sha256


def _whole(team: Team) -> None:
    """Refuse to share a batch in which every view is a reference of the others."""
    if team.world > 1:
        raise BadInput(
            "recipe",
            f"{team.world} processes would see 1/{team.world} of the references each, which is another loss; "
            "contrastive recipes run in one process",
        )


def probe(work: Prepared, goal: loop.Objective, generator: torch.Generator) -> Probe | PairProbe | BinaryProbe:
    """The probe of a run: its own attack, or one of ten steps where training has none, on images that training does not see."""
    row = work.row
    dyn = row.threat() if row.attack_steps else threat("pgd", row.norm, row.radius, 10)
    return kinds.KINDS[row.kind].watch(row, dyn, goal, work.images, work.unseen, generator)
