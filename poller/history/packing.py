"""Sorts the option rows of past days by contract while no slot needs the database."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from poller.timing.loop import in_thread
from poller.timing.quiet import Quiet
from store.errors import StoreError
from store.file.database import Database
from store.market import packing

log = logging.getLogger("tickwell.recorder")

_STORE_WAIT_S = 5.0


class Packing:
    """Packs the chains of days that are over, one transaction at a time.

    Args:
        database: has the chains.
        quiet: gives time in which a write delays no slot.
        checkpoint: folds the write-ahead log into the file when that is due.
        most_rows: one transaction sorts at most about this many rows.
    """

    def __init__(
        self,
        database: Database,
        *,
        quiet: Quiet,
        checkpoint: Callable[[], Awaitable[None]],
        most_rows: int = packing.MOST_ROWS,
    ) -> None:
        self._database, self._quiet, self._checkpoint, self._most_rows = database, quiet, checkpoint, most_rows

    async def pack(self, until: datetime) -> None:
        """Pack all days that were over at `until`, before which all replies are stored. A failure ends this round."""
        try:
            while await self._packed_some(until):
                await self._checkpoint()
        except StoreError as error:
            log.warning("option rows of past days are sorted later: %s", error)

    async def _packed_some(self, until: datetime) -> bool:
        async with self._quiet():
            return await in_thread(partial(self._pack_some, until), "tickwell-packing")

    def _pack_some(self, until: datetime) -> bool:
        """Pack the oldest chains; return whether there were any."""
        with self._database.write(_STORE_WAIT_S) as cursor:
            chains = packing.next_chains(cursor, until, self._most_rows)
            if chains is not None:
                packing.pack(cursor, chains)
        return chains is not None
