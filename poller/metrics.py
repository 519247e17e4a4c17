"""What METRICS_PORT asks for: a headless recorder's metrics over HTTP, at /metrics and nowhere else.

It is imported only then: a recorder that nobody scrapes loads no Prometheus client.
"""

import logging
import socket
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler
from typing import Self
from urllib.parse import urlsplit

from settings import PREFIX, VERSION, Settings, SettingsError
from store import Database, utc_now
from store.metrics import CONTENT_TYPE, as_text

log = logging.getLogger("tickwell.metrics")

PATH = "/metrics"

# Whoever takes longer to say what he wants is hung up on, so that no threads pile up.
_SLOW_S = 10.0

# How soon the accepting thread notices that it should end.
_LOOK_AGAIN_S = 0.1


class MetricsServer(socketserver.ThreadingTCPServer):
    """Serves the metrics of this process as long as the `with` block lasts, a daemon thread for each request.

    Raises:
        SettingsError: the address can't be listened on.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, settings: Settings, database: Database, address: tuple[str, int]) -> None:
        self.settings, self.database = settings, database
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

    def handle_error(self, *_: object) -> None:
        """One line: most often somebody hung up."""
        error = sys.exception()
        log.warning("a scrape failed: %s: %s", type(error).__name__, error)


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer
    timeout = _SLOW_S
    server_version = f"Tickwell/{VERSION}"
    sys_version = ""

    def do_GET(self) -> None:
        if urlsplit(self.path).path != PATH:
            self.send_error(404, explain=f"The metrics are at {PATH}.")
            return
        text = as_text(self.server.database, self.server.settings, utc_now())
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """A scrape each second is no news."""
