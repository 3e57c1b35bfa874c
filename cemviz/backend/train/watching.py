"""Probes of a run while it goes: one for each kind of model."""

import torch

from ...data.images import Images
from ...data.views import CONTRASTIVE
from ...dynamics import Dynamics
from ...training.binary_probe import BinaryProbe
from ...training.loop import Objective
from ...training.pair_probe import PairProbe
from ...training.probes import SHOWN, Probe
from ...training.recipe import Recipe

BANK = 1000
"""Labelled training images among which an encoder's probe looks for neighbours."""


def of_labels(row: Recipe, dyn: Dynamics, goal: Objective, train: Images, probed: Images, generator: torch.Generator) -> Probe:
    """The probe of a net that is trained with labels.

    Args:
        dyn: the attack of the probe.
        goal: what is minimised; one that keeps chains has them watched.
        train, probed: images of training, and those that it does not see.
        generator: of the probe's own draws.
    """
    starts = torch.rand(SHOWN, *train.pixels.shape[1:], generator=generator, device=generator.device)
    chains = getattr(goal, "tensors", {}).get("chains")
    return Probe(row.attack, dyn, (probed.floats(), probed.labels), starts, generator, chains)


def of_pairs(
    row: Recipe, dyn: Dynamics, goal: Objective, train: Images, probed: Images, generator: torch.Generator
) -> PairProbe:
    """The probe of an encoder, which is trained without labels.  Args: as of `of_labels`."""
    bank, views = train.first(BANK), CONTRASTIVE[row.objective_args["views"]]
    return PairProbe(dyn, views, (probed.floats(), probed.labels), (bank.floats(), bank.labels), generator)


def of_games(
    row: Recipe, dyn: Dynamics, goal: Objective, train: Images, probed: Images, generator: torch.Generator
) -> BinaryProbe:
    """The probe of a binary net, which is trained against p0.  Args: as of `of_labels`."""
    return BinaryProbe(getattr(goal, "objective", goal), (probed.floats(), probed.labels), generator)
