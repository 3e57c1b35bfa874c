"""Make a table of the papers: train what is missing, measure it, and compare orders.

A cell is measured on models trained anew at scale `evidence`, over several seeds, each of which also samples and attacks with
its own seed; a stored model is one training, which samples and attacks with each seed.  What is trained and what is measured
stays on disk, so that a run goes on where it stopped.  Tables land in checkpoints/results/TARGET.json, which ships; models do
not.
"""

import json
import re
from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...training.recipes import recipe
from .. import store
from ..checks import BadInput
from ..device import Device
from ..requests import ReproduceRequest, TrainRequest
from ..stored import files
from ..studio import Studio
from ..train import states
from ..train.run import Model, Trained, train
from ..train.states import AnotherRun
from ..use_case import Step
from . import EXPERIMENTS, Cell, Experiment, Place, judge
from .measures import Absent
from .rows import completed, measured, row_of


def reproduce(studio: Studio, request: ReproduceRequest) -> Iterator[Step | dict[str, Any]]:
    """Train what is missing, measure what is not measured yet, and compare with the paper.

    Yields:
        steps, then the table: {table, title, source, date, command, rows, orders, about}, also written to
        checkpoints/results/TARGET.json.
    Raises:
        BadInput, KeyError, DataMissing, Diverged, and before any work Unwritable.
    """
    experiment = EXPERIMENTS[request.target]
    store.check_place(results_path(request.target))
    measures: dict[Place, list[dict[str, Any]]] = {place: [] for place in experiment.cells}
    lacking: dict[Place, str] = {}
    seeds = range(request.seeds)
    work = [(place, cell, seed) for place, cell in experiment.cells.items() for seed in seeds if _wanted(cell, request, seed)]
    for count, (place, cell, seed) in enumerate(sorted(work, key=lambda job: job[2])):  # a whole table first, then more seeds
        yield (at := Step(count, len(work), f"{place[0]}, {place[1]}, seed {seed}"))
        try:
            model = yield from _model(studio, cell, request, seed, at)
            for draw in seeds if cell.again and cell.measure.seeded else [seed]:
                number = _measured(model, cell, studio.device, request.data or studio.data, draw)
                measures[place].append(number | ({"training": seed} if cell.again else {}))
        except (BadInput, Absent) as error:  # a judge that is not here yet, or what cannot be made: the row says so
            if isinstance(error, BadInput) and error.field != "extractor":
                raise
            lacking[place] = str(error)
    if work and not any(measures.values()):
        raise BadInput("target", f"no row of {request.target} could be measured: {next(iter(lacking.values()))}")
    table = _table(request, experiment, measures, lacking)
    store.write_json(results_path(request.target), table, indent=1)
    yield table


def _wanted(cell: Cell, request: ReproduceRequest, seed: int) -> bool:
    """Whether a cell is measured at a seed."""
    if _scale(cell, request) == "shipped" and (seed == 0 or not cell.again):
        return seed == 0 or cell.measure.seeded
    if request.shipped:
        return False
    return not request.keep and (seed == 0 or not request.present or _there(_name(cell, request, seed)))


def results_path(target: str) -> Path:
    """Where a table lies."""
    return store.folder() / "results" / f"{target}.json"


def results() -> dict[str, dict[str, Any]]:
    """The tables that were made, by target, in the order of EXPERIMENTS."""
    paths = {target: results_path(target) for target in EXPERIMENTS}
    return {target: _read(path, *files.version(path)) for target, path in paths.items() if path.is_file()}


@lru_cache(maxsize=256)
def _read(path: Path, *version: int) -> dict[str, Any]:
    """A table, read once for each version of its file: who reads it changes nothing in it."""
    return json.loads(path.read_text(encoding="utf-8"))


def as_text(table: dict[str, Any]) -> Iterator[str]:
    """A table as lines for a terminal: what the paper says, what we measured, and how its claims stand, decided ones first."""
    yield f"{table['title']} ({table['source']})"
    yield table["about"]
    width = max(len(f"{row['name']}, {row['column']}") for row in table["rows"])
    for row in table["rows"]:
        paper = "-" if row["paper"] is None else f"{row['paper']:g}"
        ours = "-" if row["ours"] is None else f"{row['ours']:g}"
        spread = "" if row["spread"] is None else f" ± {row['spread']:.2g}"
        rest = "; ".join(part for part in (rests_on(row), row["extractor"] or "", row["note"]) if part)
        yield f"  {row['name'] + ', ' + row['column']:<{width}}  paper {paper:>7}  ours {ours}{spread}  ({rest})"
    for order in sorted(table["orders"], key=lambda order: order["holds"] is None):
        judges = [order, order["second"]] if "second" in order else [order]
        yield f"  {STANDING[order['holds']]}: {order['claim']} ({'; second judge: '.join(map(_by, judges))})"


def _by(side: dict[str, Any]) -> str:
    by = "not measured" if side["by"] is None else f"by {side['by']:g}"
    scatter = "no spread" if side["spread"] is None else f"± {side['spread']:.2g}"
    return f"{by}, {scatter}"


STANDING = {True: "holds", False: "DOES NOT HOLD", None: "undecided"}


def rests_on(row: dict[str, Any]) -> str:
    """How many trainings a number rests on and, where it is drawn, on how many seeds of draws and attacks."""
    draws = row.get("draws") or 0
    trained = f"{row['seeds']} training{'s' * (row['seeds'] != 1)}"
    return f"{trained}, {draws} seeds of draws" if draws > 1 and row["seeds"] == 1 else trained


def _model(studio: Studio, cell: Cell, request: ReproduceRequest, seed: int, at: Step) -> Generator[Step, None, str]:
    """The name of the model of a cell, trained first where it is missing."""
    if _scale(cell, request) == "shipped" and (seed == 0 or not cell.again):
        return cell.recipe
    name, changes = _name(cell, request, seed), dict(cell.changes)
    if not _there(name):
        scale = _scale(cell, request)
        encoder = recipe(cell.recipe, scale).encoder
        if encoder is not None:  # a linear probe: the encoder of the same seed comes first
            below = Cell(encoder, cell.measure, cell.scale, cell.encoder)
            changes["encoder"] = yield from _model(studio, below, request, seed, at)
        training = TrainRequest(cell.recipe, scale, name, seed, changes or None, request.data, resume=True)
        for item in _trained(studio, training):
            if isinstance(item, Trained) and item.done % 10 == 0:
                yield replace(at, doing=f"training {name} ({item.done}/{item.total}, {item.left / 60:.1f} min left)")
    return name


def _trained(studio: Studio, request: TrainRequest) -> Iterator[Trained | Model]:
    """Go on with an interrupted run; one that the code or the recipe has left behind begins anew."""
    try:
        yield from train(studio, request)
    except AnotherRun:
        states.path(str(request.out)).unlink()
        yield from train(studio, request)


def _scale(cell: Cell, request: ReproduceRequest) -> str:
    """Scale of a cell's models; "shipped" is the stored model of its recipe's name."""
    return "shipped" if request.shipped else cell.scale or request.scale


def _there(name: str) -> bool:
    return (store.folder() / f"{name}.json").is_file()


def _name(cell: Cell, request: ReproduceRequest, seed: int) -> str:
    """Name of an evidence model: what tells it from the others."""
    scale = _scale(cell, request)
    parts = [cell.recipe, *([] if scale == "evidence" else [scale]), str(seed)]
    parts += [re.sub(r"[^A-Za-z0-9.]", "", value) for _, value in (*cell.changes, *cell.encoder)]
    return "evidence/" + "-".join(parts)


def _measured(model: str, cell: Cell, device: Device, data: str | None, seed: int) -> dict[str, Any]:
    """A cell's number on one model at a seed; kept on the card of an evidence model, which a new training replaces."""
    key = cell.measure.kept_under(seed)
    stored = store.read_card(model).metrics.get(key)
    if stored is not None and stored.get("judge") == _judge(stored):
        return stored
    value = cell.measure.run(model, device, data, seed)
    value |= {"judge": _judge(value)}
    if model.startswith("evidence/"):
        store.with_metric(model, key, value)
    return value


def _judge(value: dict[str, Any]) -> str | None:
    """Hash of the judge that a number rests on: another judge, another number."""
    extractor = value.get("extractor") or ""
    return store.read_card(extractor.removeprefix("judge-")).sha256 if extractor.startswith("judge-") else None


def _table(
    request: ReproduceRequest, experiment: Experiment, measures: dict[Place, list[dict[str, Any]]], lacking: dict[Place, str]
) -> dict[str, Any]:
    stored = results().get(request.target)
    before = {(row["name"], row["column"]): row for row in stored["rows"]} if stored else {}
    rows = completed([
        measured(place, experiment, values, _scale(experiment.cells[place], request))
        if values
        else row_of(place, experiment, before.get(place), lacking.get(place))
        for place, values in measures.items()
    ])  # fmt: skip
    trained = f" --scale {request.scale}" + " --present" * request.present + " --keep" * request.keep
    command = f"python -m cemviz reproduce {request.target}" + " --shipped" * request.shipped
    command += f" --seeds {request.seeds}" + ("" if request.shipped else trained)
    if request.keep and stored:  # whose other rows stay
        command = " && ".join(dict.fromkeys([*stored["command"].split(" && "), command]))
    return {
        "table": request.target,
        "title": experiment.title,
        "source": experiment.source,
        "about": experiment.about,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "command": command,
        "rows": rows,
        "orders": judge(experiment.orders, rows),
    }
