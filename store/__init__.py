"""Keeps what is recorded: one DuckDB file, used by several processes. The only package that imports duckdb."""

from duckdb import DuckDBPyConnection as Cursor

from .database import Database
from .errors import (
    BusyError,
    FileError,
    ForeignExchangeError,
    NewerSchemaError,
    NoDatabaseError,
    OlderSchemaError,
    RecorderError,
    RefusedRecordError,
    StoreError,
    UnreadableError,
)
from .models import RECORDER_DOWN, Cause, Exchange, Gap, GapState, Miss, Run, Tick, utc_now

__all__ = [
    "RECORDER_DOWN",
    "BusyError",
    "Cause",
    "Cursor",
    "Database",
    "Exchange",
    "FileError",
    "ForeignExchangeError",
    "Gap",
    "GapState",
    "Miss",
    "NewerSchemaError",
    "NoDatabaseError",
    "OlderSchemaError",
    "RecorderError",
    "RefusedRecordError",
    "Run",
    "StoreError",
    "Tick",
    "UnreadableError",
    "utc_now",
]
