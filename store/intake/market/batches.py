"""The rows of a checked file, an instant after the other, in batches that one lease stores."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any

import duckdb

from store.export.selection import columns_of
from store.kinds import Kind

from .checking import MarketFile

_FETCHED = 10_000

# What `limits` allows as the rows of a snapshot, and one more.
_MOST_ROWS = 100_001

_ROWS = "FROM read_parquet($path)"

Row = tuple[Any, ...]
"""The values of the columns of an export, in their order."""


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of a file with one name, such as "BTC", one time and one resolution, which is 0 for what was observed.

    Times are as the database keeps them.
    """

    name: str
    ts: datetime
    resolution_s: int
    rows: list[Row]


def batches(file: MarketFile, memory_limit: str, at_once: int) -> Iterator[list[Group]]:
    """All groups in the order of time, in batches of about `at_once` rows. No group is cut.

    Rows of a group beyond the most that a snapshot may have are passed over.
    """
    batch: list[Group] = []
    count = 0
    for group in _groups(file, memory_limit):
        batch.append(group)
        count += len(group.rows)
        if count >= at_once:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


def _groups(file: MarketFile, memory_limit: str) -> Iterator[Group]:
    for (name, ts, over_s), rows in groupby(_rows(file, memory_limit), _key_of(file.kind)):
        yield Group(name, ts, over_s, list(islice(rows, _MOST_ROWS)))


def _key_of(kind: Kind) -> Any:
    names = [column.name for column in columns_of(kind)]
    places = [names.index(name) for name in (kind.key[0], kind.time)]
    if "resolution_s" in names:
        return itemgetter(*places, names.index("resolution_s"))
    return lambda row: (row[places[0]], row[places[1]], 0)


def _rows(file: MarketFile, memory_limit: str) -> Iterator[Row]:
    with duckdb.connect(config={"memory_limit": memory_limit, "threads": 1}) as reader:
        found = reader.execute(_ROWS, {"path": file.copy})
        yield from chain.from_iterable(iter(lambda: found.fetchmany(_FETCHED), []))
