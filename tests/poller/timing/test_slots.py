import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.timing.slots import next_slot, slot_of, slots, slots_between

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)

ZONES = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
INSTANTS = st.datetimes(datetime(2015, 1, 1), datetime(2100, 1, 1), timezones=ZONES)  # noqa: DTZ001 the zone comes with
PERIODS = st.integers(1, 3600).map(lambda seconds: timedelta(seconds=seconds))


@given(instant=INSTANTS, period=PERIODS)
def test_a_slot_is_an_exact_multiple_of_its_period_in_utc(instant: datetime, period: timedelta):
    slot = slot_of(instant, period)

    assert (slot - EPOCH) % period == timedelta(0)
    assert slot.tzinfo is UTC


@given(instant=INSTANTS, period=PERIODS)
def test_an_instant_lies_in_its_slot(instant: datetime, period: timedelta):
    slot = slot_of(instant, period)

    assert slot <= instant < slot + period


@given(instant=INSTANTS, period=PERIODS)
def test_the_next_slot_is_later_by_at_most_a_period(instant: datetime, period: timedelta):
    slot = next_slot(instant, period)

    assert instant < slot <= instant + period
    assert (slot - EPOCH) % period == timedelta(0)


def test_the_next_slot_after_a_slot_is_another_one():
    noon = datetime(2026, 11, 1, 12, tzinfo=UTC)

    assert slot_of(noon, 5 * SECOND) == noon
    assert next_slot(noon, 5 * SECOND) == noon + 5 * SECOND


@given(instant=INSTANTS, period=PERIODS, count=st.integers(0, 20))
def test_the_slots_between_two_include_neither(instant: datetime, period: timedelta, count: int):
    last = slot_of(instant, period)

    between = list(slots_between(last, last + (count + 1) * period, period))

    assert between == [last + (i + 1) * period for i in range(count)]


@given(instant=INSTANTS, period=PERIODS, back=st.timedeltas(timedelta(0), timedelta(days=1)))
def test_there_are_no_slots_between_when_the_clock_went_back(instant: datetime, period: timedelta, back: timedelta):
    assert list(slots_between(instant, instant - back, period)) == []


# Slots as they come


class World:
    """A clock for which waiting takes no time: the wait moves it."""

    def __init__(self) -> None:
        self.now = NOON + timedelta(seconds=0.3)
        self.longest_wait_s = 0.0
        self.waited_s = 0.0
        self.looks: list[datetime] = []
        self.at_look: dict[int, float] = {}

    async def look(self) -> datetime:
        self.looks.append(self.now)
        self.move(self.at_look.pop(len(self.looks), 0))
        return self.now

    async def wait(self, seconds: float) -> None:
        self.longest_wait_s = max(self.longest_wait_s, seconds)
        self.waited_s += seconds
        self.move(seconds)

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def since_noon(self, instant: datetime) -> float:
        return (instant - NOON).total_seconds()

    def served(
        self, period_s: int, until_s: float, serve: Callable[[int], float] = lambda _: 0
    ) -> list[tuple[float, float]]:
        """Each slot and the time of its yield, in seconds after noon; serving the nth one takes `serve(n)` seconds."""
        came: list[tuple[float, float]] = []

        async def collect() -> None:
            async for slot in slots(timedelta(seconds=period_s), self.look, self.wait):
                if self.waited_s > until_s:
                    return
                came.append((self.since_noon(slot), self.since_noon(self.now)))
                self.move(serve(len(came)))

        asyncio.run(collect())
        return came


NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def test_slots_come_at_the_exact_multiples_of_their_period():
    assert World().served(5, 30) == [(at, at) for at in (5, 10, 15, 20, 25, 30)]


def test_serving_that_takes_time_does_not_drift():
    came = World().served(1, 19, lambda _: 0.08)

    assert came == [(at, at) for at in range(1, len(came) + 1)]
    assert len(came) >= 20


def test_serving_that_outlasts_a_slot_delays_only_the_next_one():
    came = World().served(5, 17, lambda number: 5.25 if number == 2 else 0)

    assert came == [(5, 5), (10, 10), (15, 15.25), (20, 20)]


def test_slots_that_go_by_meanwhile_are_left_out():
    came = World().served(5, 17, lambda number: 12.5 if number == 2 else 0)

    assert came == [(5, 5), (10, 10), (20, 22.5), (25, 25)]


@pytest.mark.parametrize("back_s", [3, 3600])
def test_a_clock_that_is_set_back_delays_no_slot_by_more_than_a_period(back_s: int):
    came = World().served(5, 24, lambda number: -back_s if number == 2 else 0)

    after = 10 - back_s
    assert came[:2] == [(5, 5), (10, 10)]
    assert after < came[2][1] <= after + 5
    assert all(slot == at and at % 5 == 0 for slot, at in came)
    assert len(came) >= 4


def test_a_clock_that_is_set_back_between_two_slots_is_noticed_within_a_second():
    world = World()
    world.at_look[4] = -3600

    came = world.served(5, 10)

    assert came[0] == (-3595, -3595)
    assert world.longest_wait_s <= 1


def test_a_clock_that_is_set_forward_and_at_once_back_delays_no_slot():
    world = World()
    world.at_look = {12: 3600, 13: -3600}

    came = world.served(5, 25)

    assert [slot for slot, at in came if at < 3600][-3:] == [15, 20, 25]


def test_a_clock_that_is_set_forward_yields_one_slot_and_goes_on():
    came = World().served(5, 24, lambda number: 3601 if number == 2 else 0)

    assert came[:4] == [(5, 5), (10, 10), (3610, 3611), (3615, 3615)]
