"""Sample from a model: every step with its energies, and what tells the samplers apart.

For a classifier that is the split of the gradient into its two parts, for an encoder where the batch lies in feature space."""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..dynamics import Dynamics, descend, slope
from ..samplers import SAMPLERS, Sampler, suited
from ..starts import STARTS, draw
from .checks import MAX_CHAINS, BadInput, article, chain, choice, number
from .crowd import REFERENCES, Crowd, probe_of
from .device import Device
from .memory import OutOfMemory, full
from .split import Split
from .store import Card
from .studio import Studio


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """What to sample; None takes the numbers that suit sampler and data.

    Attributes:
        sampler, start, count: those that suit classifiers; see USUAL.
        classes: names or indices, given to the chains in turn.
        count: number of chains.
        start: key of STARTS.
        step, noise, radius, steps: alpha, eta, beta, K.
        features: of an encoder, whose similarities count: key of FEATURES.
    """

    model: str
    sampler: str = "rcs"
    classes: tuple[str | int, ...] = ()
    count: int = 16
    start: str = "class-gaussian"
    step: float | None = None
    noise: float | None = None
    radius: float | None = None
    steps: int | None = None
    seed: int = 0
    features: str = "projection"


FEATURES = {"projection": "of the projection head", "trunk": "of the trunk"}
"""Of an encoder, which features g(x) are; CEM does not say."""

USUAL: dict[str, dict[str, Any]] = {
    "classifier": {"sampler": "rcs", "start": "class-gaussian", "count": 16},
    "encoder": {"sampler": "maxent", "start": "gaussian", "count": 64},
}
"""What to begin with, by kind of model: an encoder's batch is one system, which wants more members, and asks for no class."""


@dataclass(frozen=True, slots=True)
class Chains:
    """A finished run, as plain arrays.

    Attributes:
        card, dynamics: of the run.
        asked: class index of each chain, (B,).
        pixels: uint8, (K + 1, B, H, W, C).
        series: name -> (K + 1, B); of a classifier joint, marginal, log_p, distance, label_slope, lse_slope, angle (degrees),
            of an encoder those of `crowd.Crowd.row`.
        final: the last images, float32 in [0, 1], (B, C, H, W).
        predicted, confidence: of the last images, (B,), by the classifier or the encoder's linear probe; None without one.
        seconds: the run took.
        judge: name of the probe that predicted, or None.
        plane, landmarks: of an encoder, its features in two dimensions, (K + 1, B, 2), and those of the class means, (C, 2).
    """

    request: SampleRequest
    card: Card
    dynamics: Dynamics
    asked: np.ndarray
    pixels: np.ndarray
    series: dict[str, np.ndarray]
    final: np.ndarray
    predicted: np.ndarray | None
    confidence: np.ndarray | None
    seconds: float
    judge: str | None = None
    plane: np.ndarray | None = None
    landmarks: np.ndarray | None = None

    @property
    def hinted(self) -> bool:
        """Whether the classes of `asked` had a say: in the sampler, or in the starts of an encoder's."""
        return SAMPLERS[self.request.sampler].conditional or self.request.start == "class-gaussian"

    @property
    def settings(self) -> dict[str, Any]:
        """The numbers of the run, for a card or a file; an infinite beta is written as "inf"."""
        numbers = {k: v for k, v in asdict(self.dynamics).items() if k != "bounds"}
        numbers["radius"] = "inf" if math.isinf(self.dynamics.radius) else self.dynamics.radius
        told = {"features": self.request.features} if self.card.kind == "encoder" else {}
        return numbers | told | {"start": self.request.start, "source": SAMPLERS[self.request.sampler].source}


def settings(request: SampleRequest, card: Card) -> Dynamics:
    """The numbers of a run, checked.

    Raises:
        BadInput
    """
    base = suited(request.sampler, card.shape)
    asked = {
        k: getattr(base, k) if getattr(request, k) is None else getattr(request, k)
        for k in ("steps", "step", "noise", "radius")
    }
    return replace(base, **chain(**asked))


def labels(classes: tuple[str | int, ...], count: int, card: Card) -> list[int]:
    """Class indices for the chains: the asked ones in turn, all of them where none is asked.

    Raises:
        BadInput: a class the model does not know.
    """
    chosen = []
    for asked in classes or range(len(card.classes)):
        text = str(asked).strip()
        if text in card.classes:
            chosen.append(card.classes.index(text))
        elif text.isdigit() and int(text) < len(card.classes):
            chosen.append(int(text))
        else:
            raise BadInput("classes", f"class is {text!r}; {card.name} knows {', '.join(card.classes)}")
    return [chosen[i % len(chosen)] for i in range(count)]


def offered(card: Card) -> list[str]:
    """The samplers that run on this kind of model."""
    return [key for key, row in SAMPLERS.items() if row.needs == card.kind]


def fitting(sampler: str, card: Card) -> Sampler:
    """The row of a sampler that runs on this kind of model.

    Raises:
        BadInput
    """
    row = SAMPLERS[choice("sampler", sampler, SAMPLERS)]
    if row.needs != card.kind:
        others = ", ".join(offered(card)) or "none yet"
        raise BadInput(
            "sampler", f"sampler {sampler!r} needs {article(row.needs)}; {card.name!r} is {article(card.kind)}: it has {others}"
        )
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


def sample(studio: Studio, request: SampleRequest) -> Iterator[dict[str, Any] | Chains]:
    """Run a sampler on a stored model.

    Yields:
        {k, steps} after every step, then the `Chains`.
    Raises:
        KeyError, BadInput, LookupError, BrokenCheckpoint, Diverged, OutOfMemory.
    """
    net, card = studio.model(request.model)
    sampler = fitting(request.sampler, card)
    choice("start", request.start, STARTS)
    choice("features", request.features, FEATURES)
    count = number("count", request.count, 1, MAX_CHAINS, whole=True)
    seed = number("seed", request.seed, 0, 2**31 - 1, whole=True)
    dyn = settings(request, card)
    began = time.perf_counter()
    device, source = studio.device, studio.source(card)
    asked = torch.tensor(labels(request.classes, count, card), device=device.torch)
    x0 = draw(request.start, source, asked, device.generator(seed))
    try:
        record: Split | Crowd
        if card.kind == "encoder":
            refs = references(source.images, card, device, seed + 2) if sampler.given == "references" else None
            record = Crowd(net if request.features == "projection" else net.of_trunk, sampler, x0, refs)
        else:
            record = Split(net, sampler, asked, x0)
        pixels, rows = [], []
        # the noise has a source of its own: two samplers with one seed share their starts and their noise
        for state in descend(record, x0, dyn, generator=device.generator(seed + 1)):
            pixels.append(to_pixels(state.x))
            rows.append({k: v.cpu().numpy() for k, v in record.row(state).items()})
            if state.k < dyn.steps:
                yield {"k": state.k, "steps": dyn.steps}
    except RuntimeError as error:
        if not full(error):
            raise
        raise OutOfMemory(_most(net, x0, device)) from error
    yield Chains(
        request=request,
        card=card,
        dynamics=dyn,
        asked=asked.cpu().numpy(),
        pixels=np.stack(pixels),
        series={k: np.stack([row[k] for row in rows]) for k in rows[0]},
        final=state.x.cpu().numpy(),
        seconds=time.perf_counter() - began,
        **_outcome(studio, card, record, state.x),
    )


def _outcome(studio: Studio, card: Card, record: Split | Crowd, x: Tensor) -> dict[str, Any]:
    """What the last images are taken for and, of an encoder, the plane of its features."""
    told: dict[str, Any] = {"predicted": None, "confidence": None}
    if isinstance(record, Split):
        f = record.logits
    else:
        source = studio.source(card)
        means = None if source.gaussians is None else source.gaussians.means[:-1].view(-1, *card.shape)
        plane, marks = record.plane(means)
        told |= {"plane": plane.cpu().numpy(), "landmarks": None if marks is None else marks.cpu().numpy()}
        told["judge"] = probe_of(card)
        if told["judge"] is None:
            return told
        with torch.no_grad():
            f = studio.model(told["judge"])[0](x)
    p = f.softmax(1)
    return told | {"predicted": p.argmax(1).cpu().numpy(), "confidence": p.amax(1).cpu().numpy()}


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
        near, what = source.images[:2000].flatten(1).float() / 255, "of 2,000 test images"
    elif source.gaussians is not None:
        near, what = source.gaussians.means[:-1], "class mean (the data set itself is not on this machine)"
    else:
        return None
    x0 = torch.from_numpy(chains.pixels[0]).to(near.device).permute(0, 3, 1, 2).flatten(1).float() / 255
    return torch.cdist(x0, near).amin(1).median().item(), what


def to_pixels(x: Tensor) -> np.ndarray:
    """Images as bytes, channels last: (B, C, H, W) in [0, 1] -> uint8 (B, H, W, C)."""
    return (x.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
