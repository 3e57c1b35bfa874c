"""GET /health: whether the page is well, for who watches over it."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..backend.studio import Studio
from ..backend.train import live as training
from .visits import resident


class Health:
    """Middleware that answers /health, without a visit and without the device."""

    def __init__(self, app: ASGIApp, studio: Studio) -> None:
        self.app, self.studio = app, studio

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"].rstrip("/").endswith("/health"):
            await JSONResponse(health(self.studio), headers={"cache-control": "no-store"})(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def health(studio: Studio) -> dict[str, Any]:
    """{version, device, line, training, memory}: jobs at the device and waiting, names of runs, resident bytes or None."""
    try:
        release = version("cemviz")
    except PackageNotFoundError:  # run from its repository
        release = "repository"
    return {
        "version": release, "device": studio.device.title, "line": studio.jobs.length, "training": training.going(),
        "memory": resident(),
    }  # fmt: skip
