"""Each read of pages, API and exports gives of a lake the answer that it gives of the file that was published."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from store.alerts import events, in_force, outlook, series
from store.alerts.rules.bounded import Series as RuleSeries
from store.alerts.rules.price_kinds import Level
from store.export import selection, survey
from store.export.query import ExportQuery
from store.file import exchange
from store.file.database import Cursor
from store.health import checks, figures, status, vitals
from store.instants import DAY, HOUR, MINUTE
from store.kinds import DELIVERIES, FUNDING, VOLATILITY_INDEX
from store.lake.reader import LakeReader
from store.ledger import arrivals, coverage, gaps, logs, runs
from store.market import chains
from store.market.entries import append_new
from store.market.instruments import Option, option_of
from store.market.reads import as_of, contract, dvol, funding, futures, recorded, snapshots, volatility
from store.market.reads import series as numbers
from store.models import Cause, Exchange, Miss, to_column
from store.prices import bars, candles, indexes, overview, ticks
from tests.conftest import START
from tests.store.histories import at, averaged
from tests.store.lake.reads import name_of, used
from tests.store.lake.recordings import live, new_file, observe, share
from tests.support import market
from tests.support.lakes import place_on

END = START + DAY + 10 * MINUTE
OPTION: Option = option_of("BTC-25DEC26-95000-C")
RULES = [Level(name="Round", kind="level", severity="info", indexes=("btc_usd",), price=1000.0)]


def _in_slot(cursor: Cursor) -> Any:
    found = snapshots.snapshot_at(cursor, "futures/BTC", END, lambda ts: (ts,))
    assert found is not None
    return snapshots.in_slot(cursor, found)


READS: Mapping[Callable[..., Any], Callable[[Cursor], Any]] = {
    exchange.exchange_of: exchange.exchange_of,
    ticks.latest: lambda cursor: ticks.latest(cursor, "btc_usd"),
    ticks.latest_of: lambda cursor: ticks.latest_of(cursor, ["btc_usd", "eth_usd"]),
    ticks.newest_first: lambda cursor: ticks.newest_first(cursor, "btc_usd", 20, 300),
    ticks.prices: lambda cursor: ticks.prices(cursor, "btc_usd", START, END, 10_000),
    ticks.summary: ticks.summary,
    bars.bars: lambda cursor: [
        bars.bars(cursor, "btc_usd", START, END, each) for each in (timedelta(0), MINUTE, HOUR, DAY)
    ],
    bars.fits: lambda cursor: [bars.fits(cursor, "btc_usd", START, END, most) for most in (10, 100_000)],
    indexes.index_names: lambda cursor: indexes.index_names(cursor, ["sol_usd"]),
    overview.cards: lambda cursor: overview.cards(cursor, ["btc_usd"]),
    arrivals.newest: arrivals.newest,
    selection.other_feeds: selection.other_feeds,
    survey.estimate: lambda cursor: survey.estimate(cursor, ExportQuery(("options/BTC",), START, END)),
    series.values: lambda cursor: series.values(cursor, RuleSeries("dvol/BTC", "dvol"), START, END),
    recorded.currencies_of_futures: recorded.currencies_of_futures,
    recorded.first_futures: lambda cursor: recorded.first_futures(cursor, "BTC"),
    futures.futures_at: lambda cursor: futures.futures_at(cursor, "BTC", END),
    futures.basis_over: lambda cursor: futures.basis_over(cursor, "BTC", START, END, 30 * DAY),
    funding.funding_hours: lambda cursor: funding.funding_hours(cursor, "BTC-PERPETUAL", START, END),
    dvol.dvol_candles: lambda cursor: dvol.dvol_candles(cursor, "BTC", START, END, MINUTE),
    as_of.chain_at: lambda cursor: [as_of.chain_at(cursor, "BTC", each) for each in (START + 7 * MINUTE, END)],
    as_of.contract: lambda cursor: as_of.contract(cursor, OPTION, START, END),
    as_of.count_of_contract: lambda cursor: as_of.count_of_contract(cursor, OPTION, START, END),
    as_of.surfaces: lambda cursor: as_of.surfaces(cursor, "BTC", START, END),
    contract.life: lambda cursor: contract.life(cursor, OPTION, START, END, HOUR),
    contract.listed_expiries: lambda cursor: contract.listed_expiries(cursor, "BTC", END),
    contract.options_of: lambda cursor: contract.options_of(
        cursor, "BTC", contract.listed_expiries(cursor, "BTC", END)[0]
    ),
    contract.settlement: lambda cursor: contract.settlement(cursor, OPTION._replace(expiry=START.replace(hour=8)), END),
    contract.usual_option: lambda cursor: contract.usual_option(cursor, "BTC", END),
    snapshots.count_between: lambda cursor: snapshots.count_between(cursor, "options/BTC", START, END),
    snapshots.neighbours: lambda cursor: snapshots.neighbours(cursor, "options/BTC", START + HOUR),
    snapshots.received_between: lambda cursor: snapshots.received_between(cursor, "futures/BTC", START, END),
    snapshots.snapshot_at: lambda cursor: snapshots.snapshot_at(cursor, "futures/BTC", END, lambda ts: (ts,)),
    snapshots.in_slot: _in_slot,
    numbers.first_known: lambda cursor: [numbers.first_known(cursor, each) for each in numbers.all_series(["BTC"])],
    numbers.values_by: lambda cursor: [
        numbers.values_by(cursor, each, START, END, HOUR) for each in numbers.all_series(["BTC"])
    ],
    numbers.closes_by: lambda cursor: numbers.closes_by(cursor, "btc_usd", START, END, HOUR),
    volatility.currencies: volatility.currencies,
    volatility.volatility_at: lambda cursor: volatility.volatility_at(cursor, "BTC", END),
    volatility.dvol_at: lambda cursor: volatility.dvol_at(cursor, "BTC", END),
    volatility.dvol_bars: lambda cursor: volatility.dvol_bars(cursor, "BTC", START, END, HOUR),
    volatility.surface_at: lambda cursor: volatility.surface_at(cursor, "BTC", END),
    volatility.surfaces_by: lambda cursor: volatility.surfaces_by(cursor, "BTC", START, END, HOUR),
    volatility.first_surface: lambda cursor: volatility.first_surface(cursor, "BTC"),
    volatility.realised_at: lambda cursor: volatility.realised_at(cursor, "BTC", END),
    volatility.realised_by: lambda cursor: volatility.realised_by(cursor, "BTC", START, END, HOUR),
    volatility.cone: lambda cursor: volatility.cone(cursor, "BTC", END),
    runs.runs: runs.runs,
    runs.feeds: runs.feeds,
    runs.failures: lambda cursor: runs.failures(cursor, START, END),
    runs.troubles: lambda cursor: runs.troubles(cursor, START),
    snapshots.period_at: lambda cursor: snapshots.period_at(cursor, "options/BTC", END),
    snapshots.cause_at: lambda cursor: snapshots.cause_at(cursor, "options/BTC", START + HOUR, END),
    gaps.ledger: lambda cursor: gaps.ledger(cursor, START, END, END),
    coverage.coverage: lambda cursor: coverage.coverage(cursor, [], START, END),
    coverage.calendar: lambda cursor: coverage.calendar(cursor, [], START, END),
    vitals.between: lambda cursor: vitals.between(cursor, START, END),
    vitals.folded: lambda cursor: vitals.folded(cursor, START, END, HOUR),
    vitals.growth: lambda cursor: vitals.growth(cursor, START, END),
    candles.closed_to: candles.closed_to,
    status.feeds_at: lambda cursor: status.feeds_at(cursor, {}, END, None),
    figures.figures: lambda cursor: figures.figures(cursor, ["btc_usd"], END),
    outlook.outlook: lambda cursor: outlook.outlook(cursor, RULES, {"btc_usd": 5}, END),
}
"""The reads of what is published, each with arguments for which it has an answer."""

OF_A_RECORDER: Mapping[Callable[..., Any], Callable[[Cursor], Any]] = {
    gaps.watermark: gaps.watermark,
    logs.logs: logs.logs,
    checks.newest: checks.newest,
    checks.troubles: lambda cursor: checks.troubles(cursor, START),
    events.fired: lambda cursor: events.fired(cursor, START, END, limit=10),
    events.newest: lambda cursor: events.newest(cursor, limit=10),
    in_force.rules_in_force: in_force.rules_in_force,
}
"""The reads of what a recorder keeps for itself: of a lake they find nothing, and do not fail."""


@pytest.fixture(scope="module")
def published(tmp_path_factory, server, endpoint) -> Iterator[tuple[Any, LakeReader]]:
    """A file with rows of all tables on two days, and a reader of the lake that it was published into."""
    folder = tmp_path_factory.mktemp("published")
    database = new_file(folder / "a.duckdb", Exchange.SIMULATOR)
    next_day = int(DAY.total_seconds()) // 5
    observe(database, [*range(60), *range(90, 400), *range(next_day, next_day + 100)])
    live(database, [1, 2, 1441])
    with database.write() as cursor:
        failed = [Miss(at(5 * slot), "btc_usd", Cause.UNREACHABLE, "no reply", 503) for slot in range(60, 90)]
        runs.append_misses(cursor, failed, "a")
        averaged(cursor, 300, 450, 60)
        averaged(cursor, 7_200, 36_000, 60)
        moments = [START + number * 5 * MINUTE for number in (0, 1, 2, 287, 288, 289, 290)]
        chains.append(cursor, [market.chain("BTC", each) for each in moments])
        minutes = [START + number * MINUTE for number in (*range(5), *range(1440, 1450))]
        arrivals.append(cursor, [market.futures("BTC", each) for each in minutes])
        candle = [
            ("BTC", to_column(START + number * MINUTE), 40.0, 42.0 + number, 39.0, 41.0, "simulator", 60)
            for number in range(1450)
        ]
        append_new(cursor, VOLATILITY_INDEX, candle)
        hours = [
            ("BTC-PERPETUAL", to_column(START + number * HOUR), 100.0, 1e-4 * number, 8e-4, "simulator")
            for number in range(25)
        ]
        append_new(cursor, FUNDING, hours)
        append_new(cursor, DELIVERIES, [("btc_usd", to_column(START.replace(hour=8)), 95_000.0, "simulator")])
        candles.close(cursor, at(3 * 86_400))
    with place_on(server, endpoint) as place:
        lake = place.make()
        share(database, lake)
        reader = LakeReader(lake, folder)
        yield database, reader
        reader.close()


@pytest.mark.parametrize("read", READS.values(), ids=map(name_of, READS))
def test_a_read_of_the_lake_has_the_answer_of_the_file(published, read):
    database, reader = published

    with database.read() as cursor:
        expected = plain(read(cursor))
    with reader.read() as cursor:
        found = plain(read(cursor))

    assert found == expected
    assert expected not in (None, [], {}, [None], 0)


@pytest.mark.parametrize("read", OF_A_RECORDER.values(), ids=map(name_of, OF_A_RECORDER))
def test_a_read_of_what_a_recorder_keeps_for_itself_finds_nothing(published, read):
    _, reader = published

    with reader.read() as cursor:
        assert plain(read(cursor)) in (None, [], {})


def test_what_was_not_published_yet_is_not_missing(published):
    database, reader = published
    last, later = START + DAY + timedelta(seconds=495), START + 2 * DAY

    with database.read() as cursor:
        known = gaps.ledger(cursor, START, last, last)
        due = coverage.coverage(cursor, known, START, last, last)
    with reader.read() as cursor:
        found = gaps.ledger(cursor, START, later, later, {"btc_usd"})
        its = coverage.coverage(cursor, found, START, later, later)

    assert all(gap.end <= START + DAY + 10 * MINUTE for gap in found)
    assert {each.feed for each in its} == {each.feed for each in due}
    assert max(each.due for each in its) < 18_000


def test_every_read_of_pages_api_and_exports_is_compared():
    assert used() - {"store.prices.averages.filled"} == {name_of(each) for each in (*READS, *OF_A_RECORDER)}


def plain(answer: Any) -> Any:
    """An answer as values that compare: frames and arrays as lists, and an unknown number equal to itself."""
    if isinstance(answer, pd.DataFrame):
        return plain(answer.to_dict("list"))
    if isinstance(answer, np.ndarray | Iterator):
        return plain(list(answer))
    if isinstance(answer, dict):
        return {key: plain(value) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        return [plain(each) for each in answer]
    return "unknown" if answer is pd.NaT or (isinstance(answer, float) and np.isnan(answer)) else answer
