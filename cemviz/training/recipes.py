"""The recipes: a frozen row for every (system, scale).  The row is the configuration; `--set field=value` replaces a field.

Scales are those of the project: `evidence` (at most 3 minutes on two cores, for tables over several seeds), `laptop` (at most
15 minutes), `shipped` (at most 2 hours in the background: the weights in checkpoints/), and `paper` (the published settings,
which want an accelerator).  Where a paper is silent the value is our choice, and the row's source says so.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import torch
from torch import nn

from ..attacks import threat
from ..dynamics import Dynamics, Norm
from . import loop
from .loop import Objective, Schedule
from .supervised import adversarial, standard


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one system is trained at one scale.

    Attributes:
        data: key of DATASETS, or a folder below --data.
        kind: of the net, what samplers and attacks ask for.
        objective: key of OBJECTIVES.
        net, net_args: key of NETS and its arguments; mean, std and outputs come from the data.
        steps, batch: number of updates, images in each.
        images: how many training images are used; None is all.
        optimizer, lr, weight_decay: adamw or sgd (momentum .9), its peak rate, its decay.
        schedule: key of SCHEDULES.
        average, clip: see `loop.fit`.
        norm, radius: the threat model, of robust accuracy on the card and, unless `attack_radius` says otherwise, of training.
        attack_radius: of the training attack where it reaches farther than the threat model.
        attack, attack_steps, attack_step: of training.
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
    kind: str = "classifier"
    images: int | None = None
    optimizer: Literal["adamw", "sgd"] = "adamw"
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

    def __post_init__(self) -> None:
        for key, known in (("objective", OBJECTIVES), ("optimizer", ("adamw", "sgd")), ("schedule", SCHEDULES)):
            if getattr(self, key) not in known:
                raise ValueError(f"{key} is {getattr(self, key)!r}; choose one of {', '.join(known)}")
        for key in ("steps", "batch"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} is {getattr(self, key)}; give at least 1")
        if self.images is not None and self.images < 1:
            raise ValueError(f"images is {self.images}; give at least 1, or leave it out for all")
        self.threat()  # refuses bad numbers of the attack, and a bad norm or radius

    def threat(self) -> Dynamics:
        """The training attack's numbers."""
        radius = self.radius if self.attack_radius is None else self.attack_radius
        return threat(self.attack, self.norm, radius, self.attack_steps, self.attack_step)

    def optimizer_for(self, net: nn.Module) -> torch.optim.Optimizer:
        """A fresh optimiser over the net's weights."""
        if self.optimizer == "adamw":
            return torch.optim.AdamW(net.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        return torch.optim.SGD(net.parameters(), lr=self.lr, momentum=0.9, weight_decay=self.weight_decay)


OBJECTIVES: dict[str, Any] = {
    "standard": lambda recipe, generator: standard,
    "adversarial": lambda recipe, generator: adversarial(recipe.threat(), attack=recipe.attack, generator=generator),
}

SCHEDULES: dict[str, Schedule] = {
    "constant": loop.constant,
    "one-cycle": loop.one_cycle,
    "drop at 150 and 200 of 350": loop.multi_step(150 / 350, 200 / 350),
}


def objective(recipe: Recipe, generator: torch.Generator) -> Objective:
    """The recipe's objective, drawing from `generator`."""
    return OBJECTIVES[recipe.objective](recipe, generator)


OURS = "our choice of net and schedule; "

MNIST_STANDARD = Recipe(
    "MNIST, standard",
    "mnist",
    "standard",
    "small-resnet",
    {"width": 16},
    937,
    128,
    4e-3,
    OURS + "CEM (16)",
    radius=2.0,
)
MNIST_AT = replace(
    MNIST_STANDARD, title="MNIST, adversarial (L2 radius 2)", objective="adversarial", attack_steps=4, attack_step=0.7,
    source=OURS + "CEM (7); L2 radius 2 on MNIST is our choice",
)  # fmt: skip
MNIST_AT_LINF = replace(
    MNIST_AT, title="MNIST, adversarial (L∞ .2)", norm="linf", radius=0.2, attack_step=0.07,
    source=OURS + "CEM (7); L∞ .2 on MNIST is our choice",
)  # fmt: skip
CIFAR_STANDARD = Recipe(
    "CIFAR-10, standard", "cifar10", "standard", "small-resnet", {"width": 16}, 2340, 128, 4e-3, OURS + "CEM (16)", radius=0.5
)
CIFAR_AT = replace(
    CIFAR_STANDARD, title="CIFAR-10, adversarial (L2 radius .5)", objective="adversarial", attack_steps=3, attack_step=0.25,
    source=OURS + "CEM (7), radius .5 as in CEM C.1",
)  # fmt: skip
CIFAR_AT_LINF = replace(
    CIFAR_AT, title="CIFAR-10, adversarial (L∞ 8/255)", norm="linf", radius=8 / 255, attack_step=4 / 255,
    source=OURS + "CEM (7), radius 8/255 as in CEM A.1",
)  # fmt: skip

EPOCH = 50_000 // 256
PAPER_C1 = Recipe(
    "CIFAR-10, adversarial: CEM C.1", "cifar10", "adversarial", "resnet50", {"width": 64}, 350 * EPOCH, 256, 0.01,
    "CEM C.1: ResNet-50, 350 epochs, lr .01 dropped tenfold at 150 and 200, batch 256, L2 .5, 7 steps of .1, random start; "
    "weight decay 5e-4 is our choice",
    optimizer="sgd", weight_decay=5e-4, schedule="drop at 150 and 200 of 350", clip=float("inf"),
    radius=0.5, attack_steps=7, attack_step=0.1,
)  # fmt: skip
PAPER_A1 = replace(
    PAPER_C1, title="CIFAR-10, adversarial: CEM A.1", net="resnet18", norm="linf", radius=8 / 255, attack_steps=10,
    attack_step=2 / 255, batch=128, steps=200 * (50_000 // 128), lr=0.1,
    source="CEM A.1: ResNet-18, L∞ 8/255, 10 steps of ε/4, random start; epochs, lr and batch are our choice "
    "(the paper's net is pre-activated)",
)  # fmt: skip


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


WIDER = {"net_args": {"width": 24}, "average": 0.995}
FLAT = {"width": 16, "flat": 7}
STRONGER = {
    "average": 0.995, "attack_steps": 7, "attack_step": 0.6, "attack_radius": 2.2,
    "source": OURS + "CEM (7); tested at L2 radius 2, trained at 2.2 with 7 steps",
}  # fmt: skip

RECIPES: dict[str, dict[str, Recipe]] = {
    "mnist-standard": scales(MNIST_STANDARD, evidence=468, shipped=1874),
    "mnist-at": scales(MNIST_AT, evidence=468, shipped=1874),
    "mnist-at-linf": scales(MNIST_AT_LINF, evidence=468, shipped=1874),
    "mnist-standard-flat": scales(
        replace(MNIST_STANDARD, title="MNIST, standard, flat head", net_args=FLAT), evidence=468, shipped=1874, average=0.995
    ),
    "mnist-at-flat": scales(
        replace(MNIST_AT, title="MNIST, adversarial, flat head", net_args=FLAT), evidence=468, shipped=1874, **STRONGER
    ),
    "cifar10-standard": scales(
        CIFAR_STANDARD, evidence=468, shipped=4680, **WIDER,
        paper=replace(PAPER_C1, title="CIFAR-10, standard: CEM C.1", objective="standard", attack_steps=0, attack_step=0.0),
    ),
    "cifar10-at": scales(CIFAR_AT, evidence=468, shipped=4680, **WIDER, paper=PAPER_C1),
    "cifar10-at-linf": scales(CIFAR_AT_LINF, evidence=468, shipped=4680, **WIDER, paper=PAPER_A1),
}  # fmt: skip


def recipe(name: str, scale: str = "laptop", **changes: Any) -> Recipe:
    """Look a row up and replace fields.

    Args:
        name: key of RECIPES.
        scale: evidence, laptop, shipped or paper.
        changes: fields of `Recipe` with new values; strings are read as the field's present type.
    Raises:
        KeyError: unknown recipe, scale or field.
        ValueError: a value that does not fit its field.
    """
    if name not in RECIPES:
        raise KeyError(f"no recipe {name!r}; choose one of {', '.join(RECIPES)}")
    rows = RECIPES[name]
    if scale not in rows:
        raise KeyError(f"recipe {name!r} has no scale {scale!r}; choose one of {', '.join(rows)}")
    row = rows[scale]
    known = [f.name for f in fields(row)]
    read = {}
    for key, value in changes.items():
        if key not in known:
            raise KeyError(f"a recipe has no field {key!r}; choose one of {', '.join(known)}")
        read[key] = _read(key, value, getattr(row, key))
    return replace(row, **read)


def _read(key: str, value: Any, present: Any) -> Any:
    if not isinstance(value, str) or isinstance(present, str):
        return value
    try:
        if isinstance(present, dict):
            return present | {k: int(v) if v.isdigit() else v for k, v in (part.split(":", 1) for part in value.split(","))}
        return int(value) if isinstance(present, int) or key == "images" else float(value)
    except ValueError as error:
        wanted = "KEY:VALUE[,KEY:VALUE]" if isinstance(present, dict) else "a number"
        raise ValueError(f"{key} is {value!r}; give {wanted}, such as {present}") from error
