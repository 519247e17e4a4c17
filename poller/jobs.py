"""What the recorder does at its slots, one function per job."""

import asyncio
import difflib
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

import stamina

from settings import MAX_REQUESTS_PER_SECOND, SettingsError
from store import Cause, Miss, Tick

from .deribit import DeribitClient
from .errors import ExchangeError, TemporaryError, UnreachableError

Outcome = Tick | Miss

# Replies that come within 5 ms of each other share a transaction (1 ms each on disk, more to open the file).
_TOGETHER_S = 0.005

_MOST_RETRIES = 3
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0


async def poll(
    client: DeribitClient, index_names: Sequence[str], slot: datetime, *, seconds_left: float, retries: int
) -> AsyncGenerator[list[Outcome]]:
    """Ask for the price of each index, side by side, and yield what comes of it as it comes.

    Every index ends as a tick or as a miss of `slot`. A temporary error is asked again up to `retries` times, after
    growing waits with jitter, as long as `seconds_left` lasts; one that asks for a pause isn't.
    """
    pending = {
        asyncio.create_task(_poll_index(client, name, slot, seconds_left, retries), name=name) for name in index_names
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


def missed_slot(slot: datetime, index_name: str) -> Miss:
    """What comes of a slot that went by before its turn came."""
    return Miss(slot, index_name, Cause.MISSED_SLOT, "the slot before it took too long")


def retries_within_budget(indexes: int, poll_seconds: int) -> int:
    """How often an index can be asked again in its slot, were all of them to fail."""
    return min(_MOST_RETRIES, MAX_REQUESTS_PER_SECOND * poll_seconds // indexes - 1)


async def check_index_names(client: DeribitClient, index_names: Sequence[str], *, wait_s: float) -> None:
    """See that the exchange publishes each index.

    Raises:
        SettingsError: it doesn't; the message names those, with the nearest that it does publish.
        ExchangeError: it gave no usable answer within `wait_s`.
    """
    try:
        async with asyncio.timeout(wait_s):
            published = await client.supported_index_names()
    except TimeoutError as error:
        raise UnreachableError(f"no list of index names within {wait_s:g} s") from error
    unknown = [name for name in index_names if name not in published]
    if unknown:
        raise SettingsError("; ".join(_not_published(name, sorted(published)) for name in unknown))


async def _poll_index(
    client: DeribitClient, index_name: str, slot: datetime, seconds_left: float, retries: int
) -> Outcome:
    if seconds_left <= 0:
        return missed_slot(slot, index_name)
    failure: ExchangeError = UnreachableError(f"no reply within {seconds_left:.1f} s")
    try:
        async with asyncio.timeout(seconds_left):
            async for attempt in stamina.retry_context(
                on=_soon_again,
                attempts=retries + 1,
                timeout=None,
                wait_initial=_FIRST_WAIT_S,
                wait_max=_LONGEST_WAIT_S,
            ):
                with attempt:
                    try:
                        return await client.index_price(index_name)
                    except ExchangeError as error:
                        failure = error
                        raise
    except (ExchangeError, TimeoutError):
        pass
    return Miss(slot, index_name, failure.cause, str(failure), failure.code)


def _soon_again(error: Exception) -> bool:
    return isinstance(error, TemporaryError) and not error.pause


def _not_published(index_name: str, published: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(index_name, published, n=1)
    hint = f", did you mean {nearest[0]}?" if nearest else ""
    return f"TICKWELL_INDEXES names {index_name}, which the exchange does not publish{hint}"
