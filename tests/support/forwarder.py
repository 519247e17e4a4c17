"""A forwarder between browser and server that can lose packets silently or answer like a proxy without its server."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PIECE = 65_536


class Forwarder:
    """Forwards each TCP connection to a port, as long as nothing else is asked of it."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._forwards = threading.Event()
        self._forwards.set()
        self._reply: bytes | None = None
        self.answered = 0
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open) // 2

    def forward(self) -> None:
        """Forward again, also what was held back."""
        self._reply = None
        self._forwards.set()

    def hold(self) -> None:
        """Keep all connections open and forward nothing."""
        self._forwards.clear()

    def answer(self, reply: bytes) -> None:
        """Cut all connections, and give this reply to each new one."""
        self._reply = reply
        self._cut()

    def close(self) -> None:
        """Cut all connections and accept no other."""
        self._listening.close()
        self._forwards.set()
        self._cut()

    def _cut(self) -> None:
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self._reply is not None:
                client.recv(_PIECE)
                client.sendall(self._reply)
                self.answered += 1
                return
            with socket.create_connection(("127.0.0.1", self._to)) as server:
                both = {client, server}
                self._open |= both
                back = threading.Thread(target=self._pump, args=[server, client], daemon=True)
                back.start()
                self._pump(client, server)
                back.join()
                self._open -= both

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                self._forwards.wait()
                target.sendall(piece)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def forwarder_to(port: int) -> Iterator[Forwarder]:
    """A forwarder to a port of this machine."""
    forwarder = Forwarder(port)
    try:
        yield forwarder
    finally:
        forwarder.close()
