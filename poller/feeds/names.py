"""Checks index names: a name that the exchange does not publish is refused, unless it was recorded before."""

import asyncio
import difflib
import logging
from collections.abc import Sequence
from functools import partial

from poller.exchange.client import DeribitClient
from poller.exchange.errors import RejectedReplyError, UnreachableError
from poller.timing.loop import in_thread
from settings import SettingsError
from store.errors import NoDatabaseError, StoreError
from store.file.database import Database
from store.prices import ticks

log = logging.getLogger("tickwell.recorder")


async def check_names(
    client: DeribitClient, database: Database, index_names: Sequence[str], *, wait_s: float, store_wait_s: float
) -> dict[str, str]:
    """Find the names that the exchange does not publish.

    While the file can't be read, any name may have ticks in it: then no name is refused, and recording does not wait.

    Returns:
        The unpublished names that have ticks in the file, each with a line that says so. The exchange has ended these
        indexes, or left them out of its list this time.

    Raises:
        SettingsError: a name is not published and was never stored.
        ExchangeError: the exchange gave no usable answer within `wait_s`.
    """
    absent = await unpublished(client, index_names, wait_s=wait_s)
    if not absent:
        return absent
    stored = await in_thread(partial(_stored_names, database, store_wait_s), "tickwell-names")
    never = [line for name, line in absent.items() if stored is not None and name not in stored]
    if never:
        raise SettingsError("; ".join(never))
    return absent


async def unpublished(client: DeribitClient, index_names: Sequence[str], *, wait_s: float) -> dict[str, str]:
    """The indexes that the exchange does not publish, each with a line that names the nearest published index.

    Raises:
        ExchangeError: the exchange gave no usable answer within `wait_s`.
    """
    try:
        async with asyncio.timeout(wait_s):
            published = await client.supported_index_names()
    except TimeoutError as error:
        raise UnreachableError(f"no list of index names within {wait_s:g} s") from error
    if not published:
        raise RejectedReplyError("the list of index names is empty")
    return {name: _not_published(name, sorted(published)) for name in index_names if name not in published}


def _stored_names(database: Database, wait_s: float) -> set[str] | None:
    """The indexes that have ticks in the file; None if the file can't be read now."""
    try:
        with database.read(wait_s) as cursor:
            return set(ticks.summary(cursor))
    except NoDatabaseError:
        return set()
    except StoreError as error:
        log.warning("index names recorded before are unknown: %s", error)
        return None


def _not_published(index_name: str, published: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(index_name, published, n=1)
    hint = f", did you mean {nearest[0]}?" if nearest else ""
    return f"TICKWELL_INDEXES names {index_name}, which the exchange does not publish{hint}"
