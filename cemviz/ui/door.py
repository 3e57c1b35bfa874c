"""The door of a page that is full: who comes is told to come back, and takes nothing from those who are here."""

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from . import visits

AGAIN = 60
"""Seconds after which a browser may ask again."""

FULL = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>cemviz</title>
<body style="font: 1.1rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 20vh auto; padding: 0 1rem">
<h1>This page is full</h1><p>{}</p>"""


class Door:
    """Middleware that hands the page's document to as many visitors as fit; whatever the open pages ask for passes."""

    def __init__(self, app: ASGIApp, visitors: int) -> None:
        self.app, self.visitors = app, visitors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        document = scope["type"] == "http" and scope["path"].removeprefix(scope.get("root_path", "")) in ("", "/")
        if document and visits.count(scope["app"].get_blocks()) >= self.visitors:
            words = f"As many visitors are here as it takes ({self.visitors}). Please come back in a minute."
            response = HTMLResponse(FULL.format(words), 503, {"retry-after": str(AGAIN), "cache-control": "no-store"})
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)
