"""The rules of alerts.toml, checked, with one clear line for each mistake.

`Rule` has what all rules share, such as whom they notify. `kinds` has what each kind watches.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    field_validator,
)

from settings import is_notify_url
from store.kinds import FUTURES, OPTIONS, TICKS, kind_of
from store.words import pair

Severity = Literal["info", "warning", "critical"]

LONGEST = timedelta(days=30)
"""The longest time that a rule looks back."""

LONGEST_LENGTH = timedelta(days=365)
"""The longest time in a rule."""

_LENGTH = re.compile(r"(\d{1,9})\s*(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _length(value: Any) -> timedelta:
    written = _LENGTH.fullmatch(value.strip()) if isinstance(value, str) else None
    if written is None:
        raise ValueError("not a length of time")
    return timedelta(**{_UNITS[written[2]]: int(written[1])})


def _zone(value: Any) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise ValueError("not a time zone") from error


def _clock(value: Any) -> time:
    if isinstance(value, time):
        return value.replace(tzinfo=None)
    try:
        return time.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise ValueError("not a time of day") from error


Length = Annotated[
    timedelta, BeforeValidator(_length), PlainSerializer(lambda length: f"{length // timedelta(seconds=1)}s")
]
"""A length of time, written as 90s, 15m, 4h or 7d."""


class Quiet(BaseModel):
    """Hours in which no message is sent: an event waits until they end. They may span midnight."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    from_: Annotated[time, BeforeValidator(_clock)] = Field(alias="from", description="a time of day such as 22:00")
    to: Annotated[time, BeforeValidator(_clock)] = Field(description="a time of day such as 07:30")
    zone: Annotated[ZoneInfo, PlainValidator(_zone), PlainSerializer(str)] = Field(
        description="the name of a time zone such as Europe/Berlin or UTC"
    )

    def ends_after(self, at: datetime) -> datetime:
        """The earliest time for a message: at once, or when the quiet hours are over.

        An hour that the clocks repeat has its end twice. An end within a skipped hour is moved: the quiet is over as
        long after the skipped hour as the end lies within it.
        """
        if not self._covers(at):
            return at
        today = at.astimezone(self.zone).date()
        ends = (
            datetime.combine(today + timedelta(days=days), self.to.replace(fold=fold), self.zone).astimezone(UTC)
            for days in range(3)
            for fold in (0, 1)
        )
        return min(end for end in ends if end > at and not self._covers(end))

    def _covers(self, at: datetime) -> bool:
        clock = at.astimezone(self.zone).time()
        if self.from_ <= self.to:
            return self.from_ <= clock < self.to
        return clock >= self.from_ or clock < self.to

    def __str__(self) -> str:
        return f"{self.from_:%H:%M} to {self.to:%H:%M}, {self.zone.key}"


class Rule(BaseModel):
    """The fields that all rules have; the description of a field says which values are allowed.

    `notify` is None for a rule that notifies NOTIFY_URLS. It is secret, and is never stored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    replays: ClassVar[bool] = True
    """Is what it watches kept, so that it can be replayed?"""

    name: str = Field(description="a unique name of 1 to 80 letters", min_length=1, max_length=80, strict=True)
    severity: Severity = Field("warning", description="info, warning or critical")
    quiet: Quiet | None = Field(None, description='a table such as { from = "22:00", to = "07:00", zone = "UTC" }')
    notify: tuple[SecretStr, ...] | None = Field(
        None, description="a list of addresses that apprise knows, such as ntfy://my-topic", exclude=True
    )

    @field_validator("notify")
    @classmethod
    def _addresses(cls, urls: tuple[SecretStr, ...] | None) -> tuple[SecretStr, ...] | None:
        if not all(map(is_notify_url, urls or ())):
            raise ValueError("not an address")
        return urls

    def about(self, feed: str) -> str:
        """A feed that it watches, as messages name it."""
        return pair(feed)

    def send_after(self, at: datetime) -> datetime:
        """The earliest time at which a message for an event at `at` may be sent."""
        return self.quiet.ends_after(at) if self.quiet else at


class OfIndexes(Rule):
    """A rule that watches indexes."""

    indexes: tuple[str, ...] = Field((), description="a list of recorded index names; all of them if left out")

    def watched(self, feeds: Collection[str]) -> tuple[str, ...]:
        """The names of those of the recorded feeds that it watches."""
        return tuple(feed for feed in feeds if (feed in self.indexes if self.indexes else kind_of(feed) is TICKS))

    def faults(self, feeds: Collection[str]) -> Iterator[str]:
        """A line for each name in it that is not recorded."""
        allowed = [feed for feed in feeds if self.may_watch(feed)]
        for name in self.indexes:
            if name not in allowed:
                yield f"indexes names {name}, must be among {', '.join(allowed)}"

    def may_watch(self, feed: str) -> bool:
        """May it name this feed?"""
        return kind_of(feed) is TICKS


class OfFeeds(OfIndexes):
    """A rule that watches the slots of indexes, and of the feeds of markets that it names."""

    indexes: tuple[str, ...] = Field(
        (), description="a list of recorded index names, or feeds such as options/BTC; all indexes if left out"
    )

    def may_watch(self, feed: str) -> bool:
        return kind_of(feed) in {TICKS, FUTURES, OPTIONS}


def named(urls: Sequence[SecretStr], rule: str = "") -> dict[str, SecretStr]:
    """Addresses by names that reveal nothing: their service, such as "tgram", and a number from the second one on.

    The addresses of one rule have the rule's name after them.
    """
    found: dict[str, SecretStr] = {}
    counts: dict[str, int] = {}
    for url in urls:
        service = url.get_secret_value().partition("://")[0].lower()
        counts[service] = counts.get(service, 0) + 1
        name = service if counts[service] == 1 else f"{service} {counts[service]}"
        found[f"{name} of {rule}" if rule else name] = url
    return found
