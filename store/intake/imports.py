"""Import: prices from files of others, stored as ticks with `source` import, and folded into candles along the way.

Rows go in by portions, a lease each, so recording goes on meanwhile. What is there already is left as it is: an import
that was interrupted is just done again.
"""

import contextlib
import glob
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from store.errors import FileError, ForeignExchangeError
from store.file.database import Database
from store.file.disk import in_one_line
from store.file.exchange import admit
from store.file.locks import alone, beside
from store.instants import EPOCH
from store.ledger import gaps
from store.ledger.heal import heal
from store.models import Exchange, GapState, from_column, utc_now
from store.prices import candles
from store.progress import TellWhat

from . import import_log
from .foreign import Columns
from .portions import STAYS_S, Count, store_portion
from .reopening import reopen
from .staging import Limits, Ready, ready

# An average heals a slot that is nearer to its time than it is long.
_GAVE_WAY = """
SELECT
    index_name,
    min(ts - to_seconds(resolution_s)),
    max(ts + 2 * to_seconds(resolution_s))
FROM overruled
WHERE import_id = $import_id
GROUP BY index_name
"""

_UNHEALED: tuple[GapState, ...] = ("open", "unfillable")


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the rows of a file.

    Attributes:
        path: of the file.
        stored: so many are ticks now.
        left_out: so many were there already, or are averages where something finer is.
        another_price: so many of those have another price than what is there at their time.
        overruled: so many averages gave way to them.
        bad, bad_rows, examples: those that can't be ticks, as in `Ready`.
        healed: so many gaps, or pieces of gaps, are healed by it.
    """

    path: Path
    stored: int
    left_out: int
    another_price: int
    overruled: int
    bad: int
    bad_rows: Path | None
    examples: tuple[str, ...]
    healed: int


def import_files(
    database: Database, paths: Sequence[Path], columns: Columns, tell: TellWhat, limits: Limits = Limits()
) -> Iterator[Imported]:
    """Store the prices of files, one after the other. The database is made if there is none.

    Args:
        database: an object that nobody else uses: it keeps the file until others want it.
        paths: of Parquet or CSV files.
        columns: what is what in them.
        tell: how far it is.
        limits: how much goes in under one lease, and how often it is told how far it is.

    Yields:
        What became of each file, when all of it is stored.

    Raises:
        FileError: a file can't be used; of it nothing was stored.
        StoreError: the database can't be used. What is stored stays, and is left out by the next import.
    """
    for path in paths:
        if not path.is_file():
            raise FileError(f"{path} is no file")
    with folder_alone(database) as folder:
        database.migrate()
        for path in paths:
            file = ready(path, columns, folder, database.memory_limit, tell, limits)
            yield _import(database, file, tell, limits.stored)


def _import(database: Database, file: Ready, tell: TellWhat, most_stored: int) -> Imported:
    count = Count()
    with database.hold():
        _refuse_a_mix(database, file)
        with database.write(STAYS_S) as cursor:
            import_id = import_log.begin(cursor, file.path)
        _close_candles(database)
        done, total = 0, file.rows * len(file.resolutions)
        for over_s in file.resolutions:
            for portion in file.portions:
                store_portion(database, file, import_id, portion, over_s, count, most_stored)
                done += portion.rows
                tell(f"importing {file.path.name}", done, total)
        _close_candles(database)
        database.checkpoint_when_due(STAYS_S)
        _reopen(database, import_id)
        healed = _heal(database, file.index_names)
        with database.write(STAYS_S) as cursor:
            import_log.finish(cursor, import_id)
    return Imported(
        file.path,
        count.stored,
        count.left_out,
        count.another_price,
        count.overruled,
        file.bad,
        file.bad_rows,
        file.examples,
        healed,
    )


def _refuse_a_mix(database: Database, file: Ready) -> None:
    if not file.simulated:
        return
    try:
        with database.write(STAYS_S) as cursor:
            admit(cursor, Exchange.SIMULATOR, utc_now())
    except ForeignExchangeError as error:
        raise FileError(
            f"{file.path} has the simulator's prices, {database.path} the exchange's: they don't mix"
        ) from error


def _close_candles(database: Database) -> None:
    more = True
    while more:
        with database.write(STAYS_S) as cursor:
            more = candles.close(cursor, utc_now())


def _reopen(database: Database, import_id: int) -> None:
    """Look again at the gaps that averages healed which gave way to the import."""
    with database.read(STAYS_S) as cursor:
        gave_way = cursor.execute(_GAVE_WAY, {"import_id": import_id}).fetchall()
    for index_name, first, last in gave_way:
        reopen(database, index_name, from_column(first), from_column(last))


def _heal(database: Database, index_names: frozenset[str]) -> int:
    """Note which gaps have ticks now; how many pieces of them are healed by that."""
    with database.read(STAYS_S) as cursor:
        names = sorted(index_names & gaps.feeds_with_gaps(cursor, _UNHEALED))
    healed = 0
    for name in names:
        start: datetime | None = EPOCH
        while start is not None:
            with database.write(STAYS_S) as cursor:
                changed, start = heal(cursor, name, utc_now(), states=_UNHEALED, start=start)
            healed += sum(gap.state == "healed" for gap in changed)
    return healed


@contextlib.contextmanager
def folder_alone(database: Database) -> Iterator[Path]:
    """A folder for the one import or undo at a time, beside the database, where there is room for it."""
    path = database.path.resolve()
    with in_one_line(path, "used"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with alone(beside(path, "importing"), f"another import into {database.path}, or its undo, is at work"):
            for remains in path.parent.glob(f"{glob.escape(path.name)}.import-*"):
                shutil.rmtree(remains, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=f"{path.name}.import-", dir=path.parent) as folder:
                yield Path(folder)
