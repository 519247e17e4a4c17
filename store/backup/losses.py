"""Losses: rows that a backup has and the database doesn't have. A new backup must not drop them.

What finer rows replaced, rows of an import that was undone, and derived rows are no losses.
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

# Several imports can list one row of a market. The row stays until each of them is undone.
_COUNT_UNEXPLAINED_OF_MARKETS = """
WITH taken_back AS (
    SELECT index_name, resolution_s, ts, instrument_name
    FROM read_parquet($imported) AS imported
    JOIN read_parquet($imports) AS imports ON imports.id = imported.import_id
    GROUP BY ALL
    HAVING bool_and(undone)
       AND bool_or(undone_at IS NULL OR undone_at > $copied_at)
)
SELECT count(*)
FROM ({gone}) AS gone
WHERE NOT EXISTS (
    FROM taken_back
    WHERE taken_back.index_name = $begin || gone.{name}
      AND taken_back.ts = gone.{time}
      AND taken_back.resolution_s = {resolution_s}
      AND {instrument}
)
AND NOT ({gave_way})
"""

_OF_INSTRUMENT = "coalesce(taken_back.instrument_name, gone.instrument_name) = gone.instrument_name"

# A snapshot replaces the trades of its minute.
_GAVE_WAY = """
    gone.resolution_s = 60
    AND EXISTS (
        FROM read_parquet($new) AS new
        WHERE new.resolution_s = 0
          AND new.{name} = gone.{name}
          AND date_trunc('minute', new.{time}) = gone.{time}
    )
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
        kind: the kind of the rows. Rows may be gone for a reason, and derived rows can be made anew.
        old: the old copy.
        copied_at: the instant of the old copy.
        new: the new copy of the day; None if the day has no rows now.
        copies: the new copies of other tables, by name.
    """
    if kind.derived:
        return 0
    gone = (_GONE if new is None else _GONE + _NOT_NOW).format(columns=", ".join(kind.column_names))
    values: dict[str, Any] = {"old": pattern(old)} | ({} if new is None else {"new": pattern(new)})
    names = _EXPLAINING if kind is TICKS else ("imports", "imported")
    values |= {name: pattern(copies[name]) for name in names} | {"copied_at": copied_at}
    query = _COUNT_UNEXPLAINED.format(gone=gone)
    if kind is not TICKS:
        query = _of_market(kind, gone, replaced=new is not None)
        values["begin"] = kind.feed("")
    ((count,),) = parquet.execute(query, values).fetchall()
    return int(count)


def _of_market(kind: Kind, gone: str, *, replaced: bool) -> str:
    """The query for the unexplained rows of a market that are gone; `replaced` if the day has a new copy."""
    name, columns = kind.key[0], kind.column_names
    return _COUNT_UNEXPLAINED_OF_MARKETS.format(
        gone=gone,
        name=name,
        time=kind.time,
        resolution_s="gone.resolution_s" if "resolution_s" in columns else "0",
        instrument=_OF_INSTRUMENT if "instrument_name" in kind.key[1:] else "true",
        gave_way=_GAVE_WAY.format(name=name, time=kind.time) if replaced and kind.healed_by else "false",
    )
