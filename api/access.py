"""Who may ask the API: everyone, or clients that send its token or an address with a ticket for one export."""

import hmac

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from settings import PREFIX, Settings
from store.export import tickets

_OPEN = "/health"
_TICKETED = "/export"

_TOKEN_MISSING = f"this API asks for its token: send the header Authorization: Bearer, with {PREFIX}API_TOKEN's value"
_TOKEN_WRONG = f"the token that was sent is not the value of {PREFIX}API_TOKEN"
_TICKET_OVER = "this link was good for five minutes and one file: get a new one from the Export page"
_NO_TOKEN_SET = f"readers sign in to this dashboard, and its API is closed unless its operator sets {PREFIX}API_TOKEN"


class Access:
    """Lets a request through to the API where the settings of the server allow it; otherwise answers 401 or 403.

    With API_TOKEN, each route but /health asks for it. With sign-in and no API_TOKEN, no program is let in. A ticket
    opens /export in either case. /health answers every client, and gives a stranger fewer facts.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal(scope, scope["app"].state.served.settings) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)


def is_stranger(headers: Headers, settings: Settings) -> bool:
    """Is the API closed to a request with these headers?"""
    sent = headers.get("authorization", "")
    return settings.ticket_key is not None and (settings.api_token is None or not _is_token(sent, settings.api_token))


def _refusal(scope: Scope, settings: Settings) -> JSONResponse | None:
    """The answer that refuses the request; None if the request is allowed."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    if settings.ticket_key is None or path == _OPEN:
        return None
    query = scope["query_string"].decode("latin-1")
    if path == _TICKETED and tickets.is_there(query):
        return None if tickets.holds(settings.ticket_key, query) else _refused(_TICKET_OVER, settings)
    if settings.api_token is None:
        return _refused(_NO_TOKEN_SET, settings)
    sent = Headers(scope=scope).get("authorization")
    if sent is None:
        return _refused(_TOKEN_MISSING, settings)
    return None if _is_token(sent, settings.api_token) else _refused(_TOKEN_WRONG, settings)


def _is_token(sent: str, token: SecretStr) -> bool:
    scheme, _, token_sent = sent.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(
        token_sent.strip().encode(), token.get_secret_value().encode()
    )


def _refused(why: str, settings: Settings) -> JSONResponse:
    """401 where a token would open the route, else 403."""
    if settings.api_token is None:
        return JSONResponse({"detail": why}, status_code=403)
    return JSONResponse({"detail": why}, status_code=401, headers={"www-authenticate": 'Bearer realm="Tickwell"'})
