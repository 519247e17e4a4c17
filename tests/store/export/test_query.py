"""A query has one meaning as parameters of a URL, as the name of a file, and when it is closed."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from store.export.query import ExportQuery
from store.instants import EPOCH
from tests.conftest import START

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
NOW = START + 2 * DAY


def query(*index_names: str, **more: object) -> ExportQuery:
    return ExportQuery(**{"feeds": index_names or ("btc_usd",), "start": START, "end": START + DAY, **more})  # type: ignore[arg-type]


def test_a_query_of_ticks_becomes_parameters_of_a_url():
    assert parse_qsl(query("btc_usd", "eth_usd").parameters) == [
        ("ticker", "btc_usd"),
        ("ticker", "eth_usd"),
        ("start", "2026-11-01T12:00:00Z"),
        ("end", "2026-11-02T12:00:00Z"),
        ("format", "parquet"),
    ]


def test_a_query_of_candles_without_healed_points_becomes_parameters_of_a_url():
    asked = query(interval=MINUTE, healed=False, format="csv")

    assert parse_qsl(asked.parameters)[3:] == [("interval", "1m"), ("healed", "false"), ("format", "csv")]


def test_a_query_of_a_market_names_its_series():
    asked = query("options/BTC", "options/ETH", columns="tardis")

    assert parse_qsl(asked.parameters) == [
        ("series", "options"),
        ("ticker", "BTC"),
        ("ticker", "ETH"),
        ("start", "2026-11-01T12:00:00Z"),
        ("end", "2026-11-02T12:00:00Z"),
        ("columns", "tardis"),
        ("format", "parquet"),
    ]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (query(), "btc_usd-ticks-20261101T120000Z-20261102T120000Z.parquet"),
        (query(interval=MINUTE, format="csv"), "btc_usd-1m-20261101T120000Z-20261102T120000Z.csv.gz"),
        (
            query(healed=False, format="xlsx"),
            "btc_usd-ticks-without-healed-20261101T120000Z-20261102T120000Z.xlsx",
        ),
        (query(start=EPOCH), "btc_usd-ticks-20261102T120000Z.parquet"),
        (query(*"abcd"), "4-indexes-ticks-20261101T120000Z-20261102T120000Z.parquet"),
    ],
)
def test_the_name_of_the_file_describes_its_content(asked: ExportQuery, name: str):
    assert asked.file_name == name


def test_a_closed_query_names_each_index_once_and_ends_now_at_the_latest():
    closed = query("eth_usd", "btc_usd", "eth_usd", start=datetime.min.replace(tzinfo=UTC), end=NOW + DAY).closed(NOW)

    assert closed.feeds == ("btc_usd", "eth_usd")
    assert (closed.start, closed.end) == (datetime(1970, 1, 1, tzinfo=UTC), NOW)
    assert closed.closed(NOW + DAY) == closed


@pytest.mark.parametrize(
    ("start_s", "end_s", "from_s", "to_s"),
    [(0, 60, 0, 60), (1, 60, 60, 60), (59, 61, 60, 120), (60, 60, 60, 60), (-1, 1, 0, 60)],
)
def test_candles_are_complete_and_open_in_the_range(start_s: int, end_s: int, from_s: int, to_s: int):
    asked = query(start=START + timedelta(seconds=start_s), end=START + timedelta(seconds=end_s), interval=MINUTE)

    closed = asked.closed(NOW)

    assert ((closed.start - START).total_seconds(), (closed.end - START).total_seconds()) == (from_s, to_s)


def test_the_open_candle_is_left_out():
    now = START + timedelta(minutes=7, seconds=30)
    asked = query(end=START + DAY, interval=MINUTE)

    assert asked.closed(now).end == START + timedelta(minutes=7)
    assert asked.closed(now + timedelta(seconds=30)).end == START + timedelta(minutes=8)


def test_a_range_that_has_not_begun_is_empty():
    closed = query(start=NOW + DAY, end=NOW + 2 * DAY).closed(NOW)

    assert closed.start == closed.end
