"""Files that the server sends as they are, without compressing them again."""

from starlette.types import ASGIApp, Receive, Scope, Send


class Uncompressed:
    """Keeps Streamlit's gzip from the files under a path: they are compressed already, and clients ask for parts.

    Streamlit compresses every type that it does not know, such as Parquet, for a client that accepts gzip. This
    middleware removes that header of the request, so the server below does not compress.
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(self._path):
            headers = [(name, text) for name, text in scope["headers"] if name != b"accept-encoding"]
            scope = {**scope, "headers": headers}
        await self._app(scope, receive, send)
