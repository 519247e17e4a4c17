"""The event loop that the exchange client runs in."""

import asyncio
import contextlib
import socket
import threading
from typing import Any


class Loop(asyncio.SelectorEventLoop):
    """A loop that can be closed during a name look-up: without a network one lasts 10 s, and nothing interrupts it."""

    async def getaddrinfo(self, *args: Any, **options: Any) -> list[Any]:
        found: asyncio.Future[list[Any]] = self.create_future()

        def settle(addresses: list[Any], error: OSError | None) -> None:
            if found.done():
                return
            if error is None:
                found.set_result(addresses)
            else:
                found.set_exception(error)

        def look_up() -> None:
            addresses: list[Any] = []
            failure = None
            try:
                addresses = socket.getaddrinfo(*args, **options)
            except OSError as error:
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                self.call_soon_threadsafe(settle, addresses, failure)

        threading.Thread(target=look_up, name="tickwell-lookup", daemon=True).start()
        return await found
