"""Runs the self-checks of the market while no slot needs the database, and tells which turned bad or good."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from poller.timing.guard import guarded
from poller.timing.loop import in_thread
from poller.timing.quiet import Quiet
from store.errors import StoreError
from store.file.database import Database
from store.health import checks
from store.health.checks import Stretch

log = logging.getLogger("tickwell.recorder")

_STORE_WAIT_S = 5.0


class Checking:
    """Checks what the market brought since the last time.

    Args:
        database: has the market.
        clock: the recorder's clock.
        quiet: gives time in which a write of 0.1 s delays no slot.
        each_s: the seconds between two times.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime],
        quiet: Quiet,
        each_s: float,
    ) -> None:
        self._database, self._clock, self._quiet, self._each_s = database, clock, quiet, each_s

    async def run(self) -> None:
        """Check without end. What a failure leaves out is checked the next time."""
        while True:
            await asyncio.sleep(self._each_s)
            with guarded("checks"):
                await self.check()

    async def check(self) -> None:
        """Check once."""
        try:
            async with self._quiet():
                turned = await in_thread(self._check, "tickwell-checks")
        except StoreError as error:
            log.warning("self-checks come later: %s", error)
        else:
            _tell(turned)

    def _check(self) -> list[Stretch]:
        with self._database.read(_STORE_WAIT_S) as cursor:
            results = checks.due(cursor, self._clock())
        if not results:
            return []
        with self._database.write(_STORE_WAIT_S) as cursor:
            return checks.note(cursor, results)


def _tell(turned: Iterable[Stretch]) -> None:
    for stretch in turned:
        if stretch.state == "ok":
            log.info("check is good again: %s", stretch.words)
        else:
            log.warning("check is bad: %s", stretch.words)
