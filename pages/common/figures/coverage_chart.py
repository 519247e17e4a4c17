"""The calendar of coverage: a square for each hour of each day, coloured by what became of its slots.

The browser's bundle has no heatmap. So each square is a bar of its own: a day wide, from one hour to the next.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import plotly.graph_objects as go

from pages.common.words import text
from store.ledger.coverage import Coverage

Class = Literal["live", "healed", "missing", "lost"]
CLASSES: dict[Class, str] = {
    "live": "all live",
    "healed": "healed in part",
    "missing": "missing in part",
    "lost": "mostly missing",
}
"""The classes of an hour, from good to bad, by their names in the legend."""

_DAY_MS = 86_400_000
_SQUARE = 0.88
"""The share of its place that a square fills, so that neighbours don't touch."""


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
        hours = f"{self.hour:02}:{self.minute:02} to {(self.hour + 1) % 24:02}:{self.minute:02}"
        when = f"{self.day:%a} {self.day.day} {self.day:%b %Y}, {hours}"
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
    figure = go.Figure()
    by_class: defaultdict[Class, list[Hour]] = defaultdict(list)
    for each in hours:
        by_class[each.looks].append(each)
    for looks, name in CLASSES.items():
        _add_squares(figure, by_class[looks], looks, name)
    half_a_day = timedelta(hours=12)
    edges = [datetime.combine(first, time()) - half_a_day, datetime.combine(last, time()) + half_a_day]
    figure.update_layout(
        barmode="overlay",
        barcornerradius=2,
        hovermode="closest",
        margin={"l": 8, "r": 8, "t": 32, "b": 8},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        showlegend=True,
        xaxis={"type": "date", "range": edges, "tickformat": "%-d %b", "showspikes": False, "automargin": True},
        yaxis={
            "range": [24, 0],
            "fixedrange": True,
            "tickvals": [0, 6, 12, 18, 24],
            "ticktext": ["00:00", "06:00", "12:00", "18:00", "24:00"],
            "showgrid": False,
            "automargin": True,
        },
    )
    return figure


def _add_squares(figure: go.Figure, hours: list[Hour], looks: Class, name: str) -> None:
    figure.add_bar(
        x=np.array([each.day for each in hours], dtype="datetime64[ms]"),
        base=np.array([each.hour + each.minute / 60 for each in hours]) + (1 - _SQUARE) / 2,
        y=np.full(len(hours), _SQUARE),
        width=_SQUARE * _DAY_MS,
        hovertext=np.array([each.words for each in hours], dtype=object),
        hovertemplate="%{hovertext}<extra></extra>",
        name=name,
        meta={"part": looks},
    )
