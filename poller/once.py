"""One poll outside any recorder, for cron and for a first try."""

import contextlib
import os
from dataclasses import replace
from datetime import timedelta

from settings import VERSION, Settings
from store import Database, utc_now
from store.recorder import Notice, RecorderLock

from .deribit import DeribitClient
from .jobs import Outcome, poll, retries_within_budget
from .journal import Journal
from .simulator import Simulator
from .slots import slot_of

_SECONDS_FOR_ALL = 20.0


async def poll_once(settings: Settings, database: Database) -> list[Outcome]:
    """Record one tick of each index.

    Returns:
        What came of each index, made durable: misses too.

    Raises:
        RecorderError: a recorder is at work on the file.
        StoreError: nothing was written.
    """
    now = utc_now()
    slot = slot_of(now, timedelta(seconds=settings.poll_seconds))
    lock = RecorderLock(database.path)
    notice = Notice(
        os.getpid(), "once", now, settings.poll_seconds, settings.indexes, VERSION, "recording", state_since=now
    )
    lock.acquire(notice)
    with contextlib.ExitStack() as stack:
        stack.callback(lock.release)
        stack.callback(lambda: lock.publish(replace(notice, state="stopped", state_since=utc_now())))
        url = stack.enter_context(Simulator()).url if settings.demo else settings.deribit_url
        journal = Journal(database)
        retries = retries_within_budget(len(settings.indexes), settings.poll_seconds)
        async with DeribitClient(url) as client:
            batches = poll(client, settings.indexes, slot, seconds_left=_SECONDS_FOR_ALL, retries=retries)
            outcomes = [outcome async for batch in batches for outcome in journal.add(slot, batch)]
        database.migrate()
        journal.flush(wait_s=5)
        return outcomes
