"""Publishes a file: afterwards the lake has all that the file has, and what other recorders brought."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from duckdb import DuckDBPyConnection

from store.errors import StoreError
from store.file.clock import disagreement
from store.file.database import Database
from store.file.exchange import exchange_of
from store.file.recorder import read_notice
from store.instants import HOUR, MINUTE
from store.models import Exchange
from store.prices import candles
from store.progress import Tell, unheard

from . import lacking, spans, tables
from .batches import Batch, read, read_runs
from .connection import Lake, catalog_now
from .merging import merge, optimistically
from .notice import Desk, Notice

_CLOCKS_APART = timedelta(minutes=1)
"""A lake is published once a minute: no reader sees a smaller difference."""

# The ticks of an hour come from all recorders within some minutes. What comes later is folded in at once.
_OVER_AFTER = 5 * MINUTE


def publish(database: Database, lake: Lake, desk: Desk, now: datetime, tell: Tell = unheard) -> Notice:
    """Put into the lake what it lacks of a file, a portion at a time, each portion in one transaction.

    Args:
        database: the file. It is read under short leases, a portion each.
        lake: into which it is published.
        desk: the place of the file's publisher.
        now: the time by the exchange's clock.
        tell: hears how many portions are done.

    Returns:
        The new notice. An earlier one tells where to look; if it is of another lake or of none, all days are looked at.

    Raises:
        StoreError: it stopped part-way. Each portion in the lake is whole; the next publication adds the rest.
    """
    try:
        notice = _published(database, lake, desk.notice, now, tell)
    except StoreError as error:
        desk.put(replace(desk.notice, trouble=str(error)))
        raise
    desk.put(notice)
    return notice


def _published(database: Database, lake: Lake, before: Notice, now: datetime, tell: Tell) -> Notice:
    with database.read() as file:
        exchange = exchange_of(file)
        runs = read_runs(file, lake.recorder)
    with lake.open() as cursor:
        origin = tables.origin(cursor)
        _require_clocks(cursor, database, lake)
        lacking.take_in(cursor, runs)
        rows, conflicts = optimistically(cursor, partial(_begin, cursor, exchange, runs))
        marks, portions = spans.look(database, before.marks if before.lake == origin.id else {})
        for done, portion in enumerate(portions):
            tell(done, len(portions))
            with database.read() as file:
                batch = read(file, portion, lake.recorder)
            lacking.take_in(cursor, batch)
            stored, redone = optimistically(cursor, partial(merge, cursor, batch))
            rows, conflicts = rows + stored, conflicts + redone
        conflicts += _close_candles(cursor, now)
        tell(len(portions), len(portions))
    return Notice(origin.id, marks, now, rows, before.conflicts + conflicts)


def _begin(cursor: DuckDBPyConnection, exchange: Exchange | None, runs: Batch) -> int:
    tables.admit(cursor, exchange)
    return merge(cursor, runs)


def _require_clocks(cursor: DuckDBPyConnection, database: Database, lake: Lake) -> None:
    """Refuse to publish by a clock that is off, which dates what it records wrongly."""
    recorder, theirs = read_notice(database.path), catalog_now(cursor)
    if line := disagreement(recorder, lake.clock(), theirs, "PostgreSQL", _CLOCKS_APART):
        raise StoreError(f"{line}; nothing was published")


def _close_candles(cursor: DuckDBPyConnection, now: datetime) -> int:
    """Store the candles of the hours that are over; return how often that was redone.

    They are closed by the hour, which makes fewer and larger files than by the minute. Readers fold the open hours.
    """
    until = candles.floor(now - _OVER_AFTER, HOUR)
    mark, conflicts = candles.closed_to(cursor), 0
    more = mark is None or mark < until
    while more:
        more, redone = optimistically(cursor, partial(candles.close, cursor, until))
        conflicts += redone
    return conflicts
