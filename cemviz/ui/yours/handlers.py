"""Handlers of the panel of a visitor's own net: plain functions of the controls' values, by name."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from ...backend.checks import BadInput
from ...backend.foreign import guests, hub
from ...backend.foreign.bring import bring
from ...backend.foreign.imported import Imported
from ...backend.foreign.reading import hosted
from ...backend.requests import ImportRequest
from ...backend.store import called
from ...backend.studio import Studio
from ..controls import EXPECTED, STOPPED, Session, prose_of
from ..wiring import Changes, run, stop
from . import words
from .words import GUESS

LIMIT = 300.0
"""Seconds that a net may take until it is measured and stored."""

MOST = 3
"""Nets of a visitor's own at a time; the oldest makes room."""

RUN = ("file", "repository", "dataset", "scale", "threat", "arch")
SHOWN = ("status", "link", "keep", "dataset", "scale", "threat")


def read(*, file: str | None, repository: str | None, dataset: str, scale: str, threat: str, arch: str | None) -> ImportRequest:
    """The controls as a request; a file wins over a repository.

    Raises:
        BadInput: neither is given (the page reads no paths of its machine), or an answer that is none.
    """
    named = (repository or "").strip()
    if not file and not named:
        raise BadInput("source", words.NOTHING)
    if not file:
        hub.repository(named)
    answers = {"dataset": dataset, "scale": scale, "arch": (arch or "").strip()}
    answered = {name: value for name, value in answers.items() if value and value != GUESS}
    return ImportRequest(file or named, **answered, **threat_of(threat))


def threat_of(text: str) -> dict[str, Any]:
    """Norm and radius of a threat model as people write it, L2 .5 or L∞ 8/255; nothing where it is to be guessed.

    Raises:
        BadInput: it is none.
    """
    if not text or text == GUESS:
        return {}
    match = re.fullmatch(r"l_?(2|∞|inf)\s*(\d*\.?\d+)\s*(/\s*255)?", text.strip().lower())
    if not match:
        raise BadInput("threat", f"threat model is {text!r}; write it as L2 .5, or as L∞ 8/255")
    radius = float(match[2]) / (255 if match[3] else 1)
    return {"norm": "l2" if match[1] == "2" else "linf", "radius": radius}


def go(studio: Studio, session: Session, **values: Any) -> Iterator[Changes]:
    """Bring a net in, and have the page go to it in Sampling."""
    yield {"status": "Reading...", "link": "", **dict.fromkeys(("dataset", "scale", "threat"), gr.update(info=""))}
    try:
        request = read(**values)
        guests.make_room()
        work = studio.work(bring, request, guests.key())
        for item in run(studio, session, "yours", work, title="Your net", limit=LIMIT):
            if not isinstance(item, Imported):
                yield {"status": item if item == STOPPED else f"{item}..."}
                continue
            _enter(session, item.card.name)
            gr.Info(words.short(item), title=called(item.card.name), duration=12)
            for doubt in item.warnings:
                gr.Warning(doubt, title="Doubt", duration=20)
            hints = {name: gr.update(info=f"found: {text}") for name, text in words.answers(item).items()}
            yield {"status": words.summary(item), "link": item.link, "keep": gr.update(visible=not hosted()), **hints}
    except EXPECTED as error:
        yield {"status": f"**No net was brought in:** {prose_of(error)}."}
        raise


def _enter(session: Session, name: str) -> None:
    """Offer a net to its visitor, in place of the oldest where there are many."""
    session.nets = {name: True, **session.nets}
    for old in [net for net, brought in session.nets.items() if brought][MOST:]:
        del session.nets[old]
        guests.forget(old)


def halt(studio: Studio, session: Session) -> Changes:
    """End what is at work."""
    return {"status": STOPPED if stop(session, "yours") else gr.skip()}


def keep(studio: Studio, session: Session) -> Changes:
    """Store the visitor's newest net among the models that all see."""
    name = next((model for model, brought in session.nets.items() if brought), None)
    if name is None:
        raise BadInput("keep", "there is no net of your own to keep; bring one in first")
    card = guests.keep(name)
    return {
        "status": f"Kept as **{card.name}**, in every menu and for every command: `python -m cemviz sample {card.name}`.",
        "keep": gr.update(visible=False),
    }


def dropped(studio: Studio, session: Session, *, file: str | None) -> Changes:
    """Remember a file that was given, so that it goes with its visitor, and remove the one before with what was said of it."""
    before = session.state.get("file")
    if before and before != file:
        with suppress(OSError):
            Path(before).unlink()
    session.state["file"] = file
    return {"status": gr.skip() if file else ""}
