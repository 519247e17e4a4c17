"""Ticks as they are put into a file, and as they are found in it."""

from datetime import UTC, datetime

from store.file.database import Database
from store.models import Tick
from store.prices import ticks

EVER = (datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def append(database: Database, *new: Tick, wait_s: float = 5) -> set[tuple[str, datetime]]:
    """Append ticks under a lease of their own.

    Returns:
        The (index_name, ts) that were stored.
    """
    with database.write(wait_s) as cursor:
        return ticks.append(cursor, new)


def stored(database: Database, index_name: str = "btc_usd") -> list[Tick]:
    """All ticks of an index, ascending."""
    with database.read() as cursor:
        return ticks.history(cursor, index_name, *EVER)
