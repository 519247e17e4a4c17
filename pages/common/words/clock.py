"""The clock that a chart's times are read from. A chart's axis can neither show an hour twice nor skip one."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Self
from zoneinfo import ZoneInfo

# No zone changes its clocks twice within a week.
_STEP = timedelta(weeks=1)
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Clock:
    """A clock that never changes.

    Attributes:
        zone: a fixed offset.
        changes: whether the reader's own clocks change in the range, so that they differ from this one in a part of it.
    """

    zone: timezone
    changes: bool

    @classmethod
    def over(cls, start: datetime, end: datetime, zone: ZoneInfo) -> Self:
        """The reader's clock as it stands at the end of [start, end), for all of that range."""
        last = max(start, end - _MOMENT)
        steps = (start + number * _STEP for number in range((last - start) // _STEP + 1))
        offset = offset_of(last.astimezone(zone))
        return cls(timezone(offset), any(offset_of(at.astimezone(zone)) != offset for at in steps))

    @property
    def note(self) -> str:
        """A sentence for the chart's caption if the reader's clocks change; else nothing."""
        if not self.changes:
            return ""
        return f"Clocks change in this range: times of the chart are {named(self.zone.utcoffset(None))}."


def offset_of(local: datetime) -> timedelta:
    """How far a time is ahead of UTC."""
    return local.utcoffset() or timedelta()


def named(offset: timedelta) -> str:
    """An offset as readers know it, such as "UTC+1" or "UTC-3:30"."""
    minutes = round(offset / timedelta(minutes=1))
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}" if minutes else "UTC"


def which(local: datetime) -> str:
    """What tells a time from the other one that clocks show alike, such as " UTC+1"; nothing for all other times."""
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        return ""
    return f" {named(offset_of(local))}"
