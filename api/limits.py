"""How much a request to the API may bring: an address of 8 kB and a body of 64 kB."""

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LONGEST_URL = 8_000
"""Bytes of path and query. An export of a hundred indexes takes 2,000."""

LARGEST_BODY = 64_000
"""Bytes. No route reads a body, but clients may send one."""


class Limits:
    """Answers 414 or 413 to a request that brings more than any route can use.

    The body is read here, up to the limit, before the route is asked, so that a client that sends slowly holds no
    thread.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_URL:
            await _refused(414, f"the address is longer than {LONGEST_URL} bytes")(scope, receive, send)
        elif (body := await _body(scope, receive)) is None:
            await _refused(413, f"the body is larger than {LARGEST_BODY} bytes")(scope, receive, send)
        else:
            await self._app(scope, _again(body, receive), send)


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body; None if it is too large."""
    headers, body = Headers(scope=scope), b""
    declared = headers.get("content-length", "0")
    if int(declared) > LARGEST_BODY:
        return None
    more = declared != "0" or "transfer-encoding" in headers
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        more = message.get("more_body", False)
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a body that was already read to the app."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return first.pop() if first else await receive()

    return receive_again


def _refused(status: int, why: str) -> JSONResponse:
    # Without this header the server would go on to read the rest of the body.
    return JSONResponse({"detail": why}, status_code=status, headers={"connection": "close"})
