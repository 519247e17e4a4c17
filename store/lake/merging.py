"""Puts what a lake lacks of a batch into the lake, in one transaction that is redone if another one came before it."""

import contextlib
import random
import time
from collections.abc import Callable
from typing import TypeVar

import duckdb
from duckdb import DuckDBPyConnection

from store.errors import BusyError
from store.instants import DAY
from store.kinds import FUTURES, TICKS
from store.market.trades import RESOLUTION_S
from store.models import from_column
from store.prices import candles, overruled

from . import lacking
from .batches import Batch
from .faults import is_conflict
from .tables import RUNS, SNAPSHOTS

# Four recorders that publish without a pause each redo a transaction three times at most in ten.
_MOST_TRIES = 50

# A commit takes 50 to 100 ms. A pause of random length lets another recorder finish its own.
_PAUSE_S = 0.3

_INSERT = "INSERT INTO {table} ({columns}) SELECT {columns} FROM new_{name}"

# A new method makes other values of the same snapshot, and a run that went on has ended.
_REPLACED = """
DELETE FROM {table} AS there
USING new_{name} AS incoming
WHERE {alike}
  AND there.{time} BETWEEN $first AND $last
"""

_OBSERVED = f"""
DELETE FROM futures AS trade
USING new_snapshots AS observed
WHERE trade.resolution_s = {RESOLUTION_S}
  AND trade.ts BETWEEN $first - INTERVAL 1 MINUTE AND $last
  AND observed.feed = $begin || trade.currency
  AND date_trunc('minute', observed.ts) = trade.ts
"""  # noqa: S608 the number is a constant

_FEW = 3 * DAY
"""Late ticks of more time are folded as new ones are, in portions: folding all at once might take too much memory."""

_NEW = """
SELECT min(ts), max(ts), max(ts + to_seconds(resolution_s)) FILTER (WHERE resolution_s > 0)
FROM new_ticks
"""

Result = TypeVar("Result")


def merge(cursor: DuckDBPyConnection, batch: Batch) -> int:
    """Store what the lake lacks of a batch; return how many rows. Call it in a transaction."""
    counts: dict[str, int] = {}
    looked = lacking.find(cursor, batch)
    for kind, name in looked:
        columns = ", ".join(kind.column_names)
        if kind.derived or kind is RUNS:
            text = _REPLACED.format(table=kind.table, name=name, time=kind.time, alike=lacking.alike(kind))
            cursor.execute(text, lacking.span(cursor, kind, name))
        query = _INSERT.format(table=kind.table, columns=columns, name=name)
        ((counts[name],),) = cursor.execute(query).fetchall()
    if counts.get(TICKS.table):
        _follow_ticks(cursor)
    if counts.get(SNAPSHOTS.table) and counts.get(FUTURES.table):
        values = lacking.span(cursor, SNAPSHOTS, SNAPSHOTS.table)
        cursor.execute(_OBSERVED, values | {"begin": FUTURES.feed("")})
    return sum(counts.values())


def optimistically(
    cursor: DuckDBPyConnection, work: Callable[[], Result], tries: int = _MOST_TRIES
) -> tuple[Result, int]:
    """Do work in a transaction, again each time that another transaction came before its commit.

    Returns:
        The result of the work, and how often it was done in vain.

    Raises:
        BusyError: others came first each time.
    """
    for conflicts in range(tries):
        cursor.execute("BEGIN TRANSACTION")
        try:
            result = work()
            cursor.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(duckdb.Error):  # a failed commit has ended the transaction
                cursor.execute("ROLLBACK")
            if not (isinstance(error, duckdb.Error) and is_conflict(error)):
                raise
            time.sleep(random.uniform(0, _PAUSE_S))  # noqa: S311 it hides nothing
        else:
            return result, conflicts
    raise BusyError(f"other recorders published first, {tries} times in a row: the next publication tries again")


def _follow_ticks(cursor: DuckDBPyConnection) -> None:
    """Bring the lake up to date with the ticks that were just stored.

    Averages give way to finer ticks, and candles that are closed get the late ones.
    """
    ((first, last, averaged_to),) = cursor.execute(_NEW).fetchall()
    first, reach = from_column(first), from_column(averaged_to or last)
    moved = overruled.overrule(cursor, first, max(from_column(last), reach))
    begin = min([first, *(ts for _, ts in overruled.gave_way(cursor))]) if moved else first
    mark, known_to = candles.marks(cursor)
    if averaged_to is not None and (known_to is None or known_to < reach):
        overruled.reach(cursor, reach)
    if mark is None or begin >= mark:
        return
    if from_column(last) - begin > _FEW:
        candles.reopen(cursor, begin)
    else:
        candles.refold_between(cursor, begin, from_column(last))
