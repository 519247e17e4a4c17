"""An exchange on a plain socket, which sends what a test chooses."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from tests.poller.conftest import envelope

Streams = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


GOOD = json.dumps(envelope({"index_price": 1.5})).encode()


REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD


@contextlib.asynccontextmanager
async def listening(answer: Streams, **options: Any) -> AsyncIterator[int]:
    """The port of a server during the block; then its connections end."""
    tasks: list[asyncio.Task[None]] = []

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            await answer(reader, writer)

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(conversation(reader, writer))
        task.add_done_callback(lambda _: writer.close())
        tasks.append(task)

    server = await asyncio.start_server(begin, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
