"""What the tests of the poller share: a clock to move, a server to script, JSON as the exchange sends it."""

import contextlib
import json
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

RECORDED = Path(__file__).parents[1] / "fixtures/deribit"
NOW = datetime(2026, 9, 20, 21, 17, 16, 123456, tzinfo=UTC)
NOW_US = 1789939036123456

Answer = Callable[[str], bytes | Iterable[bytes]]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def steady(self) -> float:
        """Seconds that pass with this clock."""
        return (self.now - NOW).total_seconds()


class MovedClock:
    """The clock of the machine, moved by some seconds."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)

    def slot_in(self, seconds: float, period_s: int) -> None:
        """Move it so that a slot begins in `seconds`."""
        self.ahead_s += (-self().timestamp() - seconds) % period_s


def recorded(name: str) -> Any:
    """A recorded reply of the exchange, or its result."""
    return json.loads((RECORDED / f"{name}.json").read_text())


def envelope(result: Any, **more: Any) -> dict[str, Any]:
    """A whole reply with a result, sent at NOW."""
    return {"jsonrpc": "2.0", "result": result, "usIn": NOW_US - 131, "usOut": NOW_US, "usDiff": 131, **more}


def refusal(code: Any, message: str = "words", **more: Any) -> dict[str, Any]:
    """A whole reply with a JSON-RPC error."""
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message, **more}, "usOut": NOW_US, "testnet": False}


def price_reply(price: float = 100.0, sent_at: datetime = NOW) -> bytes:
    return reply({"index_price": price}, sent_at)


def reply(result: Any, sent_at: datetime = NOW, **more: Any) -> bytes:
    """A whole HTTP response with a result, sent at a time."""
    return http(json.dumps(envelope(result, **more) | {"usOut": us_of(sent_at)}).encode())


def us_of(at: datetime) -> int:
    """A time as the exchange writes it in its replies."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """An HTTP response after which the connection closes."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


class ScriptedServer(socketserver.ThreadingTCPServer):
    """Answers each request with the bytes, or their parts, that a function makes of its target, then closes."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.answer = answer
        self.targets: list[str] = []
        self.at_once = self.most_at_once = 0
        self.counting = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/api/v2"


class _Conversation(socketserver.StreamRequestHandler):
    server: ScriptedServer

    def handle(self) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            if not (line := self.rfile.readline()):
                return
            request += line
        server, target = self.server, request.split()[1].decode()
        with server.counting:
            server.targets.append(target)
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        reply = server.answer(target)
        with server.counting:
            server.at_once -= 1
        with contextlib.suppress(ConnectionError):  # the client gave up
            for part in (reply,) if isinstance(reply, bytes) else reply:
                self.connection.sendall(part)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], ScriptedServer]]:
    """Start servers that answer by a function; they end with the test."""
    with ExitStack() as stack:

        def start(answer: Answer) -> ScriptedServer:
            server = stack.enter_context(ScriptedServer(answer))
            thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return server

        yield start
