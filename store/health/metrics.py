"""The metrics of Tickwell as Prometheus text: what the file holds, how its recorder is, and what this process did.

The metrics of the file are the same from every process, and survive a restart. The metrics of a process start at zero
with it: the recording process gives polls and retries, and each process gives the latencies of its own work.
"""

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, get_args

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from settings import VERSION, Settings
from store.errors import StoreError
from store.file.aside import size_of
from store.file.clock import skew_s
from store.file.meters import BOUNDS_S, Meters, Timer
from store.file.recorder import Notice, read_notice
from store.file.shared import Readable
from store.instants import stale_after_s
from store.market.checks import State
from store.models import Cause, GapState
from store.prices.indexes import known_indexes

from .figures import Figures, figures
from .sharing import Sharing, sharing

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

WAIT_S = 2.0
"""How long to wait for the file: no lease lasts longer, and Prometheus waits 10 s by default."""


def as_text(database: Readable, settings: Settings, now: datetime, wait_s: float = WAIT_S) -> bytes:
    """All metrics at a time, as Prometheus text.

    It takes one read lease. If the file is missing, or can't be read within `wait_s`, `tickwell_database_up` is 0 and
    the metrics of the file are left out.
    """
    return generate_latest(_Tickwell(database, settings, now, wait_s))


class _Tickwell(Collector):
    def __init__(self, database: Readable, settings: Settings, now: datetime, wait_s: float) -> None:
        self._database, self._settings, self._now, self._wait_s = database, settings, now, wait_s

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("tickwell_build", "The version that runs, as a label.", {"version": VERSION})
        yield _gauge(
            "tickwell_stale_after_seconds",
            "The age beyond which the newest tick is stale: three slots, at least 30 s; of a lake three minutes.",
            stale_after_s(self._settings.period_to_read_s),
        )
        yield from _of_recorder(self._notice())
        yield from _of_disk(self._database)
        yield from _of_process(self._database.meters)
        yield from _of_lake(sharing(self._settings, self._now))
        found = self._figures()
        yield _gauge(
            "tickwell_database_up", "1 when the database could be read just now, else 0.", float(found is not None)
        )
        if found is not None:
            yield from _of_file(found, self._settings.indexes, self._now)

    def _notice(self) -> Notice | None:
        with contextlib.suppress(StoreError):
            return read_notice(self._database.path)
        return None

    def _figures(self) -> Figures | None:
        with contextlib.suppress(StoreError), self._database.read(self._wait_s) as cursor:
            return figures(cursor, self._settings.indexes, self._now)
        return None


def _of_recorder(notice: Notice | None) -> Iterator[Metric]:
    alive = notice is not None and notice.alive
    yield _gauge("tickwell_recorder_up", "1 while a recorder is at work on the file, in any process.", float(alive))
    yield _gauge(
        "tickwell_waiting_ticks",
        "Ticks that wait in the recorder's memory because the database can't be written.",
        notice.waiting if notice is not None and alive else 0,
    )
    yield _gauge(
        "tickwell_clock_off_seconds",
        "How far the clock of the recorder's machine is ahead of the exchange's; 0 while that is less than 2 s.",
        0.0 - skew_s(notice),
    )


def _of_disk(database: Readable) -> Iterator[Metric]:
    size = size_of(database.path) or 0
    yield _gauge("tickwell_database_bytes", "The database file with its write-ahead log.", size)
    with contextlib.suppress(OSError):  # the folder does not exist yet
        yield _gauge(
            "tickwell_disk_free_bytes",
            "Free bytes on the disk of the database.",
            shutil.disk_usage(database.path.parent).free,
        )


def _of_lake(shared: Sharing | None) -> Iterator[Metric]:
    if shared is None:
        return
    if shared.lag_s is not None:
        yield _gauge(
            "tickwell_lake_lag_seconds",
            "Age of the time up to which the file is shared; absent before its first publication.",
            shared.lag_s,
        )
    yield _gauge("tickwell_lake_rows", "Rows that the last publication brought into the lake.", shared.rows)
    yield CounterMetricFamily(
        "tickwell_lake_conflicts_total",
        "Transactions that were redone because another recorder published first.",
        shared.conflicts,
    )
    yield _gauge("tickwell_lake_failing", "1 when the last publication failed, else 0.", float(bool(shared.trouble)))


def _of_process(meters: Meters) -> Iterator[Metric]:
    yield _histogram(
        "tickwell_read_seconds",
        "Each read of this process, from the wait for its lease to its end.",
        meters.reads,
    )
    yield _histogram(
        "tickwell_write_seconds",
        "Each transaction of this process, from the wait for its lease until it is durable.",
        meters.writes,
    )
    if meters.retries is not None:
        yield _counter(
            "tickwell_polls_total",
            "Polls of this process, counted for each index of a slot, by outcome.",
            ("index_name", "outcome"),
            dict(meters.polls),
        )
        yield CounterMetricFamily(
            "tickwell_refused_records_total",
            "Records that the database refused and this process set aside.",
            meters.refused,
        )
        yield CounterMetricFamily(
            "tickwell_retries_total",
            "Requests to the exchange that this process repeated after a temporary error.",
            meters.retries,
        )


def _of_file(found: Figures, configured: Sequence[str], now: datetime) -> Iterator[Metric]:
    names = known_indexes(configured, list(found.observed))
    yield _gauges(
        "tickwell_tick_age_seconds",
        "Age of the newest tick of an index that is to be recorded; absent while it has none.",
        ("index_name",),
        {(name,): max(0.0, (now - at).total_seconds()) for name, at in found.newest.items()},
    )
    kinds = {"observed": found.observed, "average": found.averages}
    yield _counter(
        "tickwell_ticks_stored_total",
        "Ticks in the file: observed, or an average of the exchange's history.",
        ("index_name", "kind"),
        {(name, kind): counts.get(name, 0) for name in names for kind, counts in kinds.items()},
    )
    yield _counter(
        "tickwell_missed_slots_total",
        "Slots that brought nothing while a recorder ran.",
        ("index_name", "cause"),
        {(name, cause.value): 0 for name in names for cause in Cause} | found.missed,
    )
    yield _gauges(
        "tickwell_gap_seconds",
        "Seconds of due slots that brought nothing, by what became of the gap.",
        ("index_name", "state"),
        {(name, state): 0.0 for name in names for state in get_args(GapState)} | found.gap_s,
    )
    yield _gauges(
        "tickwell_coverage_ratio",
        "The share of what was due in the last 24 h that is known, live or healed: 0 to 1.",
        ("index_name",),
        {(name,): share for name, share in found.coverage.items()},
    )
    yield _gauges(
        "tickwell_log_age_seconds",
        "Age of the time up to which a log is complete.",
        ("feed",),
        {(feed,): max(0.0, (now - log.complete_to).total_seconds()) for feed, log in found.logs.items()},
    )
    yield _gauges(
        "tickwell_log_late",
        "1 when the last request for a log failed, else 0.",
        ("feed",),
        {(feed,): float(bool(log.late)) for feed, log in found.logs.items()},
    )
    yield _gauges(
        "tickwell_snapshot_age_seconds",
        "Age of the newest snapshot of a feed of the market.",
        ("feed",),
        {(feed,): max(0.0, (now - at).total_seconds()) for feed, at in found.snapshots.items()},
    )
    yield _gauges(
        "tickwell_check_state",
        "The newest result of a self-check of the market: 0 good, 1 a note, 2 a warning.",
        ("check", "feed"),
        {(each.name, each.feed): get_args(State).index(each.state) for each in found.checks},
    )
    yield _gauges(
        "tickwell_check_value",
        "The difference that a self-check of the market found: a fraction, or points of volatility.",
        ("check", "feed"),
        {(each.name, each.feed): each.value for each in found.checks},
    )


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value)


def _gauges(name: str, meaning: str, labels: Sequence[str], values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _counter(name: str, meaning: str, labels: Sequence[str], values: Mapping[Any, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, meaning, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _histogram(name: str, meaning: str, timer: Timer) -> HistogramMetricFamily:
    counts, seconds = timer.read()
    bounds = [*map(str, BOUNDS_S), "+Inf"]
    return HistogramMetricFamily(name, meaning, list(zip(bounds, accumulate(counts), strict=True)), seconds)
