"""Times as people and programs write them."""

from datetime import UTC, datetime, timedelta

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Slots are counted from this time, and none was due before it."""

EVER, FOR_EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""The earliest and the latest instant."""


def from_text(written: str) -> datetime:
    """An instant from a time in ISO 8601. A time without a zone is UTC.

    Raises:
        ValueError: the text is no time.
    """
    at = datetime.fromisoformat(written)
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{written} is outside the years 1 to 9999 in UTC") from error


def in_iso(instant: datetime) -> str:
    """An instant for a person or a program, in UTC, such as 2026-11-01T12:00:00Z."""
    return instant.isoformat().replace("+00:00", "Z")
