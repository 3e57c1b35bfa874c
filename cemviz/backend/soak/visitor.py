"""A visitor without a browser: the page's components and events as its configuration lists them, driven by gradio's protocol.

What a handler changes is kept, and has the events follow that a browser would have follow. No script is run: what the page's
own does when a tab is opened, whose first view is a file, is done here too, see `ui/js/first.js`.
"""

import asyncio
import json
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx

FIRST = re.compile(r'cemvizFirst\("([a-z]+)"')
"""The script of the event that opens a tab whose first view is a file."""

DEEPEST, PATIENCE = 6, 60.0
"""Events that may follow from one another, and seconds without a word after which an event is given up."""


class Refused(Exception):
    """The server did not take a call, or answered it with an error."""


class Visitor:
    """One open page.

    Attributes:
        values: component -> its value by now.
        filed: tabs whose first view was their file.
        took: called with (what, seconds) for every light request and first word of a queued one.
    """

    def __init__(self, http: httpx.AsyncClient, took: Callable[[str, float], None]) -> None:
        self.http, self.took, self.session = http, took, secrets.token_hex(8)
        self.values: dict[int, Any] = {}
        self.filed: set[str] = set()
        self._events: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self._heart: asyncio.Task[None] | None = None
        self._ears: asyncio.Task[None] | None = None
        self._beside: list[asyncio.Task[None]] = []

    async def open(self, config: dict[str, Any], query: str = "") -> None:
        """Load the document, and set what its address names.

        Args:
            config: of the page, which the document holds, too.
        """
        began = time.monotonic()
        document = await self.http.get(f"/{query}")
        document.raise_for_status()
        self.took("document", time.monotonic() - began)
        self.config, self.query = config, query
        self.values = {part["id"]: part["props"].get("value") for part in config["components"]}
        self.named = {part["props"]["elem_id"]: part["id"] for part in config["components"] if part["props"].get("elem_id")}
        scripts = ((FIRST.search(call["js"]), call) for call in config["dependencies"] if isinstance(call["js"], str))
        self.scripts = {match[1]: call for match, call in scripts if match}
        self.tab = dict(part.split("=") for part in query[1:].split("&") if part).get("tab", "start")
        self._heart = asyncio.create_task(self._beat())
        began = time.monotonic()
        await self._fire(lambda target: target[1] == "load")
        self.took("address", time.monotonic() - began)

    async def press(self, element: str, event: str = "click") -> None:
        """Have an element's event happen, and wait until all that follows from it has ended."""
        part = self.named[element]
        await self._fire(lambda target: target == [part, event])

    async def show(self, tab: str) -> None:
        """Open a tab, and wait for its view, and no longer: what every opening asks for beside it goes on."""
        self.tab = tab
        beside = asyncio.create_task(self.press("tabs", "select"))
        self._beside.append(beside)
        await (self._first(tab) if tab in self.scripts else self.press(f"tab-{tab}", "select"))

    async def _first(self, tab: str) -> None:
        """The file of a tab's first view, or else what its event asks of the server."""
        call = self.scripts[tab]
        *outputs, asks = call["outputs"]
        if tab not in self.filed and not self.query:
            answer = await self.http.get(f"/first/{tab}.json")
            if answer.status_code == 200:
                self.filed.add(tab)
                self._keep({"outputs": outputs}, answer.json())
                return
        self.values[asks] = (self.values[asks] or 0) + 1
        await self._fire(lambda target: target == [asks, "change"])

    def set(self, element: str, value: Any) -> None:
        """Set a control."""
        self.values[self.named[element]] = value

    async def leave(self) -> None:
        """Close the page, whatever is at work."""
        tasks = [task for task in (self._heart, self._ears, *self._beside) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _fire(self, hit: Callable[[list[Any]], bool], depth: int = 0) -> None:
        calls = [call for call in self.config["dependencies"] if any(hit(target) for target in call["targets"])]
        await asyncio.gather(*(self._call(call, depth) for call in calls if call["backend_fn"]))

    async def _call(self, call: dict[str, Any], depth: int) -> None:
        js = call["js"] if isinstance(call["js"], str) else ""
        if "dataset.tabId" in js and len(call["inputs"]) > 1:
            self.values[call["inputs"][1]] = self.tab
        if "cemvizFiled" in js:
            self.values[call["inputs"][2]] = ",".join(self.filed)
        body = {
            "data": [self.values.get(part) for part in call["inputs"]], "fn_index": call["id"], "session_hash": self.session,
            "event_data": None, "trigger_id": call["targets"][0][0] if call["targets"] else None,
        }  # fmt: skip
        before = dict(self.values)
        if call["queue"]:
            await self._queued(call, body)
        else:
            began = time.monotonic()
            answer = await self.http.post("/gradio_api/run/predict", json=body, params=self._query())
            if answer.status_code != 200:
                raise Refused(f"{answer.status_code}: {answer.text[:100]}")
            self.took("light", time.monotonic() - began)
            self._keep(call, answer.json()["data"])
        if depth == DEEPEST:
            return
        changed = [part for part in call["outputs"] if self.values.get(part) != before.get(part)]
        after = [other for other in self.config["dependencies"] if other["trigger_after"] == call["id"] and other["backend_fn"]]
        for other in after:
            await self._call(other, depth + 1)
        await self._fire(lambda target: target[1] == "change" and target[0] in changed, depth + 1)

    def _query(self) -> dict[str, str]:
        return dict(part.split("=") for part in self.query[1:].split("&") if part)

    def _keep(self, call: dict[str, Any], data: list[Any]) -> None:
        for part, value in zip(call["outputs"], data, strict=False):
            if isinstance(value, dict) and value.get("__type__") == "update":
                if "value" in value:
                    self.values[part] = value["value"]
            else:
                self.values[part] = value

    async def _queued(self, call: dict[str, Any], body: dict[str, Any]) -> None:
        """Join the queue, and take what it says until the event has ended."""
        began, generating = time.monotonic(), False
        joined = await self._join(body)
        heard = self._events.setdefault(joined, asyncio.Queue())
        if self._ears is None or self._ears.done():
            self._ears = asyncio.create_task(self._listen())
        data: list[Any] = []
        try:
            while True:
                message = await asyncio.wait_for(heard.get(), PATIENCE)
                if message["msg"] == "process_generating" and message["success"]:
                    output = message["output"]["data"]
                    data = output if not data else [patched(old, new) for old, new in zip(data, output, strict=False)]
                    self._keep(call, data)
                elif message["msg"] == "process_completed":
                    if not message["success"]:
                        raise Refused(str(message["output"].get("error"))[:100])
                    output = message["output"].get("data") or []
                    self._keep(call, output)
                    return
                elif message["msg"] == "unexpected_error":
                    raise Refused(str(message)[:100])
                if message["msg"] == "process_generating" and not generating:
                    generating = True
                    self.took("first word", time.monotonic() - began)
        except TimeoutError:
            raise Refused(f"nothing heard for {PATIENCE:.0f} s") from None
        finally:
            self._events.pop(joined, None)

    async def _join(self, body: dict[str, Any]) -> str:
        answer = await self.http.post("/gradio_api/queue/join", json=body)
        if answer.status_code != 200:
            raise Refused(f"{answer.status_code}: {answer.text[:100]}")
        return answer.json()["event_id"]

    async def _listen(self) -> None:
        """Hand the queue's messages to the events they are of, as long as there are any."""
        while self._events:  # one may have joined while the stream of those before was closed
            async with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as stream:
                async for line in stream.aiter_lines():
                    message = json.loads(line[5:]) if line.startswith("data:") else {}
                    if message.get("msg") == "close_stream":
                        break
                    if event := message.get("event_id"):
                        self._events.setdefault(event, asyncio.Queue()).put_nowait(message)

    async def _beat(self) -> None:
        """The request that tells the server that the page is open."""
        with suppress(httpx.HTTPError):
            async with self.http.stream("GET", f"/gradio_api/heartbeat/{self.session}") as stream:
                async for _ in stream.aiter_lines():
                    pass


def patched(old: Any, changes: Any) -> Any:
    """A value after the changes that gradio sends in place of it: [action, path, value] each."""
    for action, path, value in changes:
        old = _patched(old, list(path), action, value)
    return old


def _patched(old: Any, path: list[Any], action: str, value: Any) -> Any:
    if not path:
        return old + value if action == "append" else value
    key, *rest = path
    if isinstance(old, list):
        new: Any = list(old)
    else:
        new = dict(old)
    if rest or action not in ("add", "delete"):
        new[key] = _patched(new[key], rest, action, value)
    elif action == "delete":
        del new[key]
    elif isinstance(new, list):
        new.insert(key, value)
    else:
        new[key] = value
    return new
