"""Made-up snapshots of futures, and recordings of them with a gap, for tests."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from store.file.database import Cursor, Database
from store.file.exchange import admit
from store.ledger import arrivals, runs
from store.ledger.gaps import advance
from store.models import Cause, Exchange, Miss, Run, Snapshot
from tests.store.histories import at

FEED = "futures/BTC"
NAMES = ("BTC-25DEC26", "BTC-PERPETUAL")
EXPIRY = datetime(2026, 12, 25, 8, tzinfo=UTC)
ASKED = timedelta(seconds=1.6)


def snapshot(second: float, *names: str) -> Snapshot:
    """A snapshot that was asked for in the slot of a second after START."""
    rows = tuple(
        (name, None if name.endswith("PERPETUAL") else EXPIRY, 100.0, 99.0, 101.0, 100.5, 5e6, 2.0, 200.0, None, None)
        for name in names or NAMES
    )
    return Snapshot(FEED, at(second) + ASKED, at(second) + 2 * ASKED, rows)


def record(
    database: Database,
    slots: Iterable[int],
    missing: Iterable[int],
    period_s: int,
    feed: str = FEED,
    *,
    simulated: bool = False,
) -> datetime:
    """Store a run with snapshots and misses in its slots, perhaps into a file of the simulator, and note its gaps.

    Returns:
        When it ended.
    """
    slots, missing = list(slots), set(missing)
    end = at(slots[-1] + period_s)
    with database.write() as cursor:
        admit(cursor, Exchange.SIMULATOR if simulated else None, end)
        runs.note(cursor, Run(at(slots[0]), {feed: period_s}, "1", end))
        arrivals.append(cursor, [snapshot(slot) for slot in slots if slot not in missing])
        runs.append_misses(
            cursor, [Miss(at(slot), feed, Cause.UNREACHABLE, "connection refused") for slot in sorted(missing)]
        )
    advance(database, end, end, 1, timedelta(0))
    return end


def stored(cursor: Cursor) -> list[tuple[Any, ...]]:
    """All rows of futures, by time and name."""
    return cursor.execute("SELECT * FROM futures ORDER BY ts, instrument_name").fetchall()
