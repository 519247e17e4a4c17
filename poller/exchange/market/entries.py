"""A part of something's past that the exchange keeps, and how its rows are read."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from poller.exchange.errors import RejectedReplyError

log = logging.getLogger("tickwell.exchange")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entries:
    """The reply to a request for a log.

    Attributes:
        rows: the entries, as rows of the feed's table.
        complete_to: `rows` has all entries from the start of the request to this time.
    """

    rows: tuple[tuple[Any, ...], ...]
    complete_to: datetime


def read_each(rows: Iterable[object], read: Callable[[Any], T]) -> list[T]:
    """The rows of a reply that can be read. The others are left out, and the log says how many.

    Raises:
        RejectedReplyError: there are rows, but none of them can be read.
    """
    found, troubles = [], []
    for row in rows:
        try:
            found.append(read(row))
        except RejectedReplyError as error:
            troubles.append(error)
    if troubles and not found:
        raise troubles[0]
    if troubles:
        log.warning("left out %d of %d rows: %s", len(troubles), len(troubles) + len(found), troubles[0])
    return found


def ms(at: datetime) -> int:
    """An instant as the exchange takes it: whole milliseconds since 1970."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def ms_before(at: datetime) -> int:
    """The last whole millisecond before an instant."""
    return ms(at - timedelta(microseconds=1))


def floor(at: datetime, step: timedelta, offset: timedelta = timedelta(0)) -> datetime:
    """The last multiple of a step since 1970, moved by an offset, that is not after an instant."""
    return at - (at - EPOCH - offset) % step
