"""Stores what the exchange's history has of a feed, and notes what became of the feed's gaps."""

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from poller.exchange.client import DeribitClient
from store.errors import StoreError
from store.file.database import Cursor, Database
from store.file.exchange import admit
from store.instants import EPOCH, FOR_EVER
from store.ledger.heal import heal
from store.ledger.healed import Hopeless
from store.models import Exchange, Gap, GapState, Source

# Less than a slot's own append waits, because that append reports who holds the file.
STORE_WAIT_S = 0.2

T = TypeVar("T")


class Storing:
    """Writes history through leases that disturb no slot.

    Args:
        client: knows whose history it is.
        database: with its tables.
        clock: of the client.
        states: of the gaps to heal.
    """

    def __init__(
        self, client: DeribitClient, database: Database, clock: Callable[[], datetime], states: Sequence[GapState]
    ) -> None:
        self._client, self._database, self._clock, self._states = client, database, clock, states

    def store(
        self,
        feed: str,
        append: Callable[[Cursor, Source], int],
        lost: Hopeless,
        *,
        start: datetime = EPOCH,
        end: datetime = FOR_EVER,
    ) -> tuple[int, list[Gap]]:
        """Store history of a feed, and heal its gaps that begin in [start, end).

        Args:
            feed: its name.
            append: stores the history with a source; returns how many rows were new.
            lost: decides whether the rest of a gap is unfillable.
            start: aware.
            end: aware.

        Returns:
            How many rows were new, and what became of gaps, piece by piece.
        """
        now, states = self._clock(), self._states
        with self._database.write(STORE_WAIT_S) as cursor:
            stored = self._append(cursor, append)
            healed, go_on = heal(cursor, feed, now, hopeless=lost, states=states, start=start)
        while go_on is not None and go_on < end:
            with self._database.write(STORE_WAIT_S) as cursor:
                more, go_on = heal(cursor, feed, now, hopeless=lost, states=states, start=go_on)
            healed += more
        self.checkpoint()
        return stored, healed

    def append(self, append: Callable[[Cursor, Source], object]) -> None:
        """Store history that heals no gap. `append` stores it with a source."""
        with self._database.write(STORE_WAIT_S) as cursor:
            self._append(cursor, append)
        self.checkpoint()

    def _append(self, cursor: Cursor, append: Callable[[Cursor, Source], T]) -> T:
        exchange = self._client.exchange
        admit(cursor, exchange, self._clock())
        return append(cursor, "simulator" if exchange is Exchange.SIMULATOR else "chart")

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file when that is due: until then each opening of the file reads it."""
        with contextlib.suppress(StoreError):
            self._database.checkpoint_when_due(STORE_WAIT_S)
