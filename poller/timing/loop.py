"""The event loop of the exchange client, and threads for work that would make it stand still.

The threads are our own daemon threads: asyncio's executor takes no work once the process ends, and its threads delay
that end until they are done.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class Loop(asyncio.SelectorEventLoop):
    """A loop that can be closed during a name look-up: without a network one lasts 10 s, and nothing interrupts it."""

    async def getaddrinfo(self, *args: Any, **options: Any) -> list[Any]:
        found, _ = _start(self, partial(socket.getaddrinfo, *args, **options), "tickwell-lookup")
        return await found


async def in_thread(work: Callable[[], T], name: str) -> T:
    """What some blocking work returns. A cancelled call still waits until the work is done."""
    outcome, thread = _start(asyncio.get_running_loop(), work, name)
    try:
        return await outcome
    finally:
        thread.join()


def _start(
    loop: asyncio.AbstractEventLoop, work: Callable[[], T], name: str
) -> tuple[asyncio.Future[T], threading.Thread]:
    outcome: asyncio.Future[T] = loop.create_future()

    def hand_over(set_outcome: Callable[[Any], None], value: Any) -> None:
        if not outcome.done():
            set_outcome(value)

    def run() -> None:
        try:
            handing = partial(hand_over, outcome.set_result, work())
        except Exception as error:  # noqa: BLE001 the waiting caller raises it
            handing = partial(hand_over, outcome.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(handing)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return outcome, thread
