"""What the store's three common questions cost in the databases that people would use instead of it.

Each gets the same ticks and has to answer the same: the chart of one index over all of its history, its newest price,
and a slot's two ticks, on disk. Everything else is as that database does it unless told otherwise.
"""

import functools
import re
import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from store.file.database import Database
from store.models import Tick, to_column
from store.prices import ticks
from store.prices.bars import bars, nice_interval
from tests.bench.charting import MOST_POINTS
from tests.bench.postgresql import AbsentError, server

INDEX = "btc_usd"
PRICES = ["open", "high", "low", "close"]

_FEWEST = 3
_ENOUGH_MS = 10_000

# The bars of all are those of DuckDB's time_bucket: weeks begin on Mondays.
_ORIGIN = datetime(2000, 1, 3)  # noqa: DTZ001 as columns have it
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 as columns have it

_ATTACH = """
ATTACH '{source}' AS source (READ_ONLY)
"""

_SOURCE = """
SELECT
    index_name,
    {ts},
    price
FROM source.ticks
"""

_CREATE = """
CREATE TABLE ticks (
    index_name TEXT NOT NULL,
    ts {instant} NOT NULL,
    price DOUBLE PRECISION NOT NULL
)
"""

_INDEX = """
CREATE UNIQUE INDEX ticks_by_time
ON ticks (index_name, ts)
"""

_LOAD = """
INSERT INTO ticks (index_name, ts, price)
VALUES (?, ?, ?)
"""

_CHART_OF_COLUMNS = """
SELECT
    arg_min(price, ts),
    max(price),
    min(price),
    arg_max(price, ts)
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
  AND ts < $end
GROUP BY time_bucket($interval, ts, $origin)
ORDER BY time_bucket($interval, ts, $origin)
"""

# Opens and closes are looked up in the index: sorting each bar's ticks for them takes longer.
_CHART_OF_ROWS = """
WITH bars AS (
    SELECT
        min(ts) AS first,
        max(ts) AS last,
        max(price) AS high,
        min(price) AS low
    FROM ticks
    WHERE index_name = $index_name
      AND ts >= $start
      AND ts < $end
    GROUP BY {bucket}
)
SELECT
    (SELECT price FROM ticks WHERE index_name = $index_name AND ts = first),
    high,
    low,
    (SELECT price FROM ticks WHERE index_name = $index_name AND ts = last)
FROM bars
ORDER BY first
"""

_LATEST = """
SELECT price
FROM ticks
WHERE index_name = $index_name
ORDER BY ts DESC
LIMIT 1
"""

# A statement by itself is a transaction in all of them.
_APPEND = """
INSERT INTO ticks (index_name, ts, price)
VALUES
    ('btc_usd', $ts, $price),
    ('eth_usd', $ts, $price)
"""


@dataclass(frozen=True)
class Figures:
    """Median times, in ms."""

    who: str
    chart_ms: float
    latest_ms: float
    append_ms: float


@dataclass(frozen=True)
class Question:
    """What is asked of all, and what Tickwell answers."""

    start: datetime
    end: datetime
    interval: timedelta
    newest_of_all: datetime
    chart: pd.DataFrame
    latest: float

    def slot(self, number: int) -> datetime:
        """New instants. Candles are closed up to when the history was made, so within a day of its last tick."""
        return self.newest_of_all + timedelta(days=1, seconds=number)


@dataclass(frozen=True)
class Answers:
    """How one database answers; `append` is told the number of a slot."""

    chart: Callable[[], Any]
    latest: Callable[[], float]
    append: Callable[[int], object]


def ours(folder: Path, source: Path, rounds: int) -> Figures:
    """The figures of Tickwell, measured in a copy, as a dashboard that records has it: with the file held open."""
    question = _question(source)
    with _tickwell(folder, source, question) as answers:
        return _measured("Tickwell", answers, question, rounds)


def peers(folder: Path, source: Path, rounds: int) -> Iterator[Figures | str]:
    """The figures of the others, or a word why one is skipped. Their files are left in the folder."""
    question = _question(source)
    all_of_them: dict[str, Callable[[Path, Path, Question], AbstractContextManager[Answers]]] = {
        "DuckDB without candles": _duckdb,
        "SQLite with an index": _sqlite,
        "PostgreSQL with an index": _postgresql,
    }
    for who, loaded in all_of_them.items():
        try:
            with loaded(folder, source, question) as answers:
                figures = _measured(who, answers, question, rounds)
        except AbsentError as reason:
            yield f"{who}: skipped, {reason}"
        else:
            yield figures


def _measured(who: str, answers: Answers, question: Question, rounds: int) -> Figures:
    chart = pd.DataFrame(answers.chart(), columns=PRICES)
    pd.testing.assert_frame_equal(chart, question.chart, rtol=1e-9, obj=f"the chart of {who}")
    assert answers.latest() == question.latest, who
    answers.append(0)
    return Figures(
        who,
        _median_ms(lambda _: answers.chart(), rounds),
        _median_ms(lambda _: answers.latest(), rounds),
        _median_ms(lambda number: answers.append(1 + number), rounds),
    )


def _median_ms(work: Callable[[int], object], rounds: int) -> float:
    """Of so many rounds; of what takes long, fewer."""
    taken: list[float] = []
    while len(taken) < rounds and (len(taken) < _FEWEST or sum(taken) < _ENOUGH_MS):
        started = time.perf_counter()
        work(len(taken))
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


def _question(source: Path) -> Question:
    with Database(source).read() as cursor:
        found = ticks.summary(cursor)
        latest = ticks.latest(cursor, INDEX)
        assert latest is not None
        _, start, newest = found[INDEX]
        end = newest + timedelta(seconds=1)
        interval = nice_interval(end - start, MOST_POINTS)
        chart = bars(cursor, INDEX, start, end, interval)[PRICES]
    return Question(start, end, interval, max(last for _, _, last in found.values()), chart, latest.price)


@contextmanager
def _tickwell(folder: Path, source: Path, question: Question) -> Iterator[Answers]:
    database = Database(shutil.copyfile(source, folder / "tickwell.duckdb"))

    def chart() -> pd.DataFrame:
        with database.read() as cursor:
            return bars(cursor, INDEX, question.start, question.end, question.interval)

    def latest() -> float:
        with database.read() as cursor:
            found = ticks.latest(cursor, INDEX)
        assert found is not None
        return found.price

    def append(number: int) -> None:
        ts = question.slot(number)
        with database.write() as cursor:
            ticks.append(cursor, [Tick(name, ts, 100.0 + number, received_at=ts) for name in ("btc_usd", "eth_usd")])

    with database.hold():
        yield Answers(chart, latest, append)


def _answers(
    execute: Callable[[str, dict[str, Any]], Any], chart: str, question: Question, column: Callable[[Any], Any]
) -> Answers:
    """Those of a database with our three statements; `column` is given instants and durations as columns have them."""
    start, end = to_column(question.start), to_column(question.end)
    instants = {"start": start, "end": end, "origin": _ORIGIN, "interval": question.interval}
    asked = {"index_name": INDEX, **{name: column(value) for name, value in instants.items()}}

    def append(number: int) -> None:
        execute(_APPEND, {"ts": column(to_column(question.slot(number))), "price": 100.0 + number})

    return Answers(
        lambda: execute(chart, asked).fetchall(),
        lambda: float(execute(_LATEST, {"index_name": INDEX}).fetchall()[0][0]),
        append,
    )


@contextmanager
def _duckdb(folder: Path, source: Path, question: Question) -> Iterator[Answers]:
    with duckdb.connect(folder / "plain.duckdb") as connection:
        connection.execute(_CREATE.format(instant="TIMESTAMP"))
        connection.execute(_ATTACH.format(source=source))
        connection.execute(f"INSERT INTO ticks {_SOURCE.format(ts='ts')}")
        connection.execute("DETACH source")
        connection.execute("CHECKPOINT")
        yield _answers(connection.execute, _CHART_OF_COLUMNS, question, lambda value: value)


@contextmanager
def _sqlite(folder: Path, source: Path, question: Question) -> Iterator[Answers]:
    connection = sqlite3.connect(folder / "ticks.sqlite", isolation_level=None)
    try:
        _load_sqlite(connection, source)
        # As whoever cares for both readers and power cuts sets it: readers don't wait, each commit is synced.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        chart = _CHART_OF_ROWS.format(bucket="(ts - $origin) / $interval")
        yield _answers(connection.execute, chart, question, _microseconds)
    finally:
        connection.close()


def _load_sqlite(connection: sqlite3.Connection, source: Path) -> None:
    connection.execute(_CREATE.format(instant="INTEGER"))
    connection.execute("BEGIN")
    with duckdb.connect() as reader:
        reader.execute(_ATTACH.format(source=source))
        reader.execute(_SOURCE.format(ts="epoch_us(ts)"))
        while rows := reader.fetchmany(50_000):
            connection.executemany(_LOAD, rows)
    connection.execute("COMMIT")
    connection.execute(_INDEX)


def _microseconds(value: datetime | timedelta) -> int:
    return (value - _EPOCH if isinstance(value, datetime) else value) // timedelta(microseconds=1)


@contextmanager
def _postgresql(folder: Path, source: Path, question: Question) -> Iterator[Answers]:
    try:
        import psycopg
    except ImportError as error:
        raise AbsentError("psycopg is not installed") from error

    named = functools.cache(functools.partial(re.sub, r"\$(\w+)", r"%(\1)s"))
    with (
        server(folder / "postgresql") as socket,
        psycopg.connect(host=str(socket), user="tickwell", dbname="postgres", autocommit=True) as connection,
    ):
        connection.execute(_CREATE.format(instant="TIMESTAMP"))
        with connection.cursor() as cursor, cursor.copy("COPY ticks FROM STDIN (FORMAT CSV)") as rows:
            for part in _csv(folder / "ticks.csv", source):
                rows.write(part)
        for statement in (_INDEX, "VACUUM (FREEZE, ANALYZE) ticks", "CHECKPOINT"):
            connection.execute(statement)
        chart = _CHART_OF_ROWS.format(bucket="date_bin($interval, ts, $origin)")
        yield _answers(
            lambda statement, values: connection.execute(named(statement), values),
            chart,
            question,
            lambda value: value,
        )


def _csv(path: Path, source: Path) -> Iterator[bytes]:
    with duckdb.connect() as reader:
        reader.execute(_ATTACH.format(source=source))
        reader.execute(f"COPY ({_SOURCE.format(ts='ts')}) TO '{path}' (FORMAT CSV, HEADER FALSE)")
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            yield part
    path.unlink()
