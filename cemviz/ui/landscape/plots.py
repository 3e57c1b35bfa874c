"""The landscape's figures, written straight as Plotly's JSON, and the scale that they share.

The map is Viridis, darker is lower as in JEAT Fig. 2, in light and dark alike: its colours are written as rgb(), which
`live_plot` does not swap on a dark page.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...backend import packed
from ...backend.kinds import KINDS
from ...backend.look.landscape import Panel
from ...metrics.landscape import Plane
from ..glossary import marked
from ..numbers import minus, typed

LEVELS = {"relative": "relative to the image", "raw": "raw"}
SEEN = {"map": "as a map", "relief": "as a relief"}

VIRIDIS = (
    "rgb(68,1,84)", "rgb(72,40,120)", "rgb(62,73,137)", "rgb(49,104,142)", "rgb(38,130,142)",
    "rgb(31,158,137)", "rgb(53,183,121)", "rgb(110,206,88)", "rgb(181,222,43)", "rgb(253,231,37)",
)  # fmt: skip
SCALE = [[i / (len(VIRIDIS) - 1), colour] for i, colour in enumerate(VIRIDIS)]
WHITE, BLACK, PAPER, BALL = "rgb(255,255,255)", "rgb(0,0,0)", "rgba(20,20,23,.78)", "rgb(255,176,0)"


@dataclass(frozen=True, slots=True)
class Levels:
    """Settings that all panels of a picture share.

    Attributes:
        energy: joint or marginal.
        mode: key of LEVELS.
        low, high: ends of the colour scale, nats.
        step: between two contour lines, nats.
        kind: of the models, key of KINDS.
    """

    energy: str
    mode: str
    low: float
    high: float
    step: float
    kind: str = "classifier"

    def zero(self, panel: Panel) -> float:
        """Energy that is taken off those of this panel: that of the image, or nothing."""
        return panel.centre_energy(self.energy) if self.mode == "relative" else 0.0

    @property
    def name(self) -> str:
        """Name of the quantity, e.g. E(x, y) - E(image, y)."""
        energy = KINDS[self.kind].view.energies[self.energy]
        return f"{energy} − {energy.replace('x', 'image', 1)}" if self.mode == "relative" else energy


def shared(panels: Sequence[Panel], energy: str, mode: str) -> Levels:
    """One scale for all panels, so that equal colours mean equal energies, with 8 to 20 lines at round numbers."""
    zeros = [panel.centre_energy(energy) if mode == "relative" else 0.0 for panel in panels]
    low = min(float(p.grids[energy].min()) - z for p, z in zip(panels, zeros, strict=True))
    high = max(float(p.grids[energy].max()) - z for p, z in zip(panels, zeros, strict=True))
    high = max(high, low + 1e-3)  # a constant energy is one colour
    rough = (high - low) / 20
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= 0.999 * rough)
    return Levels(energy, mode, low, high, step, panels[0].kind)


def surface(
    panel: Panel,
    levels: Levels,
    directions: str,
    at: tuple[float, float] | None = None,
    plane: Plane | None = None,
    path: np.ndarray | None = None,
    chains: Sequence[np.ndarray] = (),
) -> str:
    """A window: contours, the image, the lowest point, and the point looked at.

    Args:
        at: its a and b, marked with a ring unless it is the image itself.
        plane: of the window; with it the browser shows the image under the pointer.
        path: a and b of a ball that rolled, (n, 2).
        chains: a and b of chains, each (K + 1, 2).
    """
    zero = levels.zero(panel)
    z, axis, shape = panel.grids[levels.energy] - zero, panel.axis, panel.shapes[levels.energy]
    level, radius = panel.centre_energy(levels.energy) - zero, float(axis[-1])
    step = levels.step
    first, last = (math.ceil(levels.low / step) * step, math.floor(levels.high / step) * step)
    common = {"type": "contour", "x": typed(axis), "y": typed(axis), "z": typed(z), "showscale": False}
    data: list[dict[str, Any]] = [
        {
            **common,
            "zmin": levels.low, "zmax": levels.high, "zauto": False, "colorscale": SCALE, "autocontour": False,
            "contours": {"coloring": "heatmap", "start": first, "end": last, "size": step, "showlabels": False},
            "line": {"color": "rgba(255,255,255,.5)", "width": 1},
            "hovertemplate": "a %{x:.1f}, b %{y:.1f}: %{z:.2f} nats<extra></extra>",
        },
        {
            **common,
            "contours": {"type": "levels", "coloring": "lines", "start": level, "end": level, "size": 1},
            "autocontour": False, "colorscale": [[0, WHITE], [1, WHITE]], "line": {"width": 2.5}, "hoverinfo": "skip",
        },
        _mark(0, 0, "star", 15, WHITE, 1.2),
        _mark(shape.a, shape.b, "x", 11, WHITE, 1.2),
    ]  # fmt: skip
    if at is not None and at != (0.0, 0.0):
        data += [_mark(*at, "circle-open", 15, BLACK, 5), _mark(*at, "circle-open", 15, WHITE, 2.5)]
    data += _paths(chains)
    if path is not None:
        track = {"type": "scatter", "mode": "lines", "x": typed(path[:, 0]), "y": typed(path[:, 1]), "hoverinfo": "skip"}
        data += [
            track | {"line": {"color": BLACK, "width": 5}},
            track | {"line": {"color": BALL, "width": 2.5}},
            _mark(float(path[-1, 0]), float(path[-1, 1]), "circle", 13, BALL, 1.5),
        ]
    along = "the ascent of the cross-entropy" if directions == "adversarial" else "u, random"
    layout = {
        "uirevision": f"{radius:g}",
        "margin": {"l": 52, "r": 8, "t": 8, "b": 46},
        "showlegend": False,
        "dragmode": False,  # a click looks at a point; a drag would zoom
        "xaxis": _axis(f"a: distance along {along} [pixel units]", radius) | {"constrain": "domain"},
        "yaxis": _axis("b: distance along v, random", radius) | {"scaleanchor": "x", "constrain": "domain"},
        "annotations": [_note(shape.a, shape.b, "lowest" if shape.offset else "lowest: the image itself", radius)],
    }
    if plane is not None:
        layout["meta"] = {"plane": packed.plane(plane)}
    return json.dumps({"data": data, "layout": layout}, ensure_ascii=False)


def _paths(chains: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """Chains as thin lines, a dot where each ends: three traces, however many there are."""
    if not len(chains):
        return []
    gap = np.full((1, 2), np.nan, np.float32)
    along, ends = np.concatenate([part for chain in chains for part in (chain, gap)]), np.stack([chain[-1] for chain in chains])
    line = {"type": "scatter", "mode": "lines", "x": typed(along[:, 0]), "y": typed(along[:, 1]), "hoverinfo": "skip"}
    dots = {"type": "scatter", "mode": "markers", "x": typed(ends[:, 0]), "y": typed(ends[:, 1]), "hoverinfo": "skip"}
    return [
        line | {"line": {"color": BLACK, "width": 3}},
        line | {"line": {"color": WHITE, "width": 1}},
        dots | {"marker": {"color": WHITE, "size": 6, "line": {"color": BLACK, "width": 1}}},
    ]


def relief(panel: Panel, levels: Levels, at: tuple[float, float] | None = None, path: np.ndarray | None = None) -> str:
    """The same window as a surface: height and colour are the energy, so that what is likely lies in a valley.

    Args:
        at, path: as in `surface`; a ball's shadow lies on the surface, at the height of the nearest grid point.
    """
    zero, axis = levels.zero(panel), panel.axis
    z = panel.grids[levels.energy] - zero

    def on(points: np.ndarray) -> dict[str, Any]:
        j, i = (np.abs(axis[None] - points[:, c, None]).argmin(1) for c in (0, 1))
        lifted = z[i, j] + 0.01 * (levels.high - levels.low)  # above the surface, not inside
        return {
            "type": "scatter3d",
            "x": typed(points[:, 0]),
            "y": typed(points[:, 1]),
            "z": typed(lifted),
            "hoverinfo": "skip",
        }

    def dot(a: float, b: float, symbol: str, colour: str) -> dict[str, Any]:
        return on(np.array([[a, b]])) | {"mode": "markers", "marker": {"symbol": symbol, "size": 5, "color": colour}}

    data: list[dict[str, Any]] = [{
        "type": "surface", "x": typed(axis), "y": typed(axis), "z": typed(z), "colorscale": SCALE, "showscale": False,
        "cmin": levels.low, "cmax": levels.high,
        "hovertemplate": "a %{x:.1f}, b %{y:.1f}: %{z:.2f} nats<extra></extra>",
    }, dot(0, 0, "diamond", WHITE)]  # fmt: skip
    if at is not None and at != (0.0, 0.0):
        data.append(dot(*at, "circle-open", WHITE))
    if path is not None:
        inside = path[(np.abs(path) <= axis[-1]).all(1)]
        if len(inside):
            data.append(on(inside) | {"mode": "lines", "line": {"color": BALL, "width": 6}})
            data.append(dot(*map(float, inside[-1]), "circle", BALL))
    side = {"showbackground": False, "nticks": 5}
    scene = {
        "xaxis": {"title": {"text": "a"}} | side, "yaxis": {"title": {"text": "b"}} | side,
        "zaxis": {"title": {"text": "E"}, "range": [levels.low, levels.high]} | side,
        "aspectmode": "manual", "aspectratio": {"x": 1, "y": 1, "z": 0.7}, "camera": {"eye": {"x": 1.1, "y": -1.3, "z": 1.0}},
    }  # fmt: skip
    layout = {"uirevision": f"relief {axis[-1]:g}", "margin": {"l": 0, "r": 0, "t": 0, "b": 0}, "showlegend": False}
    return json.dumps({"data": data, "layout": layout | {"scene": scene}}, ensure_ascii=False)


def _mark(x: float, y: float, symbol: str, size: int, colour: str, width: float) -> dict[str, Any]:
    line = {"color": colour if symbol.endswith("open") else BLACK, "width": width}
    marker = {"symbol": symbol, "size": size, "color": colour, "line": line}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [x],
        "y": [y],
        "marker": marker,
        "hoverinfo": "skip",
        "cliponaxis": False,
    }


def _axis(title: str, radius: float) -> dict[str, Any]:
    return {
        "title": {"text": title, "standoff": 6},
        "range": [-radius, radius],
        "showgrid": False,
        "zeroline": False,
        "nticks": 7,
    }


def _note(x: float, y: float, text: str, radius: float) -> dict[str, Any]:
    """A word beside a mark, on the side where there is room."""
    right, up = x < 0.35 * radius, y < 0.6 * radius
    return {
        "x": x, "y": y, "text": text, "showarrow": False, "bgcolor": PAPER, "borderpad": 2,
        "font": {"color": WHITE, "size": 11},
        "xanchor": "left" if right else "right", "xshift": 12 if right else -12,
        "yanchor": "bottom" if up else "top", "yshift": 6 if up else -6,
    }  # fmt: skip


def legend(levels: Levels) -> str:
    """The shared scale as HTML: what the colours, the lines and the marks mean.  Holds numbers and words of ours only."""
    bar = f"linear-gradient(to right, {', '.join(VIRIDIS)})"
    marks = f"A thin line every {levels.step:g} nats; <b>thick line</b>: as low as the image; ★ the image; ✕ lowest point."
    note = "0 is the image." if levels.mode == "relative" else KINDS[levels.kind].view.zero
    digits = 1 if levels.high - levels.low > 5 else 2
    named = marked(f"<b>[[E|{levels.name}]]</b> in [[nats]], one scale for all panels")
    low, high = minus(f"{levels.low:.{digits}f}"), minus(f"{levels.high:+.{digits}f}")
    return (
        '<div style="display:grid;gap:4px;font-size:13px;line-height:1.4;color:var(--cem-ink)">'
        f"<div>{named}; darker is lower, and lower is likelier. {note}</div>"
        '<div style="display:flex;align-items:center;gap:8px;font-variant-numeric:tabular-nums">'
        f'<span>{low}</span><span role="img" aria-label="colour scale from dark, low, to bright, high" '
        f'style="flex:1;height:14px;border-radius:3px;background:{bar}"></span><span>{high}</span></div>'
        f'<div style="color:var(--cem-muted)">{marks}</div></div>'
    )
