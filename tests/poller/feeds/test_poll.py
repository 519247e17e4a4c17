import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from operator import attrgetter
from typing import Any

import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpx import HTTPXMock
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from poller.exchange.budget import Budget
from poller.exchange.client import DeribitClient
from poller.feeds.feed import Feed, Outcome
from poller.feeds.index import index_feeds
from poller.feeds.poll import poll, retries_within_budget
from poller.simulator.faults import Fault
from poller.simulator.server import Simulator
from settings import MAX_REQUESTS_PER_SECOND
from store.models import Cause, Miss, Tick
from tests.poller.conftest import NOW, Clock, envelope, http, price_reply, refusal

URL = "https://www.deribit.com/api/v2"
PRICE_URL = f"{URL}/public/get_index_price?index_name=btc_usd"
BOTH = ("btc_usd", "eth_usd")


def feeds(index_names: Sequence[str], poll_seconds: int = 5) -> tuple[Feed, ...]:
    return index_feeds(index_names, timedelta(seconds=poll_seconds))


def asked(
    client: DeribitClient, index_names: Sequence[str], *, seconds_left: float, retries: int
) -> AsyncGenerator[list[Outcome]]:
    """The batches of a poll of the slot at NOW, as they come."""
    return poll(client, feeds(index_names), NOW, seconds_left=seconds_left, retries=retries)


@pytest.fixture
def without_waits() -> Iterator[None]:
    """Retries come without a wait."""
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


def polled(
    url: str, index_names: Sequence[str] = ("btc_usd",), *, seconds_left: float = 5, retries: int = 0
) -> list[list[Outcome]]:
    """All batches of one poll of the slot at NOW."""

    async def collect() -> list[list[Outcome]]:
        async with DeribitClient(url, clock=Clock()) as client:
            batches = asked(client, index_names, seconds_left=seconds_left, retries=retries)
            return [batch async for batch in batches]

    return asyncio.run(collect())


def miss(url: str, *, seconds_left: float = 5, retries: int = 0) -> Miss:
    """The miss of a poll of one index that brought no tick."""
    ((outcome,),) = polled(url, seconds_left=seconds_left, retries=retries)
    assert isinstance(outcome, Miss)
    return outcome


# One slot


def test_every_index_brings_a_tick(simulator: Simulator):
    outcomes = [outcome for batch in polled(simulator.url, BOTH) for outcome in batch]

    assert {type(outcome) for outcome in outcomes} == {Tick}
    assert sorted(outcome.feed for outcome in outcomes) == ["btc_usd", "eth_usd"]


def test_indexes_are_asked_at_the_same_time(serve):
    both_are_here = threading.Barrier(2)

    def answer(_: str) -> bytes:
        both_are_here.wait(5)
        return price_reply()

    server = serve(answer)

    polled(server.url, BOTH)

    assert server.most_at_once == 2


def test_four_hanging_replies_do_not_delay_a_fifth_index(serve):
    over = threading.Event()
    hanging = ("eth_usd", "sol_usd", "xrp_usd", "ada_usd")

    def answer(target: str) -> bytes:
        if "btc_usd" not in target:
            over.wait(5)
        return price_reply()

    server = serve(answer)

    outcomes = [outcome for batch in polled(server.url, (*hanging, "btc_usd"), seconds_left=0.9) for outcome in batch]
    over.set()

    assert [outcome.feed for outcome in outcomes if isinstance(outcome, Tick)] == ["btc_usd"]
    assert {outcome.feed for outcome in outcomes if isinstance(outcome, Miss)} == set(hanging)


def test_a_slow_index_does_not_delay_a_fast_one(serve):
    fast_one_is_here = threading.Event()

    def answer(target: str) -> bytes:
        if "eth_usd" in target:
            fast_one_is_here.wait(5)
        return price_reply()

    server = serve(answer)
    names = []

    async def collect() -> None:
        async with DeribitClient(server.url) as client:
            async for batch in asked(client, BOTH, seconds_left=5, retries=0):
                names.append([outcome.feed for outcome in batch])
                fast_one_is_here.set()

    asyncio.run(collect())

    assert names == [["btc_usd"], ["eth_usd"]]


def test_replies_that_come_together_share_a_batch(httpx_mock: HTTPXMock):
    for name in BOTH:
        httpx_mock.add_response(url=PRICE_URL.replace("btc_usd", name), json=envelope({"index_price": 1.5}))

    (batch,) = polled(URL, BOTH)

    assert {outcome.feed for outcome in batch} == set(BOTH)


def test_one_index_may_fail_while_another_succeeds(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=PRICE_URL, json=envelope({"index_price": 1.5}))
    httpx_mock.add_response(url=PRICE_URL.replace("btc", "eth"), json=envelope({"index_price": None}))

    (batch,) = polled(URL, BOTH)

    btc, eth = sorted(batch, key=attrgetter("feed"))
    assert btc == Tick("btc_usd", NOW, 1.5, "live", NOW)
    detail = "get_index_price eth_usd: index_price is 'None', expected a positive number"
    assert eth == Miss(NOW, "eth_usd", Cause.REJECTED_REPLY, detail)


def test_an_unreachable_exchange_makes_a_miss_that_says_why():
    assert miss("http://127.0.0.1:9/api/v2") == Miss(
        NOW, "btc_usd", Cause.UNREACHABLE, "127.0.0.1:9: connection refused"
    )


def test_a_reply_that_does_not_come_within_the_slot_is_a_miss(serve):
    slot_is_over = threading.Event()

    def answer(_: str) -> bytes:
        slot_is_over.wait(5)
        return price_reply()

    missed = miss(serve(answer).url, seconds_left=0.2, retries=3)
    slot_is_over.set()

    assert missed == Miss(NOW, "btc_usd", Cause.UNREACHABLE, "no reply within 0.2 s")


def test_a_slot_that_is_over_before_its_turn_is_not_blamed_on_the_exchange(simulator: Simulator):
    simulator.faults.add(Fault("error", times=1))

    missed = miss(simulator.url, seconds_left=0)

    assert missed == Miss(NOW, "btc_usd", Cause.MISSED_SLOT, "the slot before it took too long")
    assert simulator.faults.listing() == [Fault("error", times=1)]


def test_a_request_that_gets_no_token_within_its_slot_is_blamed_on_the_budget(simulator: Simulator):
    async def collect() -> list[Outcome]:
        async with DeribitClient(simulator.url, clock=Clock(), budget=Budget(1)) as client:
            batches = asked(client, BOTH, seconds_left=0.5, retries=0)
            return [outcome async for batch in batches for outcome in batch]

    tick, missed = asyncio.run(collect())

    assert isinstance(tick, Tick)
    detail = "not asked within 0.5 s: our own budget of 5 requests a second was used up"
    assert missed == Miss(NOW, "eth_usd", Cause.MISSED_SLOT, detail)


def test_closing_a_poll_cancels_the_requests_under_way(serve):
    over = threading.Event()

    def answer(target: str) -> bytes:
        if "eth_usd" in target:
            over.wait(5)
        return price_reply()

    server = serve(answer)

    async def first_batch() -> set[str]:
        async with DeribitClient(server.url) as client:
            async with aclosing(asked(client, BOTH, seconds_left=5, retries=0)) as batches:
                await anext(batches)
                under_way = {task for task in asyncio.all_tasks() if task.get_name() in BOTH}
            await asyncio.wait(under_way, timeout=1)
            return {task.get_name() for task in under_way if task.cancelled()}

    cancelled = asyncio.run(first_batch())
    over.set()

    assert cancelled == {"eth_usd"}


# Asking again


@pytest.mark.usefixtures("without_waits")
def test_a_temporary_error_is_asked_again_within_the_slot(simulator: Simulator):
    simulator.faults.add(Fault("error", code=13028, message="temporarily_unavailable", times=2))

    ((tick,),) = polled(simulator.url, retries=2)

    assert isinstance(tick, Tick)


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_are_counted(httpx_mock: HTTPXMock, retries):
    httpx_mock.add_response(url=PRICE_URL, status_code=502, is_reusable=True)

    missed = miss(URL, retries=retries)

    assert missed == Miss(NOW, "btc_usd", Cause.EXCHANGE_ERROR, "get_index_price btc_usd: HTTP 502 Bad Gateway")
    assert len(httpx_mock.get_requests()) == 1 + retries


@pytest.mark.usefixtures("without_waits")
def test_a_miss_tells_the_last_of_several_errors(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=PRICE_URL, status_code=502)
    httpx_mock.add_response(url=PRICE_URL, json=refusal(10040, "retry"), status_code=400)

    assert miss(URL, retries=1).detail == "get_index_price btc_usd: 10040 retry"


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize(
    ("http_status", "reply", "cause"),
    [
        (400, refusal(-32602, "Invalid params"), Cause.EXCHANGE_ERROR),
        (200, envelope({"index_price": 0}), Cause.REJECTED_REPLY),
    ],
)
def test_a_permanent_error_is_not_asked_again(httpx_mock: HTTPXMock, http_status, reply, cause):
    httpx_mock.add_response(url=PRICE_URL, json=reply, status_code=http_status)

    assert miss(URL, retries=3).cause is cause
    assert len(httpx_mock.get_requests()) == 1


def test_a_slot_of_one_second_has_time_for_a_retry(simulator: Simulator):
    simulator.faults.add(Fault("html", status=502, times=3))

    ((tick,),) = polled(simulator.url, seconds_left=0.9, retries=3)

    assert isinstance(tick, Tick)


@pytest.mark.parametrize(("seconds_left", "least", "most"), [(0.8, 0.05, 0.1), (4.8, 0.3, 0.6), (3599, 5, 10)])
def test_the_first_wait_grows_with_the_length_of_the_slot(httpx_mock: HTTPXMock, seconds_left, least, most):
    httpx_mock.add_response(url=PRICE_URL, status_code=502, is_reusable=True)
    waits: list[float] = []

    def remember(details: RetryDetails) -> None:
        waits.append(details.wait_for)
        raise asyncio.CancelledError  # the wait itself is of no interest

    set_on_retry_hooks([remember])
    try:
        miss(URL, seconds_left=seconds_left, retries=1)
    finally:
        set_on_retry_hooks(None)

    assert least <= waits[0] <= most


def test_no_retry_comes_after_the_slot(httpx_mock: HTTPXMock):
    httpx_mock.add_response(url=PRICE_URL, status_code=502, is_reusable=True)
    started = time.monotonic()

    missed = miss(URL, seconds_left=0.5, retries=50)

    assert missed.detail == "get_index_price btc_usd: HTTP 502 Bad Gateway"
    assert len(httpx_mock.get_requests()) <= 6
    assert time.monotonic() - started < 2


# Pauses, with the clock of the machine


def too_many(pause_s: str) -> bytes:
    """The exchange's answer to too many requests, with a pause."""
    return http(json.dumps(refusal(10028)).encode(), "400 Bad Request", f"Retry-After: {pause_s}")


class Overasked:
    """An exchange that asks for a pause of 1 s at the first request, and notes the time of each request."""

    def __init__(self) -> None:
        self.asked_at: list[float] = []

    def __call__(self, _: str) -> bytes:
        self.asked_at.append(time.monotonic())
        return too_many("1") if len(self.asked_at) == 1 else price_reply()


@pytest.mark.parametrize("names", [("btc_usd",), ("a_usd", "b_usd", "c_usd", "d_usd", "e_usd", "f_usd")])
def test_all_indexes_wait_for_a_pause_that_ends_within_the_slot(serve, names):
    overasked = Overasked()

    def answer(target: str) -> bytes:
        if names[0] not in target and len(overasked.asked_at) < 1:
            first_one_is_here.wait(5)
        reply = overasked(target)
        first_one_is_here.set()
        return reply

    first_one_is_here = threading.Event()
    server = serve(answer)

    async def collect() -> list[Outcome]:
        async with DeribitClient(server.url) as client:
            return [each async for batch in asked(client, names, seconds_left=4.5, retries=1) for each in batch]

    outcomes = asyncio.run(collect())

    assert {type(outcome) for outcome in outcomes} == {Tick}
    assert sorted(outcome.feed for outcome in outcomes) == sorted(names)


def test_no_request_is_made_during_a_pause(serve):
    overasked = Overasked()
    server = serve(overasked)

    async def collect() -> list[Outcome]:
        async with DeribitClient(server.url) as client:
            first = [each async for batch in asked(client, ["a_usd"], seconds_left=4.5, retries=0) for each in batch]
            rest = [each async for batch in asked(client, BOTH, seconds_left=4.5, retries=0) for each in batch]
            return [*first, *rest]

    outcomes = asyncio.run(collect())

    assert [type(outcome) for outcome in outcomes] == [Miss, Tick, Tick]
    assert min(overasked.asked_at[1:]) - overasked.asked_at[0] >= 1


@pytest.mark.parametrize("code", [10041, 11051])
def test_a_pause_longer_than_the_slot_ends_it_at_once(httpx_mock: HTTPXMock, code):
    httpx_mock.add_response(url=PRICE_URL, json=refusal(code), status_code=400)
    started = time.monotonic()

    missed = miss(URL, seconds_left=1.9, retries=3)

    assert missed == Miss(NOW, "btc_usd", Cause.EXCHANGE_ERROR, f"get_index_price btc_usd: {code} words", code)
    assert time.monotonic() - started < 1


# A failure affects nothing else


def test_kept_connections_that_were_closed_cost_no_retry_and_no_time(simulator: Simulator):
    simulator.faults.add(Fault("hang_up", times=2))

    async def two_slots() -> list[Outcome]:
        async with DeribitClient(simulator.url) as client:
            both = [each async for batch in asked(client, BOTH, seconds_left=5, retries=0) for each in batch]
            one = [each async for batch in asked(client, ["btc_usd"], seconds_left=5, retries=0) for each in batch]
            return [*both, *one]

    started = time.monotonic()
    outcomes = asyncio.run(two_slots())

    assert [type(outcome) for outcome in outcomes] == [Tick, Tick, Tick]
    assert time.monotonic() - started < 0.3


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize("retries", [0, 3])
def test_an_exchange_that_resets_every_connection_gets_no_more_requests_than_the_budget(simulator: Simulator, retries):
    simulator.faults.add(Fault("reset", times=50))

    missed = miss(simulator.url, retries=retries)

    assert missed.detail.endswith(": connection reset by peer")
    assert simulator.faults.listing() == [Fault("reset", times=50 - 1 - retries)]


def test_an_unexpected_error_is_a_miss_of_that_index_alone(simulator: Simulator, monkeypatch, caplog):
    real = DeribitClient.index_price

    async def mistaken(self: DeribitClient, index_name: str) -> Tick:
        return await real(self, index_name) if index_name == "btc_usd" else 1 / 0  # type: ignore[return-value]  # it raises first

    monkeypatch.setattr(DeribitClient, "index_price", mistaken)

    btc, eth = sorted((outcome for batch in polled(simulator.url, BOTH) for outcome in batch), key=attrgetter("feed"))

    assert isinstance(btc, Tick)
    assert eth == Miss(NOW, "eth_usd", Cause.EXCHANGE_ERROR, "an error in Tickwell, which the log describes")
    assert caplog.messages == ["the job poll of eth_usd failed"]
    assert "ZeroDivisionError" in caplog.text


async def be_cancelled(_: DeribitClient) -> Tick:
    raise asyncio.CancelledError


async def bring_text(_: DeribitClient) -> Any:
    return "100.0"


async def bring_another(client: DeribitClient) -> Tick:
    return await client.index_price("btc_usd")


@pytest.mark.parametrize("ask", [be_cancelled, bring_text, bring_another])
def test_a_feed_that_brings_a_wrong_observation_costs_no_other_feed_its_slot(simulator: Simulator, caplog, ask):
    btc, eth = feeds(BOTH)

    async def collect() -> list[Outcome]:
        async with DeribitClient(simulator.url) as client:
            batches = poll(client, [replace(eth, ask=ask), btc], NOW, seconds_left=5, retries=0)
            return [outcome async for batch in batches for outcome in batch]

    failed, tick = sorted(asyncio.run(collect()), key=lambda outcome: isinstance(outcome, Tick))

    assert failed == Miss(NOW, "eth_usd", Cause.EXCHANGE_ERROR, "an error in Tickwell, which the log describes")
    assert isinstance(tick, Tick)
    assert "the job poll of eth_usd failed" in caplog.messages


@given(indexes=st.integers(1, 60), poll_seconds=st.integers(1, 3600))
def test_retries_stay_within_five_requests_a_second(indexes: int, poll_seconds: int):
    indexes = min(indexes, MAX_REQUESTS_PER_SECOND * poll_seconds)  # the settings refuse more

    retries = retries_within_budget(feeds([f"i{number}_usd" for number in range(indexes)], poll_seconds))

    assert 0 <= retries <= 3
    assert indexes * (1 + retries) / poll_seconds <= 5


@pytest.mark.parametrize(
    ("indexes", "poll_seconds", "retries"), [(2, 5, 3), (1, 1, 3), (2, 1, 1), (5, 1, 0), (12, 5, 1), (60, 3600, 3)]
)
def test_retries_use_the_budget(indexes, poll_seconds, retries):
    assert retries_within_budget(feeds([f"i{number}_usd" for number in range(indexes)], poll_seconds)) == retries
