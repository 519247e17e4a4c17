"""Trades heal gaps of futures, and never take the place of what was observed."""

import pytest

from store.export.files import Exports
from store.export.query import ExportQuery
from store.export.survey import estimate
from store.file.database import Database
from store.ledger import arrivals
from store.ledger.gaps import ledger
from store.ledger.heal import heal
from store.market import trades
from store.market.trades import Trade
from store.models import to_column
from tests.store.histories import at

from .futures import ASKED, EXPIRY, FEED, NAMES, record, snapshot, stored

MINUTE = 60


def traded(*minutes: int, names: tuple[str, ...] = NAMES) -> list[Trade]:
    return [
        Trade(name, None if name.endswith("PERPETUAL") else EXPIRY, at(minute * MINUTE), 90.0 + minute)
        for minute in minutes
        for name in names
    ]


def told(database: Database) -> list[tuple[float, float, str, str | None]]:
    """Each gap in the ledger: its first and last minute, its state, and what healed it."""
    with database.read() as cursor:
        known = ledger(cursor, at(0), at(20 * MINUTE), at(20 * MINUTE))
    return [
        (
            (gap.start - at(0)).total_seconds() / MINUTE,
            (gap.end - at(0)).total_seconds() / MINUTE,
            gap.state,
            gap.healed_by,
        )
        for gap in known
    ]


def test_a_trade_is_a_row_that_has_a_last_price_alone(database: Database):
    with database.write() as cursor:
        assert len(trades.append(cursor, "BTC", traded(3), "chart")) == 2

        nothing = (None,) * 3
        ts, expiry = to_column(at(3 * MINUTE)), to_column(EXPIRY)
        assert stored(cursor) == [
            ("BTC", NAMES[0], expiry, ts, *nothing, 93.0, *(None,) * 5, "chart", 60),
            ("BTC", NAMES[1], None, ts, *nothing, 93.0, *(None,) * 5, "chart", 60),
        ]


def test_a_trade_that_is_known_is_not_stored_again(database: Database):
    with database.write() as cursor:
        trades.append(cursor, "BTC", traded(3, 4), "chart")
        before = stored(cursor)

        assert len(trades.append(cursor, "BTC", [*traded(3, 4), *traded(5), *traded(5)], "chart")) == 2
        assert len(trades.append(cursor, "BTC", [], "chart")) == 0
        assert stored(cursor)[:4] == before
        assert len(stored(cursor)) == 6


def test_a_minute_with_a_snapshot_takes_no_trade(database: Database):
    record(database, range(0, 10 * MINUTE, MINUTE), [], MINUTE)
    with database.write() as cursor:
        before = stored(cursor)

        assert len(trades.append(cursor, "BTC", traded(8, 9, 10), "chart")) == 2
        assert stored(cursor)[: len(before)] == before
        assert len(trades.append(cursor, "ETH", traded(8, names=("ETH-PERPETUAL",)), "chart")) == 1


def test_trades_give_way_to_a_snapshot_that_comes_late(database: Database):
    with database.write() as cursor:
        trades.append(cursor, "BTC", traded(3, 4, 5), "chart")
        trades.append(cursor, "ETH", traded(4, names=("ETH-PERPETUAL",)), "chart")
        before = stored(cursor)

        trades.append_observed(cursor, [snapshot(4 * MINUTE)])
        trades.append_observed(cursor, [snapshot(4 * MINUTE)])

        found = stored(cursor)
    assert [row for row in found if row[-1]] == [*before[:2], *before[4:]]
    assert [row[3] for row in found if not row[-1]] == [to_column(at(4 * MINUTE) + ASKED)] * 2


def test_trades_over_a_gap_heal_it_and_the_ledger_says_so(database: Database):
    missing = range(5 * MINUTE, 8 * MINUTE, MINUTE)
    record(database, range(0, 20 * MINUTE, MINUTE), missing, MINUTE)
    assert told(database) == [(5, 8, "open", None)]

    with database.write() as cursor:
        trades.append(cursor, "BTC", traded(*range(4, 10)), "chart")
        heal(cursor, FEED, at(9999))

    assert told(database) == [(5, 8, "healed", "trades, 60 s")]


def test_slots_of_the_minute_beside_the_trades_are_healed_too(database: Database):
    """The first and the last minute have snapshots, so that no trade of these minutes is stored."""
    record(database, range(0, 20 * MINUTE, 10), range(5 * MINUTE + 30, 8 * MINUTE + 20, 10), 10)

    with database.write() as cursor:
        assert len(trades.append(cursor, "BTC", traded(*range(4, 10)), "simulator")) == 4
        heal(cursor, FEED, at(9999))

    assert told(database) == [(5.5, 8 + 1 / 3, "healed", "trades of the simulator, 60 s")]


def test_the_instruments_of_the_snapshots_before_and_after_a_gap_are_listed_around_it(database: Database):
    with database.write() as cursor:
        for minute, names in enumerate(("ABE", "ABF", "", "BCF", "BD")):
            if names:
                arrivals.append(cursor, [snapshot(minute * MINUTE, *(f"BTC-{name}" for name in names))])
        trades.append(cursor, "BTC", traded(2, names=("BTC-X",)), "chart")

        around = trades.listed_around(cursor, "BTC", at(2 * MINUTE), at(3 * MINUTE))
        at_the_end = trades.listed_around(cursor, "BTC", at(9 * MINUTE), at(10 * MINUTE))
        of_another = trades.listed_around(cursor, "ETH", at(2 * MINUTE), at(3 * MINUTE))

    assert around == ["BTC-A", "BTC-B", "BTC-C", "BTC-F"]
    assert at_the_end == ["BTC-B", "BTC-D"]
    assert of_another == []


@pytest.mark.parametrize(("healed", "count"), [(True, 18 * 2 + 2 * 2), (False, 18 * 2)])
def test_an_export_tells_trades_from_what_was_observed(database: Database, healed, count):
    end = record(database, range(0, 20 * MINUTE, MINUTE), [5 * MINUTE, 6 * MINUTE], MINUTE)
    with database.write() as cursor:
        trades.append(cursor, "BTC", traded(5, 6), "chart")
        heal(cursor, FEED, at(9999))

    query = ExportQuery((FEED,), at(0), end, format="parquet", healed=healed)

    made = Exports(database, 10**9).make(query)

    with database.read() as cursor:
        assert estimate(cursor, query).rows == made.rows == count
