"""Handlers of the detect tab: plain functions of the controls' values, by name."""

from collections.abc import Generator, Iterator
from typing import Any

import gradio as gr

from ...backend import kinds, script
from ...backend.attack.detect import Detected, detect, detectors, detects
from ...backend.attack.detection import fresh
from ...backend.checks import BadInput
from ...backend.look.attribution import Attribution, attribution
from ...backend.look.pictures import pictured, portable
from ...backend.requests import AttributionRequest, DetectRequest
from ...backend.store import Card
from ...backend.studio import Studio
from ..controls import EXPECTED, STOPPED, Session, prose_of
from ..fields import filled
from ..selection import instead
from ..wiring import Changes, run
from . import words

LIMIT = 60.0
"""Seconds that a picture may take."""

STEPS = 20
"""Steps of an attack on the page: a second on two quiet cores; the numbers that ship are of more."""

EXPLAINED = ("masks", "reading", "script")
"""Elements that an explanation changes."""

RUN = ("a", "x", "seed", "front", "times", "label", "index", "why")
"""Controls that a picture depends on."""

SHOWN = ("view", "scores", "link", "masks", "reading", "status", "script", "front", "label", "index")
"""Elements that it changes."""


def model_of(studio: Studio, a: str | None) -> str | None:
    """The net a class that is looked at: net A, else the first one of its data set, else the first there is."""
    names, cards = detectors(studio), studio.cards()
    if detects(cards.get(a)):
        return a
    return next((name for name in names if a in cards and cards[name].data == cards[a].data), next(iter(names), None))


def fronts(studio: Studio, model: str) -> list[str]:
    """The classifiers whose answers the detectors can look at: those behind which their thresholds ship."""
    cards = studio.cards()
    return [row.classifier for row in fresh(cards[model].data, cards).rates if row.model == model and row.classifier in cards]


def go(studio: Studio, session: Session, *, a: str | None, x: str, seed: float | None, **values: Any) -> Iterator[Changes]:
    """Show the picture to the detectors, and then its attacked versions."""
    session.selections["detect"] = (a, x, seed)
    model = model_of(studio, a)
    if model is None:
        yield {"view": None, "scores": None, "link": None, "masks": "", "reading": "", "status": words.NO_MODEL, "script": ""}
        return
    card = studio.cards()[model]
    choices = fronts(studio, model)
    values["front"] = values["front"] if values["front"] in choices or not choices else choices[0]
    values["label"] = values["label"] if values["label"] in card.classes else words.OWN
    yield (
        fitted(card, choices, values, x)
        | histogram(studio, session, card)
        | {"masks": "", "reading": "", "status": words.LOOKING}
    )
    try:
        finished = yield from _detect(studio, session, read(card, x=x, seed=seed, **values), x)
        if finished:
            yield from explain(studio, session, why=values["why"])
    except EXPECTED as error:
        yield {"status": f"**Nothing more was found:** {prose_of(error)}."}
        raise


def fitted(card: Card, choices: list[str], values: dict[str, Any], x: str) -> Changes:
    """Menus of the detectors that are looked at."""
    return {
        "front": gr.update(choices=choices, value=values["front"]),
        "label": gr.update(choices=labels(card.classes), value=values["label"]),
        "index": gr.update(visible=x == "test"),
    }


def labels(classes: tuple[str, ...]) -> list[tuple[str, str]]:
    """Classes that a picture may be of, and its own."""
    return [("its own", words.OWN), *((name, name) for name in classes)]


def histogram(studio: Studio, session: Session, card: Card) -> Changes:
    """The scores that ship, once: they are many."""
    version = (card.name, card.sha256)
    if session.state.get("scores") == version:
        return {}
    session.state["scores"] = version
    cards = studio.cards()
    return {"scores": words.scores(card.data, card.name, fresh(card.data, cards))}


def read(
    card: Card, *, x: str, seed: float | None, front: str | None, times: float, label: str, index: float | None, why: bool
) -> DetectRequest:
    """The controls as a request.

    Raises:
        BadInput: a number that is missing or does not fit.
    """
    numbers: dict[str, Any] = filled(DetectRequest, seed=seed)
    if x == "test" and index is None:
        raise BadInput("index", "the number of the test image is empty; give one from 0")
    radius = None if times == 1 else round(times * card.radius, 6)  # the card's own is the default of command and script
    image = f"test:{int(index or 0)}" if x == "test" else x
    return DetectRequest(card.name, image, front or "", label, radius=radius, steps=STEPS, **numbers)


def _detect(studio: Studio, session: Session, request: DetectRequest, x: str) -> Generator[Changes, None, bool]:
    """The picture's versions; whether all are there, and no newer run took the place."""
    cards = studio.cards()
    beside = kinds.pair(cards, cards[request.model].data, "classifier")[1:]
    work = studio.work(pictured, detect, request)
    for item in run(studio, session, "detect", work, title="Detection", limit=LIMIT, requests=[request]):
        if isinstance(item, Detected):
            session.state["detected"] = item
            name = item.request.image if x != "test" else portable(item.card, item.versions[0].pixels)
            yield {
                "view": words.payload(item),
                "link": None if name is None else words.counterfactual(item, name, next(iter(beside), None)),
                "status": instead(session.selections["detect"][0], request.model) + words.summary(item),
                "script": script.listing(item.request),
            }
        elif item == STOPPED:
            return False
    return True


def explain(studio: Studio, session: Session, *, why: bool) -> Iterator[Changes]:
    """Integrated gradients of the usual two classifiers and the net a class, on the picture that is shown."""
    session.catch_up("detect")
    detected: Detected | None = session.state.get("detected")
    if not why or detected is None:
        yield {"masks": "", "reading": ""}
        return
    models = dict.fromkeys((*kinds.pair(studio.cards(), detected.card.data, "classifier"), detected.card.name))
    request = AttributionRequest(tuple(models), detected.request.image, detected.label)
    yield {"reading": words.LOOKING}
    work = studio.work(attribution, request)
    for item in run(studio, session, "attribution", work, title="Integrated gradients", limit=LIMIT, requests=[request]):
        if isinstance(item, Attribution):
            yield {
                "masks": words.masks(item),
                "reading": words.WHY.format(label=item.label),
                "script": script.listing(detected.request) + "\n\n" + script.listing(request),
            }
