"""Candles as they follow from ticks, one by one."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from store.file.database import Cursor
from store.instants import EPOCH
from store.models import Tick
from store.prices import candles
from tests.conftest import START

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


Candle = tuple[str, datetime, float, float, float, float, int, int, int]


def by_hand(found: Sequence[Tick], length: timedelta, until: datetime | None) -> list[Candle]:
    """The candles of some ticks whose time is over by then."""
    buckets: defaultdict[tuple[str, datetime], list[Tick]] = defaultdict(list)
    for each in sorted(found, key=lambda each: each.ts):
        opens = each.ts - (each.ts - START) % length
        if until is not None and opens + length <= until:
            buckets[each.index_name, opens].append(each)
    return [
        (
            *key,
            its[0].price,
            max(each.price for each in its),
            min(each.price for each in its),
            its[-1].price,
            len(its),
            sum(not each.resolution_s for each in its),
            max(each.resolution_s for each in its),
        )
        for key, its in sorted(buckets.items())
    ]


def stored(cursor: Cursor, table: str) -> list[Candle]:
    rows = cursor.execute(
        f"SELECT index_name, epoch_us(open_time), * EXCLUDE (index_name, open_time) FROM {table} ORDER BY ALL"
    ).fetchall()
    return [(name, START + timedelta(microseconds=us) - (START - EPOCH), *more) for name, us, *more in rows]


def all_ticks(cursor: Cursor) -> list[Tick]:
    rows = cursor.execute("SELECT index_name, epoch_us(ts), price, resolution_s FROM ticks").fetchall()
    return [
        Tick(name, EPOCH + timedelta(microseconds=us), price, resolution_s=step_s) for name, us, price, step_s in rows
    ]


def expect_candles_of_ticks(cursor: Cursor) -> None:
    found, mark = all_ticks(cursor), candles.closed_to(cursor)
    assert stored(cursor, "candles_1m") == by_hand(found, MINUTE, mark)
    assert stored(cursor, "candles_1h") == by_hand(found, HOUR, mark)
