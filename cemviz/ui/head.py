"""The page's document: the beginning of its head, and its making once for all visitors.

What gradio is given as `head=` travels in its configuration and is added by its own scripts, seconds later on a slow machine.
What has to be there before is put at the head's beginning.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class EarlyHead:
    """Middleware that puts some HTML at the beginning of the head of every HTML document that the app answers with."""

    def __init__(self, app: ASGIApp, html: str) -> None:
        self.app, self.html = app, html.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def change(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_document(message):
                start = message  # its length is not known yet
            elif start is None or message["type"] != "http.response.body":
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    body = body.replace(b"<head>", b"<head>" + self.html, 1)
                    MutableHeaders(raw=start["headers"])["content-length"] = str(len(body))
                    await send(start)
                    await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, change)


def _is_document(message: Message) -> bool:
    return MutableHeaders(raw=message["headers"]).get("content-type", "").startswith("text/html")


MOST = 16
"""Documents that are kept: one an address by which the page is reached, compressed or not."""

FORWARDED = ("host", "x-forwarded-host", "x-forwarded-proto")
"""Headers that say by what address the page is reached, which stands in its document."""


class Document:
    """Middleware that keeps the page's document: gradio makes it anew for each visitor, and it is the same for all.

    A class that opens the page at once would wait for fifty.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._documents: dict[tuple[str | None, ...], list[Message]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if not _of_the_page(scope):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        packed = "gzip" if "gzip" in headers.get("accept-encoding", "") else ""
        key = (packed, scope.get("scheme"), scope.get("root_path"), *map(headers.get, FORWARDED))
        if key in self._documents:
            for message in self._documents[key]:
                await send(message)
            return
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)
            await send(message)

        await self.app(scope, receive, keep)
        whole = bool(messages) and messages[0].get("status") == 200 and not messages[-1].get("more_body", False)
        if whole and len(self._documents) < MOST:
            self._documents[key] = messages


def _of_the_page(scope: Scope) -> bool:
    """Whether a request asks for the page as all see it: gradio's own deep links and pages with a password are others."""
    if scope["type"] != "http" or scope["method"] != "GET" or b"deep_link" in scope.get("query_string", b""):
        return False
    app = scope["app"]
    open_to_all = getattr(app, "auth", None) is None and getattr(app, "auth_dependency", None) is None
    return open_to_all and scope["path"].removeprefix(scope.get("root_path", "")) in ("", "/")
