"""A lake has the union of what recorders have: nothing is lacking, nothing is there twice."""

from collections import Counter
from datetime import timedelta
from functools import partial

import pytest

from store.errors import BusyError, ForeignExchangeError
from store.lake import spans, tables
from store.lake.merging import optimistically
from store.lake.notice import Notice, desk, read_notice
from store.lake.publish import publish
from store.lake.spans import portions
from store.lake.tables import ALL
from store.ledger import arrivals
from store.market import chains
from store.market.trades import Trade, append
from store.models import Exchange, Tick, utc_now
from store.prices import ticks
from tests.conftest import START, tick
from tests.store.histories import at, averaged
from tests.store.lake.recordings import (
    PERIOD_S,
    everything_in,
    in_file,
    in_lake,
    observe,
    record_everything,
    share,
    slots_in,
)
from tests.store.market.futures import snapshot
from tests.store.market.snapshots import chain

TABLES = [kind.table for kind in ALL]
A_DAY = 86_400 // PERIOD_S


def test_a_lake_has_all_rows_of_a_file_afterwards(file, lake):
    database = file("a")
    record_everything(database)

    made = share(database, lake, START)

    found = everything_in(lake)
    assert found == {table: in_file(database, table) for table in TABLES}
    assert all(found.values())
    assert (made.rows, made.conflicts, made.shared_to) == (sum(map(len, found.values())), 0, START)


def test_a_publication_brings_what_came_since_the_last_one_and_nothing_twice(file, lake):
    database = file("a")
    record_everything(database)
    share(database, lake)
    observe(database, range(20, 23))
    with database.write() as cursor:
        chains.append(cursor, [chain(START + timedelta(minutes=10))])

    made = [share(database, lake).rows for _ in range(2)]

    chain_rows = 42 + 3 + 1  # options, an expiry's smile each, and a surface
    assert made == [3 + 1 + chain_rows, 0]
    assert in_lake(lake, "ticks") == in_file(database, "ticks")


def test_recorders_fill_each_others_holes_and_a_slot_has_one_tick(file, lake):
    first, second = file("a"), file("b")
    observe(first, set(range(30)) - {4, 5, 20}, late_ms=10)
    observe(second, set(range(30)) - {7, 20, 25}, late_ms=30)

    for _ in range(2):
        share(first, lake)
        share(second, lake)

    assert slots_in(lake) == [slot for slot in range(30) if slot != 20]


def test_recorders_share_snapshots_whole(file, lake):
    first, second = file("a"), file("b")
    for database, minutes, late_s in ((first, (0, 5), 1), (second, (0, 10), 2)):
        with database.write() as cursor:
            late = timedelta(seconds=late_s)
            chains.append(cursor, [chain(START + timedelta(minutes=each) + late) for each in minutes])
            arrivals.append(cursor, [snapshot(60 * each + late_s) for each in minutes])

    share(first, lake)
    share(second, lake)

    whole = {
        (name, START.replace(tzinfo=None) + timedelta(minutes=each, seconds=s))
        for name in ("options/BTC",)
        for each, s in ((0, 1), (5, 1), (10, 2))
    }
    assert {(feed, ts) for feed, ts, *_ in in_lake(lake, "snapshots") if feed == "options/BTC"} == whole
    assert Counter(row[4] for row in in_lake(lake, "options")) == {ts: 42 for _, ts in whole}
    assert len(in_lake(lake, "surfaces")) == len(whole)
    assert len(in_lake(lake, "futures")) == 2 * 3


@pytest.mark.parametrize("averages_first", [True, False])
def test_an_average_gives_way_to_the_ticks_of_another_recorder(file, lake, averages_first):
    healed, observed = file("a"), file("b")
    with healed.write() as cursor:
        averaged(cursor, 60, 240, 60)
    observe(observed, [13])  # 65 s after START, in the first average

    for database in [healed, observed] if averages_first else [observed, healed]:
        share(database, lake)
    with desk(healed.path) as place:
        place.put(Notice())
    again = share(healed, lake)

    expected = in_file(observed, "ticks") + in_file(healed, "ticks")[1:]
    assert in_lake(lake, "ticks") == sorted(expected)
    assert again.rows == 0


@pytest.mark.parametrize("trades_first", [True, False])
def test_a_trade_of_a_future_gives_way_to_the_snapshot_of_another_recorder(file, lake, trades_first):
    healed, observed = file("a"), file("b")
    with healed.write() as cursor:
        append(cursor, "BTC", [Trade("BTC-PERPETUAL", None, at(second), 100.5) for second in (0, 60)], "chart")
    with observed.write() as cursor:
        arrivals.append(cursor, [snapshot(60)])

    for database in [healed, observed] if trades_first else [observed, healed]:
        share(database, lake)

    assert in_lake(lake, "futures") == sorted([*in_file(observed, "futures"), in_file(healed, "futures")[0]], key=str)


def test_rows_that_came_late_are_published_and_a_deletion_makes_all_days_be_looked_at(file, lake):
    database = file("a")
    observe(database, range(10, 20))
    share(database, lake)
    observe(database, [2])
    assert share(database, lake).rows == 1
    with database.write() as cursor:
        cursor.execute("DELETE FROM ticks WHERE ts < $start", {"start": at(13 * 5).replace(tzinfo=None)})
        ticks.append(cursor, [tick(3, price=101.0)])

    made = share(database, lake)

    assert made.rows == 1
    assert slots_in(lake) == [0, 2, *range(10, 20)]


def test_a_lost_notice_costs_a_look_and_nothing_else(file, lake):
    database = file("a")
    record_everything(database)
    share(database, lake)
    (database.path.parent / "a.duckdb.lake").unlink()

    made = share(database, lake)

    assert made.rows == 0
    assert read_notice(database.path) == made


def test_a_lake_that_was_lost_is_published_anew(file, place, lake):
    database = file("a")
    record_everything(database)
    share(database, lake)
    before = everything_in(lake)
    name = place.url.rpartition("/")[2]
    with place.server.connected() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    place.make()

    share(database, lake)

    assert everything_in(lake) == before


def test_imported_ticks_come_more_often_than_slots(file, lake):
    database = file("a")
    observe(database, [0, 1])
    with database.write() as cursor:
        imported = [Tick("btc_usd", at(second), 99.0, "import") for second in (1, 2, 3)]
        ticks.append(cursor, imported)

    share(database, lake)

    assert in_lake(lake, "ticks") == in_file(database, "ticks")


def test_rows_of_a_newer_method_take_the_place_of_older_ones(file, lake):
    database = file("a")
    record_everything(database)
    share(database, lake)
    with database.write() as cursor:
        cursor.execute("UPDATE smiles SET method = method + 1, atm_iv = 7.0")

    with desk(database.path) as place:
        place.put(Notice())
    made = share(database, lake)

    assert made.rows == len(in_file(database, "smiles"))
    assert in_lake(lake, "smiles") == in_file(database, "smiles")


def test_a_lake_has_prices_of_one_exchange(file, lake):
    real, simulated, imported = file("a"), file("b", Exchange.SIMULATOR), file("c", None)
    for database in (real, simulated, imported):
        observe(database, [1])
    share(imported, lake)
    share(real, lake)

    with pytest.raises(ForeignExchangeError) as refused:
        share(simulated, lake)

    assert str(refused.value) == ("the lake has prices of Deribit, the file those of the simulator: use another lake")
    assert read_notice(simulated.path).trouble == str(refused.value)
    assert slots_in(lake) == [1]


def test_a_file_has_one_publisher_at_a_time(file, lake):
    database = file("a")

    with desk(database.path), pytest.raises(BusyError, match=r"a.duckdb is being published by another process"):
        share(database, lake)


def test_work_is_redone_if_another_commit_came_first(lake):
    with lake.open() as mine, lake.open() as other:
        meddled = iter([True, True, False])

        def note() -> int:
            ((count,),) = mine.execute("SELECT count(*) FROM deliveries").fetchall()
            mine.execute(
                "INSERT INTO deliveries VALUES ('btc_usd', $ts, 1.0, 'live')", {"ts": at(0).replace(tzinfo=None)}
            )
            if next(meddled):
                other.execute(
                    "INSERT INTO deliveries VALUES ('eth_usd', $ts, 1.0, 'live')", {"ts": at(0).replace(tzinfo=None)}
                )
            return int(count)

        assert optimistically(mine, note) == (2, 2)
        assert [row[0] for row in in_lake(lake, "deliveries")] == ["btc_usd", "eth_usd", "eth_usd"]


def test_a_transaction_that_never_comes_first_is_given_up(lake):
    with lake.open() as mine, lake.open() as other:

        def note() -> None:
            for cursor in (mine, other):
                cursor.execute("INSERT INTO deliveries VALUES ('btc_usd', TIMESTAMP '2026-11-01', 1.0, 'live')")

        with pytest.raises(BusyError, match="other recorders published first, 2 times in a row"):
            optimistically(mine, note, tries=2)

    assert len(in_lake(lake, "deliveries")) == 2


def test_the_first_publication_joins_days_and_a_later_one_takes_few_days_one_by_one(file, lake):
    database = file("a")
    record_everything(database)
    told = []

    def note() -> None:
        with desk(database.path) as place:
            publish(database, lake, place, utc_now(), lambda done, total: told.append((done, total)))

    note()
    observe(database, [100, 86_400 // 5 + 100])
    note()

    assert told == [(0, 1), (1, 1), (0, 2), (1, 2), (2, 2)]
    assert in_lake(lake, "ticks") == in_file(database, "ticks")


@pytest.mark.parametrize(("most", "count"), [(200_000, 1), (10, 6)])
def test_a_history_that_comes_later_takes_few_portions_and_none_reads_many_rows(file, lake, monkeypatch, most, count):
    monkeypatch.setattr(spans, "_ROWS_A_PORTION", most)
    database = file("a")
    record_everything(database)
    share(database, lake)
    observe(database, range(100, 40 * A_DAY, A_DAY))
    told = []

    with desk(database.path) as place:
        publish(database, lake, place, utc_now(), lambda done, total: told.append((done, total)))

    assert told[-1] == (count, count)
    assert in_lake(lake, "ticks") == in_file(database, "ticks")


def test_a_portion_has_days_in_order_with_few_rows_together_or_one_day_with_many():
    days = [START.date() + timedelta(days=number) for number in range(6)]
    rows = dict(zip(reversed(days), (4, 5, 20, 1, 5, 6), strict=True))

    assert list(portions(rows, 10)) == [[days[0]], [days[1], days[2]], [days[3]], [days[4], days[5]]]
    assert list(portions({}, 10)) == []


def test_the_exchange_is_noted_once(lake):
    with lake.open() as cursor:
        for _ in range(2):
            optimistically(cursor, partial(tables.admit, cursor, Exchange.REAL))
        assert tables.origin(cursor).exchange is Exchange.REAL
