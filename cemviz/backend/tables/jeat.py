"""Tables and figures of JEAT (Zhu et al., ICCV 2021)."""

from typing import Any

from . import measures
from .cem import STILL, judges
from .measures import Measure
from .table import ACCURACY, BUDGET, ON_MNIST, Cell, Experiment, Order, Place, grid, real


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
            f"both attacks leave alike, within one point: {data}{where}",
            (f"energy attack{where}", data), (f"normal attack{where}", data), 0.01,
        )
        for data, where in (("cifar10", ""), ("mnist", ", ε .3"), ("mnist", ""), ("mnist", ", ε .1"))
    ),
    "The paper: almost the same attack effect; a point is our margin. "
    "Both attacks take 20 steps of a quarter of the radius: L∞ 8/255 on CIFAR-10 as in the paper, and .2 "
    "on MNIST, with half and one and a half times that beside it. Where the normal attack does not reach all, the energy "
    "attack, which climbs E(x, y) alone, reaches less.",
)  # fmt: skip

JEAT_SYSTEMS = {"standard": "mnist-standard-linf", "AT": "mnist-at-linf", "JEM": "mnist-jem", "JEAT": "mnist-jeat"}

DIFFERENT = {
    "JEM": "trained with a calming term of .02 and learning rate 5e-4, JEAT with none and 1e-3",
    "JEAT": "trained with no calming term and learning rate 1e-3, JEM with .02 and 5e-4",
}
"""Differences of the two runs beside their losses: our choice, since JEM drifts away without them."""


def seen_twice(column: str, metric: str, rows: dict[str, tuple[str, dict[str, Any]]]) -> dict[Place, Cell]:
    """Cells of a metric of what shipped models draw, as both judges see the same samples, and of real images.

    Args:
        rows: name -> the model, and fields of its `SampleRequest`.
    """
    return {
        (name, f"{column}{eye}"): Cell(model, measures.ends(metric, judge, **how), "shipped", note=DIFFERENT.get(name, ""))
        for name, (model, how) in rows.items()
        for eye, judge in judges("mnist").items()
    } | {
        ("real images", f"{column}{eye}"): real("mnist-standard-linf", metric, 500, extractor=judge)
        for eye, judge in judges("mnist").items()
    }  # fmt: skip


def still(start: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """The row of the starts alone."""
    return {"start, no step": ("mnist-standard-linf", {"sampler": "jeat16", "start": start} | STILL)}


def drawn_better(a: str, b: str, column: str) -> Order:
    """The claim that b draws better than a, by both judges."""
    sides = ((b, column), (a, column)) if column.startswith("IS") else ((a, column), (b, column))
    second = tuple((name, f"{title}, clean judge") for name, title in sides)
    return Order(f"{b} draws better than {a} ({column})", *sides, second=second)


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
    Order(f"{score.replace(', smooth net', ' of the smooth net')} falls from {a} to {b}", (a, score), (b, score))
    for score in ("JFS", "MFS", *SMOOTH_SCORES)
    for a, b in (("standard", "AT"), ("AT", "JEM"), ("JEM", "JEAT"))
)

BY = {"standard": "jeat16", "AT": "jeat16", "JEM": "jeat17", "JEAT": "jeat17"}
"""Sampler that each generator draws by."""

THEIRS = {"standard": "class-gaussian", "AT": "class-gaussian", "JEM": "uniform", "JEAT": "uniform"}
"""The paper's starts: its row AT is Santurkar et al.'s number, from class Gaussians."""

UNIFORM = ", uniform noise"
JEAT_2 = Experiment(
    "Fisher scores and sample quality",
    "JEAT Table 2",
    {
        (row, column): Cell(recipe, m, changes=changes, note=DIFFERENT.get(row, ""))
        for row, recipe in JEAT_SYSTEMS.items()
        for columns, changes in ((SCORES, LEAKY), (SMOOTH_SCORES, ()))
        for column, m in columns.items()
    }
    | {
        place: cell
        for where, starts in (("", THEIRS), (UNIFORM, dict.fromkeys(BY, "uniform")))
        for metric in ("is", "fid")
        for place, cell in seen_twice(
            f"{metric.upper()}{where}", metric,
            {row: (net, {"sampler": BY[row], "start": starts[row]} | BUDGET) for row, net in JEAT_SYSTEMS.items()}
            | still(starts["AT"]),
        ).items()
    },
    {
        ("standard", "JFS"): 6.97, ("AT", "JFS"): 2.83, ("JEM", "JFS"): 0.330, ("JEAT", "JFS"): 0.023,
        ("standard", "MFS"): 23.08, ("AT", "MFS"): 3.12, ("JEM", "MFS"): 1.44, ("JEAT", "MFS"): 0.15,
        ("AT", "IS"): 7.50, ("JEM", "IS"): 8.66, ("JEAT", "IS"): 8.80,
        ("AT", "FID"): 60.90, ("JEM", "FID"): 38.40, ("JEAT", "FID"): 38.24,
    },
    (
        *FALLING,
        *(
            drawn_better(a, b, column)
            for column in ("IS", "FID", f"IS{UNIFORM}", f"FID{UNIFORM}")
            for a, b in (("standard", "AT"), ("AT", "JEM"), ("JEM", "JEAT"))
            if not ((a, b) == ("JEM", "JEAT") and UNIFORM in column)  # the same numbers as without it
        ),
    ),
    ON_MNIST + " JFS and MFS rest on the same nets with leaky ReLU, where they are exact; those of the smooth nets (traces by "
    "Hutchinson), which draw the samples, stand beside them: the paper names no activation, and each has its own orders. "
    "IS and FID are of the shipped nets, one training each, drawn with three seeds, and a claim is decided where both judges "
    "agree: the usual one saw noisy images too in training and overlooks speckle, the clean one sees it. Standard and AT draw "
    "by (16), JEM and JEAT by (17), 40 steps. They take each row's start in the paper, class Gaussians for AT (Santurkar et "
    "al.'s number) and standard, uniform noise for JEM and JEAT; the columns beside them start all from uniform noise. The "
    "start without a step under IS and FID is that of class Gaussians.",
)  # fmt: skip

JEAT_3 = Experiment(
    "Accuracy of hybrid models",
    "JEAT Table 3",
    {
        (row, column): Cell(recipe, m, note=DIFFERENT.get(row, ""))
        for row, recipe in JEAT_SYSTEMS.items()
        for column, m in ACCURACY.items()
    },
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
        Order(f"{shape} falls from {a} to {b}", (a, shape), (b, shape))
        for shape in SHAPES
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
    grid({"AT": "mnist-at-linf"}, FIG_3),
    {},
    (
        Order("attacks raise E(x, y) throughout", ("AT", "lowest ΔₓE(x, y)"), 0.0),
        Order("updates lower E(x, y) throughout", 0.0, ("AT", "highest ΔθE(x, y)")),
        Order("updates raise E(x) more often than E(x, y)", ("AT", "share ΔθE(x) > 0"), ("AT", "share ΔθE(x, y) > 0")),
    ),
    "Each probe looks at 64 images of a batch before and after its update; about 25 probes a run. " + ON_MNIST,
)

NOISE = {
    "standard": ("mnist-standard-linf", "jeat16"), "σ .1": ("mnist-noise-10", "jeat16"), "σ .2": ("mnist-noise-20", "jeat16"),
    "σ .4": ("mnist-noise-40", "jeat16"), "AT": ("mnist-at-linf", "jeat16"), "PreJEAT": ("mnist-prejeat", "jeat17"),
    "JEAT": ("mnist-jeat", "jeat17"), 
}  # fmt: skip
"""Row of Fig. 5 -> net and sampler."""

JEAT_FIG_5 = Experiment(
    "Noise gives standard training some of the same power",
    "JEAT Fig. 5",
    {
        place: cell
        for where, start in (("", "uniform"), (", class Gaussians", "class-gaussian"))
        for place, cell in seen_twice(
            f"FID{where}", "fid",
            {row: (net, {"sampler": sampler, "start": start} | BUDGET) for row, (net, sampler) in NOISE.items()} | still(start),
        ).items()
    },
    {},
    tuple(
        drawn_better(a, b, fid)
        for fid in ("FID", "FID, class Gaussians")
        for a, b in (
            ("standard", "σ .1"), ("σ .1", "σ .2"), ("σ .2", "σ .4"), ("σ .4", "AT"), ("AT", "PreJEAT"), ("PreJEAT", "JEAT"),
        )
    ),
    "The shipped nets of MNIST, one training each; 500 chains of 40 steps, drawn with three seeds, and one start a column: "
    "uniform noise, or class Gaussians, which lie nearer to digits. Chains of (16) hardly move away from those, so compare "
    "each number with that of the starts. PreJEAT and JEAT draw by (17), the others by (16). A claim is decided where both "
    "judges agree: the usual one was trained on noisy images too and overlooks speckle, the clean one sees it. The paper shows "
    "images only.",
)  # fmt: skip
