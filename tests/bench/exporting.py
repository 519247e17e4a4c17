"""What an export costs, in time and in memory: by itself, and from a dashboard that records."""

import hashlib
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import httpx

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
from tests.browser.conftest import Dashboard

ROWS = min(30_000_000, TICKS // 2)
ROUNDS = 1 if SMALL else 2
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
    """In turn, and the faster one of each counts: a busy moment makes either slower."""
    took_s: dict[str, float] = {}
    memory: dict[str, float] = {}
    for number in range(ROUNDS):
        for what in ("bare", "ours"):
            said, memory[what] = apart("tests.bench.exporting", what, folder / f"{what}-{number}")
            took_s[what] = min(float(said), took_s.get(what, float(said)))
    note = f"{took_s['ours']:.1f} s, bare {took_s['bare']:.1f} s, {ROWS:,} rows"
    yield Row("export of Parquet to bare ordered COPY", took_s["ours"] / took_s["bare"], 1.1, "×", note)
    yield Row("memory, export", memory["ours"], 600, "MB", f"{ROWS:,} rows")


def export_beside(served: Dashboard, path: Path, poll_seconds: int) -> Iterator[Row]:
    """The same from a dashboard that records, by HTTP."""
    begin, query = utc_now().replace(microsecond=0) + timedelta(seconds=poll_seconds), asked()
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


def asked() -> ExportQuery:
    """So many rows up to where the long history was made to end."""
    with history(TICKS).read() as cursor:
        newest = ticks.latest(cursor, "btc_usd")
    assert newest is not None
    end = newest.ts.replace(microsecond=0)
    return ExportQuery(INDEXES, end - timedelta(seconds=ROWS // len(INDEXES)), end)


def bare(folder: Path) -> float:
    folder.mkdir()
    query = asked()
    values = {"start": to_column(query.start), "end": to_column(query.end), "path": str(folder / "bare.parquet")}
    limit = Settings().memory_limit
    with duckdb.connect(history(TICKS).path, read_only=True, config={"memory_limit": limit}) as connection:
        started = time.perf_counter()
        connection.execute(_BARE, values)
        return time.perf_counter() - started


def ours(folder: Path) -> float:
    exports = Exports(Database(history(TICKS).path, Settings().memory_limit), PLENTY)
    exports.folder = folder
    started = time.perf_counter()
    made = exports.make(asked())
    took_s = time.perf_counter() - started
    assert made.rows == ROWS
    return took_s


if __name__ == "__main__":
    do({"bare": bare, "ours": ours})
