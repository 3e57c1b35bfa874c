"""Make a table of the papers: train what is missing, measure it, and compare orders.

A cell is measured on models trained anew at scale `evidence`, over several seeds.  What is trained and what is measured stays
on disk, so that a run goes on where it stopped.  Tables land in checkpoints/results/TARGET.json, which ships; models do not.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ..training.recipes import recipe
from . import states, store
from .checks import choice, number
from .device import Device
from .experiments import EXPERIMENTS, Cell, Experiment, Order, Place
from .provenance import TrainRequest
from .states import AnotherRun
from .train import train, with_metric


@dataclass(frozen=True, slots=True)
class ReproduceRequest:
    """Which table to make.

    Attributes:
        target: key of EXPERIMENTS.
        seeds: number of seeds, 0 first.
        scale: of the models trained for it.
        shipped: take the stored models instead of training any; one seed.
        present: train the first seed only; of the others take those whose models are there.
    """

    target: str
    seeds: int = 3
    scale: str = "evidence"
    shipped: bool = False
    data: str | None = None
    present: bool = False


def reproduce(request: ReproduceRequest, device: Device) -> Iterator[dict[str, Any]]:
    """Train what is missing, measure what is not measured yet, and compare with the paper.

    Yields:
        {doing, done, of}; the last one is the table: {table, title, source, date, command, rows, orders, about}, also
        written to checkpoints/results/TARGET.json.
    Raises:
        BadInput, KeyError, DataMissing, Diverged.
    """
    choice("target", request.target, EXPERIMENTS)
    seeds = number("seeds", request.seeds, 1, 20, whole=True)
    it = EXPERIMENTS[request.target]
    found: dict[Place, list[dict[str, Any]]] = {place: [] for place in it.cells}
    work = [
        (place, cell, seed)
        for place, cell in it.cells.items()
        for seed in range(1 if request.shipped or cell.scale == "shipped" else seeds)
        if seed == 0 or not request.present or _there(_name(cell, request, seed))
    ]
    for done, (place, cell, seed) in enumerate(sorted(work, key=lambda job: job[2])):  # a whole table first, then more seeds
        yield {"doing": f"{place[0]}, {place[1]}, seed {seed}", "done": done, "of": len(work)}
        model = yield from _model(cell, request, seed, device, done, len(work))
        found[place].append(_measured(model, cell, device, request.data))
    table = _table(request, it, found)
    store.write_json(results_path(request.target), table, indent=1)
    yield table


def results_path(target: str) -> Path:
    """Where a table lies."""
    return store.folder() / "results" / f"{target}.json"


def results() -> dict[str, dict[str, Any]]:
    """The tables that were made, by target, in the order of EXPERIMENTS."""
    made = {target: results_path(target) for target in EXPERIMENTS}
    return {target: json.loads(path.read_text(encoding="utf-8")) for target, path in made.items() if path.is_file()}


def as_text(table: dict[str, Any]) -> Iterator[str]:
    """A table as lines for a terminal: what the paper says, what we measured, and which orders hold."""
    yield f"{table['title']} ({table['source']})"
    yield table["about"]
    width = max(len(f"{row['name']}, {row['column']}") for row in table["rows"])
    for row in table["rows"]:
        paper = "-" if row["paper"] is None else f"{row['paper']:g}"
        spread = "" if row["spread"] is None else f" ± {row['spread']:g}"
        rest = [f"{row['seeds']} seed{'s' * (row['seeds'] > 1)}", row["extractor"] or "", row["note"]]
        told = "; ".join(part for part in rest if part)
        yield f"  {row['name'] + ', ' + row['column']:<{width}}  paper {paper:>7}  ours {row['ours']:g}{spread}  ({told})"
    for order in table["orders"]:
        yield f"  {'holds' if order['holds'] else 'DOES NOT HOLD'}: {order['claim']} (by {order['by']:g})"


def _model(cell: Cell, request: ReproduceRequest, seed: int, device: Device, done: int, of: int) -> Iterator[dict[str, Any]]:
    """The name of the model of a cell, trained first where it is missing."""
    if request.shipped or cell.scale == "shipped":
        return cell.recipe
    name, changes = _name(cell, request, seed), dict(cell.changes)
    if not _there(name):
        scale = cell.scale or request.scale
        encoder = recipe(cell.recipe, scale).encoder
        if encoder is not None:  # a linear probe: the encoder of the same seed comes first
            below = Cell(encoder, cell.measure, cell.scale, cell.encoder)
            changes["encoder"] = yield from _model(below, request, seed, device, done, of)
        asked = TrainRequest(cell.recipe, scale, name, seed, changes or None, request.data, resume=True)
        for told in _trained(asked, device):
            if told["step"] % 10 == 0:
                doing = f"training {name}: {told['step']}/{told['steps']}, {told['left'] / 60:.1f} min left"
                yield {"doing": doing, "done": done, "of": of}
    return name


def _trained(asked: TrainRequest, device: Device) -> Iterator[dict[str, Any]]:
    """Go on with an interrupted run; one that the code or the recipe has left behind begins anew."""
    try:
        yield from train(asked, device)
    except AnotherRun:
        states.path(asked.out).unlink()
        yield from train(asked, device)


def _there(name: str) -> bool:
    return (store.folder() / f"{name}.json").is_file()


def _name(cell: Cell, request: ReproduceRequest, seed: int) -> str:
    """Of an evidence model: what tells it from the others."""
    scale = cell.scale or request.scale
    parts = [cell.recipe, *([] if scale == "evidence" else [scale]), str(seed)]
    parts += [re.sub(r"[^A-Za-z0-9.]", "", value) for _, value in (*cell.changes, *cell.encoder)]
    return "evidence/" + "-".join(parts)


def _measured(model: str, cell: Cell, device: Device, data: str | None) -> dict[str, Any]:
    """A cell's number on one model; kept on the card of an evidence model, which a new training replaces."""
    key = cell.measure.key
    held = store.read_card(model).metrics.get(key)
    if held is not None and held.get("judge") == _judge(held):
        return held
    value = cell.measure.run(model, device, data)
    value |= {"judge": _judge(value)}
    if model.startswith("evidence/"):
        with_metric(model, key, value)
    return value


def _judge(value: dict[str, Any]) -> str | None:
    """Hash of the judge that a number rests on: another judge, another number."""
    extractor = value.get("extractor") or ""
    return store.read_card(extractor.removeprefix("judge-")).sha256 if extractor.startswith("judge-") else None


def _table(request: ReproduceRequest, it: Experiment, found: dict[Place, list[dict[str, Any]]]) -> dict[str, Any]:
    rows = [_row(place, it, values, request) for place, values in found.items()]
    by_place = {(row["name"], row["column"]): row for row in rows}
    command = f"python -m cemviz reproduce {request.target}"
    command += (
        " --shipped"
        if request.shipped
        else f" --seeds {request.seeds} --scale {request.scale}" + " --present" * request.present
    )
    return {
        "table": request.target,
        "title": it.title,
        "source": it.source,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "command": command,
        "about": it.about,
        "rows": rows,
        "orders": [verdict(order, by_place) for order in it.orders],
    }


def _row(place: Place, it: Experiment, values: list[dict[str, Any]], request: ReproduceRequest) -> dict[str, Any]:
    numbers, first = [v["value"] for v in values], values[0]
    shipped = request.shipped or it.cells[place].scale == "shipped"
    paper = it.paper.get(place)
    notes = [first.get("note", ""), "" if paper is not None else "the paper gives no number here"]
    extractor = first.get("extractor")
    if extractor and extractor != "inception" and paper is not None:
        notes.append(f"{extractor} is not the paper's extractor: do not compare the two numbers")
    return {
        "name": place[0],
        "column": place[1],
        "paper": paper,
        "ours": round(mean(numbers), 4),
        "spread": round(stdev(numbers), 4) if len(numbers) > 1 else None,
        "seeds": len(numbers),
        "count": first.get("count"),
        "split": first.get("split"),
        "extractor": extractor,
        "scale": "shipped" if shipped else it.cells[place].scale or request.scale,
        "note": "; ".join(note for note in notes if note),
    }


def verdict(order: Order, rows: dict[Place, dict[str, Any]]) -> dict[str, Any]:
    """Whether a claim holds: differences are told with their sign, and count from the larger of both spreads on."""
    over, under = rows[order.over], rows[order.under]
    by = over["ours"] - under["ours"]
    slack = order.within if order.within is not None else max(over["spread"] or 0.0, under["spread"] or 0.0)
    holds = by > slack if order.relation == "above" else by >= -slack
    return {"claim": order.claim, "holds": holds, "by": round(by, 4), "seeds": min(over["seeds"], under["seeds"])}
