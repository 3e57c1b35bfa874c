"""Accuracy under attack of several classifiers of one data set: rates, a curve over the radius, and what ships of them.

A net is measured in its card's threat model unless the request names another.  Rates of different threat models do not
compare: `groups` tells which do.  robustness/NAME.json holds the rates of every shipped classifier with the hash of its
weights, so that a machine without the test images has them, and those of a net that was trained anew are recognised as stale.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..attacks import threat
from ..metrics.robustness import accuracy, correct_under, curve, preflight
from . import store
from .checks import BadInput, choice, number, threat_model
from .store import BrokenCheckpoint, Card
from .studio import Studio

COLUMNS = {"none": "No attack", "fgsm": "FGSM", "pgd": "PGD-20", "apgd": "Auto-PGD", "energy": "Energy attack"}
"""What accuracy is measured under: nothing, and keys of ATTACKS."""

RADII = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Radii of the curve, as multiples of the threat model's."""

NORMS = {"l2": "L2", "linf": "L∞"}

MOST_MODELS, MOST_IMAGES = 12, 2000

SHIPPED, SEED = 200, 0
"""Test images and seed of the shipped rates."""

SIZE = 50
"""Images at a time: what a visitor waits for after Stop."""


@dataclass(frozen=True, slots=True)
class RobustnessRequest:
    """What to measure; None takes each card's own.

    Attributes:
        models: stored classifiers of one data set.
        attacks: keys of COLUMNS; accuracy without an attack always comes along.
        norm, radius: one threat model for all.
        count: test images, from the start of the split.
        seed: of the random starts.
        curve: measure the curve over the radius as well.
    """

    models: tuple[str, ...]
    attacks: tuple[str, ...] = tuple(COLUMNS)
    norm: str | None = None
    radius: float | None = None
    count: int = 200
    seed: int = SEED
    curve: bool = True


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
        faults: what speaks against believing the rates, see `metrics.robustness.preflight`.
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
    found: dict[tuple[str, float], list[Rates]] = {}
    for row in rows:
        found.setdefault((row.norm, row.radius), []).append(row)
    return found


def check(studio: Studio, request: RobustnessRequest) -> tuple[RobustnessRequest, list[Card]]:
    """The request with its numbers as numbers, and the cards of its models.

    Raises:
        BadInput, BrokenCheckpoint.
    """
    if not 1 <= len(request.models) <= MOST_MODELS:
        raise BadInput("models", f"{len(request.models)} models are chosen; choose 1 to {MOST_MODELS}")
    known = studio.cards()
    cards = [known[choice("model", name, known)] for name in dict.fromkeys(request.models)]
    for card in cards:
        if card.kind != "classifier":
            raise BadInput("models", f"{card.name!r} is a {card.kind}; accuracy needs a classifier")
        if card.data != cards[0].data:
            raise BadInput(
                "models",
                f"models are of one data set; {cards[0].name!r} is of {cards[0].data}, {card.name!r} of {card.data}: drop one",
            )
    for name in request.attacks:
        choice("attack", name, COLUMNS)
    checked = RobustnessRequest(
        models=tuple(card.name for card in cards),
        attacks=tuple(name for name in COLUMNS if name == "none" or name in request.attacks),
        norm=None if request.norm is None else choice("norm", request.norm, NORMS),
        radius=None if request.radius is None else float(number("radius", request.radius, 0.001, 100, symbol="ε")),
        count=int(number("count", request.count, 10, MOST_IMAGES, whole=True)),
        seed=int(number("seed", request.seed, 0, 2**31 - 1, whole=True)),
        curve=bool(request.curve),
    )
    return checked, cards


def robustness(studio: Studio, request: RobustnessRequest) -> Iterator[dict[str, Any] | Rates]:
    """Measure model by model, in the request's order; every attack draws from the seed anew, so that none changes another.

    Yields:
        {model, doing, done, of} while at work, at most `SIZE` images or one radius of the curve apart; a `Rates` a model.
    Raises:
        BadInput: as `check`, or the test images are not on this machine.
        BrokenCheckpoint, Diverged.
    """
    request, cards = check(studio, request)
    test = studio.test_images(cards[0].data, cards[0].classes)
    if test is None:
        raise BadInput("models", absent(cards[0].data))
    held = test.first(request.count)
    x = held.floats()
    attacks = [name for name in request.attacks if name != "none"]
    multiples = RADII if request.curve else ()
    done, of = 0, len(cards) * (len(attacks) * math.ceil(len(held) / SIZE) + len(multiples))
    for card in cards:
        net, _ = studio.model(card.name)
        y = studio.test_images(card.data, card.classes).first(request.count).labels  # by this card's own order of the classes
        norm, radius = threat_model(card.name, (card.norm, card.radius), request.norm, request.radius)
        faults = [*held.cautions(), *preflight(net, x[:100], y[:100])]
        rates = {"none": round(accuracy(net, x, y), 6)}  # a mean in single precision
        for name in attacks:
            right = 0
            source = studio.device.generator(request.seed)
            for part in correct_under(name, net, x, y, threat(name, norm, radius), size=SIZE, generator=source):
                right += int(part.sum())
                done += 1
                yield {"model": card.name, "doing": COLUMNS[name], "done": done, "of": of}
            rates[name] = right / len(held)
        points = []
        source = studio.device.generator(request.seed)
        if multiples:
            radii = [multiple * radius for multiple in multiples]
            for at in curve("pgd", net, x, y, norm, radii, size=SIZE, generator=source):
                points.append(at)
                done += 1
                yield {"model": card.name, "doing": "the curve over ε", "done": done, "of": of}
        yield Rates(
            card.name, card.sha256, norm, radius, (card.norm, card.radius), len(card.classes), rates, tuple(points),
            tuple(faults), len(held), request.seed,
        )  # fmt: skip


def absent(data: str) -> str:
    """What to say, and to do, where the test images are missing."""
    return (
        f"the test images of {data} are not on this machine, and accuracy is measured on them: put the set where CEMVIZ_DATA "
        f"points, or train one of its recipes, which downloads it if it can be had; the shipped rates need no images"
    )


def shipped(data: str) -> dict[str, Rates]:
    """The rates that ship, by model, stale ones too; empty where none do.

    Raises:
        BrokenCheckpoint: the file cannot be read.
    """
    path = _path(data)
    if not path.is_file():
        return {}
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        return {row["model"]: _row(row) for row in rows}
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenCheckpoint(
            f"robustness/{path.name} cannot be read ({error}); restore it, or delete it and run: {_command(data)}"
        ) from error


def ready(studio: Studio, models: tuple[str, ...]) -> tuple[list[Rates], list[str]]:
    """What ships of these models, without images or nets.

    Returns:
        rows of the models whose weights are still those that were measured; sentences about the others.
    Raises: as `check` and `shipped`.
    """
    _, cards = check(studio, RobustnessRequest(models))
    held = shipped(cards[0].data)
    rows = [held[card.name] for card in cards if card.name in held and held[card.name].sha256 == card.sha256]
    again = f"press Measure, or run `{_command(cards[0].data)}`"
    missing = [card.name for card in cards if card.name not in held]
    stale = [card.name for card in cards if card.name in held and held[card.name].sha256 != card.sha256]
    notes = [f"Not measured yet: {', '.join(missing)}; {again}."] if missing else []
    return rows, notes + ([f"Trained anew since they were measured: {', '.join(stale)}; {again}."] if stale else [])


def make(studio: Studio, data: str) -> Iterator[dict[str, Any]]:
    """Measure every classifier of a data set in its card's threat model and write robustness/NAME.json.

    A model whose weights were measured already is not measured again, and every row is written as it comes.

    Yields:
        {model, doing, done, of} while at work, {path} at the end, or {skipped} with the reason.
    Raises:
        BadInput: the test images are not on this machine.
        BrokenCheckpoint.
    """
    cards = store.compared(data)
    if not cards:
        yield {"skipped": f"there is no classifier of {data} yet"}
        return
    held = {name: row for name, row in shipped(data).items() if name in {card.name for card in cards}}
    for card in cards:
        if card.name in held and held[card.name].sha256 == card.sha256:
            continue
        for item in robustness(studio, RobustnessRequest((card.name,), count=SHIPPED)):
            if isinstance(item, Rates):
                held[card.name] = item
                _write(data, held)
            else:
                yield item
    yield {"path": str(_write(data, held))}


def _path(data: str) -> Path:
    return store.folder() / "robustness" / f"{data}.json"


def _command(data: str) -> str:
    return f"python -m cemviz assets {data} --only robustness"


def _write(data: str, held: dict[str, Rates]) -> Path:
    rows = [{k: v for k, v in asdict(held[name]).items() if k != "ready"} for name in sorted(held)]
    store.write_json(_path(data), {"data": data, "split": "test", "rows": rows}, indent=1)
    return _path(data)


def _row(row: dict[str, Any]) -> Rates:
    lists = {"own": tuple(row["own"]), "curve": tuple(map(tuple, row["curve"])), "faults": tuple(row["faults"])}
    return Rates(**row | lists, ready=True)
