"""Requests of the playground: a game without a page, and its rules."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from ...data.named import p0, p_data
from ...data.toys import P0S, TOYS, Toy
from ...training.game import Rules
from ..checks import BadInput
from ..fields import Choice, Number, request
from .common import Seed

ALGORITHMS = {"maximin": "Algorithm 1: maximin", "minimax": "Algorithm 2: minimax"}
OBJECTIVES = {"logistic": "log-likelihood of D (2.11)", "likelihood": "EBM objective (2.2)"}
NEGATIVES = {"attack": "attack (2.8)", "langevin": "Langevin dynamics (2.3)"}
OURS = Rules()


@dataclass(frozen=True, slots=True)
class Density(Choice):
    """A density by name: a row of a table, or one of a visitor's own.

    Attributes:
        named: name -> density, or a ValueError that says what there is.
    """

    named: Callable[[str], Toy] = p_data

    def check(self, name: str, value: Any) -> str:
        """See `Field.check`."""
        try:
            self.named(str(value))
        except ValueError as fault:
            raise BadInput(name, str(fault)) from None
        return str(value)


PRESETS = "(default: the preset's)"
DATA = Density("p_data", f"{', '.join(TOYS)}, or painted: and letters, see the page's address {PRESETS}", table=TOYS)
P0 = Density("p₀", f"{', '.join(P0S)}; elsewhere as NAME@x,y or NAME@x,y,size {PRESETS}", table=P0S, named=p0)


@request
class PlayRequest:
    """Play a game without a page; None takes the preset's.

    Attributes:
        data, p0: names of densities, see `data.named`.
        seconds: stop after so many seconds of moves.
        steps: stop after so many turns.
    """

    preset: Annotated[str, Choice("preset", "see `list`", table=lambda: _presets())] = "maximin"
    data: Annotated[str | None, DATA] = None
    p0: Annotated[str | None, P0] = None
    seconds: Annotated[float | None, Number("seconds", "stop after so many seconds of moves", high=86_400)] = None
    steps: Annotated[
        int | None, Number("steps", "stop after so many turns (default: the preset's)", low=1, high=1_000_000, whole=True)
    ] = None
    seed: Seed = 0


@request
class RulesRequest:
    """Set the rules of a game: the values are those of `training.game.Rules`, which tells what each of them does."""

    rule: Annotated[str, Choice("who moves first", table=ALGORITHMS)] = OURS.rule
    data: Annotated[str, DATA] = OURS.data
    p0: Annotated[str, P0] = OURS.p0
    steps: Annotated[int, Number("steps of an attack", "Algorithm 2 takes one", "K", 1, 60, whole=True)] = OURS.steps
    step: Annotated[float, Number("length of a step", "the box is 6 wide", "λ", high=0.6)] = OURS.step
    shrink: Annotated[float, Number("shrink", "λ's factor per attack of Algorithm 2", low=0.5, high=1)] = OURS.shrink
    inner: Annotated[int, Number("inner: updates of D per turn", "Algorithm 1 makes one", low=1, high=300, whole=True)] = (
        OURS.inner
    )
    count: Annotated[int, Number("points", "of either kind", "m", 8, 2000, whole=True)] = OURS.count
    lr: Annotated[float, Number("learning rate of D", "Adam", low=2e-4, high=0.02)] = OURS.lr
    width: Annotated[int, Number("width", "of each hidden layer", low=4, high=256, whole=True)] = OURS.width
    gain: Annotated[float, Number("gain", "factor of D's initial weights", low=0.1, high=5)] = OURS.gain
    objective: Annotated[str, Choice("what D raises", table=OBJECTIVES)] = OURS.objective
    negatives: Annotated[str, Choice("how p₀'s points move", table=NEGATIVES)] = OURS.negatives


def _presets() -> list[str]:
    from ..presets import PLAY  # its stories are made of these requests

    return list(PLAY)
