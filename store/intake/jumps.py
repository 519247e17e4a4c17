"""Steps of a price by a power of ten, as a decimal sign in the wrong place makes them."""

import math
from typing import Any

from store import words

from .rows.foreign import Statement
from .rows.work import Work
from .survey import Portion, Survey

# A price that changes by almost 10 or 100 times within a day has a misplaced decimal sign. No index moves like that.
_NEAR_TO_A_POWER = 0.04

# The 1,000 rows before a portion are looked at. They have the last price of each index, if a file has fewer indexes.
_ROWS_BEFORE = 1000

_JUMPS = f"""
SELECT index_name, ts, price, before, count(*) OVER ()
FROM (
    SELECT
        index_name,
        ts,
        price,
        row,
        lag(price) OVER its AS before,
        lag(ts) OVER its AS since,
        log10(price) - log10(lag(price) OVER its) AS size
    FROM ({{rows}})
    WHERE row >= $first - {_ROWS_BEFORE}
      AND row < $end
    WINDOW its AS (PARTITION BY index_name ORDER BY row)
)
WHERE row >= $first
  AND ts - since <= INTERVAL 1 DAY
  AND abs(size) > 0.5
  AND abs(size - round(size)) < {_NEAR_TO_A_POWER}
ORDER BY row
LIMIT 1
"""  # noqa: S608 the numbers are the constants above


def is_jump(price: float, near: float) -> bool:
    """Do two prices differ by a power of ten?"""
    size = math.log10(price) - math.log10(near)
    return abs(size) > 0.5 and abs(size - round(size)) < _NEAR_TO_A_POWER


def jump_within(work: Work, rows: Statement, found: Survey) -> str | None:
    """The first step by a power of ten within a day between two rows of an index, in words; None without one.

    Args:
        work: on the file.
        rows: in the order of time, all of them good.
        found: what the rows have.
    """
    steps = [step for portion in found.wide for step in _steps(work, rows, portion)]
    if not steps:
        return None
    index_name, ts, price, before, _ = steps[0]
    more = sum(count for *_, count in steps) - 1
    others = f", and {more:,} more such steps" if more > 1 else ", and one more such step" if more else ""
    return (
        f"its price of {index_name} steps from {words.price(before)} to {words.price(price)} at "
        f"{ts:%Y-%m-%d %H:%M:%S} UTC, by a power of ten{others}"
    )


def _steps(work: Work, rows: Statement, portion: Portion) -> list[tuple[Any, ...]]:
    """The first step in a portion, with the number of all."""
    values = rows.values | {"first": portion.first, "end": portion.end}
    return work.run("comparing the prices of", _JUMPS.format(rows=rows.rows), values)
