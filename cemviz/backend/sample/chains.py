"""Sample from a model: every step with its energies, and what tells the samplers apart.

For a classifier that is the split of the gradient into its two parts, for an encoder where the batch lies in feature space."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...draws import Each
from ...dynamics import Dynamics, State, descend, settle, slope
from ...energies import Energy
from ...samplers import SAMPLERS, Sampler, suited
from ...starts import STARTS, Source, draw
from .. import kinds
from ..checks import BadInput, article
from ..device import Device
from ..look.pictures import subject
from ..memory import OutOfMemory, full
from ..requests import PICTURE, SampleRequest
from ..store import Card, called
from ..studio import Studio
from ..use_case import Step
from .crowd import REFERENCES


@dataclass(frozen=True, slots=True)
class Chains:
    """A finished run, as plain arrays.

    Attributes:
        card, dynamics: of the run.
        labels: class index of each chain, (B,).
        pixels: uint8, (K + 1, B, H, W, C).
        series: name -> (K + 1, B); the names are those of the kind's row in KINDS.
        final: the last images, float32 in [0, 1], (B, C, H, W).
        predicted, confidence: of the last images, (B,), by the classifier or the encoder's linear probe; None without one.
        seconds: the run took.
        judge: name of the probe that predicted, or None.
        plane, landmarks: of an encoder, its features in two dimensions, (K + 1, B, 2), and those of the class means, (C, 2).
    """

    request: SampleRequest
    card: Card
    dynamics: Dynamics
    labels: np.ndarray
    pixels: np.ndarray
    series: dict[str, np.ndarray]
    final: np.ndarray
    predicted: np.ndarray | None = None
    confidence: np.ndarray | None = None
    seconds: float = 0.0
    judge: str | None = None
    plane: np.ndarray | None = None
    landmarks: np.ndarray | None = None

    @property
    def hinted(self) -> bool:
        """Whether the classes of `labels` had a say: in the sampler, or in the starts of an encoder's."""
        return hinted(self.request)

    @property
    def unheard(self) -> list[str]:
        """Options that were given and had no say: classes where none is climbed, an encoder's features of another kind."""
        ignored = {
            "classes": self.request.classes and not self.hinted,
            "features": self.request.features != SampleRequest.features and "features" not in kinds.kind_of(self.card).asks,
        }
        return [name for name, idle in ignored.items() if idle]

    @property
    def settings(self) -> dict[str, Any]:
        """The numbers of the run, for a card or a file; an infinite beta is written as "inf"."""
        numbers = {k: v for k, v in asdict(self.dynamics).items() if k != "bounds"}
        numbers["radius"] = "inf" if math.isinf(self.dynamics.radius) else self.dynamics.radius
        options = {name: getattr(self.request, name) for name in kinds.kind_of(self.card).asks}
        return numbers | options | {"start": self.request.start, "source": SAMPLERS[self.request.sampler].source}

    @property
    def travel(self) -> str:
        """How far the chains went, and how long it took, in words."""
        moved, radius = self.series["distance"][-1].mean(), self.dynamics.radius
        ball = f" of β = {radius:g}" if np.isfinite(radius) else " without a ball"
        return f"moved {moved:.1f}{ball}, {self.seconds:.1f} s"

    @property
    def energy(self) -> np.ndarray:
        """The energy that stands for a chain in a file, of the last images, (B,)."""
        return self.series[next(iter(kinds.kind_of(self.card).series))][-1]


def hinted(request: SampleRequest) -> bool:
    """Whether the classes of a run have a say: in the sampler, or in the starts."""
    return SAMPLERS[request.sampler].conditional or request.start == "class-gaussian"


def settings(request: SampleRequest, card: Card) -> Dynamics:
    """The numbers of a run: those asked for, and for the rest those that suit sampler and data."""
    numbers = {k: getattr(request, k) for k in ("steps", "step", "noise", "radius")}
    return replace(suited(request.sampler, card.shape), **{k: v for k, v in numbers.items() if v is not None})


def labels(classes: tuple[str | int, ...], count: int, card: Card) -> list[int]:
    """Class indices for the chains: the asked ones in turn, all of them where none is asked.

    Raises:
        BadInput: a class the model does not know.
    """
    chosen = []
    for label in classes or range(len(card.classes)):
        text = str(label).strip()
        if text in card.classes:
            chosen.append(card.classes.index(text))
        elif text.isdecimal() and int(text) < len(card.classes):
            chosen.append(int(text))
        else:
            raise BadInput("classes", f"class is {text!r}; {card.name} knows {', '.join(card.classes)}")
    return [chosen[i % len(chosen)] for i in range(count)]


def offered(card: Card) -> list[str]:
    """The samplers that run on this kind of model."""
    return [key for key, row in SAMPLERS.items() if row.needs == kinds.stands_for(card)]


def fitting(sampler: str, card: Card) -> Sampler:
    """The row of a sampler that runs on this kind of model.

    Raises:
        BadInput
    """
    title = article(kinds.kind_of(card).title)
    row = SAMPLERS[sampler]
    if row.needs != kinds.stands_for(card):
        wanted, others = article(kinds.KINDS[row.needs].title), ", ".join(offered(card)) or "none yet"
        raise BadInput("sampler", f"sampler {sampler!r} needs {wanted}; {card.name!r} is {title}: it has {others}")
    return row


def references(images: Tensor | None, card: Card, device: Device, seed: int) -> Tensor:
    """Real images for a sampler that needs some: REFERENCES of them, in [0, 1].

    Raises:
        LookupError: there are none here.
    """
    if images is None:
        raise LookupError(f"this sampler needs images of {card.data}, which are not on this machine (see README, Data)")
    picks = torch.randperm(len(images), generator=device.generator(seed), device=images.device)[:REFERENCES]
    return images[picks].float() / 255


@dataclass(frozen=True, slots=True)
class Run:
    """Chains that are ready to be drawn: the one drawer of page, command line and metrics.

    Attributes:
        net, card, dynamics, sampler: what is sampled, and by which numbers.
        labels: class index of each chain, (B,).
    """

    request: SampleRequest
    net: nn.Module
    card: Card
    dynamics: Dynamics
    sampler: Sampler
    labels: Tensor
    studio: Studio

    def begin(self, first: int = 0, end: int | None = None) -> tuple[Tensor, kinds.Record, Each]:
        """Starts of some of the chains, the record of their run, and the source of their noise.

        Args:
            first, end: which chains; what a chain draws depends on the seed and on its own place alone.
        """
        labels, seed, device = self.labels[first:end], self.request.seed, self.studio.device
        places, source = range(first, first + len(labels)), self._source()
        x0 = draw(self.request.start, source, labels, Each(seed, places, device.torch))
        refs = references(source.images, self.card, device, seed + 2) if self.sampler.condition == "references" else None
        record = kinds.kind_of(self.card).begin(self.net, self.sampler, labels, x0, refs, self.request.features)
        # the noise has a source of its own: two samplers with one seed share their starts and their noise
        return x0, record, Each(seed + 1, places, device.torch)

    def _source(self) -> Source:
        source, start = self.studio.source(self.card), self.request.start
        if STARTS[start].needs == "p0" and source.p0 is None:
            raise BadInput("start", f"start 'p0' needs a binary net and the images of its p₀; {_without(self.card)}")
        if STARTS[start].needs != "picture":
            return source
        if not self.request.picture:
            raise BadInput("picture", f"start {start!r} needs a picture; give {PICTURE}, where chains are looked at one by one")
        shot = subject(self.studio, self.card.data, self.request.picture, self.card.classes)
        if shot.x is None:
            raise BadInput("picture", f"{shot.lacking} Choose one that a model drew")
        return replace(source, picture=shot.x)

    def last(self) -> Iterator[Tensor]:
        """The last images, a chunk of chains at a time, (B, C, H, W)."""
        for x0, energy, noise in self._chunks():
            yield settle(energy, x0, self.dynamics, generator=noise)

    def states(self) -> Iterator[State]:
        """The states k = 0 ... K of every chunk of chains, one chunk after the other.  Raises Diverged."""
        for x0, energy, noise in self._chunks():
            yield from descend(energy, x0, self.dynamics, generator=noise)

    def _chunks(self) -> Iterator[tuple[Tensor, Energy, Each]]:
        size = kinds.kind_of(self.card).chunk
        for first in range(0, len(self.labels), size):
            x0, record, noise = self.begin(first, first + size)
            yield x0, record.bare, noise


def _without(card: Card) -> str:
    """Why a model has no p0 here."""
    if not (text := card.recipe_args.get("p0")):
        return f"{card.name!r} is {article(kinds.kind_of(card).title)}: begin elsewhere"
    return f"{text} of {card.name!r} is not on this machine (see README, Data): begin elsewhere"


def prepared(studio: Studio, request: SampleRequest, count: int | None = None) -> Run:
    """Everything that a request needs, looked up and checked.

    Args:
        count: chains in place of the request's, which keeps all of their steps: metrics take more.
    Raises:
        KeyError, BadInput, LookupError, BrokenCheckpoint.
    """
    net, card = studio.model(request.model)
    sampler = fitting(request.sampler, card)
    if STARTS[request.start].needs == "gaussians" and studio.source(card).gaussians is None:
        make = f"python -m cemviz assets {card.data} --only seeds"
        raise BadInput("start", f"start {request.start!r} needs the class Gaussians of {card.data}; make them with: {make}")
    classes = torch.tensor(labels(request.classes, count or request.count, card), device=studio.device.torch)
    return Run(request, net, card, settings(request, card), sampler, classes, studio)


def sample(studio: Studio, request: SampleRequest) -> Iterator[Step | Chains]:
    """Run a sampler on a stored model.

    Yields:
        a `Step` after every step of the chains, then the `Chains`.
    Raises:
        KeyError, BadInput, LookupError, BrokenCheckpoint, Diverged, OutOfMemory.
    """
    run = prepared(studio, request)
    began = time.perf_counter()
    x0, record, noise = run.begin()
    pixels, rows = [], []
    try:
        for state in descend(record, x0, run.dynamics, generator=noise):
            pixels.append(to_pixels(state.x))
            rows.append({k: v.cpu().numpy() for k, v in record.row(state).items()})
            if state.k < run.dynamics.steps:
                yield Step(state.k, run.dynamics.steps, called(request.model))
    except RuntimeError as error:
        if not full(error):
            raise
        raise OutOfMemory(_most(run.net, x0, studio.device)) from error
    yield Chains(
        request=request,
        card=run.card,
        dynamics=run.dynamics,
        labels=run.labels.cpu().numpy(),
        pixels=np.stack(pixels),
        series={k: np.stack([row[k] for row in rows]) for k in rows[0]},
        final=state.x.cpu().numpy(),
        seconds=time.perf_counter() - began,
        **record.outcome(studio, run.card, state.x),
    )


def samples(studio: Studio, requests: Sequence[SampleRequest]) -> Iterator[Step | Chains]:
    """Several runs, one after the other, see `sample`."""
    for request in requests:
        yield from sample(studio, request)


def _most(net: nn.Module, x0: Tensor, device: Device) -> str:
    """How many chains fit, found by halving: a batch that moves as one cannot be cut into chunks."""
    count = len(x0) // 2
    while count:
        try:
            slope(lambda x: net(x).sum(1), x0[:count])
        except RuntimeError as error:
            if not full(error):
                raise
            count //= 2
        else:
            return f"chains (count) is {len(x0)}, which does not fit into the memory of {device.title}; {count} do"
    return f"not even one chain fits into the memory of {device.title}; take a smaller net, or another device"


def reach(studio: Studio, chains: Chains) -> tuple[float, str] | None:
    """How far the starts of a run lie from data: the median over chains of the distance to the nearest image.

    Returns:
        L2 distance and what it is to: a test image where the set is on this machine, else the mean of a class; None where
        neither is.
    """
    source = studio.source(chains.card)
    if source.images is not None:
        near, noun = source.images[:2000].flatten(1).float() / 255, "of 2,000 test images"
    elif source.gaussians is not None:
        near, noun = source.gaussians.means[:-1], "class mean (the data set itself is not on this machine)"
    else:
        return None
    x0 = torch.from_numpy(chains.pixels[0]).to(near.device).permute(0, 3, 1, 2).flatten(1).float() / 255
    return torch.cdist(x0, near).amin(1).median().item(), noun


def to_pixels(x: Tensor) -> np.ndarray:
    """Images as bytes, channels last: (B, C, H, W) in [0, 1] -> uint8 (B, H, W, C)."""
    return (x.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
