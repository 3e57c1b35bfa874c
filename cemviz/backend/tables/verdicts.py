"""Verdicts: when a number of ours decides a claim of a paper, and how wide a number scatters."""

from math import hypot, isfinite
from typing import Any

from .table import Order, Place

DEVIATIONS = 2.0
"""Standard deviations of the difference that a gap must exceed to decide: about 95 % of a normal law."""

Row = dict[str, Any]
"""A number of a table with what it rests on, as in checkpoints/results/TARGET.json."""


def decided(gap: float | None, deviation: float | None) -> bool | None:
    """Verdict on a claim: true or false where the gap exceeds DEVIATIONS standard deviations, else null ("undecided").

    Args:
        gap: by how much the claim holds; below 0 the other way.  None, NaN: not measured.
        deviation: standard deviation of the gap.  None, NaN, 0: nobody knows how far it scatters.
    Source: our choice.
    """
    if gap is None or deviation is None or not (isfinite(gap) and isfinite(deviation) and deviation > 0):
        return None
    return gap > 0 if abs(gap) > DEVIATIONS * deviation else None


def joined(deviation: float | None, error: float | None) -> float | None:
    """Spread of a number: its deviation over seeds joined with what drawing the images anew would change.

    Args:
        deviation: over seeds, None for one; 0 counts as None, since seeds that change nothing tell no spread.
        error: standard error under resampling of the images, None where nobody knows it.
    Returns:
        hypot of the two, or the one there is, or None.
    """
    parts = [part for part in (deviation, error) if part is not None and isfinite(part) and part > 0]
    return hypot(*parts) if parts else None


def binomial(rate: float, count: int) -> float:
    """Standard error of a share of `count` images; never 0, since 0 of n rests on n images too.

    sqrt(p (1 - p) / (n + 2)),  p = (n rate + 1) / (n + 2)

    Source: Laplace's rule of succession.
    """
    p = (count * rate + 1) / (count + 2)
    return (p * (1 - p) / (count + 2)) ** 0.5


def verdict(order: Order, rows: dict[Place, Row]) -> dict[str, Any]:
    """How a claim stands: {claim, holds, by, spread, seeds, draws, over, under}, and {second: {over, under, by, spread}}.

    `by` is how far the numbers lie on the claim's side, and `spread` the standard deviation of `by`: null where a number is
    missing or, for the spread, one of the two has none.  Numbers seen by different extractors are never compared.  What an
    extractor sees is decided by two, who have to agree: {alone: true} says that there is no second.  See docs/EVIDENCE.md.
    """
    sides = (order.over, order.under)
    by, spread = _gap(*sides, order.margin, rows)
    holds, also = decided(by, spread), {}
    if order.second is None and any(rows[side]["extractor"] for side in sides if side in rows):
        holds, also = None, {"alone": True}
    elif order.second is not None:
        other = _gap(*order.second, order.margin, rows)
        also = {"second": _sides(*order.second) | dict(zip(("by", "spread"), map(digits, other), strict=True))}
        sides += order.second
        holds = holds if holds == decided(*other) else None
    measured = [row for side in sides if not isinstance(side, float) and (row := rows.get(side))]
    return {
        "claim": order.claim,
        "holds": holds,
        "by": digits(by),
        "spread": digits(spread),
        "seeds": min((row["seeds"] for row in measured), default=0),
        "draws": min((row.get("draws", 1) for row in measured), default=0),
        **_sides(order.over, order.under),
        **also,
    }


def _gap(
    over: Place | float, under: Place | float, margin: float | None, rows: dict[Place, Row]
) -> tuple[float | None, float | None]:
    """By how much a claim on two numbers holds, and its standard deviation."""
    measured = [row for side in (over, under) if not isinstance(side, float) and (row := rows.get(side))]
    values = [side if isinstance(side, float) else rows.get(side, {}).get("ours") for side in (over, under)]
    if None in values or len({row["extractor"] for row in measured}) > 1:
        return None, None
    by = values[0] - values[1] if margin is None else margin - abs(values[0] - values[1])
    spreads = [row["spread"] for row in measured]
    return (by, None if None in spreads else hypot(*spreads)) if isfinite(by) else (None, None)


def _sides(over: Place | float, under: Place | float) -> dict[str, Any]:
    return {name: side if isinstance(side, float) else list(side) for name, side in (("over", over), ("under", under))}


def digits(value: float | None) -> float | None:
    """Five significant digits: some scores span many orders."""
    return None if value is None else float(f"{value:.5g}")


def judge(orders: tuple[Order, ...], rows: list[Row]) -> list[dict[str, Any]]:
    """Verdicts of a table's claims on its rows, in the claims' order."""
    by_place = {(row["name"], row["column"]): row for row in rows}
    return [verdict(order, by_place) for order in orders]
