"""A recipe: the frozen row by which a system is trained.  The row is the configuration; `--set field=value` changes it."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import partial
from math import inf
from typing import Any, Literal

import torch
from torch import nn

from ..attacks import ATTACKS, Run, threat
from ..data.views import CONTRASTIVE
from ..dynamics import Dynamics, Norm
from ..mixtures import sets
from ..starts import Source
from . import loop
from .binary import Maximin
from .contrastive import adversarial_to_standard, all_adversarial, contrastive
from .energy_based import JointEnergy, Replay
from .in_out import EachVsRest, InOut
from .loop import Objective, Schedule
from .supervised import adversarial, consistent, noisy, standard, trades


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one system is trained at one scale.

    Attributes:
        data: key of DATASETS, or a folder below --data.
        kind: of the net, what samplers and attacks ask for.
        objective: key of OBJECTIVES.
        objective_args: its own numbers, by name.
        net, net_args: key of NETS and its arguments; mean, std and outputs come from the data.
        steps, batch: number of updates, images in each.
        split: of the data, that training sees: one that leaves out what the model is calibrated on, where it is.
        images: how many of its images are used; None is all.
        optimizer, lr, weight_decay: key of OPTIMIZERS, its peak rate, its decay.
        schedule: key of SCHEDULES.
        average, clip: see `loop.fit`.
        norm, radius: the threat model, of robust accuracy on the card and, unless `attack_radius` says otherwise, of training.
        attack_radius: of the training attack where it reaches farther than the threat model.
        attack, attack_steps, attack_step: of training.
        p0: of a binary net, what its attack moves, see `mixtures`; its attack is unit steps without a ball.
        encoder: name of the stored encoder whose frozen trunk a linear probe reads; the probe's net is that trunk's.
        role: of the model, on its card: a judge of samples stands apart from the nets that are compared.
    """

    title: str
    data: str
    objective: str
    net: str
    net_args: dict[str, Any]
    steps: int
    batch: int
    lr: float
    source: str
    objective_args: dict[str, Any] = field(default_factory=dict)
    kind: str = "classifier"
    split: str = "train"
    images: int | None = None
    optimizer: Literal["adamw", "adam-game", "sgd", "lars"] = "adamw"
    weight_decay: float = 1e-4
    schedule: str = "one-cycle"
    average: float = 0.0
    clip: float = 1.0
    norm: Norm = "l2"
    radius: float = 0.0
    attack: str = "pgd"
    attack_steps: int = 0
    attack_step: float = 0.0
    attack_radius: float | None = None
    p0: str = ""
    encoder: str | None = None
    role: Literal["model", "judge"] = "model"

    def __post_init__(self) -> None:
        for key, choices in (("objective", OBJECTIVES), ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, key) not in choices:
                raise ValueError(f"{key} is {getattr(self, key)!r}; choose one of {', '.join(choices)}")
        if self.role not in ("model", "judge"):
            raise ValueError(f"role is {self.role!r}; choose one of model, judge")
        for key in ("steps", "batch"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} is {getattr(self, key)}; give at least 1")
        if not 0 < self.lr < inf:
            raise ValueError(f"lr is {self.lr}; give a finite number above 0")
        if not 0 <= self.weight_decay < inf:
            raise ValueError(f"weight_decay is {self.weight_decay}; give a finite number from 0")
        if self.images is not None and self.images < 1:
            raise ValueError(f"images is {self.images}; give at least 1, or leave it out for all")
        if not self.clip > 0:
            raise ValueError(f"clip is {self.clip}; give a number above 0, or inf for none")
        if not 0 <= self.average < 1:
            raise ValueError(f"average is {self.average}; give a number from 0 to below 1")
        if self.p0:
            sets(self.p0)  # refuses what is no mixture
        self.threat()  # refuses bad numbers of the attack, and a bad norm or radius

    def threat(self) -> Dynamics:
        """The training attack's numbers."""
        radius = self.radius if self.attack_radius is None else self.attack_radius
        return threat(self.attack, self.norm, radius, self.attack_steps, self.attack_step)

    def run(self) -> Run:
        """Generator that takes the steps of the training attack."""
        return ATTACKS[self.attack].run

    def ascent(self) -> Dynamics:
        """The attack of a binary net at its full K: unit steps within the box, without a ball.  Source: thesis (2.8)."""
        return Dynamics(self.attack_steps, self.attack_step)

    def optimizer_for(self, net: nn.Module) -> torch.optim.Optimizer:
        """A fresh optimiser over the weights that are not frozen."""
        trained = [p for p in net.parameters() if p.requires_grad]
        return OPTIMIZERS[self.optimizer](trained, lr=self.lr, weight_decay=self.weight_decay)


def lars(weights: list[nn.Parameter], *, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """SGD whose steps are scaled layer by layer to the size of the weights, for large batches.  Source: You et al. 2017.

    Raises:
        ModuleNotFoundError: timm, which has it, is not installed.
    """
    try:
        from timm.optim import Lars
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("optimizer is 'lars', which the package timm has; run: pip install timm") from error
    return Lars(weights, lr=lr, momentum=0.9, weight_decay=weight_decay)


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam-game": partial(torch.optim.Adam, betas=(0.0, 0.99)),  # thesis Table 2.3: no momentum, as GANs are trained
    "sgd": partial(torch.optim.SGD, momentum=0.9),
    "lars": lars,
}

Maker = Callable[[Recipe, Source, torch.Generator], Objective]
"""(recipe, images of training with their shape and p0, source of draws) -> objective."""


def _chains(args: dict[str, Any], shape: tuple[int, ...], generator: torch.Generator) -> dict[str, Any]:
    """Arguments of `JointEnergy`: its replay buffer from the buffer's own numbers, and the rest."""

    def replay(buffer: int, reinit: float, steps: int, step: float, noise: float) -> Replay:
        return Replay(buffer, shape, Dynamics(steps, step, noise, gradient="raw"), reinit=reinit, generator=generator)

    rest = {k: v for k, v in args.items() if k == "calm"}
    return rest | {"replay": replay(**{k: v for k, v in args.items() if k not in rest})}


def _views(args: dict[str, Any]) -> dict[str, Any]:
    """The same arguments, with the function in place of the name of the views."""
    name = args.get("views")
    if name not in CONTRASTIVE:
        raise ValueError(f"views is {name!r}; choose one of {', '.join(CONTRASTIVE)}")
    return args | {"views": CONTRASTIVE[name]}


def _p0(row: Recipe, source: Source) -> Callable[..., Any]:
    if source.p0 is None:
        raise ValueError(f"p0 is {row.p0!r}; a binary net needs a mixture to move, such as gaussian or fashionmnist~1")
    return source.p0


def _plain_standard() -> Objective:
    """`standard`, which has no arguments of its own: one that is given is refused like any other's."""
    return standard


OBJECTIVES: dict[str, Maker] = {
    "standard": lambda row, source, g: _plain_standard(**row.objective_args),
    "noisy": lambda row, source, g: noisy(**row.objective_args, generator=g),
    "adversarial": lambda row, source, g: adversarial(row.threat(), **row.objective_args, attack=row.attack, generator=g),
    "trades": lambda row, source, g: trades(row.threat(), **row.objective_args, generator=g),
    "consistent": lambda row, source, g: consistent(row.threat(), **row.objective_args, attack=row.attack, generator=g),
    "jem": lambda row, source, g: JointEnergy(**_chains(row.objective_args, source.shape, g)),
    "jeat": lambda row, source, g: JointEnergy(dyn=row.threat(), **_chains(row.objective_args, source.shape, g), generator=g),
    "contrastive": lambda row, source, g: contrastive(**_views(row.objective_args), generator=g),
    "a2a": lambda row, source, g: all_adversarial(row.threat(), **_views(row.objective_args), generator=g),
    "a2s": lambda row, source, g: adversarial_to_standard(row.threat(), **_views(row.objective_args), generator=g),
    "maximin": lambda row, source, g: Maximin(_p0(row, source), row.ascent(), **row.objective_args, generator=g),
    "in-out": lambda row, source, g: InOut(_p0(row, source), row.threat(), run=row.run(), **row.objective_args, generator=g),
    "each-vs-rest": lambda row, source, g: EachVsRest(row.threat(), run=row.run(), **row.objective_args, generator=g),
}

SCHEDULES: dict[str, Schedule] = {
    "constant": loop.constant,
    "warm-up": loop.warm_up,
    "one-cycle": loop.one_cycle,
    "warm-up of 10 in 1000, cosine": partial(loop.one_cycle, warm_up=0.01),
    "warm-up, cosine over the second half": loop.product(partial(loop.warm_up, share=0.025), loop.late_cosine),
    "drop at 150 and 200 of 350": loop.multi_step(150 / 350, 200 / 350),
    "drop at 75 of 76": loop.multi_step(75 / 76),
    "drop at 1500 of 2000": loop.multi_step(1500 / 2000),
    "warm-up of 1000 updates, drop at 160 and 180 of 200": loop.product(
        partial(loop.warm_up, share=1000 / (200 * (50_000 // 64))), loop.multi_step(160 / 200, 180 / 200, factor=0.3)
    ),
}


def objective(recipe: Recipe, source: Source, generator: torch.Generator) -> Objective:
    """The recipe's objective for these images, drawing from `generator` on its device.

    Raises:
        ValueError: an argument that the objective does not know, or out of range.
    """
    try:
        return OBJECTIVES[recipe.objective](recipe, source, generator)
    except TypeError as error:
        raise ValueError(f"objective_args is {recipe.objective_args}: {error}") from error


def scales(
    laptop: Recipe, *, evidence: int, shipped: int, paper: Recipe | None = None, **shipped_args: Any
) -> dict[str, Recipe]:
    """The rows of one system: the laptop's, fewer images for evidence, more steps for shipping, and the paper's own."""
    rows = {
        "evidence": replace(laptop, steps=evidence, images=20_000),
        "laptop": laptop,
        "shipped": replace(laptop, steps=shipped, **shipped_args),
    }
    return rows if paper is None else rows | {"paper": paper}


def changed(row: Recipe, **changes: Any) -> Recipe:
    """A row with other values; text is read as the field's present type.

    Raises:
        KeyError: unknown field.
        ValueError: a value that does not fit its field.
    """
    names = [f.name for f in fields(row)]
    read = {}
    for key, value in changes.items():
        if key not in names:
            raise KeyError(f"a recipe has no field {key!r}; choose one of {', '.join(names)}")
        read[key] = _read(key, value, getattr(row, key))
    return replace(row, **read)


def _read(key: str, value: Any, present: Any) -> Any:
    if not isinstance(value, str) or isinstance(present, str) or key == "encoder":
        return value
    whole = isinstance(present, int) or key == "images"
    try:
        if isinstance(present, dict):
            return present | {k: _plain(v) for k, v in (part.split(":", 1) for part in value.split(","))}
        return int(value) if whole else float(value)
    except ValueError as error:
        wanted = "KEY:VALUE[,KEY:VALUE]" if isinstance(present, dict) else "a whole number" if whole else "a number"
        raise ValueError(f"{key} is {value!r}; give {wanted}, such as {present}") from error


def _plain(text: str) -> Any:
    """A whole number, a number, or the text itself."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
