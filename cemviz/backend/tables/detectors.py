"""Tables and figures of section 3.2 of the dissertation: detectors under attack, alone and behind a classifier.

All rest on stored models, and on test images in mixed order.  What needs nets that were not trained stands in the tables with
the paper's number and the reason.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ...adaptive import adam_pgd, auto_pgd
from ...attacks import Run, climb, threat, worst_of
from ...dynamics import Dynamics, State, descend
from ...energies import Energy, binary, negated, on
from ...evasion import EVASIONS, evade, rival
from ...metrics.detection import auc, auc_drop, auc_error, deceiving, fpr_at, generative, integrated, threshold_at
from ...nets.one_vs_rest import only
from ...square import square
from ..device import Device
from ..studio import Studio
from .measures import Measure, absent
from .table import Cell, Experiment, Order, Place

LINF, L2 = "mnist-detectors", "mnist-detectors-l2"
"""A net a class, trained in L∞ .3 and in L2 2.5."""

CLASSIFIER = "mnist-standard"
"""The net whose answers integrated detection looks at."""

COUNT, FEW, MANY = 500, 200, 5000
"""Test images of other classes, where an attack takes thousands of steps, and among which all of one class are looked for."""

LIFT = 1000.0
"""Added to an energy that random search shall go on lowering below 0, where Square itself rests."""


def random_search(energy: Energy, x0: Tensor, dyn: Dynamics, **how: Any) -> Iterator[State]:
    """Square's proposals, without a gradient, until the queries are spent."""
    for state in square(lambda x: energy(x).double() + LIFT, x0, dyn, **how):
        yield state._replace(energy=state.energy - LIFT)


RUNS: dict[str, Run] = {"steps": descend, "adam": adam_pgd, "auto": auto_pgd, "random": random_search}

STORED: dict[str, Any] = {"scale": "shipped"}
HERE = (
    "MNIST; nets of 30,000 weights a class, whose training attack takes 10 steps where the thesis takes 100; the attack of the "
    "table is the thesis' own. "
)
UNTRAINED = "no net of this threat model was trained here"
RIGHT = "the thesis' threat model, steps and sizes; {} test images of other classes in mixed order"


def images(studio: Studio, model: str, count: int) -> tuple[Tensor, Tensor, nn.Module]:
    """Test images, labels, and the net."""
    net, card = studio.model(model)
    test = studio.test_images(card.data, card.classes)
    some = test.first(count)
    return some.floats(), some.labels, net


def score(net: nn.Module, k: int) -> Energy:
    """f_k, the score of one detector alone."""
    return on(only(net, k), negated(binary))


def alone(
    k: int, norm: str, radius: float, steps: int, step: float, *, run: str = "steps", restarts: int = 1, count: int = COUNT
) -> Measure:
    """AUC of one detector: its class as it is against attacked images of the other classes."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        studio = Studio(device, data)
        x, y, net = images(studio, model, 2 * count)
        d = score(net, k)
        others = x[y != k][:count]
        with torch.no_grad():
            inside = d(x[y == k])
        dyn, draws = threat("pgd", norm, radius, steps, step), device.generator(seed)
        outside = -worst_of(restarts, d, others, dyn, run=RUNS[run], generator=draws).energy
        rest = {"count": len(others), "split": "test", "extractor": None, "seed": seed, "note": ""}
        return rest | {"value": auc(inside, outside), "error": auc_error(inside, outside), "resampled": "images"}

    return Measure(f"AUC of d_{k}{_told(norm, radius, steps, step, run, restarts)} count={count}", measure)


def lowered(
    k: int, norm: str, radius: float, steps: int, step: float, *, run: str = "steps", restarts: int = 1, count: int = FEW
) -> Measure:
    """By how much another attack lowers the AUC below that of `PLAIN`, on the same images."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        studio = Studio(device, data)
        x, y, net = images(studio, model, MANY)
        d = score(net, k)
        others = x[y != k][:count]
        with torch.no_grad():
            inside = torch.cat([d(part) for part in x[y == k].split(100)])
        ways = ((1, "steps", threat("pgd", norm, radius, **PLAIN)), (restarts, run, threat("pgd", norm, radius, steps, step)))
        plain, attacked = (
            -worst_of(times, d, others, dyn, run=RUNS[how], generator=device.generator(seed)).energy for times, how, dyn in ways
        )
        drop, error = auc_drop(inside, plain, attacked)
        rest = {"count": len(others), "split": "test", "extractor": None, "seed": seed, "note": ""}
        return rest | {"value": drop, "error": error, "resampled": "images"}

    return Measure(f"AUC of d_{k} lowered by{_told(norm, radius, steps, step, run, restarts)} count={count}", measure)


def _told(norm: str, radius: float, steps: int, step: float, run: str, restarts: int) -> str:
    how = {"steps": "", "adam": " Adam", "auto": " Auto-PGD", "random": " random search"}[run]
    again = f" restarts={restarts}" if restarts > 1 else ""
    return f"{how} norm={norm} radius={radius:g} steps={steps} step={step:g}{again}"


def passed(way: str, evasion: str, count: int = COUNT // 2, steps: int = 100) -> Measure:
    """FPR (3.29) at TPR .95 (3.28) of one way to decide under one attack, of test images."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        studio = Studio(device, data)
        x, y, net = images(studio, model, count)
        card, (other, _) = studio.cards()[model], studio.model(CLASSIFIER)
        dyn = threat("pgd", card.norm, card.radius, steps, 2.5 * card.radius / steps)
        parts = enumerate(zip(x.split(50), y.split(50), strict=True))
        at = torch.cat([
            evade(EVASIONS[evasion], other, net, some, labels, dyn, generator=device.generator(1000 * seed + i))
            for i, (some, labels) in parts
        ])  # fmt: skip
        with torch.no_grad():
            clean = integrated(other(x), net(x)) if way == "integrated" else generative(net(x))
            moved = integrated(other(at), net(at)) if way == "integrated" else generative(net(at))
        value = fpr_at(0.95, clean.score, deceiving(moved, y))
        return {"value": value, "count": len(x), "split": "test", "extractor": None, "seed": seed, "note": ""}

    return Measure(f"FPR at TPR .95 {way} under {evasion} steps={steps} count={count}", measure, rate=True)


LONGEST, HALVINGS, SEARCH = 14.0, 8, 100
"""Longest change that is looked at, L2; bisections of it, and steps of each attack."""


def distortion(count: int = 50) -> Measure:
    """Mean L2 length of the smallest change that makes generative detection pass an image as another class, at TPR .95."""

    def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
        studio = Studio(device, data)
        x, y, net = images(studio, model, COUNT)
        with torch.no_grad():
            limit = threshold_at(0.95, generative(net(x)).score)
        x, y = x[:count], y[:count]
        low, high = torch.zeros(count, device=x.device), torch.full((count,), LONGEST, device=x.device)
        draws = device.generator(seed)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            passes = torch.zeros_like(middle, dtype=torch.bool)
            for i, reach in enumerate(middle.tolist()):
                dyn = threat("pgd", "l2", reach, SEARCH, 2.5 * reach / SEARCH)
                one, label = x[i : i + 1], y[i : i + 1]
                *_, last = climb(lambda at, label=label: -rival(net(at), label), one, dyn, start=one, generator=draws)
                with torch.no_grad():
                    decided = generative(net(last.x))
                passes[i] = bool(deceiving(decided, label) >= limit)
            low, high = torch.where(passes, low, middle), torch.where(passes, middle, high)
        note = f"{int((high == LONGEST).sum())} of {count} not passed at {LONGEST:g}" if (high == LONGEST).any() else ""
        error = high.std().item() / count**0.5
        rest = {"count": count, "split": "test", "extractor": None, "seed": seed, "note": note}
        return rest | {"value": high.mean().item(), "error": error, "resampled": "images"}

    return Measure(f"mean L2 distortion at TPR .95 count={count} steps={SEARCH} halvings={HALVINGS}", measure)


def both_detectors(paper: dict[Place, tuple[float, float]], cells: dict[Place, tuple[str, Any] | None]) -> tuple[Any, Any]:
    """Cells and the paper's numbers of d_1 and d_2, the detectors of 0 and 1.

    Args:
        paper: (row, model) -> AUC of d_1 and d_2.
        cells: (row, model) -> (recipe, k -> measure), or None where no such net was trained.
    """
    made: dict[Place, Cell] = {}
    told: dict[Place, float] = {}
    for (name, column), values in paper.items():
        for k, value in enumerate(values):
            at, given = (name, f"{column}, d_{k + 1}"), cells[name, column]
            told[at] = value
            made[at] = Cell(LINF, absent(UNTRAINED), **STORED) if given is None else Cell(given[0], given[1](k), **STORED)
    return made, told


def steps_of(run: str, values: dict[str, tuple[tuple[float, float], ...]]) -> tuple[Any, Any]:
    """Tables 3.2 and 3.3: both L∞ models and both L2 models under few long steps, and under many short ones."""
    linf, l2 = ("200, 0.01", "2000, 0.005"), ("200, 0.1", "2000, 0.05")
    paper, cells = {}, {}
    for column, numbers in values.items():
        norm = "l2" if column.startswith("L2") else "linf"
        for name, pair in zip(l2 if norm == "l2" else linf, numbers, strict=True):
            steps, step = int(name.split(",")[0]), float(name.split(",")[1])
            recipe, radius = (L2, 2.5) if norm == "l2" else (LINF, 0.3)
            count = COUNT if steps < 1000 else FEW
            trained = column in ("L∞ .3", "L2 2.5")
            paper[name, column] = pair
            cells[name, column] = (
                (recipe, lambda k, a=(norm, radius, steps, step), n=count: alone(k, *a, run=run, count=n)) if trained else None
            )
    return both_detectors(paper, cells)


T_3_2, PAPER_3_2 = steps_of(
    "adam",
    {
        "L∞ .3": ((0.99959, 0.99971), (0.99958, 0.99971)),
        "L∞ .5": ((0.99830, 0.99869), (0.99796, 0.99861)),
        "L2 2.5": ((0.99962, 0.99968), (0.99927, 0.99900)),
        "L2 5": ((0.99578, 0.99987), (0.99529, 0.99918)),
    },
)
T_3_3, PAPER_3_3 = steps_of(
    "steps",
    {
        "L∞ .3": ((0.99962, 0.99973), (0.99959, 0.99971)),
        "L∞ .5": ((0.99820, 0.99901), (0.99795, 0.99872)),
        "L2 2.5": ((0.99906, 0.99916), (0.99855, 0.99883)),
        "L2 5": ((0.99960, 0.99997), (0.99237, 0.99994)),
    },
)


def holds_under_more(column: str, few: str, many: str) -> tuple[Order, ...]:
    """The claim of Tables 3.2 and 3.3: ten times as many steps change nothing; .002 is our margin."""
    return tuple(
        Order(f"{column}, d_{k}: more and shorter steps change nothing (within .002)", (few, f"{column}, d_{k}"),
              (many, f"{column}, d_{k}"), 0.002)
        for k in (1, 2)
    )  # fmt: skip


SAME = holds_under_more("L∞ .3", "200, 0.01", "2000, 0.005") + holds_under_more("L2 2.5", "200, 0.1", "2000, 0.05")

THESIS_3_2 = Experiment(
    "Detectors under PGD with Adam", "thesis Table 3.2", T_3_2, PAPER_3_2, SAME,
    "AUC of the first two detectors, those of 0 and 1, against attacked images of the other classes: " + HERE,
)  # fmt: skip
THESIS_3_3 = Experiment(
    "Detectors under PGD with normalised steps", "thesis Table 3.3", T_3_3, PAPER_3_3, SAME,
    "AUC of the first two detectors, those of 0 and 1, against attacked images of the other classes: " + HERE,
)  # fmt: skip

CROSSED: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "L∞ .3": ((0.99959, 0.99966, 0.99927, 0.99925), (0.99971, 0.99967, 0.99949, 0.99984)),
    "L∞ .5": ((0.99436, 0.9983, 0.99339, 0.99767), (0.99778, 0.99869, 0.99397, 0.99961)),
    "L2 2.5": ((0.99974, 0.99969, 0.99962, 0.99944), (0.99965, 0.99955, 0.99968, 0.99987)),
    "L2 5": ((0.96421, 0.98816, 0.97747, 0.99577), (0.98268, 0.98687, 0.98117, 0.99986)),
}
"""Attack -> AUC of d_1 and of d_2 trained in L∞ .3, L∞ .5, L2 2.5, L2 5."""

ATTACKED = {"L∞ .3": ("linf", 0.3, 200, 0.01), "L∞ .5": ("linf", 0.5, 200, 0.01), "L2 2.5": ("l2", 2.5, 200, 0.1),
            "L2 5": ("l2", 5.0, 200, 0.1)}  # fmt: skip
TRAINED = {"L∞ .3": LINF, "L∞ .5": None, "L2 2.5": L2, "L2 5": None}


def crossed() -> tuple[Any, Any]:
    """Table 3.4."""
    paper = {
        (f"attack {attack}", model): (first[i], second[i])
        for attack, (first, second) in CROSSED.items()
        for i, model in enumerate(TRAINED)
    }
    cells = {
        (f"attack {attack}", model): recipe and (recipe, lambda k, a=numbers: alone(k, *a))
        for attack, numbers in ATTACKED.items()
        for model, recipe in TRAINED.items()
    }
    return both_detectors(paper, cells)


THESIS_3_4 = Experiment(
    "Detectors under attacks of another norm and radius", "thesis Table 3.4", *crossed(),
    (),
    "AUC under 200 steps of .01 (L∞) and .1 (L2): rows are attacks, columns what a detector was trained against. " + HERE,
)  # fmt: skip

THESIS_3_5 = Experiment(
    "Detectors under restarts", "thesis Table 3.5",
    {
        ("one start", "L∞ .3"): Cell(LINF, alone(0, "linf", 0.3, 200, 0.01, count=FEW), **STORED),
        ("5 restarts", "L∞ .3"): Cell(LINF, alone(0, "linf", 0.3, 200, 0.01, restarts=5, count=FEW), **STORED),
        ("5 restarts of Auto-PGD", "L∞ .3"): Cell(
            LINF, alone(0, "linf", 0.3, 100, 0.6, run="auto", restarts=5, count=FEW), **STORED
        ),
        ("one start", "L2 2.5"): Cell(L2, alone(0, "l2", 2.5, 200, 0.1, count=FEW), **STORED),
        ("5 restarts", "L2 2.5"): Cell(L2, alone(0, "l2", 2.5, 200, 0.1, restarts=5, count=FEW), **STORED),
        ("one start", "L∞ .5"): Cell(LINF, absent(UNTRAINED), **STORED),
        ("50 restarts", "L∞ .5"): Cell(LINF, absent(UNTRAINED), **STORED),
        ("one start", "L2 5"): Cell(L2, absent(UNTRAINED), **STORED),
        ("50 restarts", "L2 5"): Cell(L2, absent(UNTRAINED), **STORED),
    },
    {
        ("one start", "L∞ .5"): 0.99830, ("50 restarts", "L∞ .5"): 0.99776, ("one start", "L2 5"): 0.99578,
        ("50 restarts", "L2 5"): 0.99501,
    },
    tuple(
        Order(f"{model}: restarts change nothing (within .002)", ("one start", model), ("5 restarts", model), 0.002)
        for model in ("L∞ .3", "L2 2.5")
    ),
    "AUC of the detector of 0. The thesis: 50 restarts, nets of L∞ .5 and L2 5. " + HERE,
)  # fmt: skip

PLAIN: dict[str, Any] = {"steps": 200, "step": 0.01}
"""The thesis' attack of Table 3.3."""

STRONGER: dict[str, dict[str, Any]] = {
    "5 restarts": PLAIN | {"restarts": 5},
    "Adam": PLAIN | {"run": "adam"},
    "random search, 5,000 queries": {"steps": 5000, "step": 0.6, "run": "random"},
}
"""Attack that might be stronger -> how it is made."""

EVERY = Experiment(
    "All ten detectors under 200 steps, and what restarts, Adam and random search add",
    "ours, after thesis Tables 3.2, 3.3 and 3.5",
    {
        (f"d_{k + 1} ({k})", column): Cell(LINF, measure, **STORED)
        for k in range(10)
        for column, measure in {
            "PGD 200 x .01": alone(k, "linf", 0.3, **PLAIN),
            "Auto-PGD 100": alone(k, "linf", 0.3, 100, 0.6, run="auto"),
            **{f"lowered by {name}": lowered(k, "linf", 0.3, **how) for name, how in STRONGER.items()},
        }.items()
    },
    {},
    tuple(
        Order(f"d_{k + 1}: {name} lowers it by less than .002", 0.002, (f"d_{k + 1} ({k})", f"lowered by {name}"))
        for k in range(10)
        for name in STRONGER
    ),
    "The thesis tells of the first two. The last columns are AUC under PGD minus AUC under the attack, of the same 200 images: "
    "below 0 the attack is the weaker one. Random search takes no gradient: it makes Square's proposals. " + HERE,
)  # fmt: skip

THESIS_3_6 = Experiment(
    "How far an image is moved until generative detection passes it", "thesis Table 3.6",
    {
        ("Ours, trained in L∞ .3", "L2"): Cell(LINF, distortion(), **STORED),
        ("Ours, trained in L2 2.5", "L2"): Cell(L2, distortion(), **STORED, note="not in the thesis' table"),
        ("Ours, trained in L∞ .5", "L2"): Cell(LINF, absent(UNTRAINED), **STORED),
        ("State-of-the-art [22]", "L2"): Cell(LINF, absent("another project's detector"), **STORED),
    },
    {
        ("Ours, trained in L∞ .3", "L2"): 4.40, ("Ours, trained in L∞ .5", "L2"): 5.65, ("State-of-the-art [22]", "L2"): 3.68,
    },
    (Order("images are moved farther than past earlier detectors, by 3.68", ("Ours, trained in L∞ .3", "L2"), 3.68),),
    "Mean L2 length of the smallest change that makes it pass as another class, at TPR .95. Our reading of FPR 1.0: each image "
    f"has a smallest radius, found by bisection, {SEARCH} steps an attack. " + HERE,
)  # fmt: skip

WAYS = {
    "integrated, attack (3.30)": ("integrated", "classifier"),
    "integrated, attack (3.32)": ("integrated", "detectors"),
    "integrated, attack (3.34)": ("integrated", "joined"),
    "integrated, attack (3.35)": ("integrated", "staged"),
    "generative, attack (3.32)": ("generative", "detectors"),
}
THESIS_FIG_3_2 = Experiment(
    "Integrated and generative detection, each under its attacks", "thesis Figure 3.2",
    {(name, "FPR at TPR .95"): Cell(LINF, passed(*way), **STORED) for name, way in WAYS.items()},
    {},
    (
        Order("what fools the classifier alone is detected: fewer than 1 % pass", 0.01,
              ("integrated, attack (3.30)", "FPR at TPR .95")),
        Order("(3.35) is the stronger of the combined attacks", ("integrated, attack (3.35)", "FPR at TPR .95"),
              ("integrated, attack (3.34)", "FPR at TPR .95")),
        Order("generative detection lets fewer pass, each under its strongest attack",
              ("integrated, attack (3.35)", "FPR at TPR .95"), ("generative, attack (3.32)", "FPR at TPR .95")),
    ),
    "The thesis shows curves; here is one point of each, and the Detect tab has the curves. The classifier is "
    f"{CLASSIFIER}; L∞ .3, 100 steps of 2.5 ε / 100. " + HERE,
)  # fmt: skip
