"""The HTTP side of the simulator: a thread for each connection takes calls and faults and sends replies."""

import contextlib
import json
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from http.client import responses
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from settings import VERSION

from .bodies import Reply, html_reply
from .exchange import Exchange
from .faults import Fault, FaultError, Faults

SERVER_NAME = f"tickwell-simulator/{VERSION}"

BASE = "/api/v2"
FAULTS = "/faults"

# HTTP and WebSocket together, from one address: docs.deribit.com/articles/connection-management-best-practices,
# read 2026-09.
_MAX_CONNECTIONS = 32
_TOO_MANY_CONNECTIONS = Reply(429, b"Too many connections\n", "text/plain")

# stop() promises to take less than a second.
_LAST_REPLIES_S = 0.5


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Holds its port once it is made, and listens once it is activated. It knows its open connections.

    name: the Server header of its replies.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], exchange: Exchange, faults: Faults, *, limits: bool, name: str
    ) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler, bind_and_activate=False)
        self.exchange, self.faults, self.name = exchange, faults, name
        self._limits = limits
        self._changed = threading.Condition()
        self._connections: dict[socket.socket, bool] = {}
        try:
            self.server_bind()
        except OSError:
            self.server_close()
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._connections[request] = self._limits and len(self._connections) >= _MAX_CONNECTIONS
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close without the usual half-close, which would keep a reset from being sent."""
        with self._changed:
            request.close()
            self._connections.pop(request, None)
            self._changed.notify_all()

    def is_one_too_many(self, connection: socket.socket) -> bool:
        return self._connections.get(connection, False)

    def spare(self, connection: socket.socket) -> None:
        """Spare a connection when the others are cut: it brought the fault, and carries the reply."""
        with self._changed:
            self._connections.pop(connection, None)

    def cut_connections(self) -> None:
        """Cut all connections, and give their threads a moment to close them."""
        with self._changed:
            for connection in self._connections:
                # ENOTCONN: the other side closed first.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._connections, _LAST_REPLIES_S)


class _Handler(BaseHTTPRequestHandler):
    """One connection. Each reply is sent in one write, at once, unless a fault asks for something else."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    _hanging_up = False

    def handle(self) -> None:
        # The other side may leave at any time, and an outage cuts the connection.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def handle_one_request(self) -> None:
        if self._hanging_up:
            self.rfile.read(1)
            self.close_connection = True
            return
        super().handle_one_request()

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        if target.path == FAULTS:
            self._send_json(200, [fault.as_fields() for fault in self.server.faults.listing()])
        elif target.path.startswith(f"{BASE}/public/"):
            method, params = target.path.removeprefix(f"{BASE}/public/"), dict(parse_qsl(target.query))
            self._send_call(lambda exchange: exchange.call(method, params))
        else:
            self._send(html_reply(404))

    def do_POST(self) -> None:
        body = self._body()
        path = urlsplit(self.path).path
        if path == FAULTS:
            self._add_fault(body)
        elif path == BASE or path.startswith(f"{BASE}/public/"):
            self._send_call(lambda exchange: exchange.post(body))
        else:
            self._send(html_reply(404))

    def do_DELETE(self) -> None:
        if urlsplit(self.path).path != FAULTS:
            self._send(html_reply(404))
            return
        self.server.faults.clear()
        self._send_json(200, [])

    def version_string(self) -> str:
        return self.server.name

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name in http.server
        """Log nothing."""

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        return self.rfile.read(int(length)) if length.isdecimal() else b""

    def _add_fault(self, body: bytes) -> None:
        try:
            fault = Fault.from_json(body)
        except FaultError as error:
            self._send_json(400, {"error": str(error)})
            return
        if fault.kind == "outage":
            self.server.spare(self.connection)
            self.close_connection = True
        self.server.faults.add(fault)
        self._send_json(200, fault.as_fields())

    def _send_call(self, call: Callable[[Exchange], Reply]) -> None:
        if self.server.is_one_too_many(self.connection):
            self.close_connection = True
            self._send(_TOO_MANY_CONNECTIONS)
        else:
            self._send(call(self.server.exchange))

    def _send_json(self, status: int, content: object) -> None:
        self._send(Reply(status, json.dumps(content).encode()))

    def _send(self, reply: Reply) -> None:
        if reply.ending == "reset":
            # With a linger time of zero, closing sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        head = self._head(reply)
        self._hanging_up = reply.ending == "hang_up"
        self.close_connection |= reply.ending == "cut_off"
        for piece in reply.pieces(head, self.server.exchange.pause):
            self.wfile.write(piece)

    def _head(self, reply: Reply) -> bytes:
        headers = {
            "Server": self.version_string(),
            "Date": self.date_time_string(),
            "Content-Type": reply.content_type,
            "Content-Length": str(reply.length),
            "Cache-Control": "no-store",
            "Connection": "close" if self.close_connection else "keep-alive",
            **reply.headers,
        }
        lines = [f"HTTP/1.1 {reply.status} {responses.get(reply.status, '')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")
