"""Asks the feeds of a slot at the same time, and again after a temporary error."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import stamina

from poller.exchange.budget import Turn, turn
from poller.exchange.client import DeribitClient
from poller.exchange.errors import ClosedError, ExchangeError, PausedError, TemporaryError
from poller.timing.guard import guarded
from poller.timing.loop import left_if_cancelled
from settings import MAX_REQUESTS_PER_SECOND
from store.models import Cause, Miss

from .feed import Feed, Observation, Outcome, requests_a_second

# Replies that come within 5 ms of each other share a transaction (1 ms each on disk, more to open the file).
_TOGETHER_S = 0.005

_MOST_RETRIES = 3

# Three waits, each twice the one before, take 7 of the 16 parts of a slot. Jitter takes up to 3 parts, and the rest is
# for requests. A temporary error often passes within seconds, so a long slot does not wait for minutes.
_WAITS_IN_A_SLOT = 16
_LONGEST_FIRST_WAIT_S = 5.0

# The daily settlement lasts up to 10 s, with pauses of 2 s. A slot of at least this length waits until it is over.
_LONG_SLOT_S = 15.0

# The jitter keeps feeds that wait for the same pause from asking at the same instant.
_PAUSE_JITTER = 1.1


async def poll(
    client: DeribitClient, feeds: Sequence[Feed], slot: datetime, *, seconds_left: float, retries: int
) -> AsyncGenerator[list[Outcome]]:
    """Ask all feeds at the same time, and yield their outcomes as they come.

    Every feed brings an observation or a miss of `slot`. After a temporary error a feed is asked again up to `retries`
    times while `seconds_left` lasts: after growing waits with jitter, or after the pause that the exchange asks for. If
    that pause does not end in time, the feed is not asked again.
    """
    pending = {
        asyncio.create_task(_poll_feed(client, feed, slot, seconds_left, retries), name=feed.name) for feed in feeds
    }
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if pending:
                more, pending = await asyncio.wait(pending, timeout=_TOGETHER_S)
                done |= more
            yield [task.result() for task in done]
    finally:
        for task in pending:
            task.cancel()


def missed_slot(slot: datetime, feed: str) -> Miss:
    """The miss of a slot that passed while the slot before it was under way."""
    return Miss(slot, feed, Cause.MISSED_SLOT, "the slot before it took too long")


def retries_within_budget(feeds: Sequence[Feed]) -> int:
    """How often each feed may be asked again in its slot if all feeds fail."""
    return max(0, min(_MOST_RETRIES, int(MAX_REQUESTS_PER_SECOND / requests_a_second(feeds) + 1e-9) - 1))


async def _poll_feed(client: DeribitClient, feed: Feed, slot: datetime, seconds_left: float, retries: int) -> Outcome:
    if seconds_left <= 0:
        return missed_slot(slot, feed.name)
    turn.set(Turn(feed.period.total_seconds()))
    outcome: Outcome | None = None
    with guarded(f"poll of {feed.name}"):
        try:
            outcome = await _observed_or_missed(client, feed, slot, seconds_left, retries)
        except asyncio.CancelledError as error:
            if cast("asyncio.Task[Outcome]", asyncio.current_task()).cancelling():
                raise
            raise RuntimeError("something that it waited for was cancelled") from error
    if outcome is None:
        return Miss(slot, feed.name, Cause.EXCHANGE_ERROR, "an error in Tickwell, which the log describes")
    return outcome


async def _observed_or_missed(
    client: DeribitClient, feed: Feed, slot: datetime, seconds_left: float, retries: int
) -> Outcome:
    failure: ExchangeError | None = None
    first_wait_s = min(seconds_left / _WAITS_IN_A_SLOT, _LONGEST_FIRST_WAIT_S)
    with contextlib.suppress(ExchangeError, TimeoutError):
        async with asyncio.timeout(seconds_left):
            async for attempt in stamina.retry_context(
                on=_Again(seconds_left, retries),
                attempts=None,
                timeout=None,
                wait_initial=first_wait_s,
                wait_jitter=first_wait_s,
                wait_max=seconds_left,
            ):
                with attempt:
                    try:
                        return _of(feed, await left_if_cancelled(feed.ask(client), feed.name))
                    except ExchangeError as error:
                        failure = error
                        raise
    if failure is None:
        return _unanswered(slot, feed.name, seconds_left)
    return Miss(slot, feed.name, failure.cause, str(failure), failure.code)


def _unanswered(slot: datetime, feed: str, seconds_left: float) -> Miss:
    """The miss of a slot that ended while its feed was asked for the first time."""
    if turn.get().waits:
        budget = f"our own budget of {MAX_REQUESTS_PER_SECOND} requests a second was used up"
        return Miss(slot, feed, Cause.MISSED_SLOT, f"not asked within {seconds_left:.1f} s: {budget}")
    return Miss(slot, feed, Cause.UNREACHABLE, f"no reply within {seconds_left:.1f} s")


def _of(feed: Feed, observation: Any) -> Observation:
    """Check an observation of a feed: a wrong type or name would spoil the slot for all feeds.

    Raises:
        TypeError: the feed did not bring an observation of its own name.
    """
    if not isinstance(observation, Observation) or observation.feed != feed.name:
        raise TypeError(f"{feed.name} brought a {type(observation).__name__}, expected an observation of it")
    return observation


class _Again:
    """Decides whether and when a feed is asked again in its slot; stamina calls this after each error."""

    def __init__(self, seconds_left: float, retries: int) -> None:
        self._ends_at_s = time.monotonic() + seconds_left
        self._retries_left = retries
        self._is_long = seconds_left >= _LONG_SLOT_S

    def __call__(self, error: Exception) -> bool | float:
        """Return False to stop, the seconds to wait, or True for the growing wait."""
        if not isinstance(error, TemporaryError):
            return False
        if isinstance(error, PausedError):  # the exchange was not asked
            return self._after(error.left)
        if error.pause and self._is_long:
            return self._after(error.pause)
        if isinstance(error, ClosedError):  # it is gone from the kept ones, and a new connection raises another error
            return 0.0
        if not self._retries_left:
            return False
        self._retries_left -= 1
        return self._after(error.pause) if error.pause else True

    def _after(self, pause: timedelta) -> bool | float:
        wait_s = pause.total_seconds() * random.uniform(1, _PAUSE_JITTER)  # noqa: S311 it keeps no secret
        return wait_s if time.monotonic() + wait_s < self._ends_at_s else False
