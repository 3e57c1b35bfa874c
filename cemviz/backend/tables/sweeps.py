"""CEM's Figures 2 and 3 and Table 5: quality over K, eta and beta, one number at a time, the others at the sampler's own.

The numbers are looked at on the validation split, by two judges: the first saw clean images alone in training, the usual one
noisy ones too, and overlooks speckle.  A ball of radius 28 is none: no two images of MNIST lie farther apart.
"""

from dataclasses import dataclass
from typing import Any

from ...samplers import suited
from ..device import Device
from ..requests import NUMBERS, SweepRequest
from ..sample.boards import stored_sweep
from ..sample.columns import COLUMNS
from ..sample.swept import symbol
from ..studio import Studio
from .cem import draws_better
from .measures import RESAMPLED, Measure
from .table import Cell, Experiment, Order, Place, real

COUNT, DIAGONAL = 200, 28.0
"""Chains of a setting and seed; the diagonal of MNIST's box."""

JUDGES = {"": "mnist-judge-clean", ", usual judge": "mnist-judge"}
"""End of a column's title -> the judge; the first one's best settings make Table 5."""

COLUMN = {"IS": "is", "FID": "fid", "precision": "precision", "recall": "recall"}
"""Title of a column of a figure -> column of a sweep."""

STEPS, NOISES, RADII = (0, 5, 10, 20, 30, 40, 60, 100), (0, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1), (1, 2, 4, 6, 9, 14, DIAGONAL)


@dataclass(frozen=True, slots=True)
class Swept:
    """Chains whose numbers are swept one at a time.

    Attributes:
        axes: values of each number, by name.
    """

    model: str
    sampler: str
    start: str
    axes: dict[str, tuple[float, ...]]

    def cells(self, axis: str, judge: str, device: Device, data: str | None, seed: int) -> list[dict[str, Any]]:
        """The cells of a sweep over one number at a seed; a sweep that was made before is taken from where it is kept."""
        request = SweepRequest(
            self.model, self.sampler, count=COUNT, start=self.start, seed=seed,
            over=(axis,), values=(self.axes[axis],), metric=tuple(COLUMN.values()), judge=judge, seeds=1,
        )  # fmt: skip
        *_, artefact = stored_sweep(Studio(device, data), request)
        return artefact.head["cells"]

    def at(self, axis: str, value: float, metric: str, judge: str) -> Measure:
        """Quality where one number has this value."""

        def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
            cells = self.cells(axis, judge, device, data, seed)
            column = next(cell["columns"][metric] for cell in cells if cell["settings"][axis] == value)
            number = {"value": column["value"], "error": column["error"], "resampled": RESAMPLED.get(metric)}
            return rests(judge) | number | {"seed": seed}

        return Measure(f"{metric} {self._words(judge)} {axis}={value:g}", measure)

    def best(self, axis: str, metric: str) -> Measure:
        """The value of a number that draws best, of those that are swept."""
        pick, judge = max if COLUMNS[metric].better == "higher" else min, JUDGES[""]

        def measure(model: str, device: Device, data: str | None, seed: int) -> dict[str, Any]:
            cells = self.cells(axis, judge, device, data, seed)
            best = pick(cells, key=lambda cell: cell["columns"][metric]["value"])
            return rests(judge) | {"value": float(best["settings"][axis]), "error": None, "seed": seed}

        values = ", ".join(f"{value:g}" for value in self.axes[axis])
        return Measure(f"best {axis} of {values} by {metric} {self._words(judge)}", measure)

    def _words(self, judge: str) -> str:
        return f"sampler={self.sampler} start={self.start} count={COUNT} split=validation judge={judge}"


def rests(judge: str) -> dict[str, Any]:
    """Everything that a number of these tables rests on."""
    return {"count": COUNT, "split": "validation", "extractor": f"judge-{judge}", "note": ""}


RCS = Swept(
    "mnist-at", "rcs", "class-gaussian",
    {"steps": STEPS, "noise": NOISES, "radius": RADII, "step": (0.125, 0.25, 0.5, 1, 2, 4)},
)  # fmt: skip
MAXENT = Swept(
    "mnist-uat", "maxent", "gaussian",
    {"steps": STEPS, "noise": NOISES, "radius": RADII, "step": (0.175, 0.35, 0.7, 1.4, 2.8, 5.6)},
)  # fmt: skip


def row(axis: str, value: float) -> str:
    """Name of the row where a number has this value: K 20, no ball."""
    return "no ball" if (axis, value) == ("radius", DIAGONAL) else f"{symbol(axis)} {value:g}"


BEST = {"best by IS": "is", "best by FID": "fid"}
FIGURES, JUDGED = ("steps", "noise", "radius"), ("IS", "FID")
"""Numbers of a figure; the paper's two measures of quality, by which its claims are judged."""


def figure(swept: Swept) -> dict[Place, Cell]:
    """The cells of a figure: quality over K, eta, beta, and the best of each; real images beside them."""
    quality = {
        (row(axis, value), column + eye): Cell(swept.model, swept.at(axis, value, metric, judge), "shipped")
        for eye, judge in JUDGES.items()
        for axis in FIGURES
        for value in swept.axes[axis]
        for column, metric in COLUMN.items()
        if not eye or column in JUDGED
    }
    ceilings = {
        ("real images", column + eye): real(swept.model, COLUMN[column], COUNT, extractor=f"judge-{judge}", split="validation")
        for eye, judge in JUDGES.items()
        for column in JUDGED
    }
    return quality | ceilings | optima(swept, FIGURES)


def optima(swept: Swept, axes: tuple[str, ...]) -> dict[Place, Cell]:
    """The value of each number that draws best."""
    return {
        (f"best {symbol(axis)}", by): Cell(swept.model, swept.best(axis, metric), "shipped")
        for axis in axes
        for by, metric in BEST.items()
    }


def statements(*pairs: tuple[str, tuple[str, float], tuple[str, float]]) -> tuple[Order, ...]:
    """Claims by both measures, of a better and a worse place each."""
    return tuple(
        draws_better(
            f"{claim}: {row(*better)} draws better than {row(*worse)}", column, row(*better), row(*worse),
            f"{column}, usual judge",
        )
        for column in JUDGED
        for claim, better, worse in pairs
    )  # fmt: skip


PEAKS = (
    ("an optimal K exists", ("steps", 30), ("steps", 5)),
    ("an optimal K exists", ("steps", 30), ("steps", 100)),
    ("an optimal η exists", ("noise", 0.01), ("noise", 0)),
    ("an optimal η exists", ("noise", 0.01), ("noise", 0.1)),
)
"""The sweet spot that the paper sees in both figures, at K of 30 to 40 and η of .01, against a number on either side of it."""

OPTIMA: dict[Place, float] = {("best K", by): 35.0 for by in BEST} | {("best η", by): 0.01 for by in BEST}
"""Both figures, CEM C.2.1 and C.2.2: K "at around 30 to 40", here its middle; η "around 0.01 for both cases"."""

CONTRADICTS = (
    "The paper disagrees with itself: η of about .01 is optimal for both (C.2.2), and Table 5 has 0 for MaxEnt; K of 30 to 40 "
    "is optimal for both (C.2.1; here its middle), and Table 5 has 20 for RCS, 10 and 50 for MaxEnt."
)


def numbers(swept: Swept) -> str:
    """The numbers that stay while another is swept, in words."""
    dyn = suited(swept.sampler, (1, 28, 28))
    ball = "no ball" if dyn.radius > DIAGONAL else f"β {dyn.radius:g}"
    return f"α {dyn.step:g}, {ball}, η {dyn.noise:g}, K {dyn.steps}"


def about(swept: Swept) -> str:
    """Differences from the paper's figure."""
    return (
        f"MNIST in place of CIFAR-10, {swept.model} in place of ResNet-50; one number is swept, the others stay at "
        f"{numbers(swept)}; {COUNT} chains a setting and seed, the same under every setting, compared with as many validation "
        "images. The paper judges by Inception Score. The first judge saw clean images alone in training; the usual one saw "
        f"noisy ones too, and overlooks speckle. A claim is decided where both agree. K 0 is the starts alone. {CONTRADICTS}"
    )


CEM_FIG_2 = Experiment(
    "RCS over K, η and β",
    "CEM Figure 2",
    figure(RCS),
    OPTIMA,
    statements(
        *PEAKS,
        ("samples are refined as the ball grows", ("radius", 6), ("radius", 1)),
        ("a large ball is slightly worse", ("radius", 6), ("radius", DIAGONAL)),
    ),
    about(RCS),
)

CEM_FIG_3 = Experiment(
    "MaxEnt over K, η and β",
    "CEM Figure 3",
    figure(MAXENT),
    OPTIMA,
    statements(*PEAKS, ("samples are refined as the ball grows", ("radius", DIAGONAL), ("radius", 1))),
    about(MAXENT) + " Of a large ball the paper says that what happens to RCS does not happen here.",
)

CHOICES = {"RCS": (RCS, (1.0, 6.0, 0.01, 20.0)), "MaxEnt": (MAXENT, (7.0, 55.4, 0.0, 10.0))}
"""Table 5: ResNet-50 for RCS, ResNet-18 for MaxEnt, whose infinite ball is written as the diagonal of CIFAR-10's box."""

CEM_5 = Experiment(
    "The best setting of our sweeps",
    "CEM Table 5",
    {
        (f"{name}, {by}", symbol(axis)): Cell(swept.model, swept.best(axis, metric), "shipped")
        for name, (swept, _) in CHOICES.items()
        for by, metric in BEST.items()
        for axis in NUMBERS
    },
    {
        (f"{name}, {by}", symbol(axis)): value
        for name, (_, values) in CHOICES.items()
        for by in BEST
        for axis, value in zip(NUMBERS, values, strict=True)
    },
    (),
    f"One number is swept at a time on MNIST, the others stay at the sampler's own: {numbers(RCS)} for RCS on {RCS.model}, "
    f"{numbers(MAXENT)} for MaxEnt on {MAXENT.model}; ours is the mean over seeds of the value that draws best on the "
    "validation split, by the judge of clean images. Lengths on MNIST are half of CIFAR-10's: α 1 there is .5 here. β 55.4 "
    "stands for the paper's ∞, and 28 for no ball here: the diagonals of the boxes. MaxEnt's K is ResNet-18's; ResNet-50 takes "
    "50. α goes up to 4 for RCS and 5.6 for MaxEnt: where that is the best, more was better as far as we went. " + CONTRADICTS,
)
