"""Overview: a card for each index and for each number of the markets, and all indexes on one scale."""

from datetime import datetime, timedelta
from functools import partial

import plotly.graph_objects as go
import streamlit as st

from pages.common import access, address, moments, ranges
from pages.common.chart.component import live_chart
from pages.common.drawn import drawn_once
from pages.common.failed import empty, failed, part
from pages.common.figures import charts, scales
from pages.common.figures.gap_marks import add_marks
from pages.common.figures.sparkline import sparkline
from pages.common.live import show
from pages.common.market import glance
from pages.common.reads.history import History
from pages.common.reads.overview import Day, Overview, read_day, read_lines, read_markets, read_overview
from pages.common.reads.pulse import poll_seconds
from pages.common.views import SPANS, View
from pages.common.words import tables, text
from pages.common.words.clock import Clock
from store.instants import stale_after_s
from store.ledger.coverage import Coverage
from store.prices.overview import Card

DEFAULT = "1y"
MOST_CARDS = 12
CARDS_HEIGHT, CHART_HEIGHT = 240, 380


def shown() -> None:
    overview = part("Prices", lambda: read_overview(moments.this_second()), cards_or_table, height=CARDS_HEIGHT)
    if access.settings().markets:
        part("The market", read_markets, glance.draw)
    view = chosen_view()
    part(
        "The chart",
        lambda: read_lines(moments.this_second(), view),
        partial(rebased_chart, view=view),
        about=view,
        height=CHART_HEIGHT,
    )
    known = overview is not None and any(card.latest for card in overview.cards)
    part("Errors", read_day, partial(last_errors, known=known))


def chosen_view() -> View:
    """The range of the chart, by the reader's choice or the address."""
    if span := address.named("span"):  # its name in links that are older than exact ranges here
        address.keep(range=address.named("range") or span, span="")
    return ranges.choose_view(list(SPANS), DEFAULT, "All indexes, each 100 at the start of")


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
    zone, unchanged = text.zone(), text.direction(card.change) == "unchanged"
    st.metric(
        text.pair(card.index_name),
        text.price(card.latest.price),
        text.change(card.change),
        delta_color="off" if unchanged else "normal",
        delta_arrow="off" if unchanged else "auto",
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
    return (now - card.latest.ts).total_seconds() > stale_after_s(poll_seconds())


def index_table(overview: Overview, now: datetime) -> None:
    """Draw many indexes, a row for each."""
    cards, coverage, zone = overview.cards, overview.coverage, text.zone()
    latest = [card.latest for card in cards]
    price = [tick and tick.price for tick in latest]
    st.dataframe(
        {
            "Index": [text.pair(card.index_name) for card in cards],
            "Price": price,
            "Change": [tables.change(card.change) if card.latest else None for card in cards],
            "24 h": [card.closes for card in cards],
            "Low": [card.low if card.latest else None for card in cards],
            "High": [card.high if card.latest else None for card in cards],
            "Coverage": [
                tables.percent_of(coverage[card.index_name].share) if card.index_name in coverage else None
                for card in cards
            ],
            "State": [state(card, now) for card in cards],
            "Age": [tick and max(now - tick.ts, timedelta()) for tick in latest],
            f"Time, {zone.key}": [tick and text.stamp(tick.ts, zone) for tick in latest],
            "Average over, s": [(tick and tick.resolution_s) or None for tick in latest],
        },
        column_config={
            **tables.prices(("Price", "Low", "High"), price),
            "Change": tables.PERCENT,
            "24 h": st.column_config.LineChartColumn(),
            "Coverage": tables.PERCENT,
            "Age": st.column_config.NumberColumn(format="compact"),
        },
        hide_index=True,
    )


def state(card: Card, now: datetime) -> str:
    return "No data yet" if card.latest is None else "Stale" if is_stale(card, now) else "Fresh"


def rebased_chart(history: History, view: View) -> None:
    ranges.note_shown(history.start, history.end)
    if not any(len(frame) for frame in history.bars.values()):
        empty(f"Nothing is recorded in this range{' yet' if view.lives(moments.now()) else ''}.")
        return
    zone = text.zone()
    clock = Clock.over(history.start, history.end, zone)
    figure, alt = drawn_once("all-indexes", history, zone, lambda: rebased_figure(history, clock))
    live_chart(
        figure,
        key="all-indexes",
        view=f"{view} {zone.key} {ranges.zooms_so_far()}",
        alt=alt,
        height=CHART_HEIGHT,
        on_zoom=ranges.zooms_from(view.span, history.start, history.end, DEFAULT),
    )
    if clock.note:
        st.caption(clock.note)
    if "Gaps" in history.unread:
        failed("Gaps", history.unread["Gaps"])


def rebased_figure(history: History, clock: Clock) -> tuple[go.Figure, str]:
    """The chart of all indexes, and what it shows in words."""
    zone, inside = clock.zone, history.inside()
    figure = charts.rebased(history.bars, scales.at_100(inside), history.interval, zone)
    charts.set_range(figure, history.start, history.end, zone)
    add_marks(figure, history.gaps, history.start, history.end, zone)
    return figure, charts.describe(inside, zone)


def last_errors(day: Day, *, known: bool) -> None:
    """Show why slots brought nothing in the last 24 h, in words. None is an error once prices are `known`.

    A day with a gap is not fine, even without an error.
    """
    zone = text.zone()
    if day.troubles:
        st.markdown("**Errors** of the last 24 h")
    elif known:
        mark = ":material/info:" if day.gaps else ":green[:material/check_circle:]"
        st.caption(f"{mark} No error in the last 24 h{', but a gap' if day.gaps else ''}.")
    for trouble in day.troubles:
        st.caption(
            f":orange[:material/error:] {trouble.cause.capitalize()}: {text.count(trouble.slots, 'slot')} missed, "
            f"{text.stretch(trouble.first, trouble.last, zone)}. The last: {text.escaped(trouble.detail)}"
        )
    if day.coverage:
        st.page_link("pages/quality.py", label="Coverage and gaps", icon=":material/fact_check:")


show(tuple, shown)
