"""Index names: those that the exchange does not publish are refused, or told where they were recorded before."""

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
    """See which names the exchange does not publish.

    While the file can't be read each name may have ticks in it, and its others must not wait for that.

    Returns:
        Those that have ticks in the file, each with a line that says so: the exchange gave them up, or left them out
        of its list for once.

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
    """Those of the indexes that the exchange does not publish, each with a line that names the nearest that it does.

    Raises:
        ExchangeError: it gave no usable answer within `wait_s`.
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
    """The indexes that have ticks in the file; None while that can't be told."""
    try:
        with database.read(wait_s) as cursor:
            return set(ticks.summary(cursor))
    except NoDatabaseError:
        return set()
    except StoreError as error:
        log.warning("which indexes were recorded before can't be told: %s", error)
        return None


def _not_published(index_name: str, published: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(index_name, published, n=1)
    hint = f", did you mean {nearest[0]}?" if nearest else ""
    return f"TICKWELL_INDEXES names {index_name}, which the exchange does not publish{hint}"
