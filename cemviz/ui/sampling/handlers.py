"""Handlers of the sampling tab: plain functions of the controls' values, by name."""

import itertools
import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from ...backend import script
from ...backend.checks import MAX_STEPS, BadInput
from ...backend.kinds import KINDS
from ...backend.presets import SAMPLE, playable
from ...backend.requests import SampleRequest
from ...backend.sample import export
from ...backend.sample.chains import Chains, labels, offered, samples, settings
from ...backend.store import called
from ...backend.studio import Studio
from ...samplers import SAMPLERS, SETTINGS, suited
from ..controls import EXPECTED, STOPPED, Session, prose_of
from ..selection import NONE
from ..wiring import Changes, newest, played, run, stop, values_of
from . import words

FIRST = "jeat-hero"
"""Story to begin with."""

LIMIT = 180.0
"""Seconds a run may take on the page."""

MAX_PICTURES = 40_000
"""Chains times steps of a run: more than this a browser cannot unpack."""

FOLLOWED = 16
"""Chains of a run, at most, whose paths other tabs can draw."""

RUN = (
    "story", "a", "by_a", "b", "by_b", "start", "classes", "count", "alpha", "eta", "beta", "steps", "seed", "features", "x",
    "y",
)  # fmt: skip
"""Controls that a run depends on."""

SHOWN = ("story", "prose", "player", "status", "script", "by_a", "by_b", "features")
"""Elements that a run changes."""

WRITERS = {"png": export.save_png, "gif": export.save_gif, "npz": export.save_npz}
"""Ending of a file that is taken away -> what writes it."""

COUNT = itertools.count(1)
"""Numbers of the runs: a view takes no notice of a value that equals the one it has."""

LENGTHS = ("alpha", "eta", "beta", "steps")

FITTED = ("setting", "by_a", "by_b", "start", "count", "features", *LENGTHS)
"""Controls that follow another kind of net, or another data set."""


def sampled(studio: Studio) -> list[str]:
    """The stored models that chains can be drawn from."""
    return [name for name, card in studio.cards().items() if card.kind in KINDS]


def stories(studio: Studio) -> list[tuple[str, str]]:
    """The stories whose models are here."""
    return [(preset.title, key) for key, preset in playable(SAMPLE, sampled(studio)).items()]


def menu(samplers: list[str]) -> list[tuple[str, str]]:
    """Samplers as choices."""
    return [(f"{key.upper()}: {SAMPLERS[key].source}", key) for key in samplers]


def narrowed(studio: Studio, a: str, by_a: str, b: str, by_b: str) -> Changes:
    """Menus that offer what fits the models; one that does not fit stays to be seen, and is refused when it runs."""
    cards = studio.cards()
    asks = {name for model in (a, b) if model in cards and cards[model].kind in KINDS for name in KINDS[cards[model].kind].asks}
    changes: dict[str, Any] = {"features": gr.update(visible="features" in asks)}
    for control, model, chosen in (("by_a", a, by_a), ("by_b", b, by_b)):
        keys = offered(cards[model]) if model in cards else list(SAMPLERS)
        changes[control] = gr.update(choices=menu(keys if chosen in keys else [*keys, chosen]), value=chosen)
    return changes


@newest("sampling")
def go(studio: Studio, session: Session, *, begun: threading.Event, story: str | None, **values: Any) -> Iterator[Changes]:
    """Draw one run or two, which share starts and noise."""
    session.selections["sampling"] = tuple(values[name] for name in ("a", "b", "x", "y", "seed"))
    yield narrowed(studio, *(values[name] for name in ("a", "by_a", "b", "by_b"))) | {"status": ""}
    runs: list[Chains] = []
    line = ""
    try:
        requests = read(**values)
        untouched = matches(story, requests)
        yield {
            "story": gr.skip() if untouched else None,
            "prose": SAMPLE[story].story if untouched else words.OWN if len(requests) > 1 else "",
        }
        work, title = studio.work(samples, requests), f"Sampling from {values['a']}"
        how: dict[str, Any] = {"title": title, "limit": LIMIT * len(requests), "requests": requests, "begun": begun}
        for item in run(studio, session, "sampling", work, **how):
            if isinstance(item, Chains):
                runs.append(item)
            elif item != line:
                line = item
                yield {"status": item}
        if line == STOPPED:
            return
        session.state["sampled"], session.state["chains"] = requests, runs[0]
        session.state["frames"] = {chains.card.name: chains.pixels[:, :FOLLOWED] for chains in runs}
        yield {
            "player": words.payload(runs, next(COUNT)),
            "status": words.summary(studio, runs),
            "script": script.listing(*requests),
        }
    except EXPECTED as error:  # stays to be read when the message has gone
        yield {"status": f"**Nothing was sampled:** {prose_of(error)}."}
        raise


def opened(studio: Studio, session: Session, *, setting: str, **values: Any) -> Iterator[Changes]:
    """Draw, once the samplers fit the nets: another tab may have chosen others; what is on screen already is not drawn anew."""
    cards, by = studio.cards(), {"a": values["by_a"], "b": values["by_b"]}
    if any(values[net] in cards and sampler not in offered(cards[values[net]]) for net, sampler in by.items()):
        changes = followed(studio, session, setting=setting, **{name: values[name] for name in ("a", "by_a", "b", "by_b")})
        values |= {name: value for name, value in values_of(changes).items() if name in values}
        yield changes  # afterwards gradio has taken the values out of it
    controls = {name: value for name, value in values.items() if name != "story"}
    if "sampled" in session.state and session.state["sampled"] == read(**controls):
        yield {"status": gr.skip()}
        return
    yield from go(studio, session, **values)


def controls_of(studio: Studio, session: Session | None, *, story: str) -> Changes:
    """Set the controls as a story has them."""
    chosen = SAMPLE[story]
    a, b = chosen.runs[0], chosen.runs[-1] if len(chosen.runs) > 1 else None
    card = studio.cards()[a.model]
    dyn = settings(a, card)
    single = len(a.classes) == 1
    values = {
        "a": a.model, "by_a": a.sampler, "b": b.model if b else NONE, "by_b": b.sampler if b else a.sampler, "start": a.start,
        "y": card.classes[labels(a.classes, 1, card)[0]] if single else NONE,
        "classes": "" if single else ",".join(map(str, a.classes)), "count": a.count, "seed": a.seed, "setting": "suited",
        "alpha": dyn.step, "eta": dyn.noise, "beta": f"{dyn.radius:g}", "steps": dyn.steps,
    }  # fmt: skip
    fitted = dict(narrowed(studio, *(values[name] for name in ("a", "by_a", "b", "by_b"))))
    return values | {"prose": chosen.story} | fitted | {"features": fitted["features"] | {"value": a.features}}


play = played("sampling", controls_of, go)
"""Handler of the menu of stories."""


def numbers(studio: Studio, session: Session | None, *, setting: str, by_a: str, a: str) -> Changes:
    """The named numbers, or those that suit sampler and data."""
    dyn = suited(by_a, studio.cards()[a].shape) if setting == "suited" else SETTINGS[setting].dynamics
    return {"alpha": dyn.step, "eta": dyn.noise, "beta": f"{dyn.radius:g}", "steps": dyn.steps}


def followed(studio: Studio, session: Session, *, setting: str, a: str, by_a: str, b: str, by_b: str) -> Changes:
    """Samplers that fit the models; for another kind of model A its usual start, number of chains and numbers too."""
    cards = studio.cards()
    changes: dict[str, Any] = {}
    if by_a not in offered(cards[a]):
        usual = KINDS[cards[a].kind].usual
        by_a, setting = usual["sampler"], "suited"
        changes = {"start": usual["start"], "count": usual["count"], "setting": setting}
    if b in cards and by_b not in offered(cards[b]):
        by_b = KINDS[cards[b].kind].usual["sampler"]
    return {**changes, **narrowed(studio, a, by_a, b, by_b), **numbers(studio, session, setting=setting, by_a=by_a, a=a)}


def halt(studio: Studio, session: Session) -> Changes:
    """End the run."""
    return {"status": STOPPED if stop(session, "sampling") else gr.skip()}


def prose(key: str | None, requests: list[SampleRequest]) -> str:
    """The words of a story that runs, or those of a comparison of one's own."""
    return SAMPLE[key].story if matches(key, requests) else words.OWN if len(requests) > 1 else ""


def matches(key: str | None, requests: list[SampleRequest]) -> bool:
    """Whether what runs is what a story sets: models, samplers, start, and its own numbers."""
    runs = SAMPLE[key].runs if key in SAMPLE else ()

    def same(request: SampleRequest, other: SampleRequest) -> bool:
        lengths = ("step", "noise", "radius", "steps")
        return (request.model, request.sampler, request.start) == (other.model, other.sampler, other.start) and all(
            getattr(other, name) in (None, getattr(request, name)) for name in lengths
        )

    return bool(runs) and len(runs) == len(requests) and all(map(same, requests, runs))


def read(
    a: str, by_a: str, b: str, by_b: str, start: str, classes: str, count: float,
    alpha: float, eta: float, beta: str, steps: float, seed: float, features: str, x: str, y: str,
) -> list[SampleRequest]:  # fmt: skip
    """The controls as one request or two that differ in model and sampler alone.

    Raises:
        BadInput: a number that is missing, or does not fit its field; more pictures than a page can show; no picture to
            start from.
    """
    if not a:
        raise BadInput("model A", words.NOTHING)
    by_symbol = {"α": alpha, "η": eta, "β": str(beta or "").strip() or None, "K": steps, "seed": seed, "chains": count}
    for symbol, value in by_symbol.items():
        if value is None:
            raise BadInput(symbol, f"{symbol} is empty; give a number{', or inf for no ball' if symbol == 'β' else ''}")
    wanted = (y,) if y != NONE else tuple(part.strip() for part in (classes or "").split(",") if part.strip())
    if start == "picture" and x == "test":
        raise BadInput("picture", "which test image is not said here; choose another picture, or draw one under Your digit")
    shot = x if start == "picture" else ""
    first = SampleRequest(a, by_a, wanted, count, start, alpha, eta, by_symbol["β"], steps, seed, features, shot)
    if first.count * first.steps > MAX_PICTURES:
        raise BadInput(
            "chains",
            f"{first.count} chains of {first.steps} steps are too many pictures for a page; give "
            f"{math.floor(MAX_PICTURES / min(first.steps, MAX_STEPS))} chains",
        )
    return [first] if b == NONE else [first, replace(first, model=b, sampler=by_b)]


def as_file(studio: Studio, session: Session, *, suffix: str) -> Changes:
    """The run as a file.

    Args:
        suffix: one of WRITERS.
    """
    session.catch_up("sampling")
    chains = session.state.get("chains")
    if chains is None:
        raise BadInput("run", "nothing is sampled yet; press Sample first")
    name = f"{called(chains.card.name)}-{chains.request.sampler}-seed{chains.request.seed}"
    return {"file": str(WRITERS[suffix](chains, session.place(f"{name}.{suffix}")))}
