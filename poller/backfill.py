"""The first history: what the exchange still knows of an index from before it was recorded."""

import asyncio
import contextlib
import logging
import random
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import stamina

from settings import MAX_REQUESTS_PER_SECOND
from store import Database, StoreError, averages, utc_now

from .deribit import ChartPoint, ChartRange, DeribitClient
from .errors import PermanentError, TemporaryError
from .loop import in_thread

log = logging.getLogger("tickwell.history")

RANGES: tuple[ChartRange, ...] = ("1h", "1d", "2d", "1m", "1y", "all")

# Requests a second: what polling leaves of the budget, within these.
_MOST = 2.0
_LEAST = 0.2

# Less than a slot's own append waits, which then says who holds the file.
_STORE_WAIT_S = 0.2
_LONGEST_PAUSE_S = 60.0
_THREAD = "tickwell-history"

_until_it_works = stamina.AsyncRetryingCaller(attempts=None, timeout=None, wait_initial=1.0, wait_max=60.0)


@dataclass(frozen=True, slots=True)
class Chart:
    """The points of one reply, and the seconds that each of them is an average over."""

    resolution_s: int
    points: tuple[tuple[datetime, float], ...]


def spacing_s(indexes: int, poll_seconds: int) -> float:
    """Seconds between two requests, so that together with the polls they stay within the budget of the exchange."""
    left = MAX_REQUESTS_PER_SECOND - indexes / poll_seconds
    return 1 / min(max(left, _LEAST), _MOST)


async def _at_once() -> None:
    """Wait for nothing."""


async def first_history(
    client: DeribitClient,
    database: Database,
    index_names: Sequence[str],
    *,
    spacing_s: float,
    tell: Callable[[str], None],
    quiet: Callable[[], Awaitable[None]] = _at_once,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Fill each index that has no history yet with the exchange's averages, those of all ranges in one transaction.

    It goes on for as long as that takes: what fails for now, at the exchange or at the database, is tried again after
    growing waits. A range that is refused for good is left out. Cancel it to end it early: what was fetched of the
    index it was at is dropped then, and the next start fetches it again.

    Args:
        client: shared with the polls, pauses and all.
        database: with its tables.
        index_names: to look after, in this order.
        spacing_s: seconds between two requests, at least.
        tell: hears before each request how far it is, such as "loading history, 5 of 12".
        quiet: returns when a write of a tenth of a second disturbs nobody.
        clock: of the client.
    """
    again = _while_it_is(StoreError, "history")
    filled = await _until_it_works(again, in_thread, partial(_filled, database, index_names), _THREAD)
    missing = [name for name in index_names if name not in filled]
    for done, index_name in enumerate(missing):
        charts = []
        for number, chart_range in enumerate(RANGES, start=done * len(RANGES) + 1):
            tell(f"loading history, {number} of {len(missing) * len(RANGES)}")
            await asyncio.sleep(spacing_s)
            charts.append(await _chart(client, index_name, chart_range, clock))
        kept = [chart for chart in charts if chart is not None]
        again = _while_it_is(StoreError, f"history of {index_name}")
        stored = await _until_it_works(again, _keep, database, index_name, kept, quiet)
        log.info("history of %s: %s", index_name, _in_words(stored, kept))
    if missing:
        log.info("history is loaded")


def finished_chart(points: Sequence[ChartPoint], asked_at: datetime) -> Chart | None:
    """The points whose time was over when they were asked for, with the step of the reply: its median distance.

    None for a reply of less than two points, whose step can't be told.
    """
    instants = sorted({point.ts for point in points})
    if len(instants) < 2:
        return None
    step_s = statistics.median((later - earlier).total_seconds() for earlier, later in pairwise(instants))
    resolution_s = max(1, round(step_s))
    covered = timedelta(seconds=resolution_s)
    return Chart(resolution_s, tuple((point.ts, point.price) for point in points if point.ts + covered <= asked_at))


async def _chart(
    client: DeribitClient, index_name: str, chart_range: ChartRange, clock: Callable[[], datetime]
) -> Chart | None:
    what = f"history of {index_name}, range {chart_range}"
    try:
        return await _until_it_works(_while_it_is(TemporaryError, what), _ask, client, index_name, chart_range, clock)
    except PermanentError as error:
        log.warning("%s, is left out: %s", what, error)
        return None


async def _ask(
    client: DeribitClient, index_name: str, chart_range: ChartRange, clock: Callable[[], datetime]
) -> Chart | None:
    if client.paused_until is not None:
        pause_s = (client.paused_until - clock()).total_seconds()
        await asyncio.sleep(min(max(0.0, pause_s), _LONGEST_PAUSE_S))
    asked_at = clock()
    return finished_chart(await client.index_chart(index_name, chart_range), asked_at)


def _while_it_is(kind: type[Exception], what: str) -> Callable[[Exception], bool | float]:
    """Try again after errors of a kind; the first of them is logged.

    One that silences the client silences the polls too: ten such pauses go by before history risks another.
    """
    told = False

    def again(error: Exception) -> bool | float:
        nonlocal told
        if not isinstance(error, kind):
            return False
        if not told:
            log.warning("%s, waits: %s", what, error)
            told = True
        pause_s = error.pause.total_seconds() if isinstance(error, TemporaryError) else 0.0
        return random.uniform(10, 12) * pause_s if pause_s else True  # noqa: S311 it keeps no secret

    return again


async def _keep(
    database: Database, index_name: str, charts: Sequence[Chart], quiet: Callable[[], Awaitable[None]]
) -> int:
    await quiet()
    return await in_thread(partial(_store, database, index_name, charts), _THREAD)


def _filled(database: Database, index_names: Sequence[str]) -> set[str]:
    with database.read(_STORE_WAIT_S) as cursor:
        return averages.filled(cursor, index_names)


def _store(database: Database, index_name: str, charts: Sequence[Chart]) -> int:
    """Finest first, so that the coarse ones fill only what is left."""
    with database.write(_STORE_WAIT_S) as cursor:
        stored = sum(
            averages.append(cursor, index_name, chart.points, chart.resolution_s)
            for chart in sorted(charts, key=lambda chart: chart.resolution_s)
        )
    with contextlib.suppress(StoreError):  # each opening of the file would read 0.3 MB until the next one is due
        database.checkpoint_when_due(_STORE_WAIT_S)
    return stored


def _in_words(stored: int, charts: Sequence[Chart]) -> str:
    if not stored:
        return "nothing to add"
    first = min(ts for chart in charts for ts, _ in chart.points)
    return f"{stored} averages, the first of {first:%Y-%m-%d %H:%M} UTC"
