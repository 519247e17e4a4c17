"""The metrics of a headless recorder over HTTP, at /metrics only.

The module is imported only when METRICS_PORT is set: other recorders load no Prometheus client.
"""

import contextlib
import logging
import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any, Self
from urllib.parse import urlsplit

from settings import PREFIX, VERSION, Settings, SettingsError
from store.file.clock import exchange_now
from store.file.database import Database
from store.health.metrics import CONTENT_TYPE, as_text

log = logging.getLogger("tickwell.metrics")

PATH = "/metrics"

# The server closes a connection that is silent for longer.
_SLOW_S = 10.0

MOST_AT_ONCE = 8
"""The most connections at a time. Each has a thread, and strangers must not fill the recorder's memory with threads."""

# The oldest connection gets this long to end when a new connection needs its place.
_GIVES_WAY_WITHIN_S = 1.0

# How soon the accepting thread notices that it should end.
_LOOK_AGAIN_S = 0.1


class MetricsServer(socketserver.ThreadingTCPServer):
    """Serves the metrics of this process while the `with` block lasts, with a daemon thread for each connection.

    When all places are taken, the server closes the oldest connection for the new one: a scrape takes milliseconds, so
    the oldest client is slow or silent.

    Raises:
        SettingsError: the server can't listen on the address.
    """

    allow_reuse_address = True
    request_queue_size = 64  # beyond the default of 5, a client waits 1 s until its network tries again

    def __init__(
        self,
        settings: Settings,
        database: Database,
        address: tuple[str, int],
        *,
        slow_s: float = _SLOW_S,
        gives_way_within_s: float = _GIVES_WAY_WITHIN_S,
    ) -> None:
        self.settings, self.database = settings, database
        self.slow_s, self._gives_way_within_s = slow_s, gives_way_within_s
        self._open: dict[threading.Thread, socket.socket] = {}
        try:
            self.address_family = socket.getaddrinfo(*address)[0][0]
            super().__init__(address, _Handler)
        except OSError as error:
            host, port = address
            raise SettingsError(
                f"{PREFIX}METRICS_PORT: can't listen on {host}, port {port}: {error.strerror}"
            ) from error
        self._accepting = threading.Thread(
            target=self.serve_forever, args=(_LOOK_AGAIN_S,), name="tickwell-metrics", daemon=True
        )

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._accepting.join()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open = {thread: opened for thread, opened in self._open.items() if thread.is_alive()}
        if len(self._open) >= MOST_AT_ONCE and not self._oldest_ended():
            self.shutdown_request(request)
            return
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name="tickwell-metrics-reply",
            daemon=True,
        )
        self._open[thread] = request
        thread.start()

    def _oldest_ended(self) -> bool:
        """Close the oldest connection; return whether its thread ended."""
        thread, oldest = next(iter(self._open.items()))
        with contextlib.suppress(OSError):  # the client closed it meanwhile
            oldest.shutdown(socket.SHUT_RDWR)
        thread.join(self._gives_way_within_s)
        return not thread.is_alive()

    def handle_error(self, *_: object) -> None:
        """Log one line without a traceback: most often the client closed the connection."""
        error = sys.exception()
        log.warning("a scrape failed: %s: %s", type(error).__name__, error)


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer
    server_version = f"Tickwell/{VERSION}"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.slow_s)

    def do_GET(self) -> None:
        if urlsplit(self.path).path.removesuffix("/") != PATH:
            self.send_error(404, explain=f"The metrics are at {PATH}.")
            return
        text = as_text(self.server.database, self.server.settings, exchange_now(self.server.database.path))
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Log nothing: there may be a scrape each second."""
