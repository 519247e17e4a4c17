"""Gaps in words: what became of them, and which are still open."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from store.ledger.coverage import Coverage
from store.models import Gap

from . import text

_MOST_NAMED = 3
_STATES = ("open", "unfillable", "healed")


def fates(gaps: Sequence[Gap]) -> str:
    """What became of the gaps, such as "1 gap of 5 min is healed with 6 s averages; 2 gaps of 40 s in all are open"."""
    kinds: dict[tuple[int, str], list[Gap]] = {}
    for gap in gaps:
        kinds.setdefault((_STATES.index(gap.state), fate(gap)), []).append(gap)
    return "; ".join(_kind(fate, of_kind) for (_, fate), of_kind in sorted(kinds.items()))


def fate(gap: Gap) -> str:
    """What became of a gap."""
    if gap.state != "healed":
        return gap.state
    return (
        f"healed with {text.span(timedelta(seconds=gap.resolution_s))} averages" if gap.resolution_s else "healed late"
    )


def named(gap: Gap, zone: tzinfo) -> str:
    """One gap: its feed, its start and end, and its cause."""
    return f"{text.pair(gap.feed)}, {text.stretch(gap.start, gap.end, zone)}, {gap.cause}"


def finding(hours: Sequence[Coverage], gaps: Sequence[Gap], zone: tzinfo) -> str:
    """What a calendar shows: the share that is known, and which gaps are open."""
    due = sum(each.due for each in hours)
    missing = sum(each.missing for each in hours)
    open_gaps = sorted((gap for gap in gaps if gap.state == "open"), key=lambda gap: gap.start, reverse=True)
    known = f"{text.share(1 - missing / due)} of {text.count(due, 'slot')} is known"
    if not open_gaps:
        return f"{known}; no gap is open."
    listed = "; ".join(named(gap, zone) for gap in open_gaps[:_MOST_NAMED])
    more = f"; and {len(open_gaps) - _MOST_NAMED} more" if len(open_gaps) > _MOST_NAMED else ""
    return f"{known}; {_are(len(open_gaps))} open: {listed}{more}."


def waiting(gaps: Sequence[Gap], now: datetime) -> str:
    """How many gaps are open, with the age of the oldest, and how many are unfillable."""
    starts = [gap.start for gap in gaps if gap.state == "open"]
    lost = sum(gap.state == "unfillable" for gap in gaps)
    if not starts:
        return f"no gap open, {lost:,} unfillable"
    oldest = text.duration(now - min(starts))
    return f"{text.count(len(starts), 'gap')} open, the first for {oldest}; {lost:,} unfillable"


def _kind(fate: str, gaps: Sequence[Gap]) -> str:
    length = text.duration(sum((gap.end - gap.start for gap in gaps), timedelta()))
    if len(gaps) == 1:
        return f"1 gap of {length} is {fate}"
    return f"{len(gaps):,} gaps of {length} in all are {fate}"


def _are(count: int) -> str:
    return "1 gap is" if count == 1 else f"{count:,} gaps are"
