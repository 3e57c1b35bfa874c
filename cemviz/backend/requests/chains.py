"""Requests for chains: draw from a model once, or under every setting of a sweep."""

from dataclasses import fields
from typing import Annotated

from ...samplers import SAMPLERS
from ...starts import STARTS
from ..checks import MAX_CHAINS, MAX_STEPS, BadInput, choice
from ..fields import Choice, Field, Number, fields_of, request
from .common import PICTURE, Model, Seed

FEATURES = {"projection": "of the projection head", "trunk": "of the trunk"}
"""Choices of an encoder's features g(x); CEM does not say which."""

NUMBERS = ("step", "radius", "noise", "steps")
"""Fields of chains that a sweep goes over: alpha, beta, eta, K."""

MOST_VALUES = 20
"""Values along an axis of a sweep, at most."""

Classes = Annotated[tuple[str | int, ...], Field("classes", "names or numbers, commas between (default: all in turn)")]
Sampler = Annotated[str, Choice("sampler", "see `list` (default: of the kind of model)", table=SAMPLERS)]
Count = Annotated[int, Number("chains", "how many (default: of the kind of model)", low=1, high=MAX_CHAINS, whole=True)]
Start = Annotated[str, Choice("start", "x₀ of the chains (default: of the kind of model)", table=STARTS)]
Alpha = Annotated[float | None, Number("step", "a step's length, pixel units", "α", high=100)]
Beta = Annotated[float | None, Number("radius", "of the ball around x₀, pixel units, or inf", "β")]
Eta = Annotated[float | None, Number("noise", "standard deviation per pixel", "η", high=10)]
Steps = Annotated[int | None, Number("steps", f"updates, 0 to {MAX_STEPS}", "K", high=MAX_STEPS, whole=True)]


@request
class ChainsRequest:
    """Run chains of a stored model; None takes what suits the kind of model, the sampler and the data.

    Attributes:
        classes: names or indices, given to the chains in turn; empty takes all of them in turn.
        step, noise, radius, steps: alpha, eta, beta, K.
    """

    model: Model
    sampler: Sampler = "rcs"
    classes: Classes = ()
    count: Count = 16
    start: Start = "class-gaussian"
    step: Alpha = None
    noise: Eta = None
    radius: Beta = None
    steps: Steps = None
    seed: Seed = 0


@request
class SampleRequest(ChainsRequest):
    """Sample from a stored model.

    Attributes:
        features: of an encoder, whose similarities count.
        picture: that all chains start from, where start is "picture": one of PICTURE.
    """

    features: Annotated[str, Choice("features", "of an encoder: projection or trunk", table=FEATURES)] = "projection"
    picture: Annotated[str, Field("picture", f"of start picture: {PICTURE}")] = ""


@request
class SweepRequest(ChainsRequest):
    """Sweep one or two numbers of a sampler; step, noise, radius and steps are of what is not swept.

    Attributes:
        over: one or two of NUMBERS.
        values: of each axis; empty takes multiples of the sampler's own number, see `sample.sweep`.
        metric: columns of a sweep, the one that stands for a setting first; empty takes all that so many chains have.
        judge: who sees the samples, a stored model; None takes the data set's.
        seeds: number of seeds, from `seed` on: the same chains under every setting.
    """

    over: Annotated[tuple[str, ...], Field("over", f"one or two of {', '.join(NUMBERS)}")] = ("noise", "steps")
    values: Annotated[
        tuple[tuple[float, ...], ...], Field("values", "as 0,.01,.02 or 0,.01;10,20 (default: multiples of the sampler's)")
    ] = ()
    metric: Annotated[tuple[str, ...], Field("metric", "columns, see `list` (default: all there are)")] = ()
    judge: Annotated[str | None, Field("judge", "who sees the samples (default: the data set's)")] = None
    seeds: Annotated[int, Number("seeds", "how many", low=1, high=20, whole=True)] = 3

    def __post_init__(self) -> None:
        for name in self.over:
            choice("over", name, NUMBERS)
        if not 1 <= len(set(self.over)) == len(self.over) <= 2:
            raise BadInput("over", f"over is {', '.join(self.over) or 'empty'}; give one or two of {', '.join(NUMBERS)}")
        for name in self.over:
            if getattr(self, name) is not None:
                raise BadInput(name, f"{name} is swept; leave it out, or give it among the values")
        for name in self.metric:
            choice("metric", name, _columns())
        if self.values and len(self.values) != len(self.over):
            few = f"values has {len(self.values)} lists, and {len(self.over)} numbers are swept"
            raise BadInput("values", f"{few}; give one list each, with semicolons between")
        for name, values in zip(self.over, self.values, strict=False):
            if not 1 <= len(set(values)) == len(values) <= MOST_VALUES:
                raise BadInput("values", f"{name} has {len(values)} values; give 1 to {MOST_VALUES}, each once")
            for value in values:
                fields_of(ChainsRequest)[name].check(name, value)

    def chains(self) -> SampleRequest:
        """The chains of the first seed under the sampler's own numbers, as a request to sample."""
        return SampleRequest(**{f.name: getattr(self, f.name) for f in fields(ChainsRequest)})


def _columns() -> list[str]:
    from ..sample.columns import COLUMNS  # its rows rest on the metrics of `evaluate`

    return list(COLUMNS)
