from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from poller.timing.slots import next_slot, slot_of, slots_between

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
def test_the_slots_between_two_are_those_that_neither_is(instant: datetime, period: timedelta, count: int):
    last = slot_of(instant, period)

    between = list(slots_between(last, last + (count + 1) * period, period))

    assert between == [last + (i + 1) * period for i in range(count)]


@given(instant=INSTANTS, period=PERIODS, back=st.timedeltas(timedelta(0), timedelta(days=1)))
def test_there_are_no_slots_between_when_the_clock_went_back(instant: datetime, period: timedelta, back: timedelta):
    assert list(slots_between(instant, instant - back, period)) == []
