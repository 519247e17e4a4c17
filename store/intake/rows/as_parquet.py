"""A foreign file as Parquet: the file itself, or a copy of its texts."""

import glob
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from store.intake.files.candles import LAYOUTS, TIMES, unnamed_close
from store.intake.files.packing import unpacked
from store.intake.files.sheet import sheet_of
from store.intake.files.table import Table, table_of
from store.intake.files.text import in_utf8, text_of

from .contents import KNOWN_AS
from .foreign import Columns
from .likeness import refuse_rows_unlike
from .work import Work

_KNOWN_TIMES = (*KNOWN_AS["time"], *TIMES)


# All is said, so DuckDB guesses nothing.
_TO_TEXTS = """
COPY (
    FROM read_csv(
        $path,
        auto_detect = false,
        columns = $columns,
        delim = $separator,
        quote = '"',
        escape = '"',
        skip = $skip,
        header = false,
        store_rejects = true,
        rejects_limit = 0
    )
)
TO $to (FORMAT parquet)
"""
_FORGET_REJECTED = "DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans"

_TORN = """
CREATE TEMP TABLE torn AS
SELECT
    'line ' || line || ': ' || lower(any_value(error_type)) AS fault,
    any_value(csv_line) AS text
FROM {rejected}
GROUP BY line
ORDER BY line
"""
_NONE_REJECTED = "(SELECT NULL AS line, NULL AS error_type, NULL AS csv_line WHERE false)"


@dataclass(frozen=True, slots=True)
class File:
    """A file as Parquet.

    Attributes:
        path: a pattern that matches only the file.
        form: what it was, in words.
        ours: is it a copy that we wrote?
        cut: may its last row be cut?
        semicolons: did semicolons separate the fields?
        close: the column with the closes of candles, if its columns have no names.
    """

    path: str
    form: str
    ours: bool = True
    cut: bool = False
    semicolons: bool = False
    close: str | None = None


def as_parquet(work: Work, columns: Columns) -> File:
    """The file, or a copy of its texts if it is no Parquet."""
    found = unpacked(work.path, work.folder)
    packed = f", packed by {' in '.join(found.packings)}" if found.packings else ""
    if found.kind == "parquet":
        work.scratch.execute(_TORN.format(rejected=_NONE_REJECTED))
        return File(glob.escape(str(found.path)), f"Parquet{packed}", ours=False)
    kind, path = "text", found.path
    if found.kind == "xlsx":
        sheet = sheet_of(found.path, work.folder, str(work.path), _KNOWN_TIMES)
        kind, path = f"sheet {sheet.name!r} of Excel", sheet.path
    text = text_of(path, work.folder, str(work.path))
    table = _named(table_of(text.head, _KNOWN_TIMES, str(work.path)), columns.like, str(work.path))
    place = None if table.named else unnamed_close(table.rows)
    target = work.folder / "texts.parquet"
    _read_texts(work, text.path, table, target)
    for copy in {found.path, text.path} - {work.path}:
        copy.unlink(missing_ok=True)
    form = kind if found.kind == "xlsx" else f"text in {text.encoding}{packed}, {table}"
    return File(
        glob.escape(str(target)),
        form,
        cut=_is_cut(work, text.cut),
        semicolons=table.separator == ";",
        close=None if place is None else table.names[place],
    )


def _named(table: Table, like: str | None, called: str) -> Table:
    """The table with the names that the tool's files have, if the user named the tool and the file has none."""
    if table.named or like is None or not LAYOUTS[like].names:
        return table
    names = LAYOUTS[like].names
    refuse_rows_unlike(table.rows, like, called)
    width = len(table.names)
    return replace(table, names=(*names[:width], *table.names[len(names) :]))


def _read_texts(work: Work, path: Path, table: Table, target: Path) -> None:
    values: dict[str, Any] = {
        "path": glob.escape(str(path)),
        "columns": dict.fromkeys(table.names, "VARCHAR"),
        "separator": table.separator,
        "skip": table.skip,
        "to": str(target),
    }
    try:
        work.run("reading", _TO_TEXTS, values)
    except duckdb.InvalidInputException:  # of the line ends of a file that has several kinds DuckDB says no more
        work.scratch.execute(_FORGET_REJECTED)
        work.run("reading", _TO_TEXTS, values | {"path": glob.escape(str(in_utf8(path, work.folder)))})
    work.scratch.execute(_TORN.format(rejected="reject_errors"))


def _is_cut(work: Work, cut: str | None) -> bool:
    """Was the last line read as a row, though it may be cut?"""
    return cut is not None and not work.ask("FROM torn WHERE text = $cut LIMIT 1", {"cut": cut})
