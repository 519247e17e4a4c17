"""A batch: rows of a file in memory, read under one lease and ready to be compared with the lake."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection

from store.kinds import KINDS, TICKS, Kind
from store.ledger.due import HEARD_AT
from store.models import CLOCKS_AGREE

from .spans import HEALED, Span
from .tables import OF_RECORDERS, RUNS, SNAPSHOTS

if TYPE_CHECKING:
    import pyarrow as pa

# The period that a feed had when the row was received says which slot the row fills.
_WITH_PERIOD = f"""
WITH periods AS (
    SELECT
        started_at,
        unnest(map_keys(feeds)) AS its_feed,
        unnest(map_values(feeds)) AS period_s
    FROM runs
),
placed AS (
    SELECT {{columns}}, {HEARD_AT} AS heard_at
    FROM {{table}}
    WHERE ts BETWEEN $first AND $last
)
SELECT
    {{columns}},
    CASE WHEN {{in_slots}} THEN period_s END AS period_s
FROM placed
ASOF LEFT JOIN periods ON its_feed = {{feed}} AND heard_at >= started_at
ORDER BY ts
"""  # noqa: S608 the time is a constant

_ROWS = """
SELECT {columns}
FROM {table}
WHERE {time} BETWEEN $first AND $last
  AND {condition}
ORDER BY {time}
"""

OBSERVED = "resolution_s = 0 AND source <> 'import'"
"""The ticks of which a slot has one. Imported ones may come more often."""

_NAMED = "(SELECT * REPLACE (coalesce(recorder, $recorder) AS recorder) FROM {table})"

Batch = Mapping[str, "pa.Table"]
"""Rows by the name of what they are: a table, or `healed` of one."""


def healed(kind: Kind) -> str:
    """The name of those rows of a kind that its snapshots did not bring."""
    return f"{kind.table}_healed"


def named(kind: Kind) -> str:
    """The rows of a kind in a file, as an SQL relation. Those without the name of a recorder get `$recorder`."""
    return _NAMED.format(table=kind.table) if kind in OF_RECORDERS else kind.table


def read(cursor: DuckDBPyConnection, spans: Mapping[str, Span], recorder: str) -> Batch:
    """The rows in these spans. The rows that snapshots brought come with the span of the snapshots.

    Args:
        cursor: of a lease of the file.
        spans: by table.
        recorder: the name that rows of versions without names get.
    """
    return {name: table for name, table in _read(cursor, spans, recorder) if table.num_rows}


def read_runs(cursor: DuckDBPyConnection, recorder: str) -> Batch:
    """All runs of a file: few rows, which change when runs end."""
    values = {"recorder": recorder}
    columns = ", ".join(RUNS.column_names)
    runs: pa.Table = cursor.sql(f"SELECT {columns} FROM {named(RUNS)}", params=values).to_arrow_table()  # noqa: S608 constants
    return {RUNS.table: runs} if runs.num_rows else {}


def _read(cursor: DuckDBPyConnection, spans: Mapping[str, Span], recorder: str) -> Iterator[tuple[str, "pa.Table"]]:
    for kind in OF_RECORDERS:
        if (span := spans.get(kind.table)) is not None:
            yield kind.table, _rows(cursor, kind, span, "true", {"recorder": recorder})
    for kind, in_slots in ((TICKS, OBSERVED), (SNAPSHOTS, "true")):
        if (span := spans.get(kind.table)) is not None:
            columns = ", ".join(kind.column_names)
            query = _WITH_PERIOD.format(table=kind.table, columns=columns, feed=kind.key[0], in_slots=in_slots)
            values = span._asdict() | {"clocks_agree": CLOCKS_AGREE}
            yield kind.table, cursor.sql(query, params=values).to_arrow_table()
    for kind in KINDS:
        if kind.snapshots and (span := spans.get(SNAPSHOTS.table)) is not None:
            yield kind.table, _rows(cursor, kind, span, f"NOT ({HEALED})" if kind.has_source else "true")
        if kind is not TICKS and (span := spans.get(kind.table)) is not None:
            name = healed(kind) if kind.snapshots else kind.table
            yield name, _rows(cursor, kind, span, HEALED if kind.snapshots else "true")


def _rows(
    cursor: DuckDBPyConnection, kind: Kind, span: Span, condition: str, more: Mapping[str, str] | None = None
) -> "pa.Table":
    columns = ", ".join(kind.column_names)
    query = _ROWS.format(columns=columns, table=named(kind), time=kind.time, condition=condition)
    return cursor.sql(query, params={**span._asdict(), **(more or {})}).to_arrow_table()
