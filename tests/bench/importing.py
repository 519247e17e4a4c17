"""What an import and a rebuild cost, in time and in memory, each in a process of its own."""

import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from settings import Settings
from store import Database, candles, utc_now
from store.foreign import Columns
from store.imports import import_files
from tests.bench.apart import apart, do
from tests.bench.long_history import history
from tests.bench.row import TICKS, Row

ROWS = min(30_000_000, TICKS // 2)

_BARE = """
INSERT INTO ticks
SELECT index_name, ts, NULL, price, 'import', 0
FROM read_parquet($path)
"""

_WRITE = """
COPY (
    SELECT index_name, ts, price
    FROM source.ticks
    ORDER BY ts
    LIMIT {rows}
)
TO '{path}' (FORMAT parquet, COMPRESSION zstd)
"""


def imports(folder: Path) -> Iterator[Row]:
    path = folder / "prices.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{history(TICKS).path}' AS source (READ_ONLY)")
        connection.execute(_WRITE.format(rows=ROWS, path=path))
    bare_s, _ = measured("bare", path, folder / "bare-import.duckdb")
    ours_s, memory = measured("ours", path, folder / "import.duckdb")
    note = f"{ours_s:.1f} s with candles, bare {bare_s:.1f} s, {ROWS:,} rows, {ROWS / ours_s / 1e6:.1f} M a second"
    yield Row("import of Parquet to bare INSERT … SELECT", ours_s / bare_s, 2, "×", note)
    yield Row("memory, import", memory, 600, "MB", f"{ROWS:,} rows")
    took_s, memory = measured("rebuild", path, folder / "import.duckdb")
    yield Row("memory, rebuild", memory, 600, "MB", f"{ROWS:,} rows in {took_s:.1f} s")


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
    started = time.perf_counter()
    (imported,) = import_files(database, [path], Columns(), lambda _what, _done, _total: None)
    assert imported.stored == ROWS
    return time.perf_counter() - started


def rebuild(_: Path, target: Path) -> float:
    started = time.perf_counter()
    candles.rebuild(Database(target, Settings().memory_limit), utc_now())
    return time.perf_counter() - started


if __name__ == "__main__":
    do({"bare": bare, "ours": ours, "rebuild": rebuild})
