"""What the user says of a foreign file, and the statement that reads its rows as ticks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

_JUDGED = """
    SELECT
        *,
        CASE
            {cut}
            {names}
            WHEN ts IS NULL THEN 'time is missing or unreadable'
            WHEN ts < TIMESTAMP '2000-01-01' THEN 'time is before 2000'
            WHEN ts > $latest THEN '{late}'
            WHEN price IS NULL OR NOT isfinite(price) THEN 'price is missing or not a number'
            WHEN price <= 0 THEN 'price is not above 0'
            {resolutions}
        END AS fault
    FROM ({rows})
"""
_CUT = "WHEN row = $cut THEN 'the last line has no line end, and may be cut'"
_NAMES = "WHEN index_name IS NULL OR NOT list_contains($names, index_name) THEN 'not an index name such as btc_usd'"
_RESOLUTIONS = "WHEN resolution_s IS NULL OR resolution_s < 0 THEN '{fault}'"

_UNJUDGED = "SELECT *, NULL AS fault FROM ({rows})"
_GOOD = "SELECT * EXCLUDE fault FROM ({judged}) WHERE fault IS NULL"


@dataclass(frozen=True, slots=True)
class Columns:
    """What the user said of a file. A column that is None is found by the names of `reading.KNOWN_AS`.

    Attributes:
        time, price, index: the names of these columns.
        index_name: the index of all prices, in place of a column for it.
        resolution_s: the seconds that all prices are averages over, 0 for observations. Without it, and without a
            column for it, they are observations.
        candle_s: the seconds that each candle lasts.
        like: the tool that wrote the file, one of `LAYOUTS`.
        point: the decimal sign, "." or ",".
        order: the order of day and month, "dmy" or "mdy".
    """

    time: str | None = None
    price: str | None = None
    index: str | None = None
    index_name: str | None = None
    resolution_s: int | None = None
    candle_s: int | None = None
    like: str | None = None
    point: str | None = None
    order: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """How to read the rows of a Parquet file: a statement and the values bound in it.

    It gives index_name, ts (TIMESTAMP, UTC), price, received_at, source, resolution_s and row, counted from 0.

    Attributes:
        rows, values: the statement and the values bound in it.
        by_text: are times text, which is slow to read?
        resolutions: why a row without a sound resolution_s is bad; None if all have the same one.
        words: how the columns are read, a line each.
        candles: is each row the close of a candle, named by the time when it opened?
        candle_s: how long each candle lasts, if that is known.
        observed: does the user or a column say that the prices are no closes of candles?
    """

    rows: str
    values: dict[str, Any]
    by_text: bool = False
    resolutions: str | None = None
    words: tuple[str, ...] = ()
    candles: bool = False
    candle_s: int | None = None
    observed: bool = False

    def judged(self, latest: object, names: Sequence[str] | None, cut: int | None = None) -> "Statement":
        """The same statement with `fault`: why a row can't be a tick, NULL where it can.

        Args:
            latest: no tick can be later than this.
            names: the valid index names; None if all are valid.
            cut: the row of a last line that may be cut.
        """
        judged = _JUDGED.format(
            rows=self.rows,
            cut="" if cut is None else _CUT,
            names="" if names is None else _NAMES,
            late="the candle is not over" if self.candles else "time is in the future",
            resolutions="" if self.resolutions is None else _RESOLUTIONS.format(fault=self.resolutions),
        )
        bound: dict[str, Any] = {"latest": latest}
        bound |= {} if names is None else {"names": list(names)}
        bound |= {} if cut is None else {"cut": cut}
        return replace(self, rows=judged, values=self.values | bound)

    def unjudged(self) -> "Statement":
        """The same statement with `fault` NULL everywhere, because all rows are known to be good."""
        return replace(self, rows=_UNJUDGED.format(rows=self.rows))

    def good(self) -> "Statement":
        """The rows of a judged statement that can be ticks."""
        return replace(self, rows=_GOOD.format(judged=self.rows))
