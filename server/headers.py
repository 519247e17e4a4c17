"""Headers that forbid the browser some uses of a reply."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FOR_ALL = {
    "x-content-type-options": "nosniff",
    # Streamlit Community Cloud shows an app in a frame of the same address.
    "content-security-policy": "frame-ancestors 'self'",
    # An address may carry a ticket or a view.
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_FOR_API = {"cache-control": "no-store"}


class SecurityHeaders:
    """Adds headers to each reply that lacks them: the browser keeps to its type, and only our own pages may use it."""

    def __init__(self, app: ASGIApp, api: str) -> None:
        self._app = app
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (_FOR_ALL | _FOR_API if is_api else _FOR_ALL).items():
                    headers.setdefault(name, value)
            await send(message)

        is_api = scope.get("path", "").startswith(f"{self._api}/")
        await self._app(scope, receive, add if scope["type"] == "http" else send)
