"""Measure, print one table, and exit non-zero when something is over its budget.

Ratios have their bare reference measured beside them in the same run. BENCH_SECONDS shortens the rows that watch a
running recorder (60 s unless told), BENCH_TICKS the long history (60 M unless told), which is kept in .cache/.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import psutil
from playwright.sync_api import Browser, sync_playwright

from poller.journal import Journal
from poller.simulator import Simulator
from store import Database, Tick, ticks, utc_now
from store.models import to_column
from tests.bench.long_history import FEW, SPANS, TICKS, costs_ms, history
from tests.browser.conftest import Dashboard, chromium, dashboard_at, free_port
from tests.conftest import Program, wait_until

SECONDS = int(os.environ.get("BENCH_SECONDS", "60"))
APPENDS = 300
REFRESHES = max(5, SECONDS // 3)
VISITS = 9
START = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """One line of the table; `measured` and `budget` are in `unit`."""

    what: str
    measured: float
    budget: float
    unit: str
    note: str = ""

    @property
    def within(self) -> bool:
        return self.measured <= self.budget


def slot(number: int) -> list[Tick]:
    ts = START + timedelta(seconds=number)
    return [Tick(name, ts, 100.0 + number, received_at=ts) for name in ("btc_usd", "eth_usd")]


def medians_ms(*works: Callable[[int], None]) -> list[float]:
    """The median time of each, run in turn with the same slots, so that a busy moment of the machine meets them all."""
    times: list[list[float]] = [[] for _ in works]
    for number in range(APPENDS + 20):
        for work, taken in zip(works, times, strict=True):
            started = time.perf_counter()
            work(number)
            taken.append(1000 * (time.perf_counter() - started))
    return [statistics.median(taken[20:]) for taken in times]


@contextmanager
def bare_append(path: Path) -> Iterator[Callable[[int], None]]:
    """A transaction that inserts the rows of a slot, without any of our care."""
    with duckdb.connect(path) as connection:
        connection.execute(
            "CREATE TABLE ticks (index_name VARCHAR, ts TIMESTAMP, received_at TIMESTAMP, price DOUBLE, "
            "source VARCHAR, resolution_s INTEGER)"
        )

        def append(number: int) -> None:
            rows = [
                value
                for tick in slot(number)
                for value in (tick.index_name, to_column(tick.ts), to_column(tick.ts), tick.price, tick.source, 0)
            ]
            connection.execute("BEGIN TRANSACTION")
            connection.execute("INSERT INTO ticks VALUES (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?)", rows)
            connection.execute("COMMIT")

        yield append


def append_embedded(folder: Path) -> Iterator[Row]:
    database = Database(folder / "append.duckdb")
    database.migrate()

    def append(number: int) -> None:
        with database.write() as cursor:
            ticks.append(cursor, slot(number))

    with database.hold(), bare_append(folder / "bare.duckdb") as bare_work:
        ours, bare = medians_ms(append, bare_work)
    yield Row("one slot's ticks durable, embedded", ours / bare, 2, "×", f"{ours:.2f} ms, bare {bare:.2f} ms")


def visibility(folder: Path) -> Iterator[Row]:
    for mode, budget in (("embedded", 20), ("external", 150)):
        database, reader = (Database(folder / f"{mode}.duckdb") for _ in range(2))
        database.migrate()
        journal = Journal(database)
        with ExitStack() as stack:
            if mode == "embedded":
                stack.enter_context(database.hold())
                reader = database

            def receive(number: int, journal: Journal = journal, reader: Database = reader) -> None:
                journal.add(START, slot(number))
                journal.flush(5)
                with reader.read() as cursor:
                    newest = ticks.latest(cursor, "btc_usd")
                assert newest is not None
                assert newest.ts == START + timedelta(seconds=number)

            yield Row(f"reply received -> visible, {mode}", medians_ms(receive)[0], budget, "ms")


def chart_queries() -> Iterator[Row]:
    """What the query of a chart costs at the end of a long history, and how much more than at that of a short one."""
    long, short = history(TICKS), history(FEW)
    costs = {name: (*costs_ms(long, span), costs_ms(short, span)[0]) for name, span in SPANS.items()}
    for part, what, budget in ((0, "", 25), (1, ", with opening a lease", 55)):
        slowest = max(costs, key=lambda name: costs[name][part])
        yield Row(f"chart query{what}", costs[slowest][part], budget, "ms", f"{TICKS:,} ticks, slowest range {slowest}")
    worst = max(costs, key=lambda name: costs[name][0] / costs[name][2])
    note = f"{costs[worst][0]:.1f} ms, {costs[worst][2]:.1f} ms with {FEW:,} ticks, range {worst}"
    yield Row(f"chart query, {TICKS / 1e6:g} M to {FEW / 1e6:g} M", costs[worst][0] / costs[worst][2], 2, "×", note)


def recorder(folder: Path, simulator: Simulator) -> Iterator[Row]:
    path = folder / "cadence.duckdb"
    with Program("poller", database=path, deribit_url=simulator.url, poll_seconds=1) as program:
        wait_until(lambda: path.exists() and newest(path))
        begin = utc_now()
        wait_until(lambda: utc_now() > begin + timedelta(seconds=SECONDS + 1), timeout_s=SECONDS + 10)
        memory = psutil.Process(program.process.pid).memory_info().rss / 1e6
    with Database(path).read() as cursor:
        found = ticks.history(cursor, "btc_usd", begin, begin + timedelta(seconds=SECONDS))
    late = max(tick.received_at.microsecond / 1000 for tick in found if tick.received_at)
    yield Row(f"slots missed at 1 s, of {SECONDS}", SECONDS - len(found), 0, "", f"latest {late:.0f} ms into its slot")
    yield Row("memory, recorder alone", memory, 120, "MB")


def newest(path: Path) -> Tick | None:
    with Database(path).read() as cursor:
        return ticks.latest(cursor, "btc_usd")


def dashboard(folder: Path, simulator: Simulator) -> Iterator[Row]:
    path = folder / "idle.duckdb"
    served_at = dashboard_at(free_port(), database=path, deribit_url=simulator.url, poll_seconds=5)
    with served_at as served, open_page(served):
        process = psutil.Process(served.program.process.pid)
        wait_until(lambda: (served.health() or {}).get("status") == "ok", timeout_s=20)
        before, begin = sum(process.cpu_times()[:2]), time.monotonic()
        wait_until(lambda: time.monotonic() > begin + SECONDS, timeout_s=SECONDS + 10)
        cpu = 100 * (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - begin)
        yield Row("memory, dashboard with recorder, idle", process.memory_info().rss / 1e6, 350, "MB")
        yield Row("idle CPU, one open page, every 5 s", cpu, 5, "% of a core")


def refreshes(folder: Path, simulator: Simulator) -> Iterator[Row]:
    """What a page that refreshes each second costs its server, beyond what recording costs."""
    path = folder / "refresh.duckdb"
    with dashboard_at(free_port(), database=path, deribit_url=simulator.url, poll_seconds=1) as served:
        process = psutil.Process(served.program.process.pid)
        wait_until(lambda: (served.health() or {}).get("status") == "ok", timeout_s=20)
        wait_until(lambda: served.health()["poller"]["backfill"] == "", timeout_s=60)  # type: ignore[index]
        alone_s = cpu_s(process)
        for page, name in (("/", "Overview"), ("/history", "History")):
            with open_page(served, page):
                cpu_s(process, seconds=5)
                shown_s = cpu_s(process)
            cost_ms = 1000 * (shown_s - alone_s) / REFRESHES
            yield Row(f"server time of a refresh at 1 s, {name}", cost_ms, 100, "ms", "CPU, all of Streamlit's work")


def cpu_s(process: psutil.Process, seconds: int = REFRESHES) -> float:
    """The CPU seconds that a process takes in so many seconds."""
    before, begin = sum(process.cpu_times()[:2]), time.monotonic()
    wait_until(lambda: time.monotonic() > begin + seconds, timeout_s=seconds + 10)
    return float(sum(process.cpu_times()[:2]) - before)


def first_chart(folder: Path, simulator: Simulator) -> Iterator[Row]:
    """When a visitor without a cache sees the first chart, in turn with a bare page that has one st.plotly_chart."""
    path, bare_script = folder / "first.duckdb", Path(__file__).with_name("bare_page.py")
    with (
        dashboard_at(free_port(), database=path, deribit_url=simulator.url, poll_seconds=5) as ours,
        dashboard_at(free_port(), str(bare_script)) as bare,
        sync_playwright() as playwright,
        chromium(playwright) as browser,
    ):
        wait_until(lambda: (ours.health() or {}).get("status") == "ok", timeout_s=20)
        wait_until(lambda: ours.health()["poller"]["backfill"] == "", timeout_s=60)  # type: ignore[index]
        pages = {"Overview": ours.url, "History": f"{ours.url}/history", "bare": bare.url}
        times: dict[str, list[float]] = {name: [] for name in pages}
        for _ in range(VISITS + 1):
            for name, url in pages.items():
                times[name].append(painted_ms(browser, url))
    medians = {name: statistics.median(taken[1:]) for name, taken in times.items()}
    for name in ("Overview", "History"):
        note = f"{medians[name]:.0f} ms, bare page {medians['bare']:.0f} ms"
        yield Row(f"first chart painted, {name}", medians[name] / medians["bare"], 1, "×", note)


def painted_ms(browser: Browser, url: str) -> float:
    """From the request to the first frame with a line in a chart, in a fresh browser context."""
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(
        """
        const look = () => document.querySelector(".js-plotly-plot .scatterlayer .trace path")
            ? requestAnimationFrame(() => { window.paintedMs = performance.now() }) : requestAnimationFrame(look);
        look();
        """
    )
    page.goto(url)
    painted: float = page.wait_for_function("window.paintedMs").json_value()
    context.close()
    return painted


@contextmanager
def open_page(served: Dashboard, path: str = "/") -> Iterator[None]:
    with sync_playwright() as playwright, chromium(playwright) as browser:
        page = browser.new_page()
        page.goto(f"{served.url}{path}")
        page.wait_for_selector(".tickwell-chart.drawn")
        yield


def main() -> int:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name, Simulator() as simulator:
        folder = Path(name)
        for part in (
            append_embedded(folder),
            visibility(folder),
            chart_queries(),
            recorder(folder, simulator),
            dashboard(folder, simulator),
            refreshes(folder, simulator),
            first_chart(folder, simulator),
        ):
            for row in part:
                rows.append(row)
                mark = "ok  " if row.within else "OVER"
                print(
                    f"{mark} {row.what:<42} {row.measured:>8.2f} {row.unit:<12} budget {row.budget:g}   {row.note}",
                    flush=True,
                )
    return 0 if all(row.within for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
