"""What it costs to read a long history: the query of a chart, and the run of a page's script."""

import json
from collections.abc import Iterator
from pathlib import Path

import streamlit as st
from streamlit.testing.v1 import AppTest

from settings import Settings
from store.shared import shared_database
from tests.bench.apart import apart, do
from tests.bench.long_history import SPANS, costs_ms, history
from tests.bench.row import FEW, SMALL, TICKS, Row, medians_ms
from tests.pages.conftest import pages_of

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
