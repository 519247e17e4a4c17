"""Forwards connections to a port and prints when each request came: `python -m tests.support.arrivals <port>`.

It is a process of its own with nothing else to do. In the simulator's process a request that comes while a reply is
made would count late.
"""

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Self
from urllib.parse import urlsplit

from tests.conftest import Program

_PIECE = 65_536

Note = Callable[[bytes], object]


class Arrivals:
    """The requests that come to an address of this machine, which is asked at `url`; `with` ends the forwarding.

    Attributes:
        url: the same address at another port.
        at_s: when each request came, in seconds of the steady clock; complete once the block has ended.
    """

    def __init__(self, url: str) -> None:
        exchange = urlsplit(url)
        self._program = Program("tests.support.arrivals", str(exchange.port))
        assert self._program.process.stdout is not None
        self._said = self._program.process.stdout
        self.url = exchange._replace(netloc=f"127.0.0.1:{self._said.readline().strip()}").geturl()
        self.at_s: list[float] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._program.process.kill()
        self._listener.join()
        self._program.__exit__()

    def _listen(self) -> None:
        self.at_s.extend(map(float, self._said))

    @property
    def most(self) -> int:
        """The most requests that came in any second."""
        found, first = 0, 0
        for number, at_s in enumerate(self.at_s):
            while self.at_s[first] <= at_s - 1:
                first += 1
            found = max(found, number - first + 1)
        return found


async def _forward(port: int) -> None:
    server = await asyncio.start_server(partial(_serve, port), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _serve(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    its_reader, its_writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(_pump(reader, its_writer, _note), _pump(its_reader, writer, bytes))


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter, note: Note) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await source.read(_PIECE):
            note(piece)
            target.write(piece)
            await target.drain()
    target.close()


def _note(piece: bytes) -> None:
    if piece.startswith(b"GET "):
        print(time.monotonic(), flush=True)


if __name__ == "__main__":
    asyncio.run(_forward(int(sys.argv[1])))
