"""Whole chains and all futures become snapshots. A row that can't be read costs no other row."""

import asyncio
import logging
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from poller.exchange.budget import Budget
from poller.exchange.client import DeribitClient
from poller.exchange.errors import ExchangeError, RejectedReplyError, UnavailableError
from poller.exchange.market.summaries import FUTURES, OPTIONS, Summaries
from poller.simulator.faults import Fault
from poller.simulator.market_replies import made_at
from poller.simulator.server import Simulator
from poller.simulator.truth.future_summaries import future_summaries
from poller.simulator.truth.options import option_summaries
from store.market.instruments import future_of, option_of
from store.models import Snapshot
from tests.poller.conftest import NOW, Clock, price_reply, recorded, reply

from .conftest import ask, failure

BOOKS = {"option": OPTIONS, "future": FUTURES}
EARLIER = datetime.fromtimestamp(1789938336.004, UTC)
MADE = datetime.fromtimestamp(1789939036.004, UTC)


def snapshot_of(serve: Any, clock: Clock, rows: Any, kind: str = "option") -> Snapshot:
    """What a reply with these rows brings."""
    return ask(serve(lambda _: reply(rows)).url, Summaries(BOOKS[kind], "BTC").ask, clock)


def trouble_of(serve: Any, clock: Clock, rows: Any, kind: str = "option") -> str:
    """The error of a reply with these rows."""
    return str(failure(serve(lambda _: reply(rows)).url, Summaries(BOOKS[kind], "BTC").ask, clock))


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return sorted(record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)


def options(count: int) -> list[dict[str, Any]]:
    """Good rows of so many calls."""
    call = recorded("book_summary_option")[0]
    return [{**call, "instrument_name": f"BTC-25DEC26-{90 + i}000-C"} for i in range(count)]


# What comes


def test_a_recorded_future_and_the_perpetual_become_rows(serve, clock):
    snapshot = snapshot_of(serve, clock, recorded("book_summary_future"), "future")

    expiry = datetime(2026, 12, 25, 8, tzinfo=UTC)
    dated = ("BTC-25DEC26", expiry, 81945.21, 81932.5, 81955.0, 82215.0, 275741350.0, 60.58913468, 4976100.0)
    perpetual = ("BTC-PERPETUAL", None, 81945.21)
    by_name = {row[0]: row for row in snapshot.rows}
    assert by_name["BTC-25DEC26"][:5] == dated[:5]
    assert by_name["BTC-25DEC26"][6:8] == dated[6:8]
    assert by_name["BTC-25DEC26"][9:] == (None, None)
    assert by_name["BTC-PERPETUAL"][:2] == perpetual[:2]
    assert by_name["BTC-PERPETUAL"][2:] == (
        80831.57, 80836.5, 80837.0, 80832.5, 787799210.0, 3099.91787897, 250336360.0, 0.0, 1.583e-05
    )  # fmt: skip
    assert (snapshot.feed, snapshot.ts, snapshot.source) == ("futures/BTC", MADE, "live")
    assert (snapshot.received_at, snapshot.index_price, snapshot.rejected) == (NOW, 80815.88, 0)


def test_options_become_rows_and_nulls_stay_none(serve, clock):
    snapshot = snapshot_of(serve, clock, recorded("book_summary_option"))

    december, september = datetime(2026, 12, 25, 8, tzinfo=UTC), datetime(2026, 9, 25, 8, tzinfo=UTC)
    assert snapshot.rows == (
        (december, 90000.0, "call", 0.05301, 42.1, 81945.2, 0.0525, 0.0535, 0.054, 1234.5, 12.5, 54321.98),
        (september, 40000.0, "put", 1e-08, 131.07, 80875.33, None, 0.0001, None, 0.0, 0.0, 0.0),
    )
    assert (snapshot.feed, snapshot.ts, snapshot.index_price) == ("options/BTC", MADE, 80815.88)


@pytest.mark.parametrize("currency", ["BTC", "ETH"])
def test_each_option_of_the_simulator_arrives_as_it_is(simulator, clock, currency):
    snapshot = ask(simulator.url, Summaries(OPTIONS, currency).ask, clock)

    truth = option_summaries(currency, made_at(NOW))
    names = ("mark_price", "mark_iv", "underlying_price", "bid_price", "ask_price", "last", "open_interest", "volume")
    expected = [
        (*option_of(row["instrument_name"])[1:], *(row[name] for name in names), row["volume_usd"]) for row in truth
    ]
    assert list(snapshot.rows) == expected
    assert (snapshot.ts, snapshot.source, snapshot.rejected) == (made_at(NOW), "simulator", 0)
    assert snapshot.index_price == truth[0]["estimated_delivery_price"]


def test_each_future_of_the_simulator_arrives_as_it_is(simulator, clock):
    snapshot = ask(simulator.url, Summaries(FUTURES, "ETH").ask, clock)

    names = ("mark_price", "bid_price", "ask_price", "last", "open_interest", "volume", "volume_usd")
    assert list(snapshot.rows) == [
        (
            row["instrument_name"],
            future_of(row["instrument_name"]).expiry,
            *(row[name] for name in names),
            row.get("current_funding"),
            row.get("funding_8h"),
        )
        for row in future_summaries("ETH", made_at(NOW))
    ]


# What can't be read

GOOD, OTHER = options(2)


@pytest.mark.parametrize(
    ("row", "trouble"),
    [
        ({**OTHER, "instrument_name": "BTC-MOON-1"}, "an unknown name, such as BTC-MOON-1"),
        ({**OTHER, "instrument_name": "BTC-PERPETUAL"}, "an unknown name, such as BTC-PERPETUAL"),
        ({**OTHER, "instrument_name": 7}, "an unknown name, such as 7"),
        ({**OTHER, "instrument_name": None}, "an unknown name, such as None"),
        ({**OTHER, "instrument_name": "ETH-25DEC26-9000-C"}, "an instrument not of BTC, such as ETH-25DEC26-9000-C"),
        ({**OTHER, "mark_price": None}, "no mark_price, such as BTC-25DEC26-91000-C"),
        ({**OTHER, "mark_price": "0.05"}, "mark_price that is no possible number, such as BTC-25DEC26-91000-C"),
        ({**OTHER, "mark_iv": -1}, "mark_iv that is no possible number, such as BTC-25DEC26-91000-C"),
        ({**OTHER, "volume": True}, "volume that is no possible number, such as BTC-25DEC26-91000-C"),
        ({**OTHER, "volume_usd": 10**400}, "volume_usd that is no possible number, such as BTC-25DEC26-91000-C"),
        ({**OTHER, "last": math.inf}, "last that is no possible number, such as BTC-25DEC26-91000-C"),
        ({**OTHER, "creation_timestamp": 1}, "another creation_timestamp than most, such as BTC-25DEC26-91000-C"),
        ({**OTHER, "creation_timestamp": [1]}, "another creation_timestamp than most, such as BTC-25DEC26-91000-C"),
        ({**GOOD, "mark_price": 9}, "a name that another row has, such as BTC-25DEC26-90000-C"),
        ("a text", "not an object, such as a text"),
    ],
)
def test_a_row_that_cannot_be_read_is_counted_and_named_and_the_others_go_in(serve, clock, caplog, row, trouble):
    snapshot = snapshot_of(serve, clock, [GOOD, row, *options(4)[2:]])

    assert [option[1] for option in snapshot.rows] == [90000, 92000, 93000]
    assert snapshot.rows[0][3] == GOOD["mark_price"]
    assert snapshot.rejected == 1
    assert warnings(caplog) == [f"options/BTC: left out 1 of 4 rows: {trouble}"]


@pytest.mark.parametrize(("first", "second", "expected"), [(None, 5, 5), ("x", 5, 5), (-1, 5, 5), (0, None, None)])
def test_the_index_price_is_the_first_that_can_be_read(serve, clock, first, second, expected):
    rows = [{**GOOD, "estimated_delivery_price": first}, {**OTHER, "estimated_delivery_price": second}]

    assert snapshot_of(serve, clock, rows).index_price == expected


def test_a_future_without_a_price_is_left_out(serve, clock, caplog):
    dated, perpetual = sorted(recorded("book_summary_future"), key=lambda row: row["instrument_name"])

    snapshot = snapshot_of(serve, clock, [{**dated, "mark_price": 0}, {**perpetual, "funding_8h": -1e-5}], "future")

    assert [(row[0], row[-1]) for row in snapshot.rows] == [("BTC-PERPETUAL", -1e-5)]
    assert warnings(caplog) == ["futures/BTC: left out 1 of 2 rows: mark_price of 0, such as BTC-25DEC26"]


def test_many_rows_of_one_trouble_are_one_line(serve, clock, caplog):
    rows = options(5)
    for row in rows[1:4]:
        row["mark_price"] = None

    snapshot = snapshot_of(serve, clock, rows)

    assert (len(snapshot.rows), snapshot.rejected) == (2, 3)
    assert warnings(caplog) == ["options/BTC: left out 3 of 5 rows: no mark_price, such as BTC-25DEC26-91000-C"]


def test_a_field_that_all_rows_lack_is_named(serve, clock, caplog):
    rows = [{name: value for name, value in row.items() if name != "mark_iv"} for row in options(2)]

    snapshot = snapshot_of(serve, clock, rows)

    assert [row[4] for row in snapshot.rows] == [None, None]
    assert warnings(caplog) == ["options/BTC: no row has mark_iv"]


def test_a_trouble_is_told_when_it_appears_and_not_while_it_lasts(simulator, clock, caplog):
    summaries = Summaries(FUTURES, "BTC")
    told: list[int] = []
    for kinds in (["null_marks"], ["null_marks"], ["null_marks", "unknown_names"], [], ["null_marks"]):
        simulator.faults.clear()
        for kind in kinds:
            simulator.faults.add(Fault(kind, rows=1 + len(told)))
        ask(simulator.url, summaries.ask, clock)
        told.append(len(warnings(caplog)))

    assert told == [1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("kind", "rejected"), [("null_marks", 3), ("unknown_names", 3), ("double_rows", 3), ("other_times", 3)]
)
def test_each_fault_of_rows_costs_only_its_rows(simulator, clock, kind, rejected):
    simulator.faults.add(Fault(kind, rows=3))
    truth = len(option_summaries("BTC", made_at(NOW)))

    snapshot = ask(simulator.url, Summaries(OPTIONS, "BTC").ask, clock)

    assert snapshot.rejected == rejected
    assert len(snapshot.rows) == (truth if kind == "double_rows" else truth - 3)


def test_missing_rows_are_not_noticed(simulator, clock):
    simulator.faults.add(Fault("missing_rows", rows=2))

    snapshot = ask(simulator.url, Summaries(FUTURES, "BTC").ask, clock)

    assert len(snapshot.rows) == len(future_summaries("BTC", made_at(NOW))) - 2
    assert snapshot.rejected == 0


# What is no snapshot

ASKED = "get_book_summary_by_currency BTC option"


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([], f"{ASKED}: result is '[]', expected rows with a creation_timestamp"),
        ([1, "x"], f"{ASKED}: result is \"[1, 'x']\", expected rows with a creation_timestamp"),
        ({}, f"{ASKED}: result is '{{}}', expected a list"),
        (
            [{**GOOD, "mark_price": None}, {**OTHER, "instrument_name": "x"}],
            f"{ASKED}: none of 2 rows can be read: no mark_price, an unknown name",
        ),
        (
            [{**GOOD, "creation_timestamp": 1789939036004 - 700_000}],
            f"{ASKED}: creation_timestamp is '{EARLIER}', expected a time near usOut, 2026-09-20 21:17:16 UTC",
        ),
        (
            [{**GOOD, "creation_timestamp": 5}],
            f"{ASKED}: creation_timestamp is '5', expected a time between 2015 and 2100",
        ),
    ],
)
def test_a_reply_without_a_usable_row_is_rejected(serve, clock, rows, line):
    assert trouble_of(serve, clock, rows) == line


def test_a_reply_from_another_hour_is_rejected(serve, clock):
    def answer(target: str) -> bytes:
        old = NOW - timedelta(hours=2)
        return reply(options(1), old) if "summary" in target else price_reply()

    async def asking(client: DeribitClient) -> object:
        for index_name in ("btc_usd", "eth_usd"):
            await client.index_price(index_name)
        return await Summaries(OPTIONS, "BTC").ask(client)

    error = failure(serve(answer).url, asking, clock)

    assert isinstance(error, RejectedReplyError)
    assert str(error) == (
        f"{ASKED}: usOut is '2026-09-20 19:17:16.123456+00:00', "
        "expected a time within 10 min of 2026-09-20 21:17:16 UTC"
    )


def test_the_settlement_is_no_snapshot_and_passes(simulator, clock):
    clock.now = datetime(2026, 9, 21, 8, 0, 1, 600_000, tzinfo=UTC)

    error = failure(simulator.url, Summaries(OPTIONS, "BTC").ask, clock)

    assert isinstance(error, UnavailableError)
    assert (error.code, error.pause) == (10041, timedelta(seconds=2))
    clock.move(3)
    assert ask(simulator.url, Summaries(OPTIONS, "BTC").ask, clock).ts == datetime(2026, 9, 21, 8, 0, 4, tzinfo=UTC)


def test_no_row_of_an_expired_option_comes(simulator, clock):
    clock.now = datetime(2026, 9, 21, 8, 0, 5, tzinfo=UTC)

    snapshot = ask(simulator.url, Summaries(OPTIONS, "BTC").ask, clock)

    assert min(row[0] for row in snapshot.rows) == datetime(2026, 9, 22, 8, tzinfo=UTC)


# A snapshot that is older than its slot


def ask_since(simulator: Simulator, clock: Clock, since: datetime) -> tuple[Snapshot, int]:
    """The snapshot, and how many requests it took."""
    asked = 0

    class Counted(DeribitClient):
        async def ask(self, method: str, **params: str) -> Any:
            nonlocal asked
            asked += 1
            return await super().ask(method, **params)

    async def asking() -> Snapshot:
        async with Counted(simulator.url, clock=clock, steady=clock.steady, budget=Budget(1000)) as client:
            return await Summaries(FUTURES, "BTC", again_after_s=0.01).ask_since(client, since)

    return asyncio.run(asking()), asked


def test_a_snapshot_of_the_slot_is_asked_for_once(simulator, clock):
    assert ask_since(simulator, clock, made_at(NOW)) == (ask(simulator.url, Summaries(FUTURES, "BTC").ask, clock), 1)


def test_an_older_snapshot_is_asked_for_again(simulator, clock):
    simulator.faults.add(Fault("old_summary", old_s=4, times=1))

    snapshot, asked = ask_since(simulator, clock, made_at(NOW))

    assert (snapshot.ts, asked) == (made_at(NOW), 2)


def test_a_snapshot_that_stays_old_is_kept_as_what_it_is(simulator, clock):
    snapshot, asked = ask_since(simulator, clock, NOW)

    assert (snapshot.ts, asked) == (made_at(NOW), 4)


def test_an_old_snapshot_is_kept_if_the_next_request_fails(simulator, clock, caplog):
    simulator.faults.add(Fault("old_summary", old_s=4, times=1))

    class Failing(Summaries):
        async def ask(self, client: DeribitClient) -> Snapshot:
            snapshot = await super().ask(client)
            simulator.faults.add(Fault("error", code=11051))
            return snapshot

    since = made_at(NOW)
    snapshot = ask(
        simulator.url, lambda client: Failing(FUTURES, "BTC", again_after_s=0.01).ask_since(client, since), clock
    )

    assert snapshot.ts == since - timedelta(seconds=4)
    (line,) = warnings(caplog)
    assert line.startswith(f"futures/BTC stays at {snapshot.ts}: get_book_summary_by_currency BTC future: 11051")


def test_the_first_failure_is_an_error(simulator, clock):
    simulator.faults.add(Fault("error", code=11051))

    with pytest.raises(ExchangeError):
        ask_since(simulator, clock, NOW)
