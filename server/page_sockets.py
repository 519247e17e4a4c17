"""Who may hold the socket of a page. Streamlit sends the whole content of the page over it."""

import asyncio
import hashlib
from collections import defaultdict, deque
from collections.abc import Collection

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from store.words import shortened

from .refusals import Refusals

_READER = "_streamlit_user"
"""Streamlit keeps the signed identity of a reader in this cookie."""

_SIGN_OUT = "/auth/logout"
_STREAM = "/_stcore/stream"
_MOST_ENDED = 10_000
_POLICY_VIOLATION = 1008

_TO_UPGRADE = "a proxy in between must pass WebSockets on, with Upgrade and Connection (docs/proxy.md)"
_TO_SET = (
    "a proxy in between must pass Host on with its port, as the browser sent it (docs/proxy.md); another address whose "
    "pages may read these belongs into Streamlit's option server.corsAllowedOrigins"
)


class PageSockets:
    """Refuses sockets that pages of other addresses open, and ends the sockets of a reader who signs out.

    Streamlit itself accepts them from any port of this machine, and asks the internet for its own address meanwhile.
    It checks a reader's cookie only when a socket opens. Without this class other tabs would go on after the reader
    signed out, and a kept cookie would open new sockets.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str] = ()) -> None:
        self._app = app
        self._origins = origins
        self._open: defaultdict[bytes, set[asyncio.Task[None]]] = defaultdict(set)
        self._ended: deque[bytes] = deque(maxlen=_MOST_ENDED)
        self._refusals = Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        if scope["type"] == "http" and scope["path"].endswith(_STREAM):
            self._refusals.log(f"a page asked for its socket by plain HTTP: {_TO_UPGRADE}")
        await self._app(scope, receive, send)
        # Wait for the reply, which removes the cookie from the browser: a tab opens a new socket as soon as one ends.
        if scope["type"] == "http" and scope["path"].endswith(_SIGN_OUT):
            self._end(_session(scope))

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = _session(scope)
        headers = HTTPConnection(scope).headers
        origin, host = headers.get("origin"), headers.get("host")
        if not self._is_ours(origin, host):
            self._refusals.log(
                f"the socket of a page was refused: Origin = {shortened(origin)}, Host = {shortened(host)}: {_TO_SET}"
            )
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        elif session is None:
            await self._app(scope, receive, send)
        elif session in self._ended:
            await self._app(_without_cookies(scope), receive, send)
        else:
            await self._until_ended(session, scope, receive, send)

    def _is_ours(self, origin: str | None, host: str | None) -> bool:
        """Did a page of our own address open it? A client that is not a browser sends no Origin, and is allowed."""
        return origin is None or origin in self._origins or origin.partition("://")[2] == host

    async def _until_ended(self, session: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(self._app(scope, receive, send))
        self._open[session].add(task)
        try:
            await task
        except asyncio.CancelledError:
            if session not in self._ended:
                raise
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        finally:
            self._open[session].discard(task)
            if not self._open[session]:
                del self._open[session]

    def _end(self, session: bytes | None) -> None:
        if session is not None:
            self._ended.append(session)
            for task in self._open.get(session, ()):
                task.cancel()


def _session(scope: Scope) -> bytes | None:
    """A digest of the cookie of a signed-in reader."""
    cookie = HTTPConnection(scope).cookies.get(_READER)
    return None if cookie is None else hashlib.sha256(cookie.encode()).digest()


def _without_cookies(scope: Scope) -> Scope:
    return {**scope, "headers": [header for header in scope["headers"] if header[0] != b"cookie"]}
