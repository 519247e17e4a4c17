"""The script for the browser over real HTTP: compressed on request, kept for ever, announced with each page."""

import asyncio
import re
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from pages.common.chart.bundle import PLOTLY_FILE, PLOTLY_PATH, PLOTLY_URL
from server.script import PreloadScript, script_route
from tests.api.conftest import served_at

LINK = f"<{PLOTLY_URL}>; rel=preload; as=script"


def page(request: Request) -> Response:
    return HTMLResponse("<p>A page</p>", headers={"link": "<other.css>; rel=preload; as=style"})


def numbers(request: Request) -> Response:
    return JSONResponse([1, 2])


def bare(request: Request) -> Response:
    return Response(status_code=204)


APP = Starlette(
    routes=[
        script_route(PLOTLY_PATH, PLOTLY_FILE),
        Route("/", page),
        Route("/api/docs", page),
        Route("/numbers", numbers),
        Route("/bare", bare),
    ],
    middleware=[Middleware(PreloadScript, url=PLOTLY_URL)],
)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """A client of a server with one page, one script, and a route that is neither."""
    with served_at(APP) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate, br, zstd"])
def test_the_script_is_compressed_for_a_client_that_accepts_gzip_and_the_same_when_unpacked(client, accepted):
    reply = client.get(PLOTLY_URL, headers={"accept-encoding": accepted})

    assert reply.headers["content-encoding"] == "gzip"
    assert int(reply.headers["content-length"]) < PLOTLY_FILE.stat().st_size / 2
    assert reply.content == PLOTLY_FILE.read_bytes()


@pytest.mark.parametrize("accepted", ["identity", "br", ""])
def test_the_script_is_sent_as_it_is_to_a_client_that_does_not_accept_gzip(client, accepted):
    reply = client.get(PLOTLY_URL, headers={"accept-encoding": accepted})

    assert "content-encoding" not in reply.headers
    assert int(reply.headers["content-length"]) == PLOTLY_FILE.stat().st_size
    assert reply.content == PLOTLY_FILE.read_bytes()


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
def test_the_script_may_be_kept_for_ever_by_browsers_and_caches(client, accepted):
    reply = client.get(PLOTLY_URL, headers={"accept-encoding": accepted})

    assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert reply.headers["vary"] == "accept-encoding"
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_a_page_announces_the_script_besides_its_own_links(client):
    reply = client.get("/")

    assert reply.text == "<p>A page</p>"
    assert reply.headers.get_list("link") == ["<other.css>; rel=preload; as=style", LINK]


def test_a_page_of_the_api_announces_no_script(client):
    reply = client.get("/api/docs")

    assert reply.headers.get_list("link") == ["<other.css>; rel=preload; as=style"]


@pytest.mark.parametrize("path", ["/numbers", "/bare", "/missing", PLOTLY_URL])
def test_a_reply_that_is_no_page_announces_nothing(client, path):
    reply = client.get(path)

    assert "link" not in reply.headers


def test_a_socket_is_left_alone():
    accept = {"type": "websocket.accept", "headers": [(b"content-type", b"text/html")]}
    sent: list[Message] = []

    async def socket(scope: Scope, receive: Receive, send: Send) -> None:
        await send(accept)

    async def receive() -> Message:
        raise NotImplementedError

    async def send(message: Message) -> None:
        sent.append({**message, "headers": list(message["headers"])})

    asyncio.run(PreloadScript(socket, PLOTLY_URL)({"type": "websocket"}, receive, send))

    assert sent == [{"type": "websocket.accept", "headers": [(b"content-type", b"text/html")]}]


def test_the_address_of_the_script_names_the_version_that_the_file_is():
    first_lines = PLOTLY_FILE.read_text(encoding="utf-8")[:200]

    (version,) = re.findall(r"plotly\.js \(finance - minified\) v(\d+\.\d+\.\d+)\n", first_lines)
    assert PLOTLY_FILE.name == f"plotly-finance-{version}.min.js"
    assert f"{PLOTLY_PATH}?v={version}" == f"/{PLOTLY_URL}"
