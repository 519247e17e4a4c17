"""The known returns of an index, a minute to the next, summed by day."""

from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from store.file.rows import execute
from store.instants import DAY, EPOCH, MINUTE
from store.market.realised import Moves
from store.models import from_column, to_column
from store.prices import candles

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
SELECT time_bucket(INTERVAL 1 DAY, open_time) AS day, sum(log_return * log_return), count(*)
FROM returns
WHERE open_time >= $start
  AND since_last = INTERVAL 1 MINUTE
GROUP BY day
ORDER BY day
"""


def moves_by_day(cursor: DuckDBPyConnection, index_name: str, start: datetime, end: datetime) -> list[Moves]:
    """The known returns of an index in [start, end), for each UTC day from that of `start` on.

    A return belongs to the day of its later minute. Only minutes that are over by `end` count, and nothing later.

    Args:
        cursor: of a read lease.
        index_name: as the exchange spells it.
        start: a whole minute, UTC.
        end: UTC, after `start`.
    """
    end = candles.floor(end, MINUTE)
    asked = {
        "index_name": index_name,
        "before": to_column(start - MINUTE),
        "start": to_column(start),
        "end": to_column(end),
        "closed_to": to_column(candles.closed_to(cursor) or EPOCH),
    }
    found = {from_column(day): Moves(*its) for day, *its in execute(cursor, _MOVES, asked).fetchall()}
    first = candles.floor(start, DAY)
    count = -((first - end) // DAY)
    return [found.get(first + timedelta(days=day), Moves()) for day in range(count)]
