"""Sockets are for pages of this address, and for readers who have not signed out."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_connection

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from server.page_sockets import PageSockets
from tests.api.servers import serving
from tests.conftest import wait_until

ALLOWED = "https://allowed.example"
ENDED: list[str] = []


async def page(socket: WebSocket) -> None:
    """Answers each message with the identity that the socket was opened with."""
    await socket.accept()
    reader = socket.cookies.get("_streamlit_user", "nobody")
    try:
        while True:
            await socket.receive_text()
            await socket.send_text(reader)
    except WebSocketDisconnect:
        pass
    finally:
        ENDED.append(reader)


def sign_out(request: Request) -> Response:
    return PlainTextResponse("signed out")


@pytest.fixture
def address() -> Iterator[str]:
    """The address of a server with sockets of pages, without its scheme."""
    app = Starlette(
        routes=[WebSocketRoute("/stream", page), Route("/auth/logout", sign_out), Route("/page", sign_out)],
        middleware=[Middleware(PageSockets, origins=[ALLOWED])],
    )
    ENDED.clear()
    with serving(app) as address:
        yield address


def opened(address: str, reader: str | None = None, origin: str | None = None) -> ClientConnection:
    headers = {} if reader is None else {"cookie": f"other=1; _streamlit_user={reader}"}
    return connect(f"ws://{address}/stream", additional_headers=headers, origin=origin)  # type: ignore[arg-type]


def told(socket: ClientConnection) -> str:
    socket.send("who am I?")
    return str(socket.recv(timeout=10))


def leave(address: str, reader: str | None) -> None:
    cookies = {} if reader is None else {"_streamlit_user": reader}
    assert httpx.get(f"http://{address}/auth/logout", cookies=cookies).text == "signed out"


@contextmanager
def closed() -> Iterator[None]:
    with pytest.raises(ConnectionClosed) as ending:
        yield
    assert ending.value.rcvd is not None
    assert ending.value.rcvd.code == 1008


@pytest.mark.parametrize("origin", [None, "same", ALLOWED])
@pytest.mark.parametrize("reader", [None, "reader"])
def test_a_socket_is_opened_by_a_page_of_the_same_address_or_of_an_allowed_one_or_by_a_program(address, origin, reader):
    with opened(address, reader, f"http://{address}" if origin == "same" else origin) as socket:
        assert told(socket) == (reader or "nobody")


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "http://127.0.0.1", "https://evil.example", "null", "http://["]
)
def test_a_socket_of_another_address_is_refused(address, origin):
    with pytest.raises(InvalidStatus) as refused:
        opened(address, "reader", origin)

    assert refused.value.response.status_code == 403
    assert ENDED == []


def test_the_log_says_once_what_a_proxy_must_pass_on(address, caplog):
    host, _, port = address.partition(":")
    for _ in range(2):
        with pytest.raises(InvalidStatus), create_connection((host, int(port))) as connection:
            connect(f"ws://{host}/stream", sock=connection, origin=Origin(f"http://{address}"))

    (line,) = [record.getMessage() for record in caplog.records if record.name == "tickwell.server"]
    assert line.startswith(f"the socket of a page was refused: Origin = 'http://{address}', Host = '{host}': ")
    assert "a proxy in between must pass Host on with its port" in line


def test_the_log_says_that_a_proxy_must_pass_websockets_on(address, caplog):
    httpx.get(f"http://{address}/_stcore/stream")

    (line,) = [record.getMessage() for record in caplog.records if record.name == "tickwell.server"]
    assert line.startswith("a page asked for its socket by plain HTTP: a proxy in between must pass WebSockets on, ")


def test_signing_out_ends_all_sockets_of_the_reader_and_of_no_other(address):
    with opened(address, "first") as one, opened(address, "first") as two, opened(address, "second") as other:
        for socket in (one, two, other):
            told(socket)

        leave(address, "first")

        for socket in (one, two):
            with closed():
                socket.recv(timeout=10)
        assert ENDED == ["first", "first"]
        assert told(other) == "second"


def test_after_signing_out_the_cookie_opens_only_anonymous_sockets(address):
    leave(address, "first")

    with opened(address, "first") as socket, opened(address, "second") as other:
        assert told(socket) == "nobody"
        assert told(other) == "second"


def test_signing_out_without_being_signed_in_has_no_effect(address):
    with opened(address) as socket, opened(address, "reader") as other:
        leave(address, None)

        assert told(socket) == "nobody"
        assert told(other) == "reader"


def test_a_request_to_another_address_than_sign_out_ends_no_socket(address):
    with opened(address, "reader") as socket:
        httpx.get(f"http://{address}/page", cookies={"_streamlit_user": "reader"})

        assert told(socket) == "reader"


def test_a_closed_socket_is_forgotten(address):
    with opened(address, "reader") as one, opened(address, "reader") as two:
        told(one)
        told(two)
    wait_until(lambda: len(ENDED) == 2)

    leave(address, "reader")

    assert ENDED == ["reader", "reader"]


def test_a_server_that_stops_ends_sockets_in_its_own_way():
    started = asyncio.Event()

    async def socket(scope: Scope, receive: Receive, send: Send) -> None:
        started.set()
        await asyncio.Event().wait()

    async def receive() -> Message:
        raise NotImplementedError

    async def send(message: Message) -> None:
        raise NotImplementedError

    async def stopped() -> None:
        scope = {"type": "websocket", "headers": [(b"cookie", b"_streamlit_user=reader")]}
        task = asyncio.ensure_future(PageSockets(socket)(scope, receive, send))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stopped())
