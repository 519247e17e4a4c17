"""No second has more requests than the budget, and a request that can wait never takes a slot's token."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

import pytest

from poller.exchange.budget import Budget, Turn, turn


def begun_at(*requests: tuple[str, Callable[[], Awaitable[object]]]) -> list[tuple[str, float]]:
    """The seconds at which requests began, in that order; all ask at once."""
    begun: list[tuple[str, float]] = []

    async def one(name: str, take: Callable[[], Awaitable[object]]) -> None:
        await take()
        begun.append((name, time.monotonic() - started))

    async def every() -> None:
        await asyncio.gather(*(one(*request) for request in requests))

    started = time.monotonic()
    asyncio.run(every())
    return begun


def test_requests_keep_to_the_budget_and_each_has_its_turn():
    budget = Budget(5)

    begun = begun_at(*((str(number), budget.take) for number in range(12)))

    assert [name for name, _ in begun] == [str(number) for number in range(12)]
    times_s = [at_s for _, at_s in begun]
    assert all(later - earlier >= 1.02 for earlier, later in zip(times_s, times_s[5:], strict=False))
    assert times_s[4] < 0.5
    assert 2.05 <= times_s[11] < 3


def test_slots_that_use_the_whole_budget_are_in_time_again_some_slots_after_a_late_one():
    budget, late_s = Budget(5, slots_a_second=5), []

    async def slots() -> None:
        began_s = time.monotonic() - 0.1  # the first slot is late by so much
        for second in range(4):
            await asyncio.sleep(began_s + second - time.monotonic())
            await asyncio.gather(*(budget.take() for _ in range(5)))
            late_s.append(time.monotonic() - began_s - second)

    asyncio.run(slots())

    assert late_s[0] >= 0.1
    assert min(late_s[2:]) < 0.09


def test_a_request_that_can_wait_lets_all_others_go_first():
    budget = Budget(2)

    def later() -> Awaitable[object]:
        return budget.take(can_wait=True)

    begun = begun_at(*[("slot", budget.take)] * 2, ("history", later), *[("slot", budget.take)] * 3)

    assert [name for name, _ in begun] == ["slot"] * 5 + ["history"]


def of_period(budget: Budget, seconds: float) -> Callable[[], Awaitable[object]]:
    async def take() -> None:
        turn.set(Turn(seconds))
        await budget.take()

    return take


async def after(seconds: float, take: Callable[[], Awaitable[object]]) -> None:
    await asyncio.sleep(seconds)
    await take()


def test_slots_of_a_long_period_let_those_of_a_short_one_go_first_and_these_what_is_for_no_slot():
    budget = Budget(1)

    begun = begun_at(*[(str(seconds), of_period(budget, seconds)) for seconds in (60, 60, 1, 0)])

    assert [name for name, _ in begun] == ["60", "0", "1", "60"]


def test_slots_of_a_long_period_leave_room_for_the_next_ones_of_a_short_period():
    budget = Budget(5)
    budget.due_soon = lambda seconds: 3 if seconds > 1 else 0

    begun = begun_at(*[("slow", of_period(budget, 60))] * 4, *[("fast", of_period(budget, 1))] * 3)

    assert [name for name, _ in begun] == ["slow"] * 2 + ["fast"] * 3 + ["slow"] * 2
    assert begun[4][1] < 0.5


def test_slots_of_a_long_period_leave_a_second_of_five_even_if_requests_take_a_tenth_longer_to_the_exchange():
    budget = Budget(5, slots_a_second=2.5)
    budget.due_soon = lambda seconds: 2 if seconds > 1 else 0
    fast, slow = of_period(budget, 1), of_period(budget, 60)

    begun = begun_at(
        *[("fast", fast)] * 2,
        *[("slow", lambda: after(0.2, slow))] * 3,
        *[("fast", lambda: after(1, fast))] * 2,
        *[("fast", lambda: after(2, fast))] * 2,
    )

    times_s = [at_s for _, at_s in begun]
    assert all(later - earlier >= 1.09 for earlier, later in zip(times_s, times_s[5:], strict=False))
    assert [name for name, _ in begun] == ["fast", "fast", "slow"] * 3


def test_slots_of_a_long_period_go_after_a_while_beside_shorter_ones_that_always_need_the_whole_budget():
    budget = Budget(5, slots_a_second=2.8)
    budget.due_soon = lambda seconds: 5 if seconds > 2 else 0

    begun = begun_at(*[("slow", of_period(budget, 10))] * 2)

    assert [math.floor(at_s / 2) for _, at_s in begun] == [1, 2]


def test_a_request_that_can_wait_leaves_room_for_the_slots_of_the_next_second():
    budget = Budget(5)
    since = time.monotonic()
    budget.due_soon = lambda _: 3 if time.monotonic() < since + 0.4 else 0

    begun = begun_at(*[("history", lambda: budget.take(can_wait=True))] * 3)

    assert begun[1][1] < 0.3
    assert begun[2][1] >= 0.3


def test_a_request_that_can_wait_leaves_room_for_slots_beside_requests_for_no_slot():
    budget = Budget(5)
    budget.due_soon = lambda seconds: 2 if seconds == math.inf else 0

    begun = begun_at(
        *[("names", budget.take)] * 2,
        *[("history", lambda: budget.take(can_wait=True))] * 3,
        *[("slot", lambda: after(0.1, of_period(budget, 1)))] * 2,
    )

    assert [name for name, _ in begun[:5]] == ["names", "names", "history", "slot", "slot"]
    assert begun[4][1] < 0.5


@pytest.mark.parametrize("due", [5, 60])
def test_a_request_that_can_wait_takes_the_next_token_after_a_while_even_if_none_is_left_to_it(due: int):
    budget = Budget(5, longest_s=0.2)
    budget.due_soon = lambda seconds: due if seconds == math.inf else 0

    begun = begun_at(("history", lambda: budget.take(can_wait=True)), *[("slot", budget.take)] * 5)

    history_s = dict(begun)["history"]
    assert [name for name, _ in begun] == ["slot"] * 5 + ["history"]
    assert 1.02 <= history_s < 1.5


@pytest.mark.parametrize("due", [5, 60])
def test_a_request_that_can_wait_goes_without_a_token_if_slots_need_the_whole_budget_for_ever(due: int):
    budget = Budget(5, slots_a_second=5, longest_s=0.2)
    budget.due_soon = lambda seconds: due if seconds else 0

    begun = begun_at(("history", lambda: budget.take(can_wait=True)))
    slots = begun_at(*[("slot", budget.take)] * 5)

    assert 0.2 <= begun[0][1] < 1
    assert slots[-1][1] < 0.5


def test_a_token_comes_back_after_its_request_was_sent_and_not_after_it_was_taken():
    budget = Budget(1)

    async def gap_s() -> float:
        token = await budget.take()
        await asyncio.sleep(0.3)
        token.sent()
        sent_s = time.monotonic()
        await budget.take()
        return time.monotonic() - sent_s

    assert asyncio.run(gap_s()) >= 1.02


def test_many_requests_that_have_waited_long_do_not_go_before_slots_together():
    budget = Budget(5, longest_s=0.2)
    budget.due_soon = lambda seconds: 5 if seconds == math.inf else 0

    async def late_slots() -> None:
        await asyncio.sleep(0.5)
        await budget.take()

    history = [("history", lambda: budget.take(can_wait=True))] * 4
    begun = begun_at(*[("slot", budget.take)] * 5, *history, *[("late", late_slots)] * 3)

    assert [name for name, _ in begun if name != "history"] == ["slot"] * 5 + ["late"] * 3
    assert all(at_s < 1.5 for name, at_s in begun if name == "late")
