"""Bring a net in: read it within bounds, recognise it, measure what its file does not say, check it, store it with a card."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path

import torch
from torch import Tensor, nn

from ...data.datasets import dataset
from ...metrics.answers import logits
from ...metrics.preflight import preflight
from .. import store
from ..checks import BadInput
from ..evaluate import evaluate, summary
from ..requests import EvaluateRequest, ImportRequest
from ..store import Card
from ..stored import cards
from ..stored.files import BrokenCheckpoint, digest, read_json
from ..stored.models import halved, save
from ..studio import Studio
from ..use_case import Step, follow
from . import guesses, hub
from .guesses import UNKNOWN
from .imported import Imported, Try, imported
from .reading import hosted, read
from .sources import Foreign, foreign
from .tries import affordable, pace, test_images, tries

PASSES = 12
"""Passes through a net that its checks take, about, an image."""


def bring(studio: Studio, request: ImportRequest, key: str = "") -> Iterator[Step | Imported]:
    """Store a net from elsewhere.

    Args:
        key: of a visitor whose net it is alone, see `guests`.
    Yields:
        steps, then how the net was understood.
    Raises:
        BadInput: a source that cannot be read or understood, a name that is taken, outputs that are no logits; Unwritable.
    """
    with tempfile.TemporaryDirectory() if hosted() else nullcontext() as folder:  # what a visitor has fetched goes at once
        yield from _brought(studio, request, key, folder)


def _brought(studio: Studio, request: ImportRequest, key: str, folder: str | None) -> Iterator[Step | Imported]:
    yield Step(0, 4, "reading")
    far = request.source.startswith(hub.SCHEME)
    if far and not (request.code or request.arch):
        request = replace(request, arch=hub.architecture(request.source, folder))
    path = hub.fetched(request.source, folder) if far else Path(request.source).expanduser()
    stem = hub.repository(request.source)[0].partition("/")[2] if far and path.name in hub.WORTH else path.stem
    name = (request.name or _named(stem)) + key
    if not _same(name, path):  # the same file may be asked again, with another answer to what it does not say
        hub.free(name)
    if described := _own_card(path):
        yield Step(1, 4, "a model of this project")
        card = hub.adopt(described, path, name, programs=not hosted())
        yield _as_stored(studio, card, f"a model of this project, by its card {described.name}")
        return
    contents = read(path)
    net = foreign(studio, request, contents)
    hint = f"{request.source if far else path.name} {store.called(name)}"
    sets = guesses.data_sets(studio, request.dataset, net.shape, net.outputs, hint)
    yield Step(1, 4, net.by)
    attempts = yield from tries(studio, request, net, sets)
    best = attempts[0]
    yield Step(2, 4, "checking")
    model = studio.device.place(net.built(best.numbers, **best.choices))
    seconds = pace(model, net.shape)
    x, y = _images(studio, net, model, best.data, affordable(PASSES * seconds, 100))
    _check(model, x, net.outputs)
    warnings = (*_chance(best, net.outputs), *preflight(model, x, y))
    norm, radius, threat = guesses.threat(hint, net.shape, request.norm, request.radius)
    classes = guesses.classes_of(studio, best.data, net.outputs)
    state = {k: v.cpu().clone() for k, v in model.state_dict().items()}  # the net is tried in half precision, too
    full, precision = _precision(model, state, x, request.full)
    origin = request.source if far else path.name  # no folders of this machine
    title = "Own data" if best.data == UNKNOWN else dataset(best.data).title
    card = Card(
        name=name, title=f"{title}, imported", kind="classifier",
        net=net.net, net_args=net.args_with(best.numbers, **best.choices), data=best.data, shape=net.shape, classes=classes,
        recipe="", scale="", recipe_args={}, norm=norm, radius=radius, seed=0, steps=0, seconds=0.0, device="",
        command=f"python -m cemviz import {origin} --as {store.called(name)}", created=date.today().isoformat(),
        notes=f"Trained elsewhere. {net.by}; the source's SHA-256 is {contents.sha256}.", origin="foreign",
    )  # fmt: skip
    yield Step(3, 4, "storing")
    try:
        save(state, card, full=full)
    except BrokenCheckpoint as fault:
        raise BadInput("source", str(fault)) from fault
    if best.accuracy is not None:
        yield Step(3, 4, "measuring its accuracy")
        accuracy = EvaluateRequest(name, "accuracy", count=affordable(seconds, 1000))
        card = store.with_metric(name, "accuracy", summary(follow(evaluate(studio, accuracy))[-1]))
    yield imported(card, net.by, net.unused, tuple(attempts), warnings, precision, threat, seconds)


def _same(name: str, path: Path) -> bool:
    """Whether a model of this name was brought in from this very file."""
    try:
        card = store.read_card(name)
    except (KeyError, ValueError, BrokenCheckpoint):
        return False
    return card.origin == "foreign" and path.is_file() and digest(path) in card.notes


def _named(stem: str) -> str:
    """A file's name as a model's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:64] or "imported"


def _own_card(path: Path) -> Path | None:
    """The card that lies beside weights of this project, or None."""
    stem = path.stem.partition("@")[0]
    for described in (path.with_name(f"{stem}.json"), path.with_name(hub.CARD)):
        if path.suffix == ".safetensors" and described.is_file():
            try:
                values = read_json(described, cards.LARGEST)
            except BrokenCheckpoint:
                continue
            if {"net", "net_args", "sha256", "kind"} <= values.keys():
                return described
    return None


def _images(studio: Studio, net: Foreign, model: nn.Module, data: str, count: int) -> tuple[Tensor, Tensor]:
    """Test images and their labels, or noise and the net's own answers."""
    if (test := test_images(studio, data, net)) is not None:
        part = test.first(count)
        return part.floats(), part.labels
    device = studio.device
    x = torch.rand(min(count, 32), *net.shape, generator=device.generator(0), device=device.torch)
    answers = logits(model, x)
    return x, answers.argmax(1) if answers.dim() == 2 else torch.zeros(len(x), dtype=torch.int64, device=device.torch)


def _chance(best: Try, classes: int) -> list[str]:
    """A doubt where even the best normalisation leaves the net within a tenth of chance."""
    if best.accuracy is None or best.accuracy > 0.1 + 0.9 / classes:
        return []
    return [
        f"its accuracy on {best.data} is {best.accuracy:.2f}, that of chance: it was trained on other images, in another "
        f"order of classes, or not at all"
    ]


def _check(net: nn.Module, x: Tensor, outputs: int) -> None:
    """Refuse what is no classifier of these images."""
    f = logits(net, x, 20)
    if f.shape != (len(x), outputs):
        raise BadInput(
            "source", f"the net returns {tuple(f.shape)} for {len(x)} images; give one that returns ({len(x)}, {outputs})"
        )
    bad = int((~f.isfinite().all(1)).sum())
    if bad:
        raise BadInput(
            "source", f"the net's answers are not finite for {bad} of {len(x)} images; mend its weights, or name --scale"
        )


def _precision(net: nn.Module, state: dict[str, Tensor], x: Tensor, full: bool) -> tuple[bool, str]:
    """Whether single precision is kept, and in words what storing changes."""
    if full:
        return True, "in single precision, as asked"
    half = {k: v.float() if v.is_floating_point() else v for k, v in halved(state).items()}
    before = logits(net, x, 20)
    net.load_state_dict(half)
    after = logits(net, x, 20)
    net.load_state_dict(state)
    if not after.isfinite().all():
        return True, "in single precision, since half overflows"
    change = ((after - before).abs().max() / before.abs().max()).item()
    flips = int((after.argmax(1) != before.argmax(1)).sum())
    return (
        False,
        f"in half precision: logits change by at most {100 * change:.2g} %, {flips} of {len(x)} answers",
    )


def _as_stored(studio: Studio, card: Card, by: str) -> Imported:
    """A model of this project, as it was stored."""
    net, card = studio.model(card.name)
    scale = tuple(card.net_args.get("mean", ())), tuple(card.net_args.get("std", ()))
    attempt = (Try(card.data, "file", scale, {}, None),)
    return imported(card, by, (), attempt, (), "as it was", "its card's", pace(net, card.shape))
