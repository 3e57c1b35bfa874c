"""Requests for numbers: a metric of a model, and a table of the papers."""

from typing import Annotated

from ...attacks import ATTACKS
from ...metrics.robustness import PROTOCOLS
from ...metrics.scores import SCORES
from ...samplers import SAMPLERS
from ...starts import STARTS
from ..fields import Choice, Field, Number, request
from .chains import Alpha
from .common import Model, Norm, Root, Seed
from .train import SCALES


@request
class EvaluateRequest:
    """Measure a stored model on test images, or its samples.

    Attributes:
        attack: None takes Auto-PGD, or what is strong against a kind of model that it is weak against.
        radius, steps: of the attack (ε, K), or of the chains (β, K) where samples are measured.
        count: test images, from the start of the split, and samples; None takes what the metric says.
        sampler, start, step: of metrics of samples.
        extractor: inception or judge-NAME; None takes Inception where its weights are here, else the data set's judge.
        against, score, restarts: of out-of-distribution detection, see `OutsideRequest`.
    """

    model: Model
    metric: Annotated[str, Choice("metric", "see `list`", table=lambda: _metrics())] = "accuracy"
    attack: Annotated[
        str | None,
        Choice("attack", "an untargeted one, see `list` (default: of the kind of model)", table=lambda: _untargeted()),
    ] = None
    norm: Norm = None
    radius: Annotated[float | None, Number("radius", "or β of samples, pixel units (default: the card's)", "ε")] = None
    steps: Annotated[
        int | None, Number("steps", "(default: the attack's, or the sampler's)", "K", low=0, high=10_000, whole=True)
    ] = None
    count: Annotated[
        int | None, Number("count", "test images (default: 1000, or 200 if slow)", low=1, high=1_000_000, whole=True)
    ] = None
    seed: Seed = 0
    sampler: Annotated[str | None, Choice("sampler", "of samples (default: of the kind of model)", table=SAMPLERS)] = None
    start: Annotated[str, Choice("start", "of samples", table=STARTS)] = "class-gaussian"
    step: Alpha = None
    extractor: Annotated[str | None, Field("extractor", "of samples: inception or judge-NAME")] = None
    against: Annotated[str, Field("against", "other images, of ood: uniform, or a data set")] = "uniform"
    score: Annotated[str | None, Choice("score", "of ood (default: of the kind of model)", table=SCORES)] = None
    restarts: Annotated[int, Number("restarts", "of the attack of ood", low=1, high=100, whole=True)] = 5


@request
class ReproduceRequest:
    """Make a table of the papers.

    Attributes:
        target: key of EXPERIMENTS.
        seeds: number of seeds, 0 first; of a stored model, those of its draws and attacks.
        scale: of the models trained for it.
        shipped: take the stored models instead of training any.
        data: root of local image folders.
        present: train the first seed only; of the others take those whose models are there.
        keep: train nothing: measure what rests on stored models, and keep the other rows of the table that is there.
    """

    target: Annotated[str, Choice("target", "a table or figure of the papers, see `list`", table=lambda: _experiments())]
    seeds: Annotated[int, Number("seeds", "how many", low=1, high=20, whole=True)] = 3
    scale: Annotated[str, Choice("scale", "of the models trained for it", table=lambda: SCALES)] = "evidence"
    shipped: Annotated[bool, Field("shipped", "measure the stored models instead of training any")] = False
    data: Root = None
    present: Annotated[bool, Field("present", "train the first seed only, take more where they are")] = False
    keep: Annotated[bool, Field("keep", "train nothing: measure what rests on stored models, keep the rest")] = False


@request
class SoakRequest:
    """Drive a page of this machine by many visitors.

    Attributes:
        url: of the page.
        visitors, minutes: how many at once, and for how long.
    """

    url: Annotated[str, Field("url", "a page of this machine")] = "http://127.0.0.1:7860"
    visitors: Annotated[int, Number("visitors", "at once", low=1, high=200, whole=True)] = 50
    minutes: Annotated[float, Number("minutes", "for how long", low=0.05, high=60)] = 5.0
    seed: Seed = 0


def _metrics() -> list[str]:
    from ..evaluate import METRICS  # the rows hold functions that take these requests

    return list(METRICS)


def _untargeted() -> list[str]:
    return [*(name for name, row in ATTACKS.items() if not row.targeted), *PROTOCOLS]


def _experiments() -> list[str]:
    from ..tables import EXPERIMENTS  # its cells are measured by these requests

    return list(EXPERIMENTS)
