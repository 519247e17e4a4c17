import asyncio
import json
import re
import socket
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
import pytest
from pytest_httpx import HTTPXMock

from poller.exchange.budget import Budget
from poller.exchange.client import MOST_OTHERS, MOST_PRICES, ChartPoint, DeribitClient, Status
from poller.exchange.errors import (
    ClosedError,
    ExchangeError,
    PausedError,
    PermanentError,
    RateLimitedError,
    RefusedError,
    RejectedReplyError,
    TemporaryError,
    UnavailableError,
    UnreachableError,
)
from poller.simulator.faults import Fault
from poller.simulator.fields import BAD_PRICES
from poller.simulator.replies import INDEX_NAMES
from poller.simulator.server import Simulator
from poller.timing.loop import Loop
from settings import VERSION
from store.models import Cause, Exchange, Tick
from tests.poller.conftest import NOW, NOW_US, Clock, envelope, http, price_reply, recorded, refusal, reply

URL = "https://www.deribit.com/api/v2"
PRICE_URL = f"{URL}/public/get_index_price?index_name=btc_usd"
CHART_URL = f"{URL}/public/get_index_chart_data?index_name=btc_usd&range=1h"

# Every code in the exchange's table of errors that matters to a public poller, with our pause for it.
TEMPORARY_CODES = {
    10066: 1,
    10040: 0,
    10041: 2,
    10047: 0,
    11051: 30,
    11056: 30,
    11094: 0,
    13028: 0,
    13888: 0,
    13025: 30,
    13503: 30,
    10001: 0,
}
PERMANENT_CODES = [
    -32602, -32601, -32600, -32700, -32000, 11029, 11049, 11050, 10020, 13020, 10048, 10030, 13009, 13004, 13021
]  # fmt: skip

T = TypeVar("T")
Question = Callable[[DeribitClient], Awaitable[T]]


def ask(question: Question[T], url: str = URL, clock: Clock | None = None) -> T:
    """The answer to one question, by a client of its own."""
    clock = clock or Clock()

    async def asking() -> T:
        async with DeribitClient(url, clock=clock, steady=clock.steady, budget=Budget(1000)) as client:
            return await question(client)

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(asking())


async def price(client: DeribitClient) -> Tick:
    return await client.index_price("btc_usd")


async def chart(client: DeribitClient) -> list[ChartPoint]:
    return await client.index_chart("btc_usd", "1h")


async def names(client: DeribitClient) -> frozenset[str]:
    return await client.supported_index_names()


async def status(client: DeribitClient) -> Status:
    return await client.status()


async def exchange_time(client: DeribitClient) -> datetime:
    return await client.time()


def failure(question: Question[Any], url: str = URL, clock: Clock | None = None) -> ExchangeError:
    with pytest.raises(ExchangeError) as raised:
        ask(question, url, clock)
    return raised.value


# What is asked


def test_a_recorded_reply_becomes_a_tick_at_the_time_when_the_exchange_sent_it(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=PRICE_URL, json=recorded("success"))

    tick = ask(price)

    sent_at = datetime(2026, 9, 14, 19, 3, 10, 245497, UTC)
    assert tick == Tick("btc_usd", sent_at, 86570.49, source="live", received_at=NOW)


def test_requests_name_the_project_and_its_version(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=PRICE_URL, json=recorded("success"))

    ask(price)

    (request,) = httpx_mock.get_requests()
    assert request.headers["user-agent"].startswith(f"Tickwell/{VERSION} (")


@pytest.mark.parametrize(
    ("server", "source"),
    [
        (f"tickwell-simulator/{VERSION}", "simulator"),
        ("tickwell-simulator", "simulator"),
        ("cloudflare", "live"),
        ("not-tickwell-simulator", "live"),
        (None, "live"),
    ],
)
def test_only_a_server_that_calls_itself_the_simulator_counts_as_one(httpx_mock: HTTPXMock, server, source):
    headers = {"server": server} if server else {}
    httpx_mock.add_response(url=PRICE_URL, json=recorded("success"), headers=headers)

    assert ask(price).source == source


def test_ticks_of_the_simulator_are_marked_so(simulator: Simulator):
    assert ask(price, simulator.url).source == "simulator"


def test_unknown_fields_and_any_order_of_fields_are_accepted(httpx_mock: HTTPXMock):
    reply = {"colour": [], "usOut": NOW_US, "result": {"shape": {}, "index_price": 1.5}, "id": None}
    httpx_mock.add_response(url=PRICE_URL, json=reply)

    tick = ask(price)

    assert (tick.ts, tick.price) == (NOW, 1.5)


def test_a_price_may_be_a_whole_number(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=PRICE_URL, json=envelope({"index_price": 81110}))

    tick = ask(price)

    assert tick.price == 81110.0
    assert isinstance(tick.price, float)


@pytest.mark.parametrize(
    ("question", "reply", "most"),
    [
        (price, price_reply(), MOST_PRICES),
        (status, http(json.dumps(envelope({"locked": "false"})).encode()), MOST_OTHERS),
    ],
)
def test_the_number_of_concurrent_requests_is_limited(serve, question: Question[object], reply: bytes, most: int):
    all_are_here = threading.Barrier(most)

    def answer(_: str) -> bytes:
        all_are_here.wait(5)
        return reply

    server = serve(answer)

    async def twice_as_many(client: DeribitClient) -> list[object]:
        return await asyncio.gather(*(question(client) for _ in range(2 * most)))

    assert len(ask(twice_as_many, server.url)) == 2 * most
    assert server.most_at_once == most


# Replies that can't be used


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "1e999", "null", "-1.5", "0", "-0.0", '"n/a"', '"100.5"', "true", "[1]", "{}", "9" * 400],
)
def test_an_impossible_price_is_rejected(httpx_mock: HTTPXMock, value):
    body = json.dumps(envelope({"index_price": "VALUE"})).replace('"VALUE"', value)
    httpx_mock.add_response(url=PRICE_URL, text=body)

    error = failure(price)

    assert isinstance(error, RejectedReplyError)
    assert error.cause is Cause.REJECTED_REPLY
    assert str(error).startswith("get_index_price btc_usd: index_price is '")
    assert str(error).endswith("', expected a positive number")
    assert len(str(error)) < 200


@pytest.mark.parametrize("value", BAD_PRICES)
def test_a_bad_price_of_the_simulator_becomes_no_tick(simulator: Simulator, value):
    simulator.faults.add(Fault("bad_price", value=value))

    assert isinstance(failure(price, simulator.url), RejectedReplyError)


@pytest.mark.parametrize(
    "us_out",
    ["null", "true", '"1789412590245497"', "1789412590245497.5", "0", "-1", "1789412590245", "1" + "0" * 30, "9" * 400],
)
def test_a_reply_without_a_sensible_time_is_rejected(httpx_mock: HTTPXMock, us_out):
    body = json.dumps({"result": {"index_price": 1.5}, "usOut": "VALUE"}).replace('"VALUE"', us_out)
    httpx_mock.add_response(url=PRICE_URL, text=body)

    error = failure(price)

    assert isinstance(error, RejectedReplyError)
    assert "usOut is '" in str(error)


def test_a_reply_without_any_time_is_rejected(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=PRICE_URL, json={"result": {"index_price": 1.5}})

    assert "usOut is 'None', expected a time as a whole number" in str(failure(price))


@pytest.mark.parametrize("result", [None, [], "100", 100, True])
def test_a_result_that_is_not_an_object_is_rejected(httpx_mock: HTTPXMock, result):
    httpx_mock.add_response(url=PRICE_URL, json=envelope(result))

    assert f"result is '{result}', expected an object" in str(failure(price))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"The exchange is being restarted.\n",
        b"<html><body>Access denied</body></html>",
        b'{"jsonrpc": "2.0", "result": {"index_pr',
        b'"result"',
        b"[]",
        b"1",
        b"null",
        b'{"jsonrpc": "2.0"}',
        b'{"error": "words"}',
        b"\xff\xfe\x00",
        b"1" * 5000,
        b"[" * 100_000,
    ],
    ids=lambda body: body[:30].decode("ascii", "replace"),
)
def test_a_body_that_is_not_a_reply_is_rejected(httpx_mock: HTTPXMock, body):
    httpx_mock.add_response(url=PRICE_URL, content=body)

    error = failure(price)

    assert isinstance(error, RejectedReplyError)
    assert str(error).startswith("get_index_price btc_usd: HTTP 200 body is '")
    assert str(error).endswith("', expected JSON with a result")
    assert "\n" not in str(error)


@pytest.mark.parametrize("http_status", [302, 404])
def test_a_page_of_another_server_is_rejected(httpx_mock: HTTPXMock, http_status):
    httpx_mock.add_response(url=PRICE_URL, html="<html>Moved</html>", status_code=http_status)

    error = failure(price)

    assert isinstance(error, RejectedReplyError)
    assert str(error).startswith(f"get_index_price btc_usd: HTTP {http_status} body is '<html>")


# Errors of the exchange


@pytest.mark.parametrize(("code", "pause_s"), TEMPORARY_CODES.items())
def test_a_temporary_error_of_the_exchange_is_a_temporary_error(httpx_mock: HTTPXMock, code, pause_s):
    httpx_mock.add_response(url=PRICE_URL, json=refusal(code, "try_later"), status_code=400)

    error = failure(price)

    assert isinstance(error, UnavailableError)
    assert isinstance(error, TemporaryError)
    assert (error.code, error.pause, error.cause) == (code, timedelta(seconds=pause_s), Cause.EXCHANGE_ERROR)
    assert str(error) == f"get_index_price btc_usd: {code} try_later"


@pytest.mark.parametrize("code", PERMANENT_CODES)
def test_a_permanent_error_of_the_exchange_is_a_permanent_error(httpx_mock: HTTPXMock, code):
    httpx_mock.add_response(url=PRICE_URL, json=refusal(code, "never"), status_code=400)

    error = failure(price)

    assert isinstance(error, RefusedError)
    assert isinstance(error, PermanentError)
    assert (error.code, error.pause, error.cause) == (code, timedelta(0), Cause.EXCHANGE_ERROR)
    assert str(error) == f"get_index_price btc_usd: {code} never"


def test_the_body_of_a_recorded_http_400_is_read(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=PRICE_URL, json=recorded("error"), status_code=400)

    error = failure(price)

    assert str(error) == "get_index_price btc_usd: -32602 Invalid params (count: value is too high)"


def test_an_unknown_index_is_refused_by_the_simulator_as_by_the_exchange(simulator: Simulator):
    error = failure(lambda client: client.index_price("btc_eur"), simulator.url)

    assert isinstance(error, RefusedError)
    assert str(error) == "get_index_price btc_eur: -32602 Invalid params (index_name: invalid index_name)"


@pytest.mark.parametrize("data", [None, "words", ["words"]])
def test_an_error_without_a_reason_is_shown_without_one(httpx_mock: HTTPXMock, data):
    httpx_mock.add_response(url=PRICE_URL, json=refusal(10001, "error", data=data), status_code=400)

    assert str(failure(price)) == "get_index_price btc_usd: 10001 error"


@pytest.mark.parametrize("code", [None, "10040", 10040.5, [10040]])
def test_an_error_whose_code_is_not_a_whole_number_is_permanent(httpx_mock: HTTPXMock, code):
    httpx_mock.add_response(url=PRICE_URL, json=refusal(code), status_code=400)

    error = failure(price)

    assert isinstance(error, RefusedError)
    assert error.code is None


@pytest.mark.parametrize(
    ("http_status", "words"), [(500, "Internal Server Error"), (502, "Bad Gateway"), (503, "Service Unavailable")]
)
def test_a_page_of_the_edge_is_a_temporary_error(simulator: Simulator, http_status, words):
    simulator.faults.add(Fault("html", status=http_status))

    error = failure(price, simulator.url)

    assert isinstance(error, UnavailableError)
    assert (error.code, error.pause) == (None, timedelta(0))
    assert str(error) == f"get_index_price btc_usd: HTTP {http_status} {words}"


def test_a_server_error_in_words_of_a_gateway_is_temporary(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=PRICE_URL, json=refusal(503, "no healthy upstream"), status_code=503)

    error = failure(price)

    assert isinstance(error, UnavailableError)
    assert str(error) == "get_index_price btc_usd: 503 no healthy upstream"


# Pauses


async def twice(client: DeribitClient) -> tuple[ExchangeError, ExchangeError]:
    """The errors of two requests in a row."""
    with pytest.raises(ExchangeError) as first:
        await price(client)
    with pytest.raises(ExchangeError) as second:
        await price(client)
    return first.value, second.value


@pytest.mark.parametrize(
    ("http_status", "body"),
    [
        (429, json.dumps(refusal(10028, "too_many_requests"))),
        (429, "Too many connections\n"),
        (429, json.dumps(envelope({"index_price": 1.5}))),
        (400, json.dumps(refusal(10028, "too_many_requests"))),
        (200, json.dumps(refusal(10028, "too_many_requests"))),
        (503, json.dumps(refusal(10028, "too_many_requests"))),
    ],
)
@pytest.mark.parametrize(("retry_after", "pause_s"), [(None, 10), ("7", 7)])
def test_each_form_of_too_many_requests_silences_the_client(
    httpx_mock: HTTPXMock, http_status, body, retry_after, pause_s
):
    headers = {} if retry_after is None else {"retry-after": retry_after}
    httpx_mock.add_response(url=PRICE_URL, text=body, status_code=http_status, headers=headers)

    first, second = ask(twice)

    assert isinstance(first, RateLimitedError)
    assert first.pause == timedelta(seconds=pause_s)
    assert f"get_index_price btc_usd: too many requests (HTTP {http_status}" in str(first)
    assert isinstance(second, PausedError)
    assert (second.left, second.pause) == (first.pause, timedelta(0))
    assert str(second) == f"paused until {NOW + first.pause:%H:%M:%S} UTC: {first}"
    assert len(httpx_mock.get_requests()) == 1


@pytest.mark.parametrize(
    ("retry_after", "pause_s"),
    [("1", 1), ("60", 60), ("3600", 60), ("9" * 400, 60), ("soon", 10), ("-1", 10), ("0.5", 10), ("", 10), ("²", 10)],
)
def test_a_stated_pause_is_believed_up_to_a_minute(httpx_mock: HTTPXMock, retry_after, pause_s):
    headers = {"retry-after": retry_after.encode()}
    httpx_mock.add_response(url=PRICE_URL, status_code=429, headers=headers)

    assert failure(price).pause == timedelta(seconds=pause_s)


@pytest.mark.parametrize("code", [code for code, pause_s in TEMPORARY_CODES.items() if pause_s])
def test_an_error_that_asks_for_a_pause_gets_it(httpx_mock: HTTPXMock, code):
    httpx_mock.add_response(url=PRICE_URL, json=refusal(code), status_code=400)

    _, second = ask(twice)

    assert str(second).startswith("paused until ")
    assert second.code == code


@pytest.mark.parametrize("code", [13025, 13503])
def test_a_method_that_is_switched_off_pauses_no_other_method(httpx_mock: HTTPXMock, clock: Clock, code):
    chart_url = f"{URL}/public/get_index_chart_data?index_name=btc_usd&range=1h"
    httpx_mock.add_response(url=chart_url, json=refusal(code), status_code=400)
    httpx_mock.add_response(url=PRICE_URL, json=envelope({"index_price": 1.5}))

    async def chart_price_chart(client: DeribitClient) -> tuple[str, float, datetime | None]:
        with pytest.raises(UnavailableError):
            await client.index_chart("btc_usd", "1h")
        price_meanwhile = await client.index_price("btc_usd")
        with pytest.raises(UnavailableError) as second:
            await client.index_chart("btc_usd", "1h")
        return str(second.value), price_meanwhile.price, client.paused_until

    words, price_meanwhile, paused_until = ask(chart_price_chart, clock=clock)

    assert words.startswith("paused until 21:17:46 UTC: get_index_chart_data btc_usd 1h: ")
    assert price_meanwhile == 1.5
    assert paused_until is None


@pytest.mark.parametrize("code", [10041, 11051, 11056])
def test_a_pause_of_one_index_pauses_no_other_question(httpx_mock: HTTPXMock, clock: Clock, code):
    httpx_mock.add_response(url=PRICE_URL, json=refusal(code), status_code=400)
    httpx_mock.add_response(url=PRICE_URL.replace("btc", "eth"), json=envelope({"index_price": 1.5}))

    async def both(client: DeribitClient) -> tuple[float, datetime | None, datetime | None]:
        for expected in (UnavailableError, PausedError):
            with pytest.raises(expected):
                await price(client)
        other = await client.index_price("eth_usd")
        return other.price, client.paused_until, client.silent_until

    other, paused_until, silent_until = ask(both, clock=clock)

    assert other == 1.5
    assert paused_until is not None
    assert paused_until > NOW
    assert silent_until is None


@pytest.mark.parametrize("body", [json.dumps(refusal(13028)), "<html></html>"])
def test_a_stated_pause_is_kept_after_server_errors_too(httpx_mock: HTTPXMock, body):
    httpx_mock.add_response(url=PRICE_URL, text=body, status_code=503, headers={"retry-after": "5"})

    first, second = ask(twice)

    assert first.pause == timedelta(seconds=5)
    assert str(second).startswith("paused until 21:17:21 UTC: get_index_price btc_usd: ")


def test_an_error_without_a_pause_lets_the_next_request_through(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=PRICE_URL, json=refusal(10040), status_code=400, is_reusable=True)

    ask(twice)

    assert len(httpx_mock.get_requests()) == 2


def test_requests_go_on_when_the_pause_is_over(simulator: Simulator, clock: Clock):
    simulator.faults.add(Fault("rate_limit", times=1))

    async def until_it_answers(client: DeribitClient) -> list[str]:
        told = []
        for seconds in (0, 9.9, 0.1):
            clock.move(seconds)
            try:
                told.append((await price(client)).index_name)
            except ExchangeError as error:
                told.append(type(error).__name__)
        return told

    assert ask(until_it_answers, simulator.url, clock) == ["RateLimitedError", "PausedError", "btc_usd"]


def test_a_pause_holds_back_the_requests_that_wait_for_their_turn(serve):
    four_are_here = threading.Barrier(MOST_OTHERS)

    def answer(_: str) -> bytes:
        four_are_here.wait(5)
        return http(b"", "429 Too Many Requests")

    server = serve(answer)

    async def twelve(client: DeribitClient) -> list[Status | BaseException]:
        return await asyncio.gather(*(status(client) for _ in range(12)), return_exceptions=True)

    told = [type(error) for error in ask(twelve, server.url)]

    assert told == [RateLimitedError] * 4 + [PausedError] * 8
    assert len(server.targets) == 4


def test_a_short_pause_does_not_end_a_long_one(httpx_mock: HTTPXMock, clock: Clock):
    long_one_is_known = asyncio.Event()

    async def short_pause(_: httpx.Request) -> httpx.Response:
        await long_one_is_known.wait()
        return httpx.Response(400, json=refusal(10066))

    httpx_mock.add_callback(short_pause, url=PRICE_URL.replace("btc", "eth"))
    httpx_mock.add_response(url=PRICE_URL, json=refusal(10028), status_code=400)

    async def both(client: DeribitClient) -> tuple[datetime | None, ...]:
        short = asyncio.create_task(client.index_price("eth_usd"))
        await asyncio.gather(price(client), return_exceptions=True)
        long_one_is_known.set()
        await asyncio.gather(short, return_exceptions=True)
        return client.paused_until, client.silent_until

    assert ask(both, clock=clock) == (NOW + timedelta(seconds=10),) * 2


def test_a_pause_ends_when_the_clock_is_set_back(simulator: Simulator, clock: Clock):
    simulator.faults.add(Fault("rate_limit", times=1))

    async def an_hour_earlier(client: DeribitClient) -> Tick:
        with pytest.raises(RateLimitedError):
            await price(client)
        clock.move(-3600)
        return await price(client)

    assert ask(an_hour_earlier, simulator.url, clock).index_name == "btc_usd"


# The way to the exchange


@pytest.mark.parametrize("asked", [exchange_time, chart, names, status])
def test_a_kept_connection_that_turns_out_to_be_closed_costs_nothing(simulator: Simulator, asked):
    simulator.faults.add(Fault("hang_up", times=1))

    async def after_another(client: DeribitClient) -> Any:
        await client.time()
        return await asked(client)

    assert ask(after_another, simulator.url)


def test_a_price_is_asked_once_also_over_a_connection_that_was_closed(simulator: Simulator):
    simulator.faults.add(Fault("hang_up", times=1))

    async def two(client: DeribitClient) -> None:
        await price(client)
        await price(client)

    assert isinstance(failure(two, simulator.url), ClosedError)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("reset", "connection reset by peer"),
        (
            "cut_off",
            "peer closed connection without sending complete message body (received 102 bytes, expected 204)",
        ),
    ],
)
@pytest.mark.parametrize("asked", [price, exchange_time])
def test_a_new_connection_that_breaks_is_not_tried_again_at_once(serve, simulator: Simulator, asked, kind, words):
    simulator.faults.add(Fault(kind, times=2))

    error = failure(asked, simulator.url)

    assert type(error) is UnreachableError
    assert error.cause is Cause.UNREACHABLE
    assert re.sub(r"\d+", "0", str(error)) == re.sub(r"\d+", "0", f"127.0.0.1:1: {words}")
    assert simulator.faults.listing() == [Fault(kind, times=1)]


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"",
        b"200\r\n\r\n",
    ],
    ids=["half a body", "half a chunk", "half a head", "nothing", "no HTTP"],
)
def test_a_reply_that_breaks_off_makes_the_exchange_unreachable(serve, reply):
    server = serve(lambda _: reply)

    error = failure(price, server.url)

    assert type(error) is UnreachableError
    assert str(error)
    assert len(server.targets) == 1


def test_a_refused_connection_is_reported_in_the_systems_words():
    error = failure(price, "http://127.0.0.1:9/api/v2")

    assert isinstance(error, UnreachableError)
    assert str(error) == "127.0.0.1:9: connection refused"


def test_one_of_several_refused_addresses_is_reported(monkeypatch: pytest.MonkeyPatch):
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address, address])

    assert str(failure(price, "http://exchange.test:9/api/v2")) == "exchange.test:9: connection refused"


# macOS numbers these errors from 1, as it does those of the system
@pytest.mark.parametrize("number", [socket.EAI_NONAME, 8])
def test_an_unknown_name_is_reported_in_the_resolvers_words(monkeypatch: pytest.MonkeyPatch, number):
    def look_up(*_: object, **__: object) -> None:
        raise socket.gaierror(number, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    error = failure(price, "http://me:secret@exchange.test/api/v2")

    assert isinstance(error, UnreachableError)
    assert str(error) == "exchange.test: name or service not known"


def test_a_failed_handshake_is_reported_as_one(simulator: Simulator):
    error = failure(price, simulator.url.replace("http://", "https://"))

    assert isinstance(error, UnreachableError)
    assert "ssl" in str(error).lower()


@pytest.mark.parametrize("timeout", [httpx.ConnectTimeout, httpx.ReadTimeout, httpx.WriteTimeout])
def test_no_reply_in_time_makes_the_exchange_unreachable_without_another_try(httpx_mock: HTTPXMock, timeout):
    httpx_mock.add_exception(timeout("late"), url=PRICE_URL)

    error = failure(price)

    assert isinstance(error, UnreachableError)
    assert str(error) == f"www.deribit.com: no reply in time ({timeout.__name__})"


def test_an_error_without_words_is_reported_by_its_name(httpx_mock: HTTPXMock):
    httpx_mock.add_exception(httpx.ReadError(""), url=PRICE_URL)

    error = failure(price)

    assert str(error) == "www.deribit.com: ReadError"


# Index names


def add_names(httpx_mock: HTTPXMock, supported: Any, priced: Any) -> None:
    httpx_mock.add_response(url=f"{URL}/public/get_supported_index_names", json=envelope(supported))
    httpx_mock.add_response(url=f"{URL}/public/get_index_price_names", json=envelope(priced))


def test_the_published_names_are_those_of_both_lists(httpx_mock: HTTPXMock):
    add_names(httpx_mock, recorded("supported_index_names"), ["btc_usd", "ada_usdc"])

    assert ask(names) == {*recorded("supported_index_names"), "btc_usd", "ada_usdc"}


def test_names_may_come_as_objects(httpx_mock: HTTPXMock):
    add_names(httpx_mock, [{"name": "btc_usd", "future_combo_creation_enabled": True}], ["eth_usd"])

    assert ask(names) == {"btc_usd", "eth_usd"}


def test_the_simulator_publishes_its_names(simulator: Simulator):
    assert ask(names, simulator.url) == set(INDEX_NAMES)


@pytest.mark.parametrize("item", [1, None, ["btc_usd"], {}, {"name": 1}, {"title": "btc_usd"}])
def test_an_index_name_of_another_type_is_rejected(httpx_mock: HTTPXMock, item):
    httpx_mock.add_response(url=f"{URL}/public/get_supported_index_names", json=envelope(["btc_usd", item]))

    error = failure(names)

    assert isinstance(error, RejectedReplyError)
    assert str(error).startswith("get_supported_index_names: index name is ")


@pytest.mark.parametrize("result", [None, {}, "btc_usd"])
def test_names_that_are_not_a_list_are_rejected(httpx_mock: HTTPXMock, result):
    httpx_mock.add_response(url=f"{URL}/public/get_supported_index_names", json=envelope(result))

    assert str(failure(names)).endswith("expected a list")


# Charts


def test_a_recorded_chart_becomes_points_in_its_order(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=CHART_URL, json=envelope(recorded("index_chart_data")))

    points = ask(chart)

    assert len(points) == 10
    assert points[0] == ChartPoint(datetime(2026, 9, 20, 20, 17, 30, tzinfo=UTC), 81110.95)
    assert points[-1] == ChartPoint(datetime(2026, 9, 20, 20, 18, 24, tzinfo=UTC), 81117.588333)


def test_an_index_without_history_has_an_empty_chart(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=CHART_URL, json=envelope([]))

    assert ask(chart) == []


@pytest.mark.parametrize(
    "result",
    [
        None,
        {},
        [1],
        [[1789935450000]],
        [[1789935450000, 1.5, 2]],
        [{"0": 1789935450000}],
        [["1789935450000", 1.5]],
        [[1789935450000.5, 1.5]],
        [[True, 1.5]],
        [[1789935450, 1.5]],
        [[1789935450000, None]],
        [[1789935450000, 0]],
        [[1789935450000, "1.5"]],
    ],
)
def test_a_chart_with_anything_but_points_is_rejected(httpx_mock: HTTPXMock, result):
    httpx_mock.add_response(url=CHART_URL, json=envelope(result))

    error = failure(chart)

    assert isinstance(error, RejectedReplyError)
    assert str(error).startswith("get_index_chart_data btc_usd 1h: ")


# Time and status


def test_the_exchanges_clock_has_milliseconds(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=f"{URL}/public/get_time", json=envelope(NOW_US // 1000))

    assert ask(exchange_time) == NOW.replace(microsecond=123000)


@pytest.mark.parametrize("result", [None, "1789939036123", 1789939036123.5, True, 1789939036, {}])
def test_an_impossible_time_is_rejected(httpx_mock: HTTPXMock, result):
    httpx_mock.add_response(url=f"{URL}/public/get_time", json=envelope(result))

    assert isinstance(failure(exchange_time), RejectedReplyError)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (recorded("status"), Status("false", ())),
        ({"locked": False}, Status("false", ())),
        ({"locked": True, "locked_currencies": ["BTC"]}, Status("true", ())),
        ({"locked": "true", "locked_indices": None}, Status("true", ())),
        ({"locked": "partial", "locked_indices": ["btc_usd"]}, Status("partial", ("btc_usd",))),
        ({"locked": "partial", "locked_indices": ["btc\nusd", 1]}, Status("partial", ("btc usd", "1"))),
    ],
)
def test_the_status_is_read_as_text_and_as_boolean(httpx_mock: HTTPXMock, result, told):
    httpx_mock.add_response(url=f"{URL}/public/status", json=envelope(result))

    assert ask(status) == told


@pytest.mark.parametrize(
    "result",
    [None, [], {}, {"locked": None}, {"locked": "yes"}, {"locked": 1}, {"locked": "true", "locked_indices": "btc_usd"}],
)
def test_an_unknown_status_is_rejected(httpx_mock: HTTPXMock, result):
    httpx_mock.add_response(url=f"{URL}/public/status", json=envelope(result))

    assert isinstance(failure(status), RejectedReplyError)


# Clocks


@pytest.mark.parametrize("ahead_s", [-60.0, 0.0, 0.25])
def test_the_clocks_are_compared_by_the_quickest_reply(httpx_mock: HTTPXMock, ahead_s):
    """Each way of a reply takes 0.1 s, except the first way there, which takes a second longer."""
    clock, way_s = Clock(), [1.1, 0.1, 0.1]

    def answer(request: httpx.Request) -> httpx.Response:
        clock.move(way_s.pop(0))
        sent_us = NOW_US + round((clock.now - NOW).total_seconds() * 1e6 + ahead_s * 1e6)
        clock.move(0.1)
        return httpx.Response(200, json=envelope({"index_price": 1.5}) | {"usOut": sent_us, "usDiff": 0})

    httpx_mock.add_callback(answer, url=PRICE_URL, is_reusable=True)

    async def skews(client: DeribitClient) -> list[float | None]:
        found = [client.skew_s]
        for _ in range(3):
            await client.index_price("btc_usd")
            found.append(client.skew_s)
        return found

    before, first, *quicker = ask(skews, clock=clock)

    assert before is None
    assert first == pytest.approx(ahead_s + 0.5)
    assert quicker == pytest.approx([ahead_s, ahead_s])


def test_the_comparison_of_clocks_restarts_when_ours_was_set(httpx_mock: HTTPXMock):
    reply = envelope({"index_price": 1.5}) | {"usDiff": 0}
    httpx_mock.add_response(url=PRICE_URL, json=reply, is_reusable=True)
    clock = Clock()

    async def skews(client: DeribitClient) -> list[float | None]:
        await client.index_price("btc_usd")
        found = [client.skew_s]
        clock.now -= timedelta(hours=1)
        client.forget_clocks()
        found.append(client.skew_s)
        await client.index_price("btc_usd")
        return [*found, client.skew_s]

    assert ask(skews, clock=clock) == [0, None, 3600]


@pytest.mark.parametrize("took_us", [None, "long", -5, 10**12])
def test_the_exchanges_own_time_for_a_reply_may_be_missing_or_odd(httpx_mock: HTTPXMock, took_us):
    httpx_mock.add_response(url=PRICE_URL, json=envelope({"index_price": 1.5}) | {"usDiff": took_us})

    async def skew(client: DeribitClient) -> float | None:
        await client.index_price("btc_usd")
        return client.skew_s

    assert ask(skew) == 0


# Which exchange


TEST_URL = "https://test.deribit.com/api/v2"


@pytest.mark.parametrize(
    ("url", "reply", "server", "exchange"),
    [
        (URL, {}, "cloudflare", Exchange.REAL),
        (URL, {"testnet": False}, "cloudflare", Exchange.REAL),
        (URL, {"testnet": True}, "cloudflare", Exchange.TEST),
        (TEST_URL, {"testnet": False}, "cloudflare", Exchange.TEST),
        (TEST_URL.upper().replace("/API", "/api"), {}, "cloudflare", Exchange.TEST),
        (URL, {"testnet": True}, f"tickwell-simulator/{VERSION}", Exchange.SIMULATOR),
        (TEST_URL, {}, "tickwell-simulator", Exchange.SIMULATOR),
        (URL, {}, "nginx, tickwell-simulator/1", Exchange.SIMULATOR),
    ],
)
def test_the_first_reply_shows_which_exchange_it_is(httpx_mock: HTTPXMock, url, reply, server, exchange):
    httpx_mock.add_response(json=envelope(NOW_US // 1000) | reply, headers={"server": server})

    async def before_and_after(client: DeribitClient) -> list[Exchange | None]:
        found = [client.exchange]
        await client.time()
        return [*found, client.exchange]

    assert ask(before_and_after, url) == [None, exchange]


def test_a_reply_of_another_exchange_is_rejected(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=PRICE_URL, json=envelope({"index_price": 1.5}))
    httpx_mock.add_response(url=PRICE_URL, json=envelope({"index_price": 2.5}) | {"testnet": True})
    httpx_mock.add_response(url=PRICE_URL, json=envelope({"index_price": 3.5}))

    async def three(client: DeribitClient) -> tuple[float, str, float]:
        first = await price(client)
        with pytest.raises(RejectedReplyError) as rejected:
            await price(client)
        return first.price, str(rejected.value), (await price(client)).price

    words = (
        "get_index_price btc_usd: the reply came from Deribit's test environment, but earlier replies came from Deribit"
    )
    assert ask(three) == (1.5, words, 3.5)


def test_one_odd_reply_does_not_decide_which_exchange_it_is(httpx_mock: HTTPXMock):
    """The very first reply claims to come from the test environment, and so does one index."""
    names = {name: f"{URL}/public/{name}" for name in ("get_supported_index_names", "get_index_price_names")}
    httpx_mock.add_response(url=names["get_supported_index_names"], json=envelope(["btc_usd"]) | {"testnet": True})
    httpx_mock.add_response(url=names["get_index_price_names"], json=envelope(["btc_usd"]))
    httpx_mock.add_response(url=PRICE_URL, json=envelope({"index_price": 1.5}), is_reusable=True)
    httpx_mock.add_response(url=f"{URL}/public/get_time", json=envelope(NOW_US // 1000))
    odd = envelope({"index_price": 2.5}) | {"testnet": True}
    httpx_mock.add_response(url=PRICE_URL.replace("btc", "eth"), json=odd, is_reusable=True)

    async def all_of_them(client: DeribitClient) -> list[object]:
        with pytest.raises(RejectedReplyError, match="but other replies did not"):
            await client.supported_index_names()
        told: list[object] = [client.exchange, (await price(client)).price, client.exchange]
        with pytest.raises(RejectedReplyError, match="but other replies did not"):
            await client.index_price("eth_usd")
        told.append(client.undecided)
        await client.time()
        with pytest.raises(RejectedReplyError, match="but earlier replies came from Deribit"):
            await client.index_price("eth_usd")
        return [*told, (await price(client)).price, client.exchange]

    assert ask(all_of_them) == [None, 1.5, Exchange.REAL, True, 1.5, Exchange.REAL]


@pytest.mark.parametrize("off_s", [-5 * 3600, 3600, 70 * 365 * 86_400])
def test_a_price_from_another_time_is_rejected(serve, clock: Clock, off_s):
    def answer(target: str) -> bytes:
        sent_at = NOW + timedelta(seconds=off_s if "eth_usd" in target else 0)
        return price_reply(sent_at=sent_at) if "price" in target else reply(NOW_US // 1000)

    async def both(client: DeribitClient) -> tuple[float, str]:
        await client.time()
        true = await price(client)
        with pytest.raises(RejectedReplyError) as rejected:
            await client.index_price("eth_usd")
        return true.price, str(rejected.value)

    true, words = ask(both, serve(answer).url, clock)

    assert true == 100
    assert words.endswith("expected a time within 10 min of 2026-09-20 21:17:16 UTC")


@pytest.mark.parametrize(
    ("status", "more", "words"),
    [
        (302, {}, "HTTP 302 with a result and the error is 'None', expected HTTP 200 and no error"),
        (206, {}, "HTTP 206 with a result and the error is 'None', expected HTTP 200 and no error"),
        (200, {"error": "boom"}, "HTTP 200 with a result and the error is 'boom', expected HTTP 200 and no error"),
        (200, {"testnet": 1}, "testnet is '1', expected true or false"),
    ],
)
def test_a_result_with_a_contradicting_status_or_error_is_rejected(httpx_mock: HTTPXMock, status, more, words):
    httpx_mock.add_response(url=PRICE_URL, json=envelope({"index_price": 1.5}) | more, status_code=status)

    assert str(failure(price)) == f"get_index_price btc_usd: {words}"


@pytest.mark.parametrize(("http_status", "body"), [(400, json.dumps(refusal(-32602))), (502, "<html></html>")])
def test_an_error_does_not_decide_which_exchange_it_is(httpx_mock: HTTPXMock, http_status, body):
    httpx_mock.add_response(url=PRICE_URL, text=body, status_code=http_status)

    async def after_an_error(client: DeribitClient) -> Exchange | None:
        with pytest.raises(ExchangeError):
            await price(client)
        return client.exchange

    assert ask(after_an_error) is None


def test_a_client_knows_the_simulator_by_its_replies(simulator: Simulator):
    async def told(client: DeribitClient) -> tuple[Exchange | None, Exchange | None]:
        before = client.exchange
        await client.time()
        return before, client.exchange

    assert ask(told, simulator.url) == (None, Exchange.SIMULATOR)
