"""The calendar of coverage: a square for each hour of each day, coloured by what became of its slots."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal
from zoneinfo import ZoneInfo

import plotly.graph_objects as go

from pages.common.words import text
from store.ledger.coverage import Coverage

from . import squares

Class = Literal["live", "healed", "missing", "lost"]
CLASSES: dict[Class, str] = {
    "live": "all live",
    "healed": "healed in part",
    "missing": "missing in part",
    "lost": "mostly missing",
}
"""The classes of an hour, from good to bad, by their names in the legend."""


@dataclass(frozen=True)
class Hour:
    """An hour of the day on the clocks of a zone, for one index or several: slots due, healed and missing.

    It begins at `minute`, which is not 0 where clocks have changed by half an hour since the first hour of a calendar.
    """

    day: date
    hour: int
    due: int
    healed: int
    missing: int
    minute: int = 0

    @property
    def looks(self) -> Class:
        if 2 * self.missing > self.due:
            return "lost"
        return "missing" if self.missing else "healed" if self.healed else "live"

    @property
    def words(self) -> str:
        """When the hour was, and how much of it is known."""
        when = squares.when(self)
        if self.looks == "live":
            return f"{when}<br>all of {text.count(self.due, 'slot')} live"
        known = text.share(1 - self.missing / self.due)
        live = self.due - self.healed - self.missing
        return (
            f"{when}<br>{known} of {text.count(self.due, 'slot')} known<br>"
            f"{live:,} live, {self.healed:,} healed, {self.missing:,} missing"
        )


def on_the_wall(hours: Iterable[Coverage], zone: ZoneInfo) -> list[Hour]:
    """The hours as a clock in that zone shows them, ascending.

    Hours count from a midnight of that zone, so they match its clock even where it is half an hour off. The hour that
    comes twice in autumn is one square with the slots of both. The hour that is skipped in spring has none.
    """
    found: defaultdict[tuple[date, int, int], list[Coverage]] = defaultdict(list)
    for each in hours:
        local = each.start.astimezone(zone)
        found[local.date(), local.hour, local.minute].append(each)
    return [
        Hour(
            day,
            hour,
            sum(each.due for each in same_hour),
            sum(each.healed for each in same_hour),
            sum(each.missing for each in same_hour),
            minute,
        )
        for (day, hour, minute), same_hour in sorted(found.items())
    ]


def calendar(hours: Iterable[Hour], first: date, last: date) -> go.Figure:
    """The squares of all hours of these days, the earliest hour on top."""
    by_class: defaultdict[Class, list[Hour]] = defaultdict(list)
    for each in hours:
        by_class[each.looks].append(each)
    return squares.calendar({looks: (name, by_class[looks]) for looks, name in CLASSES.items()}, first, last)
