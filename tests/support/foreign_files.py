"""Writes files of prices from other sources, and imports them."""

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from store.file.database import Database
from store.intake.foreign import Columns
from store.intake.imports import import_files
from store.intake.staging import Limits


def nobody_listens(_: str, __: int, ___: int) -> None: ...


def written(path: Path, header: str, *rows: tuple[Any, ...]) -> Path:
    """A CSV file, compressed if its name ends in .gz."""
    text = "\n".join([header, *(",".join(map(str, row)) for row in rows)])
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
    list(import_files(database, [path], Columns(), nobody_listens, limits))
