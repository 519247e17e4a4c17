"""Writes the formats of an export table by table, so that only a few tables are in memory."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from .query import ExportQuery
from .selection import columns_in

_INSTANT = pa.timestamp("us", "UTC")

_TYPES = {
    "VARCHAR": pa.string(),
    "TIMESTAMP": _INSTANT,
    "DOUBLE": pa.float64(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
}
"""Arrow types by DuckDB types."""

CANDLES = pa.schema(
    [
        ("index_name", pa.string()),
        ("open_time", _INSTANT),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("tick_count", pa.int64()),
        ("observed_count", pa.int64()),
        ("resolution_s", pa.int32()),
    ]
)

_TEXTS = (_INSTANT, pa.float64())

_ROW_GROUP = 122_880
"""The rows of a Parquet row group, which a reader skips or reads as a whole; DuckDB's own size."""

_REPEATED = (pa.string(), pa.int32())
"""Columns of these types repeat few values, and Parquet writes each value once."""

_LEVEL = 4
"""The level of gzip. With 1 M ticks, the usual level 6 takes three times as long for a file 2 % smaller."""

_MADE = datetime(2000, 1, 1)  # noqa: DTZ001 Excel knows no zones
"""The creation time in each workbook is constant, so that equal exports have equal bytes."""


class Writer(Protocol):
    """Takes the rows of an export, in their order."""

    def write(self, table: pa.Table) -> int:
        """Add rows; return how many fit."""


def schema_of(query: ExportQuery) -> pa.Schema:
    """The columns of an export. For CSV, times and numbers with a fraction are text already."""
    rows = pa.schema([(column.name, _TYPES[column.type]) for column in columns_in(query)])
    schema = CANDLES if query.interval else rows
    if query.format != "csv":
        return schema
    return pa.schema([field.with_type(pa.string()) if field.type in _TEXTS else field for field in schema])


@contextmanager
def open_writer(path: Path, query: ExportQuery, facts: dict[str, Any], sheet: int) -> Iterator[Writer]:
    """A writer of the query's file; the file is complete when the block ends.

    An Excel sheet takes `sheet` rows.
    """
    schema = schema_of(query)
    if query.format == "parquet":
        with _parquet(path, query, schema, facts) as writer:
            yield writer
    elif query.format == "csv":
        with _csv(path, schema) as writer:
            yield writer
    else:
        with _excel(path, query, schema, facts, sheet) as writer:
            yield writer


class _Parquet:
    """Each row group has the same number of rows, so that the bytes don't depend on the sizes of the tables."""

    def __init__(self, writer: pyarrow.parquet.ParquetWriter, schema: pa.Schema) -> None:
        self._writer = writer
        self._left = schema.empty_table()

    def write(self, table: pa.Table) -> int:
        rows = pa.concat_tables([self._left, table])
        whole = rows.num_rows // _ROW_GROUP * _ROW_GROUP
        for first in range(0, whole, _ROW_GROUP):
            self._group(rows.slice(first, _ROW_GROUP))
        self._left = rows.slice(whole)
        return len(table)

    def finish(self) -> None:
        if self._left.num_rows:
            self._group(self._left)

    def _group(self, rows: pa.Table) -> None:
        self._writer.write_table(rows.combine_chunks(), row_group_size=_ROW_GROUP)


@contextmanager
def _parquet(path: Path, query: ExportQuery, schema: pa.Schema, facts: dict[str, Any]) -> Iterator[_Parquet]:
    described = {f"tickwell.{name}": json.dumps(fact, ensure_ascii=False) for name, fact in facts.items()}
    with pyarrow.parquet.ParquetWriter(
        path,
        schema.with_metadata(described),
        compression="zstd",
        use_dictionary=[field.name for field in schema if field.type in _REPEATED],
        sorting_columns=pyarrow.parquet.SortingColumn.from_ordering(schema, [(query.time, "ascending")]),
    ) as file:
        writer = _Parquet(file, schema)
        yield writer
        writer.finish()


class _Csv:
    def __init__(self, writer: pyarrow.csv.CSVWriter) -> None:
        self._writer = writer

    def write(self, table: pa.Table) -> int:
        self._writer.write_table(table)
        return len(table)


@contextmanager
def _csv(path: Path, schema: pa.Schema) -> Iterator[_Csv]:
    quoted = pyarrow.csv.WriteOptions(quoting_style="needed", quoting_header="needed")
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=_LEVEL, mtime=0) as packed,
        pyarrow.csv.CSVWriter(packed, schema, write_options=quoted) as writer,
    ):
        yield _Csv(writer)


class _Excel:
    """Times are Excel times, which have no zone and a precision of milliseconds: the names of their columns say UTC."""

    def __init__(self, sheet: Any, schema: pa.Schema, rows: int) -> None:
        self._sheet = sheet
        self._rows = rows
        self._next = 1
        self.capped = False
        sheet.freeze_panes(1, 1)
        for column, field in enumerate(schema):
            instant = pa.types.is_timestamp(field.type)
            sheet.set_column(column, column, 24 if instant else 14)
            sheet.write_string(0, column, f"{field.name} (UTC)" if instant else field.name)

    def write(self, table: pa.Table) -> int:
        rows = table.slice(0, self._rows + 1 - self._next)
        columns = [column.to_pylist() for column in rows.itercolumns()]
        for row in zip(*columns, strict=True):
            self._sheet.write_row(self._next, 0, row)
            self._next += 1
        self.capped = len(rows) < len(table)
        return len(rows)


@contextmanager
def _excel(path: Path, query: ExportQuery, schema: pa.Schema, facts: dict[str, Any], sheet: int) -> Iterator[_Excel]:
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    options = {
        "constant_memory": True,
        "tmpdir": str(path.parent),
        "remove_timezone": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "default_date_format": "yyyy-mm-dd hh:mm:ss.000",
    }
    try:
        with xlsxwriter.Workbook(path, options) as book:
            book.set_properties({"created": _MADE})
            writer = _Excel(book.add_worksheet(query.rows_are), schema, sheet)
            yield writer
            about = book.add_worksheet("about")
            about.set_column(1, 1, 100)
            for row, (name, fact) in enumerate({**facts, "capped": writer.capped}.items()):
                about.write_row(row, 0, [name, json.dumps(fact, ensure_ascii=False)[:32_000]])
    except FileCreateError as error:
        raise OSError(str(error)) from error
