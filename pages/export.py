"""Export: ticks, candles or rows of a market as a file, and how programs ask for the same."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import plotly.graph_objects as go
import streamlit as st

from pages.common import access, moments, ranges
from pages.common.chart.component import live_chart, routes_are_served
from pages.common.choices import coin_of, one_of, some_indexes, some_markets
from pages.common.drawn import drawn_once
from pages.common.export_links import FORMATS, code, offer
from pages.common.failed import empty, failed, part
from pages.common.figures import charts, scales
from pages.common.figures.gap_marks import add_marks
from pages.common.live import show
from pages.common.market import as_of
from pages.common.reads.export import estimate, other_feeds, start_export
from pages.common.reads.history import History, read_history
from pages.common.reads.recorded import known_indexes, offered, offered_feeds
from pages.common.views import SPANS, View
from pages.common.words import gap_text, text
from pages.common.words.clock import Clock
from store import kinds
from store.export.files import Export, Job
from store.export.query import MOST_EXCEL_ROWS, Columns, ExportQuery
from store.export.selection import of_series
from store.export.survey import Estimate
from store.instants import EPOCH
from store.kinds import FUTURES, OPTIONS, VOLATILITY_INDEX
from store.market.reads.snapshots import EACH
from store.prices.bars import INTERVAL_NAMES, SINGLE_TICKS

TICKS, CANDLES = "Ticks", "Candles"
DEFAULT = "1d"
PRICES = "Prices"
OWN, TARDIS = "Own", "Tardis"
SERIES = {PRICES: None} | {
    {VOLATILITY_INDEX: "DVOL"}.get(kind, kind.name.capitalize()): kind.name for kind in kinds.KINDS if kind.name
}
"""The names of series by what the reader sees; None for the prices of indexes."""

HEALED_SERIES = {None, FUTURES.name}
"""The series that have points from the exchange's charts."""

INTERVALS = {name: interval for interval, name in INTERVAL_NAMES.items()}
PREVIEW_HEIGHT = 320
PROGRESS_EVERY = timedelta(seconds=0.5)

# The largest file to offer on a host that doesn't serve our routes: there it goes through the server's memory.
MOST_THROUGH_MEMORY = 50_000_000


@dataclass(frozen=True)
class Prepared:
    """A file that this reader asked for: by which choices, with which query, and how far its making is."""

    choice: ExportQuery
    view: View
    query: ExportQuery
    job: Job


def toolbar() -> tuple[ExportQuery, View]:
    """The choices, as a query without its range, and as a view of its range."""
    known, feeds = offered(known_indexes), offered_feeds(other_feeds)
    interval = SINGLE_TICKS
    with st.container(horizontal=True):
        series = SERIES[st.selectbox("Series", list(SERIES), key="series", bind="query-params", width=140)]
        if series is None:
            names = some_indexes(known)
            rows = one_of("Rows", [TICKS, CANDLES], TICKS, key="rows")
            interval = candle_interval() if rows == CANDLES else SINGLE_TICKS
        else:
            names = [f"{series}/{market}" for market in some_markets(of_series(feeds, series))]
    view = ranges.choose_view(list(SPANS), DEFAULT)
    if names and series is not None:
        view = up_to(view, as_of.choose(stepped(names[0])))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        form = one_of("Format", list(FORMATS), "Parquet", key="format")
        healed = series not in HEALED_SERIES or st.toggle(
            "With healed points", value=True, key="healed", bind="query-params", help=HEALED
        )
        columns = columns_of_options() if series == OPTIONS.name and form != "Excel" else "own"
    return ExportQuery(tuple(names), EPOCH, EPOCH, interval, healed, FORMATS[form], columns), view


def stepped(feed: str) -> str:
    """The feed whose snapshots the arrows step to: that of the rows, or the futures of the coin of a log."""
    kind = kinds.kind_of(feed)
    return kind.recorded(feed) if kind and kind.snapshots else FUTURES.feed(coin_of(feed.partition("/")[2]))


def up_to(view: View, at: datetime | None) -> View:
    """The view, cut off at an instant. Without an instant it stays whole."""
    return view if at is None else replace(view, end=min(view.end or moments.now(), at + EACH))


def columns_of_options() -> Columns:
    chosen = one_of("Columns", [OWN, TARDIS], OWN, key="columns")
    return "tardis" if chosen == TARDIS else "own"


HEALED = (
    "Averages from the exchange's own charts: they heal gaps and fill older history. The columns `source` and "
    "`resolution_s` mark them."
)


def candle_interval() -> timedelta:
    named = st.selectbox(
        "Interval", list(INTERVALS), index=list(INTERVALS).index("1m"), key="interval", bind="query-params", width=120
    )
    return INTERVALS[named]


def shown(choice: ExportQuery, view: View) -> None:
    start, end = view.bounds(moments.this_minute(), EPOCH)  # a range that ends now ends with the last whole minute
    query = replace(choice, start=start, end=end)
    if not query.feeds:
        what = "an index" if st.session_state["series"] == PRICES else "a market"
        empty(f"Choose {what}.", ":material/download:")
    elif query.refusal:
        empty(f"{text.escaped(query.refusal)}.", ":material/download:")
    elif query.of_prices:
        history = part(
            "The preview",
            lambda: read_history(query.end, query.feeds, replace(view, end=query.end)),
            partial(preview, query=query, view=view),
            about=(choice, view),
            height=PREVIEW_HEIGHT,
        )
        if history is None or drawable(history):
            offered_file(query, choice, view)
    else:
        offered_file(query, choice, view)


def drawable(history: History) -> bool:
    return any(len(frame) for frame in history.bars.values())


def offered_file(query: ExportQuery, choice: ExportQuery, view: View) -> None:
    """Show how large the file will be, make it, and show how programs ask for the same."""
    about = part("Its size", lambda: estimate(query), partial(size, query=query), about=(choice, view))
    if about is not None and not about.rows and not query.of_prices:
        return
    prepared = prepared_for(choice, view)
    if prepared is None or prepared.job.failure:
        st.button("Make the file", on_click=prepare, args=(query, choice, view), icon=":material/draft:")
    if prepared is not None:
        file(prepared, query)
    programs(query if prepared is None else prepared.query)


def preview(history: History, query: ExportQuery, view: View) -> None:
    """Draw the prices in the range, with their gaps. Only prices have a chart."""
    ranges.note_shown(history.start, history.end)
    if not drawable(history):
        empty("No ticks in this range.")
        return
    zone = text.zone()
    clock = Clock.over(history.start, history.end, zone)
    figure, alt = drawn_once("preview", history, zone, lambda: figured(history, clock))
    live_chart(
        figure,
        key="preview",
        view=f"{query.feeds} {view} {zone.key} {ranges.zooms_so_far()}",
        alt=alt,
        height=PREVIEW_HEIGHT,
        on_zoom=ranges.zooms_from(view.span, history.start, history.end, DEFAULT),
    )
    start, end = (text.moment(at, clock.zone) for at in (history.start, history.end))
    if "Gaps" in history.unread:
        failed("Gaps", history.unread["Gaps"])
    st.caption(f"{start} to {end}. {gap_text.fates(history.gaps) or 'No gap'}. {clock.note}")


def figured(history: History, clock: Clock) -> tuple[go.Figure, str]:
    """The chart of a range with its gaps, and what it shows in words."""
    zone, inside = clock.zone, history.inside()
    figure = charts.lines(history.bars, scales.fitting(inside), history.interval, zone)
    charts.set_range(figure, history.start, history.end, zone)
    add_marks(figure, history.gaps, history.start, history.end, zone)
    return figure, charts.describe(inside, zone)


def size(about: Estimate, query: ExportQuery) -> None:
    """Show how large the file will be before it is made."""
    if not about.rows and not query.of_prices:
        empty("No rows in this range.")
        return
    st.markdown(f"About **{text.count(about.rows, 'row')}**, **{text.size(about.size)}**")
    if query.format == "xlsx" and about.rows > MOST_EXCEL_ROWS:
        st.warning(
            f"A sheet of Excel holds {MOST_EXCEL_ROWS:,} rows: the file will end after these. Parquet and CSV hold "
            "all rows.",
            icon=":material/content_cut:",
        )
    if about.size > access.settings().exports_limit_bytes:
        st.warning(
            f"The file may be larger than all exports together may be, {access.settings().exports_limit}: choose a "
            "shorter range, or raise TICKWELL_EXPORTS_LIMIT.",
            icon=":material/database:",
        )


def prepared_for(choice: ExportQuery, view: View) -> Prepared | None:
    """The file that this reader asked for by these choices."""
    prepared: Prepared | None = st.session_state.get("prepared")
    return prepared if prepared is not None and (prepared.choice, prepared.view) == (choice, view) else None


def prepare(query: ExportQuery, choice: ExportQuery, view: View) -> None:
    """Start the export. The whole page runs, so that its progress is shown more often."""
    st.session_state["prepared"] = Prepared(choice, view, query, start_export(query))
    st.rerun()


def refresh_every(choice: ExportQuery, view: View) -> timedelta:
    prepared = prepared_for(choice, view)
    return access.SELDOM if prepared is None or prepared.job.over else PROGRESS_EVERY


def file(prepared: Prepared, query: ExportQuery) -> None:
    """Show how far an export is, in ticks or rows, then the file. `query` is what would be asked for now."""
    job, unit = prepared.job, "tick" if query.of_prices else "row"
    if not job.over:
        read = f"{job.read:,} of {text.count(job.total, unit)} read" if job.total else f"Counting {unit}s"
        st.progress(job.read / job.total if job.total else 0.0, text=read)
    elif st.session_state.pop("watched", False):
        st.rerun()  # so that the page is no longer refreshed every half second
    elif job.failure:
        st.error(f"Not exported. {text.escaped(str(job.failure))}", icon=":material/error:")
    else:
        download(job.made(), live=prepared.view.end is None)
        if query.end > prepared.query.end:
            st.button(
                "Make it anew",
                on_click=prepare,
                args=(query, prepared.choice, prepared.view),
                icon=":material/refresh:",
                help=f"Up to {text.moment(query.end, text.zone())}",
            )
    st.session_state["watched"] = not job.over


def download(made: Export, *, live: bool) -> None:
    """Offer the file, with its rows and its hash; of a range that ends now, with its end."""
    if routes_are_served() or made.size <= MOST_THROUGH_MEMORY:
        offer(f"Download {text.size(made.size)}", made.query)
    else:
        st.warning(
            f"This host serves no files larger than {text.size(MOST_THROUGH_MEMORY)}: choose a shorter range. On a "
            "machine of your own, the command below writes the file.",
            icon=":material/warning:",
        )
    rows = text.count(made.rows, "row")
    cut = f", cut off where a sheet of Excel is full: it ends at {made.manifest['last']}"
    cut = cut if made.manifest["capped"] else ""
    as_of = f"As of {text.moment(made.query.end, text.zone())}. " if live else ""
    st.caption(f"{as_of}`{made.query.file_name}`: {rows}{cut}. SHA-256 `{made.sha256}`")


def programs(query: ExportQuery) -> None:
    """Show the same query for programs, to be copied."""
    st.header("The same from a program", anchor=False)
    lines = code(query)
    for tab, words in zip(st.tabs(list(lines)), lines.values(), strict=True):
        tab.code(words, language=None, wrap_lines=True)  # Streamlit's colours for code have too little contrast


show(toolbar, shown, refresh_every)
