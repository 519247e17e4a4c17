"""What the exchange keeps of the past becomes entries, and each answer says up to when it is complete."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from poller.exchange.client import DeribitClient
from poller.exchange.errors import PausedError, RejectedReplyError, UnavailableError
from poller.exchange.market.candles import candles
from poller.exchange.market.deliveries import delivery_prices
from poller.exchange.market.entries import Entries
from poller.exchange.market.funding import funding_rates
from poller.exchange.market.volatility_index import RESOLUTIONS, volatility_index
from poller.simulator.faults import Fault
from poller.simulator.truth import candles as truth_of_candles
from poller.simulator.truth import volatility
from poller.simulator.truth.deliveries import delivery_price
from poller.simulator.truth.funding import funding
from poller.simulator.truth.futures import index
from poller.simulator.truth.listing import DAY_S, second_of
from store.market.instruments import Future
from tests.poller.conftest import NOW, Clock, http, recorded, refusal, reply

from .conftest import ask, failure

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
THIS_MINUTE = NOW.replace(second=0, microsecond=0)
THIS_HOUR = THIS_MINUTE.replace(minute=0)
EIGHT = THIS_HOUR.replace(hour=8)
MIDNIGHT = THIS_HOUR.replace(hour=0)

Asking = Callable[[DeribitClient, datetime, datetime], Any]


def dvol(resolution: timedelta = MINUTE) -> Asking:
    return lambda client, start, end: volatility_index(client, "BTC", start, end, resolution)


def chart(resolution: timedelta = MINUTE) -> Asking:
    return lambda client, start, end: candles(client, "BTC-PERPETUAL", start, end, resolution)


def rates(client: DeribitClient, start: datetime, end: datetime) -> Any:
    return funding_rates(client, "BTC-PERPETUAL", start, end)


def deliveries(client: DeribitClient, start: datetime, end: datetime) -> Any:
    return delivery_prices(client, "btc_usd", start, end)


ALL: dict[str, tuple[Asking, timedelta]] = {
    "dvol": (dvol(), MINUTE),
    "chart": (chart(), MINUTE),
    "rates": (rates, HOUR),
    "deliveries": (deliveries, DAY),
}


def entries(url: str, asking: Asking, start: datetime, end: datetime, clock: Clock) -> Entries:
    found: Entries = ask(url, lambda client: asking(client, start, end), clock)
    return found


def trouble(serve: Any, asking: Asking, result: Any, clock: Clock) -> str:
    """The error of a reply with this result."""
    url = serve(lambda _: reply(result)).url
    error = failure(url, lambda client: asking(client, NOW - DAY, NOW), clock)
    assert isinstance(error, RejectedReplyError)
    return str(error)


def params(target: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def times(found: Entries) -> list[datetime]:
    return [row[0] for row in found.rows]


def steps(first: datetime, end: datetime, step: timedelta) -> list[datetime]:
    return [first + step * i for i in range(-((first - end) // step))]


# What comes from the simulator


def test_closed_candles_of_dvol_come_as_they_are(simulator, clock):
    found = entries(simulator.url, dvol(), NOW - HOUR, NOW, clock)

    first = THIS_MINUTE - HOUR + MINUTE
    assert found.rows == tuple(
        (at, *volatility.candle("BTC", second_of(at), 60)) for at in steps(first, THIS_MINUTE, MINUTE)
    )
    assert found.complete_to == THIS_MINUTE


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_dvol_of_each_resolution_ends_with_the_last_closed_candle(simulator, clock, resolution):
    found = entries(simulator.url, dvol(resolution), NOW - 10 * resolution, NOW, clock)

    assert len(found.rows) == 9
    assert found.complete_to == times(found)[-1] + resolution
    assert NOW - resolution < found.complete_to <= NOW


def test_closed_candles_of_a_future_come_as_they_are(simulator, clock):
    found = entries(simulator.url, chart(), NOW - HOUR, NOW, clock)

    first = THIS_MINUTE - HOUR + MINUTE
    bar = partial(truth_of_candles.candle, Future("BTC", None), step_s=60)
    assert found.rows == tuple((at, *bar(second_of(at))) for at in steps(first, THIS_MINUTE, MINUTE))
    assert found.complete_to == THIS_MINUTE


def test_candles_of_a_day_close_at_8(simulator, clock):
    found = entries(simulator.url, chart(DAY), NOW - 5 * DAY, NOW, clock)

    assert times(found) == steps(EIGHT - 4 * DAY, EIGHT, DAY)
    assert found.complete_to == EIGHT


def test_funding_comes_as_it_is(simulator, clock):
    found = entries(simulator.url, rates, NOW - 5 * HOUR, NOW, clock)

    ends = steps(THIS_HOUR - 4 * HOUR, NOW, HOUR)
    assert found.rows == tuple(
        (end, index("BTC", second_of(end)), *(funding("BTC", second_of(end), hours) for hours in (1, 8)))
        for end in ends
    )
    assert found.complete_to == NOW


def test_delivery_prices_come_as_they_are_and_ascending(simulator, clock):
    found = entries(simulator.url, deliveries, NOW - 5 * DAY, NOW, clock)

    expiries = steps(EIGHT - 4 * DAY, NOW, DAY)
    assert found.rows == tuple((at, delivery_price("btc_usd", second_of(at) // DAY_S)) for at in expiries)
    assert found.complete_to == NOW


# Windows


@pytest.mark.parametrize("name", ALL)
def test_the_start_is_inside_and_the_end_is_not(simulator, clock, name):
    asking, step = ALL[name]
    start = (EIGHT if name == "deliveries" else THIS_HOUR) - 10 * step

    found = entries(simulator.url, asking, start, start + 3 * step, clock)

    assert times(found) == [start, start + step, start + 2 * step]
    assert found.complete_to == start + 3 * step


@pytest.mark.parametrize("name", ALL)
def test_an_entry_just_before_the_end_is_inside(simulator, clock, name):
    asking, step = ALL[name]
    start = (EIGHT if name == "deliveries" else THIS_HOUR) - 10 * step

    found = entries(simulator.url, asking, start, start + step + timedelta(microseconds=1), clock)

    assert times(found) == [start, start + step]


@pytest.mark.parametrize(("name", "most"), [("dvol", 1000), ("chart", 1000), ("rates", 720)])
def test_a_long_past_comes_in_parts(simulator, clock, name, most):
    asking, step = ALL[name]
    start = THIS_HOUR - 3 * most * step

    found = entries(simulator.url, asking, start, NOW, clock)

    assert times(found) == steps(start, start + most * step, step)
    assert found.complete_to == start + most * step


def test_the_parts_of_a_log_join_without_a_hole(simulator, clock):
    reached, found = NOW - 2500 * MINUTE, list[datetime]()
    while reached < THIS_MINUTE:
        part = entries(simulator.url, dvol(), reached, NOW, clock)
        found += times(part)
        reached = part.complete_to

    assert found == steps(THIS_MINUTE - 2499 * MINUTE, THIS_MINUTE, MINUTE)


@pytest.mark.parametrize("name", ["dvol", "chart", "rates"])
def test_a_time_without_entries_is_complete(simulator, clock, name):
    start = datetime(2016, 1, 1, tzinfo=UTC)

    found = entries(simulator.url, ALL[name][0], start, start + HOUR, clock)

    assert found == Entries((), start + HOUR)


# Pages of DVOL


@pytest.mark.parametrize("length", [1, 7, 25])
def test_short_pages_are_joined(simulator, clock, length):
    simulator.faults.add(Fault("short_pages", rows=length))
    start = THIS_MINUTE - 50 * MINUTE

    found = entries(simulator.url, dvol(), start, NOW, clock)

    assert times(found) == steps(start, THIS_MINUTE, MINUTE)
    assert found.complete_to == THIS_MINUTE


@pytest.mark.parametrize("older", ["the same", "later", "before the start", "none"])
def test_pages_end_where_they_bring_nothing_older(serve, clock, older):
    start = NOW - HOUR
    row = [ms(THIS_MINUTE - 5 * MINUTE), 1.0, 2.0, 0.5, 1.5]

    def answer(target: str) -> bytes:
        until = int(params(target)["end_timestamp"])
        continuation = {"the same": until, "later": until + 1, "before the start": ms(start) - 1, "none": None}[older]
        return reply({"data": [row], "continuation": continuation})

    server = serve(answer)
    found = entries(server.url, dvol(), start, NOW, clock)

    assert times(found) == [THIS_MINUTE - 5 * MINUTE]
    assert len(server.targets) == 1


@pytest.mark.parametrize("data", [[], [[ms(THIS_MINUTE - 5 * MINUTE), 1.0, 2.0, 0.5, 1.5]]])
def test_a_page_without_a_new_candle_is_the_last(serve, clock, data):
    def answer(target: str) -> bytes:
        return reply({"data": data, "continuation": int(params(target)["end_timestamp"]) - 1})

    server = serve(answer)
    found = entries(server.url, dvol(), NOW - HOUR, NOW, clock)

    assert len(found.rows) == len(data)
    assert len(server.targets) == 1 + len(data)


# What may be missing at the present end


def test_an_hour_that_is_not_published_yet_is_not_complete(serve, clock):
    rows = recorded("funding_rate_history")
    newest = datetime.fromtimestamp(rows[-1]["timestamp"] / 1000, UTC)
    sent_at = newest + HOUR + timedelta(seconds=5)

    found = entries(serve(lambda _: reply(rows, sent_at)).url, rates, newest - DAY, sent_at, clock)

    assert found.rows[0] == (newest - 2 * HOUR, 81079.79, 2.517506579644087e-05, 0.00020037536421028146)
    assert len(found.rows) == 3
    assert found.complete_to == newest + HOUR


def test_an_hour_that_nobody_publishes_is_complete_an_hour_later(serve, clock):
    found = entries(serve(lambda _: reply([])).url, rates, NOW - DAY, NOW, clock)

    assert found == Entries((), THIS_HOUR)


def test_a_delivery_that_is_not_published_yet_is_not_complete(serve, clock):
    result = {"data": [{"date": "2026-09-19", "delivery_price": 5}], "records_total": 1}
    sent_at = EIGHT + timedelta(seconds=5)

    found = entries(serve(lambda _: reply(result, sent_at)).url, deliveries, NOW - 5 * DAY, NOW, clock)

    assert found == Entries(((EIGHT - DAY, 5.0),), EIGHT)


# Deliveries, newest first


def listed(days: int) -> Callable[[str], bytes]:
    """Answers as an index that has so many delivery prices, one a day; the price says how many days ago."""

    def answer(target: str) -> bytes:
        offset, count = (int(params(target)[name]) for name in ("offset", "count"))
        data = [
            {"date": f"{EIGHT - DAY * ago:%Y-%m-%d}", "delivery_price": 1 + ago}
            for ago in range(offset, min(days, offset + count))
        ]
        return reply({"data": data, "records_total": days})

    return answer


def test_a_long_past_of_deliveries_begins_with_the_oldest(serve, clock):
    server = serve(listed(2600))

    found = entries(server.url, deliveries, EIGHT - 2000 * DAY, NOW, clock)

    assert times(found)[0] == EIGHT - 2000 * DAY
    assert found.rows[0][1] == 2001
    assert 998 <= len(found.rows) <= 1000
    assert found.complete_to == times(found)[-1] + DAY
    assert len(server.targets) == 1


def test_the_whole_past_of_deliveries_comes_in_parts(serve, clock):
    server, reached, found = serve(listed(2600)), EIGHT - 4000 * DAY, list[datetime]()
    while reached < NOW:
        part = entries(server.url, deliveries, reached, NOW, clock)
        found += times(part)
        reached = part.complete_to

    assert found == steps(EIGHT - 2599 * DAY, NOW, DAY)
    assert len(server.targets) == 4


def test_a_young_index_has_few_deliveries(serve, clock):
    found = entries(serve(listed(3)).url, deliveries, EIGHT - 4000 * DAY, NOW, clock)

    assert times(found) == steps(EIGHT - 2 * DAY, NOW, DAY)
    assert found.complete_to == NOW


def test_an_index_without_deliveries_is_complete_to_the_last_expiry(serve, clock):
    for start in (EIGHT - 4000 * DAY, EIGHT - 4 * DAY):
        assert entries(serve(listed(0)).url, deliveries, start, NOW, clock) == Entries((), EIGHT)


def test_a_list_that_ends_too_soon_is_rejected(serve, clock):
    result = {"data": [{"date": "2026-09-20", "delivery_price": 5}], "records_total": 100}

    line = trouble(serve, lambda client, start, end: deliveries(client, start - 10 * DAY, end), result, clock)

    assert line == "get_delivery_prices btc_usd: data is '1 rows', expected all days from 2026-09-09 on"


# What can't be read

CANDLE = [ms(THIS_MINUTE - 5 * MINUTE), 1.0, 2.0, 0.5, 1.5]
COLUMNS = {name: [value] for name, value in zip(("ticks", "open", "high", "low", "close"), CANDLE, strict=True)}
CHART = {"status": "ok", **COLUMNS, "volume": [1], "cost": [1]}
HOURLY = {"timestamp": ms(THIS_HOUR), "index_price": 1, "interest_1h": 0, "interest_8h": 0}


@pytest.mark.parametrize(
    ("name", "result", "line"),
    [
        ("dvol", [], "result is '[]', expected an object"),
        ("dvol", {"data": None}, "data is 'None', expected a list"),
        ("dvol", {"data": [], "continuation": "x"}, "continuation is 'x', expected a whole number"),
        ("dvol", {"data": [], "continuation": True}, "continuation is 'True', expected a whole number"),
        ("dvol", {"data": [1]}, "candle is '1', expected a list"),
        ("dvol", {"data": [[1, 2]]}, "candle is '[1, 2]', expected [milliseconds, open, high, low, close]"),
        ("dvol", {"data": [[*CANDLE[:4], 0]]}, "candle is '0', expected a positive number"),
        ("dvol", {"data": [[1, *CANDLE[1:]]]}, "candle is '1', expected a time between 2015 and 2100"),
        ("chart", {**CHART, "status": "?"}, "status is '?', expected ok or no_data"),
        ("chart", {"status": "ok"}, "ticks is 'None', expected a list"),
        ("chart", {**CHART, "open": []}, "chart is '[0, 1]', expected columns of one length"),
        ("chart", {**CHART, "low": [None]}, "price is 'None', expected a positive number"),
        ("chart", {**CHART, "cost": ["1"]}, "volume is '1', expected a number"),
        ("rates", {}, "result is '{}', expected a list"),
        ("rates", [1], "row is '1', expected an object"),
        ("rates", [{**HOURLY, "interest_1h": None}], "interest_1h is 'None', expected a number"),
        ("rates", [{**HOURLY, "timestamp": "x"}], "timestamp is 'x', expected a time as a whole number"),
        ("deliveries", {"data": [1], "records_total": 1}, "row is '1', expected an object"),
        (
            "deliveries",
            {"data": [{"date": "today", "delivery_price": 1}], "records_total": 1},
            "date is 'today', expected a day such as 2026-09-20",
        ),
        ("deliveries", {"data": []}, "records_total is 'None', expected a whole number"),
    ],
)
def test_a_reply_that_cannot_be_read_is_rejected(serve, clock, name, result, line):
    assert trouble(serve, ALL[name][0], result, clock).split(": ", 1)[1] == line


def test_a_row_that_cannot_be_read_is_named_and_the_others_go_in(serve, clock, caplog):
    result = {"data": [CANDLE, [*CANDLE[:4], None]], "continuation": None}

    found = entries(serve(lambda _: reply(result)).url, dvol(), NOW - HOUR, NOW, clock)

    assert times(found) == [THIS_MINUTE - 5 * MINUTE]
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert line == ("left out 1 of 2 rows: get_volatility_index_data BTC: candle is 'None', expected a positive number")


# How it is asked


@pytest.mark.parametrize("name", ALL)
def test_a_closed_connection_is_asked_again_at_once(simulator, clock, name):
    asking, step = ALL[name]

    async def twice(client: DeribitClient) -> Entries:
        simulator.faults.add(Fault("hang_up", times=1))
        await client.time()
        found: Entries = await asking(client, NOW - 3 * step, NOW)
        return found

    assert ask(simulator.url, twice, clock).rows


@pytest.mark.parametrize("name", ALL)
def test_an_error_names_what_was_asked_and_its_pause_holds_for_later_times(serve, clock, name):
    asking, _ = ALL[name]
    server = serve(lambda _: http(json.dumps(refusal(11051, "system_maintenance")).encode(), "400 Bad Request"))

    async def asked_twice(client: DeribitClient) -> object:
        with pytest.raises(UnavailableError) as raised:
            await asking(client, NOW - DAY, NOW)
        assert "000" not in str(raised.value)
        clock.move(1)
        return await asking(client, NOW - DAY, clock())

    assert isinstance(failure(server.url, asked_twice, clock), PausedError)
    assert len(server.targets) == 1
