"""Calls that no page of ours makes are answered with one line and a 4xx: what they send is theirs, and no defect of the page.

Gradio answers them with 500 and a traceback in the server's output, as it does where a handler breaks. Here the two are told
apart: what fails while a call is read is refused, what fails in a handler stays a defect.
"""

import json
from collections.abc import Sequence
from copy import copy
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.utils import resolve_singleton
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..backend.diary import LOG

CALL = "/run/predict"
"""End of the path on which an event is called at once."""

LONGEST = 200
"""Letters of what a refusal says."""


class Malformed(gr.Error):
    """A call whose values its event does not take."""

    def __init__(self, error: Exception) -> None:
        message = error.message if isinstance(error, gr.Error) else str(error)
        line = " ".join(str(message).split()).encode("utf-8", "replace").decode()
        super().__init__(f"this call was refused: {line[:LONGEST]}", title="Refused", print_exception=False)


class Page(gr.Blocks):
    """Blocks that refuse a malformed call while they read it, and leave alone what an answer leaves as it is."""

    async def preprocess_data(self, block_fn: Any, inputs: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        """See `gr.Blocks`.

        Raises:
            Malformed: a value that its component does not take, or too few of them.
        """
        try:
            values = await super().preprocess_data(block_fn, inputs, *args, **kwargs)
            for part, value in zip(block_fn.inputs, values, strict=True):
                _check(part, value)
        except Exception as error:
            raise Malformed(error) from error
        return values

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """See `gr.Blocks`, which makes each component anew that a handler did not name: most of what an answer costs here."""
        if _skipped(predictions):
            predictions = {}
        if not isinstance(predictions, dict) or not all(isinstance(part, Block) for part in predictions):
            return await super().postprocess_data(block_fn, predictions, state)
        changed = [part for part in block_fn.outputs if not _skipped(predictions.get(part, SKIP))]
        updates: dict[Any, Any] = {}
        if changed:
            few = copy(block_fn)
            few.outputs = changed
            values = [predictions[part] for part in changed]
            updates = dict(zip(changed, await super().postprocess_data(few, resolve_singleton(values), state), strict=True))
        return [updates.get(part, None if part.stateful else SKIP) for part in block_fn.outputs]

    def handle_streaming_diffs(
        self, block_fn: Any, data: list[Any], session_hash: str | None, run: str | None, final: bool, **how: Any
    ) -> list[Any]:
        """See `gr.Blocks`, which tells of a stream's word what differs from the one before; here each is told whole.

        The browser makes those differences in the word before itself.  Where it was held up and has not shown that one yet,
        what the newer word leaves out is gone from both.
        """
        follows = session_hash is not None and run is not None and run in self.pending_diff_streams[session_hash]
        whole = super().handle_streaming_diffs(block_fn, data, session_hash, run, final, **how | {"simple_format": True})
        if how.get("simple_format") or final or not follows:
            return whole
        return [[["replace", [], value]] for value in whole]


SKIP = gr.skip()


def _skipped(change: Any) -> bool:
    return isinstance(change, dict) and change == SKIP


def _check(part: gr.components.Component, value: Any) -> None:
    """Refuse what a component passes on although it never has it: text for a number, several choices where one is taken."""
    if value is None:
        return
    if isinstance(part, gr.Number | gr.Slider):
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    elif isinstance(part, gr.Checkbox):
        fits = isinstance(value, bool)
    elif isinstance(part, gr.Radio | gr.Dropdown):
        fits = bool(getattr(part, "multiselect", False)) or not isinstance(value, list | dict)
    else:
        fits = True
    if not fits:
        raise ValueError(f"{value!r} is nothing that {part.label or 'this control'} can be")


def sent(event: gr.EventData, name: str) -> Any:
    """A part of what a view sends with its event.

    Raises:
        Malformed: it was not sent.
    """
    try:
        return getattr(event, name)
    except (AttributeError, TypeError) as error:
        raise Malformed(error) from None


class Manners:
    """Middleware: a refusal that is said has a 4xx, and a call that gradio cannot read, too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "POST":  # a stream that breaks has to: its page opens it anew
            await self.app(scope, receive, send)
            return
        path = scope["path"].rstrip("/")
        starts: list[Message] = []
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start" and message["status"] == 500 and path.endswith(CALL):
                starts.append(message)
            elif starts:
                await _answer(starts[0], message, send)
            else:
                begun = True
                await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:  # while a route read the call: what a handler raises is answered by the route
            if begun:
                raise
            LOG.info("refused: %s: %s", path, error)
            await JSONResponse({"error": Malformed(error).message}, 422)(scope, receive, send)


async def _answer(start: Message, body: Message, send: Send) -> None:
    """Send a held answer on: 422 where its error is said, 500 where it is not."""
    try:
        ours = bool(json.loads(body.get("body", b"")).get("error"))
    except (ValueError, AttributeError):
        ours = False
    await send(start | {"status": 422 if ours else 500})
    await send(body)
