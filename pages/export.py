"""Export: ticks or candles as a file, and how programs ask for the same."""

from dataclasses import replace
from datetime import datetime, timedelta

import streamlit as st

from pages.common import access, moments, ranges
from pages.common.chart.component import live_chart, routes_are_served
from pages.common.export_links import FORMATS, RENEWED_EVERY, code, offer
from pages.common.figures import charts
from pages.common.figures.gap_marks import add_marks
from pages.common.reads.export import estimate, export_job, snapshot_feeds
from pages.common.reads.history import read_history
from pages.common.reads.recorded import known_indexes
from pages.common.views import EXACT, SPANS, View
from pages.common.words import gap_text, text
from store.errors import StoreError
from store.export.files import Export, Job
from store.export.query import MOST_EXCEL_ROWS, ExportQuery
from store.instants import EPOCH
from store.prices.bars import INTERVAL_NAMES, SINGLE_TICKS

TICKS, CANDLES = "Ticks", "Candles"
INTERVALS = {name: interval for interval, name in INTERVAL_NAMES.items()}
PREVIEW_HEIGHT = 320

# The largest file to offer on a host that doesn't serve our routes: there it goes through the server's memory.
MOST_THROUGH_MEMORY = 50_000_000


def toolbar() -> tuple[ExportQuery, View]:
    """The choices, as a query and as a view of its range. A range that ends now ends with the last whole minute."""
    known, feeds = known_indexes(), snapshot_feeds()
    label = "Index or feed" if feeds else "Index"
    with st.container(horizontal=True):
        names = st.multiselect(label, [*known, *feeds], default=known[:1], key="index", bind="query-params", width=320)
        rows = st.segmented_control(
            "Rows", [TICKS, CANDLES], default=TICKS, required=True, key="rows", bind="query-params"
        )
        interval = candle_interval() if rows == CANDLES else SINGLE_TICKS
    span = ranges.choose_span(list(SPANS), "1d")
    view = View(span, *(exact_range() if span == EXACT else (None, None)))
    start, end = view.bounds(moments.this_minute(), EPOCH)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        form = st.segmented_control(
            "Format", list(FORMATS), default="Parquet", required=True, key="format", bind="query-params"
        )
        healed = st.toggle("With healed points", value=True, key="healed", bind="query-params", help=HEALED)
    return ExportQuery(tuple(names), start, end, interval, healed, FORMATS[form]), view


HEALED = (
    "Averages from the exchange's own charts: they heal gaps and fill older history. The columns `source` and "
    "`resolution_s` mark them."
)


def candle_interval() -> timedelta:
    named = st.selectbox(
        "Interval", list(INTERVALS), index=list(INTERVALS).index("1m"), key="bars", bind="query-params", width=120
    )
    return INTERVALS[named]


def exact_range() -> tuple[datetime, datetime]:
    """The two times of an exact range, with inputs to change them."""
    start, end = ranges.exact_range(None)
    with st.container(horizontal=True):
        ranges.edit(start, end)
    return start, end


def preview(query: ExportQuery, view: View) -> bool:
    """Draw the prices in the range, with their gaps; return whether it has rows. Only prices have a chart."""
    if not query.of_prices:
        if not (rows := estimate(query).rows):
            st.info("No rows in this range.", icon=":material/hourglass_empty:")
        return rows > 0
    with st.skeleton(height=PREVIEW_HEIGHT):
        history = read_history(query.end, query.feeds, view)
    if not any(len(frame) for frame in history.bars.values()):
        st.info("No ticks in this range.", icon=":material/hourglass_empty:")
        return False
    zone = text.zone()
    figure = charts.lines(history.bars, history.interval, zone)
    charts.set_range(figure, history.start, history.end, zone)
    add_marks(figure, history.gaps, history.start, history.end, zone)
    live_chart(
        figure,
        key="preview",
        view=f"{query.feeds} {view} {zone.key}",
        alt=charts.describe(history.inside(), zone),
        height=PREVIEW_HEIGHT,
    )
    start, end = (text.moment(at, zone) for at in (history.start, history.end))
    st.caption(f"{start} to {end}. {gap_text.fates(history.gaps) or 'No gap'}.")
    return True


def size(query: ExportQuery) -> None:
    """Show how large the file will be before it is made."""
    about = estimate(query)
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


def prepare(query: ExportQuery, choice: object) -> None:
    """Start the export, and start it again if it failed before."""
    if export_job(query).failure:
        export_job.clear(query)
    st.session_state["prepared"] = choice, query


def file(job: Job, unit: str) -> None:
    """Show how far an export is, in ticks or rows, then the file."""
    if not job.over:
        read = f"{job.read:,} of {text.count(job.total, unit)} read" if job.total else f"Counting {unit}s"
        st.progress(job.read / job.total if job.total else 0.0, text=read)
    elif st.session_state.pop("watched", False):
        st.rerun()  # so that this part is no longer refreshed every half second
    elif job.failure:
        st.error(f"Not exported. {text.escaped(str(job.failure))}", icon=":material/error:")
    else:
        download(job.made())
    st.session_state["watched"] = not job.over


def download(made: Export) -> None:
    """Offer the file, with its rows and its hash."""
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
    st.caption(f"`{made.query.file_name}`: {rows}{cut}. SHA-256 `{made.sha256}`")


def programs(query: ExportQuery) -> None:
    """Show the same query for programs, to be copied."""
    st.header("The same from a program", anchor=False)
    lines = code(query)
    for tab, (language, words) in zip(st.tabs(list(lines)), lines.values(), strict=True):
        tab.code(words, language=language, wrap_lines=True)


def page() -> None:
    try:
        query, view = toolbar()
        if not query.feeds:
            st.info("Choose an index.", icon=":material/download:")
            return
        if query.refusal:
            st.info(f"{text.escaped(query.refusal)}.", icon=":material/download:")
            return
        if not preview(query, view):
            return
        choice = replace(query, start=EPOCH, end=EPOCH), view
        before, prepared = st.session_state.get("prepared", (None, query))
        job = export_job(prepared) if before == choice else None
        query = prepared if job else query
        size(query)
    except StoreError:
        return  # the header shows the error
    if job is None or job.failure:
        st.button("Make the file", on_click=prepare, args=(query, choice), icon=":material/draft:")
    if job:
        unit = "tick" if query.of_prices else "row"
        st.fragment(file, run_every=RENEWED_EVERY if job.over else "500ms")(job, unit)
    programs(query)


page()
