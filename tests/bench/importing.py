"""What an import and a rebuild cost, in time and in memory, each in a process of its own."""

import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from settings import Settings
from store.file.database import Database
from store.intake.imports import import_files
from store.intake.rows.foreign import Columns
from store.models import to_column, utc_now
from store.prices import candles
from tests.bench.apart import apart, do
from tests.bench.long_history import PRICES
from tests.bench.row import SMALL, Row

ROWS = 10_000_000 if SMALL else 30_000_000  # with fewer, what does not depend on the rows decides
ROUNDS = 2

_BARE = """
INSERT INTO ticks
SELECT index_name, ts, NULL, price, 'import', 0
FROM read_parquet($path)
"""

_WRITE = f"""
COPY (
    SELECT index_name, ts, price
    FROM ({PRICES})
    ORDER BY ts
)
TO $path (FORMAT parquet, COMPRESSION zstd)
"""


def imports(folder: Path) -> Iterator[Row]:
    path = folder / "prices.parquet"
    with duckdb.connect() as connection:
        connection.execute(_WRITE, {"path": str(path), "count": ROWS, "end": to_column(utc_now())})
    took_s: dict[str, float] = {}
    memory: dict[str, float] = {}
    for number in range(ROUNDS):  # in turn, and the faster one of each counts: a busy moment makes either slower
        for what in ("bare", "ours"):
            seconds, memory[what] = measured(what, path, folder / f"{what}-{number}.duckdb")
            took_s[what] = min(seconds, took_s.get(what, seconds))
    note = f"{took_s['ours']:.1f} s with candles, bare {took_s['bare']:.1f} s, {ROWS:,} rows"
    yield Row("import of Parquet to bare INSERT … SELECT", took_s["ours"] / took_s["bare"], 2, "×", note)
    yield Row("memory, import", memory["ours"], 600, "MB", f"{ROWS:,} rows")
    seconds, rebuilding = measured("rebuild", folder / "ours-0.duckdb")
    yield Row("memory, rebuild", rebuilding, 600, "MB", f"{ROWS:,} rows in {seconds:.1f} s")


def measured(what: str, *paths: Path) -> tuple[float, float]:
    """One of the works below: how many seconds it took, and how many MB."""
    said, memory = apart("tests.bench.importing", what, *paths)
    return float(said), memory


def bare(path: Path, target: Path) -> float:
    with duckdb.connect(target, config={"memory_limit": Settings().memory_limit}) as connection:
        connection.execute(
            "CREATE TABLE ticks (index_name VARCHAR, ts TIMESTAMP, received_at TIMESTAMP, price DOUBLE, "
            "source VARCHAR, resolution_s INTEGER)"
        )
        started = time.perf_counter()
        connection.execute(_BARE, {"path": str(path)})
        return time.perf_counter() - started


def ours(path: Path, target: Path) -> float:
    database = Database(target, Settings().memory_limit)
    database.migrate()
    started = time.perf_counter()
    told: list[tuple[str, int, int]] = []
    (imported,) = import_files(database, [path], Columns(), lambda *progress: told.append(progress))
    took_s = time.perf_counter() - started
    assert imported.stored == ROWS
    assert len(told) > 2, "an import shows its progress"
    return took_s


def rebuild(target: Path) -> float:
    started = time.perf_counter()
    candles.rebuild(Database(target, Settings().memory_limit), utc_now())
    return time.perf_counter() - started


if __name__ == "__main__":
    do({"bare": bare, "ours": ours, "rebuild": rebuild})
