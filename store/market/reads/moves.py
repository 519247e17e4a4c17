"""The known returns of an index, each from a minute to the next one, summed over equal steps of time."""

from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from store.file.rows import execute
from store.instants import EPOCH, MINUTE
from store.market.realised import Moves
from store.models import from_column, to_column
from store.prices import candles
from store.prices.bars import bucket

# A minute is known if all of its ticks were observed: the close of another one may be an average.
_MOVES = """
WITH closes AS (
    SELECT open_time, close
    FROM candles_1m
    WHERE index_name = $index_name
      AND open_time >= $before
      AND open_time < least($end, $closed_to)
      AND observed_count = tick_count
    UNION ALL
    SELECT time_bucket(INTERVAL 1 MINUTE, ts) AS open_time, arg_max(price, ts) AS close
    FROM ticks
    WHERE index_name = $index_name
      AND ts >= greatest($before, $closed_to)
      AND ts < $end
    GROUP BY ALL
    HAVING max(resolution_s) = 0
),
returns AS (
    SELECT
        open_time,
        ln(close / lag(close) OVER by_time) AS log_return,
        open_time - lag(open_time) OVER by_time AS since_last
    FROM closes
    WINDOW by_time AS (ORDER BY open_time)
)
SELECT time_bucket($step, open_time) AS opened, sum(log_return * log_return), count(*)
FROM returns
WHERE open_time >= $start
  AND since_last = INTERVAL 1 MINUTE
GROUP BY opened
"""


def moves_by(
    cursor: DuckDBPyConnection, index_name: str, start: datetime, end: datetime, step: timedelta
) -> list[Moves]:
    """The known returns of an index in [start, end), for each step of time from that of `start` on.

    A return belongs to the step of its later minute. Only minutes that are over by `end` count, and nothing later.

    Args:
        cursor: of a read lease.
        index_name: as the exchange spells it.
        start: a whole minute, UTC.
        end: UTC.
        step: whole minutes, aligned as bars are.
    """
    end = candles.floor(end, MINUTE)
    asked = {
        "index_name": index_name,
        "before": to_column(start - MINUTE),
        "start": to_column(start),
        "end": to_column(end),
        "closed_to": to_column(candles.closed_to(cursor) or EPOCH),
        "step": step,
    }
    found = {from_column(opened): Moves(*its) for opened, *its in execute(cursor, _MOVES, asked).fetchall()}
    first = bucket(start, step)
    return [found.get(first + number * step, Moves()) for number in range(-((first - end) // step))]
