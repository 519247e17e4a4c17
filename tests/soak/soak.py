"""Records against the simulator, with all feeds of two currencies, and finds what was lost, made up or late."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from settings import MAX_REQUESTS_PER_SECOND
from store.file.database import Cursor
from store.instants import EPOCH, HOUR, MINUTE
from store.ledger import gaps, runs
from store.ledger.coverage import Coverage, coverage
from store.ledger.logs import logs
from store.models import to_column, utc_now
from tests.conftest import wait_until
from tests.faults.stage import INDEXES, Stage
from tests.support import market
from tests.support.arrivals import Arrivals

CURRENCIES = ("BTC", "ETH")
FUTURES_S, CHAINS_S = 10, 60

_SETTINGS = {"markets": ",".join(CURRENCIES), "market_seconds": FUTURES_S, "options_seconds": CHAINS_S}

MOST_LATER = 1.5
"""The median delay of a tick, beside that of a recorder without markets."""

_PERIODS = {
    **dict.fromkeys(INDEXES, 1),
    **{f"futures/{currency}": FUTURES_S for currency in CURRENCIES},
    **{f"options/{currency}": CHAINS_S for currency in CURRENCIES},
}

_MINUTES = """
SELECT currency, count(*)
FROM volatility_index
WHERE resolution_s = 60
  AND open_time >= ?
  AND open_time < ?
GROUP BY currency
"""


@dataclass
class Found:
    """What a soak found.

    Attributes:
        lines: figures, in words.
        faults: what is lost or untrue; empty if all is well.
        beyond: the figures that are beyond their limits.
    """

    lines: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)

    def note(self, line: str, *, well: bool) -> None:
        self.lines.append(line)
        if not well:
            self.faults.append(line)

    def measure(self, line: str, *, within: bool) -> None:
        self.lines.append(line)
        if not within:
            self.beyond.append(line)


def soak(folder: Path, seconds: float, alone_s: float) -> Found:
    """Record for some seconds with markets, and before for `alone_s` without them."""
    found = Found()
    alone = delays_of_indexes(folder / "alone", alone_s)
    (folder / "market").mkdir()
    with Stage(folder / "market") as stage, Arrivals(stage.url) as requests:
        stage.url = requests.url
        stage.settings = dict(_SETTINGS)
        stage.start()
        _first_of_each(stage)
        began = utc_now()
        _wait(seconds)
        until = utc_now()
        stage.stop()
        _check_ticks(found, stage, alone)
        with stage.database.read() as cursor:
            _check_slots(found, stage, cursor, began, until)
            _check_values(found, cursor)
            _check_logs(found, cursor, began, until)
    words = f"{len(requests.at_s):,} requests, at most {requests.most} in any second"
    found.measure(words, within=0 < requests.most <= MAX_REQUESTS_PER_SECOND)
    return found


def delays_of_indexes(folder: Path, seconds: float) -> list[float]:
    """The seconds from exchange time until durable, for each tick of a recorder of indexes alone."""
    folder.mkdir()
    with Stage(folder) as stage:
        stage.start()
        stage.wait_for(2)
        before = len(stage.delays_s)
        _wait(seconds)
        stage.stop()
        return stage.delays_s[before:]


def _first_of_each(stage: Stage) -> None:
    stage.wait_for(2)
    wait_until(lambda: all(stage.snapshots(feed) for feed in _PERIODS if "/" in feed), timeout_s=CHAINS_S + 30)


def _wait(seconds: float) -> None:
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end, timeout_s=seconds + 10)


def _check_ticks(found: Found, stage: Stage, alone: Sequence[float]) -> None:
    result, delays = stage.result("soak"), stage.delays_s
    lost = f"{result.lost} lost, {result.invented} invented, {result.unexplained} unexplained slots"
    well = not (result.lost or result.invented or result.unexplained)
    found.note(f"{result.acknowledged:,} ticks and snapshots acknowledged: {lost}", well=well)
    ours, its = (1000 * statistics.median(each) for each in (delays, alone))
    late, its_late = (1000 * statistics.quantiles(each, n=100)[98] for each in (delays, alone))
    words = f"{ours:.1f} ms, {its:.1f} ms without markets: {ours / its:.2f} ×"
    words += f"; of the latest hundredth {late:.1f} and {its_late:.1f} ms"
    found.measure(f"delay of a tick until durable, median {words}", within=ours <= MOST_LATER * its)


def _check_slots(found: Found, stage: Stage, cursor: Cursor, began: datetime, until: datetime) -> None:
    """Each slot of each feed is there, and the ledger counts the same. A short soak may have no slot of a feed."""
    its_gaps = gaps.ledger(cursor, began, until, until + HOUR)
    shares = {its.feed: its for its in coverage(cursor, its_gaps, began, until, until)}
    failed = runs.misses(cursor, EPOCH, until)
    for feed, period_s in _PERIODS.items():
        first, last = -(-int(began.timestamp() + 1) // period_s), int(until.timestamp() - 8) // period_s
        at = stage.snapshots(feed) if "/" in feed else stage.seconds(feed)
        lost = {*range(first, last)} - {int(each) // period_s for each in at}
        reasons = "".join(f"; {miss.slot:%H:%M:%S} {miss.cause} {miss.detail}" for miss in failed if miss.feed == feed)
        well = first >= last or (not lost and _adds_up(shares.get(feed), lost))
        words = f"{max(0, last - first)} slots due, {len(lost)} lost, the ledger says {_in_words(shares.get(feed))}"
        found.note(f"{feed}: {words}{reasons}", well=well)


def _adds_up(its: Coverage | None, lost: set[int]) -> bool:
    return its is not None and its.due == its.live + its.missing and its.missing == len(lost)


def _in_words(its: Coverage | None) -> str:
    return "nothing" if its is None else f"{its.due} due, {its.live} present, {its.missing} missing"


def _check_values(found: Found, cursor: Cursor) -> None:
    odd = market.untrue(cursor, EPOCH, whole=True)
    counts = ", ".join(
        f"{market.digest(cursor, table)[0]:,} of {table}"
        for table in ("options", "futures", "volatility_index", "funding", "deliveries", "smiles", "surfaces")
    )
    found.note(f"rows: {counts}", well=True)
    found.note(f"{len(odd)} rows of snapshots differ from what was published{_such_as(odd)}", well=not odd)
    entries = market.untrue_entries(cursor)
    found.note(f"{len(entries)} entries of logs differ from what was published{_such_as(entries)}", well=not entries)


def _check_logs(found: Found, cursor: Cursor, began: datetime, until: datetime) -> None:
    """Each minute of DVOL is there."""
    start, end = began.replace(second=0, microsecond=0), until.replace(second=0, microsecond=0) - MINUTE
    counts = dict(cursor.execute(_MINUTES, [to_column(start), to_column(end)]).fetchall())
    due = max(0, (end - start) // MINUTE)
    for currency in CURRENCIES:
        well = counts.get(currency, 0) == due
        found.note(f"DVOL of {currency}: {counts.get(currency, 0)} minutes of {due}", well=well)
    late = [f"{each.feed}: {each.late}" for each in logs(cursor).values() if each.late]
    behind = [each.feed for each in logs(cursor).values() if each.complete_to < until - 2 * HOUR]
    found.note(f"logs that are late: {late or 'none'}, not yet complete: {behind or 'none'}", well=not late)


def _such_as(rows: Sequence[Any]) -> str:
    return f", such as {rows[0]}" if rows else ""
