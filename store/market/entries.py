"""Entries of logs: candles of DVOL, hours of funding, and delivery prices. Each entry is stored once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from store.errors import StoreError
from store.file.exchange import exchange_of
from store.file.rows import insert
from store.kinds import Kind
from store.models import to_column

_KNOWN = """
SELECT {key}
FROM {table}
WHERE {time} BETWEEN ? AND ?
"""


@dataclass(frozen=True, slots=True)
class EntriesOf:
    """Stores the entries of one log.

    Attributes:
        kind: of its rows.
        name: the value of the first column, such as "BTC".
        resolution_s: the length of its candles; None if its entries are no candles.
    """

    kind: Kind
    name: str
    resolution_s: int | None = None

    def append(self, cursor: DuckDBPyConnection, rows: Iterable[Sequence[Any]]) -> None:
        """Store the rows that are new by the key and the time of their kind. Call it inside `Database.write`.

        Args:
            cursor: of the lease.
            rows: the values between the name and the source, in the order of the columns, with aware instants.

        Raises:
            StoreError: it is not noted yet which exchange the file is of.
        """
        exchange = exchange_of(cursor)
        if exchange is None:
            raise StoreError("it is not known yet which exchange the replies are of")
        ends = (exchange.source,) if self.resolution_s is None else (exchange.source, self.resolution_s)
        append_new(cursor, self.kind, [(self.name, *map(_as_column, row), *ends) for row in rows])


def append_new(cursor: DuckDBPyConnection, kind: Kind, rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Store the rows that are new by the key and the time of their kind; return these. Call it inside `Database.write`.

    The rows have all columns of the kind, as the database keeps them.
    """
    places = [kind.column_names.index(name) for name in (*kind.key, kind.time)]
    new: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in rows:
        new.setdefault(tuple(row[place] for place in places), row)
    if not new:
        return []
    known = _KNOWN.format(key=", ".join((*kind.key, kind.time)), table=kind.table, time=kind.time)
    times = [key[-1] for key in new]
    for key in cursor.execute(known, [min(times), max(times)]).fetchall():
        new.pop(key, None)
    insert(cursor, kind.table, kind.column_names, new.values())
    return list(new.values())


def _as_column(value: Any) -> Any:
    return to_column(value) if isinstance(value, datetime) else value
