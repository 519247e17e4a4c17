"""Files leave as they are."""

from starlette.types import ASGIApp, Receive, Scope, Send


class AsTheyAre:
    """Keeps Streamlit's gzip from the files under a path: they are compressed already, and asked for in parts.

    It compresses all that it doesn't know, such as Parquet, for a client that accepts that. So what lies below isn't
    told that the client does.
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(self._path):
            headers = [(name, text) for name, text in scope["headers"] if name != b"accept-encoding"]
            scope = {**scope, "headers": headers}
        await self._app(scope, receive, send)
