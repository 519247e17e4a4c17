"""The query of an export: its feeds, its range of time, rows or candles, and the format."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args
from urllib.parse import urlencode

from store.instants import EPOCH, in_iso
from store.kinds import OPTIONS, TICKS, Kind, kind_of
from store.prices.bars import INTERVAL_NAMES, SINGLE_TICKS, bucket

Format = Literal["parquet", "csv", "xlsx"]
FORMATS: tuple[Format, ...] = get_args(Format)
Columns = Literal["own", "tardis"]
COLUMNS: tuple[Columns, ...] = get_args(Columns)

SUFFIXES: Mapping[Format, str] = {"parquet": "parquet", "csv": "csv.gz", "xlsx": "xlsx"}
MEDIA_TYPES: Mapping[Format, str] = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "application/gzip",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

ROWS_A_WINDOW = 250_000
"""The rows read under one lease. 250,000 ticks take 0.05 s, and 13 MB as a table."""

MOST_EXCEL_ROWS = 1_048_575
"""An Excel sheet has 1,048,576 rows, and the first has the names of the columns."""


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """An export.

    Attributes:
        feeds: the names of the feeds, all of one kind. The feed of an index has the index's name.
        start, end: UTC, half-open. Candles are complete: they open in the range and are over.
        interval: the length of a candle, one of `NICE_INTERVALS`; `SINGLE_TICKS` for ticks and the rows of other kinds.
        healed: include the points from the exchange's charts, which healed gaps and filled older history.
        format: Parquet, CSV compressed by gzip, or Excel.
        columns: our own, or of options those of Tardis.
    """

    feeds: tuple[str, ...]
    start: datetime
    end: datetime
    interval: timedelta = SINGLE_TICKS
    healed: bool = True
    format: Format = "parquet"
    columns: Columns = "own"

    @property
    def kind(self) -> Kind:
        """The kind of the feeds; without feeds, the kind of indexes."""
        return next(filter(None, map(kind_of, self.feeds)), TICKS)

    @property
    def of_prices(self) -> bool:
        """Are the feeds indexes? Only indexes have candles."""
        return self.kind is TICKS

    @property
    def rows_are(self) -> str:
        """What the rows are: "candles", or the name of their table."""
        return "candles" if self.interval else self.kind.table

    @property
    def time(self) -> str:
        """The column that the rows are sorted by."""
        if self.columns == "tardis":
            return "timestamp"
        return "open_time" if self.interval else self.kind.time

    @property
    def names(self) -> tuple[str, ...]:
        """The ends of the feeds' names, as the rows have them."""
        return tuple(map(self.kind.end, self.feeds))

    @property
    def recorded(self) -> tuple[str, ...]:
        """The feeds whose gaps and coverage count for the export."""
        return tuple(map(self.kind.recorded, self.feeds))

    @property
    def refusal(self) -> str | None:
        """One line that says why the query can't be exported; None if it can."""
        other = next((feed for feed in self.feeds if kind_of(feed) is not kind_of(self.feeds[0])), None)
        if other is not None:
            return f"{self.feeds[0]} and {other} are of two kinds: export each by itself"
        if self.interval and not self.of_prices:
            return f"candles are made of prices, and {self.feeds[0]} has none: export its rows"
        if self.columns == "tardis" and (self.kind is not OPTIONS or self.format == "xlsx"):
            return "the columns of Tardis are those of options, as Parquet or CSV"
        return None

    @property
    def parameters(self) -> str:
        """The query as the query part of a URL."""
        interval = [("interval", INTERVAL_NAMES[self.interval])] if self.interval else []
        return urlencode(
            [
                *([] if self.of_prices else [("series", self.kind.name)]),
                *(("ticker", name) for name in self.names),
                ("start", in_iso(self.start)),
                ("end", in_iso(self.end)),
                *interval,
                *([] if self.healed else [("healed", "false")]),
                *([] if self.columns == "own" else [("columns", self.columns)]),
                ("format", self.format),
            ],
            safe=":",
        )

    @property
    def file_name(self) -> str:
        """A name for people, such as "btc_usd-1m-20261101T120000Z-20261102T120000Z.parquet"."""
        many = "indexes" if self.of_prices else "feeds"
        names = "-".join(self.names) if len(self.names) <= 3 else f"{len(self.names)}-{many}"
        what = INTERVAL_NAMES.get(self.interval, self.kind.name or self.kind.table)
        observed = [] if self.healed else ["without-healed"]
        ends = [self.end] if self.start <= EPOCH else [self.start, self.end]
        times = [in_iso(at).translate({ord(sign): None for sign in "-:"}) for at in ends]
        columns = [] if self.columns == "own" else [self.columns]
        return f"{'-'.join([names, what, *columns, *observed, *times])}.{SUFFIXES[self.format]}"

    def closed(self, now: datetime) -> "ExportQuery":
        """The same query made definite: each feed once and sorted, no future time, only complete candles."""
        start, end = max(self.start, EPOCH), min(self.end, now)
        if self.interval:
            almost = self.interval - timedelta.resolution
            start, end = (bucket(at + almost, self.interval) for at in (start, end))
            end = min(end, bucket(now, self.interval))
        return replace(self, feeds=tuple(sorted(set(self.feeds))), start=start, end=max(start, end))
