"""Measure, print one table, and exit non-zero when something is over its budget.

Ratios have their bare reference measured beside them in the same run. BENCH_TICKS is the length of the history (60 M
unless told), which is kept in .cache/; up to 1 M the small form is run, without cadence, refreshes and peers.
BENCH_SECONDS is how long a recorder or a page is watched.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from poller.simulator.server import Simulator
from tests.bench.alerting import judging, replaying
from tests.bench.browsing import dashboards
from tests.bench.exporting import exports
from tests.bench.importing import imports
from tests.bench.long_history import history
from tests.bench.peers import Figures, ours, peers
from tests.bench.reading import chart_queries, ledgers, page_scripts
from tests.bench.recording import append_embedded, notifying, recorder, visibility
from tests.bench.row import SMALL, TICKS, Row

PEERS_TICKS = min(10_000_000, TICKS)
ROUNDS = 15


def rows(folder: Path, simulator: Simulator) -> Iterator[Row]:
    yield from append_embedded(folder)
    yield from visibility(folder)
    yield from chart_queries()
    yield from ledgers(folder)
    yield from page_scripts()
    yield from judging(folder)
    yield from replaying()
    yield from imports(folder)
    yield from exports(folder)
    if not SMALL:
        yield from recorder(folder, simulator)
        yield from notifying(folder, simulator)
    yield from dashboards(folder, simulator)


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
        if not SMALL:
            print_peers(Path(name))
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
