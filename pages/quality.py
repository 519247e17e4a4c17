"""Quality: how complete the record is, which stretches are missing, why, and how each was closed."""

from datetime import datetime

import streamlit as st

from pages.common import access, moments
from pages.common.chart.component import live_chart
from pages.common.figures import charts, coverage_chart, vitals_charts
from pages.common.reads.quality import Quality, read_quality
from pages.common.reads.recorded import known_indexes
from pages.common.views import first_midnight
from pages.common.words import gap_text, text, vitals_text
from store.errors import StoreError
from store.health.vitals import Growth, Vitals
from store.ledger.coverage import Coverage, totals
from store.models import RECORDER_DOWN, Cause, Gap

DAYS = {"7d": 7, "30d": 30, "90d": 90}
ALL = "All"
STATES = [ALL, "Open", "Unfillable", "Healed"]
CAUSES = [ALL, *(cause.capitalize() for cause in (*Cause, RECORDER_DOWN))]
MOST_CARDS = 12
MOST_ROWS = 1000
CALENDAR_HEIGHT, CHART_HEIGHT = 360, 280


def toolbar() -> tuple[str, str]:
    """The choices: which index, how many days."""
    known = known_indexes()
    with st.container(horizontal=True):
        name = st.selectbox("Index", [ALL, *known], key="index", bind="query-params", width=200)
        days = st.segmented_control(
            "Days", list(DAYS), default="30d", required=True, key="days", bind="query-params", wrap=False
        )
    return name, days


def shown(name: str, days: str) -> None:
    try:
        with st.skeleton(height=CALENDAR_HEIGHT):
            quality = read_quality(moments.these_ten_seconds(), first_midnight(moments.now(), DAYS[days], text.zone()))
    except StoreError:
        return  # the header tells
    hours = [each for each in quality.hours if name in {ALL, each.feed}]
    gaps = [gap for gap in quality.gaps if name in {ALL, gap.feed}]
    if not hours:
        st.info(
            f"Nothing was due in these {DAYS[days]} days: no recorder was at work.", icon=":material/hourglass_empty:"
        )
        return
    headline(in_order(totals(hours)), gaps, quality)
    calendar(hours, gaps, quality)
    ledger(gaps)
    how_recording_went(quality)
    errors(quality, name, days)


def in_order(found: list[Coverage]) -> list[Coverage]:
    """As on every page: configured indexes first."""
    first = access.settings().indexes
    return sorted(found, key=lambda its: first.index(its.feed) if its.feed in first else len(first))


def headline(found: list[Coverage], gaps: list[Gap], quality: Quality) -> None:
    """How complete each index is."""
    its_gaps = {each.feed: [gap for gap in gaps if gap.feed == each.feed] for each in found}
    if len(found) > MOST_CARDS:
        headline_table(found, its_gaps)
    else:
        with st.grid(min(len(found), 4), min_column_width=240):
            for each in found:
                with st.container(border=True, key=f"coverage-{each.feed}"):
                    card(each, its_gaps[each.feed], quality.end)
    zone = text.zone()
    st.caption(f"Counted from {text.moment(quality.start, zone)} to {text.moment(quality.end, zone, seconds=True)}.")


def card(its: Coverage, gaps: list[Gap], now: datetime) -> None:
    st.metric(text.pair(its.feed), text.share(its.share))
    mark = (
        ":orange[:material/error:]" if any(gap.state == "open" for gap in gaps) else ":green[:material/check_circle:]"
    )
    st.caption(f"of {text.count(its.due, 'slot')} known: {parts(its)}  \n{mark} {gap_text.waiting(gaps, now)}")


def parts(its: Coverage) -> str:
    counted = (("live", its.live), ("healed", its.healed), ("missing", its.missing))
    return ", ".join(f"{text.share(count / its.due)} {word}" for word, count in counted)


def headline_table(found: list[Coverage], gaps: dict[str, list[Gap]]) -> None:
    """Many indexes, a row each."""
    st.dataframe(
        {
            "Index": [text.pair(each.feed) for each in found],
            "Known": [text.share(each.share) for each in found],
            "Live": [text.share(each.live / each.due) for each in found],
            "Healed": [text.share(each.healed / each.due) for each in found],
            "Missing": [text.share(each.missing / each.due) for each in found],
            "Slots": [each.due for each in found],
            "Open gaps": [sum(gap.state == "open" for gap in gaps[each.feed]) for each in found],
            "Unfillable gaps": [sum(gap.state == "unfillable" for gap in gaps[each.feed]) for each in found],
        },
        hide_index=True,
    )


def calendar(hours: list[Coverage], gaps: list[Gap], quality: Quality) -> None:
    zone = text.zone()
    first, last = (at.astimezone(zone).date() for at in (quality.start, quality.end))
    st.header("Coverage by day and hour", anchor=False)
    live_chart(
        coverage_chart.calendar(coverage_chart.on_the_wall(hours, zone), first, last),
        key="calendar",
        view=f"{first} {last} {zone.key} {len(totals(hours))}",
        alt=gap_text.finding(hours, gaps, zone),
        height=CALENDAR_HEIGHT,
    )
    st.caption("A square is an hour of all indexes shown. Where there is none, nothing was due.")


def ledger(gaps: list[Gap]) -> None:
    """Each gap: when, why, and what became of it."""
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
            "Slots": st.column_config.NumberColumn(format="localized"),
        },
        hide_index=True,
        height=min(38 + 35 * len(rows), 400),
        alt=f"{gap_text.fates(chosen)}.",
    )
    cut = f" The table has the newest {len(rows):,} of them." if len(rows) < len(chosen) else ""
    st.caption(f"{gap_text.fates(chosen)}.{cut}")


def filtered(gaps: list[Gap]) -> list[Gap]:
    """Those that the reader asks for."""
    with st.container(horizontal=True):
        state = st.segmented_control(
            "State", STATES, default=ALL, required=True, key="state", bind="query-params", wrap=False
        )
        cause = st.selectbox("Cause", CAUSES, key="cause", bind="query-params", width=200)
    return [
        gap
        for gap in gaps
        if state in {ALL, gap.state.capitalize()}
        and (cause == ALL or gap.cause.startswith(cause.lower()))  # the ledger adds the exchange's error code
    ]


def tabulated(gaps: list[Gap]) -> dict[str, list[object]]:
    zone = text.zone()
    return {
        "Index": [text.pair(gap.feed) for gap in gaps],
        f"From, {zone.key}": [f"{gap.start.astimezone(zone):%Y-%m-%d %H:%M:%S}" for gap in gaps],
        "To": [f"{gap.end.astimezone(zone):%Y-%m-%d %H:%M:%S}" for gap in gaps],
        "Length": [gap.end - gap.start for gap in gaps],
        "Slots": [gap.slots for gap in gaps],
        "Cause": [gap.cause for gap in gaps],
        "State": [gap.state for gap in gaps],
        "Healed by": [gap.healed_by or "" for gap in gaps],
        "Detail": [gap.detail for gap in gaps],
    }


def how_recording_went(quality: Quality) -> None:
    """Delays, the clock, and the disk."""
    st.header("Delay, clock and disk", anchor=False)
    if not quality.vitals:
        st.info("Not measured in this range: a recorder does it once a minute.", icon=":material/hourglass_empty:")
        return
    with st.grid(min_column_width=150):
        latest_minute(quality.latest)
        if quality.growth:
            disk(quality.growth)
    if quality.latest and vitals_text.clearly_off(quality.latest.skew_s):
        st.warning(vitals_text.CLOCK_IS_WRONG, icon=":material/schedule:")
    if len(quality.vitals) > 1:
        delays(quality)


def delays(quality: Quality) -> None:
    zone = text.zone()
    figure = vitals_charts.delays(quality.vitals, quality.interval, zone)
    charts.set_range(figure, quality.start, quality.end, zone)
    live_chart(
        figure,
        key="delays",
        view=f"{quality.start} {zone.key}",
        alt=vitals_charts.describe_delays(quality.vitals),
        height=CHART_HEIGHT,
    )
    st.caption(
        f"From the exchange's time of a tick to its being stored, over {text.span(quality.interval)} each: the median, "
        "and the p99 of the worst minute. A difference of the clocks is part of it while it is less than 2 s."
    )


def latest_minute(latest: Vitals | None) -> None:
    median_s, skew_s = (latest.delay_median_s, latest.skew_s) if latest else (None, None)
    st.metric("Delay, last minute", None if median_s is None else text.delay(median_s), help="The median")
    st.metric(
        "This machine's clock",
        None if skew_s is None else vitals_text.clock(skew_s),
        help="Against the exchange's, by the quickest reply of the last minute",
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


def errors(quality: Quality, name: str, days: str) -> None:
    """Slots that failed, by kind."""
    st.header("Errors by kind", anchor=False)
    failures = [each for each in quality.failures if name in {ALL, each.feed}]
    if not failures:
        st.caption(":green[:material/check_circle:] No error in this range.")
        return
    zone = text.zone()
    step = vitals_charts.HOUR if DAYS[days] <= 7 else vitals_charts.DAY
    figure = vitals_charts.errors(failures, step, zone)
    charts.set_range(figure, quality.start, vitals_charts.end_of(quality.end, step, zone), zone)
    live_chart(
        figure,
        key="errors",
        view=f"{quality.start} {zone.key} {name}",
        alt=vitals_charts.describe_errors(failures),
        height=CHART_HEIGHT,
    )
    st.caption(f"Slots without a tick {'an hour' if step < vitals_charts.DAY else 'a day'}, each index by itself.")


def page() -> None:
    try:
        name, days = toolbar()
    except StoreError:
        return  # the header tells
    st.fragment(shown, run_every="10s")(name, days)


page()
