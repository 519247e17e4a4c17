"""Option chains: a snapshot is stored together with its smiles and its surface, which are made of its rows."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from duckdb import DuckDBPyConnection

from store.file.database import Database
from store.file.rows import insert
from store.kinds import OPTIONS, SMILES, SURFACES
from store.ledger import arrivals
from store.models import Snapshot, from_column, to_column
from store.progress import Tell, unheard

from .smile import Quote
from .surface import METHOD, derived

_AT_ONCE = 20
"""A lease reads 20 chains, which takes 0.1 s."""

_SNAPSHOTS = """
SELECT substr(feed, length($begin) + 1), ts, index_price
FROM snapshots
WHERE starts_with(feed, $begin)
  AND rows > 0
ORDER BY ts, feed
"""

_QUOTES = """
SELECT underlying, ts, expiry, strike, option_type, mark_iv, underlying_price, open_interest, volume
FROM options
WHERE ts BETWEEN ? AND ?
"""

_FORGET = """
DELETE FROM {table}
WHERE (underlying, ts) IN (SELECT (unnest(?), unnest(?)))
"""

_PLACES = [[column.name for column in OPTIONS.brought].index(name) for name in Quote._fields]


class _Chain(NamedTuple):
    """What smiles and surfaces need of a snapshot."""

    underlying: str
    ts: datetime
    quotes: Sequence[Quote]
    index_price: float | None


class _Rows(NamedTuple):
    """Rows of `smiles` and `surfaces`."""

    smiles: list[tuple[Any, ...]]
    surfaces: list[tuple[Any, ...]]


def append(cursor: DuckDBPyConnection, snapshots: Iterable[Snapshot]) -> None:
    """Store each snapshot of a chain whose (feed, ts) is new, with its smiles and its surface.

    Call it inside `Database.write`.
    """
    new = [each for each in arrivals.append(cursor, snapshots) if each.rows]
    _insert(cursor, _rows(_Chain(OPTIONS.end(each.feed), each.ts, _quotes(each), each.index_price) for each in new))


def rebuild(database: Database, tell: Tell = unheard, at_once: int = _AT_ONCE) -> None:
    """Make the smiles and the surface of each stored chain anew, with the formulas of this version.

    What was made of a chain whose rows are not stored any more stays. `tell` hears how many snapshots are done.

    Raises:
        StoreError: what is there is right, and the next rebuild makes all of it again.
    """
    with database.read() as cursor:
        found = cursor.execute(_SNAPSHOTS, {"begin": OPTIONS.feed("")}).fetchall()
    for first in range(0, len(found), at_once):
        some = found[first : first + at_once]
        with database.read() as cursor:
            chains = _stored(cursor, some)
        made = _rows(chains)
        known = [each.underlying for each in chains], [to_column(each.ts) for each in chains]
        with database.write() as cursor:
            for table in (SMILES.table, SURFACES.table):
                cursor.execute(_FORGET.format(table=table), known)
            _insert(cursor, made)
        database.checkpoint_when_due()
        tell(first + len(some), len(found))


def _quotes(snapshot: Snapshot) -> list[Quote]:
    return [Quote(*(row[place] for place in _PLACES)) for row in snapshot.rows]


def _stored(cursor: DuckDBPyConnection, snapshots: Sequence[tuple[str, datetime, float | None]]) -> list[_Chain]:
    """The chains of snapshots whose rows are stored; the snapshots are rows of `_SNAPSHOTS`."""
    quotes: defaultdict[tuple[str, datetime], list[Quote]] = defaultdict(list)
    for underlying, ts, expiry, *numbers in cursor.execute(_QUOTES, [snapshots[0][1], snapshots[-1][1]]).fetchall():
        quotes[underlying, ts].append(Quote(from_column(expiry), *numbers))
    return [
        _Chain(underlying, from_column(ts), quotes[underlying, ts], index_price)
        for underlying, ts, index_price in snapshots
        if (underlying, ts) in quotes
    ]


def _rows(chains: Iterable[_Chain]) -> _Rows:
    made = _Rows([], [])
    for underlying, ts, quotes, index_price in chains:
        found, at = derived(ts, quotes, index_price), to_column(ts)
        made.smiles.extend((underlying, at, to_column(each.expiry), *each[1:], METHOD) for each in found.smiles)
        made.surfaces.append((underlying, at, *found.surface.columns, METHOD))
    return made


def _insert(cursor: DuckDBPyConnection, made: _Rows) -> None:
    insert(cursor, SMILES.table, SMILES.column_names, made.smiles)
    insert(cursor, SURFACES.table, SURFACES.column_names, made.surfaces)
