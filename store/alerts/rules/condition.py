"""The condition of a rule, read from a tape.

A rule that looks both ways has two conditions. A condition holds once its value has reached its threshold. It is over
when the value has gone back by the rule's hysteresis, in percent of the threshold. In between nothing changes, so a
price that moves around a level causes one alert.
"""

import math
from abc import abstractmethod
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from .rules import LONGEST_LENGTH, Length, OfIndexes, Rule
from .tape import Tape

Way = Literal["up", "down", ""]
"""The direction that a condition looks in; kinds without a direction have ""."""

Direction = Literal["up", "down", "either"]

A_LENGTH = "a length of time such as 90s, 15m, 4h or 7d"


class Reading(NamedTuple):
    """How a condition stands.

    Attributes:
        value, threshold: in the unit of the rule.
        holds: the value has reached the threshold.
        over: the value has gone back by the hysteresis.
        reference: the price that this one is compared with; NaN without one.
    """

    value: float
    threshold: float
    holds: bool
    over: bool
    reference: float = math.nan


class Condition(Rule):
    """A rule with a condition that holds or is over; it fires each time that the condition begins to hold."""

    by_tick: ClassVar[bool] = True
    """Judged with each tick; otherwise with each slot, with or without a tick."""

    from_outset: ClassVar[bool] = True
    """It fires even if the condition holds when it is read for the first time."""

    cool_down: Length = Field(timedelta(minutes=15), description=f"{A_LENGTH}, up to 365d", le=LONGEST_LENGTH)
    hysteresis: float = Field(
        0, description="a number from 0 to 99, in percent of the threshold", strict=True, ge=0, le=99
    )
    recovery: bool = Field(
        default=False, description="true or false: also send a message when the condition is over", strict=True
    )

    @property
    def ways(self) -> tuple[Way, ...]:
        return ("",)

    @property
    def looks_back(self) -> timedelta:
        """How far back it needs prices."""
        return timedelta(0)

    @abstractmethod
    def watched(self, feeds: Collection[str]) -> tuple[str, ...]:
        """The names of those of the recorded feeds that it watches."""

    @abstractmethod
    def faults(self, feeds: Collection[str]) -> Iterator[str]:
        """A line for each name in it that is not recorded."""

    @abstractmethod
    def words(self, way: Way) -> str:
        """The condition in words, which also identify it."""

    @abstractmethod
    def read(self, tape: Tape, way: Way) -> Reading | None:
        """How the condition stands; None where too little is known."""

    @abstractmethod
    def event_text(self, tape: Tape, way: Way, reading: Reading) -> str:
        """What happened when it fired, in one line."""

    @abstractmethod
    def progress(self, reading: Reading) -> str:
        """How far the condition is, such as "1.2 % of 3 %"."""

    def distance(self, reading: Reading) -> str:
        """How far the condition is from firing, such as "1.8 % to go"."""
        return "holds" if reading.holds else self.to_go(reading)

    @abstractmethod
    def to_go(self, reading: Reading) -> str:
        """The distance while it does not hold."""


class Directed(OfIndexes, Condition):
    """A condition that looks at the price of an index in one direction, or in both."""

    direction: Direction = Field("either", description="up, down or either")

    @property
    def ways(self) -> tuple[Way, ...]:
        return ("up", "down") if self.direction == "either" else (self.direction,)


def back(rule: Condition, threshold: float) -> float:
    """The bound below which a value that reached the threshold is over."""
    return threshold * (1 - rule.hysteresis / 100)


def clear_of(rule: Condition, level: float, way: Way) -> float:
    """The bound of a price that is on the other side of a level by the hysteresis: below it for "up", else above it."""
    return back(rule, level) if way == "up" else level * (1 + rule.hysteresis / 100)


def beside(rule: Condition, value: float, level: float, way: Way, *, touches: bool) -> Reading:
    """Is a price beyond a level? With `touches`, a price on the level counts too."""
    if way == "up":
        holds, over = value > level, value < clear_of(rule, level, way)
    else:
        holds, over = value < level, value > clear_of(rule, level, way)
    return Reading(value, level, holds | (touches & (value == level)), over, level)


def away(reading: Reading) -> str:
    gap = abs(reading.threshold - reading.value)
    return f"{number(gap)} ({percent(100 * gap / reading.value)}) away"


def number(value: float) -> str:
    """A number with at most two decimals from 1 on, and with six significant digits below."""
    return f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.6g}"


def percent(value: float) -> str:
    return f"{number(value) if abs(value) >= 1 else f'{value:.2g}'} %"


def slots(number: float) -> str:
    return "1 slot" if number == 1 else f"{number:,.0f} slots"
