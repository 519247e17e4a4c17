"""Each entry of a log is stored once, whatever pages bring it."""

from datetime import timedelta

import pytest

from store.errors import StoreError
from store.file.database import Cursor, Database
from store.file.exchange import admit
from store.kinds import DELIVERIES, VOLATILITY_INDEX
from store.market.entries import EntriesOf
from store.models import Exchange, to_column
from tests.conftest import START

MINUTE = timedelta(minutes=1)

BTC = EntriesOf(VOLATILITY_INDEX, "BTC", 60)


def candle(minute: int, close: float = 41.0) -> tuple[object, ...]:
    return START + minute * MINUTE, 40.0, 42.0, 39.0, close


@pytest.fixture
def known(database: Database) -> Database:
    """A file that knows that it is of the real exchange."""
    with database.write() as cursor:
        admit(cursor, Exchange.REAL, START)
    return database


def stored(cursor: Cursor, columns: str, table: str = "volatility_index") -> list[tuple[object, ...]]:
    return cursor.execute(f"SELECT {columns} FROM {table} ORDER BY ALL").fetchall()


def test_an_entry_of_two_pages_is_stored_once_and_the_first_word_counts(known: Database):
    with known.write() as cursor:
        BTC.append(cursor, [candle(0), candle(1), candle(1, close=40.5)])
        BTC.append(cursor, [candle(1, close=41.5), candle(2)])
        BTC.append(cursor, [])

        assert stored(cursor, "open_time, close") == [(to_column(START + minute * MINUTE), 41.0) for minute in range(3)]


def test_candles_of_other_lengths_and_currencies_are_other_entries(known: Database):
    with known.write() as cursor:
        for log in (BTC, EntriesOf(VOLATILITY_INDEX, "BTC", 3600), EntriesOf(VOLATILITY_INDEX, "ETH", 60)):
            log.append(cursor, [candle(0)])

        assert stored(cursor, "currency, resolution_s") == [("BTC", 60), ("BTC", 3600), ("ETH", 60)]


def test_an_entry_has_the_source_of_the_file(database: Database):
    with database.write() as cursor:
        admit(cursor, Exchange.SIMULATOR, START)
        EntriesOf(DELIVERIES, "btc_usd").append(cursor, [(START, 100_000.5)])

        assert stored(cursor, "*", "deliveries") == [("btc_usd", to_column(START), 100_000.5, "simulator")]


def test_nothing_is_stored_before_the_exchange_is_known(database: Database):
    with pytest.raises(StoreError, match="not known yet"), database.write() as cursor:
        BTC.append(cursor, [candle(0)])
