"""Charts of how the recording went: delays from exchange time to stored time, and errors by cause."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, time, timedelta, timezone, tzinfo
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go

from pages.common.words import text
from store.health.vitals import Vitals
from store.ledger.runs import Failures
from store.models import Cause

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_MARGIN = {"l": 8, "r": 8, "t": 32, "b": 8}
_LEGEND = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"}
_HOVER = "%-d %b %Y, %H:%M"
_FEW_SLOTS = 5  # Plotly would label halves of slots below this
_TICKS_S = [scale * step for scale in (0.001, 0.01, 0.1, 1, 10) for step in (1, 2, 5)]


def delays(vitals: Sequence[Vitals], interval: timedelta, zone: timezone) -> go.Figure:
    """Median and p99 over time, with breaks where no tick was stored. The scale is logarithmic: p99 has peaks."""
    figure = go.Figure()
    rows = list(_with_breaks(vitals, interval))
    x = np.array([_wall(at, zone) for at, _ in rows], dtype="datetime64[ms]")
    for series, (name, part) in enumerate((("median", "delay_median_s"), ("p99", "delay_p99_s"))):
        figure.add_scatter(
            x=x,
            y=np.array([row and getattr(row, part) for _, row in rows], dtype=float),
            mode="lines",
            name=name,
            hovertemplate="%{y:.3~s}s<extra>%{fullData.name}</extra>",
            meta={"series": series, "part": "line", "unit": "s"},
        )
    # A clock far behind the exchange's makes delays negative, and a negative number has no logarithm.
    positive = all(each.delay_median_s is None or each.delay_median_s > 0 for each in vitals)
    figure.update_layout(
        yaxis={
            "type": "log" if positive else "linear",
            "tickvals": _TICKS_S,
            "ticktext": list(map(text.delay, _TICKS_S)),
        }
    )
    _finish(figure)
    return figure


def describe_delays(vitals: Sequence[Vitals]) -> str:
    """What the chart of delays shows, for readers who can't see it."""
    medians = sorted(each.delay_median_s for each in vitals if each.delay_median_s is not None)
    highest = max((each.delay_p99_s for each in vitals if each.delay_p99_s is not None), default=None)
    if not medians or highest is None:
        return "No delays in this range."
    return (
        f"Delay from exchange time to stored time: the median is {text.delay(medians[0])} to "
        f"{text.delay(medians[-1])}, the highest p99 {text.delay(highest)}."
    )


def errors(failures: Sequence[Failures], step: timedelta, zone: tzinfo) -> go.Figure:
    """Slots that failed, by cause, stacked over the hours or the days of a zone. Hours need a zone of one offset."""
    counted: defaultdict[Cause, defaultdict[datetime, int]] = defaultdict(lambda: defaultdict(int))
    heights: Counter[datetime] = Counter()
    for each in failures:
        begin = _wall(_begin(each.hour, step, zone), zone)
        counted[each.cause][begin] += each.slots
        heights[begin] += each.slots
    figure = go.Figure()
    for series, cause in enumerate(Cause):
        if cause in counted:
            figure.add_bar(
                x=list(counted[cause]),
                y=list(counted[cause].values()),
                offset=0,
                width=0.9 * step / timedelta(milliseconds=1),
                name=cause.value,
                customdata=["slot" if slots == 1 else "slots" for slots in counted[cause].values()],
                hovertemplate="%{y:,} %{customdata}<extra>%{fullData.name}</extra>",
                meta={"series": series, "part": "bars", "digits": 0, "unit": "slots"},
            )
    figure.update_layout(barmode="stack", legend_traceorder="normal")
    _finish(figure)
    if max(heights.values()) < _FEW_SLOTS:
        figure.update_yaxes(dtick=1)
    return figure


def describe_errors(failures: Sequence[Failures]) -> str:
    """How many slots failed for each cause, the most frequent first."""
    counted: defaultdict[Cause, int] = defaultdict(int)
    for each in failures:
        counted[each.cause] += each.slots
    ordered = sorted(counted.items(), key=lambda each: -each[1])
    return "Slots that failed: " + ", ".join(f"{cause.value} {count:,}" for cause, count in ordered) + "."


def _with_breaks(vitals: Sequence[Vitals], interval: timedelta) -> list[tuple[datetime, Vitals | None]]:
    """Each row with its time, and an empty row where some are missing."""
    rows: list[tuple[datetime, Vitals | None]] = [(each.noted_at, each) for each in vitals[:1]]
    for before, each in pairwise(vitals):
        if each.noted_at - before.noted_at > 1.5 * interval:
            rows.append((before.noted_at + interval, None))
        rows.append((each.noted_at, each))
    return rows


def end_of(at: datetime, start: datetime, step: timedelta, zone: tzinfo) -> datetime:
    """The end of the bar that shows an instant: an hour counted from `start`, or a day of a zone."""
    if step < DAY:
        return start + ((at - start) // step + 1) * step
    return _begin(at, step, zone) + step


def _begin(hour: datetime, step: timedelta, zone: tzinfo) -> datetime:
    """The start of the hour, or of the day around it."""
    return hour if step < DAY else datetime.combine(hour.astimezone(zone).date(), time(), zone)


def _wall(at: datetime, zone: tzinfo) -> datetime:
    """A time as a wall clock of that zone shows it."""
    return at.astimezone(zone).replace(tzinfo=None)


def _finish(figure: go.Figure) -> None:
    figure.update_layout(
        margin=_MARGIN,
        hovermode="x unified",
        showlegend=True,
        legend=_LEGEND,
        xaxis={"type": "date", "hoverformat": _HOVER, "automargin": True},
        yaxis={"fixedrange": True, "side": "right", "automargin": True},
    )
