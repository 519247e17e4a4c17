"""What an export costs, in time and in memory: by itself, and from a dashboard that records."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import duckdb
import httpx

from poller.timing.slots import next_slot
from settings import Settings
from store.export.files import Exports
from store.export.query import ExportQuery
from store.file.database import Database
from store.models import to_column, utc_now
from store.prices import ticks
from tests.bench.apart import apart, do, most_memory
from tests.bench.long_history import history
from tests.bench.row import SMALL, TICKS, Row
from tests.bench.serving import missed
from tests.support.dashboard import Dashboard

ROWS = min(30_000_000, TICKS // 2)
ROUNDS = 1 if SMALL else 2
REPEATED = 3 if SMALL else 1
BUDGET = None if SMALL else 1.1
INDEXES = ("btc_usd", "eth_usd")
PLENTY = 10**10

_BARE = """
COPY (
    SELECT
        index_name,
        ts AT TIME ZONE 'UTC' AS ts,
        received_at AT TIME ZONE 'UTC' AS received_at,
        price,
        source,
        resolution_s
    FROM ticks
    WHERE ts >= $start
      AND ts < $end
    ORDER BY ts, index_name
)
TO $path (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)
"""


def exports(folder: Path) -> Iterator[Row]:
    """In turn, and the fastest of each counts: a busy moment makes either slower.

    A process that exports for the first time loads libraries: a slot is exported before, and has a row of its own. The
    budget is for 30 M rows. In the small form that row only informs: there an export takes 0.06 s more.
    """
    first_s: dict[str, list[float]] = {"bare": [], "ours": []}
    took_s: dict[str, list[float]] = {"bare": [], "ours": []}
    memory = 0.0
    for number in range(ROUNDS):
        for what in took_s:
            said, memory = apart("tests.bench.exporting", what, folder / f"{what}-{number}")
            first, *its = json.loads(said)
            first_s[what].append(first)
            took_s[what] += its
    first, fastest = ({what: min(its) for what, its in each.items()} for each in (first_s, took_s))
    note = f"{fastest['ours']:.2f} s, bare {fastest['bare']:.2f} s, {ROWS:,} rows"
    yield Row("export of Parquet to bare ordered COPY", fastest["ours"] / fastest["bare"], BUDGET, "×", note)
    note = f"{len(INDEXES)} rows, with the loading of libraries; bare {first['bare']:.2f} s"
    yield Row("first export of a process", first["ours"], None, "s", note)
    yield Row("memory, export", memory, 600, "MB", f"{ROWS:,} rows")


def export_beside(served: Dashboard, path: Path, poll_seconds: int) -> Iterator[Row]:
    """The same from a dashboard that records, by HTTP."""
    begin, query = next_slot(utc_now(), timedelta(seconds=poll_seconds)), asked()
    with most_memory(served.program.process.pid) as memory:
        started = time.perf_counter()
        digest = hashlib.sha256()
        with httpx.stream("GET", f"{served.url}/api/export?{query.parameters}", timeout=300) as reply:
            for chunk in reply.raise_for_status().iter_bytes():
                digest.update(chunk)
        took_s = time.perf_counter() - started
    manifest = httpx.get(f"{served.url}/api/export/manifest?{query.parameters}").raise_for_status().json()
    assert (manifest["rows"], manifest["sha256"]) == (ROWS, digest.hexdigest())
    yield Row("memory, dashboard that exports", memory.most_mb, 600, "MB", f"{ROWS:,} rows in {took_s:.1f} s")
    yield Row("slots missed beside that export", *missed(path, begin, poll_seconds))


def asked(slots: int = ROWS // len(INDEXES)) -> ExportQuery:
    """The last slots of the long history."""
    with history(TICKS).read() as cursor:
        newest = ticks.latest(cursor, "btc_usd")
    assert newest is not None
    end = newest.ts.replace(microsecond=0)
    return ExportQuery(INDEXES, end - timedelta(seconds=slots), end)


def queries() -> list[ExportQuery]:
    """One slot, and then all rows."""
    return [asked(1), *([asked()] * REPEATED)]


def timed(export: Callable[[ExportQuery, Path], object], queries: Sequence[ExportQuery], folder: Path) -> str:
    """The seconds that each export takes, as JSON."""
    took_s = []
    for number, query in enumerate(queries):
        its = folder / str(number)
        its.mkdir(parents=True)
        started = time.perf_counter()
        export(query, its)
        took_s.append(time.perf_counter() - started)
    return json.dumps(took_s)


def bare(folder: Path) -> str:
    limit, wanted = Settings().memory_limit, queries()  # asked before, on a connection of another kind
    with duckdb.connect(history(TICKS).path, read_only=True, config={"memory_limit": limit}) as connection:

        def export(query: ExportQuery, its: Path) -> None:
            values = {"start": to_column(query.start), "end": to_column(query.end), "path": str(its / "bare.parquet")}
            connection.execute(_BARE, values)

        return timed(export, wanted, folder)


def ours(folder: Path) -> str:
    database = Database(history(TICKS).path, Settings().memory_limit, threads=1)

    def export(query: ExportQuery, its: Path) -> None:
        exports = Exports(database, PLENTY)
        exports.folder = its
        made = exports.make(query)
        assert made.rows == len(INDEXES) * ((query.end - query.start) // timedelta(seconds=1))

    return timed(export, queries(), folder)


if __name__ == "__main__":
    do({"bare": bare, "ours": ours})
