"""Handlers of the landscape tab: plain functions of the controls' values, by name."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

import gradio as gr
import numpy as np
import torch
from numpy.typing import NDArray

from ...backend import kinds, script
from ...backend.checks import BadInput
from ...backend.kinds import KINDS
from ...backend.look.landscape import MOST_MODELS, Missing, Panel, landscape, plane_of, point, precomputed, viewed
from ...backend.look.pictures import portable
from ...backend.look.roll import Roll, roll, rolling
from ...backend.presets import LANDSCAPE, lacking, playable
from ...backend.requests import LandscapeRequest
from ...backend.stored import assets
from ...backend.studio import Studio
from ...data.datasets import DATASETS, dataset
from ...metrics.landscape import Plane
from ..controls import STOPPED, Session, on_offer, titled
from ..selection import NONE, of_card, pictured
from ..wiring import Changes, newest, played, run, still, stop
from . import words
from .plots import legend, relief, shared, surface

LIMIT = 120.0
"""Seconds a picture may take on the page."""

FALLS = {"joint": "cs", "marginal": "langevin"}
"""Energy -> the sampler that descends it."""

LOOK = ("energy", "levels", "seen", "chains", "a", "b", "plane")
"""Controls of how the panels are shown, and of the point looked at."""

RUN = ("story", "net_a", "net_b", "more", "image", "index", "y", "anchor", "other", "directions", "radius", "seed", *LOOK)
"""Controls that a picture depends on."""

SLOTS = tuple(f"{part}{k}" for k in range(MOST_MODELS) for part in ("column", "title", "plot", "spot", "caption"))
"""Parts of the panels."""

SHOWN = (
    "story", "intro", "waiting", "more", "image", "index", "anchor", "other", "radius", "energy", "a", "b", "plane",
    "scale", "status", "picture", "table", "script", "roll", *SLOTS,
)  # fmt: skip
"""Elements that a picture changes."""

TOLD = ("waiting", "net_a", "net_b", "more", "image", "y", "anchor", "directions", "radius", "seed")
"""Elements that a story sets."""


class Picture(NamedTuple):
    """Last picture of a visitor: panels as they come, what is said of those that do not, planes of images, rolls of a ball."""

    request: LandscapeRequest
    panels: list[Panel]
    notes: list[str]
    planes: dict[str, Plane]
    rolls: dict[str, Roll]


def drawable(studio: Studio, own: Iterable[str] = ()) -> list[tuple[str, str]]:
    """The models that have a landscape, as choices, a visitor's own first."""
    cards = on_offer(studio, own)
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
    session.drawn["landscape"] = (net_a, net_b, image, y, seed)
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
    kept = [name for name in more if name in models]
    yield fits | {"waiting": waiting, "roll": None, "radius": radius, "more": gr.skip() if kept == more else kept}
    for item in draw(studio, session, request, begun):
        if isinstance(item, str):
            yield {"status": item}
        else:
            yield {**figures(studio, session, **look), **awaited(session)}
    if "landscape" in session.held and drawn(session).request is request:  # else it was stopped before the first panel
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
    view = kinds.of(card).view
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


def draw(studio: Studio, session: Session, request: LandscapeRequest, begun: threading.Event) -> Iterator[str | Panel]:
    """Measure what is asked and keep it in the session, panel by panel.

    Precomputed windows wait for nobody; the others wait for the device and stop when the visitor says so.

    Args:
        begun: the tab's claim, see `wiring.claim`.
    Yields:
        what to say meanwhile, and every panel that had to be computed.
    Raises:
        Replaced: a newer picture began; the session holds that one.
    """
    picture = Picture(request, [], [], {}, {})
    if len(precomputed(studio, request)) < len(set(request.models)):
        work, told = studio.work(landscape, request), "{} points".format
        how: dict[str, Any] = {"title": "Landscape", "limit": LIMIT, "asked": [request], "told": told, "begun": begun}
        items = run(studio, session, "landscape", work, **how)
    else:
        items = landscape(studio, request)
    for item in items:
        still(session, "landscape", begun)
        if isinstance(item, Panel):
            picture.panels.append(item)
            session.held["landscape"] = picture
            if not item.precomputed:
                yield item
        elif isinstance(item, Missing):
            picture.notes.append(f"**{item.model}** is not shown. {item.why}")
        elif item == STOPPED:
            picture.notes.append(item)
        else:
            yield item
    if not picture.panels:
        yield "  \n".join(picture.notes)


def drawn(session: Session) -> Picture:
    """Last picture of the session.

    Raises:
        BadInput: it drew nothing yet.
    """
    session.catch_up("landscape")
    if "landscape" not in session.held:
        raise BadInput("point", "nothing was drawn yet; press Draw first")
    return session.held["landscape"]


def touched(studio: Studio, session: Session) -> bool:
    """Look up what the browser needs to show the image under the pointer; tells whether there is any.

    After the figures: where the image is one of a data set, the set is read.
    """
    picture = drawn(session)
    for panel in picture.panels:
        plane = plane_of(studio, picture.request, panel.model)
        if plane is not None:
            picture.planes[panel.model] = plane
    return bool(picture.planes)


def figures(
    studio: Studio,
    session: Session,
    *,
    energy: str,
    levels: str,
    seen: str,
    chains: bool,
    a: float | None,
    b: float | None,
    plane: str | None,
) -> Changes:
    """All panels from what the session drew, on one scale, with the point marked."""
    request, panels, notes, planes, rolls = drawn(session)
    common, paths = shared(panels, energy, levels), shadows(session) if chains else {}
    changes: dict[str, Any] = {f"column{k}": gr.update(visible=k < len(panels)) for k in range(MOST_MODELS)}
    for k, panel in enumerate(panels):
        marked = (request.directions == "random" or panel.model == plane) and None not in (a, b)
        changes[f"title{k}"] = words.title(panel, studio.cards().get(panel.model))
        path = rolls[panel.model].path if panel.model in rolls else None
        point = (a, b) if marked else None
        drawing = (
            relief(panel, common, point, path)
            if seen == "relief"
            else surface(panel, common, request.directions, point, planes.get(panel.model), path, paths.get(panel.model, ()))
        )
        changes[f"plot{k}"] = drawing
        changes[f"caption{k}"] = words.caption(panel, energy)
    return changes | {
        "scale": legend(common),
        "status": "  \n".join([*notes, words.report(studio, request, panels, energy)]),
        "script": script.shown(replace(request, energy=energy)),
    }


def shadows(session: Session) -> dict[str, NDArray[np.float32]]:
    """Paths of the chains that were last sampled, on the planes of their own nets: net -> (chains, K + 1, 2)."""
    paths = {}
    session.catch_up("sampling")
    for model, plane in drawn(session).planes.items():
        frames = session.held.get("frames", {}).get(model)
        if frames is not None:
            steps, count = frames.shape[:2]
            x = torch.from_numpy(frames).to(plane.u).flatten(0, 1).permute(0, 3, 1, 2) / 255
            paths[model] = plane.shadow(x).view(steps, count, 2).swapaxes(0, 1).cpu().numpy()
    return paths


def awaited(session: Session) -> Changes:
    """The places of panels that are still to come."""
    request, panels, *_ = drawn(session)
    changes: dict[str, Any] = {}
    for k in range(len(panels), len(request.models)):
        empty = dict.fromkeys((f"caption{k}", f"spot{k}"), "")
        changes |= {f"column{k}": gr.update(visible=True), f"title{k}": "computing ...", f"plot{k}": None, **empty}
    return changes


def details(studio: Studio, session: Session, *, a: float, b: float, plane: str | None, energy: str, **shown: Any) -> Changes:
    """Picture and table of a point, and its numbers under each panel."""
    request, panels, *_ = drawn(session)
    models = [panel.model for panel in panels]
    spot = point(studio, request, a, b, plane if plane in models else models[0])
    shot = None if spot.pixels is None else words.enlarged(spot)
    rows = {row.model: row for row in spot.rows}
    lines = {f"spot{k}": words.spot(spot, rows[model], energy) if model in rows else "" for k, model in enumerate(models)}
    return {"picture": gr.update(value=shot, visible=shot is not None), "table": words.table(spot), **lines}


def looked(studio: Studio, session: Session, **look: Any) -> Changes:
    """Another point."""
    return {**figures(studio, session, **look), **details(studio, session, **look)}


def picked(studio: Studio, session: Session, *, k: int, a: float, b: float, **shown: Any) -> Changes:
    """The point that was clicked in panel k."""
    spot = {"a": float(f"{a:.3g}"), "b": float(f"{b:.3g}"), "plane": drawn(session).panels[k].model}
    return {**looked(studio, session, **shown, **spot), **spot}


def rolled(studio: Studio, session: Session, *, begun: threading.Event | None = None, **look: Any) -> Iterator[Changes]:
    """Release a ball at the point looked at, in every panel.

    Args:
        begun: the tab's claim where it is a part of a picture that is drawn, see `wiring.newest`.
    """
    picture, (a, b, energy) = drawn(session), (look[name] for name in ("a", "b", "energy"))
    if not picture.planes:
        yield {"roll": None}
        return
    request = replace(picture.request, energy=energy)
    plane = look["plane"] if look["plane"] in picture.planes else picture.panels[0].model
    picture.rolls.clear()
    work, asked = studio.work(roll, request, a, b, plane), (request, a, b, plane)
    for item in run(studio, session, "landscape", work, title="A ball", limit=LIMIT, asked=asked, begun=begun):
        if isinstance(item, Roll):
            picture.rolls[item.model] = item
        elif item == STOPPED:
            return
    name = KINDS[picture.panels[0].kind].view.energies[energy]
    yield {**figures(studio, session, **look), "roll": words.film(picture.rolls, name, chains_of(studio, picture, energy))}


def chains_of(studio: Studio, picture: Picture, energy: str) -> str | None:
    """The address under which Sampling rolls the same ball, a chain for each of two nets; None where no name holds it."""
    first, card = next(iter(picture.rolls.values())), studio.cards()[picture.panels[0].model]
    if not KINDS[card.kind].classifies:
        return None
    x = portable(card, first.pixels[0])
    if x is None:
        return None
    sampler, dyn = FALLS[energy], rolling(card.shape)
    a, b, *_ = *picture.rolls, NONE
    return "?" + urlencode({
        "tab": "sampling", "a": a, "b": b, "x": x, "y": picture.panels[0].name, "seed": 0, "s.start": "picture",
        "s.as": sampler, "s.bs": sampler, "s.count": 1, "s.alpha": f"{dyn.step:g}", "s.eta": 0, "s.beta": "inf",
        "s.K": dyn.steps,
    })  # fmt: skip


def prose(studio: Studio, story: str | None, models: list[str]) -> str:
    """A story's words, as long as its models are chosen, and what other stories still wait for."""
    own = [LANDSCAPE[story].story] if matches(story, models) else []
    return "  \n".join([*own, *lacking(LANDSCAPE, studio.cards())])


def matches(story: str | None, models: list[str]) -> bool:
    """Whether the models that are shown are a story's."""
    return story in LANDSCAPE and set(LANDSCAPE[story].request.models) == set(models)


def suited(radius: float, data: str) -> float:
    """A window's radius; one that is another data set's own gives way to this one's."""
    return dataset(data).radius if radius in {row.radius for row in DATASETS.values()} else radius


def tell(studio: Studio, session: Session | None, *, story: str) -> Changes:
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


play = played("landscape", tell, go)
"""Handler of the menu of stories."""


def halt(studio: Studio, session: Session, **look: Any) -> Changes:
    """End the picture, and keep what is there."""
    if not stop(session, "landscape"):
        return {"status": gr.skip()}
    return {**(figures(studio, session, **look) if "landscape" in session.held else {}), "status": STOPPED}
