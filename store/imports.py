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
from typing import Any

from duckdb import DuckDBPyConnection

from . import averages, candles, gaps
from .database import Database
from .due import EPOCH
from .errors import BusyError, FileError, ForeignExchangeError, StoreError
from .exchange import admit
from .foreign import Columns
from .locks import FileLock, beside
from .models import Exchange, GapState, from_column, to_column, utc_now
from .settle import settle
from .staging import Portion, Ready, Tell, ready

# Of what is stored already, so much is looked at under one lease.
_MOST_STORED = 2_000_000

_READ = """
CREATE OR REPLACE TEMP TABLE portion AS
SELECT index_name, ts, price, received_at, source
FROM ({rows})
WHERE row >= $first
  AND row < $end
  AND resolution_s = $over_s
"""

_SPAN = """
SELECT
    count(*),
    min(ts),
    max(ts)
FROM portion
"""

_STORED = """
SELECT count(*)
FROM ticks
WHERE ts BETWEEN $first AND $last
"""

# Of rows at one time the first counts. They are neighbours, as rows come in the order of time.
_DOUBLES = """
CREATE OR REPLACE TEMP TABLE known AS
WITH shared AS (
    SELECT DISTINCT ts
    FROM (SELECT ts, lag(ts) OVER () AS before FROM portion)
    WHERE ts = before
)
SELECT
    rowid AS number,
    price != first_value(price) OVER alike AS another_price
FROM portion
SEMI JOIN shared USING (ts)
WINDOW alike AS (PARTITION BY index_name, ts ORDER BY rowid)
QUALIFY row_number() OVER alike > 1
"""

_THERE = """
CREATE OR REPLACE TEMP TABLE known AS
SELECT
    portion.rowid AS number,
    portion.price != ticks.price AS another_price
FROM portion
JOIN ticks ON ticks.index_name = portion.index_name AND ticks.ts = portion.ts
WHERE ticks.ts BETWEEN $first AND $last
"""

_INSERT = """
INSERT INTO ticks (index_name, ts, received_at, price, source, resolution_s)
SELECT index_name, ts, received_at, price, source, 0
FROM {rows}
"""
_OF_FILE = "({rows}) WHERE row >= $first AND row < $end"

_UNHEALED: tuple[GapState, ...] = ("open", "unfillable")

_STAYS_S = 60.0
"""How long a file that others keep is waited for: an import has nobody who waits for it."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the rows of a file.

    Attributes:
        path: of the file.
        stored: so many are ticks now.
        left_out: so many were there already, or are averages where something finer is.
        another_price: so many of those have another price than what is there at their time.
        bad, bad_rows, examples: those that can't be ticks, as in `Ready`.
        healed: so many gaps, or pieces of gaps, are healed by it.
    """

    path: Path
    stored: int
    left_out: int
    another_price: int
    bad: int
    bad_rows: Path | None
    examples: tuple[str, ...]
    healed: int


@dataclass(slots=True)
class _Count:
    stored: int = 0
    left_out: int = 0
    another_price: int = 0


def import_files(database: Database, paths: Sequence[Path], columns: Columns, tell: Tell) -> Iterator[Imported]:
    """Store the prices of files, one after the other. The database is made if there is none.

    Args:
        database: an object that nobody else uses: it keeps the file until others want it.
        paths: of Parquet or CSV files.
        columns: what is what in them.
        tell: how far it is.

    Yields:
        What became of each file, when all of it is stored.

    Raises:
        FileError: a file can't be used; of it nothing was stored.
        StoreError: the database can't be used. What is stored stays, and is left out by the next import.
    """
    for path in paths:
        if not path.is_file():
            raise FileError(f"{path} is no file")
    with _alone(database) as folder:
        database.migrate()
        for path in paths:
            yield _import(database, ready(path, columns, folder, database.memory_limit, tell), tell)


def _import(database: Database, file: Ready, tell: Tell) -> Imported:
    count = _Count()
    with database.hold():
        _refuse_a_mix(database, file)
        _close_candles(database)
        done, total = 0, file.rows * len(file.resolutions)
        for over_s in file.resolutions:
            for portion in file.portions:
                _import_portion(database, file, portion, over_s, count)
                done += portion.rows
                tell(f"importing {file.path.name}", done, total)
        _close_candles(database)
        database.checkpoint_when_due(_STAYS_S)
        healed = _heal(database, file.index_names)
    return Imported(
        file.path,
        count.stored,
        count.left_out,
        count.another_price,
        file.bad,
        file.bad_rows,
        file.examples,
        healed,
    )


def _import_portion(database: Database, file: Ready, portion: Portion, over_s: int, count: _Count) -> None:
    """Store what of a portion is an average over so many seconds: at once, or in parts where much is stored already."""
    with database.write(_STAYS_S) as cursor:
        apart = not _stored(cursor, portion.start, portion.last)
        if apart and not portion.doubled and file.resolutions == (0,):
            rows = _OF_FILE.format(rows=file.reading.rows)
            which = {"first": portion.first, "end": portion.end}
            ((new,),) = cursor.execute(_INSERT.format(rows=rows), file.reading.values | which).fetchall()
            candles.refold_between(cursor, portion.start, portion.last)
            count.stored += new
            return
    first, size = portion.first, portion.end - portion.first
    while first < portion.end:
        end = min(portion.end, first + size)
        with database.write(_STAYS_S) as cursor:
            fits = _store(cursor, file, {"first": first, "end": end, "over_s": over_s}, count)
        if fits:
            first, size = end, 2 * size
        else:
            size = (end - first) // 2


def _store(cursor: DuckDBPyConnection, file: Ready, which: dict[str, int], count: _Count) -> bool:
    """Store those rows that are new; False if their time has so many stored ticks that they must be fewer."""
    cursor.execute(_READ.format(rows=file.reading.rows), file.reading.values | which)
    ((rows, first, last),) = cursor.execute(_SPAN).fetchall()
    if not rows:
        return True
    start, end = from_column(first), from_column(last)
    stored = _stored(cursor, start, end)
    if stored > _MOST_STORED and rows > 1:
        return False
    another_price = _leave_out(cursor, _DOUBLES, {})
    if which["over_s"]:
        new = averages.append_portion(cursor, start, end, which["over_s"])
    else:
        another_price += _leave_out(cursor, _THERE, {"first": first, "last": last}) if stored else 0
        ((new,),) = cursor.execute(_INSERT.format(rows="portion")).fetchall()
    if new:
        candles.refold_between(cursor, start, end)
    count.stored += new
    count.left_out += rows - new
    count.another_price += another_price
    return True


def _stored(cursor: DuckDBPyConnection, start: datetime, last: datetime) -> int:
    ((stored,),) = cursor.execute(_STORED, {"first": to_column(start), "last": to_column(last)}).fetchall()
    return int(stored)


def _leave_out(cursor: DuckDBPyConnection, find: str, values: dict[str, Any]) -> int:
    """Take rows of the portion out that are known; how many of those have another price."""
    cursor.execute(find, values)
    cursor.execute("DELETE FROM portion WHERE rowid IN (SELECT number FROM known)")
    ((another_price,),) = cursor.execute("SELECT count(*) FILTER (WHERE another_price) FROM known").fetchall()
    return int(another_price)


def _refuse_a_mix(database: Database, file: Ready) -> None:
    if not file.simulated:
        return
    try:
        with database.write(_STAYS_S) as cursor:
            admit(cursor, Exchange.SIMULATOR, utc_now())
    except ForeignExchangeError as error:
        raise FileError(
            f"{file.path} has the simulator's prices, {database.path} the exchange's: they don't mix"
        ) from error


def _close_candles(database: Database) -> None:
    more = True
    while more:
        with database.write(_STAYS_S) as cursor:
            more = candles.close(cursor, utc_now())


def _heal(database: Database, index_names: frozenset[str]) -> int:
    """Note which gaps have ticks now; how many pieces of them are healed by that."""
    with database.read(_STAYS_S) as cursor:
        names = sorted(index_names & gaps.index_names(cursor, _UNHEALED))
    healed = 0
    for name in names:
        start: datetime | None = EPOCH
        while start is not None:
            with database.write(_STAYS_S) as cursor:
                changed, start = settle(cursor, name, utc_now(), states=_UNHEALED, start=start)
            healed += sum(gap.state == "healed" for gap in changed)
    return healed


@contextlib.contextmanager
def _alone(database: Database) -> Iterator[Path]:
    """A folder for the work of the one import at a time, beside the database, where there is room for it."""
    path = database.path.resolve()
    lock = FileLock(beside(path, "importing"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not lock.try_acquire():
            raise BusyError(f"another import into {database.path} is at work")
        for remains in path.parent.glob(f"{glob.escape(path.name)}.import-*"):
            shutil.rmtree(remains, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f"{path.name}.import-", dir=path.parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise StoreError(f"{error.filename} can't be used: {error.strerror}") from error
    finally:
        lock.release()
