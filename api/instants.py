"""Times as the clients of /api/prices write them: whole numbers since the epoch, in seconds or in milliseconds."""

from datetime import UTC, datetime, timedelta

from fastapi import HTTPException

# A number below the first is seconds (up to the year 5138); one above the second would be microseconds.
_FIRST_MILLISECONDS = 10**11
_LAST_MILLISECONDS = 10**14

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GRACE = timedelta(seconds=60)
"""How far the clock of a client may be ahead of ours."""


def from_epoch(number: int, name: str) -> datetime:
    """The instant that a number stands for; 422 for one that is neither seconds nor milliseconds."""
    if not 0 <= number <= _LAST_MILLISECONDS:
        raise HTTPException(422, f"{name} = {number}: must be seconds or milliseconds since 1970")
    return _EPOCH + timedelta(milliseconds=number if number >= _FIRST_MILLISECONDS else 1000 * number)


def to_epoch_ms(instant: datetime) -> int:
    """Milliseconds since the epoch, rounded down."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def require_order(start: datetime, end: datetime, now: datetime) -> None:
    """Answer 422 for a range that is none: its start is in the future, or its end before its start."""
    if start > now + _GRACE:
        raise HTTPException(422, f"start_timestamp is in the future: it is {now:%Y-%m-%d %H:%M:%S} UTC")
    if end < start:
        raise HTTPException(422, "end_timestamp is before start_timestamp")
