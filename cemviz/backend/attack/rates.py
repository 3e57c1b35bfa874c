"""Accuracy under attack of several classifiers of one data set: rates, a curve over the radius, and what ships of them.

A net is measured in its card's threat model unless the request names another.  Rates of different threat models do not
compare: `groups` tells which do.  robustness/NAME.json holds the rates of every shipped classifier with the hash of its
weights, so that a machine without the test images has them, and those of a net that was trained anew are recognised as stale.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ...attacks import ATTACKS, Attack, threat
from ...metrics.answers import LOST, logits, lost, outcomes, share
from ...metrics.preflight import preflight
from ...metrics.robustness import curve, outcomes_under
from .. import kinds
from ..checks import BadInput, article, choice, threat_model
from ..requests import NORMS, RobustnessRequest
from ..store import Card, called, is_guest
from ..stored import artefacts, assets
from ..stored.artefacts import Artefact
from ..studio import Studio
from ..use_case import Step


def columns(attacks: dict[str, Attack]) -> dict[str, str]:
    """Conditions that accuracy is measured under, with the headings: no attack, and every untargeted row that is shown."""
    listed = {name: row for name, row in attacks.items() if row.shown and not row.targeted}
    return {"none": "No attack"} | {name: row.column or row.title for name, row in listed.items()}


COLUMNS = columns(ATTACKS)
"""Conditions that accuracy is measured under: no attack, and keys of ATTACKS."""

RADII = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Radii of the curve, as multiples of the threat model's."""

MOST_MODELS = 12

SHIPPED, SEED = 200, 0
"""Test images and seed of the shipped rates."""

SIZE = 50
"""Images at a time: what a visitor waits for after Stop."""


@dataclass(frozen=True, slots=True)
class Rates:
    """One model's row, as plain data.

    Attributes:
        sha256: of the weights that were measured.
        norm, radius: the threat model it was measured in.
        own: norm and radius of its card.
        classes: number of classes; chance is 1 / classes.
        rates: key of COLUMNS -> share of the images still classified right.
        curve: radius and share under PGD-20, ascending; the share never rises.
        faults: what speaks against believing the rates, see `metrics.preflight`.
        count, seed: of the measurement.
        ready: read from what ships instead of measured here.
    """

    model: str
    sha256: str
    norm: str
    radius: float
    own: tuple[str, float]
    classes: int
    rates: dict[str, float]
    curve: tuple[tuple[float, float], ...]
    faults: tuple[str, ...]
    count: int
    seed: int
    ready: bool = field(default=False, compare=False)

    def error(self, share: float) -> float:
        """Standard error of a share of `count` images."""
        return math.sqrt(share * (1 - share) / self.count)


def within(norm: str, radius: float) -> str:
    """A threat model in words: L∞, ε = 0.2; in 255ths where it is a whole number of them."""
    whole = norm == "linf" and abs(radius * 255 - round(radius * 255)) < 1e-6
    return f"{NORMS[norm]}, ε = {f'{round(radius * 255)}/255' if whole and 0 < radius < 0.15 else f'{radius:g}'}"


def groups(rows: list[Rates]) -> dict[tuple[str, float], list[Rates]]:
    """Rows by the threat model they were measured in: an order of the papers is claimed within one alone."""
    threats: dict[tuple[str, float], list[Rates]] = {}
    for row in rows:
        threats.setdefault((row.norm, row.radius), []).append(row)
    return threats


def measured(studio: Studio, request: RobustnessRequest) -> list[Card]:
    """The cards of a request's models, each once.

    Raises:
        BadInput, BrokenCheckpoint.
    """
    for name in request.attacks:
        choice("attack", name, COLUMNS)
    cards = kinds.chosen(studio.cards(), request.models, MOST_MODELS)
    return kinds.alike(kinds.classifier(card, "accuracy", "models") for card in cards)


def robustness(studio: Studio, request: RobustnessRequest) -> Iterator[Step | Rates]:
    """Measure model by model, in the request's order; every attack draws from the seed anew, so that none changes another.

    Yields:
        steps at most `SIZE` images or one radius of the curve apart; a `Rates` a model.
    Raises:
        BadInput: as `measured`, or the test images are not on this machine.
        BrokenCheckpoint, Diverged.
    """
    cards = measured(studio, request)
    test = studio.test_images(cards[0].data, cards[0].classes)
    if test is None:
        raise BadInput("models", absent(cards[0].data))
    images = test.first(request.count)
    x = images.floats()
    attacks = [name for name in COLUMNS if name != "none" and name in request.attacks]
    multiples = RADII if request.curve else ()
    done, total = 0, len(cards) * (len(attacks) * math.ceil(len(images) / SIZE) + len(multiples))
    for card in cards:
        net, _ = studio.model(card.name)
        norm, radius = threat_model(card, request.norm, request.radius)
        y = studio.test_images(card.data, card.classes).first(request.count).labels  # by this card's own order of the classes
        faults = [*images.cautions(), *preflight(net, x[:100], y[:100]), *_weak(card)]
        clean = outcomes(logits(net, x), y)
        faults += lost(clean)
        rates = {"none": share(clean)}
        for name in attacks:
            ends = []
            source = studio.device.generator(request.seed)
            for part in outcomes_under(name, net, x, y, threat(name, norm, radius), size=SIZE, generator=source):
                ends.append(part)
                done += 1
                yield Step(done, total, f"{card.name}, {COLUMNS[name]}")
            end = torch.cat(ends)
            rates[name] = share(end)
            if (end == LOST).sum() > (clean == LOST).sum():
                faults += lost(end, f"images under {COLUMNS[name]}")
        points = []
        source = studio.device.generator(request.seed)
        if multiples:
            radii = [multiple * radius for multiple in multiples]
            for at in curve("pgd", net, x, y, norm, radii, size=SIZE, generator=source):
                points.append(at)
                done += 1
                yield Step(done, total, f"{card.name}, the curve over ε")
        yield Rates(
            card.name, card.sha256, norm, radius, (card.norm, card.radius), len(card.classes), rates, tuple(points),
            tuple(faults), len(images), request.seed,
        )  # fmt: skip


def _weak(card: Card) -> list[str]:
    """Caution where the attacks of the page are weak against a kind of model.  Source: thesis 3.4.3; Tramèr et al. 2020."""
    strong = kinds.kind_of(card).attack
    if strong in COLUMNS:
        return []
    return [
        f"{card.name} is {article(kinds.kind_of(card).title)}: attacks on its cross-entropy are weak; its robust accuracy is "
        f"that of python -m cemviz evaluate {card.name} --metric robust, which goes {ATTACKS[strong].title.lower()}"
    ]


def absent(data: str) -> str:
    """Sentence that says the test images are missing, and what to do."""
    return (
        f"the test images of {data} are not on this machine, and accuracy is measured on them: put the set where CEMVIZ_DATA "
        f"points, or train one of its recipes, which downloads it if it can be had; the shipped rates need no images"
    )


def shipped(data: str) -> dict[str, Rates]:
    """The rates that ship, by model, stale ones too; empty where none do.

    Raises:
        BrokenCheckpoint: the file cannot be read.
    """
    return assets.asset("robustness", data, lambda artefact: {row["model"]: _row(row) for row in artefact.head["rows"]}) or {}


def ready(studio: Studio, models: tuple[str, ...]) -> tuple[list[Rates], list[str]]:
    """Shipped rates of these models, without images or nets.

    Returns:
        rows of the models whose weights are still those that were measured; sentences about the others.
    Raises: as `measured` and `shipped`.
    """
    cards = measured(studio, RobustnessRequest(models))
    rates = shipped(cards[0].data)
    rows = [rates[card.name] for card in cards if card.name in rates and rates[card.name].sha256 == card.sha256]
    again = "press Measure"
    if not any(is_guest(card.name) for card in cards):  # no command knows a visitor's net
        again += f", or run `{assets.command(cards[0].data, 'robustness')}`"
    missing = [called(card.name) for card in cards if card.name not in rates]
    stale = [card.name for card in cards if card.name in rates and rates[card.name].sha256 != card.sha256]
    notes = [f"Not measured yet: {', '.join(missing)}; {again}."] if missing else []
    return rows, notes + ([f"Trained anew since they were measured: {', '.join(stale)}; {again}."] if stale else [])


def make(studio: Studio, data: str) -> Iterator[Step | dict[str, Any]]:
    """Measure every classifier of a data set in its card's threat model and write robustness/NAME.json.

    A model whose weights were measured already is not measured again, and every row is written as it comes.

    Yields:
        steps while at work, {path} at the end, or {skipped} with the reason.
    Raises:
        BadInput: the test images are not on this machine.
        BrokenCheckpoint.
    """
    cards = kinds.compared(data)
    if not cards:
        yield {"skipped": f"there is no classifier of {data} yet"}
        return
    rates = {name: row for name, row in shipped(data).items() if name in {card.name for card in cards}}
    for card in cards:
        if card.name in rates and rates[card.name].sha256 == card.sha256:
            continue
        for item in robustness(studio, RobustnessRequest((card.name,), count=SHIPPED)):
            if isinstance(item, Rates):
                rates[card.name] = item
                _write(data, rates)
            else:
                yield item
    yield {"path": str(_write(data, rates))}


def _write(data: str, rates: dict[str, Rates]) -> Path:
    rows = [{k: v for k, v in asdict(rates[name]).items() if k != "ready"} for name in sorted(rates)]
    return artefacts.write("robustness", data, Artefact({"data": data, "split": "test", "rows": rows}), indent=1)


def _row(row: dict[str, Any]) -> Rates:
    lists = {"own": tuple(row["own"]), "curve": tuple(map(tuple, row["curve"])), "faults": tuple(row["faults"])}
    return Rates(**row | lists, ready=True)
