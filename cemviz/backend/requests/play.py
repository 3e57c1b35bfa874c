"""Requests of the playground: a game without a page, and its rules."""

from typing import Annotated

from ...data.toys import P0S, TOYS
from ...training.game import Rules
from ..fields import Choice, Number, request
from .common import Seed

ALGORITHMS = {"maximin": "Algorithm 1: maximin", "minimax": "Algorithm 2: minimax"}
OBJECTIVES = {"logistic": "log-likelihood of D (2.11)", "likelihood": "EBM objective (2.2)"}
NEGATIVES = {"attack": "attack (2.8)", "langevin": "Langevin dynamics (2.3)"}
OURS = Rules()


@request
class PlayRequest:
    """Play a game without a page; None takes the preset's.

    Attributes:
        seconds: stop after so many seconds of moves.
        steps: stop after so many turns.
    """

    preset: Annotated[str, Choice("preset", "see `list`", table=lambda: _presets())] = "maximin"
    seconds: Annotated[float | None, Number("seconds", "stop after so many seconds of moves", high=86_400)] = None
    steps: Annotated[
        int | None, Number("steps", "stop after so many turns (default: the preset's)", low=1, high=1_000_000, whole=True)
    ] = None
    seed: Seed = 0


@request
class RulesRequest:
    """Set the rules of a game: the values are those of `training.game.Rules`, which tells what each of them does."""

    rule: Annotated[str, Choice("who moves first", table=ALGORITHMS)] = OURS.rule
    data: Annotated[str, Choice("p_data", table=TOYS)] = OURS.data
    p0: Annotated[str, Choice("p₀", table=P0S)] = OURS.p0
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
