"""The prices of a demo's past: one at each minute before its first run, as a recorder that polls each minute has them.

The exchange keeps averages alone, and realised volatility needs observed minutes. The simulator knows the price of any
instant.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from poller.simulator.truth.prices import price
from poller.timing.loop import in_thread
from poller.timing.quiet import Quiet
from store.file.database import Database
from store.instants import MINUTE
from store.models import Tick
from store.prices import ticks
from store.prices.candles import floor

REACH = timedelta(days=46)
"""Realised volatility needs half of 30 days, so this makes its line whole in a chart of a month."""

_THREAD = "tickwell-demo"

# 360 prices take 10 ms to compute and 50 ms to store.
_AT_ONCE = timedelta(hours=6)

# Two thirds of the time are left to pages, polls and the exchange's history.
_RESTS = 2


async def make_minutes(
    index_names: Sequence[str],
    database: Database,
    first_run: datetime,
    *,
    quiet: Quiet,
    store_wait_s: float,
    reach: timedelta = REACH,
) -> None:
    """Store what is not there yet, the newest first.

    Args:
        index_names: as the exchange spells them.
        database: of the demo.
        first_run: when its first run began.
        quiet: gives time in which a write of 0.1 s delays no slot.
        store_wait_s: the longest wait for a lease.
        reach: how far it goes back.

    Raises:
        StoreError: it stopped part-way. The next call does the rest.
    """
    end = floor(first_run, MINUTE)

    def is_there(name: str, start: datetime) -> bool:
        with database.read(store_wait_s) as cursor:
            return bool(ticks.history(cursor, name, start, start + MINUTE, limit=1))

    def store(new: Sequence[Tick]) -> None:
        with database.write(store_wait_s) as cursor:
            ticks.append(cursor, new)

    for part in range(1, reach // _AT_ONCE + 1):
        start = end - part * _AT_ONCE
        for name in index_names:
            began_s = time.monotonic()
            if await in_thread(partial(is_there, name, start), _THREAD):
                continue
            new = await in_thread(partial(_prices, name, start), _THREAD)
            async with quiet():
                await in_thread(partial(store, new), _THREAD)
            await asyncio.sleep(_RESTS * (time.monotonic() - began_s))


def _prices(index_name: str, start: datetime) -> list[Tick]:
    """The prices from `start` on that one transaction stores."""
    minutes = (start + number * MINUTE for number in range(_AT_ONCE // MINUTE))
    return [Tick(index_name, at, price(index_name, at), source="simulator", received_at=at) for at in minutes]
