import pytest

from poller.simulator.truth.activity import NOTHING, activity
from poller.simulator.truth.noise import stream

LISTED = 1_789_000_000
HOUR = 3600
KEY = stream("BTC-25DEC26-90000-C")


def test_nothing_is_open_at_the_listing():
    assert activity(KEY, LISTED, LISTED, rank=1) == NOTHING


@pytest.mark.parametrize("hours", [30, 300])
def test_an_unpopular_instrument_is_not_held_and_a_more_popular_one_not_traded(hours):
    unpopular, held, popular = (activity(KEY, LISTED, LISTED + hours * HOUR, rank) for rank in (0.1, 0.3, 0.8))

    assert unpopular == NOTHING
    assert (held.held > 0, held.traded, held.last) == (True, 0, None)
    assert popular.held == held.held
    assert popular.traded > 0


def test_the_open_interest_grows_with_time():
    early, late = (activity(KEY, LISTED, LISTED + hours * HOUR, 1).held for hours in (3, 1000))

    assert 0 < early < late / 3


def test_each_instrument_has_its_steps_at_another_second_of_the_hour():
    found = set()
    for name in ("A", "B", "C"):
        key = stream(name)
        held = [activity(key, LISTED, LISTED + 30 * HOUR + second, 1).held for second in range(0, HOUR, 10)]
        assert len(set(held)) == 2
        found.add(held.count(held[0]))

    assert len(found) == 3


def test_the_last_trade_is_of_this_hour():
    second = LISTED + 100 * HOUR

    last = activity(KEY, LISTED, second, 1).last

    assert last is not None
    assert second - HOUR < last <= second
