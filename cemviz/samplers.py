"""The samplers: an energy and the paper's numbers each.  `sample` runs any of them on any net that has the scores it needs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from .dynamics import Dynamics, State, descend
from .energies import Scored, conditional, joint, marginal, on, reinforced

CEM_TABLE_5 = Dynamics(steps=20, step=1.0, noise=0.01, radius=6.0)
"""Supervised row of CEM Table 5 (CIFAR-10, ResNet-50): α 1, β 6, η 0.01, K 20."""

SANTURKAR = Dynamics(steps=60, step=0.5, noise=0.0, radius=30.0)
"""Santurkar et al. (2019) for CIFAR-10, as their published notebook runs it: radius 30, step .5, 60 steps, no noise."""

JEAT_LANGEVIN = Dynamics(steps=20, step=1.0, noise=0.01, gradient="raw")
"""JEAT (16), (17) name no η.  Our choice: JEM's decoupled numbers, raw gradient times 1 with noise .01, clamped to [0, 1]."""


@dataclass(frozen=True, slots=True)
class Sampler:
    """A row of `SAMPLERS`.

    Attributes:
        needs: the kind of net it runs on.
        energy: of the net's scores, and of y where the sampler is conditional.
        conditional: whether a class is asked for.
        defaults: the paper's numbers, for CIFAR-10.
        about: one sentence for the page.
    """

    title: str
    needs: Literal["classifier", "encoder", "binary"]
    energy: Scored
    conditional: bool
    defaults: Dynamics
    source: str
    about: str


SAMPLERS: dict[str, Sampler] = {
    "rcs": Sampler(
        "Reinforced conditional sampling (RCS)", "classifier", reinforced, True, CEM_TABLE_5, "CEM (15)",
        "Climbs the label's logit and log-sum-exp together: towards the class, and towards the data.",
    ),
    "cs": Sampler(
        "Conditional sampling (CS)", "classifier", joint, True, CEM_TABLE_5, "CEM (14)",
        "Climbs the label's logit alone: Langevin dynamics on p(x | y).",
    ),
    "ta": Sampler(
        "Targeted attack (TA)", "classifier", conditional, True, CEM_TABLE_5, "CEM (13)",
        "Climbs log p(y | x): the label's logit minus log-sum-exp, which pushes away from the data.",
    ),
    "langevin": Sampler(
        "Langevin on the marginal", "classifier", marginal, False, CEM_TABLE_5, "CEM (9)",
        "Climbs log-sum-exp alone: towards the data, whatever the class.",
    ),
    "jeat16": Sampler(
        "JEAT, cross-entropy (16)", "classifier", conditional, True, JEAT_LANGEVIN, "JEAT (16)",
        "Langevin steps on E(x, y) - E(x), with the raw gradient.",
    ),
    "jeat17": Sampler(
        "JEAT, joint energy (17)", "classifier", joint, True, JEAT_LANGEVIN, "JEAT (17)",
        "Langevin steps on E(x, y) alone, with the raw gradient.",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setting:
    """Named numbers for a chain, and where they come from."""

    title: str
    dynamics: Dynamics
    source: str


SETTINGS: dict[str, Setting] = {
    "cem": Setting("CEM Table 5 (CIFAR-10)", CEM_TABLE_5, "CEM Table 5"),
    "cem-mnist": Setting(
        "CEM's protocol on MNIST", Dynamics(steps=20, step=0.5, noise=0.01, radius=6.0),
        "our choice: α scaled by √(784/3072) ≈ .5; β 6 kept, it still reaches",
    ),
    "santurkar": Setting("Santurkar et al. (CIFAR-10)", SANTURKAR, "Santurkar et al. 2019"),
    "jeat": Setting("JEAT's Langevin form", JEAT_LANGEVIN, "our choice: JEAT gives no η"),
}  # fmt: skip


def suited(sampler: str, shape: tuple[int, ...]) -> Dynamics:
    """The numbers to start from for images of this shape: the paper's for 32x32x3, our scaled ones for smaller boxes.

    Args:
        sampler: key of SAMPLERS.
        shape: (C, H, W).
    """
    defaults = SAMPLERS[sampler].defaults
    small = math.prod(shape) < 32 * 32 * 3
    return SETTINGS["cem-mnist"].dynamics if small and defaults is CEM_TABLE_5 else defaults


def sample(
    name: str,
    net: nn.Module,
    x0: Tensor,
    y: Tensor | None = None,
    dyn: Dynamics | None = None,
    *,
    generator: torch.Generator | None = None,
) -> Iterator[State]:
    """Run a sampler.

    Args:
        name: key of SAMPLERS.
        net: in eval mode; maps (B, C, H, W) to what the sampler needs.
        x0: starts, (B, C, H, W) in [0, 1].
        y: asked classes, (B,) int64; required by the conditional samplers, ignored by the others.
        dyn: numbers of the chain; None takes those suited to the shape.
        generator: source of the noise.
    Yields:
        K + 1 states; energy and gradient are those of the sampler's objective.
    Raises:
        KeyError, ValueError: unknown sampler, or no class given to a conditional one.
        Diverged: the chain met NaN.
    """
    if name not in SAMPLERS:
        raise KeyError(f"no sampler {name!r}; choose one of {', '.join(SAMPLERS)}")
    sampler = SAMPLERS[name]
    if sampler.conditional and y is None:
        raise ValueError(f"sampler {name!r} is conditional: give the classes to sample")
    energy = on(net, sampler.energy, y) if sampler.conditional else on(net, sampler.energy)
    return descend(energy, x0, dyn or suited(name, tuple(x0.shape[1:])), generator=generator)
