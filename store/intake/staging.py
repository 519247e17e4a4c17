"""Makes foreign files ready for import: checks each file once as a whole, and sets aside rows that can't be ticks.

A Parquet file whose rows are in the order of time is read in place. Any other file is copied in order first.
"""

import contextlib
import glob
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from settings import is_index_name
from store.errors import FileError
from store.file.database import ROWS_A_LEASE
from store.models import from_column, to_column, utc_now
from store.progress import TellWhat

from .foreign import Columns, Statement, reading

_PARQUET = frozenset({".parquet", ".pq"})
_CSV = frozenset({".csv", ".tsv", ".txt"})

_CLOCKS_DIFFER = timedelta(seconds=60)
_EXAMPLES = 3

_TO_TEXTS = """
COPY (
    FROM read_csv($path, all_varchar = true, store_rejects = true, rejects_limit = 0)
)
TO $to (FORMAT parquet)
"""

_TORN = """
CREATE TEMP TABLE torn AS
SELECT
    'line ' || line || ': ' || lower(any_value(error_type)) AS fault,
    any_value(csv_line) AS text
FROM {rejected}
GROUP BY line
ORDER BY line
"""
_NONE_REJECTED = "(SELECT NULL AS line, NULL AS error_type, NULL AS csv_line WHERE false)"

_TYPES = "DESCRIBE FROM read_parquet($path)"
_COUNT = "SELECT num_rows FROM parquet_file_metadata($path)"
_NAMES = "SELECT DISTINCT index_name FROM ({rows})"

# Each row is compared with the two rows before only. So three indexes at one instant look like possible duplicates,
# which costs time but changes nothing.
_SURVEY = """
SELECT
    count(*),
    min(ts),
    max(ts),
    coalesce(bool_or(ts < before), false),
    coalesce(bool_or(ts = before AND (index_name = index_before OR ts = two_before)), false),
    coalesce(bool_or(source = 'simulator'), false),
    list(DISTINCT resolution_s)
FROM (
    SELECT
        index_name,
        ts,
        source,
        resolution_s,
        row,
        lag(ts) OVER () AS before,
        lag(ts, 2) OVER () AS two_before,
        lag(index_name) OVER () AS index_before
    FROM ({judged})
    WHERE fault IS NULL
      AND row >= $first
      AND row < $end
)
HAVING count(*) > 0
"""

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


@dataclass(frozen=True)
class Limits:
    """The numbers of an import.

    Attributes:
        rows: how many rows to store under one lease, which takes 0.4 s: a multiple of DuckDB's row groups.
        stored: how many stored ticks to compare under one lease.
        tell_s: how often a long statement reports its progress.
    """

    rows: int = 16 * 122_880
    stored: int = ROWS_A_LEASE
    tell_s: float = 0.2


@dataclass(frozen=True, slots=True)
class Portion:
    """Some rows of a file, in the order of time.

    Attributes:
        first, end: their places in the file, half-open.
        rows: how many of them can be ticks.
        start, last: the times of the first and the last one.
        doubled: may two of them have the same index and time?
    """

    first: int
    end: int
    rows: int
    start: datetime
    last: datetime
    doubled: bool


@dataclass(frozen=True, slots=True)
class Ready:
    """A file whose rows can be read in the order of time.

    Attributes:
        path: of the file that the user named.
        reading: the statement that reads its good rows.
        portions: all of them, cut into portions.
        index_names: the indexes that they have.
        resolutions: the seconds that their prices are averages over, ascending; 0 for observations.
        simulated: did the simulator make any of them?
        bad: how many rows of the file can't be ticks.
        bad_rows: the file with these rows, and what is wrong with each; None without bad rows.
        examples: the first bad rows, in words.
    """

    path: Path
    reading: Statement
    portions: tuple[Portion, ...]
    index_names: frozenset[str]
    resolutions: tuple[int, ...]
    simulated: bool
    bad: int
    bad_rows: Path | None
    examples: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many rows can be ticks."""
        return sum(portion.rows for portion in self.portions)


@dataclass(slots=True)
class _Survey:
    """What a file's rows have, as far as they were checked."""

    portions: list[Portion] = field(default_factory=list)
    ordered: bool = True
    simulated: bool = False
    resolutions: set[int] = field(default_factory=set)

    def extend(self, later: "_Survey") -> None:
        follows = not (self.portions and later.portions) or self.portions[-1].last <= later.portions[0].start
        self.ordered = self.ordered and later.ordered and follows
        self.simulated = self.simulated or later.simulated
        self.resolutions |= later.resolutions
        self.portions += later.portions


def ready(path: Path, columns: Columns, folder: Path, memory_limit: str, tell: TellWhat, limits: Limits) -> Ready:
    """Check a file; write rows that can't be ticks to `<its name>.bad-rows.csv` beside it.

    Args:
        path: of the file.
        columns: the columns that the user named.
        folder: for copies of the file, which are needed until all rows are stored.
        memory_limit: DuckDB's own.
        tell: called with the progress.
        limits: of the import.

    Raises:
        FileError: the file can't be read, is neither Parquet nor CSV, or lacks a needed column.
    """
    config: dict[str, Any] = {"memory_limit": memory_limit, "temp_directory": str(folder)}
    with _translated(path), duckdb.connect(config=config) as scratch:
        scratch.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = true; SET enable_progress_bar_print = false")
        return _Staging(scratch, path, folder, tell, limits).ready(columns)


class _Staging:
    """One file that is made ready."""

    def __init__(self, scratch: DuckDBPyConnection, path: Path, folder: Path, tell: TellWhat, limits: Limits) -> None:
        self._scratch = scratch
        self._path = path
        self._folder = folder
        self._tell = tell
        self._limits = limits

    def ready(self, columns: Columns) -> Ready:
        parquet = self._as_parquet()
        types = {name: kind for name, kind, *_ in self._scratch.execute(_TYPES, {"path": parquet}).fetchall()}
        ((count,),) = self._scratch.execute(_COUNT, {"path": parquet}).fetchall()
        rows = reading(parquet, types, columns, str(self._path))
        names = {columns.index_name} if columns.index_name else _names(self._scratch, rows)
        good_names = {name for name in names if name is not None and is_index_name(name)}
        if rows.by_text:
            rows = self._copied("reading the times of", rows)
        judged = rows.judged(to_column(utc_now() + _CLOCKS_DIFFER), None if good_names == names else sorted(good_names))
        survey = self._survey(judged, count)
        good = sum(portion.rows for portion in survey.portions)
        bad, bad_rows, examples = self._put_aside(parquet, judged, all_good=good == count)
        if good < count:
            rows = judged.good()
        if not survey.ordered:
            rows = self._copied("sorting", rows, "ORDER BY ts, row")
            survey = self._survey(rows.unjudged(), good)
        return Ready(
            self._path,
            rows,
            tuple(survey.portions),
            frozenset(good_names),
            tuple(sorted(survey.resolutions)),
            survey.simulated,
            bad,
            bad_rows,
            examples,
        )

    def _survey(self, judged: Statement, count: int) -> _Survey:
        """Check all rows, two portions at a time: a window without a partition keeps one core busy."""
        survey, rows = _Survey(), self._limits.rows
        starts = range(0, count, rows)
        with ThreadPoolExecutor(2) as pool:
            looked = pool.map(lambda first: _look(self._scratch, judged, first, min(count, first + rows)), starts)
            for number, found in enumerate(looked):
                survey.extend(found)
                self._tell(f"looking through {self._path.name}", number + 1, len(starts))
        return survey

    def _as_parquet(self) -> str:
        """A pattern that matches only the file, or only a copy of its texts if it is CSV."""
        suffixes = [suffix.lower() for suffix in self._path.suffixes if suffix.lower() != ".gz"][-1:]
        rejected, parquet = _NONE_REJECTED, self._path
        if _CSV.issuperset(suffixes) and suffixes:
            rejected, parquet = "reject_errors", self._folder / "texts.parquet"
            self._run("reading", _TO_TEXTS, {"path": glob.escape(str(self._path)), "to": str(parquet)})
        elif self._path.suffix.lower() not in _PARQUET:
            raise FileError(f"{self._path} must end in .parquet, .csv, .tsv or .txt, the latter three also with .gz")
        self._scratch.execute(_TORN.format(rejected=rejected))
        return glob.escape(str(parquet))

    def _put_aside(
        self, parquet: str, judged: Statement, *, all_good: bool
    ) -> tuple[int, Path | None, tuple[str, ...]]:
        """Write the rows that can't be ticks to a file; return how many, the file, and examples."""
        if all_good and not self._scratch.execute("FROM torn LIMIT 1").fetchall():
            return 0, None, ()
        values = judged.values | {"as_it_was": parquet}
        self._run("writing the bad rows of", _BAD.format(judged=judged.rows), values)
        target = self._path.with_name(f"{self._path.name}.bad-rows.csv")
        self._scratch.execute("COPY bad TO $target (FORMAT csv, HEADER)", {"target": str(target)})
        ((count,),) = self._scratch.execute("SELECT count(*) FROM bad").fetchall()
        examples = self._scratch.execute(f"FROM bad LIMIT {_EXAMPLES}").fetchall()
        return count, target, tuple(map(_in_words, examples))

    def _copied(self, what: str, rows: Statement, order: str = "") -> Statement:
        target = str(self._folder / f"{'sorted' if order else 'read'}.parquet")
        self._run(what, _COPY.format(rows=rows.rows, order=order), rows.values | {"to": target})
        return Statement(_AS_IT_IS, {"path": glob.escape(target)}, resolutions=rows.resolutions)

    def _run(self, what: str, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Execute a long statement and report its progress."""
        said = f"{what} {self._path.name}"
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(lambda: self._scratch.execute(statement, values).fetchall())
            try:
                self._tell(said, 0, 100)
                while not wait([running], self._limits.tell_s).done:
                    self._tell(said, max(0, round(self._scratch.query_progress())), 100)
            except BaseException:
                self._scratch.interrupt()
                raise
            return running.result()


def _look(scratch: DuckDBPyConnection, judged: Statement, first: int, end: int) -> _Survey:
    """Check some rows."""
    with scratch.cursor() as cursor:
        survey = _SURVEY.format(judged=judged.rows)
        found = cursor.execute(survey, judged.values | {"first": first, "end": end}).fetchall()
    if not found:
        return _Survey()
    ((rows, start, last, disordered, doubled, simulated, resolutions),) = found
    portion = Portion(first, end, rows, from_column(start), from_column(last), doubled)
    return _Survey([portion], not disordered, simulated, set(resolutions))


def _names(scratch: DuckDBPyConnection, rows: Statement) -> set[str | None]:
    """All index names in the rows, valid or not."""
    return {name for (name,) in scratch.execute(_NAMES.format(rows=rows.rows), rows.values).fetchall()}


def _in_words(row: Sequence[Any]) -> str:
    fault, *values = row
    return f"{fault}: {', '.join(str(value) for value in values if value is not None)}"


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, OSError) as error:
        first, _, _ = str(error).partition("\n")
        raise FileError(f"{path} can't be imported: {first}") from error
