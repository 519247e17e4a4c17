"""The rows of a day that is over move into a table where they are sorted by contract, and stay the same rows."""

from datetime import datetime, timedelta
from typing import Any

from store.file.database import Database
from store.ledger import arrivals
from store.market.packing import Chains, next_chains, pack
from tests.store.market.snapshots import EXPIRIES, STRIKES, chain

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MIDNIGHT = datetime.fromisoformat("2026-11-01T00:00:00+00:00")
A_CHAIN = 2 * len(EXPIRIES) * len(STRIKES)


def record(database: Database, *hours: float, underlying: str = "BTC") -> None:
    for hour in hours:
        with database.write() as cursor:
            arrivals.append(cursor, [chain(MIDNIGHT + hour * HOUR, underlying)])


def stored(database: Database, table: str = "options", order: str = "ALL") -> list[Any]:
    with database.read() as cursor:
        return cursor.execute(f"SELECT * FROM {table} ORDER BY {order}").fetchall()


def pack_all(database: Database, now: datetime, most_rows: int = 1000) -> list[Chains]:
    found: list[Chains] = []
    while True:
        with database.write() as cursor:
            chains = next_chains(cursor, now, most_rows)
            if chains is None:
                return found
            pack(cursor, chains)
            found.append(chains)


def test_the_days_that_are_over_are_sorted_by_contract_and_the_present_day_is_not(database: Database):
    record(database, 1, 2, 13, 25, 26, 49, 50)
    record(database, 2, underlying="ETH")
    before = stored(database)

    packed = pack_all(database, MIDNIGHT + 50 * HOUR)

    first, second = MIDNIGHT + DAY, MIDNIGHT + 2 * DAY
    assert packed == [
        Chains("BTC", MIDNIGHT + HOUR, first),
        Chains("ETH", MIDNIGHT + 2 * HOUR, first),
        Chains("BTC", MIDNIGHT + 25 * HOUR, second),
    ]
    assert stored(database) == before
    today = stored(database, "options_by_snapshot", "rowid")
    assert [row[4].hour for row in today] == [1] * A_CHAIN + [2] * A_CHAIN
    assert {row[4].date() for row in today} == {second.date()}
    rows = stored(database, "options_by_contract", "rowid")
    of_a_day = [row[:5] for row in rows if row[0] == "BTC" and row[4] < first.replace(tzinfo=None)]
    assert of_a_day == sorted(of_a_day, key=lambda row: (row[4].hour // 6, *row[1:]))


def test_a_packed_day_is_not_packed_again(database: Database):
    record(database, 1, 25)
    pack_all(database, MIDNIGHT + 2 * DAY)

    assert pack_all(database, MIDNIGHT + 2 * DAY) == []
    record(database, 49)
    assert [chains.start for chains in pack_all(database, MIDNIGHT + 3 * DAY)] == [MIDNIGHT + 49 * HOUR]


def test_a_day_of_very_many_rows_is_packed_in_parts(database: Database):
    record(database, *range(24))
    before = stored(database)

    packed = pack_all(database, MIDNIGHT + DAY, most_rows=10 * A_CHAIN)

    assert (packed[0].start, packed[-1].end) == (MIDNIGHT, MIDNIGHT + DAY)
    assert len(packed) == 3
    assert stored(database) == before


def test_rows_that_come_late_are_packed_too_and_rows_without_an_expiry_stay(database: Database):
    record(database, 1, 25)
    pack_all(database, MIDNIGHT + 2 * DAY)
    record(database, 2)
    with database.write() as cursor:
        cursor.execute("UPDATE options_by_snapshot SET expiry = NULL WHERE strike = 80000")
    before = stored(database)

    packed = pack_all(database, MIDNIGHT + 2 * DAY)

    assert packed == [Chains("BTC", MIDNIGHT + 2 * HOUR, MIDNIGHT + DAY)]
    assert stored(database) == stored(database, "options_by_contract") == before


def test_rows_without_an_underlying_keep_no_other_row_from_being_packed(database: Database):
    record(database, 1, 2)
    with database.write() as cursor:
        cursor.execute("UPDATE options_by_snapshot SET underlying = NULL WHERE hour(ts) = 1")

    packed = pack_all(database, MIDNIGHT + DAY)

    assert packed == [Chains("BTC", MIDNIGHT + 2 * HOUR, MIDNIGHT + DAY)]
    assert len(stored(database, "options_by_snapshot")) == len(stored(database, "options_by_contract")) == A_CHAIN


def test_a_snapshot_without_rows_is_not_packed(database: Database):
    with database.write() as cursor:
        arrivals.append(cursor, [chain(MIDNIGHT, expiries=())])

    assert pack_all(database, MIDNIGHT + DAY) == []
