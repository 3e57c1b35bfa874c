"""The events of a tab: handlers are plain functions of values by name, and never see a component.

    wire = Wiring(session, studio, {"model": dropdown, "status": markdown, ...})
    wire(run.click, handlers.draw, ["model"], ["status", "figure"], **HEAVY)

A handler is `f(studio, session, **values) -> changes`, or a generator of them; changes are {name: new value or gr.update}, or
None where nothing is to be seen.
"""

import inspect
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import wraps
from typing import Any

import gradio as gr

from ..backend.jobs import Waiting
from ..backend.store import unkeyed
from ..backend.studio import Studio
from ..backend.use_case import Step
from . import manners
from .controls import LAST, NEWEST, STOPPED, TAKING, NotYet, Session, guarded, guarded_stream

SAME, PATIENCE = "waiting: another visitor has asked for the same, and it is nearly there", 0.25
"""Words for who asks for what is at work already, and seconds between two looks."""

SOON = 5.0
"""Seconds that a run may still take without a word on them."""

Changes = Mapping[str, Any]
Handler = Callable[..., Changes | Iterator[Changes] | None]


class Replaced(Exception):
    """A newer run of the same visitor took the place of this one, which has nothing more to say."""


class Wiring:
    """Names for the components of a tab.

    Attributes:
        parts: name -> component.
    """

    def __init__(self, session: gr.State, studio: Studio, parts: Mapping[str, gr.components.Component]) -> None:
        self.session, self.studio, self.parts = session, studio, dict(parts)

    def __getitem__(self, names: Sequence[str]) -> list[gr.components.Component]:
        """Components by name."""
        return [self.parts[name] for name in names]

    def bound(self, handler: Handler, inputs: Sequence[str]) -> Callable[..., Any]:
        """The handler as gradio calls it: (session, *values) -> changes by component."""

        def placed(changes: Changes | None) -> dict[Any, Any] | None:
            return None if changes is None else {self.parts[name]: value for name, value in changes.items()}

        def named(values: tuple[Any, ...]) -> dict[str, Any]:
            return dict(zip(inputs, values, strict=True))

        if inspect.isgeneratorfunction(handler):

            def stream(session: Session, *values: Any) -> Iterator[dict[Any, Any]]:
                with suppress(Replaced):
                    for changes in handler(self.studio, session, **named(values)):
                        yield placed(changes)
                yield gr.skip()  # gradio ends a run with what it told last, once more: by now something newer may be there

            return guarded_stream(stream)
        return guarded(lambda session, *values: placed(handler(self.studio, session, **named(values))))

    def __call__(
        self, triggers: Any, handler: Handler, inputs: Sequence[str], outputs: Sequence[str], *, tab: str = "", **how: Any
    ) -> Any:
        """Let one or several events call a handler.

        By default a second press of a button while the first is at work is nothing, and what else changes meanwhile is told
        after it: a press twice must not discard two runs, and the last choice counts.

        Args:
            tab: that says it is at work while this runs, see `at_work`.
        """
        together = triggers if isinstance(triggers, list) else [triggers]
        if any(trigger.event_name != "click" for trigger in together):
            how = LAST | how
        called = self.bound(handler, inputs), [self.session, *self[inputs]], self[outputs]
        return at_work(lambda **js: gr.on(together, *called, **js, **how), f"cemvizRuns('{tab}', {{}})" if tab else "")

    def file(self, button: gr.Button, handler: Handler, output: str, elem_id: str) -> None:
        """Let a button make a file and hand it to the browser.

        Args:
            output: a hidden button of downloads, which has this elem_id.
        """
        pressed = f"() => {{ setTimeout(() => document.querySelector('#{elem_id}')?.click(), 100); return []; }}"
        made = self(button.click, handler, [], [output], **TAKING)
        made.success(None, None, None, js=pressed)  # once the page has the file's address

    def click(
        self, view: gr.HTML, handler: Handler, inputs: Sequence[str], outputs: Sequence[str], at: Mapping[str, str], **how: Any
    ) -> Any:
        """Let a click into a figure call a handler, see `sent`."""
        return self.sent(view.select, handler, inputs, outputs, at, **how)

    def sent(
        self, event: Any, handler: Handler, inputs: Sequence[str], outputs: Sequence[str], at: Mapping[str, str], **how: Any
    ) -> Any:
        """Let an event of a view call a handler that is no generator, with what the view sends.

        Args:
            at: name of a handler's value -> which of the sent ones it is, e.g. {"a": "x"}, see `views.live_plot`.
        """
        called = self.bound(handler, [*inputs, *at])
        how = NEWEST | how  # an event that gradio puts off comes with what the one before it sent

        def send(data: gr.EventData, *values: Any) -> dict[Any, Any]:  # gradio finds the data by its annotation
            return called(*values, *(manners.sent(data, name) for name in at.values()))

        return event(send, [self.session, *self[inputs]], self[outputs], **how)

    def first(self, handler: Handler, inputs: Sequence[str], outputs: Sequence[str]) -> tuple[Any, list[Any], list[Any]]:
        """A handler as a tab's first view, see `controls.Tab`."""
        return self.bound(handler, inputs), [self.session, *self[inputs]], self[outputs]


def at_work(event: Callable[..., Any], script: str) -> Any:
    """Make an event, and let the browser know when it begins, at once, and when it has ended.

    Args:
        event: makes it, of further arguments.
        script: JavaScript with a place for 1, it begins, or -1; "" tells nothing.
    """
    if not script:
        return event()
    dependency = event(js=f"(...args) => {{ {script.format(1)}; return args; }}")
    dependency.then(None, None, None, js=f"() => {{ {script.format(-1)}; return []; }}")
    return dependency


class TimeLeft:
    """How long the steps of a run still take, at the pace of those that are done."""

    def __init__(self) -> None:
        self._began: tuple[float, int] | None = None

    def after(self, step: Step) -> str:
        """Words after a step; "" where it is too early to tell, or soon over."""
        now = time.monotonic()
        began, first = self._began = self._began or (now, step.done)
        if step.done <= first:
            return ""
        left = (now - began) / (step.done - first) * (step.total - step.done)
        return "" if left < SOON else f", about {left:.0f} s left" if left < 100 else f", about {left / 60:.0f} minutes left"


def run(
    studio: Studio, session: Session, tab: str, work: Iterator[Any], *, title: str, limit: float, requests: Sequence[Any] = (),
    words: Callable[[Step], str] = str, begun: threading.Event | None = None,
) -> Iterator[Any]:  # fmt: skip
    """Follow a use-case on the page: when the device is free, until it ends, the visitor presses Stop or a newer run begins.

    Args:
        tab: what the run is of; another run of the same ends it.
        requests: those that decide the results: where anybody asked for the same before, those are there at once.
        words: step -> what is said after it.
        begun: what `claim` gave where the picture began before its run; None claims the tab now.
    Yields:
        what to say meanwhile, as str, STOPPED at the end of a run that was; every result as it is.
    Raises:
        Replaced: a newer run began; a handler lets it pass.
        NotYet: the results are not known, and the session does not wait.
    """
    key = requests and (tab, *map(repr, requests), studio.fingerprint())
    if not session.waits and not (key and studio.remembered.get(key)):
        raise NotYet
    stop = begun or claim(session, tab)
    results: list[Any] = []
    claimed = False

    def ended() -> str:
        still(session, tab, stop)
        return STOPPED

    try:
        while key and not claimed:
            if (cached := studio.remembered.get(key)) is not None:
                for item in cached:
                    if stop.is_set():
                        yield ended()
                        return
                    yield item
                return
            claimed = studio.remembered.claim(key)
            if not claimed:
                yield SAME
                if stop.wait(PATIENCE):
                    yield ended()
                    return
        limit = min(limit, studio.limits.time)
        with closing(studio.jobs.run(work, title=title, limit=limit, stop=stop, visitor=session)) as items:
            left = TimeLeft()
            for item in items:
                if isinstance(item, Step):
                    yield unkeyed(words(item)) + left.after(item)
                elif isinstance(item, Waiting):
                    yield str(item)
                else:
                    if not isinstance(item, str):
                        results.append(item)
                    yield item
        if stop.is_set():
            yield ended()
        elif key:
            studio.remembered.put(key, results)
    finally:
        if begun is None:
            stop.set()  # nothing is at work
        if claimed:
            studio.remembered.release(key)


def claim(session: Session, tab: str) -> threading.Event:
    """End what a tab has at work, since something newer begins; returns what will end that in turn."""
    session.stops[tab].set()
    session.stops[tab] = threading.Event()  # of its own: one that ends does not end the next
    return session.stops[tab]


def still(session: Session, tab: str, begun: threading.Event) -> None:
    """Raise Replaced where something newer began since `claim` gave this: what would be told now is of what nobody asks for."""
    if session.stops[tab] is not begun:
        raise Replaced


def newest(tab: str) -> Callable[[Callable[..., Iterator[Changes]]], Callable[..., Iterator[Changes]]]:
    """Decorator of a handler that draws a whole picture: it claims the tab once, and is silent when something newer began.

    The handler takes the claim as `begun`, for `run`.  Who calls it with one, as `played` does, has claimed the tab already.
    """

    def decorated(draw: Callable[..., Iterator[Changes]]) -> Callable[..., Iterator[Changes]]:
        @wraps(draw)
        def handler(
            studio: Studio, session: Session, *, begun: threading.Event | None = None, **values: Any
        ) -> Iterator[Changes]:
            begun = begun or claim(session, tab)
            try:
                with closing(draw(studio, session, begun=begun, **values)) as stream:
                    for changes in stream:
                        still(session, tab, begun)
                        yield changes
            finally:
                begun.set()  # nothing is at work

        return handler

    return decorated


def values_of(changes: Changes) -> dict[str, Any]:
    """The values that changes set; an update may set none.  To be asked before gradio has the changes, and takes them out."""
    updates = {name: change if isinstance(change, dict) else {"value": change} for name, change in changes.items()}
    return {name: update["value"] for name, update in updates.items() if "value" in update}


def played(tab: str, controls_of: Callable[..., Changes], go: Callable[..., Iterator[Changes]]) -> Handler:
    """The handler of a menu of stories: sets the controls as the story has them, and draws it.

    One event does both: between two another story may be chosen, and its controls be drawn under this one's name.

    Args:
        tab: what the run is of, see `run`.
        controls_of: (studio, session, story) -> the controls as a story has them.
        go: draws what the controls say, see `newest`.
    """

    @newest(tab)
    def play(studio: Studio, session: Session, *, begun: threading.Event, story: str, **values: Any) -> Iterator[Changes]:
        setting = controls_of(studio, session, story=story)
        values |= {name: value for name, value in values_of(setting).items() if name in values}
        yield setting
        yield from go(studio, session, begun=begun, story=story, **values)

    return play


def stop(session: Session, tab: str) -> bool:
    """End what a tab has at work; tells whether there was anything."""
    busy = tab in session.stops and not session.stops[tab].is_set()
    session.stops[tab].set()
    return busy
