"""Each target gets one event at a time, the least tried first, and after a failure it waits."""

from datetime import timedelta

import pytest

from poller.alerts.backoff import Turns
from store.alerts.events import Pending
from tests.events import alert
from tests.poller.conftest import NOW


class Steady:
    """Seconds on a clock that nobody sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def pending(text: str, target: str = "json", tries: int = 0, send_in_s: float = 0) -> Pending:
    send_after = NOW + timedelta(seconds=send_in_s)
    return Pending(target, tries, alert(text, (target,), at=NOW, send_after=send_after))


@pytest.fixture
def steady() -> Steady:
    return Steady()


@pytest.fixture
def turns(steady: Steady) -> Turns:
    return Turns(steady, lambda: 0.0)


def texts(found: list[Pending]) -> list[str]:
    return [each.event.text for each in found]


def test_each_target_gets_one_event_and_none_while_it_is_busy(turns: Turns):
    turns.renew([pending("a"), pending("b"), pending("c", "ntfy")])
    first = turns.due(NOW, {"json", "ntfy"})
    turns.busy.add("json")

    assert texts(first) == ["a", "c"]
    assert texts(turns.due(NOW, {"json", "ntfy"})) == ["c"]
    assert texts(turns.left()) == ["c"]


def test_the_least_tried_event_comes_first_and_of_these_the_oldest(turns: Turns):
    turns.renew([pending("tried", tries=2), pending("newer", send_in_s=-1), pending("older", send_in_s=-2)])

    assert texts(turns.left()) == ["older", "newer", "tried"]


def test_an_event_that_failed_lets_the_others_go_first(turns: Turns, steady: Steady):
    bad, good = pending("bad", send_in_s=-1), pending("good")
    turns.renew([bad, good])

    turns.failed(bad)
    steady.seconds += 1

    assert texts(turns.due(NOW, {"json"})) == ["good"]


def test_no_event_is_due_for_an_unknown_target_or_before_its_time(turns: Turns):
    turns.renew([pending("a", "gone"), pending("b", send_in_s=7)])

    assert turns.due(NOW, {"json"}) == []
    assert turns.wait_s(NOW, {"json"}) == 7
    assert turns.wait_s(NOW, set()) is None


def test_waits_double_up_to_five_minutes_and_restart_after_a_success(turns: Turns, steady: Steady):
    event = pending("a")
    turns.renew([event])
    waits = []
    for _ in range(11):
        number, wait_s = turns.failed(turns.left()[0])
        waits.append(wait_s)
        assert turns.due(NOW, {"json"}) == []
        assert turns.wait_s(NOW, {"json"}) == wait_s
        steady.seconds += wait_s
        assert texts(turns.due(NOW, {"json"})) == ["a"]

    turns.done(turns.left()[0])
    turns.renew([pending("b")])

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert number == 11
    assert turns.failed(turns.left()[0]) == (1, 1.0)


def test_a_target_that_fails_for_days_still_waits_five_minutes(turns: Turns, steady: Steady):
    turns.renew([pending("a")])
    for _ in range(3000):
        _, wait_s = turns.failed(turns.left()[0])

    assert wait_s == 300


def test_chance_shortens_a_wait_by_up_to_half(steady: Steady):
    turns = Turns(steady, lambda: 1.0)
    turns.renew([pending("a")])

    assert [turns.failed(turns.left()[0])[1] for _ in range(3)] == [0.5, 1, 2]


def test_a_failure_makes_only_its_target_wait(turns: Turns):
    first, second = pending("a"), pending("b", "ntfy")
    turns.renew([first, second])

    turns.failed(first)

    assert texts(turns.due(NOW, {"json", "ntfy"})) == ["b"]
    assert turns.wait_s(NOW, {"json", "ntfy"}) == 0


def test_events_that_are_read_again_keep_waits_and_tries(turns: Turns):
    turns.renew([pending("a")])
    turns.failed(turns.left()[0])

    turns.renew([pending("a", tries=1), pending("b")])

    assert turns.due(NOW, {"json"}) == []
    assert texts(turns.left()) == ["b", "a"]


def test_the_defaults_are_a_real_clock_and_real_chance():
    turns = Turns()
    turns.renew([pending("a")])

    number, wait_s = turns.failed(turns.left()[0])

    assert number == 1
    assert 0.5 <= wait_s <= 1
    assert turns.due(NOW, {"json"}) == []
