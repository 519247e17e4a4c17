"""Makes foreign files ready for import: checks each file once as a whole, and sets aside rows that can't be ticks.

A Parquet file whose rows are in the order of time is read in place. Any other file is copied in order first.
"""

import contextlib
import errno
import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from settings import is_index_name
from store.errors import FileError
from store.file.opening import in_one_line
from store.models import Exchange, to_column, utc_now
from store.progress import TellWhat

from .bad_rows import place_for, write_bad_rows
from .files.packing import damaged
from .jumps import jump_within
from .look import Look
from .market.checking import MarketFile, checked
from .market.recognising import kind_in
from .rows.as_parquet import File, as_parquet
from .rows.contents import Contents, shown
from .rows.foreign import Columns, Statement
from .rows.origin import origin_of
from .rows.reading import reading
from .rows.spacing import of_candles, refuse_unsaid_candles
from .rows.work import Limits, Work
from .survey import Portion, survey

_OF_DAMAGE = (duckdb.IOException, duckdb.InvalidInputException)
"""What DuckDB raises of a damaged Parquet file, besides its base class."""

_CLOCKS_DIFFER = timedelta(seconds=60)
_EXAMPLES = 3

_SAMPLED = 2_000

_TYPES = "DESCRIBE FROM read_parquet($path)"
_COUNT = "SELECT num_rows FROM parquet_file_metadata($path)"
_SAMPLE = "SELECT {columns} FROM read_parquet($path) AS file({places}) LIMIT $rows"

_NAMES = "SELECT DISTINCT index_name FROM ({rows})"

_BAD = """
CREATE TEMP TABLE bad AS
FROM torn
UNION ALL BY NAME
FROM (
    SELECT
        judged.fault,
        file.* EXCLUDE (file_row_number)
    FROM ({judged}) AS judged
    JOIN read_parquet($as_it_was, file_row_number = true) AS file ON file.file_row_number = judged.row
    WHERE judged.fault IS NOT NULL
    ORDER BY judged.row
)
"""

_COPY = """
COPY (
    SELECT index_name, ts, price, received_at, source, resolution_s
    FROM ({rows})
    {order}
)
TO $to (FORMAT parquet)
"""

_AS_IT_IS = """
    SELECT index_name, ts, price, received_at, source, resolution_s, row
    FROM read_parquet($path, file_row_number = true)
        AS file(index_name, ts, price, received_at, source, resolution_s, row)
"""


@dataclass(frozen=True, slots=True)
class Ready:
    """A file whose rows can be read in the order of time.

    Attributes:
        path: of the file that the user named.
        reading: the statement that reads its good rows.
        portions: the good rows, cut into portions.
        index_names: the indexes that they have.
        resolutions: the seconds that their prices are averages over, ascending; 0 for observations.
        origin: the exchanges that they may be of; none if the file does not tell.
        jump: the first step by a power of ten between two prices of one index, in words; None without one.
        bad: how many rows of the file can't be ticks.
        bad_rows: the file with these rows, and what is wrong with each; None without bad rows.
        examples: the first bad rows, in words.
        look: what was found out about the file.
    """

    path: Path
    reading: Statement
    portions: tuple[Portion, ...]
    index_names: frozenset[str]
    resolutions: tuple[int, ...]
    origin: frozenset[Exchange]
    jump: str | None
    bad: int
    bad_rows: Path | None
    examples: tuple[str, ...]
    look: Look

    @property
    def rows(self) -> int:
        """How many rows can be ticks."""
        return sum(portion.rows for portion in self.portions)


def ready(
    path: Path,
    columns: Columns,
    folder: Path,
    memory_limit: str,
    tell: TellWhat,
    limits: Limits,
    *,
    aside: bool = True,
) -> Ready | MarketFile:
    """Check a file; write rows that can't be ticks to `<its name>.bad-rows.csv`, a new file.

    A file of a market's rows is whole or refused.

    Args:
        path: of the file.
        columns: what the user said of it.
        folder: for copies of the file, which are needed until all rows are stored.
        memory_limit: DuckDB's own.
        tell: called with the progress.
        limits: of the import.
        aside: write the bad rows to a file?

    Raises:
        FileError: the file can't be read or understood, or lacks a needed column.
    """
    place = place_for(path, folder.parent) if aside else None
    config: dict[str, Any] = {"memory_limit": memory_limit, "temp_directory": str(folder)}
    with _translated(path), duckdb.connect(config=config) as scratch:
        scratch.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = true; SET enable_progress_bar_print = false")
        return _Staging(Work(scratch, path, folder, tell, limits)).ready(columns, place)


class _Staging:
    """One file that is made ready."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def ready(self, columns: Columns, place: Path | None) -> Ready | MarketFile:
        file = as_parquet(self._work, columns)
        with contextlib.nullcontext() if file.ours else _translated_of_parquet(self._work.path):
            ((count,),) = self._work.scratch.execute(_COUNT, {"path": file.path}).fetchall()
            if not count and not self._is_torn():
                raise FileError(f"{self._work.path} has a header and no rows")
            contents = self._contents(file)
            if (kind := kind_in(contents, columns)) is not None:
                return checked(self._work, file, contents, kind, count)
            return self._read(file, contents, columns, place, count)

    def _read(self, file: File, contents: Contents, columns: Columns, place: Path | None, count: int) -> Ready:
        rows, candles, origin = reading(contents, columns), None, origin_of(contents)
        if rows.candles:
            rows, candles = of_candles(self._work, rows)
        if rows.by_text:
            rows = self._copied("reading the times of", rows)
        if not rows.candles:
            refuse_unsaid_candles(self._work, rows)
        latest = to_column(utc_now() + (timedelta() if rows.candles else _CLOCKS_DIFFER))
        cut = count - 1 if file.cut else None
        judged = rows.judged(latest, self._good_names(rows), cut)
        found = survey(self._work, judged, count)
        good = sum(portion.rows for portion in found.portions)
        bad, bad_rows, examples = self._put_aside(file.path, judged, place, all_good=good == count)
        if good < count:
            rows = judged.good()
        if not found.ordered:
            rows = self._copied("sorting", rows, "ORDER BY ts, row")
            found = survey(self._work, rows.unjudged(), good)
        return Ready(
            self._work.path,
            rows,
            tuple(found.portions),
            frozenset(found.instruments),
            tuple(sorted(found.resolutions)),
            origin | ({Exchange.SIMULATOR} if found.simulated else set()),
            jump_within(self._work, rows, found),
            bad,
            bad_rows,
            examples,
            Look(self._work.path, file.form, rows.words, candles, found.by_name, bad, examples),
        )

    def _contents(self, file: File) -> Contents:
        types = {name: kind for name, kind, *_ in self._work.scratch.execute(_TYPES, {"path": file.path}).fetchall()}
        places = {name: f"c{place}" for place, name in enumerate(types)}
        texts = [name for name, kind in types.items() if kind == "VARCHAR"]
        sample: list[tuple[Any, ...]] = []
        if texts:
            statement = _SAMPLE.format(
                columns=", ".join(map(places.__getitem__, texts)), places=", ".join(places.values())
            )
            sample = self._work.ask(statement, {"path": file.path, "rows": _SAMPLED})
        return Contents(
            file.path,
            str(self._work.path),
            types,
            {name: [row[place] or "" for row in sample] for place, name in enumerate(texts)},
            semicolons=file.semicolons,
            close=file.close,
            ask=self._work.ask,
        )

    def _good_names(self, rows: Statement) -> list[str] | None:
        """The valid index names of the file; None if all are valid."""
        names = {name for (name,) in self._work.ask(_NAMES.format(rows=rows.rows), rows.values)}
        good = {name for name in names if is_index_name(name or "")}
        return None if good == names else sorted(good)

    def _is_torn(self) -> bool:
        """Has the file lines that are no rows?"""
        return bool(self._work.ask("FROM torn LIMIT 1", {}))

    def _put_aside(
        self, parquet: str, judged: Statement, place: Path | None, *, all_good: bool
    ) -> tuple[int, Path | None, tuple[str, ...]]:
        """Find the rows that can't be ticks, and write them to a file; return how many, the file, and examples."""
        if all_good and not self._is_torn():
            return 0, None, ()
        values = judged.values | {"as_it_was": parquet}
        self._work.run("finding the bad rows of", _BAD.format(judged=judged.rows), values)
        target = None if place is None else write_bad_rows(self._work, place)
        ((count,),) = self._work.scratch.execute("SELECT count(*) FROM bad").fetchall()
        examples = self._work.scratch.execute("SELECT COLUMNS(*)::VARCHAR FROM bad LIMIT ?", [_EXAMPLES]).fetchall()
        return count, target, tuple(map(_in_words, examples))

    def _copied(self, what: str, rows: Statement, order: str = "") -> Statement:
        target = str(self._work.folder / f"{'sorted' if order else 'read'}.parquet")
        self._work.run(what, _COPY.format(rows=rows.rows, order=order), rows.values | {"to": target})
        return replace(rows, rows=_AS_IT_IS, values={"path": glob.escape(target)}, by_text=False)


def _in_words(row: Sequence[Any]) -> str:
    fault, *values = row
    return f"{fault}: {shown(', '.join(str(value) for value in values if value is not None))}"


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise FileError(in_one_line(path, error)) from error
    except (duckdb.Error, OSError) as error:
        first, _, _ = str(error).partition("\n")
        raise FileError(f"{path} can't be imported: {first}") from error


@contextlib.contextmanager
def _translated_of_parquet(path: Path) -> Iterator[None]:
    """Refuse a damaged file in our words. Where DuckDB has an error from the system, it cites the system."""
    try:
        yield
    except duckdb.Error as error:
        of_damage = type(error) is duckdb.Error or isinstance(error, _OF_DAMAGE)
        if not of_damage or any(words in str(error) for words in map(os.strerror, errno.errorcode)):
            raise
        raise damaged(path) from error
