"""The headers of each reply forbid a browser some uses of it."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from server.headers import SecurityHeaders
from tests.api.servers import serving


def plain(request: Request) -> Response:
    return PlainTextResponse("plain")


def kept(request: Request) -> Response:
    return PlainTextResponse("kept", headers={"cache-control": "public", "referrer-policy": "no-referrer"})


APP = Starlette(
    routes=[Route("/", plain), Route("/api/plain", plain), Route("/api/kept", kept), Route("/apiary", plain)],
    middleware=[Middleware(SecurityHeaders, api="/api")],
)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(APP) as address, httpx.Client(base_url=f"http://{address}") as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/api/plain", "/missing"])
def test_a_reply_may_only_be_used_by_pages_of_this_address_and_keeps_its_type(client, path):
    headers = client.get(path, headers={"origin": "http://evil.example"}).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "frame-ancestors 'self'"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("path", "kept"), [("/", None), ("/apiary", None), ("/api/plain", "no-store"), ("/api/missing", "no-store")]
)
def test_browsers_may_not_keep_replies_of_the_api(client, path, kept):
    assert client.get(path).headers.get("cache-control") == kept


def test_a_route_may_set_the_header_itself(client):
    headers = client.get("/api/kept").headers

    assert headers.get_list("cache-control") == ["public"]
    assert headers.get_list("referrer-policy") == ["no-referrer"]


def test_a_socket_is_left_alone():
    sent: list[Message] = []

    async def socket(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept", "headers": []})

    async def receive() -> Message:
        raise NotImplementedError

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(SecurityHeaders(socket, api="/api")({"type": "websocket", "path": "/"}, receive, send))

    assert sent == [{"type": "websocket.accept", "headers": []}]
