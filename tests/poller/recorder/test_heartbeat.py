"""The heartbeat is heard each minute while the recorder records, and holds up nothing."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from poller.recorder.heartbeat import Heartbeat
from poller.recorder.limits import Limits
from poller.recorder.recorder import Recorder
from poller.simulator.server import Simulator
from settings import Settings
from store.file.database import Database
from store.instants import EPOCH
from store.prices import ticks
from tests.conftest import wait_until
from tests.poller.conftest import MovedClock
from tests.support.webhook import Webhook


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as webhook:
        yield webhook


def beats(url: str, times: int = 1, timeout_s: float = 5, meanwhile: Callable[[int], None] = lambda _: None) -> None:
    """Beat so many times, one after the other."""

    async def beat() -> None:
        heartbeat = Heartbeat(SecretStr(url), timeout_s=timeout_s)
        for number in range(times):
            meanwhile(number)
            await heartbeat.begin()
        await heartbeat.aclose()

    asyncio.run(beat())


def test_it_calls_the_address(webhook: Webhook):
    beats(webhook.url)

    assert webhook.calls == [("GET", "/hooks/T0pS3cret")]


def test_a_call_that_is_under_way_is_not_made_twice(webhook: Webhook):
    webhook.delay_s = 0.2

    async def beat() -> None:
        heartbeat = Heartbeat(SecretStr(webhook.url))
        calls = {heartbeat.begin() for _ in range(3)}
        await asyncio.wait(calls)
        await heartbeat.aclose()

    asyncio.run(beat())

    assert len(webhook.calls) == 1


def test_an_outage_is_one_line_without_the_address_and_its_end_another(webhook: Webhook, caplog):
    caplog.set_level(logging.INFO, "tickwell")

    def meanwhile(number: int) -> None:
        webhook.manner = "refuse" if number < 3 else "accept"

    beats(webhook.url, 5, meanwhile=meanwhile)

    ours = [record.getMessage() for record in caplog.records if record.name == "tickwell.alerts"]
    assert ours == ["the heartbeat doesn't get through: answered 500", "the heartbeat gets through again"]


def test_a_service_that_is_gone_is_told_without_its_address(caplog):
    with Webhook() as gone:
        url = gone.url

    beats(url)

    assert caplog.messages == ["the heartbeat doesn't get through: ConnectError"]


@pytest.mark.parametrize("manner", ["hang", "trickle"])
def test_a_service_that_keeps_it_waiting_is_left(webhook: Webhook, manner, caplog):
    webhook.manner = manner
    began = time.monotonic()

    beats(webhook.url, timeout_s=0.3)

    assert time.monotonic() - began < 3
    assert [message for message in caplog.messages if "heartbeat" in message] == [
        "the heartbeat doesn't get through: no answer within 0.3 s"
    ]


def test_an_address_that_is_none_is_told_as_such(caplog):
    beats("http://127.0.0.1:port/T0pS3cret")

    assert caplog.messages == ["the heartbeat doesn't get through: InvalidURL"]


def test_it_may_end_before_the_first_call(webhook: Webhook):
    beats(webhook.url, 0)

    assert webhook.calls == []


def test_its_end_waits_for_nobody(webhook: Webhook):
    webhook.manner = "hang"

    async def beat() -> float:
        heartbeat = Heartbeat(SecretStr(webhook.url))
        heartbeat.begin()
        await asyncio.to_thread(wait_until, lambda: webhook.calls)
        began = time.monotonic()
        await heartbeat.aclose()
        return time.monotonic() - began

    assert asyncio.run(beat()) < 1


def test_a_recorder_beats_each_minute_and_loses_no_slot_to_a_service_that_hangs(
    webhook: Webhook, database: Database, make_settings: Callable[..., Settings]
):
    webhook.manner = "hang"
    clock = MovedClock()
    with Simulator(limits=False, clock=clock) as simulator:
        settings = make_settings(
            deribit_url=simulator.url, poll_seconds=1, indexes=("btc_usd",), heartbeat_url=webhook.url
        )
        recorder = Recorder(settings, database, "external", clock=clock, limits=Limits(minute_s=1))
        recorder.start()
        try:
            wait_until(lambda: webhook.calls)
            hung_since = clock()
            wait_until(lambda: clock() > hung_since + timedelta(seconds=3.5))
        finally:
            began = time.monotonic()
            recorder.stop()
            took_s = time.monotonic() - began

    with database.read() as cursor:
        found = ticks.history(cursor, "btc_usd", EPOCH, clock())
    seconds = [tick.ts.replace(microsecond=0) for tick in found]
    assert len(webhook.calls) == 1
    assert seconds == [seconds[0] + timedelta(seconds=number) for number in range(len(seconds))]
    assert len([second for second in seconds if second > hung_since]) >= 3
    assert took_s < 3
