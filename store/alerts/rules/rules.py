"""The rules of alerts.toml: checked, with one clear line for each mistake.

All rules share whom they concern and whom they disturb (`Rule`); what each kind watches for is in `kinds`.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Literal
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

Severity = Literal["info", "warning", "critical"]

LONGEST = timedelta(days=30)
"""No rule looks further back."""

LONGEST_LENGTH = timedelta(days=365)
"""No length of time in a rule is longer."""

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
    """Hours in which nobody is disturbed: an event waits until they end. They may span midnight."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    from_: Annotated[time, BeforeValidator(_clock)] = Field(alias="from", description="a time of day such as 22:00")
    to: Annotated[time, BeforeValidator(_clock)] = Field(description="a time of day such as 07:30")
    zone: Annotated[ZoneInfo, PlainValidator(_zone), PlainSerializer(str)] = Field(
        description="the name of a time zone such as Europe/Berlin or UTC"
    )

    def ends_after(self, at: datetime) -> datetime:
        """When somebody may be disturbed, at the earliest: at once, or when the quiet hours are over.

        An hour that the clocks repeat has their end twice. One that the clocks skip has no end: then the quiet is over
        as long after the skipped hour as the end would have been in it.
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
    """What all rules have; the description of a field says what may stand in it.

    `notify` is None where NOTIFY_URLS are told. It is a secret, and no part of what is stored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(description="a name of its own, of 1 to 80 letters", min_length=1, max_length=80, strict=True)
    indexes: tuple[str, ...] = Field((), description="a list of recorded index names; all of them without it")
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

    def send_after(self, at: datetime) -> datetime:
        """When an event of a time may be told, at the earliest."""
        return self.quiet.ends_after(at) if self.quiet else at


def named(urls: Sequence[SecretStr], rule: str = "") -> dict[str, SecretStr]:
    """Addresses by names that tell nothing of them: their service, such as "tgram", and a number from the second on.

    Those that a rule has by itself carry its name.
    """
    found: dict[str, SecretStr] = {}
    counts: dict[str, int] = {}
    for url in urls:
        service = url.get_secret_value().partition("://")[0].lower()
        counts[service] = counts.get(service, 0) + 1
        name = service if counts[service] == 1 else f"{service} {counts[service]}"
        found[f"{name} of {rule}" if rule else name] = url
    return found
