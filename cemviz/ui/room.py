"""Room for uploads: the page's temporary folder takes so much of the disk and no more, however many visitors send files."""

import os
from pathlib import Path

import anyio.to_thread
from gradio.utils import get_upload_folder
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..backend.diary import LOG

UPLOAD = "/upload"
"""End of the path that takes files."""


class Room:
    """Middleware that refuses an upload for which there is no room, before a byte of it is read.

    Args:
        most: bytes of all temporary files together, uploads that are under way among them.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app, self.most = app, most
        self._coming = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request: 411 to an upload that does not say how long it is, 507 where it has no room."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].rstrip("/").endswith(UPLOAD):
            await self.app(scope, receive, send)
            return
        length = Request(scope).headers.get("content-length", "")
        if not length.isdecimal() or len(length) > 18:
            await PlainTextResponse("an upload says how long it is: Content-Length", 411)(scope, receive, send)
            return
        size = int(length)
        self._coming += size
        try:
            if await anyio.to_thread.run_sync(folder_size, Path(get_upload_folder())) + self._coming > self.most:
                LOG.info("refused: an upload of %d bytes, no room", size)
                words = "there is no room for this file now; try again in an hour, or open the page on your own machine"
                await PlainTextResponse(words, 507)(scope, receive, send)
            else:
                await self.app(scope, receive, send)
        finally:
            self._coming -= size


def folder_size(folder: Path) -> int:
    """Bytes of all files in a folder and those below it."""
    sizes = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                sizes += os.lstat(os.path.join(place, name)).st_size
            except OSError:  # removed meanwhile
                continue
    return sizes
