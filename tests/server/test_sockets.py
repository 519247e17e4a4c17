"""Replies are sent at once over every listening socket of the process."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web.server.starlette.starlette_server import _bind_socket
from websockets import http11
from websockets.sync.client import connect

import dashboard
from server.sockets import accept_long_cookies, answer_at_once
from tests.api.servers import serving


@contextmanager
def accepted(listening: socket.socket) -> Iterator[socket.socket]:
    """A connection that a server accepts from a listening socket."""
    with socket.create_connection(listening.getsockname()[:2]):
        listening.settimeout(5)
        connection, _ = listening.accept()
        with connection:
            yield connection


def waits(connection: socket.socket) -> bool:
    """Does it hold back a small part of a reply until the last part was acknowledged?"""
    return not connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.fixture(params=["127.0.0.1", "::1"])
def listening(request) -> Iterator[socket.socket]:
    """A socket as Streamlit binds it."""
    with _bind_socket(request.param, 0, 5) as listening:
        yield listening


def test_a_connection_to_streamlits_socket_waits_by_default(listening):
    with accepted(listening) as before:
        assert waits(before)

    answer_at_once()

    with accepted(listening) as after:
        assert not waits(after)


def test_the_servers_start_has_its_connections_answer_at_once(listening, monkeypatch, database_file):
    monkeypatch.setattr(dashboard, "configure_logging", lambda level: None)
    monkeypatch.setattr(PagesManager, "uses_pages_directory", False)
    monkeypatch.setenv("TICKWELL_DATABASE", str(database_file))
    monkeypatch.setenv("TICKWELL_POLLER", "external")

    async def start_and_end() -> None:
        async with dashboard.lifespan(dashboard.app):
            pass

    asyncio.run(start_and_end())

    with accepted(listening) as connection:
        assert not waits(connection)


def test_a_socket_may_bring_cookies_of_9_kb(monkeypatch):
    monkeypatch.setattr(http11, "MAX_LINE_LENGTH", 8_192)  # its own
    accept_long_cookies()

    cookies = f"reader={'x' * 9_000}"
    with (
        serving(Starlette(routes=[WebSocketRoute("/stream", tell_length)])) as address,
        connect(f"ws://{address}/stream", additional_headers={"cookie": cookies}) as opened,
    ):
        assert opened.recv(timeout=10) == str(len(cookies))


async def tell_length(opened: WebSocket) -> None:
    await opened.accept()
    await opened.send_text(str(len(opened.headers["cookie"])))
    await opened.close()


def test_other_sockets_and_files_are_left_alone(tmp_path):
    with ExitStack() as stack:
        connected, _ = (stack.enter_context(end) for end in socket.socketpair())
        datagrams = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        unbound = stack.enter_context(socket.socket())
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(str(tmp_path / "unix"))
        unix.listen()
        file = stack.enter_context((tmp_path / "file").open("w"))

        answer_at_once()

        assert waits(unbound)
        assert all(os.fstat(opened.fileno()) for opened in (connected, datagrams, unbound, unix, file))


def test_nothing_happens_where_open_files_are_not_listed(listening, monkeypatch):
    def refuse(_: Path) -> Iterator[Path]:
        raise FileNotFoundError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", refuse)
        answer_at_once()

    with accepted(listening) as connection:
        assert waits(connection)
