"""Measure, print one table, and exit non-zero when something is over its budget.

A budget of time is a ratio to a bare reference that is measured beside it: the least that anyone would write for it.
Rows without a budget inform, and never fail. BENCH_TICKS is the number of ticks of the history, 60 M unless told; the
history is kept in .cache/. Up to 1 M the small form is run: fewer pages and repetitions, without viewers and peers.
BENCH_SECONDS is how long a recorder or a page is watched.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from poller.simulator.server import Simulator
from tests.bench.alerting import judging, replaying, replaying_a_market
from tests.bench.browsing import dashboards
from tests.bench.charting import chart_queries
from tests.bench.exporting import exports
from tests.bench.importing import imports
from tests.bench.lake import lacking, lakes
from tests.bench.long_history import history
from tests.bench.markets import markets
from tests.bench.peers import Figures, ours, peers
from tests.bench.reading import ledgers
from tests.bench.recording import append_embedded, notifying, recorder, visible_embedded, visible_external
from tests.bench.row import SMALL, TICKS, Row

PEERS_TICKS = min(10_000_000, TICKS)
ROUNDS = 15


def rows(folder: Path, simulator: Simulator) -> Iterator[Row]:
    yield from append_embedded(folder)
    yield from visible_embedded(folder)
    yield from visible_external(folder)
    yield from chart_queries()
    yield from ledgers(folder)
    yield from judging(folder)
    yield from replaying()
    yield from replaying_a_market(folder)
    yield from imports(folder)
    yield from exports(folder)
    yield from recorder(folder, simulator)
    if not SMALL:
        yield from notifying(folder, simulator)
    yield from markets(folder, simulator)
    yield from dashboards(folder, simulator)
    if not lacking():
        yield from lakes(folder, simulator)


def print_peers(folder: Path) -> None:
    """What the same three questions cost elsewhere; no budgets."""
    source = history(PEERS_TICKS).path
    print(f"\n{f'at {PEERS_TICKS:,} ticks, ms':<30} {'chart':>10} {'latest':>10} {'append':>10}")
    for found in (ours(folder, source, ROUNDS), *peers(folder, source, ROUNDS)):
        print(in_words(found), flush=True)


def in_words(found: Figures | str) -> str:
    if isinstance(found, str):
        return found
    return f"{found.who:<30} {found.chart_ms:>10.2f} {found.latest_ms:>10.3f} {found.append_ms:>10.2f}"


def main() -> int:
    within = True
    with tempfile.TemporaryDirectory() as name, Simulator() as simulator:
        for row in rows(Path(name), simulator):
            print(row, flush=True)
            within = within and row.within
        if missing := lacking():
            print(f"not measured: the lake, by `make bench-lake` on the older DuckDB: {missing}", flush=True)
        if not SMALL:
            print_peers(Path(name))
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
