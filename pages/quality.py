"""Quality: how complete the record is, which slots are missing, why, and how each gap was closed."""

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
    """Draw the choices, and return the index and the days."""
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
        return  # the header shows the error
    hours = [each for each in quality.hours if name in {ALL, each.feed}]
    gaps = [gap for gap in quality.gaps if name in {ALL, gap.feed}]
    if not hours:
        st.info(
            f"Nothing was due in these {DAYS[days]} days: no recorder was running, or its first two slots are not "
            "over.",
            icon=":material/hourglass_empty:",
        )
        return
    headline(in_order(totals(hours)), gaps, quality)
    calendar(hours, gaps, quality)
    ledger(gaps)
    how_recording_went(quality)
    errors(quality, name, days)


def in_order(found: list[Coverage]) -> list[Coverage]:
    """The indexes in the order of every page: configured ones first."""
    first = access.settings().indexes
    return sorted(found, key=lambda coverage: first.index(coverage.feed) if coverage.feed in first else len(first))


def headline(found: list[Coverage], gaps: list[Gap], quality: Quality) -> None:
    """Show how complete each index is."""
    gaps_by_feed = {each.feed: [gap for gap in gaps if gap.feed == each.feed] for each in found}
    if len(found) > MOST_CARDS:
        headline_table(found, gaps_by_feed)
    else:
        with st.grid(min(len(found), 4), min_column_width=240):
            for each in found:
                with st.container(border=True, key=f"coverage-{each.feed}"):
                    card(each, gaps_by_feed[each.feed], quality.end)
    zone = text.zone()
    st.caption(f"Counted from {text.moment(quality.start, zone)} to {text.moment(quality.end, zone, seconds=True)}.")


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
    """Draw many indexes, a row for each."""
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
    st.caption("Each square is an hour of all indexes shown. Where a square is missing, nothing was due.")


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
            "Slots": st.column_config.NumberColumn(format="localized"),
        },
        hide_index=True,
        alt=f"{gap_text.fates(chosen)}.",
    )
    cut = f" The table has the newest {len(rows):,} of them." if len(rows) < len(chosen) else ""
    st.caption(f"{gap_text.fates(chosen)}.{cut}")


def filtered(gaps: list[Gap]) -> list[Gap]:
    """The gaps that the reader chose."""
    with st.container(horizontal=True):
        state = st.segmented_control(
            "State", STATES, default=ALL, required=True, key="state", bind="query-params", wrap=False
        )
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
    """Draw delays, the clock, and the disk."""
    st.header("Delay, clock and disk", anchor=False)
    if not quality.vitals:
        st.info(
            "Nothing was measured in this range: a running recorder measures once a minute.",
            icon=":material/hourglass_empty:",
        )
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
        f"The time from a tick's exchange time until it is stored, by {text.span(quality.interval)}: the median, and "
        "the p99 of the worst minute. A difference of the clocks of less than 2 s is included."
    )


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


def errors(quality: Quality, name: str, days: str) -> None:
    """Draw the slots that failed, by cause."""
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
    per = "hour" if step < vitals_charts.DAY else "day"
    st.caption(f"Slots without a tick per {per}; each index counts separately.")


def page() -> None:
    try:
        name, days = toolbar()
    except StoreError:
        return  # the header shows the error
    st.fragment(shown, run_every="10s")(name, days)


page()
