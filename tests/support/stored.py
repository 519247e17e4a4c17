"""Appends ticks to a file and reads them."""

from datetime import UTC, datetime

from store.file.database import Database
from store.ledger import runs
from store.models import Miss, Run, Tick
from store.prices import ticks

EVER = (datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def append(database: Database, *new: Tick, wait_s: float = 5) -> set[tuple[str, datetime]]:
    """Append ticks under their own lease.

    Returns:
        The (index_name, ts) of the ticks that were stored.
    """
    with database.write(wait_s) as cursor:
        return ticks.append(cursor, new)


def stored(database: Database, index_name: str = "btc_usd") -> list[Tick]:
    """All ticks of an index, ascending."""
    with database.read() as cursor:
        return ticks.history(cursor, index_name, *EVER)


def missed(database: Database) -> list[Miss]:
    """All misses, as `runs.misses` has them."""
    with database.read() as cursor:
        return runs.misses(cursor, *EVER)


def noted(database: Database) -> list[Run]:
    """All runs, as `runs.runs` has them."""
    with database.read() as cursor:
        return runs.runs(cursor)
