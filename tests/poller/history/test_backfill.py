"""The first history and the healing of gaps, from a real simulator into a real file."""

import asyncio
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from poller.exchange.client import ChartPoint, DeribitClient
from poller.exchange.errors import RateLimitedError, TemporaryError, UnavailableError
from poller.history.asking import while_it_is
from poller.history.backfill import Backfill, spacing_s
from poller.history.charts import RANGES, Chart, finished_chart
from poller.history.limits import Limits
from poller.simulator.faults import Fault
from poller.simulator.server import Simulator
from poller.simulator.truth.prices import average
from settings import MAX_REQUESTS_PER_SECOND
from store.errors import BusyError, ForeignExchangeError, StoreError
from store.file.database import Database
from store.instants import EPOCH
from store.ledger import runs
from store.ledger.gaps import ledger
from store.models import Gap, Run, Tick
from store.prices import ticks
from tests.poller.conftest import NOW, Clock, ScriptedServer, envelope, http

CHART = "get_index_chart_data"
BOTH = ("btc_usd", "eth_usd")
MANY = 1_000_000
Row = tuple[datetime, float, str, int]
"""Instant, price, source and resolution of a row."""


@pytest.fixture
def simulator(clock: Clock) -> Iterator[Simulator]:
    """An exchange at NOW."""
    with Simulator(limits=False, clock=clock) as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def _all_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="tickwell")


@pytest.fixture
def without_waits() -> Iterator[None]:
    """Retries come at once."""
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


class Counted:
    """Counts the chart requests that a simulator answers from now on."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        simulator.faults.add(Fault("slow", method=CHART, delay_s=1e-6, times=MANY))

    @property
    def so_far(self) -> int:
        (left,) = [fault.times for fault in self._simulator.faults.listing() if fault.kind == "slow"]
        assert left is not None
        return MANY - left


async def loading(url: str, database: Database, *index_names: str, **options: Any) -> None:
    clock = Clock(options.pop("now", NOW))
    async with DeribitClient(url, clock=clock) as client:
        given_options = {"spacing_s": 0.0, "tell": lambda *_: None, **options}
        await Backfill(client, database, clock=clock, **given_options).heal(index_names)


def load(url: str, database: Database, *index_names: str, **options: Any) -> None:
    asyncio.run(loading(url, database, *(index_names or ("btc_usd",)), **options))


def stored(database: Database, index_name: str = "btc_usd") -> list[Row]:
    with database.read() as cursor:
        rows = cursor.execute(
            "SELECT ts, price, source, resolution_s FROM ticks WHERE index_name = ? ORDER BY ts", [index_name]
        ).fetchall()
    return [(ts.replace(tzinfo=UTC), *more) for ts, *more in rows]


def resolutions(database: Database, index_name: str = "btc_usd") -> Counter[int]:
    return Counter(resolution_s for *_, resolution_s in stored(database, index_name))


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Our own warnings in the log."""
    ours = [record for record in caplog.records if record.name.startswith("tickwell")]
    return [record.getMessage() for record in ours if record.levelno == logging.WARNING]


def milliseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def scripted(*replies: tuple[str, Sequence[tuple[datetime, float]]]) -> Callable[[str], bytes]:
    """A server of given charts, chosen by the end of the request's target; any other chart is empty."""

    def answer(target: str) -> bytes:
        points = next((points for end, points in replies if target.endswith(end)), [])
        return http(json.dumps(envelope([[milliseconds(ts), price] for ts, price in points])).encode())

    return answer


# What is stored


def test_all_ranges_are_stored_as_averages_of_their_time(simulator: Simulator, database: Database):
    load(simulator.url, database)

    rows = stored(database)
    assert {source for _, _, source, _ in rows} == {"simulator"}
    assert set(resolutions(database)) == {6, 60, 3600, 86_400}
    assert [price for _, price, _, _ in rows] == [average("btc_usd", ts, step_s) for ts, _, _, step_s in rows]
    assert rows[0][0] == datetime(2019, 1, 1, tzinfo=UTC)
    assert NOW - rows[-1][0] < timedelta(seconds=12)


def test_each_range_fills_only_what_finer_ones_left(simulator: Simulator, database: Database):
    load(simulator.url, database)

    rows = stored(database)
    assert all(ts + timedelta(seconds=step_s) <= later for (ts, _, _, step_s), (later, *_) in pairwise(rows))
    gaps_s = [(later - ts).total_seconds() - step_s for (ts, _, _, step_s), (later, *_) in pairwise(rows)]
    assert max(gaps_s) < 86_400  # a coarse average is left out where a finer one begins in its time
    assert resolutions(database)[6] == 600


def test_stored_ticks_stay_and_leave_out_averages_that_cover_them(simulator: Simulator, database: Database):
    observed = [Tick("btc_usd", NOW - timedelta(minutes=30, seconds=second), 1.5, "simulator") for second in range(60)]
    with database.write() as cursor:
        ticks.append(cursor, observed)

    load(simulator.url, database)

    rows = stored(database)
    begin, end = observed[-1].ts, observed[0].ts
    averages = [(ts, ts + timedelta(seconds=step_s)) for ts, _, _, step_s in rows if step_s]
    assert [price for _, price, _, step_s in rows if not step_s] == [1.5] * 60
    assert all(later <= begin or ts > end for ts, later in averages)
    assert {ts for ts, _ in averages if begin < ts + timedelta(seconds=12) and ts < end + timedelta(seconds=6)}
    assert resolutions(database)[6] == 600 - 11


def test_the_step_is_that_of_the_reply(simulator: Simulator, database: Database):
    simulator.faults.add(Fault("other_step", window="1d", step_s=300))
    simulator.faults.add(Fault("other_step", window="all", step_s=43_200))

    load(simulator.url, database)

    found = resolutions(database)
    assert set(found) == {6, 60, 3600, 43_200, 86_400} - {86_400}  # the half days lie in the days
    assert found[60] > 2 * 1440 - 70


def test_the_averages_of_half_a_chart_are_kept(simulator: Simulator, database: Database):
    simulator.faults.add(Fault("truncated_chart"))

    load(simulator.url, database)

    found = resolutions(database)
    assert set(found) == {6, 60, 3600, 86_400}
    assert found[6] == 300


def test_an_instant_in_two_ranges_is_stored_once_from_the_finer_one(serve, database: Database):
    hours = [(NOW - timedelta(hours=number), 1.0) for number in (9, 8, 7)]
    days = [(hours[0][0] - timedelta(days=number), 2.0) for number in (3, 2, 1, 0)]

    load(serve(scripted(("1m", hours), ("1y", days))).url, database)

    expected = [*days[:3], *hours]
    assert [(milliseconds(ts), price) for ts, price, _, _ in stored(database)] == [
        (milliseconds(ts), price) for ts, price in expected
    ]


def test_points_off_the_grid_are_stored_as_they_are(serve, database: Database):
    instants = [
        NOW - timedelta(days=1) + timedelta(milliseconds=each) for each in (0, 61_007, 119_993, 180_501, 900_900)
    ]

    load(serve(scripted(("1d", [(ts, 1.0) for ts in instants]))).url, database)

    assert [milliseconds(ts) for ts, *_ in stored(database)] == [milliseconds(ts) for ts in instants]
    assert set(resolutions(database)) == {61}


@pytest.mark.parametrize("points", [[], [(NOW - timedelta(days=1), 1.0)]])
def test_a_reply_without_a_step_is_ignored(serve, database: Database, caplog, points):
    load(serve(scripted(("1h", points))).url, database)

    assert stored(database) == []
    assert caplog.messages == ["history of btc_usd: nothing to add", "the exchange has no history of btc_usd"]


@given(st.lists(st.floats(-1e6, 1e6), max_size=20), st.floats(-1e6, 1e6))
def test_a_chart_has_the_median_step_and_only_finished_points(seconds, asked_s):
    points = [ChartPoint(NOW + timedelta(seconds=second), 1.0) for second in seconds]
    asked_at = NOW + timedelta(seconds=asked_s)

    chart = finished_chart(points, asked_at)

    instants = sorted({point.ts for point in points})
    if len(instants) < 2:
        assert chart is None
        return
    assert chart is not None
    distances = [(later - before).total_seconds() for before, later in pairwise(instants)]
    assert chart.resolution_s >= 1
    assert min(distances) - 0.5 <= chart.resolution_s <= max(1.0, max(distances) + 0.5)
    covered = timedelta(seconds=chart.resolution_s)
    assert [ts for ts, _ in chart.points] == [point.ts for point in points if point.ts + covered <= asked_at]


def test_one_gap_does_not_change_the_step_of_a_chart():
    points = [ChartPoint(NOW + timedelta(seconds=second), 1.0) for second in (0, 60, 120, 7200, 7260)]

    chart = finished_chart(points, NOW + timedelta(days=1))

    assert chart == Chart(60, tuple((point.ts, 1.0) for point in points))


# Once


def test_a_second_start_asks_for_nothing(simulator: Simulator, database: Database, caplog):
    load(simulator.url, database, *BOTH)
    before = stored(database)
    caplog.clear()
    counted = Counted(simulator)

    load(simulator.url, database, *BOTH)

    assert counted.so_far == 0
    assert stored(database) == before
    assert caplog.messages == []


def test_a_new_index_is_filled_beside_one_with_history(simulator: Simulator, database: Database):
    load(simulator.url, database)
    counted = Counted(simulator)

    load(simulator.url, database, *BOTH)

    assert counted.so_far == len(RANGES)
    assert resolutions(database, "eth_usd") == resolutions(database, "btc_usd")


def test_an_index_without_history_at_the_exchange_is_asked_for_again_at_the_next_start(serve, database: Database):
    server = serve(scripted())

    load(server.url, database)
    load(server.url, database)

    assert len(server.targets) == 2 * len(RANGES)


def test_the_log_has_a_line_for_each_index_and_one_at_the_end(simulator: Simulator, database: Database, caplog):
    load(simulator.url, database, *BOTH)

    assert caplog.messages == [
        *(
            f"history of {name}: {len(stored(database, name))} averages, the first of 2019-01-01 00:00 UTC"
            for name in BOTH
        ),
        "history is loaded",
    ]


def test_progress_is_reported_before_each_request(simulator: Simulator, database: Database):
    counted = Counted(simulator)
    told: list[tuple[str, int, int, int]] = []

    load(simulator.url, database, *BOTH, tell=lambda *so_far: told.append((*so_far, counted.so_far)))

    assert told == [("loading history", number, 12, number - 1) for number in range(1, 13)]


# One at a time, and not too fast


def test_requests_are_apart_and_one_at_a_time(serve, database: Database):
    asked_at: list[float] = []

    def answer(_: str) -> bytes:
        asked_at.append(time.monotonic())
        return http(json.dumps(envelope([])).encode())

    server: ScriptedServer = serve(answer)

    load(server.url, database, spacing_s=0.05)

    assert [target.rpartition("=")[2] for target in server.targets] == ["1h", "1d", "2d", "1m", "1y", "all"]
    assert server.most_at_once == 1
    assert min(later - before for before, later in pairwise(asked_at)) >= 0.05


@given(poll_seconds=st.integers(1, 3600), data=st.data())
def test_history_and_polls_stay_within_the_budget_unless_history_would_stand_still(poll_seconds, data):
    indexes = data.draw(st.integers(1, min(1000, MAX_REQUESTS_PER_SECOND * poll_seconds)))

    spacing = spacing_s(indexes / poll_seconds)

    assert 0.5 <= spacing <= 5
    assert spacing == 5 or 1 / spacing + indexes / poll_seconds <= MAX_REQUESTS_PER_SECOND + 1e-9


# Trouble


def test_a_range_that_is_refused_is_left_out_with_one_warning(simulator: Simulator, database: Database, caplog):
    simulator.faults.add(Fault("error", method=CHART, code=-32602, message="Invalid params", times=1))

    load(simulator.url, database)

    assert set(resolutions(database)) == {60, 3600, 86_400}
    assert warnings(caplog) == [
        "history of btc_usd, range 1h, is left out: get_index_chart_data btc_usd 1h: -32602 Invalid params"
    ]


def test_a_range_with_an_unusable_reply_is_left_out(serve, simulator: Simulator, database: Database):
    simulator.faults.add(Fault("not_json", method=CHART, times=1))

    load(simulator.url, database)

    assert set(resolutions(database)) == {60, 3600, 86_400}


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize("kind", ["html", "error", "reset"])
def test_history_waits_for_the_end_of_trouble_and_logs_it_once(simulator: Simulator, database: Database, caplog, kind):
    simulator.faults.add(Fault(kind, method=CHART, times=2))

    load(simulator.url, database)

    assert set(resolutions(database)) == {6, 60, 3600, 86_400}
    (warning,) = warnings(caplog)
    assert warning.startswith("history of btc_usd, range 1h, waits: ")


def test_history_waits_for_an_exchange_that_fails_for_a_while(simulator: Simulator, database: Database):
    simulator.faults.add(Fault("outage", seconds=0.5))

    load(simulator.url, database)

    assert set(resolutions(database)) == {6, 60, 3600, 86_400}


@pytest.mark.usefixtures("without_waits")
def test_a_pause_that_the_exchange_asks_for_is_kept(simulator: Simulator, database: Database):
    simulator.faults.add(Fault("rate_limit", method=CHART, retry_after=1, times=1))
    counted = Counted(simulator)

    async def load_on_a_clock_that_moves() -> None:
        async with DeribitClient(simulator.url) as client:
            await Backfill(client, database, spacing_s=0, tell=lambda *_: None).heal(["btc_usd"])

    began = time.monotonic()
    asyncio.run(load_on_a_clock_that_moves())

    assert time.monotonic() - began >= 1
    assert counted.so_far == 1 + len(RANGES)
    assert set(resolutions(database)) == {6, 60, 3600, 86_400}


@pytest.mark.usefixtures("without_waits")
def test_a_pause_makes_history_wait_ten_times_as_long_as_the_polls():
    again = while_it_is(TemporaryError, "history")

    waits_s = [again(RateLimitedError("too many", pause=timedelta(seconds=pause_s))) for pause_s in (0, 10, 60)]

    assert waits_s[0] is True
    assert 100 <= waits_s[1] <= 120
    assert 600 <= waits_s[2] <= 720


def test_a_busy_database_is_tried_again_when_a_lease_must_be_over():
    again = while_it_is(StoreError, "history")

    waits_s = [again(BusyError("taken")) for _ in range(100)]

    assert all(1 <= wait_s <= 3 for wait_s in waits_s)
    assert again(StoreError("the disk is full")) is True


@pytest.mark.usefixtures("without_waits")
def test_history_waits_for_a_busy_database_and_logs_it_once(simulator: Simulator, database: Database, caplog):
    tries = []
    counted = Counted(simulator)
    with ExitStack() as elsewhere:

        @asynccontextmanager
        async def quiet() -> AsyncIterator[None]:
            tries.append(counted.so_far)
            if len(tries) == 2:
                elsewhere.enter_context(Database(database.path).write())
            elif len(tries) == 4:
                elsewhere.close()
            yield

        load(simulator.url, database, quiet=quiet)

    assert tries == [0, *[len(RANGES)] * 3]
    assert set(resolutions(database)) == {6, 60, 3600, 86_400}
    (warning,) = warnings(caplog)
    assert warning.startswith("history of btc_usd, waits: ")


def test_a_load_that_is_ended_in_the_middle_leaves_nothing_and_is_repeated(serve, simulator, database: Database):
    at_the_fourth, ended = threading.Event(), threading.Event()
    points = [(NOW - timedelta(minutes=number), 1.0) for number in (3, 2, 1)]

    def answer(target: str) -> bytes:
        if target.endswith("1m"):
            at_the_fourth.set()
            ended.wait(5)
        return scripted(("1h", points))(target)

    async def end_in_the_middle() -> None:
        task = asyncio.create_task(loading(serve(answer).url, database, "btc_usd"))
        await asyncio.to_thread(at_the_fourth.wait, 5)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        ended.set()

    asyncio.run(end_in_the_middle())
    between = stored(database)
    load(simulator.url, database)

    assert between == []
    assert set(resolutions(database)) == {6, 60, 3600, 86_400}


def test_a_load_that_is_ended_while_it_writes_leaves_all_or_nothing(simulator: Simulator, database: Database):
    at_the_write = threading.Event()

    @asynccontextmanager
    async def quiet() -> AsyncIterator[None]:
        at_the_write.set()
        yield

    async def end_while_it_writes() -> None:
        task = asyncio.create_task(loading(simulator.url, database, "btc_usd", quiet=quiet))
        await asyncio.to_thread(at_the_write.wait, 10)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(end_while_it_writes())

    assert set(resolutions(database)) in (set(), {6, 60, 3600, 86_400})


# Gaps

Stretch = tuple[timedelta, timedelta]
"""The start and end of an outage, as times before NOW."""


def record(database: Database, since: timedelta, *outages: Stretch, poll_seconds: int = 5) -> None:
    """Ticks up to NOW except for some outages, and an old average, so that no history is loaded."""
    first = int((NOW - since).timestamp()) // poll_seconds * poll_seconds
    slots = [datetime.fromtimestamp(each, UTC) for each in range(first, int(NOW.timestamp()) + 1, poll_seconds)]
    out = [slot for slot in slots if any(NOW - began <= slot < NOW - ended for began, ended in outages)]
    seen = sorted(set(slots) - set(out))
    with database.write() as cursor:
        runs.note(cursor, Run(slots[0], {"btc_usd": poll_seconds}, "0.1.0"))
        cursor.execute(
            "INSERT INTO misses (slot, feed, cause, detail) "
            "SELECT unnest(?::TIMESTAMP[]), 'btc_usd', 'unreachable', 'connection refused'",
            [[slot.replace(tzinfo=None) for slot in out]],
        )
        cursor.execute(
            "INSERT INTO ticks "
            "SELECT 'btc_usd', ts + INTERVAL 6 MILLISECOND, ts + INTERVAL 12 MILLISECOND, 1.5, 'simulator', 0 "
            "FROM (SELECT unnest(?::TIMESTAMP[]) AS ts)",
            [[slot.replace(tzinfo=None) for slot in seen]],
        )
        cursor.execute("INSERT INTO ticks VALUES ('btc_usd', '2019-01-01', NULL, 1, 'simulator', 86400)")


def backfill(url: str, database: Database, *moves_s: float, **options: Any) -> list[list[Gap]]:
    """What became of gaps, in rounds with moves of the clock between them."""

    async def rounds() -> list[list[Gap]]:
        clock = Clock()
        async with DeribitClient(url, clock=clock) as client:
            its = Backfill(client, database, spacing_s=0, tell=lambda *_: None, clock=clock, **options)
            healed = []
            for move_s in (0, *moves_s):
                clock.move(move_s)
                await its.find(NOW)
                healed.append(await its.heal([]))
        return healed

    return asyncio.run(rounds())


def told(database: Database) -> list[tuple[str, str | None]]:
    """The state of each gap in the ledger, and what healed it."""
    with database.read() as cursor:
        return [(gap.state, gap.healed_by) for gap in ledger(cursor, EPOCH, NOW, NOW)]


def ranges(server: ScriptedServer) -> list[str]:
    return [target.rpartition("=")[2] for target in server.targets]


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def test_an_outage_of_minutes_is_healed_at_six_seconds_by_one_request(simulator: Simulator, database: Database):
    record(database, minutes(30), (minutes(20), minutes(15)))
    counted = Counted(simulator)

    ((gap,),) = backfill(simulator.url, database)

    assert (gap.state, gap.healed_by, gap.slots) == ("healed", "simulator, 6 s", 60)
    assert counted.so_far == 1
    assert {step_s for ts, *_, step_s in stored(database) if NOW - minutes(20) < ts < NOW - minutes(15)} == {6}
    assert told(database) == [("healed", "simulator, 6 s")]


def test_an_outage_of_three_days_is_healed_with_the_finest_steps_that_exist(simulator, database: Database):
    days = timedelta(days=1)
    record(database, 4 * days, (3 * days, minutes(2)), poll_seconds=60)

    backfill(simulator.url, database)

    assert told(database) == [
        ("healed", "simulator, 3600 s"),
        ("healed", "simulator, 60 s"),
        ("healed", "simulator, 6 s"),
    ]


def test_healing_again_changes_nothing(simulator: Simulator, database: Database):
    record(database, minutes(30), (minutes(20), minutes(15)))
    backfill(simulator.url, database)
    before, counted = stored(database), Counted(simulator)

    again = backfill(simulator.url, database, states=("open", "unfillable"))

    assert again == [[]]
    assert counted.so_far == 0
    assert stored(database) == before


@pytest.mark.parametrize(
    ("began", "ended", "asked"),
    [
        (minutes(20), minutes(15), ["1h"]),
        (minutes(90), minutes(30), ["1h", "1d"]),
        (minutes(200), minutes(180), ["1d"]),
        (timedelta(hours=30), timedelta(hours=29), ["2d"]),
        (timedelta(days=3), timedelta(hours=30), ["2d", "1m"]),
        (timedelta(days=400), timedelta(days=40), ["1y", "all"]),
    ],
)
def test_only_ranges_that_reach_a_gap_are_asked_for_finest_first(serve, database, began, ended, asked):
    record(
        database, began + timedelta(hours=1), (began, ended), poll_seconds=600 if began < timedelta(days=9) else 3600
    )
    server = serve(scripted())

    backfill(server.url, database)

    assert ranges(server) == asked


def test_a_gap_shorter_than_the_finest_average_is_unfillable_after_one_request(simulator, database: Database):
    record(database, minutes(10), (minutes(5), minutes(5) - timedelta(seconds=1)), poll_seconds=1)
    counted = Counted(simulator)

    backfill(simulator.url, database, 3600)

    assert told(database) == [("unfillable", None)]
    assert counted.so_far == 1


def test_a_fresh_gap_waits_until_its_averages_are_over(simulator: Simulator, database: Database):
    record(database, minutes(10), (minutes(2), timedelta(seconds=10)), poll_seconds=1)
    counted = Counted(simulator)

    first, second = backfill(simulator.url, database, 10)

    assert first == []
    assert {gap.healed_by for gap in second} == {"simulator, 6 s"}
    assert counted.so_far == 1


def test_a_gap_left_by_a_cut_off_chart_is_asked_for_again_then_coarser_then_given_up(serve, database):
    record(database, minutes(50), (minutes(40), minutes(30)))
    server = serve(scripted(("1h", [(NOW - minutes(number), 1.0) for number in (3, 2, 1)])))

    backfill(server.url, database, 31, 61, 121, 241, 481, *[4000.0] * 10)

    expected = [["1h"], ["1h"], ["1h", "1d"], ["1h", "1d"], ["1h", "1d", "2d"], ["1h", "1d", "2d"]]
    assert ranges(server)[: sum(map(len, expected))] == [name for names in expected for name in names]
    assert ranges(server)[-1] == "all"
    assert told(database) == [("unfillable", None)]


def test_a_gap_that_was_tried_in_vain_waits_before_the_next_try(serve, database):
    record(database, minutes(50), (minutes(40), minutes(30)))
    server = serve(scripted())

    backfill(server.url, database, 29, 2, 31, 30)

    assert len(server.targets) == 1 + 1 + 2
    assert told(database) == [("open", None)]


def test_history_that_ends_before_a_gap_leaves_it_open(serve, database: Database):
    record(database, minutes(50), (minutes(40), minutes(30)))
    old = [(NOW - timedelta(days=number), 1.0) for number in (9, 8, 7)]

    backfill(serve(scripted(*((name, old) for name in RANGES))).url, database, *[4000.0] * 13)

    assert told(database) == [("open", None)]


def test_a_gap_that_no_history_reaches_after_days_is_given_up(serve, database: Database):
    days = timedelta(days=1)
    record(database, 400 * days, (390 * days, 380 * days), poll_seconds=3600)
    old = [(NOW - number * days, 1.0) for number in (900, 899, 898)]

    backfill(serve(scripted(("all", old))).url, database, *[4000.0] * 3)

    assert told(database) == [("unfillable", None)]


def test_gaps_of_an_index_that_is_no_longer_recorded_are_healed_too(simulator: Simulator, database: Database):
    record(database, minutes(30), (minutes(20), minutes(15)))
    with database.write() as cursor:
        cursor.execute("UPDATE ticks SET index_name = 'sol_usdc'")
        cursor.execute("UPDATE misses SET feed = 'sol_usdc'")
        cursor.execute("UPDATE runs SET feeds = MAP {'sol_usdc': 5}")

    ((gap,),) = backfill(simulator.url, database)

    assert (gap.feed, gap.state) == ("sol_usdc", "healed")


def test_more_gaps_than_a_lease_closes_are_all_closed(simulator: Simulator, database: Database):
    outages = [(timedelta(seconds=4 * number + 40), timedelta(seconds=4 * number + 38)) for number in range(250)]
    record(database, timedelta(seconds=1100), *outages, poll_seconds=1)

    (healed,) = backfill(simulator.url, database)

    assert len({gap.gap for gap in healed}) == 250
    assert {state for state, _ in told(database)} <= {"healed", "unfillable"}


def test_the_log_says_what_became_of_gaps(simulator: Simulator, database: Database, caplog):
    record(database, minutes(30), (minutes(20), minutes(15)))

    backfill(simulator.url, database)

    (line,) = caplog.messages
    assert line.startswith("history of btc_usd: ")
    assert line.endswith("; 1 pieces of gaps healed or given up")


def test_used_up_attempts_end_the_backfill(serve, database: Database):
    record(database, minutes(30), (minutes(20), minutes(15)))
    server = serve(lambda _: http(b"<html>", "502 Bad Gateway"))

    with stamina.set_testing(True, attempts=2, cap=True), pytest.raises(UnavailableError):
        backfill(server.url, database, attempts=2)

    assert len(server.targets) == 2
    assert told(database) == [("open", None)]


# One failure stays one failure


def rounds(url: str, database: Database, *names: str, moves_s: Sequence[float] = (), **options: Any) -> None:
    """Heal the indexes again and again, between moves of the clock."""

    async def heal() -> None:
        clock = Clock()
        async with DeribitClient(url, clock=clock) as client:
            its = Backfill(client, database, spacing_s=0, tell=lambda *_: None, clock=clock, **options)
            for move_s in (0, *moves_s):
                clock.move(move_s)
                await its.heal(names)

    asyncio.run(heal())


def failing(index_name: str, chart_range: str, status: str = "500 Internal Server Error") -> Callable[[str], bytes]:
    """An exchange that fails for one range of one index, and has three points in every other range."""
    points = [[milliseconds(NOW - timedelta(days=number)), 1.0] for number in (9, 8, 7)]

    def answer(target: str) -> bytes:
        if index_name in target and target.endswith(f"range={chart_range}"):
            return http(b"", status)
        return http(json.dumps(envelope(points)).encode())

    return answer


@pytest.mark.usefixtures("without_waits")
def test_a_chart_that_keeps_failing_is_tried_three_times_and_delays_no_other(serve, database: Database, caplog):
    server = serve(failing("btc_usd", "1y"))

    rounds(server.url, database, "btc_usd", "eth_usd")

    asked = Counter(target.partition("?")[2] for target in server.targets)
    assert asked == {
        f"index_name={name}&range={each}": 3 if (name, each) == ("btc_usd", "1y") else 1
        for name in ("btc_usd", "eth_usd")
        for each in RANGES
    }
    assert stored(database, "btc_usd")
    assert stored(database, "eth_usd")
    assert [line for line in warnings(caplog) if line.startswith("history of btc_usd, range 1y, is left out for now: ")]
    assert "history is loaded" not in caplog.messages


@pytest.mark.usefixtures("without_waits")
def test_failed_ranges_of_a_history_are_asked_for_again_after_growing_waits(serve, database: Database):
    server = serve(failing("btc_usd", "1y"))

    rounds(server.url, database, "btc_usd", moves_s=(29, 2, 59, 2))

    assert Counter(ranges(server)) == {each: 3 * 3 if each == "1y" else 1 for each in RANGES}


@pytest.mark.usefixtures("without_waits")
def test_a_gap_is_not_given_up_because_a_chart_failed(serve, database: Database):
    record(database, timedelta(days=400), (timedelta(days=390), timedelta(days=380)), poll_seconds=3600)
    server = serve(lambda _: http(b"", "500 Internal Server Error"))

    backfill(server.url, database, *[4000.0] * 3)

    assert "all" in ranges(server)
    assert told(database) == [("open", None)]


@pytest.mark.parametrize("moves_s", [(), (4000.0,) * 5])
def test_an_index_without_history_at_the_exchange_is_asked_for_it_once(serve, database: Database, caplog, moves_s):
    with database.write() as cursor:
        ticks.append(cursor, [Tick("btc_usd", NOW, 1.0)])
    server = serve(scripted())

    rounds(server.url, database, "btc_usd", moves_s=moves_s)

    assert len(server.targets) == len(RANGES)
    assert caplog.messages.count("the exchange has no history of btc_usd") == 1


def test_history_that_ticks_cover_already_is_asked_for_once(serve, database: Database):
    points = [(NOW - timedelta(minutes=number), 1.0) for number in (3, 2, 1)]
    with database.write() as cursor:
        ticks.append(cursor, [Tick("btc_usd", at, 1.0, "import") for at, _ in points])
    server = serve(scripted(*((name, points) for name in RANGES)))

    rounds(server.url, database, "btc_usd", moves_s=(60, 4000))

    assert len(server.targets) == len(RANGES)


@pytest.mark.usefixtures("without_waits")
def test_a_chart_that_trickles_is_given_up(serve, database: Database, caplog):
    over = threading.Event()
    scripted_reply = scripted()

    def answer(target: str) -> bytes:
        over.wait(5 if target.endswith("range=1h") else 0)
        return scripted_reply(target)

    rounds(serve(answer).url, database, "btc_usd", limits=Limits(longest_chart_s=0.1))
    over.set()

    line = "history of btc_usd, range 1h, is left out for now: no whole chart within 0.1 s"
    assert line in caplog.messages


@pytest.mark.parametrize("corrected_s", [0, 10])
def test_the_exchanges_clock_decides_which_averages_are_finished(serve, database: Database, corrected_s):
    """The local clock is ten seconds ahead, and the last average ends in five seconds."""
    points = [(NOW - timedelta(seconds=second), float(second)) for second in (13, 7, 1)]
    local, clock = (Clock(NOW + timedelta(seconds=ahead_s)) for ahead_s in (10, 10 - corrected_s))

    async def heal() -> None:
        async with DeribitClient(serve(scripted(("1h", points))).url, clock=clock, local=local) as client:
            await Backfill(client, database, spacing_s=0, tell=lambda *_: None, clock=clock).heal(["btc_usd"])

    asyncio.run(heal())

    assert [price for _, price, *_ in stored(database)] == [13.0, 7.0]


def test_history_does_not_wait_ten_times_as_long_after_a_pause_of_one_method():
    again = while_it_is(TemporaryError, "history", lambda: False)

    assert again(RateLimitedError("too many", pause=timedelta(seconds=30))) == 30.0


@pytest.mark.usefixtures("without_waits")
def test_used_up_attempts_are_raised_after_all_other_work(serve, database: Database):
    server = serve(failing("btc_usd", "1h", "502 Bad Gateway"))

    with pytest.raises(UnavailableError, match="HTTP 502"):
        rounds(server.url, database, "btc_usd", "eth_usd", attempts=2)

    assert stored(database, "btc_usd")
    assert stored(database, "eth_usd")


def test_averages_of_the_simulator_are_not_stored_among_the_exchanges(simulator: Simulator, database: Database):
    with database.write() as cursor:
        ticks.append(cursor, [Tick("btc_usd", NOW, 1.0)])

    with pytest.raises(ForeignExchangeError):
        load(simulator.url, database)

    assert resolutions(database) == {0: 1}
