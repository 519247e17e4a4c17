"""Slots: the exact multiples of a period on the UTC wall clock at which something is due."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta


def slot_of(instant: datetime, period: timedelta) -> datetime:
    """The slot that an instant lies in: the last multiple of `period`, of whole seconds, at or before it."""
    seconds = int(period.total_seconds())
    return datetime.fromtimestamp(int(instant.timestamp()) // seconds * seconds, UTC)


def next_slot(instant: datetime, period: timedelta) -> datetime:
    """The first slot after an instant."""
    return slot_of(instant, period) + period


def slots_between(last: datetime, current: datetime, period: timedelta) -> Iterator[datetime]:
    """The slots after `last` and before `current`, both left out; none when the clock went back."""
    slot = last + period
    while slot < current:
        yield slot
        slot += period
