"""Quality: how complete the record is, which slots are missing, why, and how each gap was closed."""

from datetime import datetime
from functools import partial

import plotly.graph_objects as go
import streamlit as st

from pages.common import access, moments
from pages.common.chart.component import live_chart
from pages.common.choices import ALL, one_index, one_of
from pages.common.drawn import drawn_once
from pages.common.failed import empty, part
from pages.common.figures import charts, vitals_charts
from pages.common.figures.hours import coverage_chart
from pages.common.live import show
from pages.common.market import health
from pages.common.reads.market import read_market_health
from pages.common.reads.quality import (
    Completeness,
    Failed,
    Recording,
    read_completeness,
    read_failed,
    read_recording,
    slot_feeds,
)
from pages.common.reads.recorded import known_indexes, offered, offered_feeds
from pages.common.views import first_midnight
from pages.common.words import gap_text, tables, text, vitals_text
from pages.common.words.clock import Clock
from store.health.vitals import Growth, Vitals
from store.ledger.coverage import Coverage, totals
from store.models import RECORDER_DOWN, Cause, Gap

DAYS = {"7d": 7, "30d": 30, "90d": 90}
STATES = [ALL, "Open", "Unfillable", "Healed"]
CAUSES = [ALL, *(cause.capitalize() for cause in (*Cause, RECORDER_DOWN))]
MOST_CARDS = 12
MOST_ROWS = 1000
CALENDAR_HEIGHT, CHART_HEIGHT = 360, 280


def toolbar() -> tuple[str, str]:
    """Draw the choices, and return the index and the days."""
    known = offered(known_indexes)
    with st.container(horizontal=True):
        name = one_index(known, offered_feeds(slot_feeds))
        days = one_of("Days", list(DAYS), "30d", key="days")
    return name, days


def shown(name: str, days: str) -> None:
    at, start = moments.these_ten_seconds(), first_midnight(moments.now(), DAYS[days], text.zone())
    of = name, start
    found = part(
        "Coverage",
        lambda: read_completeness(at, start),
        partial(completeness, name=name, days=days),
        about=of,
        height=CALENDAR_HEIGHT,
    )
    if found is not None and not of_index(found.hours, name):
        return
    part("The market", lambda: read_market_health(at, start), health.draw, about=start)
    part("How recording went", lambda: read_recording(at, start), how_recording_went, about=of)
    part("Errors", lambda: read_failed(at, start), partial(errors, name=name, days=days), about=of)


def completeness(found: Completeness, name: str, days: str) -> None:
    """Draw which slots are known, which are missing, and each gap."""
    hours = of_index(found.hours, name)
    gaps = [gap for gap in found.gaps if name in {ALL, gap.feed}]
    if not hours:
        empty(
            f"The lake has no runs of recorders in these {DAYS[days]} days, so nobody knows what was due."
            if access.reads_lake()
            else f"Nothing was due in these {DAYS[days]} days: no recorder was running, or its first two slots are "
            "not over."
        )
        return
    headline(in_order(totals(hours)), gaps, found)
    calendar(hours, gaps, found, name)
    ledger(gaps)


def of_index(hours: list[Coverage], name: str) -> list[Coverage]:
    return [each for each in hours if name in {ALL, each.feed}]


def in_order(found: list[Coverage]) -> list[Coverage]:
    """The feeds in the order of every page: configured indexes first."""
    first = access.settings().indexes
    return sorted(found, key=lambda coverage: first.index(coverage.feed) if coverage.feed in first else len(first))


def headline(found: list[Coverage], gaps: list[Gap], quality: Completeness) -> None:
    """Show how complete each feed is."""
    gaps_by_feed = {each.feed: [gap for gap in gaps if gap.feed == each.feed] for each in found}
    if len(found) > MOST_CARDS:
        headline_table(found, gaps_by_feed)
    else:
        with st.grid(min(len(found), 4), min_column_width=240):
            for each in found:
                with st.container(border=True, key=f"coverage-{each.feed}"):
                    card(each, gaps_by_feed[each.feed], quality.end)
    zone = text.zone()
    waits = "Ticks wait to be stored: until then they count as missing. " if quality.waits else ""
    counted = f"Counted from {text.moment(quality.start, zone)} to {text.moment(quality.end, zone, seconds=True)}."
    st.caption(f"{waits}{counted}")


def card(coverage: Coverage, gaps: list[Gap], now: datetime) -> None:
    st.metric(text.pair(coverage.feed), text.share(coverage.share))
    mark = (
        ":orange[:material/error:]" if any(gap.state == "open" for gap in gaps) else ":green[:material/check_circle:]"
    )
    st.caption(
        f"of {text.count(coverage.due, 'slot')} known: {parts(coverage)}  \n{mark} {gap_text.waiting(gaps, now)}"
    )


def parts(coverage: Coverage) -> str:
    counted = (("live", coverage.live), ("healed", coverage.healed), ("missing", coverage.missing))
    return ", ".join(f"{text.share(count / coverage.due)} {word}" for word, count in counted)


def headline_table(found: list[Coverage], gaps: dict[str, list[Gap]]) -> None:
    """Draw many feeds, a row for each."""
    st.dataframe(
        {
            tables.heading(each.feed for each in found): [text.pair(each.feed) for each in found],
            "Known": [tables.percent_of(each.share) for each in found],
            "Live": [tables.percent_of(each.live / each.due) for each in found],
            "Healed": [tables.percent_of(each.healed / each.due) for each in found],
            "Missing": [tables.percent_of(each.missing / each.due) for each in found],
            "Slots": [each.due for each in found],
            "Open gaps": [sum(gap.state == "open" for gap in gaps[each.feed]) for each in found],
            "Unfillable gaps": [sum(gap.state == "unfillable" for gap in gaps[each.feed]) for each in found],
        },
        column_config={
            **dict.fromkeys(("Known", "Live", "Healed", "Missing"), tables.PERCENT),
            **dict.fromkeys(("Slots", "Open gaps", "Unfillable gaps"), tables.COUNT),
        },
        hide_index=True,
    )


def calendar(hours: list[Coverage], gaps: list[Gap], quality: Completeness, name: str) -> None:
    zone = text.zone()
    first, last = (at.astimezone(zone).date() for at in (quality.start, quality.end))
    st.header("Coverage by day and hour", anchor=False)
    figure, alt = drawn_once(
        "calendar",
        quality,
        (name, zone),
        lambda: (
            coverage_chart.calendar(coverage_chart.on_the_wall(hours, zone), first, last),
            gap_text.finding(hours, gaps, zone),
        ),
    )
    live_chart(
        figure,
        key="calendar",
        view=f"{first} {last} {zone.key} {len(totals(hours))}",
        alt=alt,
        height=CALENDAR_HEIGHT,
    )
    st.caption("Each square is an hour of all feeds shown. Where a square is missing, nothing was due.")


def ledger(gaps: list[Gap]) -> None:
    """List each gap: when, why, and what became of it."""
    st.header("Gaps", anchor=False)
    if not gaps:
        st.success("No gap in this range.", icon=":material/verified:")
        return
    chosen = filtered(gaps)
    if not chosen:
        st.info("No gap of this kind in this range.", icon=":material/filter_alt:")
        return
    rows = chosen[:MOST_ROWS]
    st.dataframe(
        tabulated(rows),
        column_config={
            "Length": st.column_config.NumberColumn(format="compact"),
            "Slots": tables.COUNT,
        },
        hide_index=True,
        alt=f"{gap_text.fates(chosen)}.",
    )
    cut = f" The table has the newest {len(rows):,} of them." if len(rows) < len(chosen) else ""
    st.caption(f"{gap_text.fates(chosen)}.{cut}")


def filtered(gaps: list[Gap]) -> list[Gap]:
    """The gaps that the reader chose."""
    with st.container(horizontal=True):
        state = one_of("State", STATES, ALL, key="state")
        cause = st.selectbox("Cause", CAUSES, key="cause", bind="query-params", width=200)
    return [
        gap
        for gap in gaps
        if state in {ALL, gap.state.capitalize()}
        and (cause == ALL or gap.cause.startswith(cause.lower()))  # the exchange's error code may follow
    ]


def tabulated(gaps: list[Gap]) -> dict[str, list[object]]:
    zone = text.zone()
    return {
        tables.heading(gap.feed for gap in gaps): [text.pair(gap.feed) for gap in gaps],
        f"From, {zone.key}": [text.stamp(gap.start, zone) for gap in gaps],
        "To": [text.stamp(gap.end, zone) for gap in gaps],
        "Length": [gap.end - gap.start for gap in gaps],
        "Slots": [gap.slots for gap in gaps],
        "Cause": [gap.cause for gap in gaps],
        "State": [gap.state for gap in gaps],
        "Healed by": [gap.healed_by or "" for gap in gaps],
        "Detail": [gap.detail for gap in gaps],
    }


def how_recording_went(quality: Recording) -> None:
    """Draw delays, the clock, and the disk."""
    st.header("Delay, clock and disk", anchor=False)
    if not quality.vitals:
        empty("Nothing was measured in this range: a running recorder measures once a minute.")
        return
    with st.grid(min_column_width=150):
        latest_minute(quality.latest)
        if quality.growth:
            disk(quality.growth)
    if quality.latest and vitals_text.clearly_off(quality.latest.skew_s):
        st.warning(vitals_text.CLOCK_IS_WRONG, icon=":material/schedule:")
    if len(quality.vitals) > 1:
        delays(quality)


def delays(quality: Recording) -> None:
    zone = text.zone()
    clock = Clock.over(quality.start, quality.end, zone)
    figure, alt = drawn_once("delays", quality, zone, lambda: figure_of_delays(quality, clock))
    live_chart(figure, key="delays", view=f"{quality.start} {zone.key}", alt=alt, height=CHART_HEIGHT)
    st.caption(
        f"The time from a tick's exchange time until it is stored, by {text.span(quality.interval)}: the median, and "
        "the p99 of the worst minute. A difference of the clocks of less than 2 s is included. "
        f"{clock.note}"
    )


def figure_of_delays(quality: Recording, clock: Clock) -> tuple[go.Figure, str]:
    """The chart of the delays, and what it shows in words."""
    figure = vitals_charts.delays(quality.vitals, quality.interval, clock.zone)
    charts.set_range(figure, quality.start, quality.end, clock.zone)
    return figure, vitals_charts.describe_delays(quality.vitals)


def latest_minute(latest: Vitals | None) -> None:
    median_s, skew_s = (latest.delay_median_s, latest.skew_s) if latest else (None, None)
    st.metric("Delay, last minute", None if median_s is None else text.delay(median_s), help="The median")
    st.metric(
        "This machine's clock",
        None if skew_s is None else vitals_text.clock(skew_s),
        help="Compared with the exchange's clock, by the quickest reply of the last minute",
    )


def disk(growth: Growth) -> None:
    st.metric("Database", text.size(growth.database_bytes))
    st.metric(
        "Growth a day",
        None if growth.bytes_a_day is None else text.size(growth.bytes_a_day),
        help="Over the last 7 days",
    )
    st.metric("Free disk", text.size(growth.free_bytes))
    st.metric("Disk full in", vitals_text.full_in(growth), help="At the growth of the last 7 days")


def errors(quality: Failed, name: str, days: str) -> None:
    """Draw the slots that failed, by cause."""
    st.header("Errors by kind", anchor=False)
    failures = [each for each in quality.failures if name in {ALL, each.feed}]
    if not failures:
        st.caption(":green[:material/check_circle:] No error in this range.")
        return
    zone, step = text.zone(), vitals_charts.HOUR if DAYS[days] <= 7 else vitals_charts.DAY
    end = vitals_charts.end_of(quality.end, quality.start, step, zone)
    clock = Clock.over(quality.start, end, zone)
    shown_in, note = (clock.zone, clock.note) if step == vitals_charts.HOUR else (zone, "")
    figure = vitals_charts.errors(failures, step, shown_in)
    charts.set_range(figure, quality.start, end, shown_in)
    live_chart(
        figure,
        key="errors",
        view=f"{quality.start} {zone.key} {name}",
        alt=vitals_charts.describe_errors(failures),
        height=CHART_HEIGHT,
    )
    per = "hour" if step == vitals_charts.HOUR else "day"
    st.caption(f"Slots that brought nothing per {per}; each feed counts separately. {note}")


show(toolbar, shown, lambda *_: access.SELDOM)
