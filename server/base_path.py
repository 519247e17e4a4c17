"""Our own routes below the path of the pages."""

from starlette.types import ASGIApp, Receive, Scope, Send


class BelowPath:
    """Serves our own routes also below the path that Streamlit's option `server.baseUrlPath` gives the pages.

    The path of our routes itself is theirs, too, without a slash at its end.

    Streamlit puts that path before its own routes alone. A page asks for ours relative to its own address. A health
    check of the same machine goes on asking without the path.
    """

    def __init__(self, app: ASGIApp, base: str, ours: str) -> None:
        self._app = app
        self._ours = ours
        self._base = f"/{base.strip('/')}" if base.strip("/") else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if self._base and f"{path}/".startswith(f"{self._base}{self._ours}/"):
            path = path.removeprefix(self._base)
            scope = {**scope, "path": path}
        if path == self._ours:  # a page would answer it
            scope = {**scope, "path": f"{path}/"}
        await self._app(scope, receive, send)
