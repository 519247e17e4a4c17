"""One poll, for cron and for a first try, and one backfill. Neither needs a recorder."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from poller.demo.exchange import exchange_url
from poller.exchange.client import DeribitClient
from poller.exchange.clock import ExchangeClock
from poller.feeds.chosen import feeds_of
from poller.feeds.feed import Feed, Outcome, requests_a_second
from poller.feeds.poll import poll, retries_within_budget
from poller.history.backfill import Backfill, Tell, spacing_s
from poller.journal.journal import Journal
from poller.network.http_client import check_environment
from poller.timing.slots import slot_of
from settings import MAX_REQUESTS_PER_SECOND, VERSION, Settings
from store.errors import ForeignExchangeError, NewerSchemaError, StoreError
from store.file.database import Database
from store.file.exchange import refuse_another
from store.file.recorder import Notice, RecorderLock
from store.instants import stale_after_s
from store.models import Gap, utc_now

from .cadence import Cadence, cadences_of

# The time for each feed, besides the wait for its turn in the request budget.
_SECONDS = 20.0
_ATTEMPTS = 3
STORE_WAIT_S = 5.0


async def poll_once(settings: Settings, database: Database, store_wait_s: float = STORE_WAIT_S) -> list[Outcome]:
    """Record one tick of each index and one snapshot of each snapshot feed of the markets.

    Logs are left out: the exchange keeps their past for a recorder. Waits at most `store_wait_s` for the file.

    Returns:
        The outcome of each feed, an observation or a miss; all are durable.

    Raises:
        SettingsError: a variable of the environment, such as a proxy, can't be used.
        RecorderError: a recorder is at work on the file.
        ForeignExchangeError: the file has prices of another exchange; nothing was written.
        NewerSchemaError: the file is of a newer version; nothing was written.
        StoreError: nothing was written. The outcomes are in a file for the next start, if that file can be written.
    """
    check_environment(settings, tells=False)
    clock = ExchangeClock()
    now = clock()
    lock = RecorderLock(database.path)
    notice = Notice(
        os.getpid(), "once", now, settings.poll_seconds, settings.indexes, VERSION, "recording", state_since=now
    )
    lock.acquire(notice)
    with contextlib.ExitStack() as stack:
        stack.callback(lock.release)
        stack.callback(
            lambda: lock.publish(replace(notice, state="stopped", state_since=clock(), skew_s=clock.ahead_s))
        )
        url = stack.enter_context(exchange_url(settings))
        feeds = [feed for feed in feeds_of(settings) if isinstance(feed, Feed)]
        async with DeribitClient(url, clock=clock, local=utc_now) as client:
            its = settings.recorder_name
            journal = Journal(database, clock, exchange=lambda: client.exchange, feeds=feeds, recorder=its)
            await clock.ask(client)
            cadences = cadences_of(feeds, journal)
            outcomes = [outcome for cadence in cadences for outcome in await _ask(client, cadence, clock())]
            _store(database, journal, store_wait_s)
        return outcomes


async def _ask(client: DeribitClient, cadence: Cadence, now: datetime) -> list[Outcome]:
    """The outcomes of the slot of `now`; the offset of the feeds is no matter, as nothing else is asked."""
    feeds = cadence.feeds
    cadence.enter(now)
    cadence.begin(slot_of(now, cadence.period))
    retries, requests_s = retries_within_budget(feeds), len(feeds) / MAX_REQUESTS_PER_SECOND
    batches = poll(client, feeds, cadence.slot, seconds_left=_SECONDS + requests_s, retries=retries)
    async for batch in batches:
        cadence.add(batch)
    return cadence.outcomes


def _store(database: Database, journal: Journal, wait_s: float) -> None:
    try:
        database.migrate()
        while journal.queued:
            journal.flush(wait_s)
    except (ForeignExchangeError, NewerSchemaError):
        raise
    except StoreError as error:
        journal.keep()
        raise StoreError(f"{error}; kept in {journal.file_name} for the next start") from error


async def backfill_once(settings: Settings, database: Database, index_names: Sequence[str], tell: Tell) -> list[Gap]:
    """Find and heal gaps, including gaps given up before, and load the history of indexes that have none.

    A recorder may run meanwhile: ticks that may still be on their way to the file are no gap yet.

    Args:
        settings: the exchange and the period of the recorder. `check_environment` has accepted them.
        database: a database that is not empty.
        index_names: the indexes to heal; if empty, all indexes that are configured or have gaps.
        tell: called with the progress.

    Returns:
        The pieces of gaps that were healed or given up.

    Raises:
        ExchangeError: the exchange doesn't answer.
        ForeignExchangeError: the file has prices of another exchange.
        StoreError: another process has the file, or there is no file.
    """
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(exchange_url(settings))
        clock = ExchangeClock()
        async with DeribitClient(url, clock=clock, local=utc_now) as client:
            await client.time()
            clock.learn(client)
            with database.read() as cursor:
                refuse_another(cursor, client.exchange)
            backfill = Backfill(
                client,
                database,
                spacing_s=spacing_s(requests_a_second(feeds_of(settings))),
                tell=tell,
                clock=clock,
                attempts=_ATTEMPTS,
                states=("open", "unfillable"),
            )
            # Without a recorder the last gap goes on until now. It is healed too, up to this time.
            await backfill.find(clock() - timedelta(seconds=stale_after_s(settings.poll_seconds)), timedelta(0))
            return await backfill.heal(index_names or settings.indexes, others=not index_names)
