"""A request that brings more than a route can use is refused, and its content is not kept."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Message, Receive, Scope, Send

from api.limits import LARGEST_BODY, LONGEST_URL, Limits
from tests.api.servers import serving

WHOLE_URL = "/api/length?" + "x" * (LONGEST_URL - len("/api/length"))


async def length(request: Request) -> Response:
    return JSONResponse(len(await request.body()))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server with one route, which answers with the length of the body."""
    inner = Starlette(routes=[Route("/length", length, methods=["GET", "POST"])])
    inner.add_middleware(Limits)
    with serving(Starlette(routes=[Mount("/api", inner)])) as address:
        yield int(address.partition(":")[2])


def answer(port: int, *pieces: bytes) -> tuple[int, str]:
    """Status and body of the reply to a request that is sent piece by piece, and after which the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        while more := connection.recv(65_536):
            received += more
    head, _, body = received.decode().partition("\r\n\r\n")
    return int(head.split()[1]), body


def request(headers: str = "", method: str = "POST", url: str = "/api/length") -> bytes:
    return f"{method} {url} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n".encode()


def chunk(size: int) -> bytes:
    return f"{size:x}\r\n".encode() + b"x" * size + b"\r\n"


CHUNKED = "Transfer-Encoding: chunked\r\n"
TOO_LARGE = (413, f'{{"detail":"the body is larger than {LARGEST_BODY} bytes"}}')


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_without_a_body_reaches_its_route(port, method):
    assert answer(port, request(method=method)) == (200, "0")


@pytest.mark.parametrize("size", [1, LARGEST_BODY])
def test_a_small_body_reaches_its_route_whole(port, size):
    assert answer(port, request(f"Content-Length: {size}\r\n"), b"x" * size) == (200, str(size))


def test_a_small_body_that_comes_in_pieces_reaches_its_route_whole(port):
    assert answer(port, request(CHUNKED), chunk(1000), chunk(500), b"0\r\n\r\n") == (200, "1500")


@pytest.mark.parametrize("size", [LARGEST_BODY + 1, 10**15])
def test_a_body_with_too_large_a_declared_length_is_refused_unread(port, size):
    assert answer(port, request(f"Content-Length: {size}\r\n")) == TOO_LARGE


def test_a_body_that_turns_out_too_large_is_refused_before_its_end(port):
    assert answer(port, request(CHUNKED), chunk(LARGEST_BODY), chunk(1)) == TOO_LARGE


@pytest.mark.parametrize(("more", "status"), [("", 200), ("x", 414)])
def test_an_address_is_taken_up_to_its_limit(port, more, status):
    found, body = answer(port, request(method="GET", url=WHOLE_URL + more))

    assert found == status
    assert body == ("0" if status == 200 else f'{{"detail":"the address is longer than {LONGEST_URL} bytes"}}')


def test_a_client_that_leaves_amid_its_body_leaves_the_route_with_what_there_was():
    coming: list[Message] = [{"type": "http.request", "body": b"abc", "more_body": True}, {"type": "http.disconnect"}]
    heard: list[Message] = []

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append(await receive())

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        raise NotImplementedError

    scope = {"type": "http", "raw_path": b"/", "query_string": b"", "headers": [(b"content-length", b"10")]}
    asyncio.run(Limits(route)(scope, receive, send))

    assert heard == [{"type": "http.request", "body": b"abc", "more_body": False}]


def test_an_event_that_is_no_request_passes_unchanged():
    heard: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append(scope)

    async def receive() -> Message:
        raise NotImplementedError

    async def send(message: Message) -> None:
        raise NotImplementedError

    asyncio.run(Limits(app)({"type": "lifespan"}, receive, send))

    assert heard == [{"type": "lifespan"}]
