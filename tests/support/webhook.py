"""A receiver of alerts: a real server on a local port that keeps its messages, or misbehaves."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

SECRET = "hooks/T0pS3cret"
"""The path of its address. Many services have a token there."""

Manner = Literal["accept", "refuse", "hang", "drop", "trickle"]


class Webhook:
    """Takes JSON by POST during the `with` block.

    Attributes:
        messages: the bodies that it accepted, in order; `times` has the times by time.monotonic.
        calls: the method and path of each request, accepted or not.
        manner: what it does with the next request: accept it; refuse it with 500; hang without an answer; drop the
            connection; trickle an answer that never ends. What hangs goes on hanging until the block ends.
        delay_s: how long it takes to accept one.
    """

    def __init__(self, manner: Manner = "accept", *, delay_s: float = 0) -> None:
        self.manner: Manner = manner
        self.delay_s = delay_s
        self.messages: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.calls: list[tuple[str, str]] = []
        self.over = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        """The address in the form that apprise takes."""
        return f"json://user:Passw0rd@127.0.0.1:{self.port}/{SECRET}?-key=Qu3ryT0ken"

    @property
    def url(self) -> str:
        """The address in the form that a browser takes."""
        return f"http://127.0.0.1:{self.port}/{SECRET}"

    @property
    def idle(self) -> bool:
        """Has it accepted every message so far?"""
        return len(self.messages) == len(self.calls)

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]

    @property
    def texts(self) -> list[str]:
        """The first line of each message."""
        return [message["message"].partition("\n")[0] for message in self.messages]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, webhook: Webhook) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.webhook = webhook

    def handle_error(self, *_: object) -> None:
        """Log nothing: the client may disconnect at any time."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        webhook = self.server.webhook
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            return  # the sender was killed meanwhile
        webhook.calls.append((self.command, self.path))
        match webhook.manner:
            case "refuse":
                self.send_error(500)
            case "hang":
                webhook.over.wait(60)
            case "drop":
                self.connection.close()
            case "trickle":
                self._trickle()
            case "accept":
                webhook.over.wait(webhook.delay_s)
                webhook.messages.append(json.loads(body) if body else {})
                webhook.times.append(time.monotonic())
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

    do_GET = do_POST  # noqa: N815 the name is http.server's

    def _trickle(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.server.webhook.over.wait(0.05):
            self.wfile.write(b".")

    def log_message(self, *_: object) -> None:
        """Log nothing."""
