"""CEM's tables of samples (Wang et al., ICLR 2022), and this project's one sentence: robust nets draw, standard nets do not."""

from typing import Any

from . import measures
from .table import BUDGET, Cell, Experiment, Order, Place, real

WHERE = {"uncond": "gaussian", "cond": "class-gaussian"}
"""Unconditional from one Gaussian of all images, conditional from class Gaussians."""


def paired(model: str, sampler: str, where: str) -> tuple[str, dict[str, Any]]:
    """A model and how it is sampled, for an unsupervised row."""
    return model, {"sampler": sampler, "start": WHERE[where]}


STILL = {"radius": 0.0, "steps": 1}
"""In a ball of radius 0 nothing moves: what the starts alone score."""

BEST = {"mnist": 1.0, "cifar10": 1.5}
"""Radius of RCS whose samples lie nearest to validation images: Table 5's sweep on MNIST; .75, 1.5, 3 and 6 on CIFAR-10."""


THRICE = ("cifar10-at", "cifar10-uat", "cifar10-uat-a2s", "cifar10-simclr")
"""Nets of CEM's tables that were trained with three seeds at scale shipped; the others once."""


def judges(data: str) -> dict[str, str]:
    """The usual judge, which saw noisy images too, and the one that saw clean images alone."""
    return {"": f"judge-{data}-judge", ", clean judge": f"judge-{data}-judge-clean"}


CEM_2_PAPER: dict[str, tuple[float, float]] = {
    "TA": (9.26, 56.72), "Langevin": (9.65, 63.34), "CS": (9.77, 56.26), "RCS": (9.80, 55.91),
    "PGD uncond": (5.35, 74.27), "MaxEnt uncond": (8.24, 41.80), "PGD cond": (5.85, 68.54), "MaxEnt cond": (8.68, 36.44),
}  # fmt: skip
"""IS and FID of each row, on CIFAR-10."""


def cem_2_rows(data: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Rows of Table 2 on a data set, each a model and how it is sampled.

    The paper has the first eight; the others are what training without attacks draws, another form of UAT, and the starts.
    """
    ball = {"start": WHERE["cond"], "radius": BEST[data]}
    samplers = {"TA": "ta", "Langevin": "langevin", "CS": "cs", "RCS": "rcs"}
    rows = {row: (f"{data}-at", {"sampler": sampler} | ball) for row, sampler in samplers.items()}
    for hint in WHERE:
        rows |= {f"PGD {hint}": paired(f"{data}-uat", "pgd", hint), f"MaxEnt {hint}": paired(f"{data}-uat", "maxent", hint)}
    rows["RCS, standard"] = f"{data}-standard", {"sampler": "rcs"} | ball
    if data == "mnist":  # where encoders read the whole last map
        rows |= {
            "RCS, the encoders' net": ("mnist-at-flat", {"sampler": "rcs"} | ball),
            "RCS, standard, the encoders' net": ("mnist-standard-flat", {"sampler": "rcs"} | ball),
        }
    for hint, start in WHERE.items():
        rows |= {
            f"MaxEnt {hint}, A2S": paired(f"{data}-uat-a2s", "maxent", hint),
            f"MaxEnt {hint}, SimCLR": paired(f"{data}-simclr", "maxent", hint),
            f"start {hint}, no step": (f"{data}-uat", {"sampler": "maxent", "start": start} | STILL),
        }
    return rows


def draws_better(claim: str, column: str, better: str, other: str, second: str | None = None) -> Order:
    """One row above another where high scores are good (IS), below it where low ones are (FID), in two columns."""
    over, under = (better, other) if column.startswith("IS") else (other, better)
    also = None if second is None else ((over, second), (under, second))
    return Order(f"{claim} ({column})", (over, column), (under, column), second=also)


def quality(data: str, rows: dict[str, tuple[str, dict[str, Any]]]) -> dict[Place, Cell]:
    """IS and FID of rows (a model and how it is sampled) and of real images, as both judges see the same samples."""
    looks = [(metric, *item) for metric in ("is", "fid") for item in judges(data).items()]
    return {
        (row, f"{metric.upper()}, {data}{eye}"): Cell(
            model, measures.ends(metric, judge, **how), "shipped", again=model in THRICE and how.get("radius") != 0
        )
        for row, (model, how) in rows.items()
        for metric, eye, judge in looks
    } | {
        ("real images", f"{metric.upper()}, {data}{eye}"): real(f"{data}-at", metric, 500, extractor=judge)
        for metric, eye, judge in looks
    }  # fmt: skip


def cem_2_orders(data: str) -> tuple[Order, ...]:
    """Claims of Table 2, and ours about its further rows, on a data set."""
    return tuple(
        draws_better(claim, f"{metric}, {data}", better, other, f"{metric}, {data}, clean judge")
        for metric in ("IS", "FID")
        for claim, better, other in (
            ("CS draws better than TA", "CS", "TA"),
            ("RCS draws better than TA", "RCS", "TA"),
            ("RCS draws better than CS", "RCS", "CS"),
            ("Langevin draws better than TA", "Langevin", "TA")
            if metric == "IS"
            else ("TA draws better than Langevin", "TA", "Langevin"),
            ("MaxEnt draws better than PGD, unconditional", "MaxEnt uncond", "PGD uncond"),
            ("MaxEnt draws better than PGD, conditional", "MaxEnt cond", "PGD cond"),
            ("conditional MaxEnt draws better than unconditional", "MaxEnt cond", "MaxEnt uncond"),
            ("supervised draws better than unsupervised: RCS than MaxEnt", "RCS", "MaxEnt cond")
            if metric == "IS"
            else ("unsupervised draws better than supervised: MaxEnt than RCS", "MaxEnt cond", "RCS"),
            ("ours: attacks in training help: UAT draws better than SimCLR", "MaxEnt uncond", "MaxEnt uncond, SimCLR"),
            ("ours: MaxEnt of UAT ends nearer to the data than it starts", "MaxEnt uncond", "start uncond, no step"),
        )
    )


CEM_2 = Experiment(
    "Sample quality of the samplers",
    "CEM Table 2; unsupervised rows with its ResNet-18",
    quality("cifar10", cem_2_rows("cifar10")) | quality("mnist", cem_2_rows("mnist")),
    {
        (row, f"{metric}, cifar10"): value
        for row, pair in CEM_2_PAPER.items()
        for metric, value in zip(("IS", "FID"), pair, strict=True)
    },
    cem_2_orders("cifar10") + cem_2_orders("mnist"),
    "500 chains a row, each drawn with three seeds of starts and noise; on CIFAR-10 AT and the encoders were trained with "
    "three seeds too, every other net once. Supervised: AT at L2 .5 on CIFAR-10 and 2 on MNIST, class Gaussians as starts, α 1 "
    "and .5, η .01, K 20, and the β that drew best on validation images, 1.5 and 1 (CEM: 6). Unsupervised: UAT (A2A) at L2 .5 "
    "and 1.5, batches of 250, no ball, η 0, Table 5's α 7, K 10 on CIFAR-10, α .7 and K 30 on MNIST, after 1,761 updates of "
    "512 images (A2S: 1,792, SimCLR: 2,389) and 600 of 128; "
    "unconditional from one Gaussian of all images, conditional from class Gaussians. The usual judge was trained on noisy "
    "images too and overlooks speckle; the clean one sees it, and a claim is decided where both agree. Class Gaussians "
    "share the data's first two moments in pixels, and FID compares those of features: read a sampler's number beside that "
    "of its starts. Above the IS of real images IS rewards collapse. Standard and SimCLR: the same nets, trained without "
    "attacks. On MNIST strokes on black are so easy that views alone make a smooth encoder: SimCLR has the higher IS.",
)

OTHERS: dict[str, tuple[float | None, float | None]] = {
    "PixelCNN++": (5.36, 119.5), "DCGAN": (6.69, 35.6), "WGAN-GP": (7.86, 36.4), "PresGAN": (None, 52.2),
    "StyleGAN2-ADA": (10.02, None), "NCSN": (8.87, 25.32), "DDPM": (9.46, 3.17), "NCSN++": (9.89, 2.20), "DRL": (8.58, 9.60),
}  # fmt: skip
"""IS and FID of generators in Table 1 that are of other kinds, or whose training is not this project's."""

CEM_1_PAPER = OTHERS | {
    "TA": (7.5, None),
    "supervised CEM": (9.80, 55.91),
    "unsupervised CEM": (8.68, 36.4),
    "JEM": (8.76, 38.4),
}
CEM_1_NUMBERS: dict[Place, float] = {
    (row, f"{metric}, cifar10"): value
    for row, pair in CEM_1_PAPER.items()
    for metric, value in zip(("IS", "FID"), pair, strict=True)
    if value is not None
}

HYBRID = {"sampler": "jeat17", "start": "uniform"} | BUDGET
"""How JEM and JEAT draw."""

DRIFTED = "JEM drifted at this scale: after 3,599 updates with its calming term its chains end 50 nats above the images"


def cem_1_cells(data: str) -> dict[Place, Cell]:
    """Cells of Table 1 on a data set: what is trained here, both bounds, and on CIFAR-10 the paper's other rows."""
    among = cem_2_rows(data)
    rows = {
        "standard": among["RCS, standard"], "TA": among["TA"], "supervised CEM": among["RCS"],
        "unsupervised CEM": among["MaxEnt cond"], "JEM": (f"{data}-jem", HYBRID), "JEAT": (f"{data}-jeat", HYBRID),
        "start cond, no step": among["start cond, no step"],
    }  # fmt: skip
    cells = quality(data, rows)
    if data == "cifar10":
        cells |= {place: Cell(f"{data}-at", measures.absent(DRIFTED), "shipped") for place in cells if place[0] == "JEM"}
        other = Cell("cifar10-at", measures.absent("not trained here"), "shipped")
        cells |= {place: other for place in CEM_1_NUMBERS if place[0] in OTHERS}
    return cells


def cem_1_orders(data: str) -> tuple[Order, ...]:
    """Claims of Table 1, the paper's and ours, on a data set."""
    return tuple(
        draws_better(claim, f"{metric}, {data}", better, other, f"{metric}, {data}, clean judge")
        for claim, better, other, metrics in (
            ("unsupervised CEM draws better than JEM", "unsupervised CEM", "JEM", ("IS", "FID")),
            ("supervised CEM draws better than JEM", "supervised CEM", "JEM", ("IS",)),
            ("supervised CEM draws better than TA", "supervised CEM", "TA", ("IS",)),
            ("unsupervised CEM draws better than TA", "unsupervised CEM", "TA", ("IS",)),
            ("ours: attacks in training help: supervised CEM beats standard", "supervised CEM", "standard", ("IS", "FID")),
            ("ours: JEAT draws better than standard", "JEAT", "standard", ("IS", "FID")),
        )
        for metric in metrics
    )  # fmt: skip


CEM_1 = Experiment(
    "Generators beside each other",
    "CEM Table 1",
    cem_1_cells("cifar10") | cem_1_cells("mnist"),
    CEM_1_NUMBERS,
    cem_1_orders("cifar10") + cem_1_orders("mnist"),
    "500 chains a row, drawn with three seeds. Supervised CEM is RCS on the AT net, unsupervised CEM is conditional MaxEnt on "
    "UAT (A2A), both as in Table 2, and standard is RCS on the net that saw no attack; JEM and JEAT draw by (17) from uniform "
    "noise, 40 steps. The paper's numbers are Inception's, of 50,000 samples, and its other rows those of their authors: what "
    "has none of ours is not trained here. TA's 7.5 is Santurkar et al.'s own, by another protocol than Table 2's 9.26. IS "
    "and FID here are by two judges, and a claim is decided where both agree: the usual one was trained on noisy images too "
    "and overlooks speckle, the clean one sees it. Above the IS of real images IS rewards collapse.",
)

PAIRS = {
    "mnist": ("mnist", "mnist-standard", "mnist-at"),
    "mnist, flat head": ("mnist", "mnist-standard-flat", "mnist-at-flat"),
    "cifar10": ("cifar10", "cifar10-standard", "cifar10-at"),
}
"""One net each, trained without and with attacks."""

ONCE = "mnist, flat head"
"""The pair of which there is one training only."""


def sample_quality(where: str, data: str, standard: str, robust: str) -> dict[Place, Cell]:
    """Quality of what a standard and a robust net draw by RCS, of real images and of the starts, by metric and judge."""
    cells = {}
    for row, model, how in (("standard", standard, {}), ("AT", robust, {}), ("start, no step", robust, STILL)):
        for metric in ("fid", "kid"):
            for eye, judge in judges(data).items():
                chains = {"sampler": "rcs", "start": "class-gaussian", "radius": BEST[data]} | how
                cell = Cell(model, measures.ends(metric, judge, **chains), "shipped", again=not how and where != ONCE)
                cells[row, f"{metric.upper()}, {where}{eye}"] = cell
    for metric in ("fid", "kid"):
        for eye, judge in judges(data).items():
            cells["real images", f"{metric.upper()}, {where}{eye}"] = real(robust, metric, 500, extractor=judge)
    return cells


def message(where: str) -> tuple[Order, ...]:
    """The project's sentence on one pair of nets: FID falls where a claim holds, and both judges have to say so."""
    return tuple(
        Order(
            f"{claim} ({where})", (far, f"FID, {where}"), (near, f"FID, {where}"),
            second=((far, f"FID, {where}, clean judge"), (near, f"FID, {where}, clean judge")),
        )
        for claim, near, far in (
            ("the robust net draws better than the standard net", "AT", "standard"),
            ("the robust net's chains end nearer to the data than they start", "AT", "start, no step"),
            ("the standard net's chains end farther from the data than they start", "start, no step", "standard"),
        )
    )  # fmt: skip


DRAWS = Experiment(
    "Robust nets draw, standard nets do not",
    "CEM and JEAT, introductions",
    {place: cell for where, pair in PAIRS.items() for place, cell in sample_quality(where, *pair).items()},
    {},
    tuple(order for where in PAIRS for order in message(where)),
    "The same net trained with attacks (L2 radius 2 on MNIST, .5 on CIFAR-10) and without, three times each (with the flat "
    "head once); RCS from class Gaussians with its own α, η and K and the β that drew best on validation images: 1 on "
    "MNIST, 1.5 on CIFAR-10 (CEM: 6). The flat head sees where things are; the other takes a mean over the picture. A claim "
    "is decided where both judges decide alike: the usual one was trained on noisy images too and overlooks speckle, the "
    "clean one sees it. Class Gaussians share the data's first two moments in pixels: what is no better than its starts has "
    "drawn nothing by that measure.",
)
