"""Times by the exchange's clock, rounded so that all visitors ask the same questions."""

from datetime import UTC, datetime, timedelta

from store.file.clock import exchange_now
from store.instants import EPOCH

from .access import settings

SECOND = timedelta(seconds=1)


def now() -> datetime:
    """Now, by the exchange's clock, since this machine's clock may be wrong."""
    return exchange_now(settings().database)


def this_second() -> datetime:
    """Now, rounded up to the second, so that visitors of the same second ask the same question."""
    return now().replace(microsecond=0) + timedelta(seconds=1)


def this_minute() -> datetime:
    """Now, rounded down to the minute."""
    return now().replace(second=0, microsecond=0)


def these_ten_seconds() -> datetime:
    """Now, rounded down to ten seconds, so that slots that are still to come don't count as missing."""
    return datetime.fromtimestamp(int(now().timestamp()) // 10 * 10, UTC)


def rounded_up(at: datetime, step: timedelta) -> datetime:
    """The next multiple of a step, counted from 1970 on, at or after an instant."""
    return at + (EPOCH - at) % step
