"""Handlers of the lab: plain functions of the controls' values, by name."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from ...backend import script
from ...backend.checks import BadInput, choice
from ...backend.kinds import KINDS
from ...backend.requests import NUMBERS, SampleRequest, SweepRequest
from ...backend.sample import boards
from ...backend.sample.chains import offered, settings
from ...backend.sample.sweep import axes_of, sweep
from ...backend.sample.swept import Sweep
from ...backend.studio import Studio
from ..controls import EXPECTED, STOPPED, Session, prose_of
from ..wiring import Changes, run, stop
from . import words

LIMIT = 600.0
"""Seconds a sweep may take on the page."""

PAIRS = tuple((a, b) for i, a in enumerate(NUMBERS) for b in NUMBERS[i + 1 :])
"""Pairs of numbers; boards ship of some, in an order of their own."""

OVER = {",".join(pair): words.title(pair) for pair in dict.fromkeys([*boards.PAIRS, *(
    pair for pair in PAIRS if pair not in boards.PAIRS and pair[::-1] not in boards.PAIRS
), *((name,) for name in NUMBERS)])}  # fmt: skip
"""Numbers that are swept together, with commas between -> their title."""

RUN = ("a", "seed", "sampler", "over", "first", "second", "count", "seeds")
"""Controls that a board depends on."""

WRITERS = {"csv": words.table, "json": words.whole}
"""Ending of a file that a board is taken away as -> what writes it."""

FILES = (*WRITERS, "png")
"""Buttons that take a board away; where there is none they are grey."""

SHOWN = ("sampler", "board", "by", "status", "script", "tried", *FILES)
"""Elements that a board changes."""


def samplers(studio: Studio, model: str) -> list[str]:
    """The samplers that fit a net, first those of which boards ship, then its kind's usual one."""
    cards = studio.cards()
    card = cards[choice("net A", model, cards)]
    usual = [name for other, name in boards.drawers(card.data, cards) if other.name == model]
    return list(dict.fromkeys([*usual, KINDS[card.kind].usual["sampler"], *offered(card)]))


def read(
    studio: Studio, *, a: str, seed: float | None, sampler: str, over: str, first: str, second: str, count: str | None,
    seeds: float | None,
) -> SweepRequest:  # fmt: skip
    """The controls as a request; what is left empty takes what suits.

    Raises:
        BadInput: values that are no numbers, or do not fit their field.
    """
    count = (count or "").strip()
    if count and not (count.isdecimal() and len(count) < 6):
        raise BadInput("count", f"chains is {count!r}; give a whole number, or leave it empty")
    cards = studio.cards()
    card, names = cards[choice("net A", a, cards)], tuple(over.split(","))
    if seed is None:
        raise BadInput("seed", "seed is empty; give a whole number")
    options = {"count": int(count)} if count else {}
    options |= {"seeds": seeds} if seeds is not None else {}
    request = boards.request_of(card, sampler, names, seed=seed, **options)
    texts = [text.strip() for text in (first, second)][: len(names)]
    if not any(texts):
        return request
    axes = axes_of(request, settings(SampleRequest(a, sampler), card))
    values = tuple(_numbers(name, text) or axes[name] for name, text in zip(names, texts, strict=True))
    return boards.request_of(card, sampler, names, seed=seed, values=values, **options)


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.replace(";", ",").split(",") if part.strip())
    except ValueError:
        raise BadInput(name, f"{name} has {text!r}; give numbers with commas between, as 0, .01, .02") from None


def opened(studio: Studio, session: Session, *, by: str, sampler: str, **values: Any) -> Iterator[Changes]:
    """The first view: the board that ships of what is chosen, a sweep that a link asks for, or how to get one.

    Another net has other boards: where the sampler has none of it, the first one that has is taken.
    """
    fits = samplers(studio, values["a"])
    changed = values["first"] or values["second"] or values["count"] or values["seeds"] != 1
    ready = [] if changed else with_boards(studio, **values)
    if sampler not in (ready or fits):
        sampler = (ready or fits)[0]
    yield {"sampler": gr.update(choices=menu(fits), value=sampler)}
    yield show(studio, session, by=by, sampler=sampler, **values)
    if changed and boards.shipped(studio, read(studio, sampler=sampler, **values)) is None:
        yield from measure(studio, session, by=by, sampler=sampler, **values)


def with_boards(studio: Studio, **values: Any) -> list[str]:
    """Samplers of which a board of these numbers ships that rests on the weights of now."""
    requests = {name: read(studio, sampler=name, **values) for name in samplers(studio, values["a"])}
    return [name for name, request in requests.items() if boards.shipped(studio, request) is not None]


def show(studio: Studio, session: Session, *, by: str, **values: Any) -> Changes:
    """The board that ships of these controls, at once; where none does, what pressing the button would do."""
    session.selections["lab"] = (values["a"], values["seed"])
    request = read(studio, **values)
    board = boards.shipped(studio, request)
    if board is not None:
        return board_view(studio, session, replace(request, seeds=board.head["seeds"]), board.head, by, words.SHIPPED)
    axes = axes_of(request, settings(SampleRequest(request.model, request.sampler), studio.cards()[request.model]))
    ready = with_boards(studio, **{k: v for k, v in values.items() if k != "sampler"})
    grey = dict.fromkeys(FILES, gr.update(interactive=False))
    return {"status": words.waiting(request, math.prod(map(len, axes.values())), ready), **grey}


def measure(studio: Studio, session: Session, *, by: str, **values: Any) -> Iterator[Changes]:
    """Sweep here."""
    try:
        request = read(studio, **values)
        for item in run(studio, session, "lab", studio.work(sweep, request), title="A sweep", limit=LIMIT, requests=[request]):
            if isinstance(item, Sweep):
                head = item.artefact().head
                session.state.setdefault("sweeps", []).append(head)
                yield board_view(studio, session, request, head, by, words.LIVE)
            else:
                yield {"status": item if item == STOPPED else f"Sweeping: {item}"}
    except EXPECTED as error:
        yield {"status": f"**Nothing was swept:** {prose_of(error)}."}
        raise


def board_view(studio: Studio, session: Session, request: SweepRequest, head: words.Head, by: str, origin: str) -> Changes:
    """A finished board, and what was tried so far."""
    session.state["board"] = head
    columns = words.columns(head)
    if by not in [name for _, name in columns]:
        by = columns[0][1]
    return {
        "board": words.payload(head, studio.cards()[request.model], origin, by),
        "by": gr.update(choices=columns, value=by),
        "status": f"{origin}: {len(head['cells'])} settings, {words.seeds(head)}.",
        "script": script.listing(request),
        "tried": words.tried(session.state.get("sweeps", []), by),
        **dict.fromkeys(FILES, gr.update(interactive=True)),
    }


def as_file(studio: Studio, session: Session, *, suffix: str) -> Changes:
    """The board as a file.

    Args:
        suffix: one of WRITERS.
    """
    session.catch_up("lab")
    head = session.state.get("board")
    if head is None:
        raise BadInput("board", "there is no board here yet; press Run this sweep first")
    path = session.place(f"{words.file(head)}.{suffix}")
    path.write_text(WRITERS[suffix](head), encoding="utf-8")
    return {"file": str(path)}


def halt(studio: Studio, session: Session) -> Changes:
    """End the sweep."""
    return {"status": STOPPED if stop(session, "lab") else gr.skip()}


def menu(names: list[str]) -> list[tuple[str, str]]:
    """Samplers as choices."""
    return [(name.upper(), name) for name in names]


def has_nets(studio: Studio) -> bool:
    """Whether there is a net to sweep."""
    return any(card.kind in KINDS for card in studio.cards().values())
