"""First views of tabs, as files: the same for every visitor, it waits for nobody and takes nothing of the device.

A browser that opens a tab whose controls are as the page was built asks for the file, see `js/first.js`.  Where its results are
not known yet there is none: the tab is drawn for this visitor as any other picture is, and who comes next finds the file.

The server does not know who was shown a file.  A handler that goes on from what is on the screen first has it drawn for its
visitor's session, see `Session.catch_up`.
"""

import asyncio
import gzip
import hashlib
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import anyio.to_thread
import gradio as gr
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..backend.diary import LOG
from ..backend.stored import artefacts
from ..backend.studio import Studio
from .controls import Changes, NotYet, Session, Tab

PATH = re.compile(r"/first/([a-z]+)\.json$")

AGE = 300.0
"""Seconds after which a file is made anew: the pictures that it names are deleted ten minutes after they were made."""

RESTS_ON = ("detection", "gallery", "grids", "robustness", "sweeps")
"""Folders of stored numbers and images that first views show, beside the models."""

PAUSE = 0.5
"""Seconds between two looks whether the device is free."""


class File(NamedTuple):
    """A first view as it goes to browsers: JSON of what every output becomes, compressed, and its ETag."""

    body: bytes
    tag: str


class FirstViews(Mapping[str, Any]):
    """The first views of all tabs: files for browsers, and tab -> what draws it for a visitor's session alone."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._tabs: dict[str, tuple[Tab, Any]] = {}
        self._files: dict[str, tuple[File, tuple[int, ...], float]] = {}  # with marks of what it rests on, and when it was made
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def add(self, key: str, tab: Tab, event: Any) -> None:
        """Take up a tab, and the event that draws it: the file sets that one's outputs."""
        self._tabs[key] = tab, event

    def __getitem__(self, key: str) -> Any:
        """Draws a tab for a session, without its browser."""
        tab, _ = self._tabs[key]
        return lambda session: first_view(tab, session)

    def __iter__(self) -> Iterator[str]:
        """Keys of the tabs."""
        return iter(self._tabs)

    def __len__(self) -> int:
        """How many tabs have a file."""
        return len(self._tabs)

    def warm(self, closed: threading.Event) -> None:
        """Draw all views once, while nobody else asks for the device: from then on each has its file.

        Args:
            closed: the page is, and its device with it.
        """
        for key, (tab, _) in self._tabs.items():
            while self.studio.jobs.length and not closed.is_set():
                closed.wait(PAUSE)
            if closed.is_set():
                return
            try:
                first_view(tab, Session())
            except gr.Error as error:  # its visitors are told
                LOG.info("first view of %s: %s", key, error)
            except RuntimeError:  # no new work is taken
                if not closed.is_set():
                    raise

    async def file(self, key: str, page: gr.Blocks) -> File | None:
        """The file of a tab, or None where the device would have to compute its view."""
        async with self._locks[key]:  # it is made once, whoever else asks meanwhile
            stored = self.studio.fingerprint(), *artefacts.times(RESTS_ON)
            file, version, began = self._files.get(key, (None, (), 0.0))
            if file is not None and version == stored and time.monotonic() - began < AGE:
                return file
            tab, event = self._tabs[key]
            try:
                changes = await anyio.to_thread.run_sync(first_view, tab, Session(waits=False))
            except (NotYet, gr.Error):  # an error is the visitor's who asks for the view itself
                return None
            data = await page.postprocess_data(page.fns[event["id"]], changes, None)
            body = gzip.compress(json.dumps(data, separators=(",", ":"), default=_plain).encode(), 6, mtime=0)
            file = File(body, f'"{hashlib.sha256(body).hexdigest()[:16]}"')
            self._files[key] = file, stored, time.monotonic()
            return file


def first_view(tab: Tab, session: Session) -> Changes:
    """All that a tab's first view sets, drawn from the values that its controls were built with.

    Raises:
        NotYet: see `Session`.
    """
    assert tab.draw is not None
    function, (_, *controls), outputs = tab.draw
    output = function(session, *(control.value for control in controls))
    changes: Changes = {}
    for step in output if isinstance(output, Iterator) else [output]:
        new = step if isinstance(step, dict) else dict(zip(outputs, step, strict=True))
        for component, change in new.items():
            if component in outputs:  # a skip of everything names none
                changes[component] = changes.get(component, {}) | _update(change)
    # a value alone as it is: an update of a view of ours would empty its properties
    return {
        component: change["value"] if change.keys() == {"value"} else gr.update(**change)
        for component, change in changes.items()
        if change
    }


def _update(change: Any) -> dict[str, Any]:
    """The properties that a handler's change sets."""
    if isinstance(change, dict) and change.get("__type__") == "update":
        return {name: value for name, value in change.items() if name != "__type__"}
    return {"value": change}


def _plain(value: Any) -> Any:
    """Gradio's own data models, for JSON."""
    return value.model_dump()


class FirstFiles:
    """Middleware that answers /first/TAB.json, without a visit: a browser that has a view asks whether it is still the same."""

    def __init__(self, app: ASGIApp, views: FirstViews) -> None:
        self.app, self.views = app, views

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        match = scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and PATH.search(scope["path"])
        if match and match[1] in self.views:
            file = await self.views.file(match[1], scope["app"].get_blocks())
            await answer(Request(scope), file)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def answer(request: Request, file: File | None) -> Response:
    """204 where there is no file, 304 where the browser has it."""
    if file is None:
        return Response(status_code=204, headers={"cache-control": "no-store"})
    headers = {"etag": file.tag, "cache-control": "no-cache", "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(gzip.decompress(file.body), headers=headers, media_type="application/json")
    return Response(file.body, headers=headers | {"content-encoding": "gzip"}, media_type="application/json")
