"""The statement that reads the rows of an exported file, whatever the order of its columns."""

from store.export.selection import columns_of
from store.intake.files.times import Times
from store.intake.rows.contents import Contents
from store.intake.rows.reading import instant_in
from store.kinds import Column, Kind

from .limits import as_it_was

ISO = Times(odd=False, order=None, words="ISO 8601")
"""How exports write times."""

_ROWS = """
SELECT
    {columns},
    row + 1 AS row
FROM read_parquet($path, file_row_number = true) AS file({places}, row)
"""

_WHOLE = "CASE WHEN TRY_CAST({place} AS DOUBLE) % 1 = 0 THEN TRY_CAST(TRY_CAST({place} AS DOUBLE) AS INTEGER) END"


def rows_of(contents: Contents, kind: Kind) -> str:
    """The statement for the rows of a file: each column of an export, as its type and as it was, and the row's number.

    A value that can't be read is NULL. Rows are counted from 1. The statement needs $path.
    """
    columns = []
    for column in columns_of(kind):
        name = contents.by_name[column.name]
        place = contents.places[name]
        columns += [
            f"{_read(column, place, contents.types[name])} AS {column.name}",
            f"{place} AS {as_it_was(column.name)}",
        ]
    return _ROWS.format(columns=",\n    ".join(columns), places=", ".join(contents.places.values()))


def _read(column: Column, place: str, type_: str) -> str:
    if column.type == "TIMESTAMP":
        return ISO.instant(place) if type_ == "VARCHAR" else instant_in(place, type_)
    if type_ == "BOOLEAN":
        return f"CAST(NULL AS {column.type})"
    if column.type == "INTEGER":
        return _WHOLE.format(place=place)
    return f"TRY_CAST({place} AS {column.type})"
