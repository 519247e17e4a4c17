"""Requests that outlive their caller: a new connection is worth more than the slot that asked for it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from .request import Way

MOST = 4
"""At most this many requests outlive their callers, and at most one for the same question."""

T = TypeVar("T")


class Outliving:
    """Runs requests, each in a task of its own.

    A caller gives up when its slot is over. That ends a request over a kept connection. A request that makes a new
    connection goes on instead, and its reply is ignored: the next slot finds the connection. At a round trip of 400 ms
    a connection and its first reply take 1.2 s, longer than a slot of 1 s.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._left: dict[str, asyncio.Task[Any]] = {}

    async def run(self, asked: str, way: Way, request: Coroutine[Any, Any, T]) -> T:
        """What the request returns; `way` says whether it makes a connection."""
        task = asyncio.create_task(request, name=asked)
        self._running.add(task)
        task.add_done_callback(self._ended)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            if way.new and asked not in self._left and len(self._left) < MOST:
                self._leave(asked, task)
            else:
                task.cancel()
            raise
        return task.result()

    async def aclose(self) -> None:
        """End all running requests."""
        running = set(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _leave(self, asked: str, task: asyncio.Task[Any]) -> None:
        self._left[asked] = task
        task.add_done_callback(lambda _: self._left.pop(asked))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # otherwise asyncio logs that nobody retrieved it
