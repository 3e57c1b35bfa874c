"""Handlers of the restore tab: plain functions of the controls' values, by name."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from ...backend import script
from ...backend.checks import BadInput
from ...backend.look.pictures import pictured
from ...backend.look.restore import Restored, numbers, restore, restorers, restores
from ...backend.requests import RestoreRequest
from ...backend.studio import Studio
from ...backend.tables.reproduce import results
from ...data import images
from ...data.datasets import DATASETS
from ..controls import EXPECTED, STOPPED, Session, prose_of
from ..fields import filled
from ..selection import instead
from ..wiring import Changes, run
from . import words

LIMIT = 30.0
"""Seconds that a climb may take."""

FEWEST, MOST = 16, 48
"""Steps of a climb on the page: twice those that suit the task, so that too much can be seen; longer, where they are many."""

RUN = ("a", "x", "seed", "task", "sigma", "variant", "mask", "source", "number", "blur", "index")
"""Controls that a climb depends on."""

ASKED = {
    "sigma": ("denoise",), "variant": ("inpaint",), "source": ("translate",), "number": ("translate",), "blur": ("translate",),
}  # fmt: skip
"""Control -> the tasks that ask for it."""

SHOWN = ("view", "status", "script", "fails", "index", *ASKED)
"""Elements that a climb changes."""


def restorer(studio: Studio, a: str | None) -> str | None:
    """The binary net that restores: net A, else the first one of its data set, else the first there is."""
    names, cards = restorers(studio), studio.cards()
    if restores(cards.get(a)):
        return a
    return next((name for name in names if a in cards and cards[name].data == cards[a].data), next(iter(names), None))


def others(studio: Studio) -> list[str]:
    """The data sets whose test images, or those held out, are here, as sources of a translation."""
    splits = ("test", "held-out")
    return [name for name in DATASETS if any(images.available(name, split, data=studio.data) for split in splits)]


def go(studio: Studio, session: Session, *, a: str | None, x: str, seed: float | None, **values: Any) -> Iterator[Changes]:
    """Climb from the picture that the controls describe; where its pixels are not here, from one that a model drew."""
    session.selections["restore"] = (a, x, seed)
    model = restorer(studio, a)
    yield fitted(values["task"], values["source"], x) | {"status": words.CLIMBING}
    if model is None:
        yield {"view": None, "status": words.NO_MODEL, "script": "", "fails": ""}
        return
    try:
        yield from _climb(studio, session, read(studio, model, x=x, seed=seed, **values))
    except EXPECTED as error:
        yield {"status": f"**Nothing was restored:** {prose_of(error)}."}
        raise


def _climb(studio: Studio, session: Session, request: RestoreRequest) -> Iterator[Changes]:
    request, at = lengthened(request, studio.cards()[request.model].shape)
    work = studio.work(pictured, restore, request)
    for item in run(studio, session, "restore", work, title="Restoring", limit=LIMIT, requests=[request]):
        if isinstance(item, Restored):
            yield {
                "view": words.payload(item, at),
                "status": instead(session.selections["restore"][0], request.model) + words.summary(item, at),
                "script": script.listing(item.request),
                "fails": words.fails(results(), request.model),
            }
        elif item == STOPPED:
            return


def lengthened(request: RestoreRequest, shape: tuple[int, ...]) -> tuple[RestoreRequest, int]:
    """A climb of twice the length that suits the task, and the step at which that is reached."""
    dyn = numbers(request, shape)
    steps = min(max(2 * dyn.steps, FEWEST), MOST)
    step = dyn.step * max(1.0, 2 * dyn.steps / steps)  # by Table 2.11 the way counts, not in how many steps it is gone
    return replace(request, steps=steps, step=step), max(1, round(dyn.steps * dyn.step / step))


def read(
    studio: Studio, model: str, *, x: str, seed: float | None, task: str, sigma: float, variant: str, mask: str, source: str,
    number: float | None, blur: float, index: float | None,
) -> RestoreRequest:  # fmt: skip
    """The controls as a request.

    Raises:
        BadInput: a number that is missing or does not fit.
    """
    options: dict[str, Any] = {"task": task} | filled(RestoreRequest, seed=seed)
    options["image"] = f"test:{_whole('index', index)}" if x == "test" else x
    if task == "denoise":
        options["sigma"] = sigma
    elif task == "inpaint":
        options |= {"mask": mask or "", "hold": variant == words.HELD}
    elif task == "translate":
        options["blur"] = blur
        if source != words.OWN:
            options["image"] = f"test:{source}/{_whole('number', number)}"
    else:
        options |= {"image": f"start:{int(seed)}", "other": f"start:{int(seed) + 1}"}
    return RestoreRequest(model, **options)


def _whole(name: str, value: float | None) -> int:
    if value is None:
        raise BadInput(name, "the number of the test image is empty; give one from 0")
    return int(value)


def fitted(task: str, source: str, x: str) -> Changes:
    """The controls that a task asks for, and no others."""
    indexed = task in ("denoise", "inpaint") or (task == "translate" and source == words.OWN)
    changes = {name: gr.update(visible=task in tasks) for name, tasks in ASKED.items()}
    changes["number"] = gr.update(visible=task == "translate" and source != words.OWN)
    return changes | {"index": gr.update(visible=indexed and x == "test")}


def painted(studio: Studio, session: Session, *, hole: Any) -> Changes:
    """Take the hole that was painted; what is none is refused when it is used."""
    if not isinstance(hole, str) or len(hole) > 80:
        raise BadInput("mask", "the brush sends a hole of at most 80 letters; this is none")
    return {"mask": hole}
