"""The records that the store keeps: frozen, validated by whoever makes them, instants aware and in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

Source = Literal["live", "chart", "import", "simulator"]


class Cause(StrEnum):
    """Why a slot has no tick. A recorder that is down notes none; the ledger of gaps finds those."""

    UNREACHABLE = "unreachable"
    EXCHANGE_ERROR = "exchange error"
    REJECTED_REPLY = "rejected reply"
    MISSED_SLOT = "missed slot"
    STORE_UNAVAILABLE = "store unavailable"
    RECORDER_DOWN = "recorder down"


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


@dataclass(frozen=True, slots=True)
class Miss:
    """A slot that brought no tick of an index.

    `detail` has the facts: what was asked, what came back; `code` is the exchange's own error code, if it gave one.
    """

    slot: datetime
    index_name: str
    cause: Cause
    detail: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch in which a recorder meant to record `indexes` every `poll_seconds`.

    `ended_at` is None while it goes on, and stays so if the recorder was killed.
    """

    started_at: datetime
    poll_seconds: int
    indexes: tuple[str, ...]
    version: str
    ended_at: datetime | None = None


def utc_now() -> datetime:
    """The local clock; passed in wherever time matters."""
    return datetime.now(UTC)


def to_column(instant: datetime) -> datetime:
    """An aware instant as the database keeps it: UTC without a zone."""
    return instant.astimezone(UTC).replace(tzinfo=None)


def from_column(instant: datetime) -> datetime:
    """What the database keeps, as an aware instant."""
    return instant.replace(tzinfo=UTC)
