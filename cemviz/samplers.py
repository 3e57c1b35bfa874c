"""The samplers: an energy and the paper's numbers each.  `sample` runs any of them on any net that has the scores it needs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from .draws import Generator
from .dynamics import Dynamics, State, descend
from .energies import Energy, Scored, against, binary, conditional, crowding, joint, marginal, on, reinforced, repelled
from .inputs import Scores, check_images, check_labels, check_mode, checked, row

CEM_TABLE_5 = Dynamics(steps=20, step=1.0, noise=0.01, radius=6.0)
"""Supervised row of CEM Table 5 (CIFAR-10, ResNet-50): α 1, β 6, η 0.01, K 20."""

SANTURKAR = Dynamics(steps=60, step=0.5, noise=0.0, radius=30.0)
"""Santurkar et al. (2019) for CIFAR-10, as their published notebook runs it: radius 30, step .5, 60 steps, no noise."""

JEAT_LANGEVIN = Dynamics(steps=20, step=1.0, noise=0.01, gradient="raw")
"""JEAT (16), (17) name no η.  Our choice: raw gradient times 1 with noise .01, clamped to [0, 1].  JEM's numbers are the same,
but of a box [-1, 1]: there they are steps a quarter as long."""

CEM_TABLE_5_PAIRS = Dynamics(steps=10, step=7.0)
"""Unsupervised row of CEM Table 5 (CIFAR-10, ResNet-18): α 7, β inf, η 0, K 10; its ResNet-50 takes K 50."""

CEM_MNIST = Dynamics(steps=20, step=0.5, noise=0.01, radius=6.0)
"""Our choice for small images: α scaled by √(784/3072) ≈ .5; β 6 kept, it still reaches."""

PAIRS_MNIST = Dynamics(steps=30, step=0.7)
"""Our choice for small images: shorter steps, and more of them."""

THESIS = Dynamics(steps=32, step=0.2)
"""Thesis Table 2.4 for CIFAR-10: unconstrained, 32 steps of .2."""

ASCENT_MNIST = Dynamics(steps=10, step=1.0)
"""Our choice for small images: λ of the training attack, and somewhat more than its K, which ends at 7 or 8: beyond 20 steps
speckle grows that training has never met."""

FULL = 32 * 32 * 3
"""Numbers of a CIFAR-10 image, for which the papers' lengths are."""

Condition = Literal["label", "start", "references"]


@dataclass(frozen=True, slots=True)
class Sampler:
    """A row of `SAMPLERS`.

    Attributes:
        needs: the kind of net it runs on.
        energy: of the net's scores, and of `condition`.
        condition: beside the scores: the asked label, the features of each chain's own start, those of reference images, or
            nothing.
        defaults: the paper's numbers, for CIFAR-10.
        about: one sentence for the page.
        small: its own numbers for smaller images; None scales the lengths of `defaults`, as for larger ones, see `suited`.
        climbs: of a classifier's, what it climbs as multiples of f_y and logsumexp f, the whole difference between TA, CS, RCS
            and Langevin; None where it is no such sum.
        together: the batch is one system, which needs at least two members.
    """

    title: str
    needs: Literal["classifier", "encoder", "binary"]
    energy: Scored
    condition: Condition | None
    defaults: Dynamics
    source: str
    about: str
    small: Dynamics | None = None
    climbs: tuple[float, float] | None = None
    together: bool = False

    @property
    def conditional(self) -> bool:
        """Whether a class is asked for."""
        return self.condition == "label"

    def energy_on(self, net: Scores, x0: Tensor, y: Tensor | None = None, refs: Tensor | None = None) -> Energy:
        """The energy of the input that chains from x0 descend.

        Args:
            net: maps (B, C, H, W) to scores.
            x0: starts, (B, C, H, W).
            y: asked classes, (B,), where labels are given.
            refs: reference images, (N, C, H, W), where references are given.
        Raises:
            ValueError: what the sampler needs was not given, or a single chain where the batch is one system.
        """
        if self.together and len(x0) < 2:
            raise ValueError(f"the sampler {self.title!r} moves a whole batch; give at least 2 chains, not {len(x0)}")
        if self.condition is None:
            return on(net, self.energy)
        condition = y if self.condition == "label" else refs if self.condition == "references" else x0
        if condition is None:
            wanted = "the classes to sample" if self.condition == "label" else "reference images"
            raise ValueError(f"the sampler {self.title!r} needs {wanted}")
        if self.condition != "label":
            with torch.no_grad():
                condition = net(condition)
        return on(net, self.energy, condition)


SAMPLERS: dict[str, Sampler] = {
    "rcs": Sampler(
        "Reinforced conditional sampling (RCS)", "classifier", reinforced, "label", CEM_TABLE_5, "CEM (15)",
        "Climbs the label's logit and log-sum-exp together: towards the class, and towards the data.",
        CEM_MNIST, (1, 1),
    ),
    "cs": Sampler(
        "Conditional sampling (CS)", "classifier", joint, "label", CEM_TABLE_5, "CEM (14)",
        "Climbs the label's logit alone: Langevin dynamics on p(x | y).",
        CEM_MNIST, (1, 0),
    ),
    "ta": Sampler(
        "Targeted attack (TA)", "classifier", conditional, "label", CEM_TABLE_5, "CEM (13)",
        "Climbs log p(y | x): the label's logit minus log-sum-exp, which pushes away from the data.",
        CEM_MNIST, (1, -1),
    ),
    "langevin": Sampler(
        "Langevin on the marginal", "classifier", marginal, None, CEM_TABLE_5, "CEM (9)",
        "Climbs log-sum-exp alone: towards the data, whatever the class.",
        CEM_MNIST, (0, 1),
    ),
    "jeat16": Sampler(
        "JEAT, cross-entropy (16)", "classifier", conditional, "label", JEAT_LANGEVIN, "JEAT (16)",
        "Langevin steps on E(x, y) - E(x), with the raw gradient.",
        JEAT_LANGEVIN, (1, -1),
    ),
    "jeat17": Sampler(
        "JEAT, joint energy (17)", "classifier", joint, "label", JEAT_LANGEVIN, "JEAT (17)",
        "Langevin steps on E(x, y) alone, with the raw gradient.",
        JEAT_LANGEVIN, (1, 0),
    ),
    "maxent": Sampler(
        "Maximum entropy (MaxEnt)", "encoder", crowding, None, CEM_TABLE_5_PAIRS, "CEM (24)",
        "Descends the crowding of the batch: all members move away from each other in feature space.",
        PAIRS_MNIST, together=True,
    ),
    "pgd": Sampler(
        "PGD on InfoNCE", "encoder", repelled, "start", CEM_TABLE_5_PAIRS, "CEM (20); the batch form is our reading",
        "Climbs InfoNCE: each member leaves its own start and seeks the rest of the batch.",
        PAIRS_MNIST, together=True,
    ),
    "langevin-pairs": Sampler(
        "Langevin against data", "encoder", against, "references", replace(CEM_TABLE_5_PAIRS, noise=0.01), "CEM (19)",
        "Climbs the log-sum-exp of similarities to real images, which it needs at hand.",
        replace(PAIRS_MNIST, noise=0.01),
    ),
    "ascent": Sampler(
        "Ascent on a binary net", "binary", binary, None, THESIS, "thesis (2.8), Table 2.4",
        "Climbs f, the log-odds of data against perturbed p₀: towards whatever the net takes for data.",
        ASCENT_MNIST,
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
        "CEM's protocol on MNIST", CEM_MNIST,
        "our choice: α scaled by √(784/3072) ≈ .5; β 6 kept, it still reaches",
    ),
    "pairs": Setting("CEM Table 5, unsupervised (CIFAR-10)", CEM_TABLE_5_PAIRS, "CEM Table 5"),
    "pairs-mnist": Setting("MaxEnt on MNIST", PAIRS_MNIST, "our choice: shorter steps, and more of them"),
    "santurkar": Setting("Santurkar et al. (CIFAR-10)", SANTURKAR, "Santurkar et al. 2019"),
    "thesis": Setting("Thesis Table 2.4 (CIFAR-10)", THESIS, "thesis Table 2.4"),
    "thesis-mnist": Setting("Ascent on MNIST", ASCENT_MNIST, "our choice: λ of training, and somewhat more than its K"),
    "jeat": Setting("JEAT's Langevin form", JEAT_LANGEVIN, "our choice: JEAT gives no η"),
}  # fmt: skip


def suited(sampler: str | Sampler, shape: tuple[int, ...]) -> Dynamics:
    """The numbers to start from for images of this shape: the paper's for 32x32x3, and for smaller boxes the row's own.

    Where a row has none for smaller boxes, and for larger ones, its lengths go with the box's diagonal, by sqrt(d / 3072) for
    d numbers an image: beta, and alpha where it is the length of a step.  So a pixel changes as much as in the papers, and
    beta 6 becomes 42 for 224x224x3, where Santurkar et al. (2019) take 40.  Of a raw gradient alpha is a factor, and eta is
    of each coordinate: they stay.

    Args:
        sampler: a row, or a key of SAMPLERS.
        shape: (C, H, W).
    Raises:
        KeyError: unknown sampler.
    """
    chosen = row(sampler, SAMPLERS, Sampler)
    share = math.sqrt(math.prod(shape) / FULL)
    if share == 1:
        return chosen.defaults
    if share < 1 and chosen.small is not None:
        return chosen.small
    whole = chosen.defaults
    return replace(whole, radius=share * whole.radius, step=whole.step * (1 if whole.gradient == "raw" else share))


def sample(
    name: str | Sampler,
    net: Scores,
    x0: Tensor,
    y: Tensor | None = None,
    dyn: Dynamics | None = None,
    *,
    refs: Tensor | None = None,
    generator: Generator | None = None,
) -> Iterator[State]:
    """Run a sampler.

    Args:
        name: a row, or a key of SAMPLERS.
        net: in eval mode; maps (B, C, H, W) to what the sampler needs.
        x0: starts, (B, C, H, W) in [0, 1].
        y: asked classes, (B,) int64; required by the conditional samplers, ignored by the others.
        dyn: numbers of the chain; None takes those suited to the shape.
        refs: reference images, (N, C, H, W), for the samplers that need data.
        generator: source of the noise; `draws.Each` makes a chain independent of the batch it lies in.
    Yields:
        K + 1 states; energy and gradient are those of the sampler's objective.
    Raises:
        KeyError, ValueError: unknown sampler, what it needs was not given, or images, labels or a net that are not as above.
        Diverged: the chain met NaN.
    """
    chosen = row(name, SAMPLERS, Sampler)
    check_mode(net)
    bounds = (chosen.defaults if dyn is None else dyn).bounds
    check_images(x0, bounds)
    if chosen.condition == "references" and refs is not None:
        check_images(refs, bounds)
    if chosen.conditional and y is not None:
        check_labels(y, x0)
    net = checked(net, y if chosen.conditional else None, flat=chosen.needs == "binary", followed=True)
    energy = chosen.energy_on(net, x0, y, refs)
    return descend(energy, x0, suited(chosen, tuple(x0.shape[1:])) if dyn is None else dyn, generator=generator)
