r"""The equations of the papers as a table: what each says, the function that implements it, and a check that is run live.

A check computes both sides of its equation on a small random net in float64, by two ways that share as little code as can be:
one side is this package's function, the other is written out by hand (each logit's gradient on its own, sums over classes,
loops over pairs, a finite space whose partition function is a sum).  What is compared is what the equation claims; where a
paper misprints or leaves something open, the note says how we read it.

    check = run("cem-12", seed=0)
    check.holds, check.difference

Every draw comes from a generator of the check's own, so that a check is a function of its key and its seed.
"""

from . import contrastive, detection, jeat, likelihood, pairs, protocol, regularisers, supervised, thesis
from .check import EXACT, ROUNDED, Check, Equation, excess, gap

__all__ = ["EQUATIONS", "EXACT", "ROUNDED", "Check", "Equation", "excess", "gap", "run"]

EQUATIONS: dict[str, Equation] = {
    **supervised.ROWS,
    **regularisers.ROWS,
    **contrastive.ROWS,
    **pairs.ROWS,
    **protocol.ROWS,
    **jeat.ROWS,
    **likelihood.ROWS,
    **thesis.ROWS,
    **detection.ROWS,
}
"""Every row, in reading order: CEM with labels, without them, how it samples; JEAT; the thesis."""


def run(key: str, seed: int = 0) -> Check:
    """Run a check.

    Args:
        key: of EQUATIONS.
        seed: of the net and of every draw, in [0, 2^63).
    Raises:
        KeyError: unknown equation.
    """
    if key not in EQUATIONS:
        raise KeyError(f"no equation {key!r}; choose one of {', '.join(EQUATIONS)}")
    return EQUATIONS[key].check(seed)
