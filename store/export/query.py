"""What an export is asked for: which indexes, from when to when, as ticks or candles, in which format."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args
from urllib.parse import urlencode

from store.instants import EPOCH, in_iso
from store.prices.bars import INTERVAL_NAMES, SINGLE_TICKS, bucket

Format = Literal["parquet", "csv", "xlsx"]
FORMATS: tuple[Format, ...] = get_args(Format)

SUFFIXES: Mapping[Format, str] = {"parquet": "parquet", "csv": "csv.gz", "xlsx": "xlsx"}
MEDIA_TYPES: Mapping[Format, str] = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "application/gzip",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

MOST_EXCEL_ROWS = 1_048_575
"""A sheet of Excel has 1,048,576 rows; the first has the names."""

TICKS_A_WINDOW = 500_000
"""Ticks that are read under one lease, which takes 0.1 s and 26 MB as a table."""


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """An export.

    Attributes:
        index_names: of which indexes.
        start, end: UTC, half-open. Candles are whole: those that open in the range and are over.
        interval: of a candle, one of `NICE_INTERVALS`; `SINGLE_TICKS` for ticks.
        healed: with the points from the exchange's charts, that gaps were healed and older history was filled with.
        format: Parquet, CSV compressed by gzip, or Excel.
    """

    index_names: tuple[str, ...]
    start: datetime
    end: datetime
    interval: timedelta = SINGLE_TICKS
    healed: bool = True
    format: Format = "parquet"

    @property
    def kind(self) -> str:
        """What its rows are."""
        return "candles" if self.interval else "ticks"

    @property
    def parameters(self) -> str:
        """It as the query of an address."""
        interval = [("interval", INTERVAL_NAMES[self.interval])] if self.interval else []
        return urlencode(
            [
                *(("ticker", name) for name in self.index_names),
                ("start", in_iso(self.start)),
                ("end", in_iso(self.end)),
                *interval,
                *([] if self.healed else [("healed", "false")]),
                ("format", self.format),
            ],
            safe=":",
        )

    @property
    def file_name(self) -> str:
        """A name for people, such as "btc_usd-1m-20261101T120000Z-20261102T120000Z.parquet"."""
        names = "-".join(self.index_names) if len(self.index_names) <= 3 else f"{len(self.index_names)}-indexes"
        what = INTERVAL_NAMES.get(self.interval, "ticks")
        observed = [] if self.healed else ["without-healed"]
        ends = [self.end] if self.start <= EPOCH else [self.start, self.end]
        times = [in_iso(at).translate({ord(sign): None for sign in "-:"}) for at in ends]
        return f"{'-'.join([names, what, *observed, *times])}.{SUFFIXES[self.format]}"

    def closed(self, now: datetime) -> "ExportQuery":
        """The same with nothing left open: each index once and by name, no time to come, candles whole."""
        start, end = max(self.start, EPOCH), min(self.end, now)
        if self.interval:
            almost = self.interval - timedelta.resolution
            start, end = (bucket(at + almost, self.interval) for at in (start, end))
            end = min(end, bucket(now, self.interval))
        return replace(self, index_names=tuple(sorted(set(self.index_names))), start=start, end=max(start, end))
