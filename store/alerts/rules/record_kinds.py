"""The kinds of rules that watch the record: slots that bring nothing, gaps that are closed, a lake that lags."""

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field

from store.instants import EVER, HOUR
from store.models import Gap
from store.words import duration, span

from .condition import A_LENGTH, Condition, Reading, Way, back, percent, slots
from .rules import LONGEST_LENGTH, Length, OfFeeds
from .tape import Tape

NO_FEED = ""
"""Stands for the name of a feed where a rule watches the record as a whole."""


class Stale(OfFeeds, Condition):
    """A number of slots passed since the newest tick or snapshot."""

    by_tick: ClassVar[bool] = False

    kind: Literal["stale"]
    slots: int = Field(description="a whole number above 0", gt=0, strict=True)

    def words(self, way: Way) -> str:
        return f"nothing for {slots(self.slots)}"

    def read(self, tape: Tape, way: Way) -> Reading:
        return Reading(tape.late, self.slots, tape.late >= self.slots, tape.late < self.slots)

    def event_text(self, tape: Tape, way: Way, reading: Reading) -> str:
        return f"nothing came for {slots(reading.value)}, {span(reading.value * tape.period)}: {_newest(tape)}"

    def progress(self, reading: Reading) -> str:
        return f"{reading.value:.0f} of {slots(reading.threshold)}"

    def to_go(self, reading: Reading) -> str:
        return f"{slots(reading.threshold - reading.value)} to go"


class LowCoverage(OfFeeds, Condition):
    """Too few of the slots that were due in the last hour brought something. A gap that is healed later counts too."""

    by_tick: ClassVar[bool] = False

    kind: Literal["coverage"]
    below: float = Field(description="a number above 0 and up to 100, in percent", strict=True, gt=0, le=100)
    hysteresis: float = Field(
        1, description="a number from 0 to 99, in percent of the threshold", strict=True, ge=0, le=99
    )

    def words(self, way: Way) -> str:
        return f"coverage of an hour under {percent(self.below)}"

    def read(self, tape: Tape, way: Way) -> Reading:
        value = tape.coverage()
        over = value >= min(100, self.below * (1 + self.hysteresis / 100))
        return Reading(value, self.below, value < self.below, over)

    def event_text(self, tape: Tape, way: Way, reading: Reading) -> str:
        missing = span(round((1 - reading.value / 100) * HOUR.total_seconds()) * timedelta(seconds=1))
        return f"coverage of the last hour is {percent(reading.value)}, under {percent(self.below)}: {missing} missing"

    def progress(self, reading: Reading) -> str:
        return f"{percent(reading.value)} against {percent(reading.threshold)}"

    def to_go(self, reading: Reading) -> str:
        return f"{percent(reading.value - reading.threshold)} to go"


class LakeLags(Condition):
    """What was recorded is not in the shared lake yet. A file that was never shared lags from the first look on."""

    by_tick: ClassVar[bool] = False
    replays: ClassVar[bool] = False

    kind: Literal["lake"]
    longer_than: Length = Field(
        description=f"{A_LENGTH}, from 3m on, up to 365d", ge=timedelta(minutes=3), le=LONGEST_LENGTH
    )
    hysteresis: float = Field(
        50, description="a number from 0 to 99, in percent of the threshold", strict=True, ge=0, le=99
    )

    def watched(self, feeds: Collection[str]) -> tuple[str, ...]:
        return (NO_FEED,)

    def faults(self, feeds: Collection[str]) -> Iterator[str]:
        yield from ()

    def about(self, feed: str) -> str:
        return "Lake"

    def words(self, way: Way) -> str:
        return f"not shared for {span(self.longer_than)}"

    def read(self, tape: Tape, way: Way) -> Reading:
        lag_s, limit_s = (tape.slot - tape.ts).total_seconds(), self.longer_than.total_seconds()
        return Reading(lag_s, limit_s, lag_s >= limit_s, lag_s < back(self, limit_s))

    def event_text(self, tape: Tape, way: Way, reading: Reading) -> str:
        if tape.since is None:
            return f"The record was not shared by the lake yet, for {_length(reading.value)}"
        return f"The record is shared up to {tape.since:%Y-%m-%d %H:%M:%S} UTC, {_length(reading.value)} ago"

    def progress(self, reading: Reading) -> str:
        return f"{_length(reading.value)} of {_length(reading.threshold)}"

    def to_go(self, reading: Reading) -> str:
        return f"{_length(reading.threshold - reading.value)} to go"


class GapClosed(OfFeeds):
    """A gap was healed, or became unfillable. Each time is an event of its own."""

    kind: Literal["gap"]
    indexes: tuple[str, ...] = Field(
        (), description="a list of recorded index names, or feeds such as options/BTC; all of both if left out"
    )
    becomes: Literal["healed", "unfillable", "either"] = Field("either", description="healed, unfillable or either")
    at_least: Length = Field(timedelta(0), description=f"{A_LENGTH}, up to 365d", le=LONGEST_LENGTH)

    def words(self) -> str:
        what = "healed or unfillable" if self.becomes == "either" else self.becomes
        return f"gap {what}" + (f", of {span(self.at_least)} or more" if self.at_least else "")

    def watched(self, feeds: Collection[str]) -> tuple[str, ...]:
        return tuple(feed for feed in feeds if (feed in self.indexes if self.indexes else self.may_watch(feed)))

    def concerns(self, gap: Gap) -> bool:
        return (
            bool(self.watched([gap.feed]))
            and self.becomes in {"either", gap.state}
            and gap.end - gap.start >= self.at_least
        )

    def event_text(self, gap: Gap) -> str:
        became = f"healed by {gap.healed_by}" if gap.state == "healed" else "can't be filled"
        return f"gap from {gap.start:%Y-%m-%d %H:%M:%S} to {gap.end:%Y-%m-%d %H:%M:%S} UTC {became}"


def _length(seconds: float) -> str:
    return duration(timedelta(seconds=seconds))


def _newest(tape: Tape) -> str:
    return "nothing ever came" if tape.ts is EVER else f"the newest is from {tape.ts:%Y-%m-%d %H:%M:%S} UTC"
