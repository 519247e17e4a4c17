"""Losses: rows that a backup has and the database doesn't have. A new backup must not drop them.

Averages that finer rows replaced, ticks of an import that was undone, and derived rows are no losses.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from store.kinds import TICKS, Kind

from .copies import pattern

_GONE = """
SELECT {columns}
FROM read_parquet($old)
"""

_NOT_NOW = """
EXCEPT
SELECT {columns}
FROM read_parquet($new)
"""

_COUNT = "SELECT count(*) FROM ({gone}) AS gone"

# A tick belongs to the import that had it when it was copied: the import that listed it, else the newest import whose
# span contains it. A later import therefore claims nothing, and an import that was undone before the copy had no ticks.
_COUNT_UNEXPLAINED = """
WITH gone AS (
    SELECT *
    FROM ({gone}) AS gone
    ANTI JOIN read_parquet($overruled) AS overruled USING (index_name, ts, resolution_s, price)
),
claims AS (
    SELECT claim.*
    FROM (
        SELECT import_id, index_name, resolution_s, ts AS first, ts AS last, undone, true AS listed
        FROM read_parquet($imported)
        UNION ALL
        SELECT import_id, index_name, resolution_s, first, last, undone, false
        FROM read_parquet($import_spans)
    ) AS claim
    JOIN read_parquet($imports) AS imports ON imports.id = claim.import_id
    WHERE CASE WHEN undone THEN coalesce(undone_at > $copied_at, true) ELSE imported_at <= $copied_at END
),
taken_back AS (
    SELECT gone.index_name, gone.ts, gone.resolution_s
    FROM gone
    JOIN claims ON
        claims.index_name = gone.index_name
        AND claims.resolution_s = gone.resolution_s
        AND gone.ts BETWEEN claims.first AND claims.last
    WHERE gone.source IN ('import', 'simulator')
    GROUP BY ALL
    HAVING bool_and(undone OR NOT listed)
       AND max(import_id) FILTER (WHERE undone) > coalesce(max(import_id) FILTER (WHERE NOT undone), 0)
)
SELECT count(*)
FROM gone
ANTI JOIN taken_back USING (index_name, ts, resolution_s)
"""

_EXPLAINING = ("overruled", "imports", "imported", "import_spans")


def lost(
    parquet: DuckDBPyConnection,
    kind: Kind,
    old: Path,
    copied_at: datetime,
    new: Path | None,
    copies: Mapping[str, Path],
) -> int:
    """The number of rows of an old copy of a day that are lost.

    Args:
        parquet: any connection.
        kind: the kind of the rows. Ticks may be gone for a reason, and derived rows can be made anew.
        old: the old copy.
        copied_at: the instant of the old copy.
        new: the new copy of the day; None if the day has no rows now.
        copies: the new copies of other tables, by name.
    """
    if kind.derived:
        return 0
    gone = (_GONE if new is None else _GONE + _NOT_NOW).format(columns=", ".join(kind.column_names))
    values: dict[str, Any] = {"old": pattern(old)} | ({} if new is None else {"new": pattern(new)})
    if kind is TICKS:
        values |= {name: pattern(copies[name]) for name in _EXPLAINING} | {"copied_at": copied_at}
    query = _COUNT_UNEXPLAINED if kind is TICKS else _COUNT
    ((count,),) = parquet.execute(query.format(gone=gone), values).fetchall()
    return int(count)
