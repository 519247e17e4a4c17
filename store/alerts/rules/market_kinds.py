"""The kinds of rules that watch a number of a market: DVOL, IV, skew, basis, funding, open interest."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from store.instants import DAY, HOUR
from store.kinds import FUNDING, FUTURES, OPTIONS, TENORS_D, VOLATILITY_INDEX, Kind
from store.words import span

from .bounded import Bounded, OfMarket, Series
from .condition import A_LENGTH, Direction, Reading, Way, back, number, percent
from .rules import LONGEST, LONGEST_LENGTH, Length
from .tape import Tape


def _of_surfaces(tenor: timedelta) -> timedelta:
    if tenor not in [timedelta(days=days) for days in TENORS_D]:
        raise ValueError("not a tenor")
    return tenor


Tenor = Annotated[Length, AfterValidator(_of_surfaces)]
"""A constant maturity that surfaces have."""


def _of_whole_hours(length: timedelta) -> timedelta:
    if length % HOUR:
        raise ValueError("not whole hours")
    return length


Hours = Annotated[Length, AfterValidator(_of_whole_hours)]

_TENOR = f"one of {', '.join(f'{days}d' for days in TENORS_D)}"


class Dvol(Bounded):
    """DVOL, by the close of each minute's candle."""

    kind: Literal["dvol"]

    @property
    def brings(self) -> Kind:
        return VOLATILITY_INDEX

    @property
    def noun(self) -> str:
        return "DVOL"

    def series(self, feed: str) -> Series:
        return Series(feed, "dvol")


class ImpliedVolatility(Bounded):
    """IV at the forward at a constant maturity, by each chain."""

    kind: Literal["iv"]
    tenor: Tenor = Field(description=_TENOR)

    @property
    def noun(self) -> str:
        return f"IV at {span(self.tenor)}"

    @property
    def brings(self) -> Kind:
        return OPTIONS

    def series(self, feed: str) -> Series:
        return Series(feed, "iv", self.tenor)


class Skew(Bounded):
    """The risk reversal of 25 delta at a constant maturity, by each chain: IV of the call less IV of the put."""

    in_points: ClassVar[bool] = True

    kind: Literal["skew"]
    tenor: Tenor = Field(description=_TENOR)
    above: float | None = Field(None, description="a number, in points", strict=True)
    below: float | None = Field(None, description="a number, in points", strict=True)
    hysteresis: float = Field(0.5, description="a number from 0 on, in points; below change", strict=True, ge=0)

    @property
    def noun(self) -> str:
        return f"skew (RR25) at {span(self.tenor)}"

    @property
    def brings(self) -> Kind:
        return OPTIONS

    def series(self, feed: str) -> Series:
        return Series(feed, "rr25", self.tenor)


class AnnualBasis(Bounded):
    """The annual basis of futures at a constant maturity, by each snapshot."""

    kind: Literal["basis"]
    tenor: Length = Field(description="a length of time such as 30d or 90d, from 1d to 365d", ge=DAY, le=LONGEST_LENGTH)

    @property
    def noun(self) -> str:
        return f"basis at {span(self.tenor)}"

    @property
    def brings(self) -> Kind:
        return FUTURES

    def series(self, feed: str) -> Series:
        return Series(feed, "basis", self.tenor)


class AnnualFunding(Bounded):
    """The funding of the perpetual over a window, as a simple annual rate, by each hour."""

    kind: Literal["funding"]
    over: Hours = Field(description="whole hours such as 8h or 7d, from 1h to 30d", ge=HOUR, le=LONGEST)

    @property
    def noun(self) -> str:
        return f"funding over {span(self.over)}"

    @property
    def brings(self) -> Kind:
        return FUNDING

    def feed_of(self, currency: str) -> str:
        return FUNDING.feed(f"{currency}-PERPETUAL")

    def series(self, feed: str) -> Series:
        return Series(feed, "funding", self.over)


class OpenInterest(OfMarket):
    """Open interest changed by a percentage within a window: up from its low or down from its high."""

    kind: Literal["open_interest"]
    of: Literal["options", "futures", "perpetual"] = Field(description="options, futures or perpetual")
    percent: float = Field(description="a number above 0, in percent", strict=True, gt=0)
    within: Length = Field(description=f"{A_LENGTH}, up to 30d", gt=timedelta(0), le=LONGEST)
    direction: Direction = Field("either", description="up, down or either")
    hysteresis: float = Field(
        25, description="a number from 0 to 99, in percent of the threshold", strict=True, ge=0, le=99
    )

    @property
    def ways(self) -> tuple[Way, ...]:
        return ("up", "down") if self.direction == "either" else (self.direction,)

    @property
    def looks_back(self) -> timedelta:
        return self.within

    @property
    def noun(self) -> str:
        return f"open interest of {'the perpetual' if self.of == 'perpetual' else self.of}"

    @property
    def brings(self) -> Kind:
        return OPTIONS if self.of == "options" else FUTURES

    @property
    def unit(self) -> str:
        return "coin" if self.of == "options" else "USD"

    def series(self, feed: str) -> Series:
        return Series(feed, f"open interest of {self.of}")

    def words(self, way: Way) -> str:
        return f"{self.noun} {'rises' if way == 'up' else 'falls'} {percent(self.percent)} within {span(self.within)}"

    def read(self, tape: Tape, way: Way) -> Reading:
        reference = tape.lowest(self.within) if way == "up" else tape.highest(self.within)
        value = 100 * (tape.price / reference - 1) if way == "up" else 100 * (1 - tape.price / reference)
        return Reading(value, self.percent, value >= self.percent, value < back(self, self.percent), reference)

    def event_text(self, tape: Tape, way: Way, reading: Reading) -> str:
        moved = f"{'rose' if way == 'up' else 'fell'} {percent(reading.value)} within {span(self.within)}"
        ends = f"from {number(reading.reference)} to {number(tape.price)} {self.unit}"
        return f"{self.noun} {moved}, {ends}: {self.came(tape)}"

    def progress(self, reading: Reading) -> str:
        return f"{percent(reading.value)} of {percent(reading.threshold)}"

    def to_go(self, reading: Reading) -> str:
        return f"{percent(reading.threshold - reading.value)} to go"
