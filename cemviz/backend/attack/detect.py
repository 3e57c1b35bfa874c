"""A picture before the detectors of a net a class: what each says, what is decided, and what attacks make of it.

Two ways to decide (thesis 3.2.1): integrated, where a classifier answers and the detector of its answer lets the image pass or
not; and generative, where the detectors answer themselves.  The threshold lets a share of clean images pass; it is learned on
the validation split and ships, see `detection`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ...attacks import climb, threat
from ...evasion import EVASIONS
from ...metrics.detection import Decided, generative, integrated
from .. import kinds
from ..checks import BadInput, article, choice, threat_model
from ..look.pictures import shaped
from ..requests import DetectRequest
from ..sample.chains import to_pixels
from ..store import Card
from ..studio import Studio
from ..use_case import Step
from .detection import WAYS, thresholds


@dataclass(frozen=True, slots=True)
class Verdict:
    """One way to decide about one version of a picture: the answer, its detector's logit, and whether the picture passes."""

    answer: str
    score: float
    passes: bool


@dataclass(frozen=True, slots=True)
class Version:
    """The picture, or an attacked version.

    Attributes:
        key: "" for the picture itself, else a key of EVASIONS.
        pixels: uint8, (H, W, C).
        classifier: p(y | x) of the classifier, by class.
        scores: logit of every detector, by class.
        distance: from the picture, in the attack's norm.
    """

    key: str
    pixels: np.ndarray
    classifier: dict[str, float]
    scores: dict[str, float]
    integrated: Verdict
    generative: Verdict
    distance: float


@dataclass(frozen=True, slots=True)
class Detected:
    """All versions of a picture.

    Attributes:
        title: of the picture, in words.
        label: its class, which attacks leave.
        classifier: name of the model that answers.
        norm, radius: of the attacks.
        threshold: of integrated and of generative detection, by key of WAYS.
        versions: the picture itself first.
    """

    request: DetectRequest
    card: Card
    title: str
    label: str
    classifier: str
    norm: str
    radius: float
    threshold: dict[str, float]
    versions: tuple[Version, ...]

    @property
    def facts(self) -> dict[str, object]:
        """As the command line answers: what generative detection decides of the picture itself."""
        first = self.versions[0]
        answer = first.generative.answer if first.generative.passes else "rejected"
        attacked = {
            v.key: {"classifier": v.integrated.answer, "integrated": v.integrated.passes, "generative": v.generative.passes}
            for v in self.versions[1:]
        }
        return {
            "model": self.card.name, "image": self.request.image, "scores": first.scores, "decision": answer,
            "threshold": self.threshold["generative"], "classifier": self.classifier, "label": self.label,
            "norm": self.norm, "radius": self.radius, "attacked": attacked,
        }  # fmt: skip

    def lines(self) -> list[str]:
        """The same to read: a line a version."""
        limits = ", ".join(f"{WAYS[way]} {limit:.3g}" for way, limit in self.threshold.items())
        first = f"{self.title}; {self.card.name} behind {self.classifier}; thresholds: {limits}"
        titles = {"": "as it is"} | {key: row.title for key, row in EVASIONS.items()}

        def words(verdict: Verdict) -> str:
            return f"{verdict.answer} {'passes' if verdict.passes else 'rejected'} ({verdict.score:.3g})"

        return [first] + [
            f"{titles[v.key]}: integrated {words(v.integrated)}, generative {words(v.generative)}" for v in self.versions
        ]


def detects(card: Card | None) -> bool:
    """Whether a model is a net a class."""
    return card is not None and card.kind in kinds.KINDS and kinds.kind_of(card).detects


def detectors(studio: Studio) -> list[str]:
    """The stored models that are."""
    return [name for name, card in studio.cards().items() if detects(card)]


def of_model(studio: Studio, model: str, classifier: str) -> tuple[nn.Module, Card, nn.Module, Card]:
    """Detectors and the classifier whose answers they look at: net and card of each.

    Raises:
        BadInput: models that are not of these kinds, or of two data sets.
    """
    net, card = studio.model(model)
    if not kinds.kind_of(card).detects:
        others = ", ".join(detectors(studio)) or "none yet; train one with: python -m cemviz train mnist-detectors"
        raise BadInput("model", f"model {card.name!r} is {article(kinds.kind_of(card).title)}; a net a class detects: {others}")
    usual = kinds.pair(studio.cards(), card.data, "classifier")
    name = classifier or next(iter(usual), card.name)
    other, its = studio.model(name)
    kinds.classifier(its, "detection", "classifier")
    if (its.data, its.classes) != (card.data, card.classes):
        raise BadInput("classifier", f"{name!r} is of {its.data}, {model!r} of {card.data}; give one of the same classes")
    return net, card, other, its


def detect(studio: Studio, request: DetectRequest) -> Iterator[Step | Detected]:
    """Show the picture to both nets, attack it in every way of EVASIONS, and show them the result.

    Yields:
        the picture as it is, at once; where it is attacked, steps and then all versions.
    Raises:
        BadInput, KeyError, BrokenCheckpoint, Diverged.
    """
    net, card, other, its = of_model(studio, request.model, request.classifier)
    norm, radius = threat_model(card, request.norm, request.radius)
    limits = thresholds(card, its, request.rate)
    shot = shaped(studio, card, request.image)
    x = shot.x[None]
    label = choice("label", request.label or shot.name or _answer(net, card, x), card.classes)
    y = torch.tensor([card.classes.index(label)], device=x.device)

    def version(key: str, at: Tensor) -> Version:
        return _version(key, at, x, norm, net, other, card, limits)

    detected = Detected(request, card, shot.title, label, its.name, norm, radius, limits, (version("", x),))
    yield detected
    if not request.attacked:
        return
    dyn = threat("pgd", norm, radius, request.steps, 2.5 * radius / request.steps)
    copies, draws = x.expand(len(EVASIONS), -1, -1, -1), studio.device.generator(request.seed)
    for state in climb(lambda at: -_lowered(other(at), net(at), y), copies, dyn, generator=draws):
        yield Step(state.k, dyn.steps, "attacks")
    ends = zip(EVASIONS, state.x.split(1), strict=True)
    yield replace(detected, versions=(*detected.versions, *(version(key, at) for key, at in ends)))


def _lowered(f: Tensor, h: Tensor, y: Tensor) -> Tensor:
    """The objective of every row of EVASIONS for its own copy of the picture: all attacks in one batch."""
    return torch.cat([row.lowers(f[i : i + 1], h[i : i + 1], y) for i, row in enumerate(EVASIONS.values())])


def _answer(net: nn.Module, card: Card, x: Tensor) -> str:
    with torch.no_grad():
        return card.classes[int(net(x).argmax(1))]


def _version(
    key: str, at: Tensor, x: Tensor, norm: str, net: nn.Module, other: nn.Module, card: Card, limits: dict[str, float]
) -> Version:
    with torch.no_grad():
        f, h = other(at), net(at)
    away = (at - x).flatten()
    return Version(
        key,
        to_pixels(at)[0],
        dict(zip(card.classes, f.softmax(1)[0].tolist(), strict=True)),
        dict(zip(card.classes, h[0].tolist(), strict=True)),
        _verdict(integrated(f, h), card, limits["integrated"]),
        _verdict(generative(h), card, limits["generative"]),
        float(away.abs().max() if norm == "linf" else away.norm()),
    )


def _verdict(decided: Decided, card: Card, threshold: float) -> Verdict:
    score = float(decided.score[0])
    return Verdict(card.classes[int(decided.answer[0])], score, score >= threshold)
