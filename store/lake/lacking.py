"""What a lake lacks of a batch. Nothing else is published, so two recorders fill each other's holes without doubles.

An observed tick is lacking if the lake has none of its slot, and a snapshot likewise. All other rows are lacking if the
lake has none of their key and time. The rows of a snapshot come with it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from store.kinds import KINDS, TICKS, Kind
from store.ledger.due import HEARD_AT
from store.market.trades import RESOLUTION_S
from store.models import CLOCKS_AGREE

from .batches import OBSERVED, Batch, healed
from .tables import OF_RECORDERS, RUNS, SNAPSHOTS

# An average is lacking neither where something as fine has its time, nor where it gave way already.
_IN_SLOTS = f"""
CREATE OR REPLACE TEMP TABLE new_{{table}} AS
WITH asked AS (
    SELECT DISTINCT {{feed}}, period_s
    FROM incoming_{{table}}
    WHERE period_s IS NOT NULL
),
taken AS (
    SELECT DISTINCT {{feed}}, period_s, epoch_us({HEARD_AT}) // (period_s * 1_000_000) AS slot
    FROM {{table}}
    JOIN asked USING ({{feed}})
    WHERE ts BETWEEN $first - $around AND $last + $around
      AND {{in_slots}}
),
there AS (
    SELECT {{feed}}, ts, {{resolution}} AS finest
    FROM {{table}}
    WHERE ts BETWEEN $first AND $last
    UNION ALL
    SELECT {{feed}}, ts, {{resolution}}
    FROM {{gave_way}}
    WHERE ts BETWEEN $first AND $last
),
placed AS (
    SELECT *, {{resolution}} AS fine, epoch_us({HEARD_AT}) // (period_s * 1_000_000) AS slot
    FROM incoming_{{table}}
)
SELECT {{columns}}
FROM placed
ANTI JOIN there ON there.{{feed}} = placed.{{feed}} AND there.ts = placed.ts AND finest <= fine
ANTI JOIN taken ON
    taken.{{feed}} = placed.{{feed}}
    AND taken.period_s = placed.period_s
    AND taken.slot = placed.slot
QUALIFY slot IS NULL OR row_number() OVER (PARTITION BY {{feed}}, period_s, slot ORDER BY ts) = 1
"""  # noqa: S608 the time is a constant

_OF_NEW_SNAPSHOTS = """
CREATE OR REPLACE TEMP TABLE new_{name} AS
SELECT {columns}
FROM incoming_{name} AS incoming
SEMI JOIN new_snapshots AS brought ON brought.feed = $begin || incoming.{feed} AND brought.ts = incoming.ts
"""

_DERIVED = """
CREATE OR REPLACE TEMP TABLE new_{name} AS
WITH brought AS (
    SELECT feed, ts
    FROM snapshots
    WHERE ts BETWEEN $first AND $last
    UNION ALL
    SELECT feed, ts
    FROM new_snapshots
)
SELECT {columns}
FROM incoming_{name} AS incoming
SEMI JOIN brought ON brought.feed = $begin || incoming.{feed} AND brought.ts = incoming.ts
ANTI JOIN (FROM {table} WHERE ts BETWEEN $first AND $last) AS there ON {alike} AND there.method >= incoming.method
"""

_BY_KEY = """
CREATE OR REPLACE TEMP TABLE new_{name} AS
SELECT {columns}
FROM incoming_{name} AS incoming
ANTI JOIN (FROM {table} WHERE {time} BETWEEN $first AND $last) AS there ON {alike}
"""

# A run is published when it begins, and once more when it has ended.
_AS_LONG = " AND (there.ended_at IS NOT NULL OR incoming.ended_at IS NULL)"

# A snapshot has all that a trade of its minute tells.
_UNOBSERVED = f"""
ANTI JOIN (
    SELECT feed, ts
    FROM snapshots
    WHERE ts BETWEEN $first AND $last + INTERVAL 1 MINUTE
    UNION ALL
    SELECT feed, ts
    FROM new_snapshots
) AS observed ON
    incoming.resolution_s = {RESOLUTION_S}
    AND observed.feed = $begin || incoming.{{feed}}
    AND date_trunc('minute', observed.ts) = incoming.ts
"""  # noqa: S608 the number is a constant

_NO_SNAPSHOTS = "CREATE OR REPLACE TEMP TABLE new_snapshots AS FROM snapshots LIMIT 0"

_SPAN = "SELECT min({time}), max({time}) FROM incoming_{name}"
_LONGEST = "SELECT coalesce(max(period_s), 0) FROM incoming_{table}"


def take_in(cursor: DuckDBPyConnection, batch: Batch) -> None:
    """Make the rows of a batch known to a connection, as `incoming_<name>`."""
    for name, rows in batch.items():
        cursor.register(f"incoming_{name}", rows)


def find(cursor: DuckDBPyConnection, batch: Batch) -> list[tuple[Kind, str]]:
    """Find what the lake lacks of the batch that was taken in, and put it into `new_<name>`.

    Returns:
        The kinds and names of what was looked for, snapshots first.
    """
    looked: list[tuple[Kind, str]] = []
    cursor.execute(_NO_SNAPSHOTS)
    if SNAPSHOTS.table in batch:
        looked.append((SNAPSHOTS, _in_slots(cursor, SNAPSHOTS, "true", "new_snapshots", "0")))
    if TICKS.table in batch:
        looked.append((TICKS, _in_slots(cursor, TICKS, OBSERVED, "overruled", "resolution_s")))
    for kind in KINDS:
        if kind is not TICKS and kind.table in batch:
            text = _DERIVED if kind.derived else _OF_NEW_SNAPSHOTS if kind.snapshots else _BY_KEY
            looked.append((kind, _look(cursor, kind, kind.table, text)))
        if healed(kind) in batch:
            text = _BY_KEY + (_UNOBSERVED if kind.healed_by else "")
            looked.append((kind, _look(cursor, kind, healed(kind), text)))
    for kind in OF_RECORDERS:
        if kind.table in batch:
            text = _BY_KEY + (_AS_LONG if kind is RUNS else "")
            looked.append((kind, _look(cursor, kind, kind.table, text)))
    return looked


def alike(kind: Kind) -> str:
    """The condition that a row that is `there` has the key and the time of an `incoming` one."""
    return " AND ".join(f"there.{name} = incoming.{name}" for name in whole_key(kind))


def whole_key(kind: Kind) -> list[str]:
    """The columns whose values occur once together."""
    resolution = ["resolution_s"] if "resolution_s" in kind.column_names else []
    return list(dict.fromkeys([*kind.key, kind.time, *resolution]))


def span(cursor: DuckDBPyConnection, kind: Kind, name: str) -> dict[str, Any]:
    """The first and the last time of what was taken in under a name."""
    ((first, last),) = cursor.execute(_SPAN.format(time=kind.time, name=name)).fetchall()
    return {"first": first, "last": last}


def _in_slots(cursor: DuckDBPyConnection, kind: Kind, in_slots: str, gave_way: str, resolution: str) -> str:
    table = kind.table
    ((longest_s,),) = cursor.execute(_LONGEST.format(table=table)).fetchall()
    values = span(cursor, kind, table) | {"clocks_agree": CLOCKS_AGREE}
    values["around"] = timedelta(seconds=longest_s) + 2 * CLOCKS_AGREE
    names = {"table": table, "feed": kind.key[0], "columns": ", ".join(kind.column_names)}
    text = _IN_SLOTS.format(**names, in_slots=in_slots, gave_way=gave_way, resolution=resolution)
    cursor.execute(text, values)
    return table


def _look(cursor: DuckDBPyConnection, kind: Kind, name: str, text: str) -> str:
    names: Mapping[str, str] = {
        "name": name,
        "table": kind.table,
        "time": kind.time,
        "feed": kind.key[0],
        "columns": ", ".join(kind.column_names),
        "alike": alike(kind),
    }
    values = span(cursor, kind, name) | {"begin": f"{kind.snapshots}/"}
    query = text.format(**names)
    cursor.execute(query, {key: value for key, value in values.items() if f"${key}" in query})
    return name
