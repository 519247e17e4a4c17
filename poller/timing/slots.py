"""Slots: the exact multiples of a period on the UTC wall clock at which something is due."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

# A wait is cut into pieces of one second, so that a clock that was set and a machine that slept are noticed.
_LOOK_AT_CLOCK_S = 1.0


def slot_of(instant: datetime, period: timedelta) -> datetime:
    """The slot that an instant lies in: the last multiple of `period`, of whole seconds, at or before it."""
    seconds = int(period.total_seconds())
    return datetime.fromtimestamp(int(instant.timestamp()) // seconds * seconds, UTC)


def next_slot(instant: datetime, period: timedelta) -> datetime:
    """The first slot after an instant."""
    return slot_of(instant, period) + period


def slots_between(last: datetime, current: datetime, period: timedelta) -> Iterator[datetime]:
    """The slots after `last` and before `current`, both left out; none if the clock went back."""
    slot = last + period
    while slot < current:
        yield slot
        slot += period


async def slots(
    period: timedelta,
    now: Callable[[], Awaitable[datetime]],
    wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> AsyncIterator[datetime]:
    """Yield each slot of `period` when it begins, by the clock `now`; without end.

    If the next slot begins while a slot is served, it comes at once. Slots that ended meanwhile are left out. After the
    clock is set back, the next slot is the next one on that clock.

    Args:
        period: of whole seconds.
        now: the clock. It may take a while, for example when it asks the exchange.
        wait: waits for some seconds.
    """
    due = next_slot(await now(), period)
    while True:
        at = await now()
        left = due - at
        if left > period:
            due = next_slot(at, period)
        elif left > timedelta(0):
            await wait(min(left.total_seconds(), _LOOK_AT_CLOCK_S))
        else:
            yield slot_of(at, period)
            due = max(next_slot(at, period), slot_of(await now(), period))
