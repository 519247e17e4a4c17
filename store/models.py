"""The records that the store keeps. They are frozen, their makers validate them, and times are aware and in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from .instants import EPOCH
from .kinds import kind_of

Source = Literal["live", "chart", "import", "simulator"]
GapState = Literal["open", "healed", "unfillable"]


_EPOCH = EPOCH.replace(tzinfo=None)

RECORDER_DOWN = "recorder down"
"""The cause of slots that failed because no recorder was at work."""


CLOCKS_AGREE = timedelta(seconds=2)
"""The local clock counts as right if it differs from the exchange's clock by at most 2 s."""


class Cause(StrEnum):
    """Why a slot brought nothing to a recorder."""

    UNREACHABLE = "unreachable"
    EXCHANGE_ERROR = "exchange error"
    REJECTED_REPLY = "rejected reply"
    MISSED_SLOT = "missed slot"
    STORE_UNAVAILABLE = "store unavailable"


class Exchange(StrEnum):
    """The exchange that prices come from. Prices of two exchanges never share a file."""

    REAL = "Deribit"
    TEST = "Deribit's test environment"
    SIMULATOR = "the simulator"

    @property
    def source(self) -> Source:
        """The source of ticks and snapshots from its replies."""
        return "simulator" if self is Exchange.SIMULATOR else "live"


@dataclass(frozen=True, slots=True)
class Tick:
    """One value of an index.

    Attributes:
        index_name: as the exchange spells it, e.g. "btc_usd".
        ts: exchange time; `index_name` and `ts` together occur once.
        price: in the second currency of the name.
        source: where the price comes from: the live exchange, its charts, an import, or the simulator.
        received_at: local clock at receipt; None for history.
        resolution_s: 0 for an observation. For an average, the seconds from `ts` that it covers.
    """

    index_name: str
    ts: datetime
    price: float
    source: Source = "live"
    received_at: datetime | None = None
    resolution_s: int = 0

    @property
    def feed(self) -> str:
        """The feed that brought the tick. The feed of an index has the index's name."""
        return self.index_name

    @property
    def heard_at(self) -> datetime:
        """The time of receipt; the exchange time if that is unknown or the local clock was wrong."""
        if self.received_at is None or abs(self.received_at - self.ts) > CLOCKS_AGREE:
            return self.ts
        return self.received_at


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The reply to one request of a snapshot feed. It proves its slot, as a tick proves an index's slot.

    Attributes:
        feed: the name of the feed, such as "options/BTC".
        ts: exchange time, common to all rows; `feed` and `ts` together occur once.
        received_at: local clock at receipt.
        rows: for each row the values of the columns in `Kind.brought`.
        source: where the rows come from, as for a tick.
        index_price: the price of the index at `ts`, in USD; None if the reply has none.
        rejected: how many rows of the reply could not be read, and are not in `rows`.
    """

    feed: str
    ts: datetime
    received_at: datetime
    rows: tuple[tuple[Any, ...], ...]
    source: Source = "live"
    index_price: float | None = None
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Miss:
    """A slot that brought nothing for a feed.

    `detail` has the facts: the request and the reply. `code` is the exchange's error code, if it gave one.
    """

    slot: datetime
    feed: str
    cause: Cause
    detail: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of time in which a recorder recorded `feeds`: the names of feeds, with the seconds between their slots.

    `ended_at` is None until the run ends; it stays None if the recorder is killed. `recorder` is the recorder's name;
    empty in a run of a version without names, and until the run is stored.
    """

    started_at: datetime
    feeds: Mapping[str, int]
    version: str
    ended_at: datetime | None = None
    recorder: str = ""


class Gap(NamedTuple):
    """Consecutive due slots of a feed that brought nothing.

    It is a tuple, because a page reads thousands and a frozen dataclass takes ten times as long to make.

    Attributes:
        feed: the name of the feed. The feed of an index has the index's name.
        start, end: from the first slot to the slot after the last; half-open.
        slots: the number of slots.
        poll_seconds: the seconds between two slots.
        cause: `RECORDER_DOWN`, or a `Cause`, followed by the exchange's error code if it gave one, such as
            "exchange error 11051".
        detail: the facts of the first slot.
        state: "open" while it may still be healed, "healed", or "unfillable" when nobody has its ticks any more.
        source, resolution_s: the source that healed it, and the seconds that each of its averages covers; 0 if
            observations healed it.
        gap: the start of the gap when it was found. The feed and this time identify the gap.
        round: how often the gap was examined since.
    """

    feed: str
    start: datetime
    end: datetime
    slots: int
    poll_seconds: int
    cause: str
    detail: str
    state: GapState = "open"
    source: Source | None = None
    resolution_s: int | None = None
    gap: datetime | None = None
    round: int = 0

    @property
    def healed_by(self) -> str | None:
        """What healed the gap, such as "chart, 6 s" or "trades, 60 s"; None if it isn't healed."""
        if self.source is None or not self.resolution_s:
            return self.source
        kind = kind_of(self.feed)
        what = (kind and kind.healed_by) or self.source
        if self.source == "simulator" != what:
            what = f"{what} of the simulator"
        return f"{what}, {self.resolution_s} s"


def utc_now() -> datetime:
    """The local time. Code whose result depends on time takes a clock as an argument."""
    return datetime.now(UTC)


def to_column(instant: datetime) -> datetime:
    """An aware instant as the database keeps it: UTC without a zone."""
    return instant.astimezone(UTC).replace(tzinfo=None)


def from_column(instant: datetime) -> datetime:
    """An aware instant from a time in the database."""
    return EPOCH + (instant - _EPOCH)  # a tenth of the time of `replace`, which counts for thousands of rows
