"""What a rule watches for: a condition, read off the tape of an index.

A rule that looks both ways is two conditions. A condition holds once its value has reached its threshold, and is over
when the value has gone back by the rule's hysteresis, in percent of the threshold: in between, nothing changes. So a
price that dances on a level sets off one alert.
"""

import math
from abc import abstractmethod
from datetime import timedelta
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from .rules import LONGEST_LENGTH, Length, Rule
from .tape import Tape

Way = Literal["up", "down", ""]
"""Where a condition looks; kinds that have no direction look nowhere."""

Direction = Literal["up", "down", "either"]

A_LENGTH = "a length of time such as 90s, 15m, 4h or 7d"


class Reading(NamedTuple):
    """How a condition stands.

    Attributes:
        value, threshold: in the unit of the rule.
        holds: the value has reached the threshold.
        over: it is away from it by the hysteresis.
        reference: the price that this one is compared with; NaN where there is none.
    """

    value: float
    threshold: float
    holds: bool
    over: bool
    reference: float = math.nan


class Condition(Rule):
    """A rule of something that holds or is over; it fires once each time that it begins to hold."""

    by_tick: ClassVar[bool] = True
    """Judged by each tick, else by each slot, whether it brought one or not."""

    from_outset: ClassVar[bool] = True
    """It fires even if it holds when it is looked at for the first time."""

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
        """So far back prices are needed."""
        return timedelta(0)

    @abstractmethod
    def words(self, way: Way) -> str:
        """The condition in words, by which it is also told from others."""

    @abstractmethod
    def read(self, tape: Tape, way: Way) -> Reading | None:
        """How it stands; None where too little is known."""

    @abstractmethod
    def told(self, tape: Tape, way: Way, reading: Reading) -> str:
        """What happened when it fired, in one line."""

    @abstractmethod
    def progress(self, reading: Reading) -> str:
        """How far it is, such as "1.2 % of 3 %"."""

    def distance(self, reading: Reading) -> str:
        """How far it is from firing, such as "1.8 % to go"."""
        return "holds" if reading.holds else self.to_go(reading)

    @abstractmethod
    def to_go(self, reading: Reading) -> str:
        """The distance while it does not hold."""


class Directed(Condition):
    direction: Direction = Field("either", description="up, down or either")

    @property
    def ways(self) -> tuple[Way, ...]:
        return ("up", "down") if self.direction == "either" else (self.direction,)


def back(rule: Condition, threshold: float) -> float:
    """Below this, what reached the threshold is over."""
    return threshold * (1 - rule.hysteresis / 100)


def beside(rule: Condition, value: float, level: float, way: Way, *, touches: bool) -> Reading:
    """Is a price beyond a level, or on it where touching it is enough?"""
    if way == "up":
        holds, over = value > level, value < back(rule, level)
    else:
        holds, over = value < level, value > level * (1 + rule.hysteresis / 100)
    return Reading(value, level, holds | (touches & (value == level)), over, level)


def away(reading: Reading) -> str:
    gap = abs(reading.threshold - reading.value)
    return f"{number(gap)} ({percent(100 * gap / reading.value)}) away"


def number(value: float) -> str:
    """With at most two decimals from 1 on, else with six significant digits."""
    return f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.6g}"


def percent(value: float) -> str:
    return f"{number(value) if abs(value) >= 1 else f'{value:.2g}'} %"


def slots(number: float) -> str:
    return "1 slot" if number == 1 else f"{number:,.0f} slots"
