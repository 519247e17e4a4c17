"""Checks the names in settings: what the exchange does not have is refused, unless it was recorded before."""

import asyncio
import difflib
import logging
from collections.abc import Iterable, Sequence
from functools import partial

from poller.exchange.client import DeribitClient
from poller.exchange.errors import RejectedReplyError, UnreachableError
from poller.timing.loop import in_thread
from settings import SettingsError
from store.errors import NoDatabaseError, StoreError
from store.file.database import Database
from store.kinds import FUTURES
from store.ledger import arrivals
from store.prices import ticks

log = logging.getLogger("tickwell.recorder")


async def check_names(
    client: DeribitClient,
    database: Database,
    index_names: Sequence[str],
    currencies: Sequence[str] = (),
    *,
    wait_s: float,
    store_wait_s: float,
) -> dict[str, str]:
    """Find the indexes, and the currencies of markets, that the exchange does not have.

    While the file can't be read, any name may have rows in it: then no name is refused, and recording does not wait.

    Returns:
        The feeds of absent names that have rows in the file, each with a line that says so. The exchange has ended
        them, or left them out of its list this time. A currency has one line, for its futures.

    Raises:
        SettingsError: a name is absent and was never stored.
        ExchangeError: the exchange gave no usable answer within `wait_s`.
    """
    absent = await unpublished(client, index_names, currencies, wait_s=wait_s)
    if not absent:
        return absent
    stored = await in_thread(partial(_stored_names, database, store_wait_s), "tickwell-names")
    never = [line for name, line in absent.items() if stored is not None and name not in stored]
    if never:
        raise SettingsError("; ".join(never))
    return absent


async def unpublished(
    client: DeribitClient, index_names: Sequence[str], currencies: Sequence[str] = (), *, wait_s: float
) -> dict[str, str]:
    """The feeds of indexes and markets that the exchange does not have, each with a line that names the nearest one.

    Each market has an index in USD: a currency without one has no market.

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
    coins = {name.removesuffix("_usd").upper() for name in published if name.endswith("_usd")}
    return {name: _absent("INDEXES", name, published) for name in index_names if name not in published} | {
        FUTURES.feed(name): _absent("MARKETS", name, coins) for name in currencies if name not in coins
    }


def _stored_names(database: Database, wait_s: float) -> set[str] | None:
    """The indexes and the snapshot feeds that have rows in the file; None if the file can't be read now."""
    try:
        with database.read(wait_s) as cursor:
            return {*ticks.summary(cursor), *arrivals.newest(cursor)}
    except NoDatabaseError:
        return set()
    except StoreError as error:
        log.warning("names recorded before are unknown: %s", error)
        return None


def _absent(setting: str, name: str, published: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, sorted(published), n=1)
    hint = f", did you mean {nearest[0]}?" if nearest else ""
    return f"TICKWELL_{setting} names {name}, which the exchange does not publish{hint}"
