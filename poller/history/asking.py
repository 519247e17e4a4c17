"""Asks the exchange for charts: a few times, with waits between, and never for long."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import stamina

from poller.exchange.client import ChartRange, DeribitClient
from poller.exchange.errors import ExchangeError, PermanentError, TemporaryError, UnreachableError
from store.errors import BusyError, ForeignExchangeError

from .charts import Chart, finished_chart

log = logging.getLogger("tickwell.history")

# A lease of another process lasts at most 2 s, so a retry after about that time finds the file free.
_TAKEN_AGAIN_S = (1.0, 3.0)
_LONGEST_PAUSE_S = 60.0

# A chart that fails this often in a row is left out of the round, so that others have their turn.
_TRIES = 3

T = TypeVar("T")


@dataclass(slots=True)
class Asked:
    """The charts that the exchange gave for an index, the ranges asked for, and the ranges that failed for now."""

    charts: list[Chart] = field(default_factory=list)
    ranges: list[ChartRange] = field(default_factory=list)
    failed: list[ChartRange] = field(default_factory=list)


class Asking:
    """Asks for charts through one client.

    Args:
        client: shared with the polls, and so are its pauses.
        clock: of the client.
        attempts: at each range; None for three.
        longest_s: how long a chart may take.
    """

    def __init__(
        self, client: DeribitClient, clock: Callable[[], datetime], attempts: int | None, longest_s: float
    ) -> None:
        self._client, self._clock, self._longest_s = client, clock, longest_s
        self._caller = stamina.AsyncRetryingCaller(
            attempts=attempts or _TRIES, timeout=None, wait_initial=1.0, wait_max=60.0
        )

    async def ask_for(self, asked: Asked, index_name: str, chart_range: ChartRange) -> list[ExchangeError]:
        """Ask for a range; return the error if it failed for now."""
        what = f"history of {index_name}, range {chart_range}"
        asked.ranges.append(chart_range)
        try:
            chart = await self.until_answered(what, partial(self._chart, index_name, chart_range))
        except PermanentError as error:
            log.warning("%s, is left out: %s", what, error)
        except TemporaryError as error:
            log.warning("%s, is left out for now: %s", what, error)
            asked.failed.append(chart_range)
            return [error]
        else:
            asked.charts += [chart] if chart is not None else []
        return []

    async def until_answered(self, what: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask a few times; `what` names the answer in the log.

        Raises:
            ExchangeError: no usable answer came.
        """
        again = while_it_is(TemporaryError, what, self._silenced)
        return await self._caller(again, self._ask, ask)

    async def _ask(self, ask: Callable[[], Awaitable[T]]) -> T:
        if self._client.silent_until is not None:
            pause_s = (self._client.silent_until - self._clock()).total_seconds()
            await asyncio.sleep(min(max(0.0, pause_s), _LONGEST_PAUSE_S))
        try:
            async with asyncio.timeout(self._longest_s):
                return await ask()
        except TimeoutError as error:
            raise UnreachableError(f"no whole chart within {self._longest_s:g} s") from error

    async def _chart(self, index_name: str, chart_range: ChartRange) -> Chart | None:
        asked_at = self._client.local()
        points = await self._client.index_chart(index_name, chart_range)
        return finished_chart(points, asked_at + timedelta(seconds=self._client.skew_s or 0))

    def _silenced(self) -> bool:
        """Do the polls pause too, because the exchange asked for it?"""
        return self._client.silent_until is not None and self._client.silent_until > self._clock()


def while_it_is(
    kind: type[Exception], what: str, silenced: Callable[[], bool] = lambda: True
) -> Callable[[Exception], bool | float]:
    """Try again after errors of a kind; the first of them is logged.

    An error that also silences the polls is worse: history waits ten such pauses before it asks again.
    """
    logged = False

    def again(error: Exception) -> bool | float:
        nonlocal logged
        if not isinstance(error, kind) or isinstance(error, ForeignExchangeError):
            return False
        if not logged:
            log.warning("%s, waits: %s", what, error)
            logged = True
        if isinstance(error, BusyError):
            return random.uniform(*_TAKEN_AGAIN_S)  # noqa: S311 it keeps no secret
        pause_s = error.pause.total_seconds() if isinstance(error, TemporaryError) else 0.0
        times = random.uniform(10, 12) if silenced() else 1.0  # noqa: S311 it keeps no secret
        return times * pause_s if pause_s else True

    return again
