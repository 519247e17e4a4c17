"""The kinds of rules that watch the price."""

import math
from datetime import timedelta
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from store.instants import MINUTE
from store.words import price, span

from .condition import A_LENGTH, Condition, Directed, Reading, Way, away, back, beside, number, percent
from .rules import LONGEST, Length, OfIndexes
from .tape import Tape


class Move(Directed):
    """The price moved by a threshold within a window, up from the window's low or down from its high."""

    kind: Literal["move"]
    percent: float | None = Field(None, description="a number above 0, in percent", strict=True, gt=0)
    amount: float | None = Field(None, description="a number above 0, in the quote currency", strict=True, gt=0)
    within: Length = Field(description=f"{A_LENGTH}, up to 30d", gt=timedelta(0), le=LONGEST)
    hysteresis: float = Field(
        25, description="a number from 0 to 99, in percent of the threshold", strict=True, ge=0, le=99
    )

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("needs percent or amount, and not both")
        return self

    @property
    def looks_back(self) -> timedelta:
        return self.within

    def words(self, way: Way) -> str:
        return f"{'rises' if way == 'up' else 'falls'} {self._shown(self._threshold)} within {span(self.within)}"

    def read(self, tape: Tape, way: Way) -> Reading:
        reference = tape.lowest(self.within) if way == "up" else tape.highest(self.within)
        low, high = (reference, tape.price) if way == "up" else (tape.price, reference)
        if self.percent is None:
            value = high - low
        else:
            value = 100 * (high / low - 1) if way == "up" else 100 * (1 - low / high)
        threshold = self._threshold
        return Reading(value, threshold, value >= threshold, value < back(self, threshold), reference)

    def event_text(self, tape: Tape, way: Way, reading: Reading) -> str:
        moved = "rose" if way == "up" else "fell"
        return (
            f"{moved} {self._shown(reading.value)} within {span(self.within)}, from {price(reading.reference)} to "
            f"{price(tape.price)}"
        )

    def progress(self, reading: Reading) -> str:
        return f"{self._shown(reading.value)} of {self._shown(reading.threshold)}"

    def to_go(self, reading: Reading) -> str:
        return f"{self._shown(reading.threshold - reading.value)} to go"

    @property
    def _threshold(self) -> float:
        return self.percent or self.amount or math.nan

    def _shown(self, value: float) -> str:
        return percent(value) if self.percent is not None else number(value)


class Level(Directed):
    """The price crossed a level. A price that is beyond it from the start is no crossing."""

    from_outset: ClassVar[bool] = False

    kind: Literal["level"]
    indexes: tuple[str, ...] = Field(description="a list of recorded index names", min_length=1)
    price: float = Field(description="a price above 0, in the quote currency", strict=True, gt=0)
    hysteresis: float = Field(
        0.1, description="a number from 0 to 99, in percent of the level", strict=True, ge=0, le=99
    )

    def words(self, way: Way) -> str:
        return f"crosses {number(self.price)} {'upwards' if way == 'up' else 'downwards'}"

    def read(self, tape: Tape, way: Way) -> Reading:
        return beside(self, tape.price, self.price, way, touches=True)

    def event_text(self, tape: Tape, way: Way, reading: Reading) -> str:
        return f"crossed {number(self.price)} {'upwards' if way == 'up' else 'downwards'}: {price(tape.price)}"

    def progress(self, reading: Reading) -> str:
        return price(reading.value)

    def to_go(self, reading: Reading) -> str:
        return away(reading)


class RangeBreak(Directed):
    """The price went above the high, or below the low, of the hours before. An observation before them is needed."""

    kind: Literal["range_break"]
    hours: float = Field(description="a number above 0 and up to 720", strict=True, gt=0, le=720)
    hysteresis: float = Field(
        0.1, description="a number from 0 to 99, in percent of the high or low", strict=True, ge=0, le=99
    )

    @property
    def looks_back(self) -> timedelta:
        return timedelta(hours=self.hours)

    def words(self, way: Way) -> str:
        return f"breaks the {'high' if way == 'up' else 'low'} of {number(self.hours)} h"

    def read(self, tape: Tape, way: Way) -> Reading | None:
        before = tape.range_before(self.looks_back)
        if before is None:
            return None
        low, high = before
        return beside(self, tape.price, high if way == "up" else low, way, touches=False)

    def event_text(self, tape: Tape, way: Way, reading: Reading) -> str:
        where = "above the high" if way == "up" else "below the low"
        return f"broke {where} of {number(self.hours)} h, {price(reading.threshold)}: {price(tape.price)}"

    def progress(self, reading: Reading) -> str:
        return f"{price(reading.value)} against {price(reading.threshold)}"

    def to_go(self, reading: Reading) -> str:
        return away(reading)


class Volatility(OfIndexes, Condition):
    """Realised volatility of the minutes' closes is above a percentage a year."""

    kind: Literal["volatility"]
    above: float = Field(description="a number above 0, in percent a year", strict=True, gt=0)
    over: Length = Field(description=f"{A_LENGTH}, from 10m to 30d", ge=10 * MINUTE, le=LONGEST)
    hysteresis: float = Field(
        10, description="a number from 0 to 99, in percent of the threshold", strict=True, ge=0, le=99
    )

    @property
    def looks_back(self) -> timedelta:
        return self.over + MINUTE

    def words(self, way: Way) -> str:
        return f"volatility over {span(self.over)} above {percent(self.above)}"

    def read(self, tape: Tape, way: Way) -> Reading | None:
        value = tape.volatility(self.over)
        if value is None:
            return None
        return Reading(value, self.above, value > self.above, value < back(self, self.above))

    def event_text(self, tape: Tape, way: Way, reading: Reading) -> str:
        shown = f"{percent(reading.value)} a year, above {percent(self.above)}"
        return f"realised volatility over {span(self.over)} is {shown}"

    def progress(self, reading: Reading) -> str:
        return f"{percent(reading.value)} of {percent(reading.threshold)}"

    def to_go(self, reading: Reading) -> str:
        return f"{percent(reading.threshold - reading.value)} to go"
