"""Publishes a file: afterwards the lake has all that the file has, and what other recorders brought."""

from collections.abc import Sequence
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
from store.kinds import FUTURES, OPTIONS, Kind, kind_of
from store.ledger.recorders import KnownTo, known_to
from store.ledger.runs import runs
from store.models import Exchange, Run
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

_AT_WORK = timedelta(minutes=10)
"""A run without an end counts as going on until its recorder has published no vitals for this long."""

_SETTINGS: dict[Kind | None, str] = {FUTURES: "TICKWELL_MARKET_SECONDS", OPTIONS: "TICKWELL_OPTIONS_SECONDS"}


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
        recorded, batch = runs(file), read_runs(file, lake.recorder)
    with lake.open() as cursor:
        origin = tables.origin(cursor)
        _require_clocks(cursor, database, lake)
        own = [replace(run, recorder=run.recorder or lake.recorder) for run in recorded[-1:]]
        lacking.take_in(cursor, batch)
        rows, conflicts = optimistically(cursor, partial(_begin, cursor, exchange, own, batch, now))
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


def _begin(
    cursor: DuckDBPyConnection, exchange: Exchange | None, own: Sequence[Run], batch: Batch, now: datetime
) -> int:
    """Publish the runs, if the lake admits the exchange and the periods of its recorder."""
    tables.admit(cursor, exchange)
    for run in own:
        _refuse_other_periods(cursor, run, now)
    return merge(cursor, batch)


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


def _refuse_other_periods(cursor: DuckDBPyConnection, own: Run, now: datetime) -> None:
    """Check the newest run of a file against the runs of others in the lake. The run that began first is right.

    Earlier runs are not checked: a recorder may change its periods, and what it recorded before fills holes.

    Raises:
        StoreError: a run that lasted at the beginning of `own` has another period for one of its feeds.
    """
    known = known_to(cursor)
    for other in runs(cursor):
        if (
            other.recorder == own.recorder
            or _began(own) <= _began(other)
            or _lasts_to(other, known, now) <= own.started_at
        ):
            continue
        for feed, seconds in own.feeds.items():
            if other.feeds.get(feed, seconds) != seconds:
                raise StoreError(
                    f"{feed} is recorded each {seconds} s by {own.recorder}, and each {other.feeds[feed]} s by "
                    f"{other.recorder}: recorders that share a lake need the same {_setting(feed)}"
                )


def _began(run: Run) -> tuple[datetime, str]:
    return run.started_at, run.recorder


def _lasts_to(run: Run, known: KnownTo, now: datetime) -> datetime:
    to = known[run.recorder, run.started_at]
    return now if run.ended_at is None and now - to < _AT_WORK else to


def _setting(feed: str) -> str:
    return _SETTINGS.get(kind_of(feed), "TICKWELL_POLL_SECONDS")
