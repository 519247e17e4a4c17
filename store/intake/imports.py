"""Import: prices from foreign files, stored as ticks with `source` import, and folded into candles along the way.

Rows of a market from exported files go to their own tables.

Rows are stored in portions, a lease each, so recording goes on meanwhile. Stored ticks are left as they are: an import
that was interrupted is simply repeated.
"""

import contextlib
import glob
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from store.errors import FileError, ForeignExchangeError, NoDatabaseError
from store.file.database import Database
from store.file.disk import in_one_line
from store.file.locks import alone, beside
from store.models import from_column, utc_now
from store.prices import candles
from store.progress import TellWhat

from . import import_log
from .joining import Stored, join_of, stored_near
from .look import Look
from .market.checking import MarketFile
from .market_imports import ImportedMarket, import_market, look_of
from .portions import Count, store_portion
from .reopening import heal_all, reopen
from .rows.foreign import Columns
from .rows.origin import admit_origin
from .rows.work import STAYS_S, Limits
from .staging import Ready, ready

# An average heals a slot whose distance to the average's time is less than the average's length.
_GAVE_WAY = """
SELECT
    index_name,
    min(ts - to_seconds(resolution_s)),
    max(ts + 2 * to_seconds(resolution_s))
FROM overruled
WHERE import_id = $import_id
GROUP BY index_name
"""

# A lease compares the prices of a few indexes in some milliseconds each.
_MOST_JOINS = 20


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the rows of a file.

    Attributes:
        path: of the file.
        stored: how many were stored.
        left_out: how many were stored already, or are averages where something finer is stored.
        another_price: how many of the ones left out differ in price from the stored tick.
        shared: how many have a time that an earlier row of the file has.
        shared_another: how many of these differ in price from that row.
        overruled: how many averages were replaced by the new ticks.
        bad, bad_rows, examples: the rows that can't be ticks, as in `Ready`.
        healed: how many gaps, or pieces of gaps, the new rows healed.
        market: what became of the rows of a market; None for prices.
    """

    path: Path
    stored: int
    left_out: int
    another_price: int
    shared: int
    shared_another: int
    overruled: int
    bad: int
    bad_rows: Path | None
    examples: tuple[str, ...]
    healed: int
    market: ImportedMarket | None = None


def import_files(
    database: Database,
    paths: Sequence[Path],
    columns: Columns,
    tell: TellWhat,
    limits: Limits = Limits(),
    *,
    show: Callable[[Look], object] = str,
    sure: bool = False,
) -> Iterator[Imported]:
    """Store the rows of files, one after the other. The database is made if it is missing.

    Args:
        database: an object that nobody else uses: it keeps the file until others want it.
        paths: of Parquet, CSV or Excel files.
        columns: what the user said of them.
        tell: called with the progress.
        limits: how many rows are stored under one lease, and how often progress is reported.
        show: called with what was found out about a file, before any of it is stored.
        sure: store prices that differ by a power of ten from those near them?

    Yields:
        What became of each file, when all of it is stored.

    Raises:
        FileError: a file can't be used; nothing of it was stored.
        StoreError: the database can't be used. Stored ticks stay, and the next import leaves them out.
    """
    _refuse_missing(paths)
    with folder_alone(database) as folder:
        database.migrate()
        for path in paths:
            file = ready(path, columns, folder, database.memory_limit, tell, limits)
            if isinstance(file, MarketFile):
                show(look_of(file))
                yield _import_market(database, file, tell, limits.market)
            else:
                _show(database, file, show, sure=sure)
                yield _import(database, file, tell, limits.stored)


def look_at(
    database: Database, paths: Sequence[Path], columns: Columns, tell: TellWhat, limits: Limits = Limits()
) -> Iterator[Look]:
    """What an import of files would store and how it reads them. Nothing is stored, and no bad rows are written.

    Raises:
        FileError: a file can't be used.
        StoreError: the database can't be used.
    """
    _refuse_missing(paths)
    with folder_alone(database) as folder:
        for path in paths:
            file = ready(path, columns, folder, database.memory_limit, tell, limits, aside=False)
            yield look_of(file) if isinstance(file, MarketFile) else _joined(database, file)[0]


def _refuse_missing(paths: Sequence[Path]) -> None:
    for path in paths:
        if not path.is_file():
            raise FileError(f"{path} is not a file")


def _show(database: Database, file: Ready, show: Callable[[Look], object], *, sure: bool) -> None:
    """Show what was found out about a file, and refuse a jump of its prices unless the user is sure."""
    look, jumps = _joined(database, file)
    show(look)
    if jumps and not sure:
        raise FileError(
            f"{file.path}: {jumps[0]}: say --decimal if the sign is misread, or --sure to store it all the same"
        )


def _joined(database: Database, file: Ready) -> tuple[Look, list[str]]:
    """The look at a file with how its prices join each other and the stored ones, and each jump by a power of ten."""
    its = file.look.instruments[:_MOST_JOINS]
    near: list[Stored] = []
    with contextlib.suppress(NoDatabaseError), database.read(STAYS_S) as cursor:
        near = [stored_near(cursor, each) for each in its]
    with duckdb.connect(config={"memory_limit": database.memory_limit}) as scratch:
        found = [join_of(scratch, each, file.reading, stored) for each, stored in zip(its, near, strict=False)]
    joins = [join for join in found if join is not None]
    jumps = [jump for jump in (file.jump, *(join.jump for join in joins)) if jump is not None]
    return replace(file.look, joins=(*(join.words for join in joins), *jumps)), jumps


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
        healed = heal_all(database, file.index_names)
        with database.write(STAYS_S) as cursor:
            import_log.finish(cursor, import_id)
    return Imported(
        file.path,
        count.stored,
        count.left_out,
        count.another_price,
        count.shared,
        count.shared_another,
        count.overruled,
        file.bad,
        file.bad_rows,
        file.examples,
        healed,
    )


def _import_market(database: Database, file: MarketFile, tell: TellWhat, at_once: int) -> Imported:
    with database.hold():
        _refuse_a_mix(database, file)
        made = import_market(database, file, tell, at_once)
    done = made.done
    return Imported(file.path, done.stored, done.known, 0, 0, 0, 0, 0, None, (), made.healed, made)


def _refuse_a_mix(database: Database, file: Ready | MarketFile) -> None:
    if not file.origin:
        return
    try:
        with database.write(STAYS_S) as cursor:
            admit_origin(cursor, file.origin, utc_now())
    except ForeignExchangeError as error:
        raise FileError(
            f"{file.path} has prices of {' or '.join(sorted(file.origin))}, and would mix them with those of another "
            f"exchange in {database.path}: name another file in TICKWELL_DATABASE"
        ) from error


def _close_candles(database: Database) -> None:
    more = True
    while more:
        with database.write(STAYS_S) as cursor:
            more = candles.close(cursor, utc_now())


def _reopen(database: Database, import_id: int) -> None:
    """Check again the gaps that were healed by averages that the import replaced."""
    with database.read(STAYS_S) as cursor:
        gave_way = cursor.execute(_GAVE_WAY, {"import_id": import_id}).fetchall()
    for index_name, first, last in gave_way:
        reopen(database, index_name, from_column(first), from_column(last))


@contextlib.contextmanager
def folder_alone(database: Database) -> Iterator[Path]:
    """A temporary folder beside the database, where there is room, for one import or undo at a time."""
    path = database.path.resolve()
    with in_one_line(path, "used"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with alone(beside(path, "importing"), f"another import into {database.path}, or an undo, is running"):
            for remains in path.parent.glob(f"{glob.escape(path.name)}.import-*"):
                shutil.rmtree(remains, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=f"{path.name}.import-", dir=path.parent) as folder:
                yield Path(folder)
