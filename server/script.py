"""A script for the browser: compressed, kept for ever, and announced before the page asks for it."""

import gzip
from functools import lru_cache
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FOR_EVER = "public, max-age=31536000, immutable"


def script_route(path: str, file: Path) -> Route:
    """A route that answers with a script. Change its address when its content changes: browsers keep it for ever."""

    def script(request: Request) -> Response:
        headers = {"cache-control": _FOR_EVER, "vary": "accept-encoding", "x-content-type-options": "nosniff"}
        content = file.read_bytes()
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            content = _compressed(file)
        return Response(content, media_type="text/javascript", headers=headers)

    return Route(path, script)


class PreloadScript:
    """Lets the browser fetch a script while the page's own scripts load and its socket opens.

    `url` is relative to the page. Each reply with HTML counts as a page, except those of the API, which has no charts.
    """

    def __init__(self, app: ASGIApp, url: str) -> None:
        self._app = app
        self._link = f"<{url}>; rel=preload; as=script"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def announce(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("link", self._link)
            await send(message)

        may_be_page = scope["type"] == "http" and not scope["path"].startswith("/api/")
        await self._app(scope, receive, announce if may_be_page else send)


@lru_cache
def _compressed(file: Path) -> bytes:
    return gzip.compress(file.read_bytes(), mtime=0)
