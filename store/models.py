"""The records that the store keeps: frozen, validated by whoever makes them, instants aware and in UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, NamedTuple

Source = Literal["live", "chart", "import", "simulator"]
GapState = Literal["open", "healed", "unfillable"]


RECORDER_DOWN = "recorder down"
"""Why slots brought nothing when no recorder was there to note another cause."""


CLOCKS_AGREE = timedelta(seconds=2)
"""A local clock that differs from the exchange's by no more counts as right."""


class Cause(StrEnum):
    """Why a recorder got nothing in a slot."""

    UNREACHABLE = "unreachable"
    EXCHANGE_ERROR = "exchange error"
    REJECTED_REPLY = "rejected reply"
    MISSED_SLOT = "missed slot"
    STORE_UNAVAILABLE = "store unavailable"


class Exchange(StrEnum):
    """Which exchange prices are of. Prices of two never share a file."""

    REAL = "Deribit"
    TEST = "Deribit's test environment"
    SIMULATOR = "the simulator"

    @property
    def source(self) -> Source:
        """Who says so, of what its replies bring."""
        return "simulator" if self is Exchange.SIMULATOR else "live"


@dataclass(frozen=True, slots=True)
class Tick:
    """One value of an index.

    Attributes:
        index_name: as the exchange spells it, e.g. "btc_usd".
        ts: exchange time; together with `index_name` it occurs once.
        price: in the second currency of the name.
        source: who says so: the exchange live, its charts, an import, or the simulator.
        received_at: local clock at receipt; None for history.
        resolution_s: 0 for an observation, else the seconds from `ts` on that the price is an average over.
    """

    index_name: str
    ts: datetime
    price: float
    source: Source = "live"
    received_at: datetime | None = None
    resolution_s: int = 0

    @property
    def feed(self) -> str:
        """What brought it: the feed of an index has its name."""
        return self.index_name

    @property
    def heard_at(self) -> datetime:
        """When it was received; when the exchange sent it, if that isn't known or the local clock was wrong."""
        if self.received_at is None or abs(self.received_at - self.ts) > CLOCKS_AGREE:
            return self.ts
        return self.received_at


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one request of a snapshot feed brought. It proves its slot, as a tick proves one of an index.

    Attributes:
        feed: such as "options/BTC".
        ts: exchange time, common to its rows; together with `feed` it occurs once.
        received_at: local clock at receipt.
        rows: of each the values of what its kind has brought (`Kind.brought`).
        source: who says so, as of a tick.
    """

    feed: str
    ts: datetime
    received_at: datetime
    rows: tuple[tuple[Any, ...], ...]
    source: Source = "live"


@dataclass(frozen=True, slots=True)
class Miss:
    """A slot that brought nothing of a feed.

    `detail` has the facts: what was asked, what came back; `code` is the exchange's own error code, if it gave one.
    """

    slot: datetime
    feed: str
    cause: Cause
    detail: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch in which a recorder meant to record `feeds`: the seconds between two slots of each, by its name.

    `ended_at` is None while it goes on, and stays so if the recorder was killed.
    """

    started_at: datetime
    feeds: Mapping[str, int]
    version: str
    ended_at: datetime | None = None


class Gap(NamedTuple):
    """Due slots of a feed, next to each other, that brought nothing.

    A tuple is made in a tenth of the time of a frozen dataclass, and a page reads thousands.

    Attributes:
        feed: that of an index has its name.
        start, end: from the first of the slots to the one after the last; half-open.
        slots: how many they are.
        poll_seconds: between them.
        cause: `RECORDER_DOWN`, or a `Cause`, with the exchange's error code where it gave one, such as
            "exchange error 11051".
        detail: the facts of the first of them.
        state: "open" while it may still be healed, "healed", or "unfillable" when nobody has it any more.
        source, resolution_s: what it was healed with, and the seconds that each of those is an average over; 0 when
            they were observed after all.
        gap: where it began when it was found; together with the feed, its name.
        round: how often it was looked at since.
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
        """What it was healed with, such as "chart, 6 s"; None while it isn't."""
        if self.source is None:
            return None
        return f"{self.source}, {self.resolution_s} s" if self.resolution_s else str(self.source)


def utc_now() -> datetime:
    """The local clock; passed in wherever time matters."""
    return datetime.now(UTC)


def to_column(instant: datetime) -> datetime:
    """An aware instant as the database keeps it: UTC without a zone."""
    return instant.astimezone(UTC).replace(tzinfo=None)


def from_column(instant: datetime) -> datetime:
    """What the database keeps, as an aware instant."""
    return instant.replace(tzinfo=UTC)
