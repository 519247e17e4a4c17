"""Each target gets one event at a time, the least tried first, and after a failure it waits."""

from datetime import timedelta

import pytest

from poller.alerts.backoff import MessageQueue
from store.alerts.events import Pending
from tests.poller.conftest import NOW
from tests.support.events import alert


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
def to_send(steady: Steady) -> MessageQueue:
    return MessageQueue(steady, lambda: 0.0)


def texts(found: list[Pending]) -> list[str]:
    return [each.event.text for each in found]


def test_each_target_gets_one_event_and_none_while_it_is_busy(to_send: MessageQueue):
    to_send.renew([pending("a"), pending("b"), pending("c", "ntfy")])
    first = to_send.due(NOW, {"json", "ntfy"})
    to_send.busy.add("json")

    assert texts(first) == ["a", "c"]
    assert texts(to_send.due(NOW, {"json", "ntfy"})) == ["c"]
    assert texts(to_send.left()) == ["c"]


def test_the_least_tried_event_comes_first_and_of_these_the_oldest(to_send: MessageQueue):
    to_send.renew([pending("tried", tries=2), pending("newer", send_in_s=-1), pending("older", send_in_s=-2)])

    assert texts(to_send.left()) == ["older", "newer", "tried"]


def test_an_event_that_failed_lets_the_others_go_first(to_send: MessageQueue, steady: Steady):
    bad, good = pending("bad", send_in_s=-1), pending("good")
    to_send.renew([bad, good])

    to_send.failed(bad)
    steady.seconds += 1

    assert texts(to_send.due(NOW, {"json"})) == ["good"]


def test_no_event_is_due_for_an_unknown_target_or_before_its_time(to_send: MessageQueue):
    to_send.renew([pending("a", "gone"), pending("b", send_in_s=7)])

    assert to_send.due(NOW, {"json"}) == []
    assert to_send.wait_s(NOW, {"json"}) == 7
    assert to_send.wait_s(NOW, set()) is None


def test_waits_double_up_to_five_minutes_and_restart_after_a_success(to_send: MessageQueue, steady: Steady):
    event = pending("a")
    to_send.renew([event])
    waits = []
    for _ in range(11):
        number, wait_s = to_send.failed(to_send.left()[0])
        waits.append(wait_s)
        assert to_send.due(NOW, {"json"}) == []
        assert to_send.wait_s(NOW, {"json"}) == wait_s
        steady.seconds += wait_s
        assert texts(to_send.due(NOW, {"json"})) == ["a"]

    to_send.done(to_send.left()[0])
    to_send.renew([pending("b")])

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert number == 11
    assert to_send.failed(to_send.left()[0]) == (1, 1.0)


def test_a_target_that_fails_for_days_still_waits_five_minutes(to_send: MessageQueue, steady: Steady):
    to_send.renew([pending("a")])
    for _ in range(3000):
        _, wait_s = to_send.failed(to_send.left()[0])

    assert wait_s == 300


def test_chance_shortens_a_wait_by_up_to_half(steady: Steady):
    to_send = MessageQueue(steady, lambda: 1.0)
    to_send.renew([pending("a")])

    assert [to_send.failed(to_send.left()[0])[1] for _ in range(3)] == [0.5, 1, 2]


def test_a_failure_makes_only_its_target_wait(to_send: MessageQueue):
    first, second = pending("a"), pending("b", "ntfy")
    to_send.renew([first, second])

    to_send.failed(first)

    assert texts(to_send.due(NOW, {"json", "ntfy"})) == ["b"]
    assert to_send.wait_s(NOW, {"json", "ntfy"}) == 0


def test_events_that_are_read_again_keep_waits_and_tries(to_send: MessageQueue):
    to_send.renew([pending("a")])
    to_send.failed(to_send.left()[0])

    to_send.renew([pending("a", tries=1), pending("b")])

    assert to_send.due(NOW, {"json"}) == []
    assert texts(to_send.left()) == ["b", "a"]


def test_the_defaults_are_a_real_clock_and_real_chance():
    to_send = MessageQueue()
    to_send.renew([pending("a")])

    number, wait_s = to_send.failed(to_send.left()[0])

    assert number == 1
    assert 0.5 <= wait_s <= 1
    assert to_send.due(NOW, {"json"}) == []
