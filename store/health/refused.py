"""Records that the database refuses: kept beside it with the reason, a line of JSON for each."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from store.errors import RefusedRecordError, StoreError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# What the values of a row can bring about, in the database or in the code that appends it. Anything else, such as a
# full disk or a missing table, may pass.
_OF_THE_DATA = (
    duckdb.DataError,
    duckdb.IntegrityError,
    duckdb.InvalidInputException,
    duckdb.NotSupportedError,
    ValueError,
    TypeError,
    ArithmeticError,
    AttributeError,
    LookupError,
)

_MOST_WORDS = 200


@contextlib.contextmanager
def refusals_told() -> Iterator[None]:
    """Tell a refusal of the rows themselves from other trouble. Use it around their statements, in `Database.write`.

    Raises:
        RefusedRecordError: the database takes one of the rows never.
    """
    try:
        yield
    except _OF_THE_DATA as error:
        words = " ".join(str(error).split()).encode("ascii", "replace").decode()
        raise RefusedRecordError(f"{type(error).__name__}: {words[:_MOST_WORDS]}") from error


def file_of_refused(database: Path) -> Path:
    """Where refused records are kept, until somebody takes the file away."""
    return database.with_name(f"{database.name}.refused.jsonl")


def keep_refused(database: Path, record: "DataclassInstance", reason: str, now: datetime) -> None:
    """Add a record to the file of those that were refused; it is durable when this returns.

    Raises:
        StoreError: the file can't be written.
    """
    line = {
        "refused_at": now.isoformat(),
        "reason": reason,
        "kind": type(record).__name__.lower(),
        "record": {name: _plain(value) for name, value in asdict(record).items()},
    }
    path = file_of_refused(database)
    try:
        with path.open("a") as file:
            file.write(f"{json.dumps(line)}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error.strerror}") from error


def _plain(value: Any) -> Any:
    """A value as JSON has it, whatever it is."""
    if isinstance(value, int) and value.bit_length() > 64:  # Python turns none of many thousand digits into text
        return f"{hex(value)[:_MOST_WORDS]}, {value.bit_length()} bits"
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return ascii(value) if not isinstance(value, datetime) else value.isoformat()
