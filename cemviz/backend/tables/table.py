"""Parts of a paper's table: places, how the number there is made, and what the paper claims of two of them."""

from dataclasses import dataclass
from typing import Any

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
        scale: of the model where it is not the table's; "shipped" takes the stored model of the recipe's name.
        changes: of the recipe's fields, as `--set` writes them.
        encoder: changes of the encoder's recipe, where the model is a linear probe.
        note: what a reader of this number has to know.
        again: the stored model is the first of several trainings, each of which draws with every seed of the table; the others
            are trained by its own recipe, in the folder of evidence.
    """

    recipe: str
    measure: Measure
    scale: str | None = None
    changes: tuple[tuple[str, str], ...] = ()
    encoder: tuple[tuple[str, str], ...] = ()
    note: str = ""
    again: bool = False

    @property
    def key(self) -> str:
        """Model and measurement in words: two cells of one key have the same number."""
        changes = [f"{k}={v}" for k, v in self.changes] + [f"encoder {k}={v}" for k, v in self.encoder]
        return " ".join([self.recipe, *changes, f"({self.scale})" if self.scale else "", self.measure.key]).replace("  ", " ")


@dataclass(frozen=True, slots=True)
class Order:
    """A claim of the paper, with the paper's own relation: the number at `over` is above that at `under`, or like it.

    Attributes:
        over, under: places, one of which may be a number that is known exactly.
        margin: the claim is that the two numbers are alike, and differ by less than this; None: that `over` is above.
        second: (over, under) as another judge sees the same samples, who has to agree.
    """

    claim: str
    over: Place | float
    under: Place | float
    margin: float | None = None
    second: tuple[Place, Place] | None = None


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


def grid(systems: dict[str, str], columns: dict[str, Measure], **options: Any) -> dict[Place, Cell]:
    """The cells of a table whose rows are systems and whose columns are measures; `options` are further fields of each cell."""
    return {(row, column): Cell(recipe, m, **options) for row, recipe in systems.items() for column, m in columns.items()}


def real(model: str, metric: str, count: int, **options: Any) -> Cell:
    """IS or FID of other real images of a stored model's data set: what no sampler can be asked to exceed."""
    return Cell(model, measures.real_images(metric, count, **options), "shipped", note="real images: no model draws them")


LINF = {"attack": "pgd", "norm": "linf", "radius": 0.2, "steps": 20}
"""The test attack of CEM Tables 3 and 4, (25), (26) and JEAT's rows on MNIST: PGD-20 with steps of a quarter of the radius."""

ACCURACY = {"natural": measures.evaluated("accuracy"), "robust": measures.evaluated("robust", **LINF)}
BUDGET = {"steps": 40}
"""Steps of every generator that is compared by JEAT's raw gradient: our choice, it names no η and no K."""

ON_MNIST = "MNIST in place of CIFAR-10, L∞ .2 in place of 8/255, a net of 104,000 weights: orders compare, numbers do not."
