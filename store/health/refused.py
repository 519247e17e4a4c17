"""Records that the database refuses: they are kept in a file beside it with the reason, a line of JSON each."""

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

# The errors that the values of a row can cause, in the database or in the code that appends it, and the errors of a
# missing or changed table, which must cost its own feed alone. Any other error, such as a full disk, may pass.
_OF_THE_ROWS = (
    duckdb.CatalogException,
    duckdb.BinderException,
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
    """Raise a refusal of the rows themselves as such. Use it around their statements, in `Database.write`.

    Raises:
        RefusedRecordError: the database does not accept one of the rows, or their table is missing or broken.
    """
    try:
        yield
    except _OF_THE_ROWS as error:
        words = " ".join(str(error).split()).encode("ascii", "replace").decode()
        raise RefusedRecordError(f"{type(error).__name__}: {words[:_MOST_WORDS]}") from error


def file_of_refused(database: Path) -> Path:
    """The file with the refused records. It grows until somebody moves it away."""
    return database.with_name(f"{database.name}.refused.jsonl")


def keep_refused(database: Path, record: "DataclassInstance", reason: str, now: datetime) -> None:
    """Add a record to the file of refused records; the record is durable when this returns.

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
    """Any value in JSON types."""
    if isinstance(value, int) and value.bit_length() > 64:  # Python turns no number of thousands of digits into text
        return f"{hex(value)[:_MOST_WORDS]}, {value.bit_length()} bits"
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return ascii(value) if not isinstance(value, datetime) else value.isoformat()
