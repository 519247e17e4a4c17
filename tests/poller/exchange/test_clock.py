"""The clock that times a recorder's slots: what it learns, from which replies, and what moves it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from poller.exchange.client import DeribitClient
from poller.exchange.clock import ExchangeClock, steady_s
from poller.simulator.server import Simulator
from tests.poller.conftest import NOW, Clock

NOWHERE = "http://127.0.0.1:9/api/v2"


@dataclass
class Replies:
    """A client, reduced to what its last replies show of the exchange's clock."""

    skew_s: float | None = None
    disputed: bool = False
    forgotten: int = 0

    def forget_clocks(self) -> None:
        self.forgotten += 1


class Machine:
    """A machine whose clock can be set, and which can sleep."""

    def __init__(self, shows: datetime = NOW) -> None:
        self.local, self.steady_s = Clock(shows), 1000.0
        self.clock = ExchangeClock(self.local, lambda: self.steady_s)
        self.replies = Replies()

    def passes(self, seconds: float) -> None:
        self.local.move(seconds)
        self.steady_s += seconds

    def learn(self, skew_s: float | None, after_s: float = 1.0) -> float:
        """The seconds by which a reply, after some time, moved the clock at once."""
        self.passes(after_s)
        self.replies.skew_s = skew_s
        return self.clock.learn(cast("Any", self.replies)).total_seconds()

    @property
    def ahead_s(self) -> float:
        """How far the clock is ahead of the local one."""
        return (self.clock() - self.local.now).total_seconds()


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def sure(machine: Machine) -> Machine:
    """A machine with a right clock, which a reply confirmed."""
    machine.learn(0.01)
    return machine


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """An exchange with a clock that stands still."""
    with Simulator(limits=False, clock=Clock(NOW)) as simulator:
        yield simulator


def ask(machine: Machine, url: str) -> float:
    """The seconds by which the answer moved the clock."""

    async def with_a_client() -> timedelta:
        async with DeribitClient(url, clock=machine.clock, local=machine.local) as client:
            return await machine.clock.ask(client)

    return asyncio.run(with_a_client()).total_seconds()


def test_a_steady_clock_goes_on():
    assert 0 <= steady_s() <= steady_s()


def test_without_a_reply_the_local_clock_counts(machine: Machine):
    assert machine.learn(None) == 0
    assert machine.clock() == machine.local.now
    assert not machine.clock.sure


@pytest.mark.parametrize("skew_s", [0.3, -1.9])
def test_a_clock_that_is_off_by_less_than_two_seconds_counts_as_right(machine: Machine, skew_s):
    assert [machine.learn(skew_s) for _ in range(3)] == [0, 0, 0]
    assert machine.clock() == machine.local.now
    assert machine.clock.sure


@pytest.mark.parametrize(("skew_s", "words"), [(182.0, "3 min 2 s behind"), (-7200.0, "2 h ahead of")])
def test_the_first_reply_corrects_a_clock_that_is_wrong_and_one_line_says_so(machine: Machine, caplog, skew_s, words):
    moved = [machine.learn(skew_s) for _ in range(3)]

    assert moved == [skew_s, 0, 0]
    assert machine.ahead_s == skew_s
    assert caplog.messages == [f"this machine's clock is {words} the exchange's: slots keep the exchange's time"]


@pytest.mark.parametrize("seconds", [300, -300])
def test_a_local_clock_that_is_set_moves_no_slot(sure: Machine, seconds):
    before = sure.clock()

    sure.local.move(seconds)
    sure.passes(1)

    assert sure.clock() == before + timedelta(seconds=1)
    assert sure.clock.asks
    assert sure.learn(0.0) == 0  # replies from before the clock was set are ignored


def test_once_the_exchange_confirms_the_time_a_clock_that_was_set_is_known_to_be_wrong(
    sure: Machine, simulator: Simulator, caplog
):
    caplog.set_level("INFO")
    sure.local.move(-301)  # it was a second ahead of the exchange's
    sure.clock()

    ask(sure, simulator.url)
    sure.learn(300.0)

    assert sure.clock.sure
    assert not sure.clock.asks
    assert 299.9 < sure.ahead_s < 301.1
    assert [line for line in caplog.messages if "clock" in line] == [
        "this machine's clock is 5 min 1 s behind the exchange's: slots keep the exchange's time"
    ]


def test_the_log_says_when_a_clock_agrees_again(simulator: Simulator, caplog):
    caplog.set_level("INFO")
    machine = Machine(NOW - timedelta(seconds=300))
    machine.learn(300.0, after_s=0)

    machine.local.move(300)
    machine.clock()
    ask(machine, simulator.url)

    assert machine.ahead_s == 0
    assert "this machine's clock agrees with the exchange's again" in caplog.messages


def test_if_the_exchange_does_not_answer_the_clock_that_was_set_counts_until_it_does(sure: Machine):
    sure.local.move(300)
    sure.clock()

    ask(sure, NOWHERE)

    assert sure.ahead_s == 0
    assert not sure.clock.sure
    assert sure.learn(-300.0) == -300
    assert sure.clock.sure


def test_a_machine_that_slept_asks_and_keeps_its_time_if_nobody_answers(machine: Machine):
    machine.learn(180.0)
    machine.passes(8 * 3600)

    assert machine.ahead_s == 180
    assert machine.clock.asks
    ask(machine, NOWHERE)
    assert (machine.ahead_s, machine.clock.sure, machine.clock.asks) == (180, True, False)


def test_without_a_clock_that_counts_sleep_the_exchange_shows_its_length(sure: Machine):
    sure.local.move(3600)  # set by the host when it woke
    sure.clock()

    with Simulator(limits=False, clock=sure.local) as exchange:
        ask(sure, exchange.url)

    assert sure.ahead_s == 0
    assert sure.clock.sure


def test_an_exchange_whose_clock_jumps_for_a_while_moves_nothing(sure: Machine):
    moved = [sure.learn(60.0) for _ in range(20)]
    moved += [sure.learn(0.0)]
    moved += [sure.learn(60.0) for _ in range(20)]

    assert set(moved) == {0}
    assert sure.ahead_s == 0
    assert sure.replies.forgotten == 40  # each look is at new replies


def asks_after(machine: Machine, skew_s: float | None, after_s: float = 1.0) -> int:
    """How many replies in a row with another time make the clock ask; none of them moves it."""
    for number in range(1, 100):
        assert machine.learn(skew_s, after_s) == 0
        if machine.clock.asks:
            return number
    return 0


def test_an_exchange_whose_clock_stays_elsewhere_is_asked_and_followed(sure: Machine):
    assert asks_after(sure, 60.0) == 31

    with Simulator(limits=False, clock=Clock(sure.local.now + timedelta(seconds=60))) as exchange:
        moved_s = ask(sure, exchange.url)

    assert sure.ahead_s == moved_s == pytest.approx(60, abs=0.5)


def test_prices_with_another_time_than_the_exchanges_own_move_nothing(sure: Machine):
    asks_after(sure, 3600.0)

    with Simulator(limits=False, clock=sure.local) as exchange:
        assert ask(sure, exchange.url) == 0

    assert (sure.ahead_s, sure.clock.sure, sure.clock.asks) == (0, True, False)
    assert asks_after(sure, 3600.0) == 31


def test_replies_that_disagree_make_the_clock_ask(sure: Machine):
    sure.replies.disputed = True

    assert asks_after(sure, None) == 31


def test_a_few_looks_far_apart_do_not_make_the_clock_ask(sure: Machine):
    assert asks_after(sure, 60.0, after_s=50) == 5


def test_a_drift_is_corrected_little_by_little(machine: Machine):
    machine.learn(180.0)

    moved = [machine.learn(181.0) for _ in range(40)]

    assert set(moved) == {0}
    assert machine.ahead_s == pytest.approx(180.8)
    assert [machine.learn(181.0) for _ in range(20)] == [0] * 20
    assert machine.ahead_s == 181


def test_a_clock_that_becomes_right_little_by_little_is_no_longer_corrected_in_the_end(machine: Machine):
    machine.learn(2.5)

    for _ in range(130):
        machine.learn(0.4)

    assert machine.clock() == machine.local.now
