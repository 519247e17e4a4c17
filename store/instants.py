"""Times as people and programs write them."""

from datetime import UTC, datetime, timedelta

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Slots are counted from here. Nothing was due earlier."""

EVER, FOR_EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""The earliest and the latest instant."""


def from_text(written: str) -> datetime:
    """An instant from a time in ISO 8601. A time without a zone is UTC.

    Raises:
        ValueError: it is not a time.
    """
    at = datetime.fromisoformat(written)
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{written} is out of range") from error


def in_iso(instant: datetime) -> str:
    """An instant as text, in UTC, such as 2026-11-01T12:00:00Z."""
    return instant.isoformat().replace("+00:00", "Z")


def stale_after_s(period_s: int) -> int:
    """The age in seconds beyond which what comes once a period is stale: three periods, at least half a minute."""
    return max(3 * period_s, 30)
