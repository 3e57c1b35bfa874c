"""Helpers for the tests of the papers' tables: a toy table, and stored tables brought to what their experiments claim now."""

from dataclasses import replace

from cemviz.backend.device import choose
from cemviz.backend.requests import ReproduceRequest
from cemviz.backend.studio import Studio
from cemviz.backend.tables import EXPERIMENTS, Experiment, Order, judge
from cemviz.backend.tables.measures import Measure
from cemviz.backend.tables.reproduce import reproduce
from cemviz.backend.tables.rows import completed, row_of
from cemviz.backend.tables.table import grid
from cemviz.training.recipes import RECIPES, recipe

ROW = replace(
    recipe("mnist-at-linf", "evidence"), data="stripes", net="small-resnet", net_args={"width": 4}, steps=3, batch=12,
    images=None, attack_steps=1,
)  # fmt: skip


def toy(monkeypatch) -> list[str]:
    """A table of two systems on a tiny set, and a list of what was measured."""
    seen = []

    def counted(model, device, data, seed):
        seen.append(model)
        assert f"-{seed}" in model or "/" not in model, "a table's seed is that of the draws"
        value = {"a": 0.5, "b": 0.25}[model.split("/")[-1][0]] + seed / 100
        return {"value": value, "error": 0.02, "resampled": "images", "count": 7, "split": "test", "extractor": None}

    table = Experiment(
        "A table", "Paper 1", grid({"A": "a", "B": "b"}, {"natural": Measure("counted", counted)}),
        {("A", "natural"): 0.9},
        (
            Order("A above B", ("A", "natural"), ("B", "natural")),
            Order("B above A", ("B", "natural"), ("A", "natural")),
            Order("A above A", ("A", "natural"), ("A", "natural")),
        ),
        "toy",
    )  # fmt: skip
    monkeypatch.setitem(EXPERIMENTS, "toy", table)
    for name in "ab":
        monkeypatch.setitem(RECIPES, name, {"evidence": ROW})
    return seen


def run(**changes):
    *steps, table = reproduce(Studio(choose("cpu")), ReproduceRequest("toy", **changes))
    return steps, table


def revised(target: str, table: dict) -> dict:
    """A stored table with its spreads, notes and verdicts made anew, without measuring anything."""
    experiment, before = EXPERIMENTS[target], {(row["name"], row["column"]): row for row in table["rows"]}
    rows = completed([row_of(place, experiment, before.get(place)) for place in experiment.cells])
    head = {"table": target, "title": experiment.title, "source": experiment.source, "about": experiment.about}
    return table | head | {"rows": rows, "orders": judge(experiment.orders, rows)}
