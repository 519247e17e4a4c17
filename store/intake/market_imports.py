"""Import of an exported market: its rows are stored in batches, a lease each, and gaps that they fill are healed."""

from dataclasses import dataclass

from store.file.database import Database
from store.kinds import Kind
from store.progress import TellWhat

from . import import_log
from .look import Look
from .market.batches import batches
from .market.checking import MarketFile
from .market.storing import Done, store
from .reopening import heal_all, reopen
from .rows.work import STAYS_S


@dataclass(frozen=True, slots=True)
class ImportedMarket:
    """What became of a file with the rows of a market.

    Attributes:
        kind: of its rows.
        done: what became of them.
        days: how many candles of a day were left out.
        healed: how many gaps, or pieces of gaps, the new rows healed.
    """

    kind: Kind
    done: Done
    days: int
    healed: int


def look_of(file: MarketFile) -> Look:
    """What was found out about a file."""
    return Look(file.path, file.form, file.words, None, (), 0)


def import_market(database: Database, file: MarketFile, tell: TellWhat, at_once: int) -> ImportedMarket:
    """Store what is new of a checked file, and heal gaps with it. Call it while the database is held.

    Args:
        database: an object that nobody else uses.
        file: of the exchange of the database.
        tell: called with the progress.
        at_once: how many rows to store under one lease.
    """
    done, seen = Done(), 0
    with database.write(STAYS_S) as cursor:
        import_id = import_log.begin(cursor, file.path)
    for batch in batches(file, database.memory_limit, at_once):
        with database.write(STAYS_S) as cursor:
            its = store(cursor, file.kind, batch, import_id)
            import_log.count(cursor, import_id, its.stored, its.known + its.cut, 0)
        database.checkpoint_when_due(STAYS_S)
        done = done.plus(its)
        seen += sum(len(group.rows) for group in batch)
        tell(f"importing {file.path.name}", seen, file.rows)
    for feed, (first, last) in file.feeds.items():
        reopen(database, feed, first, last)  # trades that healed a gap may have given way to snapshots
    healed = heal_all(database, file.feeds)
    with database.write(STAYS_S) as cursor:
        import_log.finish(cursor, import_id)
    return ImportedMarket(file.kind, done, file.days, healed)
