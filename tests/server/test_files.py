"""Under Streamlit JSON is compressed on its way to the client, and files are not."""

from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from streamlit.web.server.starlette.starlette_gzip_middleware import SelectiveGZipMiddleware

from server.files import Uncompressed
from tests.api.conftest import served_at

NUMBERS = list(range(10_000))
FILE = b"PAR1" + bytes(100_000)


def numbers(request: Request) -> Response:
    return JSONResponse(NUMBERS)


def file(request: Request) -> Response:
    return Response(FILE, media_type="application/vnd.apache.parquet", headers={"etag": '"1"'})


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    app = Starlette(
        routes=[Route("/api/candles", numbers), Route("/api/export", file), Route("/elsewhere", file)],
        middleware=[Middleware(Uncompressed, path="/api/export"), Middleware(SelectiveGZipMiddleware)],
    )
    with served_at(app) as url, httpx.Client(base_url=url, headers={"accept-encoding": "gzip"}) as client:
        yield client


def test_json_is_compressed_for_a_client_that_accepts_gzip(client):
    reply = client.get("/api/candles")

    assert reply.headers["content-encoding"] == "gzip"
    assert reply.json() == NUMBERS


def test_a_file_is_sent_as_it_is_with_its_length(client):
    reply = client.get("/api/export")

    assert "content-encoding" not in reply.headers
    assert int(reply.headers["content-length"]) == len(FILE)
    assert reply.content == FILE


def test_elsewhere_streamlit_would_compress_a_file(client):
    assert client.get("/elsewhere").headers["content-encoding"] == "gzip"


def test_a_socket_is_left_alone(client):
    scope = {"type": "lifespan"}
    heard = []

    async def app(scope, receive, send) -> None:
        heard.append(scope)

    with pytest.raises(StopIteration):
        Uncompressed(app, "/api/export")(scope, None, None).send(None)  # type: ignore[arg-type]

    assert heard == [scope]
