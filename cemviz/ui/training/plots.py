"""The training tab's figures, written straight as Plotly's JSON: curves of one run, or of two side by side on shared axes."""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...backend.checks import choice
from ...backend.kinds import KINDS, Kind
from ...backend.look.landscape import ENERGIES
from ...backend.packed import short
from ..panels import Panels
from ..theme import PALETTE

History = dict[str, Any]
Lines = dict[str, np.ndarray]
"""Name -> (n, 2) steps and values, or (n, 3) with the spread."""

COLOURS = [
    (PALETTE[name][0], dash) for name, dash in (("data", "solid"), ("p0", "dash"), ("third", "dot"), ("fourth", "dashdot"))
]
"""Colour and dash of the lines of a panel, in order: never colour alone."""

BINS = 40


def terms(history: History) -> Lines:
    """The objective's terms."""
    return {name: np.column_stack([history["steps"], values]) for name, values in history["terms"].items()}


def probed(**names: str) -> Callable[[History], Lines]:
    """Numbers of every probe: field -> what the line is called."""

    def read(history: History) -> Lines:
        probes = history["probes"]
        return {title: np.array([[p["step"], p[key]] for p in probes]).reshape(-1, 2) for key, title in names.items()}

    return read


def kind(history: History) -> Kind:
    """The row of the kind that a run trains; curves that name none are of classifiers.

    Raises:
        BadInput: a kind that is unknown here.
    """
    return KINDS[choice("kind of the run", history.get("kind", "classifier"), KINDS)]


def both(history: History) -> dict[str, str]:
    """Key -> name of a run's two energies: where a classifier's label stands, an encoder has another view of the image."""
    view = kind(history).view
    return dict(view.energies if view else zip(ENERGIES, ENERGIES, strict=True))


def rates(history: History) -> Lines:
    """Accuracies of every probe: the net's own, or of the nearest labelled neighbour in an encoder's features."""
    return probed(**dict(zip(("clean", "robust"), kind(history).rates, strict=True)))(history)


def change(key: str) -> Callable[[History], Lines]:
    """A change of both energies, with its spread over the images."""

    def read(history: History) -> Lines:
        probes = history["probes"]
        return {title: np.array([[p["step"], *p[key][e]] for p in probes]).reshape(-1, 3) for e, title in both(history).items()}

    return read


@dataclass(frozen=True, slots=True)
class Row:
    """A panel: what its axis means, what it draws, and the axis's own settings."""

    title: str
    read: Callable[[History], Lines]
    axis: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the tab.

    Attributes:
        title: what it shows.
        how: to read it, in a sentence, with the equation.
        rows: its panels from top to bottom; none for the histograms, which `energies` draws.
    """

    title: str
    how: str
    height: int
    rows: tuple[Row, ...] = ()


def played(**names: str) -> Callable[[History], Lines]:
    """Numbers of a binary game at every probe: field -> what the line is called; a run that is no game has none."""

    def read(history: History) -> Lines:
        games = [(p["step"], p["game"]) for p in history["probes"] if "game" in p]
        return {title: np.array([[step, game[key]] for step, game in games]) for key, title in names.items() if games}

    return read


def games(runs: "Sequence[ShownRun]") -> bool:
    """Whether any of these runs is a binary game."""
    return any("game" in probe for run in runs for probe in run.history["probes"])


SHARE = {"range": [-0.03, 1.03], "tickformat": ".0%", "dtick": 0.25}

FIGURES: dict[str, Figure] = {
    "loss": Figure(
        "Loss: what each update descends",
        "The terms add up. On attacked images the cross-entropy's gradient is minus the contrastive gradient, CEM (12); an "
        "*energy gap* is E(x) of data minus E(x) of the net's own samples and should stay near 0, JEAT (19).",
        270,
        (Row("nats", terms, {"zeroline": True}),),
    ),
    "accuracy": Figure(
        "Accuracy on 100 images that training does not see",
        "*PGD* is the attack of ten steps within the threat model's radius: the distance between the lines is what an attacker "
        "gains, and the inner maximum of CEM (7) is what training does about it.",
        270,
        (Row("share right, or AUC", rates, SHARE),),
    ),
    "delta_x": Figure(
        "Δₓ E: how far the attack lifts the energy",
        "E at the attacked image minus E at the image, before the update: mean and standard deviation of 64. JEAT (15), "
        "Fig. 3a: that of E(x, y) stays above 0 throughout adversarial training.",
        270,
        (Row("nats", change("delta_x"), {"zeroline": True}),),
    ),
    "delta_theta": Figure(
        "Δ_θ E: how far the update lowers it again",
        "E at the same attacked image, after the update minus before. JEAT (15), Fig. 3: that of E(x, y) lies below 0, that of "
        "E(x) on either side of 0, since classification does not care about E(x). Its scale is its own.",
        270,
        (Row("nats", change("delta_theta"), {"zeroline": True}),),
    ),
    "gradients": Figure(
        "The two halves of the likelihood's gradient",
        "CEM (11): their sum. *Contrastive* is what adversarial training follows, CEM (12); *consistency*, the label's logit "
        "at the image less that at the attacked image, it ignores. A cosine below 0: the two pull against each other.",
        390,
        (
            Row("length", probed(consistency="consistency", contrastive="contrastive"), {"rangemode": "tozero"}),
            Row("cosine", probed(cosine="cosine of the two"), {"range": [-1.05, 1.05], "dtick": 0.5, "zeroline": True}),
        ),
    ),
    "energies": Figure(
        "Energies at the update looked at",
        "Lower is likelier, JEAT (12). Attacked images lie right of data in E(x, y); where a net models its data, *sampled* "
        "points (its own chains, or ten steps down E(x) from noise) have the energies of data.",
        390,
    ),
    "game": Figure(
        "The game: how far p₀ is moved, and where D stands",
        "K steps of the attack move images of p₀ up f, by at most λK. D rises on data and falls on what was moved; at the "
        "solution both are ½, thesis (2.15). Where K outruns the net, D is ½ everywhere and f is flat.",
        390,
        (
            Row("K, distance", played(K="K", travel="distance that p₀ is moved"), {"rangemode": "tozero"}),
            Row("D", played(D_data="D on data", D_moved="D on moved p₀"), SHARE | {"tickformat": ".2f"}),
        ),
    ),
}  # fmt: skip
"""Key -> figure, in reading order."""


@dataclass(frozen=True, slots=True)
class ShownRun:
    """A run on screen.

    Attributes:
        heading: how it is called over its curves.
        at: index of the probe looked at, or None where there is none yet.
    """

    heading: str
    history: History
    at: int | None

    @property
    def probe(self) -> dict[str, Any] | None:
        """The probe looked at."""
        return None if self.at is None else self.history["probes"][self.at]


def frames(runs: Sequence[ShownRun], at: float | None, play: bool) -> str | None:
    """Pictures that the nets of one run or two drew over their updates, as `frames.js` takes them; None where no run kept any.

    Args:
        at: the update looked at, None for the last.
        play: from the first update on, once it is seen.
    """
    panels = []
    for run in runs:
        about = {"classes": [], "judge": "", "count": 0, "shots": []} | run.history.get("frames", {})
        sums = np.sum(list(run.history["terms"].values()), 0) if run.history["terms"] else []
        panels.append({
            "name": run.heading, **{key: about[key] for key in ("classes", "judge", "count")}, "frames": about["shots"],
            "loss": [*zip(run.history["steps"], short(sums), strict=True)],
        })  # fmt: skip
    if not any(panel["frames"] for panel in panels):
        return None
    return json.dumps({"panels": panels, "at": at, "play": play}, separators=(",", ":"), ensure_ascii=False)


def figure(key: str, runs: Sequence[ShownRun]) -> str:
    """A figure of FIGURES for one run or two."""
    return energies(runs) if key == "energies" else curves(FIGURES[key], runs)


def curves(chart: Figure, runs: Sequence[ShownRun]) -> str:
    """Panels of lines over updates, a column a run; the probe looked at is marked.  A name has one look in all of them."""
    lines = [[row.read(run.history) for run in runs] for row in chart.rows]
    end = max((run.history["steps"][-1] for run in runs if run.history["steps"]), default=1)
    panels = Panels(len(chart.rows), [run.heading for run in runs], {"range": [0, max(end, 10) * 1.02]}, "update")
    names = dict.fromkeys(name for columns in lines for series in columns for name in series)
    styles = dict(zip(names, itertools.cycle(COLOURS), strict=False))
    for r, (row, columns) in enumerate(zip(chart.rows, lines, strict=True)):
        for c, (run, series) in enumerate(zip(runs, columns, strict=True)):
            panels.axis(r, c, row.title, row.axis)
            for name, points in series.items():
                if len(points):
                    panels.line(r, c, name, points, *styles[name])
            if run.probe is not None:
                panels.mark(r, c, run.probe["step"])
    return panels.json()


def energies(runs: Sequence[ShownRun]) -> str:
    """Histograms of both energies on data, attacked and sampled points, all over one axis."""
    looked_at = [run.probe["energies"] for run in runs if run.probe is not None]
    every = [values for points in looked_at for both in points.values() for values in both.values()]
    edges = np.linspace(*_ends(np.concatenate(every) if every else np.zeros(1)), BINS + 1)
    panels = Panels(len(ENERGIES), [run.heading for run in runs], {"range": [edges[0], edges[-1]]}, "energy, nats")
    for r, key in enumerate(ENERGIES):
        for c, run in enumerate(runs):
            panels.axis(r, c, f"{both(run.history)[key]}: share", {"tickformat": ".0%", "rangemode": "tozero"})
            for (name, points), style in zip((run.probe or {"energies": {}})["energies"].items(), COLOURS, strict=False):
                counts, _ = np.histogram(np.clip(points[key], edges[0], edges[-1]), edges)
                heights = np.append(counts, 0) / max(counts.sum(), 1)
                panels.line(r, c, name, np.column_stack([edges, heights]), *style, steps=True)
    return panels.json()


def _ends(values: np.ndarray) -> tuple[float, float]:
    """All but the outermost percent, so that one wild chain does not squeeze the rest."""
    low, high = np.percentile(values[np.isfinite(values)], [0.5, 99.5])
    pad = 0.04 * (high - low) + 1e-3
    return float(low - pad), float(high + pad)
