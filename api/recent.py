"""An answer that many clients ask for and that may be a second old."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool


class Recent:
    """The answer to one question, read again once it is a second old.

    All requests that come during a read wait for that read, and hold no thread meanwhile. So nobody can use up the
    leases or the threads by asking often.

    An answer counts for `kept_s` seconds. Health counts in whole slots, and no slot is shorter than 1 s.
    """

    def __init__(self, kept_s: float = 1.0) -> None:
        self._kept_s = kept_s
        self._reading = asyncio.Lock()
        self._good_until = -math.inf
        self._answer: dict[str, Any] = {}

    async def get(self, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The answer that `read` gave in a thread, now or within the last `kept_s`."""
        async with self._reading:
            if time.monotonic() >= self._good_until:
                self._answer = await run_in_threadpool(read)
                self._good_until = time.monotonic() + self._kept_s
            return self._answer
