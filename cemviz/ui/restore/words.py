"""Words and payload of the restore tab."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import numpy as np
import torch

from ...backend.look.holes import CELL
from ...backend.look.restore import Restored
from ...backend.packed import packed, short
from ...backend.tables.restoration import FELL

INTRO = """A binary net knows one thing: whether an image is data. Climbing its f from a damaged picture moves it towards
data, and the number of steps is the strength (thesis 2.5.3): **drag the slider**, no step is computed again."""

NO_MODEL = """No binary net is stored here. Train one: `python -m cemviz train mnist-binary`, then open this tab again."""

CLIMBING = "Climbing ..."

TASKS = {
    "take noise away": "denoise",
    "fill a hole": "inpaint",
    "translate another picture": "translate",
    "interpolate between two starts": "interpolate",
}

FREE, HELD = "free", "held"
VARIANTS = {"climb freely (the thesis)": FREE, "hold known pixels (our variant)": HELD}

OWN = "own"
"""The source of a translation that is the selection's picture."""

SERIES = ("D", "distance", "ssim", "inside", "outside")

HOW = """**How to read it.** *SSIM* compares local means, variances and covariances with the picture before the damage: 1 is
equal. It is known here only because we did the damage; a picture that came to you damaged would have no such curve. A *free*
climb changes known pixels too, so that SSIM around the hole falls while the hole fills; *holding* them (after every step) is
ours. More steps are not better: past some strength the climb puts another picture in its place, one that the net likes more.
How many steps suit a task was chosen on MNIST's validation split."""


def payload(restored: Restored, at: int) -> str:
    """A climb as `restore.js` takes it, JSON.

    Args:
        at: the step that suits the task, where the slider begins.
    """
    steps, count, *shape = restored.frames.shape
    request = restored.request
    return json.dumps({
        "task": request.task,
        "held": request.hold,
        "frames": packed(torch.from_numpy(restored.frames)),
        "truth": None if restored.truth is None else packed(torch.from_numpy(restored.truth)),
        "lost": None if restored.lost is None else packed(torch.from_numpy(restored.lost.astype(np.uint8))),
        "shape": shape,
        "count": count,
        "steps": steps - 1,
        "at": at,
        "cell": CELL,
        "series": {name: [short(row) for row in restored.series[name].T] for name in SERIES if name in restored.series},
        "title": restored.title,
    }, ensure_ascii=False, separators=(",", ":"))  # fmt: skip


def summary(restored: Restored, at: int) -> str:
    """A climb in a sentence or two: also where it made things worse."""
    request, series = restored.request, {name: rows.mean(1) for name, rows in restored.series.items()}
    alpha = f"α = {restored.dynamics.step:.2g}"
    begun = f"**{restored.card.title}** on {restored.title}, {alpha}, {restored.seconds:.1f} s. "
    rose = f"D {series['D'][0]:.2f} → {series['D'][at]:.2f}"
    if "ssim" not in series:
        moved = f"moved {series['distance'][at]:.1f} after {at} steps"
        blurred = f", from a start blurred by {request.blur:g} pixels" if request.blur else ""
        return f"{begun}{rose}, {moved}{blurred}. Nobody knows what should come out, so there is no SSIM."
    before, after, best = series["ssim"][0], series["ssim"][at], int(np.argmax(series["ssim"]))
    word = "rose" if after > before else "**fell**"
    line = f"{begun}After {at} steps SSIM {word}: {before:.3f} → {after:.3f} ({rose}). "
    if best == 0:
        return f"{line}No strength helps this picture: SSIM falls from the first step on."
    return f"{line}It would be highest after {best} ({series['ssim'][best]:.3f}), which only the truth could tell."


def fails(tables: Mapping[str, Mapping[str, Any]], model: str) -> str:
    """A sentence on how often restoring fails, from the tables that were made; empty where none is of this model.

    Args:
        tables: by target, see `backend.tables.reproduce.results`.
    """
    parts = []
    for target, task, words, place in (
        ("thesis-2.7", "denoise", "noise of {row}", lambda name: {"re.sigma": name.removeprefix("σ ")}),
        ("thesis-2.8", "inpaint", "a hole in the middle, {row}", lambda name: {"re.known": HELD if "held" in name else FREE}),
    ):
        for row in tables.get(target, {}).get("rows", []):
            if row["column"] == "fell" and row["ours"] is not None and row["measure"].startswith(model + " "):
                address = {"tab": "restore", "a": model, "x": "test", "re.task": task}
                ours = task == "denoise" or "ours" in row["name"]  # else nothing of it can be seen here
                named = re.search(rf"{FELL} ([\d, ]*\d)", row["note"]) if ours else None
                links = [
                    f"[{number}](?{urlencode(address | place(row['name']) | {'re.index': number})})"
                    for number in (named[1].split(", ") if named else ())
                ]
                examples = f": see {', '.join(links)}" if links else ""
                parts.append(
                    f"{round(row['ours'] * row['count'])} of {row['count']} ({words.format(row=row['name'])}{examples})"
                )
    return f"**How often it fails:** of held-out test digits SSIM fell for {'; '.join(parts)}." if parts else ""
