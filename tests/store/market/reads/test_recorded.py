"""Which futures were recorded, as their snapshots say."""

from store.instants import MINUTE
from store.market.reads.recorded import currencies_of_futures, first_futures
from tests.conftest import START
from tests.support.carry import record_futures


def test_only_snapshots_of_futures_count(database):
    with database.read() as cursor:
        assert (first_futures(cursor, "BTC"), currencies_of_futures(cursor)) == (None, [])
    record_futures(database, START + 2 * MINUTE, START + MINUTE)
    record_futures(database, START, currency="ETH")
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO snapshots BY NAME (SELECT * REPLACE ('options/SOL' AS feed) FROM snapshots LIMIT 1)"
        )

    with database.read() as cursor:
        assert first_futures(cursor, "BTC") == START + MINUTE
        assert currencies_of_futures(cursor) == ["BTC", "ETH"]
