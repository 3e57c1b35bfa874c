"""The papers' tables and figures: which models each rests on, how a cell is measured, what the paper says and claims."""

from dataclasses import dataclass
from typing import Any, Literal

from . import measures
from .measures import Measure

Place = tuple[str, str]
"""(row, column) of a table."""


@dataclass(frozen=True, slots=True)
class Cell:
    """How a number is made.

    Attributes:
        recipe: of the model.
        measure: of one stored model, see `measures`.
        scale: of the model where it is not the table's; "shipped" takes the stored model of the recipe's name, one seed.
        changes: of the recipe's fields, as `--set` writes them.
        encoder: changes of the encoder's recipe, where the model is a linear probe.
    """

    recipe: str
    measure: Measure
    scale: str | None = None
    changes: tuple[tuple[str, str], ...] = ()
    encoder: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """A claim of the paper: the number at `over` is above that at `under`, or not below it.

    Attributes:
        relation: "above" by more than the spread, or "not below" by more than it.
        within: takes the place of the spread.
    """

    claim: str
    over: Place
    under: Place
    relation: Literal["above", "not below"] = "above"
    within: float | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """A table or figure of a paper.

    Attributes:
        cells: by place; rows and columns appear in their order.
        paper: the paper's numbers, in our units (rates in [0, 1]).
        orders: what the paper claims.
        about: what differs from the paper, for every row's reader.
    """

    title: str
    source: str
    cells: dict[Place, Cell]
    paper: dict[Place, float]
    orders: tuple[Order, ...]
    about: str


def grid(systems: dict[str, str], columns: dict[str, Measure], **given: Any) -> dict[Place, Cell]:
    """The cells of a table whose rows are systems and whose columns are measures; `given` are further fields of each cell."""
    return {(row, column): Cell(recipe, m, **given) for row, recipe in systems.items() for column, m in columns.items()}


LINF = {"attack": "pgd", "norm": "linf", "radius": 0.2, "steps": 20}
"""The test attack of CEM Tables 3 and JEAT's rows on MNIST: PGD-20 with steps of a quarter of the radius."""

ACCURACY = {"natural": measures.evaluated("accuracy"), "robust": measures.evaluated("robust", **LINF)}
ON_MNIST = "MNIST in place of CIFAR-10, L∞ .2 in place of 8/255, a net of 104,000 weights: orders compare, numbers do not."

CEM_3 = Experiment(
    "Robustness of supervised adversarial training",
    "CEM Table 3, ResNet-18",
    grid(
        {"standard": "mnist-standard-linf", "AT": "mnist-at-linf", "TRADES": "mnist-trades", "AT+CR": "mnist-at-cr"}, ACCURACY
    ),
    {
        ("AT", "natural"): 0.837, ("AT", "robust"): 0.522, ("TRADES", "natural"): 0.825, ("TRADES", "robust"): 0.543,
        ("AT+CR", "natural"): 0.815, ("AT+CR", "robust"): 0.552,
    },
    (
        Order("AT is far more robust than standard training", ("AT", "robust"), ("standard", "robust")),
        Order("TRADES is not less robust than AT", ("TRADES", "robust"), ("AT", "robust"), "not below"),
        Order("AT+CR is not less robust than AT", ("AT+CR", "robust"), ("AT", "robust"), "not below"),
    ),
    ON_MNIST + " The weight of AT+CR is our choice.",
)  # fmt: skip


def attacked(attack: str, radius: float) -> Measure:
    """Accuracy under 20 steps of an attack in the L∞ ball."""
    return measures.evaluated("robust", attack=attack, norm="linf", radius=radius, steps=20)


RADII = {"": 0.2, ", ε .1": 0.1, ", ε .3": 0.3}

JEAT_1 = Experiment(
    "The energy attack on a standard net",
    "JEAT Table 1",
    {("no attack", "mnist"): Cell("mnist-standard-linf", measures.evaluated("accuracy"))}
    | {
        (f"{title} attack{where}", "mnist"): Cell("mnist-standard-linf", attacked(attack, radius))
        for where, radius in RADII.items()
        for title, attack in (("normal", "pgd"), ("energy", "energy"))
    }
    | {
        ("no attack", "cifar10"): Cell("cifar10-standard", measures.evaluated("accuracy"), "shipped"),
        ("normal attack", "cifar10"): Cell("cifar10-standard", attacked("pgd", 8 / 255), "shipped"),
        ("energy attack", "cifar10"): Cell("cifar10-standard", attacked("energy", 8 / 255), "shipped"),
    },
    {("no attack", "cifar10"): 0.9439, ("normal attack", "cifar10"): 0.0012, ("energy attack", "cifar10"): 0.0011},
    tuple(
        Order(
            f"the energy attack leaves at most one point more than the normal one: {data}{where}",
            (f"normal attack{where}", data), (f"energy attack{where}", data), "not below", 0.01,
        )
        for data, where in (("cifar10", ""), ("mnist", ", ε .3"), ("mnist", ""), ("mnist", ", ε .1"))
    ),
    "Both attacks take 20 steps of a quarter of the radius: L∞ 8/255 on CIFAR-10 as in the paper, with our small net, and .2 "
    "on MNIST, with half and one and a half times that beside it. Where the normal attack does not reach all, the energy "
    "attack, which climbs E(x, y) alone, reaches less.",
)  # fmt: skip

JEAT_SYSTEMS = {"standard": "mnist-standard-linf", "AT": "mnist-at-linf", "JEM": "mnist-jem", "JEAT": "mnist-jeat"}


def drawn_by(sampler: str, start: str = "uniform") -> dict[str, Measure]:
    """IS and FID of a model's samples, all with one budget; uniform noise is JEAT's start."""
    budget, where = measures.BUDGET | {"start": start}, "" if start == "uniform" else ", class Gaussians"
    return {f"{m.upper()}{where}": measures.evaluated(m, sampler=sampler, **budget) for m in ("is", "fid")}


SCORES = {
    "JFS": measures.evaluated("jfs"),
    "MFS": measures.evaluated("mfs"),
    "JFS at equal logit norm": measures.evaluated("jfs", equal_norm=True),
    "MFS at equal logit norm": measures.evaluated("mfs", equal_norm=True),
}
SMOOTH_SCORES = {"JFS, smooth net": measures.evaluated("jfs"), "MFS, smooth net": measures.evaluated("mfs")}
LEAKY = (("net_args", "activation:leaky"),)
"""The papers' nets are piecewise linear: the trace of JFS vanishes.  In smooth ones it outweighs the squared gradient."""

FALLING = tuple(
    Order(f"{score} falls from {a} to {b}", (a, score), (b, score))
    for score in ("JFS", "MFS")
    for a, b in (("standard", "AT"), ("AT", "JEM"), ("JEM", "JEAT"))
)

JEAT_2 = Experiment(
    "Fisher scores and sample quality",
    "JEAT Table 2",
    grid(JEAT_SYSTEMS, SCORES, changes=LEAKY)
    | grid(JEAT_SYSTEMS, SMOOTH_SCORES)
    | {
        (row, column): Cell(recipe, m)
        for row, recipe in JEAT_SYSTEMS.items()
        for column, m in drawn_by("jeat16" if row in ("standard", "AT") else "jeat17").items()
    },
    {
        ("standard", "JFS"): 6.97, ("AT", "JFS"): 2.83, ("JEM", "JFS"): 0.330, ("JEAT", "JFS"): 0.023,
        ("standard", "MFS"): 23.08, ("AT", "MFS"): 3.12, ("JEM", "MFS"): 1.44, ("JEAT", "MFS"): 0.15,
        ("AT", "IS"): 7.50, ("JEM", "IS"): 8.66, ("JEAT", "IS"): 8.80,
        ("AT", "FID"): 60.90, ("JEM", "FID"): 38.40, ("JEAT", "FID"): 38.24,
    },
    (
        *FALLING,
        Order("AT draws better than standard training (FID)", ("standard", "FID"), ("AT", "FID")),
        Order("JEM draws better than AT (FID)", ("AT", "FID"), ("JEM", "FID")),
        Order("JEAT draws no worse than JEM (FID)", ("JEM", "FID"), ("JEAT", "FID"), "not below"),
    ),
    ON_MNIST + " JFS and MFS rest on the same net with leaky ReLU, where they are exact, as in the paper; those of the smooth "
    "nets (traces by Hutchinson), which draw the samples, stand beside them. Standard and AT draw by (16), JEM and JEAT by "
    "(17), from uniform noise.",
)  # fmt: skip

JEAT_3 = Experiment(
    "Accuracy of hybrid models",
    "JEAT Table 3",
    grid(JEAT_SYSTEMS, ACCURACY),
    {("JEM", "natural"): 0.929, ("JEM", "robust"): 0.0611, ("JEAT", "natural"): 0.8516, ("JEAT", "robust"): 0.3055},
    (
        Order("JEAT is more robust than JEM", ("JEAT", "robust"), ("JEM", "robust")),
        Order("JEM is more accurate than JEAT", ("JEM", "natural"), ("JEAT", "natural")),
    ),
    ON_MNIST,
)  # fmt: skip

FIG_2 = {"standard": "mnist-standard-linf", "AT": "mnist-at-linf", "PreJEAT": "mnist-prejeat", "JEAT": "mnist-jeat"}
SHAPES = {name: measures.window(name) for name in ("range", "depth", "offset")}

JEAT_FIG_2 = Experiment(
    "Flatness of E(x, y) around real images",
    "JEAT Fig. 2",
    grid(FIG_2, SHAPES),
    {},
    tuple(
        Order(f"{what} falls from {a} to {b}", (a, what), (b, what))
        for what in ("range", "offset")
        for a, b in (("standard", "AT"), ("AT", "PreJEAT"), ("PreJEAT", "JEAT"))
    ),
    "100 test images, two random orthonormal directions each, L2 up to 6. range: highest minus lowest energy in the window; "
    "depth: the image's energy above the lowest; offset: how far the lowest lies. The paper shows one image and no numbers.",
)

FIG_3 = {
    "lowest ΔₓE(x, y)": measures.over_training("delta_x", "joint", "lowest"),
    "highest ΔθE(x, y)": measures.over_training("delta_theta", "joint", "highest"),
    "mean ΔₓE(x)": measures.over_training("delta_x", "marginal", "mean"),
    "mean ΔθE(x)": measures.over_training("delta_theta", "marginal", "mean"),
    "share ΔθE(x) > 0": measures.over_training("delta_theta", "marginal", "positive"),
    "share ΔθE(x, y) > 0": measures.over_training("delta_theta", "joint", "positive"),
}

JEAT_FIG_3 = Experiment(
    "What attacks and updates do to the energies during AT",
    "JEAT Fig. 3",
    grid({"AT": "mnist-at-linf"}, FIG_3) | {("zero", "energy"): Cell("mnist-at-linf", measures.constant(0.0))},
    {},
    (
        Order("attacks raise E(x, y) throughout", ("AT", "lowest ΔₓE(x, y)"), ("zero", "energy")),
        Order("updates lower E(x, y) throughout", ("zero", "energy"), ("AT", "highest ΔθE(x, y)")),
        Order("updates raise E(x) more often than E(x, y)", ("AT", "share ΔθE(x) > 0"), ("AT", "share ΔθE(x, y) > 0")),
    ),
    "Each probe looks at 64 images of a batch before and after its update; about 25 probes a run. " + ON_MNIST,
)

NOISE = {
    "standard": "mnist-standard-linf", "σ .1": "mnist-noise-10", "σ .2": "mnist-noise-20", "σ .4": "mnist-noise-40",
    "AT": "mnist-at-linf",
}  # fmt: skip
BY_17 = {"PreJEAT": "mnist-prejeat", "JEAT": "mnist-jeat"}

JEAT_FIG_5 = Experiment(
    "Noise gives standard training some of the same power",
    "JEAT Fig. 5",
    {
        place: cell
        for start in ("uniform", "class-gaussian")
        for place, cell in (grid(NOISE, drawn_by("jeat16", start)) | grid(BY_17, drawn_by("jeat17", start))).items()
    },
    {},
    tuple(
        Order(f"{b} draws better than {a} ({fid})", (a, fid), (b, fid))
        for fid in ("FID", "FID, class Gaussians")
        for a, b in (
            ("standard", "σ .1"), ("σ .1", "σ .2"), ("σ .2", "σ .4"), ("σ .4", "AT"), ("AT", "PreJEAT"), ("PreJEAT", "JEAT"),
        )
    ),
    "One budget, and one start a column: uniform noise, or class Gaussians, which lie nearer to digits. PreJEAT and JEAT draw "
    "by (17), the others by (16). The paper shows images only.",
)  # fmt: skip

WEIGHTS = ("0.01", "0.03", "0.1", "0.3")

CEM_25 = Experiment(
    "The weight of consistency regularisation: a small sweep",
    "CEM (25)",
    {("0 (AT)", column): Cell("mnist-at-linf", m) for column, m in ACCURACY.items()}
    | {
        (weight, column): Cell("mnist-at-cr", m, changes=(("objective_args", f"weight:{weight}"),))
        for weight in WEIGHTS
        for column, m in ACCURACY.items()
    },
    {},
    (),
    ON_MNIST + " The paper names no weight.",
)

CEM_4 = Experiment(
    "Robustness of unsupervised adversarial training, through a linear probe",
    "CEM Table 4",
    grid(
        {"standard": "mnist-simclr-probe", "UAT": "mnist-uat-linf-probe", "UAT+UCR": "mnist-uat-ucr-probe"},
        {
            "natural": measures.evaluated("accuracy"),
            "FGSM": measures.evaluated("robust", attack="fgsm", norm="linf", radius=0.2),
            "PGD20": measures.evaluated("robust", **LINF),
        },
    ),
    {
        ("UAT", "natural"): 0.666, ("UAT", "FGSM"): 0.262, ("UAT", "PGD20"): 0.214,
        ("UAT+UCR", "natural"): 0.720, ("UAT+UCR", "FGSM"): 0.307, ("UAT+UCR", "PGD20"): 0.246,
        ("standard", "natural"): 0.915, ("standard", "FGSM"): 0.256, ("standard", "PGD20"): 0.008,
    },
    (
        Order("UAT is far more robust than SimCLR (PGD-20)", ("UAT", "PGD20"), ("standard", "PGD20")),
        Order("UAT+UCR is not less robust than UAT (PGD-20)", ("UAT+UCR", "PGD20"), ("UAT", "PGD20"), "not below"),
        Order("UAT+UCR is not less accurate than UAT", ("UAT+UCR", "natural"), ("UAT", "natural"), "not below"),
    ),
    "MNIST in place of CIFAR-10, L∞ .2 in place of 8/255, encoders of 278,000 weights with 200 updates of 128 images: orders "
    "compare, numbers do not. standard is SimCLR; UAT is A2A. The weight of UCR is our choice.",
)  # fmt: skip

CEM_26 = Experiment(
    "The weight of unsupervised consistency regularisation: a small sweep",
    "CEM (26)",
    {("0 (UAT)", column): Cell("mnist-uat-linf-probe", m) for column, m in ACCURACY.items()}
    | {
        (weight, column): Cell("mnist-uat-ucr-probe", m, encoder=(("objective_args", f"weight:{weight}"),))
        for weight in ("0.03", "0.1", "0.3")
        for column, m in ACCURACY.items()
    },
    {},
    (),
    "MNIST, L∞ .2, linear probe, PGD-20. The paper names no weight.",
)

CEM_2_ROWS = {"TA": "ta", "Langevin": "langevin", "CS": "cs", "RCS": "rcs"}
PAIRED = {
    f"{title} {where}": {"sampler": sampler, "start": start}
    for where, start in (("uncond", "gaussian"), ("cond", "class-gaussian"))
    for title, sampler in (("PGD", "pgd"), ("MaxEnt", "maxent"))
}
"""Unsupervised rows: unconditional from one Gaussian of all images, conditional from class Gaussians."""
CEM_2_PAPER: dict[Place, float] = {
    (row, column): value
    for row, pair in {
        "TA": (9.26, 56.72), "Langevin": (9.65, 63.34), "CS": (9.77, 56.26), "RCS": (9.80, 55.91),
        "PGD uncond": (5.35, 74.27), "MaxEnt uncond": (8.24, 41.80), "PGD cond": (5.85, 68.54), "MaxEnt cond": (8.68, 36.44),
    }.items()
    for column, value in zip(("IS", "FID"), pair, strict=True)
}  # fmt: skip

CEM_2 = Experiment(
    "Sample quality of the samplers",
    "CEM Table 2; unsupervised rows with its ResNet-18",
    {
        (row, m.upper()): Cell("mnist-at", measures.evaluated(m, sampler=sampler), "shipped")
        for row, sampler in CEM_2_ROWS.items()
        for m in ("is", "fid")
    }
    | {
        (row, m.upper()): Cell("mnist-uat", measures.evaluated(m, **how), "shipped")
        for row, how in PAIRED.items()
        for m in ("is", "fid")
    },
    CEM_2_PAPER,
    (
        Order("RCS draws better than TA (FID)", ("TA", "FID"), ("RCS", "FID")),
        Order("CS draws better than TA (FID)", ("TA", "FID"), ("CS", "FID")),
        Order("MaxEnt draws better than PGD, unconditional (FID)", ("PGD uncond", "FID"), ("MaxEnt uncond", "FID")),
        Order("MaxEnt draws better than PGD, conditional (FID)", ("PGD cond", "FID"), ("MaxEnt cond", "FID")),
    ),
    "MNIST in place of CIFAR-10. Supervised: AT at L2 radius 2, class Gaussians as starts, CEM's protocol, α .5, β 6, η .01, "
    "K 20. Unsupervised: UAT (A2A) at L2 radius 1.5, batches of 250, α .7, no ball, η 0, K 30; unconditional from one Gaussian "
    "of all images, conditional from class Gaussians.",
)

EXPERIMENTS: dict[str, Experiment] = {
    "cem-2": CEM_2,
    "cem-3": CEM_3,
    "cem-4": CEM_4,
    "cem-25": CEM_25,
    "cem-26": CEM_26,
    "jeat-1": JEAT_1,
    "jeat-2": JEAT_2,
    "jeat-3": JEAT_3,
    "jeat-fig-2": JEAT_FIG_2,
    "jeat-fig-3": JEAT_FIG_3,
    "jeat-fig-5": JEAT_FIG_5,
}
