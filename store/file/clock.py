"""The exchange's time for readers: a recorder at work says in its notice how far this machine's clock is off."""

import contextlib
from datetime import datetime, timedelta
from pathlib import Path

from store import words
from store.errors import StoreError
from store.models import CLOCKS_AGREE, utc_now

from .recorder import Notice, read_notice

OFF_S = CLOCKS_AGREE.total_seconds()
"""A clock that differs from the exchange's by so many seconds is wrong."""

AHEAD = timedelta(minutes=10)
"""A range that ends now has ticks that are so far ahead too: the clock may be wrong, and no recorder there to tell."""


def exchange_now(database: Path, local: datetime | None = None) -> datetime:
    """Now, by the exchange's clock as far as the recorder of a file knows it; else by the local clock.

    Args:
        database: the file.
        local: what the local clock shows; now unless told.
    """
    notice = None
    with contextlib.suppress(StoreError):  # the reader is told by the read that follows
        notice = read_notice(database)
    return corrected(notice, local or utc_now())


def corrected(notice: Notice | None, local: datetime) -> datetime:
    """What the local clock shows, corrected by what a recorder's notice says of it.

    A recorder that ended no longer knows the clock: it may have been set since. But it was not earlier than its end.
    """
    if notice is None:
        return local
    by_notice = local + timedelta(seconds=notice.skew_s)
    return by_notice if notice.alive else max(local, min(by_notice, notice.state_since))


def off_in_words(skew_s: float) -> str:
    """How far a clock is off that the exchange's is so many seconds ahead of, such as "3 min 2 s behind"."""
    return f"{words.duration(timedelta(seconds=abs(skew_s)))} {'behind' if skew_s > 0 else 'ahead of'} the exchange's"


def skew_s(notice: Notice | None) -> float:
    """How far a recorder at work found its machine's clock to be behind the exchange's; 0 for one that is right."""
    return notice.skew_s if notice is not None and notice.alive and abs(notice.skew_s) >= OFF_S else 0.0


def clock_in_words(notice: Notice | None) -> str:
    """One line on a clock that a recorder at work found to be wrong; empty for one that is right."""
    off_s = skew_s(notice)
    return f"this machine's clock is {off_in_words(off_s)}" if off_s else ""
