"""Handlers of the landscape tab: plain functions of the controls' values, by name."""

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import gradio as gr

from ...backend import kinds
from ...backend.kinds import KINDS
from ...backend.look.landscape import MOST_MODELS, viewed
from ...backend.presets import LANDSCAPE, lacking, playable
from ...backend.requests import LandscapeRequest
from ...backend.stored import assets
from ...backend.studio import Studio
from ...data.datasets import DATASETS, dataset
from ..controls import STOPPED, Session, on_offer, titled
from ..selection import NONE, of_card, pictured
from ..wiring import Changes, newest, played, stop
from . import words
from .ball import rolled
from .picture import SLOTS, awaited, details, draw, figures, last_picture, touched

LOOK = ("energy", "levels", "seen", "chains", "a", "b", "plane")
"""Controls of how the panels are shown, and of the point looked at."""

RUN = ("story", "net_a", "net_b", "more", "image", "index", "y", "anchor", "other", "directions", "radius", "seed", *LOOK)
"""Controls that a picture depends on."""

SHOWN = (
    "story", "intro", "waiting", "more", "image", "index", "anchor", "other", "radius", "energy", "a", "b", "plane",
    "scale", "status", "picture", "table", "script", "roll", *SLOTS,
)  # fmt: skip
"""Elements that a picture changes."""

SET_BY_STORY = ("waiting", "net_a", "net_b", "more", "image", "y", "anchor", "directions", "radius", "seed")
"""Elements that a story sets."""


def drawable(studio: Studio, guests: Iterable[str] = ()) -> list[tuple[str, str]]:
    """The models that have a landscape, as choices, a visitor's own first."""
    cards = on_offer(studio, guests)
    return titled(cards, (name for name, card in cards.items() if KINDS[card.kind].view))


def stories(studio: Studio) -> list[tuple[str, str]]:
    """The stories whose models are here."""
    return [(preset.title, key) for key, preset in playable(LANDSCAPE, studio.cards()).items()]


def together(studio: Studio, net_a: str | None, net_b: str | None, more: list[str]) -> list[str]:
    """Nets that share a picture: net A, and of the others those of its data set and kind."""
    cards = studio.cards()
    if net_a not in cards:
        return []
    like = (cards[net_a].data, cards[net_a].kind)
    others = [name for name in (net_b, *more) if name in cards and (cards[name].data, cards[name].kind) == like]
    return list(dict.fromkeys([net_a, *others]))[:MOST_MODELS]


def numbered(image: str, index: float | None) -> str:
    """An image's name: a test image is chosen by its number."""
    return f"test:{index}" if image == "test" else image


@newest("landscape")
def go(
    studio: Studio, session: Session, *, begun: threading.Event, story: str | None, net_a: str | None, net_b: str | None,
    more: list[str], image: str, index: float | None, y: str, anchor: str, other: float | None, directions: str,
    radius: float, seed: float | None, **look: Any,
) -> Iterator[Changes]:  # fmt: skip
    """Draw the windows, panel by panel, and look at the point."""
    models = together(studio, net_a, net_b, more)
    session.selections["landscape"] = (net_a, net_b, image, y, seed)
    if not models:
        yield {"status": words.NO_MODELS}
        return
    radius = suited(radius, studio.cards()[models[0]].data)
    request = LandscapeRequest(
        tuple(models),
        numbered(image, index),
        look["energy"],
        directions,
        radius,
        assets.SIDE,
        seed,
        numbered(anchor, other),
        "" if y == NONE else y,
    )
    if look["plane"] not in models:
        look["plane"] = models[0]
    fits = fitted(studio, request, story, look["plane"])  # first: a test image can be chosen even where there is none
    apart = [name for name in (net_b, *more) if name in studio.cards() and name not in models]
    waiting = "  \n".join([fits["waiting"], *(words.APART.format(name=name, net_a=net_a) for name in apart)])
    names = [name for name in more if name in models]
    yield fits | {"waiting": waiting, "roll": None, "radius": radius, "more": gr.skip() if names == more else names}
    for item in draw(studio, session, request, begun):
        if isinstance(item, str):
            yield {"status": item}
        else:
            yield {**figures(studio, session, **look), **awaited(session)}
    if "landscape" in session.state and last_picture(session).request is request:  # else it was stopped before the first panel
        yield figures(studio, session, **look)
        spot = details(studio, session, **look)
        yield spot | figures(studio, session, **look) if touched(studio, session) else spot
        if (look["a"], look["b"]) != (0, 0):
            yield from rolled(studio, session, begun=begun, **look)


def fitted(studio: Studio, request: LandscapeRequest, story: str | None, plane: str) -> Changes:
    """The controls as they fit the models.

    Raises:
        BadInput: models that share no picture.
    """
    card = viewed(studio, request)[0]
    view = kinds.kind_of(card).view
    return {
        "story": gr.skip() if matches(story, list(request.models)) else None,
        "intro": words.STORY.get(card.kind, ""),
        "waiting": prose(studio, story, list(request.models)),
        "image": pictured(card, "test" if request.image.startswith("test:") else request.image),
        "index": gr.update(visible=request.image.startswith("test:")),
        "anchor": gr.update(choices=words.anchors(card.data), visible=view.paired),
        "other": gr.update(visible=view.paired and request.anchor.startswith("test:")),
        "energy": gr.update(choices=words.titled(view.energies)),
        "plane": gr.update(value=plane, visible=request.directions == "adversarial"),
    }


def looked(studio: Studio, session: Session, **look: Any) -> Changes:
    """Another point."""
    return {**figures(studio, session, **look), **details(studio, session, **look)}


def picked(studio: Studio, session: Session, *, k: int, a: float, b: float, **look: Any) -> Changes:
    """The point that was clicked in panel k."""
    spot = {"a": float(f"{a:.3g}"), "b": float(f"{b:.3g}"), "plane": last_picture(session).panels[k].model}
    return {**looked(studio, session, **look, **spot), **spot}


def prose(studio: Studio, story: str | None, models: list[str]) -> str:
    """A story's words, as long as its models are chosen, and what other stories still wait for."""
    texts = [LANDSCAPE[story].story] if matches(story, models) else []
    return "  \n".join([*texts, *lacking(LANDSCAPE, studio.cards())])


def matches(story: str | None, models: list[str]) -> bool:
    """Whether the models that are shown are a story's."""
    return story in LANDSCAPE and set(LANDSCAPE[story].request.models) == set(models)


def suited(radius: float, data: str) -> float:
    """A window's radius; one that is another data set's own gives way to this one's."""
    return dataset(data).radius if radius in {row.radius for row in DATASETS.values()} else radius


def controls_of(studio: Studio, session: Session | None, *, story: str) -> Changes:
    """Set the controls as a story has them."""
    request = LANDSCAPE[story].request
    card = studio.cards()[request.models[0]]
    net_a, net_b, *more = *request.models, NONE
    fits = of_card(card, request.image, request.label)
    return {
        "waiting": prose(studio, story, list(request.models)),
        "net_a": net_a,
        "net_b": net_b,
        "more": more[:-1] if len(request.models) > 1 else [],
        **{"image": fits["x"], "y": fits["y"]},
        "anchor": gr.update(choices=words.anchors(card.data), value=request.anchor),
        "directions": request.directions,
        "radius": request.radius,
        "seed": request.seed,
    }


play = played("landscape", controls_of, go)
"""Handler of the menu of stories."""


def halt(studio: Studio, session: Session, **look: Any) -> Changes:
    """End the picture, and keep what is there."""
    if not stop(session, "landscape"):
        return {"status": gr.skip()}
    return {**(figures(studio, session, **look) if "landscape" in session.state else {}), "status": STOPPED}
