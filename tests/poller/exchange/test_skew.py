"""The quickest of the last replies shows how far the exchange's clock is ahead."""

from datetime import timedelta

import pytest

from poller.exchange.skew import Comparison
from tests.poller.conftest import NOW

QUICK = timedelta(0)


class Steady:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def note(clock: Comparison, skew_s: float, way_s: float, handled_in: timedelta = QUICK, asked: str = "btc") -> None:
    """Note a reply with this skew, received now."""
    sent_at = NOW + timedelta(seconds=skew_s - way_s / 2)
    clock.note(asked, sent_at, NOW, waited_s=way_s + handled_in.total_seconds(), handled_in=handled_in)


def test_without_a_reply_there_is_no_skew():
    assert Comparison().skew_s is None


def test_the_quickest_reply_counts():
    clock = Comparison(Steady())
    for skew_s, way_s in [(5.0, 2.0), (0.25, 0.1), (1.0, 0.5)]:
        note(clock, skew_s, way_s)

    assert clock.skew_s == pytest.approx(0.25)


def test_the_exchanges_own_time_for_a_reply_is_no_part_of_the_way():
    clock = Comparison(Steady())
    note(clock, 0.25, 0.1, handled_in=timedelta(seconds=3))

    assert clock.skew_s == pytest.approx(0.25)


def test_an_own_time_longer_than_the_whole_wait_is_ignored():
    clock = Comparison(Steady())
    clock.note("btc", NOW, NOW, waited_s=0.1, handled_in=timedelta(seconds=1))

    assert clock.skew_s == pytest.approx(0.05)


def test_one_question_whose_replies_are_an_hour_off_is_outvoted_however_quick_it_is():
    clock = Comparison(Steady())
    for asked, skew_s, way_s in [("btc", 0.25, 0.2), ("eth", 3600.0, 0.0), ("sol", 0.5, 0.3)]:
        note(clock, skew_s, way_s, asked=asked)

    assert clock.skew_s == pytest.approx(0.5)
    assert not clock.disputed


@pytest.mark.parametrize(("skews_s", "told_s"), [((0.0, 1.9), 0.0), ((0.0, 2.0), None), ((0.0, 0.0, 60, 60), None)])
def test_without_a_majority_there_is_no_skew(skews_s, told_s):
    clock = Comparison(Steady())
    for number, skew_s in enumerate(skews_s):
        note(clock, skew_s, 0.1, asked=str(number))

    assert clock.skew_s == (None if told_s is None else pytest.approx(told_s))
    assert clock.disputed == (told_s is None)


def test_a_question_that_is_no_longer_asked_loses_its_vote_after_ten_minutes():
    steady = Steady()
    clock = Comparison(steady)
    note(clock, 3600.0, 0.1, asked="eth")
    steady.now_s = 601
    note(clock, 0.5, 0.2)

    assert clock.skew_s == pytest.approx(0.5)


def test_a_reply_is_forgotten_after_ten_minutes():
    steady = Steady()
    clock = Comparison(steady)
    note(clock, -3600.0, 0.1)
    steady.now_s = 599
    note(clock, 0.5, 0.2)
    before = clock.skew_s
    steady.now_s = 601

    assert (before, clock.skew_s) == pytest.approx((-3600, 0.5))


def test_only_the_last_sixty_replies_count():
    clock = Comparison(Steady())
    note(clock, -3600.0, 0.1)
    for _ in range(60):
        note(clock, 0.5, 0.2)

    assert clock.skew_s == pytest.approx(0.5)
