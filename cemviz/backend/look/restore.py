"""Restoration by climbing a binary net: noise taken away, holes filled, other pictures moved into the data, lines climbed from.

One dynamics for all (thesis 2.5.3, 2.5.4): gradient ascent on f from the damaged picture, and the number of steps is the
strength.  A run keeps all of its steps, so that one request serves every strength.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...draws import Each, randn
from ...dynamics import Dynamics, Project, descend, pin
from ...metrics.restoration import split
from ...metrics.similarity import similarity_map
from ...mixtures import blurred
from ...samplers import SAMPLERS, suited
from .. import kinds
from ..checks import MAX_STEPS, BadInput, article
from ..requests import RestoreRequest
from ..sample.chains import offered, to_pixels
from ..sample.export import tile
from ..store import Card
from ..stored import files
from ..studio import Studio
from ..use_case import Step
from .holes import hole
from .pictures import shaped

SAMPLER = "ascent"

FILL = 0.3
"""Grey of a hole: our choice, on MNIST's validation split.  Black is a digit's own ground, where f hardly rises."""

REACH = 1.25
"""Length of a climb over that of the noise it takes away, E|noise| = sigma sqrt(d): our choice, as above."""

FREE, HELD = 3, 9
"""Steps that suit an inpainting that climbs freely, which soon changes what was known, and one that holds it: as above."""

BETWEEN = 8
"""Chains along an interpolation, its two ends among them."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A finished climb, as plain arrays.

    Attributes:
        title: the picture in words.
        truth: before the damage, uint8 (H, W, C); None where nobody knows what should come out.
        lost: the hole, (H, W) bool, or None.
        frames: uint8, (K + 1, B, H, W, C), the damaged picture first; one chain, or those of an interpolation.
        series: name -> (K + 1, B): energy, D, distance and slope, and, where the truth is known, ssim and, with a hole, inside
            and outside: the mean SSIM over its pixels and over the others.
        seconds: it took.
    """

    request: RestoreRequest
    card: Card
    title: str
    dynamics: Dynamics
    truth: np.ndarray | None
    lost: np.ndarray | None
    frames: np.ndarray
    series: dict[str, np.ndarray]
    seconds: float

    @property
    def ssim(self) -> tuple[float, float] | None:
        """SSIM before and after, where the truth is known."""
        curve = self.series.get("ssim")
        return None if curve is None else (float(curve[0, 0]), float(curve[-1, 0]))


def restores(card: Card | None) -> bool:
    """Whether a model restores."""
    return card is not None and card.kind in kinds.KINDS and SAMPLER in offered(card)


def restorers(studio: Studio) -> list[str]:
    """The stored models that do."""
    return [name for name, card in studio.cards().items() if restores(card)]


def numbers(request: RestoreRequest, shape: tuple[int, ...]) -> Dynamics:
    """The numbers of a climb: those asked for, and for the rest those that suit the task.

    A restoration takes half the sampler's step, a translation or an interpolation the sampler's own numbers.
    """
    dyn = suited(SAMPLER, shape)
    if request.task in ("denoise", "inpaint"):
        step = dyn.step / 2 if request.step is None else request.step
        dyn = replace(dyn, step=step, steps=_strength(request, step, shape))
    changes = {k: v for k in ("steps", "step") if (v := getattr(request, k)) is not None}
    return replace(dyn, **changes)


def _strength(request: RestoreRequest, step: float, shape: tuple[int, ...]) -> int:
    if request.task == "inpaint":
        return HELD if request.hold else FREE
    length = REACH * request.sigma * prod(shape) ** 0.5
    return min(max(1, round(length / step)), MAX_STEPS) if step else 1


def restore(studio: Studio, request: RestoreRequest) -> Iterator[Step | Restored]:
    """Damage a picture as the task has it, and climb.

    Yields:
        a `Step` after every step, then the `Restored`.
    Raises:
        BadInput: a model that is no binary net, a picture or hole that is none; KeyError, BrokenCheckpoint, Diverged.
    """
    began = time.perf_counter()
    net, card = studio.model(request.model)
    if SAMPLER not in offered(card):
        others = ", ".join(restorers(studio)) or "none yet; train one with: python -m cemviz train mnist-binary"
        title = article(kinds.kind_of(card).title)
        raise BadInput("model", f"model {card.name!r} is {title}; a binary net restores: {others}")
    picture = shaped(studio, card, request.image)
    x0, truth, lost = _damaged(studio, request, card, picture.x)
    dyn = numbers(request, card.shape)
    hold: Project | None = pin(x0, ~lost) if request.hold else None
    unasked = torch.zeros(len(x0), dtype=torch.int64, device=x0.device)
    record = kinds.kind_of(card).begin(net, SAMPLERS[SAMPLER], unasked, x0, None, "")
    frames, rows = [], []
    for state in descend(record, x0, dyn, project=hold):
        frames.append(to_pixels(state.x))
        rows.append(record.row(state) | _similarities(state.x, truth, lost))
        if state.k < dyn.steps:
            yield Step(state.k, dyn.steps, request.task)
    yield Restored(
        request=request,
        card=card,
        title=picture.title,
        dynamics=dyn,
        truth=None if truth is None else to_pixels(truth)[0],
        lost=None if lost is None else lost.cpu().numpy(),
        frames=np.stack(frames),
        series={k: torch.stack([row[k] for row in rows]).cpu().numpy() for k in rows[0]},
        seconds=time.perf_counter() - began,
    )


def noisy(x: Tensor, sigma: float, generator: torch.Generator | Each) -> Tensor:
    """Images with Gaussian noise, clamped to [0, 1], (B, C, H, W)."""
    return (x + sigma * randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)).clamp(0, 1)


def occluded(x: Tensor, lost: Tensor) -> Tensor:
    """Images with a grey hole, (B, C, H, W)."""
    return torch.where(lost, torch.tensor(FILL).to(x), x)


def line(a: Tensor, b: Tensor, count: int = BETWEEN) -> Tensor:
    """Images from one to another: (C, H, W) twice -> (count, C, H, W), both ends among them."""
    return torch.stack([torch.lerp(a, b, k / (count - 1)) for k in range(count)])


def _damaged(studio: Studio, request: RestoreRequest, card: Card, x: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The starts of a climb, what they were before where that is to come back, and the hole."""
    if request.task == "denoise":
        return noisy(x[None], request.sigma, Each(request.seed, [0], x.device)), x[None], None
    if request.task == "inpaint":
        lost = hole(request.mask, card.shape[1:]).to(x.device)
        return occluded(x[None], lost), x[None], lost
    if request.task == "interpolate":
        return blurred(line(x, shaped(studio, card, request.other).x), request.blur), None, None
    return blurred(x[None], request.blur), None, None


def _similarities(x: Tensor, truth: Tensor | None, lost: Tensor | None) -> dict[str, Tensor]:
    """Numbers of a state that only the truth can tell, each (B,)."""
    if truth is None:
        return {}
    alike = similarity_map(x, truth)
    whole = {"ssim": alike.mean((1, 2))}
    return whole if lost is None else whole | dict(zip(("inside", "outside"), split(alike, lost), strict=True))


def save_png(restored: Restored, path: Path) -> Path:
    """Truth, damaged and restored side by side; of an interpolation its starts and, below them, its ends.

    Raises:
        Unwritable.
    """
    first, last = restored.frames[0], restored.frames[-1]
    truth = [] if restored.truth is None else [restored.truth[None]]
    buffer = BytesIO()
    tile(np.concatenate([*truth, first, last]), columns=len(truth) + 2 if len(first) == 1 else len(first)).save(buffer, "PNG")
    files.write(path, buffer.getvalue())
    return path
