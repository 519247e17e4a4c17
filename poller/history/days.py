"""Loads the days of futures before recording began: the exchange's candles of a day, once for each future."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from poller.exchange.errors import ExchangeError, RefusedError
from poller.exchange.market.candles import DAYS_OPEN, candles
from poller.exchange.market.entries import Entries, floor
from store.file.database import Cursor
from store.instants import DAY
from store.kinds import FUTURES
from store.market import days
from store.market.days import Day, Listed
from store.models import Source

from .parts import Parts
from .storing import STORE_WAIT_S
from .tries import Try

log = logging.getLogger("tickwell.history")

_BEGINS = datetime(2018, 8, 13, tzinfo=UTC) + DAYS_OPEN
"""The exchange listed its first perpetual on 2018-08-13."""

PAGE = 500 * DAY
"""The time that one request asks for. A dated future is listed for a year at most, so one page has all its days."""


@dataclass(slots=True)
class _Future:
    """The pages of days that the exchange is still to be asked for, ascending, and when it may be asked."""

    name: str
    pages: list[tuple[datetime, datetime]]
    tried: Try


class Days:
    """Asks for the days of futures, and stores them.

    Args:
        parts: of the backfill.
        clock: of the client.
    """

    def __init__(self, parts: Parts, clock: Callable[[], datetime]) -> None:
        self._parts, self._clock = parts, clock
        self._futures: dict[str, list[_Future]] = {}

    async def load(self, feeds: Iterable[str]) -> None:
        """Load the days of feeds of futures that are not known yet, page by page, up to a page that fails for now.

        A page is stored at once, so a stop loses none. The future of a page that fails waits, and the next round goes
        on with the others. A future that is refused is left out in the life of this object. A feed without a snapshot
        has its turn in a later round.
        """
        due = [future for feed in feeds for future in await self._due(feed)]
        number, total = 0, sum(len(future.pages) for future in due)
        for future in due:
            while future.pages:
                number += 1
                self._parts.tell("loading days of futures", number, total)
                await self._parts.pause()
                if not await self._load(future):
                    return
        if due:
            log.info("the days of %d futures before recording began are loaded", len(due))

    async def _due(self, feed: str) -> list[_Future]:
        if feed not in self._futures:
            found = await self._parts.undisturbed(f"days of {feed}", partial(self._look, feed))
            if found is None:
                return []
            self._futures[feed] = found
        now = self._clock()
        return [future for future in self._futures[feed] if future.pages and future.tried.again_at <= now]

    def _look(self, feed: str) -> list[_Future] | None:
        """The futures of a feed whose days are wanted; None without a snapshot."""
        now = self._clock()
        with self._parts.database.read(STORE_WAIT_S) as cursor:
            found = days.beginning(cursor, FUTURES.end(feed), now)
        if found is None:
            return None
        end = floor(found.at, DAY, DAYS_OPEN)
        return [_Future(each.instrument_name, [*_pages(each, end)], Try(0, now)) for each in found.listed]

    async def _load(self, future: _Future) -> bool:
        """Load the next page of a future; return whether it needs no further try."""
        start, end = future.pages[0]
        what = f"days of {future.name}"
        try:
            entries: Entries = await self._parts.asking.until_answered(
                what, partial(candles, self._parts.client, future.name, start, end, DAY)
            )
        except RefusedError as error:
            log.warning("%s, are left out: %s", what, error)
            future.pages.clear()
        except ExchangeError as error:
            log.warning("%s, are left out for now: %s", what, error)
            future.tried = future.tried.failed(self._clock())
            return False
        else:
            append = partial(_append, future.name, entries)
            await self._parts.undisturbed(what, partial(self._parts.storing.append, append))
            del future.pages[0]
        return True


def _pages(future: Listed, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    start = future.asked_to or (_BEGINS if future.expiry is None else end - PAGE)
    while start < end:
        yield start, min(end, start + PAGE)
        start += PAGE


def _append(name: str, entries: Entries, cursor: Cursor, source: Source) -> None:
    found = [Day(opened, closed, volume, cost) for opened, _, _, _, closed, volume, cost in entries.rows]
    days.append(cursor, name, found, entries.complete_to, source)
