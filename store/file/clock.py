"""The exchange's time for readers: the notice of a running recorder says how far this machine's clock is off."""

import contextlib
from datetime import datetime, timedelta
from pathlib import Path

from store import words
from store.errors import StoreError
from store.models import CLOCKS_AGREE, utc_now

from .recorder import Notice, read_notice

OFF_S = CLOCKS_AGREE.total_seconds()
"""A clock is wrong if it differs from the exchange's by this many seconds."""

AHEAD = timedelta(minutes=10)
"""A range that ends now reaches this far ahead, since the clock may be wrong without a recorder that says so."""


def exchange_now(database: Path, local: datetime | None = None) -> datetime:
    """The time by the exchange's clock, if the recorder of the file knows it; else by the local clock.

    Args:
        database: the file.
        local: the time of the local clock; None for now.
    """
    notice = None
    with contextlib.suppress(StoreError):  # the read that follows raises the same
        notice = read_notice(database)
    return corrected(notice, local or utc_now())


def corrected(notice: Notice | None, local: datetime) -> datetime:
    """The local time, corrected by a recorder's notice.

    A recorder that ended no longer knows the clock, which may have been set since. But now is not before its end.
    """
    if notice is None:
        return local
    by_notice = local + timedelta(seconds=notice.skew_s)
    return by_notice if notice.alive else max(local, min(by_notice, notice.state_since))


def off_in_words(skew_s: float) -> str:
    """How far a clock is off that the exchange's is `skew_s` ahead of, such as "3 min 2 s behind the exchange's"."""
    return f"{words.duration(timedelta(seconds=abs(skew_s)))} {'behind' if skew_s > 0 else 'ahead of'} the exchange's"


def disagreement(notice: Notice | None, local: datetime, theirs: datetime, whose: str, allowed: timedelta) -> str:
    """One line that says whose clock is off, and by how much; empty if the clocks agree.

    Args:
        notice: of a recorder. While it runs, it corrects this machine's clock by the exchange's.
        local: the time of this machine's clock.
        theirs: the time of another machine's clock at that instant.
        whose: its name, such as "PostgreSQL".
        allowed: how far they may differ.
    """
    behind = theirs - corrected(notice, local)
    if abs(behind) <= allowed:
        return ""
    apart, limit = words.duration(abs(behind)), words.span(allowed)
    if notice is not None and notice.alive:
        off = f"{whose}'s clock is {off_in_words(-behind.total_seconds())}"
    else:
        off = f"this machine's clock is {apart} {'behind' if behind > timedelta(0) else 'ahead of'} {whose}'s"
    return f"{off}, and {limit} is allowed: set that clock right"


def skew_s(notice: Notice | None) -> float:
    """How far a running recorder found its machine's clock to be behind the exchange's; 0 for a clock that is right."""
    return notice.skew_s if notice is not None and notice.alive and abs(notice.skew_s) >= OFF_S else 0.0


def clock_in_words(notice: Notice | None) -> str:
    """One line about a clock that a running recorder found to be wrong; empty for a clock that is right."""
    off_s = skew_s(notice)
    return f"this machine's clock is {off_in_words(off_s)}" if off_s else ""
