"""The self-checks of the market: what is due, and what was found.

A row is a stretch of time in which a check of a feed had one state. The newest row of a check follows its results. So
the table grows only with changes, and a check of a feed keeps its last `MOST_STRETCHES` rows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from duckdb import DuckDBPyConnection

from store.file.rows import insert
from store.instants import EPOCH
from store.kinds import DELIVERIES, FUTURES, OPTIONS
from store.market import checks
from store.market.checks import CHECKS, SETTLING, Check, Found, Pair, State
from store.models import from_column, to_column

MOST_STRETCHES = 200
"""A check that changes its state twice a day keeps three months."""

# A delivery is checked until the next one comes, and a snapshot for as long.
_LOOKS_BACK = timedelta(hours=25)

_COLUMNS = ("check_name", "feed", "since", "ts", "value", "worst", "warn_above", "state", "detail")

_STRETCHES = f"SELECT {', '.join(_COLUMNS)} FROM checks"  # noqa: S608 the names are constants

_OF_EACH = "row_number() OVER (PARTITION BY check_name, feed ORDER BY since DESC)"

_NEWEST = f"{_STRETCHES} QUALIFY {_OF_EACH} = 1 ORDER BY feed"

_TROUBLES = f"{_STRETCHES} WHERE state <> 'ok' AND ts >= ? ORDER BY since DESC, feed"

_FORGET = "DELETE FROM checks WHERE check_name = ? AND feed = ? AND since = ?"

_FORGET_OLD = f"DELETE FROM checks WHERE rowid IN (SELECT rowid FROM checks QUALIFY {_OF_EACH} > ?)"  # noqa: S608 a constant

_SNAPSHOTS = """
SELECT feed, max(ts), arg_max(index_price, ts)
FROM snapshots
WHERE ts >= ?
  AND rows > 0
GROUP BY feed
ORDER BY feed
"""

_PAIRS = """
SELECT
    expiry,
    strike,
    avg(underlying_price),
    any_value(mark_price) FILTER (WHERE option_type = 'call'),
    any_value(mark_price) FILTER (WHERE option_type = 'put'),
    any_value(mark_iv) FILTER (WHERE option_type = 'call'),
    any_value(mark_iv) FILTER (WHERE option_type = 'put')
FROM options
WHERE underlying = ?
  AND ts = ?
GROUP BY expiry, strike
ORDER BY expiry, strike
"""

_CHAIN_AND_DVOL = """
SELECT iv_chain_30d, (
    SELECT arg_max(close, open_time)
    FROM volatility_index
    WHERE currency = $name
      AND resolution_s = 60
      AND open_time BETWEEN $ts::TIMESTAMP - INTERVAL 10 MINUTE AND $ts::TIMESTAMP - INTERVAL 1 MINUTE
)
FROM surfaces
WHERE underlying = $name
  AND ts = $ts
"""

_PERPETUAL = """
SELECT mark_price, current_funding
FROM futures
WHERE currency = ?
  AND ts = ?
  AND instrument_name = currency || '-PERPETUAL'
"""

_DELIVERIES = """
SELECT index_name, max(ts), arg_max(price, ts)
FROM deliveries
WHERE ts >= ?
GROUP BY index_name
ORDER BY index_name
"""

_MINUTES = """
SELECT avg(price)
FROM ticks
WHERE index_name = ?
  AND ts >= ?
  AND ts < ?
  AND resolution_s = 0
GROUP BY time_bucket(INTERVAL 1 MINUTE, ts)
"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time in which a check of a feed had one state.

    Attributes:
        name: of the check, as in `CHECKS`.
        feed: the feed whose rows were checked.
        since: the time of the first rows with this state.
        ts: the time of the last rows that were checked.
        value: what the check found in these, in its unit.
        worst: the value of the stretch that is furthest from 0.
        warn_above: the limit at that time.
        state: "ok", "note" or "warn".
        detail: where in the market the value is.
    """

    name: str
    feed: str
    since: datetime
    ts: datetime
    value: float
    worst: float
    warn_above: float
    state: State
    detail: str

    @property
    def words(self) -> str:
        """The check, its feed, its value and its limit."""
        check = CHECKS[self.name]
        return (
            f"{check.title} of {self.feed}: {check.words(self.value)}, at most {check.words(self.warn_above)}"
            f"{f' ({self.detail})' if self.detail else ''}"
        )


class Result(NamedTuple):
    """What a check found in the rows of a feed at a time."""

    check: Check
    feed: str
    ts: datetime
    found: Found


def due(cursor: DuckDBPyConnection, now: datetime) -> list[Result]:
    """Check the newest rows of each feed of the last day, unless they were checked before.

    What can't be judged is left out, and is judged later if what it needs comes: DVOL may come after its chain.
    """
    checked = {(each.name, each.feed): each.ts for each in newest(cursor)}
    since = to_column(now - _LOOKS_BACK)
    return [
        Result(check, feed, from_column(ts), found)
        for check, feed, ts, found in (*_of_snapshots(cursor, since, checked), *_of_deliveries(cursor, since))
        if found is not None and from_column(ts) > checked.get((check.name, feed), EPOCH)
    ]


def note(cursor: DuckDBPyConnection, results: Iterable[Result]) -> list[Stretch]:
    """Keep results; return the stretches of the checks that turned bad or good. Call it inside `Database.write`.

    A check whose first result is good did not turn.
    """
    last = {(each.name, each.feed): each for each in newest(cursor)}
    turned = []
    for result in results:
        before = last.get((result.check.name, result.feed))
        kept = _followed(before, result)
        if before is not None and kept.since == before.since:
            cursor.execute(_FORGET, [before.name, before.feed, to_column(before.since)])
        elif before is not None or kept.state != "ok":
            turned.append(kept)
        insert(cursor, "checks", _COLUMNS, [_row(kept)])
    if turned:
        cursor.execute(_FORGET_OLD, [MOST_STRETCHES])
    return turned


def newest(cursor: DuckDBPyConnection) -> list[Stretch]:
    """The newest stretch of each check and feed, in the order of `CHECKS`, then by feed."""
    order = list(CHECKS)
    return sorted(_read(cursor, _NEWEST), key=lambda each: order.index(each.name))


def troubles(cursor: DuckDBPyConnection, start: datetime) -> list[Stretch]:
    """The stretches with a note or a warning that ended after `start`, newest first."""
    return _read(cursor, _TROUBLES, to_column(start))


def as_json(stretch: Stretch, now: datetime) -> dict[str, Any]:
    """The newest stretch of a check as JSON types."""
    return {
        "check": stretch.name,
        "feed": stretch.feed,
        "state": stretch.state,
        "since": stretch.since.isoformat(),
        "last": stretch.ts.isoformat(),
        "age_s": max(0.0, round((now - stretch.ts).total_seconds(), 3)),
        "value": stretch.value,
        "warn_above": stretch.warn_above,
        "words": stretch.words,
    }


_Judged = tuple[Check, str, datetime, Found | None]


def _of_snapshots(
    cursor: DuckDBPyConnection, since: datetime, checked: dict[tuple[str, str], datetime]
) -> Iterator[_Judged]:
    for feed, ts, index_price in cursor.execute(_SNAPSHOTS, [since]).fetchall():
        if feed.startswith(OPTIONS.feed("")):
            if from_column(ts) > checked.get((checks.ONE_IV.name, feed), EPOCH):
                yield from _of_pairs(cursor, feed, ts)
            yield checks.DVOL, feed, ts, _against_dvol(cursor, OPTIONS.end(feed), ts)
        elif feed.startswith(FUTURES.feed("")):
            yield checks.FUNDING, feed, ts, _of_perpetual(cursor, FUTURES.end(feed), ts, index_price)


def _of_pairs(cursor: DuckDBPyConnection, feed: str, ts: datetime) -> Iterator[_Judged]:
    underlying = OPTIONS.end(feed)
    rows = cursor.execute(_PAIRS, [underlying, ts]).fetchall()
    pairs = [Pair(from_column(expiry), *numbers) for expiry, *numbers in rows]
    yield checks.PARITY, feed, ts, checks.parity(underlying, from_column(ts), pairs)
    yield checks.ONE_IV, feed, ts, checks.iv_difference(pairs)


def _against_dvol(cursor: DuckDBPyConnection, name: str, ts: datetime) -> Found | None:
    """The last minute of DVOL that was over at `ts` counts, if it is no older than 10 minutes."""
    known = cursor.execute(_CHAIN_AND_DVOL, {"name": name, "ts": ts}).fetchone()
    return None if known is None or None in known else checks.dvol_difference(*known)


def _of_perpetual(cursor: DuckDBPyConnection, currency: str, ts: datetime, index_price: float | None) -> Found | None:
    known = cursor.execute(_PERPETUAL, [currency, ts]).fetchone()
    if known is None or None in known or index_price is None:
        return None
    mark_price, current_funding = known
    return checks.funding_difference(from_column(ts), mark_price, index_price, current_funding)


def _of_deliveries(cursor: DuckDBPyConnection, since: datetime) -> Iterator[_Judged]:
    for index_name, ts, price in cursor.execute(_DELIVERIES, [since]).fetchall():
        means = cursor.execute(_MINUTES, [index_name, ts - SETTLING, ts]).fetchall()
        found = checks.delivery_difference(price, [mean for (mean,) in means])
        yield checks.DELIVERY, DELIVERIES.feed(index_name), ts, found


def _followed(before: Stretch | None, result: Result) -> Stretch:
    """The stretch that a result goes on, or begins."""
    check, feed, ts, (value, detail) = result
    state = check.state(value)
    since, worst = ts, value
    if before is not None and before.state == state:
        since, worst = before.since, max(before.worst, value, key=abs)
    return Stretch(check.name, feed, since, ts, value, worst, check.warn_above, state, detail)


def _row(stretch: Stretch) -> tuple[Any, ...]:
    name, feed, since, ts, *others = astuple(stretch)
    return name, feed, to_column(since), to_column(ts), *others


def _read(cursor: DuckDBPyConnection, query: str, *values: object) -> list[Stretch]:
    rows = cursor.execute(query, list(values)).fetchall()
    return [Stretch(name, feed, from_column(since), from_column(ts), *rest) for name, feed, since, ts, *rest in rows]
