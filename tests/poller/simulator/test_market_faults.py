"""Each fault of the market does to replies what its name says."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from poller.simulator.faults import Fault
from poller.simulator.market_replies import made_at
from poller.simulator.server import Simulator
from poller.simulator.truth.future_summaries import future_summaries

NOW = datetime(2026, 9, 20, 21, 17, 16, 123456, tzinfo=UTC)
GOOD = [*future_summaries("BTC", made_at(NOW))]


class Caller:
    """One client of one simulator, whose clock stands still."""

    def __init__(self, simulator: Simulator, client: httpx.Client) -> None:
        self.simulator, self.client = simulator, client

    def reply(self, method: str, **params: str) -> Any:
        return self.client.get(f"{self.simulator.url}/public/{method}", params=params).json()

    def futures(self, currency: str = "BTC") -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.reply("get_book_summary_by_currency", currency=currency, kind="future")[
            "result"
        ]
        return rows

    def add(self, kind: str, **fields: Any) -> None:
        self.simulator.faults.add(Fault(kind, **fields))


@pytest.fixture
def caller() -> Iterator[Caller]:
    with Simulator(clock=lambda: NOW) as simulator, httpx.Client(timeout=10) as client:
        yield Caller(simulator, client)


def test_without_a_fault_the_summaries_are_good(caller):
    assert caller.futures() == GOOD


@pytest.mark.parametrize("rows", [1, 3])
def test_rows_can_be_missing(caller, rows):
    caller.add("missing_rows", rows=rows)

    assert caller.futures() == GOOD[rows:]


def test_rows_can_lack_their_mark(caller):
    caller.add("null_marks", rows=2)

    found = caller.futures()

    assert [row["mark_price"] for row in found[:2]] == [None, None]
    assert found[2:] == GOOD[2:]


def test_rows_can_have_names_that_nobody_can_read(caller):
    caller.add("unknown_names")

    assert caller.futures() == [{**GOOD[0], "instrument_name": "BTC-MOON-1"}, *GOOD[1:]]


def test_rows_can_come_twice(caller):
    caller.add("double_rows", rows=2)

    assert caller.futures() == [GOOD[0], *GOOD[:2], *GOOD[1:]]


def test_rows_can_have_another_time(caller):
    caller.add("other_times")

    times = [row["creation_timestamp"] for row in caller.futures()]

    assert times[0] == GOOD[0]["creation_timestamp"] - 2000
    assert times[1:] == [row["creation_timestamp"] for row in GOOD[1:]]


def test_a_fault_of_more_rows_than_there_are_affects_all(caller):
    caller.add("missing_rows", rows=10_000)

    assert caller.futures() == []


def test_a_summary_can_be_old(caller):
    caller.add("old_summary", old_s=30, times=1)

    assert caller.futures() == [*future_summaries("BTC", made_at(NOW - timedelta(seconds=30)))]
    assert caller.futures() == GOOD


def test_pages_of_the_volatility_index_can_be_short(caller):
    caller.add("short_pages", rows=7)
    end_ms = int(NOW.timestamp()) * 1000
    window = {"start_timestamp": str(end_ms - 3_600_000), "end_timestamp": str(end_ms), "resolution": "60"}

    result = caller.reply("get_volatility_index_data", currency="BTC", **window)["result"]

    assert len(result["data"]) == 7
    assert result["continuation"] == result["data"][0][0] - 60_000


def test_a_fault_of_one_currency_spares_the_other(caller):
    caller.add("error", code=11051, currency="BTC")

    assert caller.reply("get_book_summary_by_currency", currency="BTC", kind="future")["error"]["code"] == 11051
    assert caller.futures("ETH") == [*future_summaries("ETH", made_at(NOW))]
    assert "result" in caller.reply("get_index_price", index_name="btc_usd")


def test_a_fault_of_options_spares_futures(caller):
    caller.add("reset", book="option")

    with pytest.raises(httpx.ReadError):
        caller.reply("get_book_summary_by_currency", currency="BTC", kind="option")
    assert caller.futures() == GOOD


def test_a_delisted_index_has_no_delivery_prices(caller):
    caller.add("delisted", index_name="btc_usd")

    assert caller.reply("get_delivery_prices", index_name="btc_usd")["error"]["code"] == -32602
