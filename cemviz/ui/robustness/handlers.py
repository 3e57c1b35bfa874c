"""Handlers of the robustness tab: plain functions of the controls' values, by name.  Its halves are rates and single images."""

from collections.abc import Iterable, Iterator
from typing import Any

import gradio as gr

from ...backend import kinds, script
from ...backend.attack.examples import Attacked, attacked, fitting
from ...backend.attack.rates import MOST_MODELS, Rates, ready, robustness
from ...backend.checks import BadInput, choice
from ...backend.kinds import KINDS
from ...backend.requests import NORMS, AttackedRequest, RobustnessRequest
from ...backend.store import Card
from ...backend.studio import Studio
from ...backend.use_case import Step
from ..controls import EXPECTED, STOPPED, Session, on_offer, prose_of, titled
from ..fields import filled
from ..wiring import Changes, run, stop
from . import words
from .plots import curves, styles

LIMIT = 600.0
"""Seconds a measurement may take on the page."""

RATES = ("models", "attacks", "norm", "radius", "count", "seed", "curve")
"""Controls that a measurement depends on."""

IMAGES = ("attack", "factor", "model", "source", "x", "y", "first", "shown", "ball", "eps", "starts")
"""Controls that the images depend on."""

RADIUS = {"norm": "radius", "ball": "eps"}
"""Choice of a threat model -> its radius."""

PLOTS = {norm: (f"column-{norm}", f"plot-{norm}") for norm in NORMS}

MEASURED = ("status", "rates", "caption", "script", "numbers", "origin", *(part for pair in PLOTS.values() for part in pair))
"""Elements that a measurement changes."""

LOOKED = ("effects", "reading", "grid", "look-script")
"""Elements that attacks on single images change."""


def classifying(studio: Studio, guests: Iterable[str] = ()) -> dict[str, Card]:
    """The models that have an accuracy, a visitor's own first."""
    return {name: card for name, card in on_offer(studio, guests).items() if KINDS[card.kind].classifies}


def offered(studio: Studio, guests: Iterable[str] = ()) -> list[tuple[str, str]]:
    """The same as choices."""
    cards = classifying(studio, guests)
    return titled(cards, cards)


def follow(studio: Studio, chosen: list[str]) -> list[str]:
    """Models of one data set: the last chosen decides.  Where that is a new one, those it opens with come along."""
    cards = studio.cards()
    if not chosen or cards[chosen[0]].data == cards[chosen[-1]].data:
        return chosen
    now = cards[chosen[-1]].data
    names = [name for name in chosen if cards[name].data == now]
    others = words.pair(classifying(studio), now)
    return [*names, *(name for name in others if name not in names)][:MOST_MODELS]


def beside(studio: Studio, chosen: list[str], net_a: str) -> list[str]:
    """The models to compare once net A is another: one from elsewhere, which is measured here, with two of its data set."""
    card = classifying(studio, (net_a,)).get(net_a)
    if card is None or net_a in chosen:
        return chosen
    if card.origin == "foreign":
        return [*dict.fromkeys((net_a, *kinds.pair(classifying(studio), card.data, card.kind)))]
    return chosen if chosen and studio.cards()[chosen[0]].data == card.data else follow(studio, [*chosen, net_a])


def first(studio: Studio, session: Session, *, origin: str, **values: Any) -> Iterator[Changes]:
    """The first view; the images also where the rates cannot be shown, and the other way round."""
    net_a, names = values["model"], values["models"]
    if session.state.get("net A") != net_a:  # once: afterwards what one chose by hand stands
        session.state["net A"], names = net_a, beside(studio, names, net_a)
    if names != values["models"]:
        values["models"] = names
        yield {"models": gr.update(choices=offered(studio, session.nets), value=names)}
    if origin == "shipped":
        yield stored(studio, names)
    try:
        yield from look(studio, session, **{name: values[name] for name in IMAGES})
    except EXPECTED as error:
        yield {"reading": prose_of(error)}
    if origin == "here" and "measured" not in session.state:  # once: another net to attack is no reason to measure again
        yield from measure(studio, session, **{name: values[name] for name in RATES})


# ------------------------------------------------------------------------------------------------------------ rates


def choose(studio: Studio, session: Session, *, origin: str, models: list[str]) -> Changes:
    """Other models or another origin: what ships at once, what is measured here when asked for."""
    names = follow(studio, models)
    if origin == "shipped":
        return stored(studio, names) | {"models": names}
    return {"models": names, "numbers": gr.update(visible=True), "status": words.PRESS}


def stored(studio: Studio, models: list[str]) -> Changes:
    """The rates that ship."""
    if not models:
        return {"status": words.CHOOSE if classifying(studio) else words.NO_MODELS}
    rows, notes = ready(studio, tuple(models))
    texts = {"status": "  \n".join(notes), "script": script.listing(RobustnessRequest(tuple(models)))}
    return rates_view(studio, rows, models) | texts | {"numbers": gr.update(visible=False)}


def measure(
    studio: Studio, session: Session, *, models: list[str], attacks: list[str], norm: str, radius: float | None,
    count: float | None, seed: float | None, curve: bool,
) -> Iterator[Changes]:  # fmt: skip
    """Measure model by model; what is done stays when the visitor says stop."""
    if not models:
        raise BadInput("models", words.CHOOSE if classifying(studio) else words.NO_MODELS)
    within, numbers = _threat(RobustnessRequest, norm, radius), filled(RobustnessRequest, count=count, seed=seed)
    request = RobustnessRequest(tuple(models), tuple(attacks), **within, **numbers, curve=curve)
    session.state["measured"] = request
    yield {"status": "starting ...", "numbers": gr.update(visible=True), "origin": "here", "script": script.listing(request)}
    rows: list[Rates] = []
    parts = ""

    def progress(step: Step) -> str:
        nonlocal parts
        parts = f" after {step.done} of {step.total} parts"
        return f"{step} parts"

    item: str | Rates = ""
    work = studio.work(robustness, request)
    for item in run(studio, session, "robustness", work, title="Robustness", limit=LIMIT, words=progress):
        if isinstance(item, Rates):
            rows.append(item)
            yield rates_view(studio, rows, models)
        elif item != STOPPED:
            yield {"status": item}
    yield {"status": f"Stopped{parts}. {words.DONE}" if item == STOPPED else ""}


def halt(studio: Studio, session: Session) -> Changes:
    """End the measurement."""
    return {"status": f"Stopped. {words.DONE}" if stop(session, "robustness") else gr.skip()}


def rates_view(studio: Studio, rows: list[Rates], models: list[str]) -> Changes:
    """Table, caption and curves of these rows; styles go by the models chosen, so that a line keeps its look."""
    changes: dict[str, Any] = {"rates": "", "caption": ""} | {column: gr.update(visible=False) for column, _ in PLOTS.values()}
    if not rows:
        return changes
    looks = styles(models)
    caption = words.caption(rows, studio.cards()[models[0]].data, studio.device.title)
    changes |= {"rates": words.table(rows, looks, studio.cards()), "caption": caption}
    for norm, (column, plot) in PLOTS.items():
        if curved := [row for row in rows if row.norm == norm and row.curve]:
            changes |= {column: gr.update(visible=True), plot: curves(curved, looks)}
    return changes


# ----------------------------------------------------------------------------------------------------------- images


def look(
    studio: Studio, session: Session, *, attack: str, factor: float, model: str | None, source: str, x: str, y: str,
    first: float | None, shown: float | None, ball: str, eps: float | None, starts: float | None,
) -> Iterator[Changes]:  # fmt: skip
    """Attack the images in every way; the chosen attack is drawn at once, the others' rows when they are done."""
    if not model:
        yield {"reading": words.NO_MODELS}
        return
    numbers = filled(AttackedRequest, first=first, count=shown) | _threat(AttackedRequest, ball, eps)
    numbers |= filled(AttackedRequest, seed=starts)
    session.selections["robustness"] = (model, x, y, starts)
    if source == "picture":
        if x == "test":
            raise BadInput("picture", "which test image is not said here; choose another picture, or test images of a class")
        numbers |= {"picture": x}
    names = classes(studio, model)
    request = AttackedRequest(model, source, y if y in names and source != "picture" else None, **numbers)
    results: list[Attacked] = []
    session.state["attack shown"] = attack, factor  # a visitor may choose another one while the attacks still run
    work = studio.work(attacked, request)
    for item in run(studio, session, "attacked", work, title="Attacks", limit=LIMIT, requests=[request]):
        if item == STOPPED:  # the visitor has left
            return
        if isinstance(item, str):
            yield {"reading": item}
            continue
        results.append(item)
        session.state["attacked"] = results
        if item.attack == session.state["attack shown"][0]:
            yield images_view(session)
    yield images_view(session) | {"look-script": script.listing(request)}


def images_view(session: Session) -> Changes:
    """The chosen attack's images, and every attack's changes of the energies."""
    results: list[Attacked] = session.state["attacked"]
    name, factor = session.state["attack shown"]
    current = next((result for result in results if result.attack == name), results[-1])
    by = factor or fitting(current)
    return {
        "effects": words.effects(results, name),
        "reading": words.reading(current, by, by <= fitting(current)),
        "grid": words.grid(current, by),
    }


def redraw(studio: Studio, session: Session, *, attack: str, factor: float) -> Changes:
    """Another attack, or differences amplified otherwise: nothing is computed."""
    session.catch_up("robustness")
    if not session.state.get("attacked"):
        raise BadInput("images", "nothing was attacked yet; press Attack first")
    session.state["attack shown"] = attack, factor
    return images_view(session)


def classes(studio: Studio, model: str) -> tuple[str, ...]:
    """The classes of a net."""
    cards = studio.cards()
    return kinds.classifier(cards[choice("model", model, cards)], "an attack").classes


# ------------------------------------------------------------------------------------------------------------- both


def radii(studio: Studio, session: Session, **norm: str) -> Changes:
    """A radius of one's own beside a norm of one's own."""
    return {RADIUS[name]: gr.update(visible=value != words.CARD) for name, value in norm.items()}


def _threat(kind: type, norm: str, radius: float | None) -> dict[str, Any]:
    """The fields of a request that name a threat model; none where it is the card's."""
    return {} if norm == words.CARD else {"norm": norm} | filled(kind, radius=radius)
