"""Marks of gaps along the time axis. They also show gaps too short to be seen as a break or dashes in a line."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import plotly.graph_objects as go

from pages.common.words import gap_text, text
from store.models import Gap

_SHORTEST = 1 / 240
"""The length of the shortest mark, as a part of the range: some four pixels, so that each mark is seen."""

_HEIGHT = 1 / 45
"""The height of a mark, as a part of the chart's height."""

_NAMES = {"healed": "healed gap", "missing": "gap"}


@dataclass(frozen=True)
class Mark:
    """A stretch of the axis that marks gaps of one kind."""

    start: datetime
    end: datetime
    gaps: tuple[Gap, ...]


def add_marks(figure: go.Figure, gaps: Iterable[Gap], start: datetime, end: datetime, zone: timezone) -> None:
    """Mark the gaps in [start, end) on the time axis: healed gaps, and gaps that are missing."""
    found = sorted(gaps, key=lambda gap: gap.start)
    kinds = {
        "healed": [gap for gap in found if gap.state == "healed"],
        "missing": [gap for gap in found if gap.state != "healed"],
    }
    for part, of_kind in kinds.items():
        if of_kind:
            _add(figure, list(marks(of_kind, start, end)), part, zone)
    if found:
        figure.update_layout(
            yaxis2={"overlaying": "y", "range": [0, 1], "fixedrange": True, "visible": False}, barmode="overlay"
        )


def marks(gaps: Sequence[Gap], start: datetime, end: datetime) -> Iterator[Mark]:
    """A mark for each gap; marks that would touch become one. Gaps are ascending by start."""
    shortest = (end - start) * _SHORTEST
    mark: Mark | None = None
    for gap in gaps:
        first = max(gap.start, start)
        last = max(min(gap.end, end), first + shortest)
        if mark and first <= mark.end:
            mark = Mark(mark.start, max(mark.end, last), (*mark.gaps, gap))
            continue
        if mark:
            yield mark
        mark = Mark(first, last, (gap,))
    if mark:
        yield mark


def _add(figure: go.Figure, found: Sequence[Mark], part: str, zone: timezone) -> None:
    middles = [(mark.start + (mark.end - mark.start) / 2).astimezone(zone).replace(tzinfo=None) for mark in found]
    figure.add_bar(
        x=middles,
        y=[_HEIGHT] * len(found),
        width=[(mark.end - mark.start) / timedelta(milliseconds=1) for mark in found],
        yaxis="y2",
        name=_NAMES[part],
        hovertext=[_words(mark, zone) for mark in found],
        hovertemplate="%{hovertext}<extra></extra>",
        meta={"part": part},
    )


def _words(mark: Mark, zone: timezone) -> str:
    if len(mark.gaps) > 1:
        return text.hover(gap_text.fates(mark.gaps))
    (gap,) = mark.gaps
    return text.hover(f"{gap_text.named(gap, zone)}: {text.duration(gap.end - gap.start)}, {gap_text.fate(gap)}")
