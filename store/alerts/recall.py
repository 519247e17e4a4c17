"""A judge that knows the stored ticks: made from the store at the start, and again when the rules change.

Rules need the lows and highs of the time that they look back on. A tick matters only if it is lower, or higher, than
all ticks after it. Candles show which minutes have such ticks, so only the ticks of these minutes are read: a month
takes no longer.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from store.alerts.rules.condition import Condition
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.price_kinds import Volatility
from store.alerts.rules.tape import Tape, minute_of
from store.file.exchange import exchange_of
from store.instants import EPOCH, HOUR
from store.kinds import TICKS, kind_of
from store.ledger.due import heard_at
from store.ledger.missing import missing
from store.models import Tick, from_column, to_column
from store.prices import candles, ticks

from . import events
from .judge import EventMaker, Judge
from .series import MICROSECOND, newest, values

# A candle that includes an average may show a low that no observed tick had, so it must not rule out earlier minutes.
_RECORDS = """
WITH minutes AS (
    SELECT open_time, low, high, tick_count = observed_count AS observed
    FROM candles_1m
    WHERE index_name = $index_name
      AND open_time >= $start
      AND open_time < $closed_to
      AND observed_count > 0
    UNION ALL
    SELECT time_bucket(INTERVAL 1 MINUTE, ts) AS open_time, min(price), max(price), true
    FROM ticks
    WHERE index_name = $index_name
      AND ts >= greatest($start, $closed_to)
      AND resolution_s = 0
    GROUP BY 1
),
compared_with_later AS (
    SELECT
        open_time,
        low > min(low) FILTER (observed) OVER after AS above,
        high < max(high) FILTER (observed) OVER after AS below
    FROM minutes
    WINDOW after AS (ORDER BY open_time ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
)
SELECT ts, price
FROM ticks
SEMI JOIN (
    SELECT open_time
    FROM compared_with_later
    WHERE NOT coalesce(above AND below, false)
) ON time_bucket(INTERVAL 1 MINUTE, ts) = open_time
WHERE index_name = $index_name
  AND ts >= $start
  AND resolution_s = 0
ORDER BY ts
"""

_CLOSES = """
SELECT time_bucket(INTERVAL 1 MINUTE, ts) AS minute, arg_max(price, ts)
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
  AND ts < $end
  AND resolution_s = 0
GROUP BY minute
ORDER BY minute
"""

_NEWEST_SNAPSHOT = """
SELECT ts, coalesce(received_at, ts)
FROM snapshots
WHERE feed = $feed
ORDER BY ts DESC
LIMIT 1
"""

_FIRST_HOUR = """
SELECT min(open_time)
FROM candles_1h
WHERE index_name = $index_name
  AND observed_count > 0
"""

_FIRST = """
SELECT ts
FROM ticks
WHERE index_name = $index_name
  AND ts >= $start
  AND resolution_s = 0
ORDER BY ts
LIMIT 1
"""


def recall(
    cursor: DuckDBPyConnection,
    rules: Sequence[AnyRule],
    feeds: Mapping[str, int],
    slot: datetime,
    targets: Mapping[str, tuple[str, ...]],
) -> Judge:
    """A judge of the slots from `slot` on, and of the values that are not stored yet.

    Args:
        cursor: of a read lease.
        rules: of the file.
        feeds: the recorded feeds, each with the seconds between two of its slots or entries.
        slot: the next one of one of the feeds.
        targets: the names of the targets of a rule's events, by the name of the rule.
    """
    tapes = {
        name: _tape(cursor, [rule for rule in rules if name in rule.watched(feeds)], name, seconds)
        for name, seconds in feeds.items()
    }
    for seconds in sorted(set(feeds.values())):
        of_period = {name: tapes[name] for name in feeds if feeds[name] == seconds}
        _serve(cursor, of_period, timedelta(seconds=seconds), slot)
    judge = Judge(rules, tapes, events.standings(cursor), EventMaker(targets, exchange_of(cursor)))
    for series, tape in judge.series.items():
        known_to = newest(cursor, series)
        if known_to is not None:
            judge.taken_to[series] = known_to
            for at, value in values(cursor, series, known_to - tape.length, known_to + MICROSECOND):
                tape.take(at, value)
    return judge


def _serve(cursor: DuckDBPyConnection, tapes: Mapping[str, Tape], period: timedelta, slot: datetime) -> None:
    """Give the tapes of a period the slots before `slot` that brought nothing."""
    following = slot + (EPOCH - slot) % period
    for gap in missing(cursor, following + period - HOUR, slot, tapes):
        tapes[gap.feed].miss(gap.start, gap.end)
    for tape in tapes.values():
        tape.slot = max(following - period, tape.heard)  # the tick of this slot may be stored already


def _tape(cursor: DuckDBPyConnection, rules: Sequence[AnyRule], feed: str, seconds: int) -> Tape:
    if kind_of(feed) is not TICKS:
        return _tape_of_feed(cursor, feed, seconds)
    conditions = [rule for rule in rules if isinstance(rule, Condition)]
    length = max((rule.looks_back for rule in conditions), default=timedelta(0))
    last = _newest(cursor, feed)
    tape = Tape(seconds, length, first_observed(cursor, feed))
    if last is None:
        return tape
    closes_of = max((rule.looks_back for rule in conditions if isinstance(rule, Volatility)), default=timedelta(0))
    tape.recall(_records(cursor, feed, last.ts - length), _closes(cursor, feed, last.ts, closes_of))
    tape.heard = candles.floor(last.heard_at, tape.period)
    return tape


def _tape_of_feed(cursor: DuckDBPyConnection, feed: str, seconds: int) -> Tape:
    tape = Tape(seconds, timedelta(0))
    found = cursor.execute(_NEWEST_SNAPSHOT, {"feed": feed}).fetchone()
    if found is not None:
        ts, received_at = map(from_column, found)
        tape.ts, tape.heard = ts, candles.floor(heard_at(ts, received_at), tape.period)
    return tape


def _newest(cursor: DuckDBPyConnection, index_name: str) -> Tick | None:
    found = ticks.newest_first(cursor, index_name, limit=1)
    return found[0] if found else None


def first_observed(cursor: DuckDBPyConnection, index_name: str) -> datetime | None:
    """The time of the first observed tick of an index; None without one."""
    ((hour,),) = cursor.execute(_FIRST_HOUR, {"index_name": index_name}).fetchall()
    start = hour or to_column(candles.floor(candles.closed_to(cursor) or EPOCH, HOUR))
    found = cursor.execute(_FIRST, {"index_name": index_name, "start": start}).fetchone()
    return None if found is None else from_column(found[0])


def _records(cursor: DuckDBPyConnection, index_name: str, start: datetime) -> list[tuple[datetime, float]]:
    """The ticks from the minute of `start` on that are lower, or higher, than all later ticks; also some others."""
    first = minute_of(start)
    closed_to = candles.closed_to(cursor) or first
    values = {"index_name": index_name, "start": to_column(first), "closed_to": to_column(closed_to)}
    return [(from_column(ts), price) for ts, price in cursor.execute(_RECORDS, values).fetchall()]


def _closes(
    cursor: DuckDBPyConnection, index_name: str, newest: datetime, length: timedelta
) -> list[tuple[datetime, float]]:
    """The last price of each minute with a tick, in `length` before the minute of the newest tick."""
    end = minute_of(newest)
    values = {"index_name": index_name, "start": to_column(end - length), "end": to_column(end)}
    return [(from_column(minute), price) for minute, price in cursor.execute(_CLOSES, values).fetchall()]
