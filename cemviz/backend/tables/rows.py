"""Rows of a table: a number with everything that it rests on, from measurements or from a table that was stored before."""

from math import isfinite
from statistics import mean, stdev
from typing import Any

from .table import Cell, Experiment, Place
from .verdicts import Row, binomial, digits, joined

UNMEASURED = "not measured yet"
NO_NUMBER = "the paper gives no number here"
FOREIGN = "is not the paper's extractor: do not compare the two numbers"
BORROWED = "real images"


def measured(place: Place, experiment: Experiment, values: list[dict[str, Any]], scale: str) -> Row:
    """Row of a place from its numbers, one a seed.

    Args:
        values: as a `Measure` gives them, at least one; of a cell that is trained `again` with the seed of each "training",
            whose draws count as their mean.
        scale: of the models; "shipped": all of them are of one model, unless it is trained again.
    """
    cell, first = experiment.cells[place], values[0]
    if not all(isfinite(value["value"]) for value in values):
        return row_of(place, experiment, None, "a seed gave no finite number")
    trainings = dict.fromkeys(value.get("training", k) for k, value in enumerate(values))
    draws = len(values) // len(trainings)
    numbers = [mean(v["value"] for k, v in enumerate(values) if v.get("training", k) == seed) for seed in trainings]
    errors = [error for value in values if (error := value.get("error"))]
    each = f"each training drew with {draws} seeds" if cell.again and draws > 1 else ""
    rest = {
        "values": [digits(number) for number in numbers],
        "seeds": 1 if scale == "shipped" and not cell.again else len(numbers),
        "draws": draws if cell.again else len(numbers) if cell.measure.seeded else 1,
        "split": first.get("split"),
        "extractor": first.get("extractor"),
        "scale": scale,
        "measure": cell.key,
        "note": "; ".join(part for part in (first.get("note"), each) if part),
    }
    number = _number(
        cell,
        mean(numbers),
        stdev(numbers) if len(numbers) > 1 else None,
        mean(error**2 for error in errors) ** 0.5 if errors else None,
        first.get("resampled"),
        first.get("count"),
    )
    return _noted(_filled(place, experiment) | number | rest, experiment)


def _filled(place: Place, experiment: Experiment) -> Row:
    return {"name": place[0], "column": place[1], "paper": experiment.paper.get(place)}


def _number(
    cell: Cell, ours: float, deviation: float | None, error: float | None, resampled: str | None, count: int | None
) -> Row:
    """The fields of a row that tell a number and how far it scatters: of what is written, so that a table read is the same."""
    ours, deviation, error = digits(ours), digits(deviation), digits(error)
    if cell.measure.rate and count:
        error, resampled = binomial(ours, count), "binomial"
    return {
        "ours": ours,
        "spread": digits(joined(deviation, error)),
        "deviation": deviation,
        "error": digits(error),
        "resampled": resampled if error else None,
        "count": count,
    }


def _failed(row: Row) -> str:
    """A sentence where a run has failed: seeds that lie farther apart than their mean is large draw no one thing."""
    if row["extractor"] is None or row["seeds"] < 3 or row["deviation"] is None or row["deviation"] <= abs(row["ours"]) / 2:
        return ""
    each = f" ({', '.join(f'{number:.3g}' for number in row['values'])})" if row["values"] else ""
    return f"one seed or more has failed, and the mean is the number of none{each}"


def _noted(row: Row, experiment: Experiment) -> Row:
    """A row with everything that there is to say about its number: what was told when it was measured, then what follows."""
    foreign = row["extractor"] not in (None, "inception") and row["paper"] is not None
    cell = experiment.cells[row["name"], row["column"]]
    notes = [
        *(part for part in row["note"].split("; ") if part != NO_NUMBER and not part.endswith(FOREIGN)),
        _failed(row) if row["ours"] is not None else "",
        *cell.note.split("; "),
        NO_NUMBER if row["paper"] is None else "",
        f"{row['extractor']} {FOREIGN}" if foreign else "",
    ]
    return row | {"note": "; ".join(dict.fromkeys(note for note in notes if note))}


def row_of(place: Place, experiment: Experiment, row: Row | None, reason: str | None = None) -> Row:
    """The row of a place from a stored one, or one without a number, for a reason."""
    cell = experiment.cells[place]
    if row is None or row["ours"] is None or row["measure"] != cell.key:
        nothing = dict.fromkeys(("ours", "spread", "deviation", "error", "resampled", "count", "values"))
        rest = {"seeds": 0, "draws": 0, "split": None, "extractor": None, "scale": cell.scale, "measure": cell.key}
        before = row["note"] if row is not None and row["ours"] is None else ""
        return _noted(_filled(place, experiment) | nothing | rest | {"note": reason or before or UNMEASURED}, experiment)
    number = _number(cell, row["ours"], *(row[k] for k in ("deviation", "error", "resampled", "count")))
    rest = {k: row[k] for k in ("values", "seeds", "draws", "split", "extractor", "scale", "measure", "note")}
    return _noted(_filled(place, experiment) | number | rest, experiment)


def completed(rows: list[Row]) -> list[Row]:
    """Rows whose spread was the deviation over trainings alone, all drawn with one seed, joined with what draws would add.

    That is at least the error of as many real images in the same column, seen by the same extractor.  A row that has no
    deviation either gets none: a lower bound alone is no spread.
    """
    real = {row["column"]: row for row in rows if row["name"] == "real images" and row["error"]}

    def complete(row: Row) -> Row:
        like = real.get(row["column"])
        alone = row["extractor"] is not None and row["deviation"] and row["resampled"] in (None, BORROWED)
        if like is None or not alone or any(row[k] != like[k] for k in ("extractor", "count")):
            return row
        return row | {"spread": digits(joined(row["deviation"], like["error"])), "error": like["error"], "resampled": BORROWED}

    return [complete(row) for row in rows]
