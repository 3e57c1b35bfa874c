"""The robustness tab's curve, written straight as Plotly's JSON, and the line styles that curve and table share."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...backend.attack.rates import NORMS, Rates
from ..theme import INK, MUTED, PALETTE

COLOURS = ("data", "p0", "third", "fourth")
DASHES = {"solid": "", "dash": "7 4", "dot": "2 3"}
SYMBOLS = ("circle", "square", "diamond", "triangle-up")


@dataclass(frozen=True, slots=True)
class Style:
    """How a model's line looks: four colours, each with its own mark, times three dashes; colour is never the only sign.

    Attributes:
        colour: key of PALETTE.
        dash: key of DASHES.
        symbol: Plotly's name of the mark.
    """

    colour: str
    dash: str
    symbol: str


def styles(models: Iterable[str]) -> dict[str, Style]:
    """A style for each model, in their order; the thirteenth repeats the first."""
    dashes = list(DASHES)
    return {name: Style(COLOURS[k % 4], dashes[k // 4 % 3], SYMBOLS[k % 4]) for k, name in enumerate(models)}


def curves(rows: list[Rates], looks: dict[str, Style]) -> str:
    """Accuracy under PGD-20 over ε, a line a model with its standard error, the level of chance and the threat model's radius.

    Args:
        rows: of one norm; those without a curve are left out.
        looks: from `styles`.
    """
    curved = [row for row in rows if row.curve]
    data: list[dict[str, Any]] = []
    for row in curved:
        look = looks[row.model]
        radii, shares = zip(*row.curve, strict=True)
        colour = PALETTE[look.colour][0]
        errors = [100 * row.error(share) for share in shares]
        data.append({
            "type": "scatter", "mode": "lines+markers", "name": row.model,
            "x": radii, "y": [100 * share for share in shares],
            "line": {"color": colour, "dash": look.dash, "width": 2},
            "marker": {"color": colour, "symbol": look.symbol, "size": 8},
            "error_y": {"type": "data", "array": errors, "color": colour, "thickness": 1, "width": 3},
            "hovertemplate": f"<b>{row.model}</b><br>ε = %{{x:.3g}}: %{{y:.1f}} %<extra></extra>",
        })  # fmt: skip
    chance = 100 / curved[0].classes
    last = max(row.curve[-1][0] for row in curved)
    marked = sorted({row.own[1] for row in curved if row.own[0] == row.norm and row.own[1] <= last})
    edge = {"type": "line", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "line": {"color": INK, "width": 1.5, "dash": "dot"}}
    layout = {
        "uirevision": f"{curved[0].norm} {last:g}",
        "margin": {"l": 50, "r": 12, "t": 26, "b": 46},
        "showlegend": False,  # the table's first column is the legend
        "hovermode": "closest",
        "xaxis": {"title": {"text": f"ε (radius), {NORMS[curved[0].norm]} in pixel units", "standoff": 6}, "zeroline": False,
                  "range": [-0.02 * last, 1.03 * last], "nticks": 8},
        "yaxis": {"title": {"text": "still right [%]", "standoff": 4}, "range": [-3, 103], "zeroline": False, "dtick": 20},
        "shapes": [
            {"type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": chance, "y1": chance,
             "line": {"color": MUTED, "width": 1.5, "dash": "dash"}},
            *({**edge, "x0": radius, "x1": radius} for radius in marked),
        ],
        "annotations": [
            {"xref": "paper", "yref": "y", "x": 0.01, "y": chance, "yshift": 9, "xanchor": "left", "showarrow": False,
             "text": f"chance {chance:g} %", "font": {"color": MUTED, "size": 11}},
            *({"xref": "x", "yref": "paper", "x": radius, "y": 1, "yshift": 12, "showarrow": False,
               "text": f"threat model ε = {radius:.3g}", "font": {"color": INK, "size": 11}} for radius in marked),
        ],
    }  # fmt: skip
    return json.dumps({"data": data, "layout": layout}, ensure_ascii=False)
