"""Funding by hour and day: a square for each known hour, coloured by who paid and how much."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import plotly.graph_objects as go

from pages.common.words import futures_text
from store.instants import HOUR
from store.market.carry import annual_rate_of_hours
from store.market.reads.funding import FundingHour

from . import squares

NARROW_DAYS = 14
"""How many days a phone shows."""

_LIMITS = (0.02, 0.1, 0.3)
"""Where the classes of a rate a year end, on both sides of 0."""

CLASSES = {
    "shorts3": "below −30 %",
    "shorts2": "−30 to −10 %",
    "shorts1": "−10 to −2 %",
    "level": "−2 to 2 % a year",
    "longs1": "2 to 10 %",
    "longs2": "10 to 30 %",
    "longs3": "above 30 %",
}
"""The classes of an hour by their names in the legend: of what shorts paid, of next to nothing, of what longs paid."""


@dataclass(frozen=True)
class Paid:
    """What longs paid in an hour of the day on the clocks of a zone, as a fraction; shorts paid if it is below 0.

    The hour that comes twice in autumn is one square of two `hours`.
    """

    day: date
    hour: int
    rate: float
    hours: int = 1
    minute: int = 0

    @property
    def annual(self) -> float:
        return annual_rate_of_hours(self.rate, self.hours)

    @property
    def looks(self) -> str:
        size = sum(abs(self.annual) > limit for limit in _LIMITS)
        return f"{'longs' if self.annual > 0 else 'shorts'}{size}" if size else "level"

    @property
    def words(self) -> str:
        """When the hour was, and its rate."""
        return f"{squares.when(self)}<br>{futures_text.small(self.rate)}, {futures_text.percent(self.annual)} a year"


def on_the_wall(hours: Iterable[FundingHour], zone: ZoneInfo) -> list[Paid]:
    """The hours as a clock in that zone shows them, ascending."""
    found: defaultdict[tuple[date, int, int], list[float]] = defaultdict(list)
    for each in hours:
        local = (each.ts - HOUR).astimezone(zone)
        found[local.date(), local.hour, local.minute].append(each.interest_1h)
    return [Paid(day, hour, sum(rates), len(rates), minute) for (day, hour, minute), rates in sorted(found.items())]


def calendar(hours: Sequence[Paid], first: date, last: date) -> go.Figure:
    """The squares of these days; an hour that is not known has none. A narrow screen shows `NARROW_DAYS`."""
    by_class: defaultdict[str, list[Paid]] = defaultdict(list)
    for each in hours:
        by_class[each.looks].append(each)
    shown = {looks: (name, by_class[looks]) for looks, name in CLASSES.items()}
    return squares.calendar(shown, first, last, narrow_days=NARROW_DAYS)


def describe(hours: Sequence[Paid], days: int) -> str:
    """What the squares show, for readers who can't see them: at least one hour."""
    low, high = min(hours, key=lambda each: each.rate), max(hours, key=lambda each: each.rate)
    return (
        f"Funding by hour and day over {days} days: highest {_told(high)}; lowest {_told(low)}. "
        f"{sum(each.hours for each in hours):,} hours known."
    )


def _told(its: Paid) -> str:
    return its.words.replace("<br>", ", ")
