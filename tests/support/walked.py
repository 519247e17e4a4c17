"""Many chains at little cost: the chain of one instant, moved by SQL.

Each later chain has the contracts of the first. Forwards and volatilities go up and down within 3 and 5 %, with a
noise of their own for each contract. Quotes stay on their ticks, and open interest changes each two hours. So the rows
take about as many bytes as recorded ones, but they are not free of arbitrage, and nothing expires.
"""

from datetime import datetime, timedelta

from store.file.database import Cursor
from store.models import to_column

# A number from 0 to 1 for each contract and instant, and the slow move of a contract from -1 to 1.
_NOISE = "(hash(number, strike, option_type, expiry) % 1000 / 1000.0)"
_MOVE = "sin(number / 500.0 + strike / 3e4 + {}) "

_OPTIONS = f"""
INSERT INTO options_by_snapshot
SELECT
    underlying,
    expiry,
    strike,
    option_type,
    $of + number * $period AS ts,
    round(mark_price * (1 + {_MOVE.format(0)} / 10 + {_NOISE} / 500), 6),
    round(mark_iv * (1 + {_MOVE.format(1)} / 20) + {_NOISE} / 20, 2),
    round(underlying_price * (1 + sin(number / 700.0) / 30 + (hash(number) % 1000) / 1e6), 4),
    round(round(bid_price * (1 + {_MOVE.format(0)} / 10) / 0.0005) * 0.0005, 4),
    round(round(ask_price * (1 + {_MOVE.format(0)} / 10) / 0.0005) * 0.0005, 4),
    last,
    round(open_interest * (1 + (number // 24 + strike::BIGINT) % 20 / 100.0), 1),
    round(volume * (1 + (number // 12 + strike::BIGINT) % 7 / 10.0), 1),
    round(volume_usd * (1 + (number // 12 + strike::BIGINT) % 7 / 10.0), 2)
FROM options, range($begin, $end) AS steps(number)
WHERE underlying = $underlying
  AND ts = $of
ORDER BY number
"""

_SNAPSHOTS = """
INSERT INTO snapshots (feed, ts, received_at, source, rows, index_price, rejected)
SELECT feed, $of + number * $period, $of + number * $period + to_milliseconds(500), source, rows, index_price, 0
FROM snapshots, range($begin, $end) AS steps(number)
WHERE feed = 'options/' || $underlying
  AND ts = $of
"""

_DERIVED = """
INSERT INTO {table}
SELECT
    {table}.* REPLACE ($of + number * $period AS ts, {moved})
FROM {table}, range($begin, $end) AS steps(number)
WHERE underlying = $underlying
  AND ts = $of
ORDER BY ts
"""


def walk(cursor: Cursor, underlying: str, of: datetime, first: datetime, period: timedelta, count: int) -> None:
    """Store `count` chains of an underlying from `first` on, a period apart, made of its stored chain of the time `of`.

    `first` is some periods after `of`. Snapshots, smiles and surfaces come with them.
    """
    begin = (first - of) // period
    asked = {"underlying": underlying, "of": to_column(of), "period": period, "begin": begin, "end": begin + count}
    cursor.execute(_OPTIONS, asked)
    cursor.execute(_SNAPSHOTS, asked)
    for table, values in (("smiles", ("forward", "atm_iv", "rr25")), ("surfaces", ("iv_30d", "iv_90d", "call_oi"))):
        moved = ", ".join(f"round({name} * (1 + sin(number / 500.0) / 20), 4) AS {name}" for name in values)
        cursor.execute(_DERIVED.format(table=table, moved=moved), asked)
