"""Overview: a card for each index, and all of them on one scale."""

from datetime import datetime, timedelta

import streamlit as st

from pages.common import access, moments
from pages.common.chart.component import live_chart
from pages.common.figures import charts
from pages.common.figures.gap_marks import add_marks
from pages.common.figures.sparkline import sparkline
from pages.common.reads.history import History
from pages.common.reads.overview import Overview, read_overview
from pages.common.views import SPANS
from pages.common.words import text
from store.errors import StoreError
from store.health.status import stale_after_s
from store.ledger.coverage import Coverage
from store.prices.overview import Card

MOST_CARDS = 12
CHART_HEIGHT = 380


@st.fragment(run_every=access.refresh_every())
def live() -> None:
    above, choice = st.container(), st.empty()
    span = choice.segmented_control(
        "All indexes, each 100 at the start of",
        list(SPANS),
        default="1y",
        required=True,
        key="span",
        bind="query-params",
        wrap=True,
    )
    try:
        with above, st.skeleton(height=CHART_HEIGHT):
            overview = read_overview(moments.this_second(), span)
    except StoreError:
        choice.empty()
        return  # the header shows the error
    with above:
        cards_or_table(overview)
    rebased_chart(overview.history, span)
    last_errors(overview)
    if overview.coverage:
        st.page_link("pages/quality.py", label="Coverage and gaps", icon=":material/fact_check:")


def cards_or_table(overview: Overview) -> None:
    cards, now = overview.cards, moments.now()
    if len(cards) > MOST_CARDS:
        index_table(overview, now)
        return
    with st.grid(min(len(cards), 4), min_column_width=240):
        for card in cards:
            with st.container(border=True, key=f"card-{card.index_name}"):
                index_card(card, overview.coverage.get(card.index_name), now)


def index_card(card: Card, coverage: Coverage | None, now: datetime) -> None:
    """Price, change, sparkline, range, coverage and age of one index."""
    if card.latest is None or card.since is None:
        st.metric(text.pair(card.index_name), None)
        st.caption("No data yet")
        return
    zone = text.zone()
    st.metric(
        text.pair(card.index_name),
        text.price(card.latest.price),
        text.change(card.change),
        delta_description=f"{text.direction(card.change)} {text.counted_since(card.since, card.latest.ts, zone)}",
    )
    words = range_in_words(card)
    st.html(sparkline(card.closes, low_to_high(card), f"{text.pair(card.index_name)}, {words}"))
    old = age(card, now)
    lines = [words, f":orange[:material/schedule:] {old}" if is_stale(card, now) else old]
    if coverage is not None:
        lines.insert(1, coverage_in_words(coverage))
    st.caption("  \n".join(lines))


def low_to_high(card: Card) -> float:
    """The place of the price between the low and the high of 24 h, from 0 to 1."""
    return (card.latest.price - card.low) / (card.high - card.low) if card.latest and card.high > card.low else 0.5


def range_in_words(card: Card) -> str:
    averages = ", in part from averages" if card.averages_s else ""
    return f"24 h low {text.price(card.low)}, high {text.price(card.high)}{averages}"


def coverage_in_words(coverage: Coverage) -> str:
    """The share of the slots due in 24 h that are known. A feed that is younger than 24 h had fewer slots due."""
    healed = f", {text.share(coverage.healed / coverage.due)} healed" if coverage.healed else ""
    return f"24 h coverage {text.share(coverage.share)} of {coverage.due:,} slots{healed}"


def age(card: Card, now: datetime) -> str:
    """How old the price of a card is; stale prices and averages are marked."""
    if card.latest is None:
        return "No data yet"
    words = text.age_at(now - card.latest.ts, card.latest.ts.astimezone(text.zone()))
    if card.latest.resolution_s:
        words = f"Average over {text.span(timedelta(seconds=card.latest.resolution_s))}, {words}"
    return f"Stale, {words}" if is_stale(card, now) else words


def is_stale(card: Card, now: datetime) -> bool:
    if card.latest is None:
        return False
    return (now - card.latest.ts).total_seconds() > stale_after_s(access.settings().poll_seconds)


def index_table(overview: Overview, now: datetime) -> None:
    """Draw many indexes, a row for each."""
    cards, coverage = overview.cards, overview.coverage
    st.dataframe(
        {
            "Index": [text.pair(card.index_name) for card in cards],
            "Price": [text.price(card.latest.price) if card.latest else None for card in cards],
            "Change, %": [100 * card.change for card in cards],
            "24 h": [card.closes for card in cards],
            "Low": [text.price(card.low) if card.latest else None for card in cards],
            "High": [text.price(card.high) if card.latest else None for card in cards],
            "Coverage": [
                text.share(coverage[card.index_name].share) if card.index_name in coverage else None for card in cards
            ],
            "Age": [age(card, now) for card in cards],
        },
        column_config={
            "24 h": st.column_config.LineChartColumn(),
            "Change, %": st.column_config.NumberColumn(format="%+.2f"),
        },
        hide_index=True,
    )


def rebased_chart(history: History, span: str) -> None:
    if not any(len(frame) for frame in history.bars.values()):
        st.info("Nothing is recorded in this range yet.", icon=":material/hourglass_empty:")
        return
    zone, drawn = text.zone(), st.session_state.get("drawn")
    # A new object means new ticks; for the same one the figure is kept.
    if drawn is None or drawn[0] is not history or drawn[1] != zone:
        figure = charts.rebased(history.bars, history.interval, zone)
        charts.set_range(figure, history.start, history.end, zone)
        add_marks(figure, history.gaps, history.start, history.end, zone)
        drawn = st.session_state["drawn"] = (history, zone, figure, charts.describe(history.inside(), zone))
    live_chart(drawn[2], key="all-indexes", view=f"{span} {zone.key}", alt=drawn[3], height=CHART_HEIGHT)


def last_errors(overview: Overview) -> None:
    """Show why slots had no ticks in the last 24 h, in words."""
    if not overview.troubles:
        if any(card.latest for card in overview.cards):
            st.caption(":green[:material/check_circle:] No error in the last 24 h.")
        return
    zone = text.zone()
    st.markdown("**Errors** of the last 24 h")
    for trouble in overview.troubles:
        slots = "1 slot" if trouble.slots == 1 else f"{trouble.slots:,} slots"
        st.caption(
            f":orange[:material/error:] {trouble.cause.capitalize()}: {slots} without a tick, "
            f"{text.stretch(trouble.first, trouble.last, zone)}. The last: {text.escaped(trouble.detail)}"
        )


live()
