"""The whole simulator: its address, its start and stop, its outages."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from store.models import Exchange as Origin

from .connections import BASE, FAULTS, SERVER_NAME, Server
from .exchange import Bucket, Exchange
from .faults import Faults

# A Server header that says nothing about the origin of prices: the exchange's own header is not documented.
_SERVER_OF_OTHERS = "nginx"

# How soon the accepting thread notices that it must end.
_LOOK_AGAIN_S = 0.02


def utc_now() -> datetime:
    return datetime.now(UTC)


class Simulator:
    """A simulated exchange on a port of this machine.

    Its prices come from `price` at the second of each reply's `usOut`. Every reply carries the header
    `server: tickwell-simulator/…`, so that a client does not take it for a real one. Only `poses_as` changes that.

    Args:
        host: to listen on.
        port: 0 for a free one, known after the start.
        seed: of the prices.
        clock: gives the present, aware. Faults and limits run on a clock of their own.
        limits: keep the exchange's limits: 100 requests at once and 20 a second, and 32 connections.
        poses_as: the exchange that replies claim to come from, for tests. Posing changes the header.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 1,
        clock: Callable[[], datetime] = utc_now,
        *,
        limits: bool = True,
        poses_as: Origin = Origin.SIMULATOR,
    ) -> None:
        self.host, self.port = host, port
        self.faults = Faults(on_outage=self._begin_outage)
        self._limits = limits
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        bucket = Bucket() if limits else None
        self._name = SERVER_NAME if poses_as is Origin.SIMULATOR else _SERVER_OF_OTHERS
        self._exchange = Exchange(
            self.faults,
            seed=seed,
            clock=clock,
            bucket=bucket,
            pause=self._stopped.wait,
            testnet=poses_as is Origin.TEST,
        )
        self._server: Server | None = None
        self._accepting: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base address; a client adds "/public/" and a method."""
        return f"{self._origin}{BASE}"

    @property
    def faults_url(self) -> str:
        """Takes POST with a fault as JSON, GET for the list, DELETE to end all faults."""
        return f"{self._origin}{FAULTS}"

    @property
    def _origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Listen, in threads of its own. A second start has no effect. A stopped simulator keeps its port.

        Raises:
            OSError: the port can't be used.
        """
        with self._lock:
            if self._server is None:
                self._stopped.clear()
                self._bind()
                self._listen()

    def stop(self) -> None:
        """Close the port and all connections, end all faults. Takes less than a second; may be repeated."""
        self._stopped.set()
        with self._lock:
            self._close()
        self.faults.clear()

    def serve_forever(self) -> None:
        """Start if needed and return once another thread stops it. Ctrl-C stops it too, and is raised again."""
        self.start()
        try:
            self._stopped.wait()
        finally:
            self.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _bind(self) -> None:
        """Hold the port without listening: connections are refused, and no other process can take the port."""
        self._server = Server((self.host, self.port), self._exchange, self.faults, limits=self._limits, name=self._name)
        self.port = self._server.server_address[1]

    def _listen(self) -> None:
        assert self._server is not None, "bound before"  # noqa: S101 only our own mistake can break it
        self._server.server_activate()
        self._accepting = threading.Thread(
            target=self._server.serve_forever, args=(_LOOK_AGAIN_S,), name="simulator", daemon=True
        )
        self._accepting.start()

    def _close(self) -> None:
        if self._server is None:
            return
        if self._accepting is not None:
            self._server.shutdown()
            self._accepting.join()
        self._server.server_close()
        self._server.cut_connections()
        self._server = self._accepting = None

    def _begin_outage(self) -> None:
        with self._lock:
            if self._accepting is None:
                return
            self._close()
            self._bind()
        threading.Thread(target=self._end_outage, name="simulator-outage", daemon=True).start()

    def _end_outage(self) -> None:
        self.faults.wait_until_over("outage")
        with self._lock:
            if self._server is not None and self._accepting is None:
                self._listen()
