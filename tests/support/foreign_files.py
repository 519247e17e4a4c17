"""Writes files of prices from other sources, and imports them."""

import gzip
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from store.file.database import Database
from store.intake.imports import import_files
from store.intake.rows.foreign import Columns
from store.intake.rows.work import Limits
from store.intake.staging import Ready, ready
from store.models import from_column


def nobody_listens(_: str, __: int, ___: int) -> None: ...


def written(path: Path, header: str, *rows: tuple[Any, ...]) -> Path:
    """A CSV file, compressed if its name ends in .gz."""
    text = "".join(f"{line}\n" for line in [header, *(",".join(map(str, row)) for row in rows)])
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def parquet(path: Path, query: str) -> Path:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY ({query}) TO '{path}'")
    return path


Row = tuple[str, Any, float, int]
"""Index, time, price and resolution."""


def import_rows(database: Database, folder: Path, rows: Sequence[Row], limits: Limits = Limits()) -> None:
    path = written(
        folder / "prices.csv",
        "index_name,ts,price,resolution_s",
        *((name, ts.isoformat(), price, over_s) for name, ts, price, over_s in rows),
    )
    list(import_files(database, [path], Columns(), nobody_listens, limits, sure=True))


_BTC = Columns(index_name="btc_usd")


def ready_in(path: Path, folder: Path, columns: Columns = _BTC) -> Ready:
    """A file that is ready to be imported, with its copies in a folder."""
    found = ready(path, columns, folder, "256MB", nobody_listens, Limits(), aside=False)
    assert isinstance(found, Ready)
    return found


def ticks_of(file: Ready) -> list[tuple[datetime, float]]:
    """The times and prices that an import of a file would store, in the order of time."""
    statement = f"SELECT ts, price FROM ({file.reading.rows}) ORDER BY ts"
    return [(from_column(ts), price) for ts, price in _reader().execute(statement, file.reading.values).fetchall()]


@cache
def _reader() -> duckdb.DuckDBPyConnection:
    """A connection for all tests: to make one takes longer than to read a small file."""
    return duckdb.connect()
