"""The HTTP routes together. Each route is a thin translation of one store function."""

from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp, Receive, Scope, Send

from settings import VERSION

from . import alerts, candles, export, health, metrics, prices
from .access import Access
from .errors import CLOSED, LIMITED, add_error_handlers
from .limits import Limits
from .market import futures, options, snapshots, volatility
from .served import require_known

_ABOUT = """Index prices and the market of the Deribit exchange as Tickwell recorded them, read-only. Times are in UTC.

A request that can't be answered gets one line that says what was wrong: `{"detail": "limit = '0': must be …"}`."""

_WORDS = {
    "options": ("underlying", frozenset({"currency"})),
    "futures": ("currency", frozenset({"underlying"})),
    "volatility": ("currency", frozenset({"underlying"})),
    "export": ("ticker", frozenset({"underlying", "currency", "instrument"})),
}
"""The word by which routes take the name of a market, and the words that mean the same, by the start of their path."""


def create_app() -> FastAPI:
    """The API. The server that mounts it sets `app.state.served` to a `Served` before the first request."""
    app = FastAPIOffline(
        redoc_url=None,
        redirect_slashes=False,
        static_url="/docs/static",
        title="Tickwell",
        version=VERSION,
        description=_ABOUT,
    )
    app.include_router(health.router, responses=LIMITED)
    for module in (metrics, prices):
        app.include_router(module.router, responses=CLOSED | LIMITED)
    for module in (candles, export, options, futures, volatility, snapshots, alerts):
        app.include_router(module.router, dependencies=[Depends(require_known)], responses=CLOSED | LIMITED)
    add_error_handlers(app)
    app.add_middleware(HeadAsGet)
    app.add_middleware(OneWord)
    app.add_middleware(Access)
    app.add_middleware(Limits)
    app.add_middleware(EitherSpelling)
    return app


class OneWord:
    """Lets clients name a market by the same word on each route that takes one.

    A word is turned into the route's own, unless the request has that too: then the route refuses the other one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        words = _WORDS.get(path.split("/")[1] if "/" in path else "")
        if words is not None:
            scope = {**scope, "query_string": _in_own_word(scope["query_string"], *words)}
        await self._app(scope, receive, send)


def _in_own_word(query: bytes, own: str, others: frozenset[str]) -> bytes:
    given = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    names = {name for name, _ in given}
    if own in names or names.isdisjoint(others):
        return query
    return urlencode([(own if name in others else name, value) for name, value in given]).encode()


class EitherSpelling:
    """Answers a path with a slash at its end as it answers the path without.

    A redirect between the two would lead to http:// behind a proxy that ends HTTPS, and with it the client's token.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path.endswith("/") and path != f"{scope.get('root_path', '')}/":
            scope = {**scope, "path": path.removesuffix("/")}
        await self._app(scope, receive, send)


class HeadAsGet:
    """Answers HEAD with what GET would say; the server leaves the body out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") == "HEAD":
            scope = {**scope, "method": "GET", "asked_by": "HEAD"}
        await self._app(scope, receive, send)
