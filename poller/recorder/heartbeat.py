"""The heartbeat: it calls an outside service, which alerts people when the recorder or the whole machine is down."""

import asyncio
import logging

from pydantic import SecretStr

from poller.network.http_client import FAILURES, http_client

log = logging.getLogger("tickwell.alerts")

_TIMEOUT_S = 10.0


class Heartbeat:
    """Calls an address, which is a secret. The calls run in the loop that polls, so a recorder that hangs is silent."""

    def __init__(self, url: SecretStr, *, timeout_s: float = _TIMEOUT_S) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._http = http_client(url.get_secret_value())
        self._task: asyncio.Task[None] | None = None
        self._lost = False

    def begin(self) -> asyncio.Task[None]:
        """Start a call in the running loop and return its task; while a call is under way, return that task."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._beat())
        return self._task

    async def aclose(self) -> None:
        """Cancel the call under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._http.aclose()

    async def _beat(self) -> None:
        trouble = await self._call()
        if trouble and not self._lost:
            log.warning("the heartbeat doesn't get through: %s", trouble)
        elif self._lost and not trouble:
            log.info("the heartbeat gets through again")
        self._lost = bool(trouble)

    async def _call(self) -> str:
        """Call the address once; return why that failed, or nothing."""
        try:
            async with asyncio.timeout(self._timeout_s):
                async with self._http.stream("GET", self._url.get_secret_value()) as reply:
                    async for _ in reply.aiter_raw():
                        pass  # the reply may have any length
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except FAILURES as error:
            return type(error).__name__  # the error's text may contain the address
        return "" if reply.is_success else f"answered {reply.status_code}"
