"""What the kinds of rules share that watch a number of a market: their currencies, and limits in points."""

from abc import abstractmethod
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import ClassVar, NamedTuple, Self

from pydantic import Field, model_validator

from settings import PREFIX
from store.kinds import FUNDING, FUTURES, OPTIONS, VOLATILITY_INDEX, Kind
from store.words import span

from .condition import A_LENGTH, Condition, Direction, Reading, Way
from .rules import LONGEST, Length
from .tape import Tape

_NO_MARKETS = f"{PREFIX}MARKETS names no currency"
_NO_CHAINS = f"{_NO_MARKETS}, or {PREFIX}OPTIONS_SECONDS is 0"

_CAME = {VOLATILITY_INDEX: "candle up to", OPTIONS: "chain of", FUTURES: "futures of", FUNDING: "hours up to"}
"""What brings a value, before the time of the value."""


class Series(NamedTuple):
    """A number of a market over time.

    Attributes:
        feed: the feed that brings it, such as "options/BTC".
        number: which number: "dvol", "iv", "rr25", "basis", "funding", or "open interest" and of what.
        length: its maturity, or the window that it is taken over; 0 without one.
    """

    feed: str
    number: str
    length: timedelta = timedelta(0)

    @property
    def currency(self) -> str:
        """The currency of its market, such as "BTC"."""
        return currency_of(self.feed)


def currency_of(feed: str) -> str:
    """The currency of a market's feed, such as "BTC" of "funding/BTC-PERPETUAL"."""
    return feed.partition("/")[2].partition("-")[0]


class OfMarket(Condition):
    """A condition of a number of each of some currencies."""

    currencies: tuple[str, ...] = Field((), description="a list of recorded currencies; all of them if left out")

    @property
    @abstractmethod
    def brings(self) -> Kind:
        """The kind of the feeds that bring the number."""

    @property
    @abstractmethod
    def noun(self) -> str:
        """What the number is, such as "IV at 30 d"."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """The unit of its values, such as "%"."""

    @abstractmethod
    def series(self, feed: str) -> Series:
        """The number that the condition watches on a feed."""

    def feed_of(self, currency: str) -> str:
        """The feed that brings the number of a currency."""
        return self.brings.feed(currency)

    def watched(self, feeds: Collection[str]) -> tuple[str, ...]:
        return tuple(
            feed for feed in self._offered(feeds) if not self.currencies or currency_of(feed) in self.currencies
        )

    def faults(self, feeds: Collection[str]) -> Iterator[str]:
        offered = [currency_of(feed) for feed in self._offered(feeds)]
        if not offered:
            yield f"{self.noun} is not recorded: {_NO_CHAINS if self.brings is OPTIONS else _NO_MARKETS}"
            return
        for currency in self.currencies:
            if currency not in offered:
                yield f"currencies names {currency}, must be among {', '.join(offered)}"

    def about(self, feed: str) -> str:
        return currency_of(feed)

    def _offered(self, feeds: Collection[str]) -> list[str]:
        return [feed for feed in feeds if feed == self.feed_of(currency_of(feed))]

    def came(self, tape: Tape) -> str:
        """What brought the newest value, with its time."""
        return f"{_CAME[self.brings]} {tape.ts:%Y-%m-%d %H:%M:%S} UTC"


class Bounded(OfMarket):
    """The number is above or below a limit, or changed within a window: up from its low or down from its high."""

    in_points: ClassVar[bool] = False
    """Is the number in points? Otherwise it is in percent a year."""

    above: float | None = Field(None, description="a number, in percent a year", strict=True)
    below: float | None = Field(None, description="a number, in percent a year", strict=True)
    change: float | None = Field(None, description="a number above 0, in points", strict=True, gt=0)
    within: Length | None = Field(None, description=f"{A_LENGTH}, up to 30d", gt=timedelta(0), le=LONGEST)
    direction: Direction = Field("either", description="up, down or either")
    hysteresis: float = Field(1, description="a number from 0 on, in points; below change", strict=True, ge=0)

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if [self.above, self.below, self.change].count(None) != 2:
            raise ValueError("needs above, below or change, and one of them alone")
        if (self.change is None) != (self.within is None):
            raise ValueError("needs within with change, and not without it")
        if self.change is None and self.direction != "either":
            raise ValueError("needs direction with change alone")
        if self.change is not None and self.hysteresis >= self.change:
            raise ValueError(f"hysteresis = {self.hysteresis:g}, must be below change, {self.change:g}")
        return self

    @property
    def ways(self) -> tuple[Way, ...]:
        if self.change is None:
            return ("down",) if self.above is None else ("up",)
        return ("up", "down") if self.direction == "either" else (self.direction,)

    @property
    def unit(self) -> str:
        return "points" if self.in_points else "%"

    @property
    def looks_back(self) -> timedelta:
        return self.within or timedelta(0)

    def words(self, way: Way) -> str:
        if self.within is None:
            return f"{self.noun} {_beyond(way)} {self._shown(self._limit)}"
        return f"{self.noun} {'rises' if way == 'up' else 'falls'} {points(self._limit)} within {span(self.within)}"

    def read(self, tape: Tape, way: Way) -> Reading:
        limit, value = self._limit, tape.price
        if self.within is not None:
            reference = tape.lowest(self.within) if way == "up" else tape.highest(self.within)
            moved = value - reference if way == "up" else reference - value
            return Reading(moved, limit, moved >= limit, moved < limit - self.hysteresis, reference)
        if way == "up":
            return Reading(value, limit, value > limit, value < limit - self.hysteresis)
        return Reading(value, limit, value < limit, value > limit + self.hysteresis)

    def event_text(self, tape: Tape, way: Way, reading: Reading) -> str:
        if self.within is None:
            limit = f"{_beyond(way)} {self._shown(reading.threshold)}"
            return f"{self.noun} is {self._shown(reading.value)}, {limit}: {self.came(tape)}"
        moved = f"{'rose' if way == 'up' else 'fell'} {points(reading.value)} within {span(self.within)}"
        ends = f"from {self._shown(reading.reference)} to {self._shown(tape.price)}"
        return f"{self.noun} {moved}, {ends}: {self.came(tape)}"

    def progress(self, reading: Reading) -> str:
        if self.within is None:
            unit = "" if self.in_points else " %"
            return f"{_hundredths(reading.value)}{unit} against {_hundredths(reading.threshold)}{unit}"
        return f"{points(reading.value)} of {points(reading.threshold)}"

    def to_go(self, reading: Reading) -> str:
        return f"{points(abs(reading.threshold - reading.value))} to go"

    @property
    def _limit(self) -> float:
        return next(each for each in (self.above, self.below, self.change) if each is not None)

    def _shown(self, value: float) -> str:
        return points(value) if self.in_points else f"{_hundredths(value)} % a year"


def points(value: float) -> str:
    """A difference of two percentages."""
    shown = _hundredths(value)
    return f"{shown} point" if shown == "1" else f"{shown} points"


def _hundredths(value: float) -> str:
    """A number to two decimals, without zeros at its end."""
    return f"{value:z,.2f}".rstrip("0").rstrip(".")


def _beyond(way: Way) -> str:
    return "above" if way == "up" else "below"
