"""Heals the gaps of futures by the exchange's candles of trades: the last traded price of each minute."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from poller.exchange.errors import ExchangeError, RefusedError
from poller.exchange.market.candles import MOST_CANDLES, candles
from poller.exchange.market.entries import Entries, floor
from store.file.database import Cursor
from store.instants import MINUTE
from store.kinds import FUTURES
from store.market import trades
from store.market.instruments import future_of
from store.market.trades import Trade
from store.models import Gap, Source

from .parts import Parts
from .storing import STORE_WAIT_S

log = logging.getLogger("tickwell.history")

_LONGEST = MOST_CANDLES * MINUTE

# After so many tries at a gap, an instrument that still fails costs the others no healing.
_PATIENCE = 3


class Window(NamedTuple):
    """Time to ask for in one request an instrument, in whole minutes, and the gaps that reach into it."""

    start: datetime
    end: datetime
    gaps: tuple[Gap, ...]

    def needs(self, minute: datetime) -> bool:
        """Is a minute in a gap, or beside one? A candle also heals the slots of the minute beside it."""
        return any(gap.start - 2 * MINUTE < minute < gap.end + MINUTE for gap in self.gaps)

    def lost(self, complete_to: datetime, start: datetime, end: datetime) -> bool:
        """Is the rest of a gap, which no candle healed, unfillable? The candles are known up to `complete_to`."""
        return any(gap.start <= start and end <= min(gap.end, complete_to) for gap in self.gaps)


class Trades:
    """Asks for candles of futures, and heals gaps with them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def heal(
        self, feed: str, due: Sequence[Gap], tried: Callable[[Gap], int]
    ) -> tuple[list[Gap], list[ExchangeError]]:
        """Heal gaps of a feed, ascending, window by window, up to a window that fails for now.

        The candles of a window are stored together, once all its instruments are answered or refused. An instrument
        that is refused is left out: it has expired, or it was never listed.

        Returns:
            What became of gaps, piece by piece, and the errors of the window that failed.
        """
        healed: list[Gap] = []
        for window in windows(due):
            patient = any(tried(gap) < _PATIENCE for gap in window.gaps)
            names = await self._parts.undisturbed(f"futures of {feed}", partial(self._listed, feed, window))
            found, complete_to, failures = await self._ask(feed, names, window, patient=patient)
            if failures and (patient or not found):
                return healed, failures
            store = partial(self._store, feed, found, complete_to, window)
            stored, became = await self._parts.undisturbed(f"trades of {feed}", store)
            log.info("trades of %s: %d minutes stored, %d pieces of gaps healed or given up", feed, stored, len(became))
            healed += became
        return healed, []

    def _listed(self, feed: str, window: Window) -> list[str]:
        """The instruments to ask for. Without any snapshot the perpetual tells whether there is such a market."""
        currency = FUTURES.end(feed)
        with self._parts.database.read(STORE_WAIT_S) as cursor:
            names = trades.listed_around(cursor, currency, window.gaps[0].start, window.gaps[-1].end)
        return names or [f"{currency}-PERPETUAL"]

    def _store(self, feed: str, found: Sequence[Trade], complete_to: datetime, window: Window) -> tuple[int, list[Gap]]:
        append = partial(_append, FUTURES.end(feed), found)
        lost = partial(window.lost, complete_to)
        return self._parts.storing.store(feed, append, lost, start=window.gaps[0].start, end=window.end)

    async def _ask(
        self, feed: str, names: Sequence[str], window: Window, *, patient: bool
    ) -> tuple[list[Trade], datetime, list[ExchangeError]]:
        """The trades of a window, the time up to which they are complete, and what failed for now.

        With `patient` the first failure ends it: the whole window is asked for again later.
        """
        found: list[Trade] = []
        failures: list[ExchangeError] = []
        complete_to = window.end
        for number, name in enumerate(names, 1):
            self._parts.tell(f"healing gaps of {feed}", number, len(names))
            await self._parts.pause()
            what = f"trades of {name}"
            ask = partial(candles, self._parts.client, name, window.start, window.end, MINUTE)
            try:
                entries: Entries = await self._parts.asking.until_answered(what, ask)
            except RefusedError as error:
                log.warning("%s, are left out: %s", what, error)
            except ExchangeError as error:
                log.warning("%s, are left out for now: %s", what, error)
                failures.append(error)
                if patient:
                    break
            else:
                complete_to = min(complete_to, entries.complete_to)
                found += _trades(name, entries, window)
        return found, complete_to, failures


def windows(gaps: Iterable[Gap]) -> Iterator[Window]:
    """The time of ascending gaps, with a minute beside each, in windows that one request takes."""
    window: Window | None = None
    for gap in gaps:
        for start, end in _parts(gap):
            if window is not None and end - window.start <= _LONGEST:
                window = Window(window.start, max(window.end, end), (*window.gaps, gap))
                continue
            if window is not None:
                yield window
            window = Window(start, end, (gap,))
    if window is not None:
        yield window


def _parts(gap: Gap) -> Iterator[tuple[datetime, datetime]]:
    start, end = floor(gap.start, MINUTE) - MINUTE, floor(gap.end, MINUTE) + 2 * MINUTE
    while start < end:
        yield start, min(end, start + _LONGEST)
        start += _LONGEST


def _trades(name: str, entries: Entries, window: Window) -> Iterator[Trade]:
    """The last trades of the minutes that a window needs, up to the expiry."""
    expiry = future_of(name).expiry
    for opened, _, _, _, closed, *_ in entries.rows:
        if window.needs(opened) and (expiry is None or opened < expiry):
            yield Trade(name, expiry, opened, closed)


def _append(currency: str, found: Sequence[Trade], cursor: Cursor, source: Source) -> int:
    return len(trades.append(cursor, currency, found, source))
