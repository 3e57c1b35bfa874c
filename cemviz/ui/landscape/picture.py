"""A visitor's picture in the landscape tab: the panels as they come, and how they are shown."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import gradio as gr
import numpy as np
import torch
from numpy.typing import NDArray

from ...backend import script
from ...backend.checks import BadInput
from ...backend.look.landscape import MOST_MODELS, Missing, Panel, landscape, plane_of, point, precomputed
from ...backend.look.roll import Roll
from ...backend.requests import LandscapeRequest
from ...backend.studio import Studio
from ...metrics.landscape import Plane
from ..controls import STOPPED, Session
from ..wiring import Changes, run, still
from . import words
from .plots import legend, relief, shared, surface

LIMIT = 120.0
"""Seconds a picture may take on the page."""

SLOTS = tuple(f"{part}{k}" for k in range(MOST_MODELS) for part in ("column", "title", "plot", "spot", "caption"))
"""Parts of the panels."""


class Picture(NamedTuple):
    """Last picture of a visitor: panels as they come, what is said of those that do not, planes of images, rolls of a ball."""

    request: LandscapeRequest
    panels: list[Panel]
    notes: list[str]
    planes: dict[str, Plane]
    rolls: dict[str, Roll]


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
        work, points = studio.work(landscape, request), "{} points".format
        how: dict[str, Any] = {"title": "Landscape", "limit": LIMIT, "requests": [request], "words": points, "begun": begun}
        items = run(studio, session, "landscape", work, **how)
    else:
        items = landscape(studio, request)
    for item in items:
        still(session, "landscape", begun)
        if isinstance(item, Panel):
            picture.panels.append(item)
            session.state["landscape"] = picture
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


def last_picture(session: Session) -> Picture:
    """Last picture of the session.

    Raises:
        BadInput: it drew nothing yet.
    """
    session.catch_up("landscape")
    if "landscape" not in session.state:
        raise BadInput("point", "nothing was drawn yet; press Draw first")
    return session.state["landscape"]


def touched(studio: Studio, session: Session) -> bool:
    """Look up what the browser needs to show the image under the pointer; tells whether there is any.

    After the figures: where the image is one of a data set, the set is read.
    """
    picture = last_picture(session)
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
    request, panels, notes, planes, rolls = last_picture(session)
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
        "script": script.listing(replace(request, energy=energy)),
    }


def shadows(session: Session) -> dict[str, NDArray[np.float32]]:
    """Paths of the chains that were last sampled, on the planes of their own nets: net -> (chains, K + 1, 2)."""
    paths = {}
    session.catch_up("sampling")
    for model, plane in last_picture(session).planes.items():
        frames = session.state.get("frames", {}).get(model)
        if frames is not None:
            steps, count = frames.shape[:2]
            x = torch.from_numpy(frames).to(plane.u).flatten(0, 1).permute(0, 3, 1, 2) / 255
            paths[model] = plane.shadow(x).view(steps, count, 2).swapaxes(0, 1).cpu().numpy()
    return paths


def awaited(session: Session) -> Changes:
    """The places of panels that are still to come."""
    request, panels, *_ = last_picture(session)
    changes: dict[str, Any] = {}
    for k in range(len(panels), len(request.models)):
        empty = dict.fromkeys((f"caption{k}", f"spot{k}"), "")
        changes |= {f"column{k}": gr.update(visible=True), f"title{k}": "computing ...", f"plot{k}": None, **empty}
    return changes


def details(studio: Studio, session: Session, *, a: float, b: float, plane: str | None, energy: str, **look: Any) -> Changes:
    """Picture and table of a point, and its numbers under each panel."""
    request, panels, *_ = last_picture(session)
    models = [panel.model for panel in panels]
    spot = point(studio, request, a, b, plane if plane in models else models[0])
    shot = None if spot.pixels is None else words.enlarged(spot)
    rows = {row.model: row for row in spot.rows}
    lines = {f"spot{k}": words.spot(spot, rows[model], energy) if model in rows else "" for k, model in enumerate(models)}
    return {"picture": gr.update(value=shot, visible=shot is not None), "table": words.table(spot), **lines}
