"""What the query of a chart costs, beside one plain statement that folds the same bars of the same tables."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta

import duckdb
import pandas as pd

from store.file.database import Database
from store.instants import HOUR, MINUTE
from store.models import to_column
from store.prices import ticks
from store.prices.bars import bars, bucket, nice_interval
from store.prices.candles import floor
from tests.bench.long_history import history
from tests.bench.row import FEW, SMALL, TICKS, Row, medians_ms

INDEX = "btc_usd"
ROUNDS = 9 if SMALL else 15
MOST_POINTS = 1500
PRICES = ["open", "high", "low", "close"]
SPANS = {
    "15 min": timedelta(minutes=15),
    "1 h": timedelta(hours=1),
    "6 h": timedelta(hours=6),
    "1 d": timedelta(days=1),
    "1 w": timedelta(weeks=1),
    "1 month": timedelta(days=30),
    "1 y": timedelta(days=365),
}

_BARE = """
SELECT
    time_bucket($interval, moment) AS open_time,
    arg_min(open, moment) AS open,
    max(high) AS high,
    min(low) AS low,
    arg_max(close, moment) AS close,
    sum(tick_count) AS tick_count,
    max(resolution_s) AS resolution_s
FROM (
    {candles}
    SELECT ts AS moment, price AS open, price AS high, price AS low, price AS close, 1 AS tick_count, resolution_s
    FROM ticks
    WHERE index_name = $index_name
      AND ts >= $ticks_from
      AND ts < $end
)
GROUP BY 1
ORDER BY 1
"""

_CANDLES = """
    SELECT open_time AS moment, open, high, low, close, tick_count, resolution_s
    FROM {table}
    WHERE index_name = $index_name
      AND open_time >= $start
      AND open_time < $ticks_from
    UNION ALL
"""

Query = Callable[[int], pd.DataFrame]


def chart_queries() -> Iterator[Row]:
    """The slowest of all ranges at the end of a long history, each by the measure of its row.

    The budget of a held file is for 60 M ticks. In the small form, that row only informs.
    """
    long = history(TICKS)
    held, opened = (
        {name: in_turn(long, span, each_opens=each_opens) for name, span in SPANS.items()}
        for each_opens in (False, True)
    )
    for costs, what, budget in ((held, "", None if SMALL else 2), (opened, ", with a lease", 1.5)):
        worst = max(costs, key=lambda name: costs[name][0] / costs[name][1])
        ours, bare = costs[worst]
        note = f"{ours:.1f} ms, bare {bare:.1f} ms, {TICKS:,} ticks, range {worst}"
        yield Row(f"chart query to a bare one{what}", ours / bare, budget, "×", note)
    if not SMALL:
        yield from longer(long, history(FEW))


def in_turn(database: Database, span: timedelta, *, each_opens: bool) -> tuple[float, float]:
    """The median time in ms of our query and of the bare one, on a file that is held or that each of them opens."""
    with nullcontext() if each_opens else database.hold():
        ours, bare = query(database, span), bare_query(database, span, each_opens=each_opens)
        pd.testing.assert_frame_equal(within(ours(0), bare(0)), bare(0)[PRICES])
        ours_ms, bare_ms = medians_ms(ours, bare, rounds=ROUNDS)
    return ours_ms, bare_ms


def longer(long: Database, short: Database) -> Iterator[Row]:
    """How much more a long history costs than a short one."""
    costs = {}
    with long.hold(), short.hold():
        for name, span in SPANS.items():
            costs[name] = medians_ms(query(long, span), query(short, span), rounds=ROUNDS)
    worst = max(costs, key=lambda name: costs[name][0] / costs[name][1])
    many, few = costs[worst]
    note = f"{many:.1f} ms, {few:.1f} ms with {FEW:,} ticks, range {worst}"
    yield Row(f"chart query, {TICKS / 1e6:g} M to {FEW / 1e6:g} M", many / few, 2, "×", note)


def query(database: Database, span: timedelta) -> Query:
    """Our query of the newest part of a history."""
    end = end_of(database)

    def ask(_: int) -> pd.DataFrame:
        with database.read() as cursor:
            return bars(cursor, INDEX, end - span, end, nice_interval(span, MOST_POINTS))

    return ask


def bare_query(database: Database, span: timedelta, *, each_opens: bool) -> Query:
    """The same bars by one statement, on a file that is held or that is opened each time."""
    end, interval = end_of(database), nice_interval(span, MOST_POINTS)
    start = bucket(end - span, interval)
    table, length = next(
        (each for each in (("candles_1h", HOUR), ("candles_1m", MINUTE)) if not interval % each[1]), ("", interval)
    )
    ticks_from = max(start, floor(end, length) - length) if table else start  # the newest candle may still be open
    statement = _BARE.format(candles=_CANDLES.format(table=table) if table else "")
    values = {"interval": interval, "index_name": INDEX, "ticks_from": to_column(ticks_from), "end": to_column(end)}
    if table:
        values["start"] = to_column(start)

    def ask(_: int) -> pd.DataFrame:
        opened = duckdb.connect(database.path, read_only=True) if each_opens else database.read()
        with opened as cursor:
            return cursor.execute(statement, values).df()

    return ask


def end_of(database: Database) -> datetime:
    with database.read() as cursor:
        newest = ticks.latest(cursor, INDEX)
    assert newest is not None
    return newest.ts + timedelta(seconds=1)


def within(ours: pd.DataFrame, bare: pd.DataFrame) -> pd.DataFrame:
    """The prices of our bars without the average that covers the start and lies before it."""
    return ours.iloc[len(ours) - len(bare) :].reset_index(drop=True)[PRICES]
