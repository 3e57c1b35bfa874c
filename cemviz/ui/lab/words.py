"""Words of the lab, and a sweep as `board.js` draws it."""

import csv
import io
import json
import math
from html import escape
from typing import Any
from urllib.parse import urlencode

from ...backend.requests import NUMBERS, SweepRequest
from ...backend.sample.columns import COLUMNS
from ...backend.sample.swept import symbol
from ...backend.store import Card, called
from ...samplers import suited
from ..numbers import minus

INTRO = """Every cell is the same chain under another setting. Move over the board, and the large picture follows."""

HOW = """**How to read it.** K is swept with one chain, whose states on the way are those of shorter chains; under every other
setting the same chains begin anew. *Judge's p*: how sure a classifier is that had no part in the sampling; it was trained
with noise, and reads through speckle as the eye does. *A judge of clean images* takes speckle for a fault. *Own p*: how sure
the net itself is, which says little: a net believes its own chains. Of several seeds a number is their mean, with ± the
deviation over them, which the curves show as a band. A share is coloured as it is, another number by its place between the
poorest and the best of the board, in blue what is neither, and nothing is coloured where seeds differ as much as settings do.
A dashed frame marks the setting that this page begins with: CEM Table 5's and thesis Table 2.4's, but on MNIST lengths,
MaxEnt's K and all of the climb's numbers, and JEAT's η and K, are *our choice*. CEM disagrees with itself: η ≈ .01 is best
"for both" in its text where Table 5 has 0 for MaxEnt, and C.2.1 recommends K of 30 to 40 where Table 5 has 20, 10 and 50.
With 200 chains a cell and three seeds:
[Fig. 2](?tab=results&r.table=cem-fig-2), [Fig. 3](?tab=results&r.table=cem-fig-3)."""

NONE = """No board of {model} by {sampler} over these numbers ships. Press **Run this sweep**: {cells} settings, {chains} chains
each."""

SHIPPED, LIVE = "Shipped with the page", "Swept here"

Head = dict[str, Any]
"""The JSON of a sweep, see `swept.Sweep.table`."""


def title(over: tuple[str, ...]) -> str:
    """Numbers that are swept, as a choice: η × K."""
    return " × ".join(f"{symbol(name)} {name}" for name in over)


def columns(head: Head) -> list[tuple[str, str]]:
    """The numbers that a board can be coloured by, as choices."""
    return [(COLUMNS[name].title, name) for name in head["cells"][0]["columns"]]


def payload(head: Head, card: Card, origin: str, by: str) -> str:
    """A sweep as `board.js` draws it, JSON.

    Args:
        card: of the net.
        origin: whether it ships or was made here.
        by: column that colours it.
    """
    rows, *more = head["over"]
    about = {
        "origin": origin, "by": by,
        "axes": [{"name": n, "symbol": symbol(n), "values": head["axes"][n]} for n in (rows, *more)],
        "columns": {
            name: {"title": COLUMNS[name].title, "unit": COLUMNS[name].unit, "better": COLUMNS[name].better}
            for name in head["cells"][0]["columns"]
        },
        "cells": [
            {"settings": cell["settings"], "links": link(head, cell["settings"]),
             "values": {name: value["value"] for name, value in cell["columns"].items()},
             "spreads": {name: value["spread"] for name, value in cell["columns"].items()}}
            for cell in head["cells"]
        ],
        "sprite": head["sprite"], "noise": math.sqrt(math.prod(card.shape)), "paper": paper(head, card),
        "lengths": suited(head["sampler"], card.shape).gradient == "unit",
        "title": f"{called(head['model'])}, {head['sampler'].upper()}", "seeds": seeds(head), "file": file(head),
    }  # fmt: skip
    return json.dumps(about, ensure_ascii=False, separators=(",", ":"))


def seeds(head: Head) -> str:
    """Chains, seeds and judge of a sweep, in words."""
    first, count = head["seed"], head["seeds"]
    span = f"seed {first}" if count == 1 else f"seeds {first} to {first + count - 1}"
    return f"{head['count']} chains a setting, {span}, judge {head['judge'] or 'none'}"


def file(head: Head) -> str:
    """Name of a sweep's files, without the ending."""
    return "-".join((called(head["model"]), head["sampler"], *head["over"]))


def link(head: Head, settings: dict[str, Any]) -> str:
    """The address under which Sampling runs a setting."""
    names = {"step": "s.alpha", "noise": "s.eta", "radius": "s.beta", "steps": "s.K"}
    address = {"tab": "sampling", "a": head["model"], "b": "none", "seed": head["seed"], "s.as": head["sampler"]}
    address |= {"s.start": head["request"]["start"]} if "start" in head["request"] else {"s.start": "class-gaussian"}
    address |= {"s.count": head["count"], "s.classes": ",".join(map(str, head["request"].get("classes", ())))}
    return "?" + urlencode(address | {names[name]: value for name, value in settings.items()})


def paper(head: Head, card: Card) -> dict[str, float | str]:
    """The sampler's own values of the numbers that are swept, where the board has them; "inf" for no ball."""
    dyn = suited(head["sampler"], card.shape)
    numbers = {name: "inf" if math.isinf(getattr(dyn, name)) else getattr(dyn, name) for name in head["over"]}
    return {name: value for name, value in numbers.items() if value in head["axes"][name]}


def table(head: Head) -> str:
    """A sweep as CSV: a line a setting, its numbers and what its chains are worth."""
    names = list(head["cells"][0]["columns"])
    spreads = [name for name in names if head["cells"][0]["columns"][name]["spread"] is not None]
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(["model", "sampler", *NUMBERS, *names, *(f"{name}_spread" for name in spreads)])
    for cell in head["cells"]:
        settings = [cell["settings"][name] for name in NUMBERS]
        numbers = [cell["columns"][name]["value"] for name in names]
        scatter = [cell["columns"][name]["spread"] for name in spreads]
        writer.writerow([called(head["model"]), head["sampler"], *settings, *numbers, *scatter])
    return sheet.getvalue()


def whole(head: Head) -> str:
    """All numbers of a sweep as JSON, without its pictures."""
    return json.dumps({k: v for k, v in head.items() if k != "sprite"}, ensure_ascii=False)


def waiting(request: SweepRequest, cells: int, samplers: list[str]) -> str:
    """The words where no board ships.

    Args:
        cells: settings of the sweep.
        samplers: samplers of which a board of this net over these numbers ships.
    """
    text = NONE.format(model=called(request.model), sampler=request.sampler.upper(), cells=cells, chains=request.count)
    return text + (f" There is one for {', '.join(samplers).upper()}." if samplers else "")


def tried(sweeps: list[Head], by: str) -> str:
    """The sweeps of this visit as an HTML table: the best setting of each, and where to run it."""
    if not sweeps:
        return ""
    by = by if COLUMNS[by].better else sweeps[-1]["metric"]  # of what is neither good nor poor nothing is best
    rows = []
    for head in sweeps[::-1]:
        column = by if by in head["cells"][0]["columns"] else head["metric"]
        sign = 1 if COLUMNS[column].better == "higher" else -1
        cells = [cell for cell in head["cells"] if cell["columns"][column]["value"] is not None]
        best = max(cells, key=lambda cell: sign * cell["columns"][column]["value"], default=None)
        if best is None:
            continue
        numbers = ", ".join(f"{symbol(name)} {best['settings'][name]}" for name in head["over"])
        value = best["columns"][column]["value"]
        rows.append(
            f'<tr><th scope="row">{escape(called(head["model"]))}</th><td>{escape(head["sampler"].upper())}</td>'
            f'<td><a href="{escape(link(head, best["settings"]))}">{numbers}</a></td>'
            f"<td>{minus(f'{value:.3g}')}</td><td>{head['seeds']}</td></tr>"
        )
    heads = ("net", "sampler", "best setting", COLUMNS[by].title, "seeds")
    top = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    return (
        '<div class="cem-scroll" tabindex="0" role="region" aria-label="sweeps of this visit"><table class="cem-numbers">'
        f"<caption>Swept on this visit</caption><thead><tr>{top}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
