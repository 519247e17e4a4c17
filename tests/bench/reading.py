"""What it costs to read a long history: the query of a chart, and the run of a page's script."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import streamlit as st
from streamlit.testing.v1 import AppTest

from settings import Settings
from store.file.database import Database
from store.file.shared import shared_database
from store.ledger import gaps
from store.ledger.gaps import advance
from store.ledger.settle import settle
from store.models import Gap
from tests.bench.apart import apart, do
from tests.bench.long_history import SPANS, costs_ms, history
from tests.bench.row import FEW, SMALL, TICKS, Row, medians_ms
from tests.pages.conftest import pages_of
from tests.store.histories import at, observed, ran

HOUR, DAY = 3600, 86_400
LEDGERS = 20 if SMALL else 100
RUNS = 3 if SMALL else 15
SCRIPTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("overview", {}),
    ("history", {"range": "1d"}),
    ("history", {"range": "1y", "chart": "Candles"}),
    ("quality", {}),
    ("alerts", {}),
    ("export", {"range": "1y"}),
)


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


def ledgers(folder: Path) -> Iterator[Row]:
    """What it costs to read the ledger of ten days that nothing was recorded in but a tick a minute for 12 hours."""
    empty, sparse = (Database(folder / f"{name}.duckdb") for name in ("empty", "sparse"))
    gone_s, back_s = HOUR, HOUR + 10 * DAY
    for database, end_s in ((empty, gone_s), (sparse, back_s)):
        database.migrate()
        with database.write() as cursor:
            ran(cursor, 0, end_s)
            observed(cursor, range(0, gone_s, 5))
    with sparse.write() as cursor:
        gaps.note(cursor, [Gap("btc_usd", at(gone_s), at(back_s), 2 * DAY, 5, "unreachable", "")], at(back_s))
        observed(cursor, range(gone_s + DAY, gone_s + DAY + DAY // 2, 60))
        settle(cursor, "btc_usd", at(back_s))
    for database in (empty, sparse):
        advance(database, at(back_s), at(back_s), 1)

    def read(database: Database) -> int:
        with database.read() as cursor:
            return len(gaps.ledger(cursor, at(0), at(back_s), at(back_s)))

    count = read(sparse)
    works = (lambda _: read(empty), lambda _: read(sparse))
    for what, budget in ((", with opening a lease", 1.5), (", file held", 3)):
        with ExitStack() as held:
            if "held" in what:
                held.enter_context(empty.hold())
                held.enter_context(sparse.hold())
            empty_ms, sparse_ms = medians_ms(*works, rounds=LEDGERS)
        note = f"{count:,} gaps {sparse_ms:.1f} ms, none {empty_ms:.1f} ms"
        yield Row(f"ledger, sparse to empty{what}", sparse_ms / empty_ms, budget, "×", note)


def page_scripts() -> Iterator[Row]:
    """What the run of a page's script costs that finds nothing in its caches, as the first visitor of a second does."""
    said, _ = apart("tests.bench.reading", "scripts", history(TICKS).path)
    costs: dict[str, float] = json.loads(said)
    slowest = max(costs, key=lambda name: costs[name])
    note = ", ".join(f"{name} {cost:.0f}" for name, cost in costs.items())
    yield Row("run of a page's script, the slowest", costs[slowest], 150, "ms", note)


def scripts(path: Path) -> str:
    """The median time in ms of each page's script, as JSON."""
    costs = {}
    with pages_of(path) as open_page, shared_database(path, Settings().memory_limit).hold():
        for name, address in SCRIPTS:
            page = open_page(name, **address)

            def run(_: int, page: AppTest = page) -> None:
                st.cache_data.clear()
                page.run()
                assert not page.exception

            (costs[" ".join([name, *address.values()])],) = medians_ms(run, rounds=RUNS)
    return json.dumps(costs)


if __name__ == "__main__":
    do({"scripts": scripts})
