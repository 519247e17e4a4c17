"""A dashboard that its host put to sleep heals its gap when it wakes, and fills a lost disk with averages."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from poller.history.limits import Limits as HistoryLimits
from poller.recorder.limits import Limits
from poller.recorder.recorder import Recorder
from poller.simulator.server import Simulator
from settings import Settings
from store.file.database import Database
from store.instants import EPOCH
from store.ledger import gaps
from store.prices import averages
from tests.conftest import wait_until
from tests.poller.conftest import MovedClock

ASLEEP = timedelta(hours=14)
MINUTE = timedelta(minutes=1)

_ROWS = """
SELECT ts, source, resolution_s
FROM ticks
ORDER BY ts
"""

Wake = Callable[[], Recorder]


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def wake(clock: MovedClock, make_settings: Callable[..., Settings], database_file) -> Iterator[Wake]:
    """Start the recorder of a dashboard with short waits between its looks for gaps."""
    limits = Limits(history=HistoryLimits(look_for_gaps_s=0.5, ripe=timedelta(seconds=4)))
    started: list[Recorder] = []
    with Simulator(limits=False, clock=clock) as simulator:

        def begin() -> Recorder:
            settings = make_settings(deribit_url=simulator.url, poll_seconds=1, indexes=("btc_usd",))
            recorder = Recorder(settings, Database(database_file), "embedded", clock=clock, limits=limits)
            recorder.start()
            started.append(recorder)
            return recorder

        yield begin
        for recorder in started:
            recorder.stop()


def wait_for(condition: Callable[[], Any]) -> None:
    """Wait for a condition with few looks, so that the recorder can work."""
    wait_until(condition, timeout_s=60, look_again_s=0.3)


def observed(database_file) -> list[datetime]:
    return [ts for ts, _, resolution_s in rows(database_file) if resolution_s == 0]


def rows(database_file) -> list[tuple[datetime, str, int]]:
    """All that is stored: time, source, seconds of the average."""
    if not database_file.exists():
        return []
    with Database(database_file).read() as cursor:
        found = cursor.execute(_ROWS).fetchall()
    return [(ts.replace(tzinfo=UTC), source, resolution_s) for ts, source, resolution_s in found]


def night(wake: Wake, clock: MovedClock, database_file) -> tuple[datetime, datetime]:
    """Record a few ticks into a file with history, and sleep; return the last tick before and the time of waking."""
    database = Database(database_file)
    database.migrate()
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(datetime(2019, 1, 1, tzinfo=UTC), 100.0)], 86_400, "simulator")
    first = wake()
    wait_for(lambda: len(observed(database_file)) >= 2)
    first.stop()
    clock.ahead_s += ASLEEP.total_seconds()
    return observed(database_file)[-1], clock()


def states(database_file, now: datetime) -> dict[str, Any]:
    """The missing slots, by the state of their gap."""
    with Database(database_file).read() as cursor:
        found = gaps.ledger(cursor, EPOCH, now, now)
    return {gap.state: sum(each.slots for each in found if each.state == gap.state) for gap in found}


def test_the_time_asleep_is_healed_from_the_exchange_and_marked_as_averages(wake, clock, database_file):
    slept, woke = night(wake, clock, database_file)

    wake()
    wait_for(lambda: states(database_file, woke).get("healed"))

    between = [row for row in rows(database_file) if slept < row[0] < woke]
    assert {(source, resolution_s) for _, source, resolution_s in between} == {("simulator", 60), ("simulator", 6)}
    assert all(later[0] - earlier[0] <= 2 * MINUTE for earlier, later in pairwise(between))
    assert between[0][0] - slept <= MINUTE
    became = states(database_file, woke)
    assert became["healed"] > ASLEEP.total_seconds() - 120
    assert sum(became.values()) - became["healed"] < 120


def test_after_a_lost_disk_the_exchanges_history_fills_a_new_file(wake, clock, database_file):
    slept, woke = night(wake, clock, database_file)
    for path in database_file.parent.iterdir():
        path.unlink()

    wake()
    wait_for(lambda: min(rows(database_file), default=(woke,))[0].year == 2019)

    before = [row for row in rows(database_file) if row[0] < woke]
    assert {source for _, source, _ in before} == {"simulator"}
    assert {resolution_s for _, _, resolution_s in before} == {6, 60, 3600, 86_400}
    assert before[0][0].year == 2019
    assert min(abs(ts - slept) for ts, _, _ in before) <= MINUTE
    assert {row[1:] for row in rows(database_file) if row[0] >= woke and row[2] == 0} == {("simulator", 0)}
    assert states(database_file, woke) == {}
