"""The events of rules, found in the plainest way: each slot is judged by looking at all slots before it.

It shares only the numbers of the rules with the code under test.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE_US, HOUR_US = 60_000_000, 3_600_000_000
Found = tuple[str, str, datetime]
"""A rule's name, its direction, and when it fired."""


@dataclass
class Slot:
    """A slot with the time of its tick in microseconds since 1970 and its price, or without a tick."""

    at_us: int
    ts_us: int | None = None
    price: float = math.nan


@dataclass
class Story:
    """All slots of an index, `period_us` apart, and its ticks by themselves."""

    slots: Sequence[Slot]
    period_us: int

    def __post_init__(self) -> None:
        heard = [slot for slot in self.slots if slot.ts_us is not None]
        self.times = np.array([slot.ts_us for slot in heard])
        self.prices = np.array([slot.price for slot in heard])

    def between(self, start_us: int, end_us: int) -> Any:
        """The prices of [start, end)."""
        first, last = np.searchsorted(self.times, [start_us, end_us])
        return self.prices[first:last]


Look = Callable[[Story, Slot], tuple[bool, bool] | None]
"""Does a condition hold in a slot, and is it over? None if too little is known."""


def fired(story: Story, rules: Sequence[Mapping[str, Any]]) -> list[Found]:
    """Each time that a rule fires, by time."""
    found = [each for rule in rules for way in ways(rule) for each in firings(story, rule, way)]
    return sorted(found, key=in_order)


def in_order(found: Found) -> tuple[datetime, str, str]:
    rule, way, at = found
    return at, rule, way


def ways(rule: Mapping[str, Any]) -> Sequence[str]:
    if rule["kind"] not in {"move", "level", "range_break"}:
        return [""]
    return ["up", "down"] if rule.get("direction", "either") == "either" else [rule["direction"]]


def firings(story: Story, rule: Mapping[str, Any], way: str) -> Iterator[Found]:
    look = globals()[rule["kind"]](rule, way)
    by_slot = rule["kind"] in {"stale", "coverage"}
    ready: bool = rule["kind"] != "level"
    again_us = -1
    for slot in story.slots:
        if slot.ts_us is None and not by_slot:
            continue
        at_us = slot.at_us if by_slot else slot.ts_us
        answer = look(story, slot)
        if answer is None or at_us is None:
            continue
        holds, over = answer
        if ready and holds and at_us >= again_us:
            ready, again_us = False, at_us + seconds(rule["cool_down"]) * 1_000_000
            yield rule["name"], way, EPOCH + timedelta(microseconds=at_us)
        elif not ready and over:
            ready = True


def seconds(written: str) -> int:
    return int(written[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[written[-1]]


def move(rule: Mapping[str, Any], way: str) -> Look:
    window_us = seconds(rule["within"]) * 1_000_000
    limit, back = rule.get("percent") or rule["amount"], 1 - rule["hysteresis"] / 100

    def look(story: Story, slot: Slot) -> tuple[bool, bool]:
        seen = story.between((slot.ts_us or 0) - window_us, (slot.ts_us or 0) + 1)
        low, high = (seen.min(), slot.price) if way == "up" else (slot.price, seen.max())
        moved = high - low
        if "percent" in rule:
            moved = 100 * (high / low - 1) if way == "up" else 100 * (1 - low / high)
        return moved >= limit, moved < limit * back

    return look


def level(rule: Mapping[str, Any], way: str) -> Look:
    mark, part = rule["price"], rule["hysteresis"] / 100
    if way == "up":
        return lambda _, slot: (slot.price >= mark, slot.price < mark * (1 - part))
    return lambda _, slot: (slot.price <= mark, slot.price > mark * (1 + part))


def range_break(rule: Mapping[str, Any], way: str) -> Look:
    window_us, part = int(rule["hours"] * HOUR_US), rule["hysteresis"] / 100

    def look(story: Story, slot: Slot) -> tuple[bool, bool] | None:
        now_us = slot.ts_us or 0
        seen = story.between(now_us - window_us, now_us)
        if story.times[0] > now_us - window_us or not len(seen):
            return None
        if way == "up":
            return slot.price > seen.max(), slot.price < seen.max() * (1 - part)
        return slot.price < seen.min(), slot.price > seen.min() * (1 + part)

    return look


def volatility(rule: Mapping[str, Any], _: str) -> Look:
    minutes, back = seconds(rule["over"]) // 60, 1 - rule["hysteresis"] / 100
    closes: dict[int, float] = {}
    known: dict[int, float | None] = {}

    def realised(story: Story, minute: int) -> float | None:
        if not closes:
            closes.update(
                {int(ts) // MINUTE_US: float(price) for ts, price in zip(story.times, story.prices, strict=True)}
            )
        squares = [
            math.log(closes[one + 1] / closes[one]) ** 2
            for one in range(minute - minutes, minute - 1)
            if one in closes and one + 1 in closes
        ]
        if not squares or len(squares) * 2 < minutes - 1:
            return None
        return 100 * math.sqrt(math.fsum(squares) / len(squares) * 365 * 24 * 60)

    def look(story: Story, slot: Slot) -> tuple[bool, bool] | None:
        minute = (slot.ts_us or 0) // MINUTE_US
        if minute not in known:
            known[minute] = realised(story, minute)
        value = known[minute]
        return None if value is None else (value > rule["above"], value < rule["above"] * back)

    return look


def stale(rule: Mapping[str, Any], _: str) -> Look:
    last_us = -1

    def look(story: Story, slot: Slot) -> tuple[bool, bool]:
        nonlocal last_us
        if slot.ts_us is not None or last_us < 0:
            last_us = slot.at_us if slot.ts_us is not None else slot.at_us - story.period_us
        late = (slot.at_us - last_us) // story.period_us
        return late >= rule["slots"], late < rule["slots"]

    return look


def coverage(rule: Mapping[str, Any], _: str) -> Look:
    over = min(100, rule["below"] * (1 + rule["hysteresis"] / 100))

    def look(story: Story, slot: Slot) -> tuple[bool, bool]:
        end = slot.at_us // story.period_us - story.slots[0].at_us // story.period_us + 1
        hour = story.slots[max(0, end - HOUR_US // story.period_us) : end]
        share = 100 * (1 - sum(each.ts_us is None for each in hour) * story.period_us / HOUR_US)
        return share < rule["below"], share >= over

    return look
