"""A grid of line panels as Plotly's JSON: a column a run, rows share their y axis, and all share their x axis."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from .numbers import typed
from .theme import INK, MUTED


class Panels:
    """A grid under construction.  Without a comparison there is one column."""

    def __init__(self, rows: int, runs: Sequence[str], x: dict[str, Any], title: str) -> None:
        self.rows, self.columns, self.x, self.title = rows, len(runs), x, title
        self.data: list[dict[str, Any]] = []
        self.layout: dict[str, Any] = {
            "uirevision": "+".join(runs), "margin": {"l": 52, "r": 10, "t": 30, "b": 40},
            "hovermode": "closest",
            "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom", "itemclick": False,
                       "itemdoubleclick": False, "yref": "paper"},
            "showlegend": True, "dragmode": False, "shapes": [], "annotations": [],
        }  # fmt: skip
        if len(runs) > 1:
            self.layout["margin"]["t"] = 52
            self.layout["legend"]["y"] = 1 + 22 / (170 * rows)  # above the names of the runs
            for c, run in enumerate(runs):
                text = f"<b>{'AB'[c]}</b> {run}"
                spot = {"xref": "paper", "yref": "paper", "x": self._span(c)[0], "y": 1, "xanchor": "left", "yanchor": "bottom"}
                self.layout["annotations"].append(
                    {**spot, "text": text, "showarrow": False, "font": {"color": INK, "size": 12}}
                )

    def _span(self, c: int) -> list[float]:
        width = (1 - 0.04 * (self.columns - 1)) / self.columns
        return [c * (width + 0.04), c * (width + 0.04) + width]

    def _name(self, r: int, c: int) -> str:
        number = r * self.columns + c + 1
        return "" if number == 1 else str(number)

    def axis(self, r: int, c: int, title: str, settings: dict[str, Any]) -> None:
        """Both axes of a panel."""
        name, first, last = self._name(r, c), self._name(r, 0), r == self.rows - 1
        height = (1 - 0.1 * (self.rows - 1)) / self.rows
        top = 1 - r * (height + 0.1)
        left = {"title": {"text": title, "standoff": 4}} if c == 0 else {"matches": f"y{first}", "showticklabels": False}
        self.layout[f"yaxis{name}"] = {
            "anchor": f"x{name}", "domain": [max(0, top - height), top], "zeroline": False, "zerolinecolor": MUTED, "nticks": 6,
            **settings, **left,
        }  # fmt: skip
        below = {"title": {"text": self.title, "standoff": 4}} if last else {"showticklabels": False}
        self.layout[f"xaxis{name}"] = {
            "anchor": f"y{name}", "domain": self._span(c), "zeroline": False, "showgrid": False, "nticks": 6, **self.x, **below,
        }  # fmt: skip

    def line(self, r: int, c: int, name: str, points: np.ndarray, colour: str, dash: str, *, steps: bool = False) -> None:
        """A line, with a band where the points have a spread."""
        axes = self._name(r, c)
        place = {"type": "scatter", "xaxis": f"x{axes}", "yaxis": f"y{axes}", "legendgroup": name, "x": typed(points[:, 0])}
        if points.shape[1] == 3:
            edge = {**place, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
            faint = f"rgba({','.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))},.22)"
            self.data.append({**edge, "y": typed(points[:, 1] - points[:, 2])})
            self.data.append({**edge, "y": typed(points[:, 1] + points[:, 2]), "fill": "tonexty", "fillcolor": faint})
        listed = any(trace.get("name") == name for trace in self.data)
        at = "energy %{x:.1f}: %{y:.0%}" if steps else "update %{x:d}: %{y:.4g}"
        self.data.append({
            **place, "y": typed(points[:, 1]), "name": name, "showlegend": not listed,
            "mode": "lines" if steps or len(points) > 40 else "lines+markers", "marker": {"size": 4, "color": colour},
            "line": {"color": colour, "width": 2, "dash": dash, **({"shape": "hv"} if steps else {})},
            "hovertemplate": f"{name}<br>{at}<extra></extra>",
        })  # fmt: skip

    def mark(self, r: int, c: int, step: int) -> None:
        """The update looked at."""
        axes = self._name(r, c)
        self.layout["shapes"].append({
            "type": "line", "xref": f"x{axes}", "yref": f"y{axes} domain", "x0": step, "x1": step, "y0": 0, "y1": 1,
            "line": {"color": INK, "width": 1.5, "dash": "dot"},
        })  # fmt: skip

    def json(self) -> str:
        """The figure."""
        return json.dumps({"data": self.data, "layout": self.layout}, separators=(",", ":"), ensure_ascii=False)
