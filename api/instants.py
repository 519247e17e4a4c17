"""Times and lengths of time as the clients write them: whole numbers since the epoch, ISO 8601, "5m"."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import HTTPException
from pydantic import BeforeValidator, WithJsonSchema

from store.instants import from_text as from_iso
from store.instants import in_iso
from store.prices.bars import INTERVAL_NAMES
from store.words import shortened

# A number below the first limit is seconds (up to the year 5138); one above the second would be microseconds.
_FIRST_MILLISECONDS = 10**11
LAST_MILLISECONDS = 10**14

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GRACE = timedelta(seconds=60)
"""A client's clock may be this far ahead of ours."""

_AN_INSTANT = "must be ISO 8601, such as 2026-11-01T12:00:00Z, or seconds or milliseconds since 1970"


def from_epoch(number: int, name: str) -> datetime:
    """The instant of a number of seconds or milliseconds; 422 for any other number."""
    if not 0 <= number <= LAST_MILLISECONDS:
        raise HTTPException(422, f"{name} = {shortened(number)}: must be seconds or milliseconds since 1970")
    return _of_number(number)


def to_epoch_ms(instant: datetime) -> int:
    """Milliseconds since the epoch, rounded down."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def from_text(text: str) -> datetime:
    """The instant of an ISO 8601 text, in UTC unless it says otherwise, or of a number.

    Raises:
        ValueError: the text is neither; the message says what is allowed.
    """
    try:
        if re.fullmatch("[0-9]{1,15}", text) and (number := int(text)) <= LAST_MILLISECONDS:
            return _of_number(number)
        return from_iso(text)
    except ValueError:
        raise ValueError(_AN_INSTANT) from None


Instant = Annotated[
    datetime,
    BeforeValidator(from_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "integer", "minimum": 0, "maximum": LAST_MILLISECONDS},
            ]
        }
    ),
]
"""A query parameter that is a time; aware and in UTC. Any other text is answered with 422."""


def require_order(
    start: datetime, end: datetime, now: datetime, names: tuple[str, str] = ("start_timestamp", "end_timestamp")
) -> None:
    """Answer 422 to a range that starts in the future or ends before its start."""
    first, last = names
    require_past(start, now, first)
    if end < start:
        raise HTTPException(422, f"{last} = {in_iso(end)}: must not be before {first} = {in_iso(start)}")


def require_past(instant: datetime, now: datetime, name: str) -> None:
    """Answer 422 to an instant in the future."""
    if instant > now + _GRACE:
        raise HTTPException(
            422, f"{name} = {in_iso(instant)}: must not be in the future, it is {now:%Y-%m-%dT%H:%M:%SZ}"
        )


INTERVALS = {name: interval for interval, name in INTERVAL_NAMES.items()}
"""The lengths of candles by the names that clients use, ascending."""


def interval_of(name: str) -> timedelta:
    """The length of the candles with this name; 422 for an unknown name."""
    if name not in INTERVALS:
        raise HTTPException(422, f"interval = {shortened(name)}: must be one of {', '.join(INTERVALS)}")
    return INTERVALS[name]


def _of_number(number: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=number if number >= _FIRST_MILLISECONDS else 1000 * number)
