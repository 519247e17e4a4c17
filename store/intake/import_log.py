"""Which ticks belong to which import, so that an import can be undone.

Rows of `ticks` don't say it. Where no other import has rows of an index and resolution, the time span of the stored
rows is noted, and all imported rows in the span belong to the import. Rows between other imports' rows are listed one
by one, and a listed row belongs to no span. So a bulk import takes a few spans, and spans of one kind never overlap.
What an import stored of a market is always listed, by `market.storing`.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from store.models import from_column, to_column, utc_now

_BEGIN = """
INSERT INTO imports (id, path, imported_at, stored, left_out, overruled)
SELECT coalesce(max(id), 0) + 1, $path, $imported_at, 0, 0, 0
FROM imports
RETURNING id
"""

_FINISH = """
UPDATE imports
SET finished_at = $finished_at
WHERE id = $import_id
"""

_COUNT = """
UPDATE imports
SET
    stored = stored + $stored,
    left_out = left_out + $left_out,
    overruled = overruled + $overruled
WHERE id = $import_id
"""

# Rows of the simulator are listed, since its recorder may store such rows as well.
_EXTENTS = """
CREATE OR REPLACE TEMP TABLE extents AS
WITH found AS (
    SELECT
        index_name,
        min(ts) AS first,
        max(ts) AS last,
        bool_and(source = 'import') AS alike
    FROM {rows}
    GROUP BY index_name
)
SELECT
    index_name,
    first,
    last,
    alike AND index_name NOT IN (FROM ({taken})) AS alone
FROM found
"""

_SPANS = """
SELECT found.index_name
FROM found
JOIN import_spans AS span USING (index_name)
WHERE NOT span.undone
  AND span.resolution_s = $resolution_s
  AND span.first <= found.last
  AND span.last >= found.first
"""

_SPANS_AND_ROWS = f"""
{_SPANS}
UNION ALL
SELECT found.index_name
FROM found
JOIN (
    SELECT index_name, ts, source, resolution_s
    FROM ticks
    UNION ALL
    SELECT index_name, ts, source, resolution_s
    FROM overruled
) AS stored USING (index_name)
WHERE stored.ts BETWEEN $first AND $last
  AND stored.source = 'import'
  AND stored.resolution_s = $resolution_s
  AND stored.ts BETWEEN found.first AND found.last
"""  # noqa: S608 the spans are the constant above

_ADD_SPANS = """
INSERT INTO import_spans (import_id, index_name, resolution_s, first, last, undone)
SELECT $import_id, index_name, $resolution_s, first, last, false
FROM extents
WHERE alone
"""

_ADD_ROWS = """
INSERT INTO imported (import_id, index_name, resolution_s, ts, undone)
SELECT $import_id, index_name, $resolution_s, ts, false
FROM {rows}
WHERE index_name IN (SELECT index_name FROM extents WHERE NOT alone)
"""

_OF_PORTION = "(SELECT index_name, ts, source FROM portion WHERE ts BETWEEN $first AND $last)"
_OBSERVED = "(SELECT index_name, ts, source FROM ticks WHERE ts BETWEEN $first AND $last AND resolution_s = 0)"

_LIST = """
SELECT id, path, imported_at, finished_at, undone_at, stored, left_out, overruled
FROM imports
ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Import:
    """A file that was imported.

    Attributes:
        id: counted from 1.
        path: of the file.
        imported_at: when it began.
        finished_at: when all of it was stored; None if it was interrupted.
        undone_at: when it was undone; None if it was not.
        stored: how many rows were stored.
        left_out: how many rows were left out, because the file or the database had something as fine.
        overruled: how many averages these rows replaced.
    """

    id: int
    path: str
    imported_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None
    stored: int
    left_out: int
    overruled: int


def begin(cursor: DuckDBPyConnection, path: Path) -> int:
    """Note the begin of an import and return its id."""
    values = {"path": str(path), "imported_at": to_column(utc_now())}
    ((import_id,),) = cursor.execute(_BEGIN, values).fetchall()
    return int(import_id)


def finish(cursor: DuckDBPyConnection, import_id: int) -> None:
    """Note that all rows of an import are stored."""
    cursor.execute(_FINISH, {"import_id": import_id, "finished_at": to_column(utc_now())})


def count(cursor: DuckDBPyConnection, import_id: int, stored: int, left_out: int, overruled: int) -> None:
    """Add to the counts of an import."""
    values = {"import_id": import_id, "stored": stored, "left_out": left_out, "overruled": overruled}
    cursor.execute(_COUNT, values)


def claim_portion(
    cursor: DuckDBPyConnection, import_id: int, first: datetime, last: datetime, resolution_s: int
) -> None:
    """Note the rows of the table `portion`, from `first` to `last`, as an import's, before they become ticks."""
    _claim(cursor, import_id, _OF_PORTION, _SPANS_AND_ROWS, resolution_s, first, last)


def claim_between(cursor: DuckDBPyConnection, import_id: int, first: datetime, last: datetime) -> None:
    """Note all observations from `first` to `last` as an import's, which just stored them where none was."""
    _claim(cursor, import_id, _OBSERVED, _SPANS, 0, first, last)


def _claim(
    cursor: DuckDBPyConnection,
    import_id: int,
    rows: str,
    taken: str,
    resolution_s: int,
    first: datetime,
    last: datetime,
) -> None:
    which: dict[str, Any] = {"import_id": import_id, "resolution_s": resolution_s}
    between = {"first": to_column(first), "last": to_column(last)}
    cursor.execute(_EXTENTS.format(rows=rows, taken=taken), between | {"resolution_s": resolution_s})
    cursor.execute(_ADD_SPANS, which)
    cursor.execute(_ADD_ROWS.format(rows=rows), which | between)


def imports(cursor: DuckDBPyConnection) -> list[Import]:
    """All imports, the oldest first."""
    return [_import(row) for row in cursor.execute(_LIST).fetchall()]


def _import(row: tuple[Any, ...]) -> Import:
    import_id, path, imported_at, finished_at, undone_at, *counts = row
    return Import(
        import_id,
        path,
        from_column(imported_at),
        finished_at and from_column(finished_at),
        undone_at and from_column(undone_at),
        *counts,
    )
