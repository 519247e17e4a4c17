"""The event loop of the exchange client, and threads for work that would make it stand still.

The threads are our own daemon threads: asyncio's executor takes no work once the process ends, and its threads delay
that end until they are done.
"""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, TypeVar

log = logging.getLogger("tickwell.runner")

# A cancelled task ends within milliseconds.
_PATIENCE_S = 1.0

T = TypeVar("T")


class Loop(asyncio.SelectorEventLoop):
    """A loop that can be closed during a name look-up: without a network one lasts 10 s, and nothing interrupts it."""

    async def getaddrinfo(self, *args: Any, **options: Any) -> list[Any]:
        found, _ = _start(self, partial(socket.getaddrinfo, *args, **options), "tickwell-lookup")
        return await found


@contextlib.contextmanager
def opened_loop() -> Iterator[Loop]:
    """A loop that is closed in the end, within about a second: a task that does not end by then is left behind."""
    loop = Loop()
    try:
        yield loop
    finally:
        loop.run_until_complete(_end_others())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def left_if_cancelled(work: Awaitable[T], name: str) -> T:
    """What some work returns. A cancelled call cancels the work, but does not wait for its end: it may never end."""
    task = asyncio.ensure_future(work)
    task.set_name(name)
    try:
        await asyncio.wait([task])
    finally:
        task.cancel()
    return task.result()


async def _end_others() -> None:
    """Cancel all other tasks, and wait until they end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        _, left = await asyncio.wait(others, timeout=_PATIENCE_S)
        for task in left:
            log.warning("%s does not end, and is left behind", task.get_name())


async def in_thread(work: Callable[[], T], name: str) -> T:
    """What some blocking work returns. A cancelled call still waits until the work is done.

    Raises:
        asyncio.CancelledError: the call was cancelled, or the process ends, so that the work can't begin.
    """
    outcome, thread = _start(asyncio.get_running_loop(), work, name)
    try:
        return await outcome
    finally:
        if thread.ident is not None:
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
    try:
        thread.start()
    except RuntimeError as error:
        if "interpreter shutdown" not in str(error):
            raise
        outcome.cancel()  # the process ends, and Python 3.12 starts no thread then
    return outcome, thread
