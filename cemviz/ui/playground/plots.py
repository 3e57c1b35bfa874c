"""The playground's figures, written straight as Plotly's JSON.

`plotly.graph_objects` checks every property and takes 20 ms a figure; a live game has 30.  The tests build the same figures
with it once, so that a wrong property is noticed.
"""

import json
from typing import Any

import numpy as np

from ...backend.play import View
from ...data.toys import BOX
from ...metrics.game import LOG4, SPURIOUS
from ..numbers import typed
from ..theme import DATA, INK, MUTED

LAYERS: dict[str, str] = {
    "contour": "contour of D", "arrows": "arrows ∇f", "data": "p_data", "p0": "p₀", "paths": "paths", "moved": "p_T",
}  # fmt: skip
"""Layers that can be shown or left out."""

DOTS = 300  # drawn of either kind: the browser takes 10 ms or more for each kind

# The contour keeps its light colours on a dark page, so that one picture has one look. `live_plot` swaps colours that are
# written as #rrggbb alone.
PAPER, LINE = "rgb(250,250,250)", "rgb(24,24,27)"
BLUE, RED = "rgb(0,94,160)", "rgb(200,60,0)"
# Purple to green, white at 1/2: safe with any colour-vision deficiency, and neither end takes blue or red from the points.
SCALE = [
    [0.0, "rgb(133,92,158)"], [0.25, "rgb(190,165,208)"], [0.5, PAPER], [0.75, "rgb(166,213,160)"], [1.0, "rgb(74,155,88)"],
]  # fmt: skip


def broken(lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Many lines as one trace, a NaN after each: (n, k, 2) -> x and y, (n * (k + 1),)."""
    gaps = np.full((len(lines), 1, 2), np.nan, dtype=np.float32)
    joined = np.concatenate([lines, gaps], 1).reshape(-1, 2)
    return joined[:, 0], joined[:, 1]


def arrow_lines(tails: np.ndarray, heads: np.ndarray, length: float = 0.3) -> np.ndarray:
    """Arrows centred on `tails` along the unit vectors `heads`, each a shaft and two barbs drawn in one go: (n, 5, 2)."""
    normal = np.stack([-heads[:, 1], heads[:, 0]], 1)
    tip, foot = tails + length / 2 * heads, tails - length / 2 * heads
    barb = tip - 0.35 * length * heads
    side = 0.2 * length * normal
    return np.stack([foot, tip, barb + side, tip, barb - side], 1)


def _dots(points: np.ndarray, name: str, **marker: Any) -> dict[str, Any]:
    points = points[:DOTS]
    return {
        "type": "scatter", "mode": "markers", "x": typed(points[:, 0]), "y": typed(points[:, 1]), "name": name,
        "marker": marker, "hovertemplate": f"{name} at %{{x:.2f}}, %{{y:.2f}}<extra></extra>",
    }  # fmt: skip


def _lines(lines: np.ndarray, name: str, colour: str, width: float) -> dict[str, Any]:
    x, y = broken(lines)
    line = {"color": colour, "width": width}
    return {"type": "scatter", "mode": "lines", "x": typed(x), "y": typed(y), "name": name, "line": line, "hoverinfo": "skip"}


def game(view: View, layers: list[str], revision: str) -> str:
    """The plane: D, its gradient field, and the points of both players.

    Args:
        layers: keys of LAYERS to draw.
        revision: zoom is kept while this stays the same.
    """
    ticks = {"range": [-BOX, BOX], "dtick": 1, "constrain": "domain", "zeroline": False, "showgrid": False, "linecolor": LINE}
    grid = {"type": "contour", "x": typed(view.axis), "y": typed(view.axis), "z": typed(view.D)}
    traces: list[dict[str, Any]] = []
    if "contour" in layers:
        bar = {
            "orientation": "h", "y": -0.09, "yanchor": "top", "thickness": 10, "len": 0.8, "tickvals": [0, 0.25, 0.5, 0.75, 1],
            "ticktext": ["0", "¼", "½", "¾", "1"], "title": {"text": "D(x)", "side": "bottom"}, "outlinewidth": 1,
        }  # fmt: skip
        levels = {"start": 0.05, "end": 0.95, "size": 0.1, "showlines": False}
        fill = {"colorscale": SCALE, "zmin": 0, "zmax": 1, "contours": levels, "colorbar": bar, "showlegend": False}
        half = {"type": "constraint", "operation": "=", "value": 0.5}
        traces.append({**grid, **fill, "hovertemplate": "D = %{z:.3f} at %{x:.2f}, %{y:.2f}<extra></extra>"})
        edge = {"contours": half, "line": {"color": LINE, "width": 2.5}, "name": "D = ½", "showlegend": True}
        traces.append({**grid, **edge, "showscale": False, "hoverinfo": "skip"})
    if "arrows" in layers:
        traces.append(_lines(arrow_lines(view.arrows, view.heads), "∇f / |∇f|", "rgba(24,24,27,0.7)", 1))
    if "paths" in layers and len(view.path) > 1:
        traces.append(_lines(view.path.transpose(1, 0, 2), "path p₀ → p_T", "rgba(200,60,0,0.35)", 1))
    if "p0" in layers:
        traces.append(_dots(view.start, "p₀", symbol="x-thin", size=5, line={"color": RED, "width": 1.5}))
    if "data" in layers:
        traces.append(_dots(view.data, "p_data", symbol="circle", size=5, color=BLUE, line={"color": PAPER, "width": 0.5}))
    if "moved" in layers and len(view.path) > 1:
        edge = {"color": PAPER, "width": 0.75}
        traces.append(_dots(view.moved, "p_T", symbol="diamond", size=7, color=RED, line=edge))
    layout = {
        "uirevision": revision, "plot_bgcolor": PAPER, "paper_bgcolor": PAPER, "font": {"color": LINE},
        "margin": {"l": 28, "r": 8, "t": 8, "b": 8},
        "xaxis": ticks, "yaxis": {**ticks, "scaleanchor": "x", "constraintoward": "top"},
        "legend": {"orientation": "h", "y": 1.01, "yanchor": "bottom", "x": 0, "itemclick": False, "itemdoubleclick": False},
        "showlegend": True, "hovermode": "closest", "dragmode": "pan",
    }  # fmt: skip
    return json.dumps({"data": traces, "layout": layout}, separators=(",", ":"), ensure_ascii=False)


def history(view: View, revision: str) -> str:
    """U, D on the support and the spurious share over turns, each with the value it has at the solution."""
    turns = view.history[:, 0]
    rows = [
        (view.history[:, 1], "U, nats", -LOG4, "−log 4", {}),
        (view.history[:, 2], "mean D on the support", 0.5, "½", {"range": [0, 1]}),
        (view.history[:, 3], f"spurious: outside area with D > {SPURIOUS}", 0.0, "0",
         {"tickformat": ".0%", "rangemode": "tozero"}),
    ]  # fmt: skip
    end = max(float(turns[-1]), 1.0)
    traces, notes = [], []
    layout: dict[str, Any] = {
        "uirevision": revision, "margin": {"l": 44, "r": 44, "t": 20, "b": 36}, "showlegend": False, "hovermode": "x",
        "xaxis": {"title": {"text": "turn"}, "range": [0, end], "anchor": "y3", "showgrid": False, "tickformat": "d"},
    }  # fmt: skip
    for i, (values, title, goal, label, axis) in enumerate(rows):
        name = "" if i == 0 else str(i + 1)
        top = 1 - i * 0.355
        layout[f"yaxis{name}"] = {"domain": [top - 0.26, top], "nticks": 4, "zeroline": False, **axis}
        here = {"type": "scatter", "xaxis": "x", "yaxis": f"y{name}"}
        mode = "lines+markers" if len(turns) == 1 else "lines"
        aim = {"mode": "lines", "line": {"color": MUTED, "width": 1.5, "dash": "dash"}, "hoverinfo": "skip"}
        traces.append({**here, **aim, "x": [0, end], "y": [goal, goal]})
        line = {"mode": mode, "line": {"color": DATA, "width": 2}, "marker": {"size": 7}}
        hover = "%{y:.3f}<extra></extra>"
        traces.append({**here, **line, "x": typed(turns), "y": typed(values), "hovertemplate": hover})
        beside = {"showarrow": False, "xref": "paper", "font": {"size": 12, "color": INK}}
        notes.append({**beside, "yref": "paper", "x": 0, "y": top, "xanchor": "left", "yanchor": "bottom", "text": title})
        notes.append({**beside, "yref": f"y{name}", "x": 1.01, "y": goal, "xanchor": "left", "text": label})
    layout["annotations"] = notes
    return json.dumps({"data": traces, "layout": layout}, separators=(",", ":"), ensure_ascii=False)
